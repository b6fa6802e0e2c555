"""Physics with parameters: domain and kernels to predicted intensities."""

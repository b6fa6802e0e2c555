"""Ask and show; never compute."""

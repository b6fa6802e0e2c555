"""What the model of a particle returns: intensities at the data points and their derivatives."""

from __future__ import annotations

from dataclasses import dataclass

from nanostrata.domain.base import FloatArray


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Model at every data point, electrons squared per particle, and its derivatives.

    Attributes
    ----------
    value : (p,) number average of the orientation-averaged intensity, without Laue scattering
    laue : (p,) Laue scattering of the random alloy
    grad_x : (p, n_shell) of value + laue
    grad_size : (p, 2 or 3) of value + laue by mean diameter, standard deviation and, for spheroids, aspect ratio
    grad_density : (p, 2) by relative density of core and shell
    grad_contrast : (p, n_contrast) by the amplitudes of the particle's ``contrast_errors``
    """

    value: FloatArray
    laue: FloatArray
    grad_x: FloatArray
    grad_size: FloatArray
    grad_density: FloatArray
    grad_contrast: FloatArray

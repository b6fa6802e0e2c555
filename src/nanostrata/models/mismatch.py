"""Lattice mismatch between neighbouring compositions: shells, crystal layers, and the two pure materials."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from nanostrata.domain import FloatArray
from nanostrata.domain.mismatch import LayerMismatch
from nanostrata.errors import PhysicsError
from nanostrata.models.density import SolidSolution
from nanostrata.models.materials import HEXAGONAL

__all__ = [
    "abrupt_mismatch",
    "directions",
    "exponential_depth_fit",
    "layer_mismatch",
    "layer_spacing",
    "pair_density",
    "shell_fraction_of_density",
    "step_mismatch",
]

_SLOPES = np.linspace(-25.0, 5.0, 601)
_ZOOMS = 3


def directions(solid: SolidSolution, structure: str | None = None) -> tuple[str, ...]:
    """("a", "c") where the particle's lattice is hexagonal, else ("cubic",).

    Parameters
    ----------
    structure : of the whole particle; default the core's
    """
    return ("a", "c") if (structure or solid.core.structure) in HEXAGONAL else ("cubic",)


def step_mismatch(
    solid: SolidSolution, shell_fraction: ArrayLike, structure: str | None = None
) -> tuple[FloatArray, ...]:
    r"""Mismatch from each composition to the next one outwards.

    .. math:: m_k = 100\, \frac{a(x_k) - a(x_{k+1})}{a(x_k)}

    with a(x) by Vegard's rule where both materials have the same structure; otherwise the cube root of the volume per shared
    site is linear in x, one structure is imposed on the particle, and all directions have the same mismatch. The lattices
    are those of the free materials: in a coherent particle the strain is shared between both sides.

    Parameters
    ----------
    solid : two end members
    shell_fraction : (..., n) compositions, inner to outer
    structure : of the whole particle; default the core's

    Returns
    -------
    one (..., n - 1) array for each of :func:`directions`, percent; positive where the inner lattice is the larger one

    Raises
    ------
    PhysicsError
        For one material only.
    """
    if solid.shell is None:
        raise PhysicsError("mismatch: there is one material only; no lattice differs from another")
    lengths = solid.lattice_nm(np.asarray(shell_fraction, dtype=np.float64))
    out = tuple(100.0 * (a[..., :-1] - a[..., 1:]) / a[..., :-1] for a in lengths)
    return out if len(directions(solid, structure)) == 2 else out[:1]


def abrupt_mismatch(solid: SolidSolution, structure: str | None = None) -> tuple[float, ...]:
    """Mismatch of pure core to pure shell material for each direction, percent."""
    return tuple(float(m[0]) for m in step_mismatch(solid, [0.0, 1.0], structure))


def layer_spacing(solid: SolidSolution, x: float, structure: str | None = None) -> tuple[float, str]:
    """Distance of the layers of shared sites, nm, and which planes they are.

    Close-packed planes of the shared sublattice: (001) of wurtzite and hcp, c/2 apart; (111) of zinc blende, fcc and diamond
    (one double layer), a/sqrt(3); in rock salt (100), a/2, where each plane is a full layer of both ions; in bcc (110),
    a/sqrt(2). For a lattice from a CIF the cube root of the volume per shared site stands for it.

    Parameters
    ----------
    x : composition at which the lattice is taken
    structure : of the whole particle; default the core's
    """
    name = structure or solid.core.structure
    v = float(solid.site_volume_nm3(np.array([x]))[0])
    if name in HEXAGONAL:
        if solid.core.structure in HEXAGONAL:
            return 0.5 * float(solid.lattice_nm(np.array([x]))[1][0]), "(001), c/2"
        return (4.0 * v) ** (1.0 / 3.0) / math.sqrt(3.0), "(001), c/2 at the ideal c/a"
    cubic = {
        "zincblende": (4.0, math.sqrt(3.0), "(111), a/sqrt(3)"),
        "fcc": (4.0, math.sqrt(3.0), "(111), a/sqrt(3)"),
        "diamond": (8.0, math.sqrt(3.0), "(111), a/sqrt(3)"),
        "rocksalt": (4.0, 2.0, "(100), a/2"),
        "bcc": (2.0, math.sqrt(2.0), "(110), a/sqrt(2)"),
    }
    if name not in cubic:
        return v ** (1.0 / 3.0), "cube root of the volume per shared site"
    sites, divisor, planes = cubic[name]
    return (sites * v) ** (1.0 / 3.0) / divisor, planes


def layer_mismatch(
    solid: SolidSolution,
    x_layers: ArrayLike,
    depth_nm: ArrayLike,
    *,
    source: str,
    spacing: tuple[float, str],
    structure: str | None = None,
    beyond_share: float = 0.0,
) -> LayerMismatch:
    """Mismatch from crystal layer to crystal layer.

    Parameters
    ----------
    x_layers : (n_draw, m) composition at the layers, inner to outer
    depth_nm : (m,) their depth below the surface
    source : what the compositions were read from
    spacing : from :func:`layer_spacing`
    """
    return LayerMismatch(
        source=source,
        planes=spacing[1],
        spacing_nm=spacing[0],
        depth_nm=np.asarray(depth_nm, dtype=np.float64),
        percent=step_mismatch(solid, x_layers, structure),
        beyond_share=beyond_share,
    )


def pair_density(solid: SolidSolution, x: ArrayLike) -> FloatArray:
    """Number density x / v(x) of shared sites that are shell material (Zn atoms in ZnSe), 1/nm^3."""
    x = np.asarray(x, dtype=np.float64)
    return np.asarray(x / solid.site_volume_nm3(x))


def shell_fraction_of_density(solid: SolidSolution, density_inv_nm3: ArrayLike) -> FloatArray:
    """Composition of a given :func:`pair_density`; 1 where it exceeds that of pure shell material.

    Solved by Newton's method from the chord (the density is nearly linear in x and rises with it).
    """
    n = np.asarray(density_inv_nm3, dtype=np.float64)
    full = float(pair_density(solid, [1.0])[0])
    target = np.clip(n, 0.0, full)
    x = target / full
    for _ in range(50):
        v = solid.site_volume_nm3(x)
        slope = (v - x * solid.site_volume_slope(x)) / v**2
        step = (target - x / v) / slope
        x = np.clip(x + step, 0.0, 1.0)
        if not step.size or float(np.abs(step).max()) < 1e-14:
            break
    return np.asarray(np.where(n >= full, 1.0, x))


def exponential_depth_fit(
    depth_nm: ArrayLike, density_inv_nm3: ArrayLike, sigma_inv_nm3: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    r"""Least squares of :math:`F(d) = e^{C_1 + C_2 d}`, for many draws at once.

    The sum of :math:`(F_k - F(d_k))^2 / \sigma_k^2` is minimised in F itself, not in its logarithm, which a shell without
    shell material does not have. For each slope the amplitude is linear; the slope is searched on a grid of -25..5 1/nm that
    is refined three times.

    Parameters
    ----------
    depth_nm : (k,) depth of the middle of each shell
    density_inv_nm3 : (n_draw, k)
    sigma_inv_nm3 : (k,) one standard deviation of each, > 0

    Returns
    -------
    c1, c2 : (n_draw,) logarithm of the density at the surface (1/nm^3), and slope, 1/nm; c1 is -inf for no shell material
    """
    d = np.asarray(depth_nm, dtype=np.float64)
    f = np.atleast_2d(np.asarray(density_inv_nm3, dtype=np.float64))
    w = 1.0 / np.asarray(sigma_inv_nm3, dtype=np.float64) ** 2
    if not np.isfinite(w).all() or len(w) != len(d) or f.shape[1] != len(d):
        raise PhysicsError(f"exponential: expected {len(d)} sigmas > 0 and densities, got {len(w)} and {f.shape[1]}")
    rows = np.arange(len(f))
    slopes, width = _SLOPES[None, :], float(_SLOPES[1] - _SLOPES[0])
    for _ in range(_ZOOMS + 1):
        shape = np.exp(slopes[:, :, None] * d) * np.sqrt(w)
        # amplitude for each slope, and what it takes off the sum of squares; one grid serves all draws at first
        cross = (
            np.matmul(shape, (f * np.sqrt(w))[:, :, None])[:, :, 0]
            if len(shape) == len(f)
            else f * np.sqrt(w) @ shape[0].T
        )
        norm = (shape**2).sum(axis=2)
        at = np.argmax(cross**2 / norm, axis=1)
        best = slopes[rows % len(slopes), at]
        amplitude = cross[rows, at] / norm[rows % len(norm), at]
        slopes = best[:, None] + np.linspace(-width, width, 41)
        width /= 20.0
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.maximum(amplitude, 0.0))), np.asarray(best)

r"""Line profiles of small crystals: spheroids of any direction with a spread of sizes, stacking faults, a spread of lattice.

.. math:: P_h(\Delta q) = \sum_{n \in h} w_n \int_0^\infty A_n(t)\, \cos(t\, \Delta q)\, dt, \quad
          A_n(t) = \langle V(t/D_n) \rangle\, e^{-\kappa_h |n \cdot s|\, t/d}\, e^{-(\epsilon q t)^2/2}\, e^{-(\sigma t)^2/2}

n are the normals of the equivalent planes, V(x) = 1 - 3x/2 + x^3/2 the common volume of a sphere and its shifted copy, D_n the
chord of the spheroid through its centre along n (a spheroid is a stretched sphere), averaged over sizes by volume; kappa the
loss of order per layer at stacking faults of layers of spacing d and normal s; epsilon the relative spread of the lattice
constant, sigma the instrument. The sum runs over all equivalents, as a powder does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nanostrata.domain.base import FloatArray, IntArray
from nanostrata.models.lattice_cells import parse_direction
from nanostrata.models.waxs_lines import Line

__all__ = [
    "CANDIDATE_AXES", "ProfileShape", "chord", "fault_decay", "gaussian_k", "line_profiles", "predicted_sizes", "stacking",
]  # fmt: skip

CANDIDATE_AXES = {"hexagonal": ("001", "110", "210"), "cubic": ("111", "110", "100"), "tetragonal": ("001", "100", "110"),
                  "orthorhombic": ("001", "010", "100"), "scaled": ("001", "010", "100")}  # fmt: skip
"""Directions in the direct lattice that a unique axis is looked for along, by the kind of lattice.

Of a hexagonal lattice [110] is an a-axis (the normal of the planes (110)), [210] the normal of the planes (100).
"""

_STEPS = 96
_REACH = (
    2.6  # largest t in units of the mean diameter: 1 + 6 standard deviations of 12 %, times 1.5 for the aspect ratio
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileShape:
    """One particle shape and its defects.

    Attributes
    ----------
    axis : direction of the unique axis, "none" for spheres
    aspect_ratio : unique axis over the others
    spread : relative standard deviation of the diameter, by number
    fault_kind : "growth" or "deformation"
    fault_probability : per layer
    strain : relative standard deviation of the lattice constant
    """

    axis: str = "none"
    aspect_ratio: float = 1.0
    spread: float = 0.1
    fault_kind: str = "growth"
    fault_probability: float = 0.0
    strain: float = 0.0


def chord(normals: FloatArray, axis: FloatArray, aspect_ratio: float) -> FloatArray:
    r"""Chord through the centre of a spheroid over the diameter of the sphere of its volume.

    .. math:: D_n / D = b^{-1/3} \left(1 - (n \cdot u)^2 (1 - b^{-2})\right)^{-1/2}

    Parameters
    ----------
    normals : (n, 3) unit vectors
    axis : (3,) unit vector of the unique axis
    aspect_ratio : b
    """
    along = (normals @ axis) ** 2
    return np.asarray(aspect_ratio ** (-1.0 / 3.0) / np.sqrt(1.0 - along * (1.0 - aspect_ratio**-2.0)))


def plane_normals(planes: IntArray, vectors_nm: FloatArray) -> FloatArray:
    """(n, 3) unit normals of planes, in the Cartesian frame of the lattice vectors."""
    g = planes @ np.linalg.inv(vectors_nm).T
    return np.asarray(g / np.linalg.norm(g, axis=1, keepdims=True))


def predicted_sizes(lines: Sequence[Line], vectors_nm: FloatArray, axis: str, aspect_ratio: float) -> dict[str, float]:
    """Mean size of each reflection over the minor diameter of a spheroid, averaged over equivalents by |F|^2.

    Examples
    --------
    The chords of a prolate spheroid with its long axis along one [110] of a hexagonal lattice, see the tests.
    """
    u = parse_direction(vectors_nm, axis)
    minor = aspect_ratio ** (-1.0 / 3.0) * min(1.0, aspect_ratio)
    return {
        line.hkl: float(
            np.average(chord(plane_normals(line.planes, vectors_nm), u, aspect_ratio), weights=line.weight) / minor
        )
        for line in lines
    }


def stacking(structure: str, vectors_nm: FloatArray) -> tuple[FloatArray, float] | None:
    """Normal of the close-packed layers and their spacing, nm; None for structures that are not made of such layers."""
    if structure in ("wurtzite", "hcp"):
        return vectors_nm[2] / np.linalg.norm(vectors_nm[2]), float(np.linalg.norm(vectors_nm[2])) / 2.0
    if structure in ("zincblende", "diamond", "fcc"):
        normal = vectors_nm.sum(axis=0)
        return normal / np.linalg.norm(normal), float(np.linalg.norm(normal)) / 3.0
    return None


def fault_decay(structure: str, planes: IntArray, kind: str, probability: float) -> FloatArray:
    r"""Loss of order per layer, kappa, of each plane at stacking faults of a given probability per layer.

    The phase of a layer changes by +-2 pi/3 from one to the next for planes with h - k (hexagonal) or h + k + l (cubic) not a
    multiple of 3; the others do not see faults. Correlations of layers m apart fall as |lambda|^m, with lambda an eigenvalue of
    the matrix that carries the sense of the last step on:

    ======================= ============================================ ==========================
    hexagonal, growth       l even, odd: the two of |trace p, det 2p - 1| 3p/2, p/2 (small p)
    hexagonal, deformation  both                                         3p/2
    cubic, growth (twins)   lambda^2 = 1 - 2p                            p
    cubic, deformation      lambda^2 = 1 - 3p + 3p^2                     3p/2
    ======================= ============================================ ==========================

    Returns
    -------
    (n,) kappa

    Notes
    -----
    For small p these are the broadenings of B. E. Warren, X-ray Diffraction (1969), chapter 13. Shifts of the peaks are left
    out: the lattice constants of the fit take them up.
    """
    p = min(probability, 0.49)
    if p <= 0.0:
        return np.zeros(len(planes))
    h, k, l = planes.T
    if structure in ("wurtzite", "hcp"):
        seen = (h - k) % 3 != 0
        if kind == "growth":
            root = math.sqrt(p * p + 4.0 * (1.0 - 2.0 * p))
            even, odd = -math.log(0.5 * (root - p)), -math.log(0.5 * (root + p))
            return np.where(seen, np.where(l % 2 == 0, even, odd), 0.0)
        return np.where(seen, -0.5 * math.log(1.0 - 3.0 * p + 3.0 * p * p), 0.0)
    seen = (h + k + l) % 3 != 0
    square = 1.0 - 2.0 * p if kind == "growth" else 1.0 - 3.0 * p + 3.0 * p * p
    return np.where(seen, -0.5 * math.log(square), 0.0)


@lru_cache(maxsize=64)
def _common_volume(spread: float) -> tuple[FloatArray, FloatArray]:
    """Common volume of spheres of mean diameter 1 and a spread, averaged by volume, against the shift."""
    x = np.linspace(0.0, 1.0 + 7.0 * spread, 600)
    z, w = np.polynomial.hermite_e.hermegauss(41)
    diameter = 1.0 + spread * z
    keep = diameter > 0.05
    weight = w[keep] * diameter[keep] ** 3
    u = np.minimum(x[:, None] / diameter[keep], 1.0)
    return x, np.asarray((1.0 - 1.5 * u + 0.5 * u**3) @ weight / weight.sum())


@lru_cache(maxsize=4)
def _cosines() -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Nodes and weights of t/D, values of D dq, and the cosines of their products."""
    t, w = np.polynomial.legendre.leggauss(_STEPS)
    t, w = 0.5 * _REACH * (t + 1.0), 0.5 * _REACH * w
    v = np.concatenate([np.linspace(0.0, 24.0, 121), np.linspace(24.5, 60.0, 72)])
    return t, w, v, np.cos(np.outer(t, v))


def line_profiles(
    lines: Sequence[Line], q_lines: FloatArray, vectors_nm: FloatArray, structure: str, shape: ProfileShape, diameter_nm: float,
    instrument_sigma_inv_nm: FloatArray | float = 0.0,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Profiles of all lines, area 1 in q.

    Parameters
    ----------
    lines : their planes and weights
    q_lines : (n_lines,) positions, 1/nm
    vectors_nm : (3, 3) lattice vectors
    structure : for the stacking
    shape : the particle
    diameter_nm : of the sphere of the particle's mean volume
    instrument_sigma_inv_nm : one standard deviation at each line

    Returns
    -------
    dq_inv_nm : (n_v,) from 0
    profiles : (n_lines, n_v)
    """
    t, w, v, cosines = _cosines()
    grid, volume = _common_volume(round(shape.spread, 6))
    axis = None if shape.axis == "none" else parse_direction(vectors_nm, shape.axis)
    layers = stacking(structure, vectors_nm) if shape.fault_probability > 0.0 else None
    amplitude = np.empty((len(lines), len(t)))
    sigma = np.broadcast_to(np.asarray(instrument_sigma_inv_nm, dtype=np.float64), (len(lines),))
    for i, line in enumerate(lines):
        normals = plane_normals(line.planes, vectors_nm)
        relative = np.ones(len(normals)) if axis is None else chord(normals, axis, shape.aspect_ratio)
        loss = np.zeros(len(normals))
        if layers is not None:
            kappa = fault_decay(structure, line.planes, shape.fault_kind, shape.fault_probability)
            loss = kappa * np.abs(normals @ layers[0]) * diameter_nm / layers[1]
        key = np.round(np.stack([relative, loss], axis=1), 9)
        unique, back = np.unique(key, axis=0, return_inverse=True)
        share = np.bincount(back.ravel(), weights=line.weight) / line.weight.sum()
        total = np.zeros(len(t))
        for (size, decay), s in zip(unique, share, strict=True):
            total += s * np.interp(t / size, grid, volume, right=0.0) * np.exp(-decay * t)
        width2 = (shape.strain * q_lines[i]) ** 2 + sigma[i] ** 2
        amplitude[i] = total * np.exp(-0.5 * width2 * (diameter_nm * t) ** 2)
    return v / diameter_nm, (amplitude * w) @ cosines * diameter_nm / np.pi


@lru_cache(maxsize=64)
def gaussian_k(spread: float) -> float:
    """K of 2 pi K / w that gives the mean diameter of spheres from the full width w of a fitted Gaussian.

    The profile of a sphere has feet that a Gaussian has not; the width of the best Gaussian is not that of the profile itself
    (whose K is 1.107 without spread).

    Examples
    --------
    >>> 1.0 < gaussian_k(0.0) < 1.2
    True
    """
    line = Line(hkl="s", planes=np.array([[1, 0, 0]]), weight=np.ones(1), metric=np.ones(1), q_inv_nm=1.0)
    dq, profile = line_profiles([line], np.ones(1), np.eye(3), "cif", ProfileShape(spread=spread), 1.0)
    x = np.concatenate([-dq[:0:-1], dq])
    y = np.concatenate([profile[0, :0:-1], profile[0]])
    from nanostrata.kernels.peaks import PeakModel, fit_lines

    even = np.linspace(-20.0, 20.0, 801)
    one = np.zeros(1, dtype=np.int64)
    model = PeakModel(np.zeros((1, 0)), one, one, np.ones(1), np.ones((1, 801)), False, np.ones(801))
    found = fit_lines(even, np.interp(even, x, y), np.ones(801), model, np.array([0.0, np.log(7.0)]))
    return float(np.exp(found.theta[1]) / (2.0 * np.pi))

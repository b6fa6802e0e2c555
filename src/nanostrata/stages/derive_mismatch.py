"""Derive the lattice mismatch along the radius from the posterior of the composition profile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from nanostrata.domain import FloatArray
from nanostrata.domain.mismatch import LayerMismatch, Mismatch
from nanostrata.errors import PhysicsError
from nanostrata.models.density import SolidSolution
from nanostrata.models.mismatch import (
    abrupt_mismatch,
    directions,
    exponential_depth_fit,
    layer_mismatch,
    layer_spacing,
    pair_density,
    shell_fraction_of_density,
    step_mismatch,
)

__all__ = ["VERSION", "derive_mismatch"]

VERSION = "1"


def derive_mismatch(
    solid: SolidSolution,
    shell_fraction: ArrayLike,
    edges_nm: ArrayLike,
    *,
    structure: str | None = None,
    profile: tuple[ArrayLike, ArrayLike] | None = None,
    informed_by: Sequence[str] = (),
) -> Mismatch:
    r"""Lattice mismatch between neighbouring shells and between neighbouring crystal layers, for every draw.

    The shells are a discretisation, so the steps between them depend on how many there are. From one layer of shared sites to
    the next the question has a physical answer, but needs a profile between the middles of shells. Two are read at the depths
    d/2, 3d/2, ... of the layers (d their spacing, at the mean composition): the fitted profile itself where ``profile`` gives
    it, and the exponential :math:`n = e^{C_1 + C_2 \cdot depth}` through the densities of shell material in the middles of the
    shells, weighted by their posterior variance. The latter is read at the depths 0, d, 2d, ... too: only so does a thin
    shell with x = 0.5 outside come out above a thick one, as in 10.1038/s41598-017-11996-2, which does not say how its
    values were read.

    Parameters
    ----------
    solid : two end members
    shell_fraction : (n_draw, n_shell) posterior draws of x, inner to outer
    edges_nm : (n_shell,) outer radii of the shells of the mean particle
    structure : of the whole particle; default the core's
    profile : radii (g,), nm, and x there (n_draw, g) of the continuous profile of each draw
    informed_by : "data", "weak" or "prior" for each shell; interfaces with a "prior" shell are left out of the supported
        maximum

    Returns
    -------
    Mismatch

    Assumes
    -------
    Lattices of the free materials (no strain is shared), and an isotropic profile.

    Raises
    ------
    PhysicsError
        For one material only, fewer than two draws, or arrays that do not fit together.
    """
    x = np.asarray(shell_fraction, dtype=np.float64)
    edges = np.asarray(edges_nm, dtype=np.float64)
    if x.ndim != 2 or len(x) < 2 or x.shape[1] != len(edges):
        raise PhysicsError(f"shell_fraction: expected two or more draws of {len(edges)} shells, got shape {x.shape}")
    if not np.isfinite(x).all() or x.min() < -1e-9 or x.max() > 1.0 + 1e-9:
        raise PhysicsError(f"shell_fraction: must lie in 0..1, got {x.min():g}..{x.max():g}")
    if informed_by and len(informed_by) != len(edges):
        raise PhysicsError(f"informed_by: expected {len(edges)} labels, got {len(informed_by)}")
    percent = step_mismatch(solid, x, structure)
    volumes = np.diff(np.concatenate([[0.0], edges**3]))
    spacing = layer_spacing(solid, solid.mean_site_fraction(x.mean(axis=0), volumes), structure)
    layers: list[LayerMismatch] = []
    if profile is not None:
        layers.append(_from_profile(solid, profile, float(edges[-1]), spacing, structure))
    if len(edges) > 1:
        layers += _from_exponential(solid, x, edges, spacing, structure)
    informed = np.array([label != "prior" for label in informed_by], dtype=np.bool_)
    return Mismatch(
        directions=directions(solid, structure),
        percent=percent,
        abrupt_percent=abrupt_mismatch(solid, structure),
        supported=informed[:-1] & informed[1:],
        layers=tuple(layers),
        notes=_notes(solid),
    )


def _depths(radius: float, spacing: float, first: float) -> FloatArray:
    """Depths of the layers, inner to outer; the first below the surface at ``first`` spacings."""
    count = max(1, int(np.ceil(radius / spacing - first)))
    return np.asarray((first + np.arange(count))[::-1] * spacing, dtype=np.float64)


def _from_profile(
    solid: SolidSolution,
    profile: tuple[ArrayLike, ArrayLike],
    radius: float,
    spacing: tuple[float, str],
    structure: str | None,
) -> LayerMismatch:
    r, x = (np.asarray(p, dtype=np.float64) for p in profile)
    if r.ndim != 1 or x.ndim != 2 or x.shape[1] != len(r) or np.any(np.diff(r) <= 0):
        raise PhysicsError(f"profile: expected increasing radii (g,) and x (n_draw, g), got {r.shape} and {x.shape}")
    depth = _depths(radius, spacing[0], 0.5)
    at = np.array([np.interp(radius - depth, r, row) for row in x])
    return layer_mismatch(solid, at, depth, source="fitted profile", spacing=spacing, structure=structure)


def _from_exponential(
    solid: SolidSolution, x: FloatArray, edges: FloatArray, spacing: tuple[float, str], structure: str | None
) -> list[LayerMismatch]:
    radius = float(edges[-1])
    middle = radius - 0.5 * (edges + np.concatenate([[0.0], edges[:-1]]))
    density = pair_density(solid, np.clip(x, 0.0, 1.0))
    sigma = density.std(axis=0, ddof=1)
    # a shell that is known far better than all others may not decide alone
    sigma = np.maximum(sigma, max(0.02 * float(sigma.max()), 1e-6 * float(pair_density(solid, [1.0])[0])))
    c1, c2 = exponential_depth_fit(middle, density, sigma)
    out = []
    for first, where in ((0.5, "exponential"), (0.0, "exponential from the surface")):
        depth = _depths(radius, spacing[0], first)
        n = np.exp(c1[:, None] + c2[:, None] * depth)
        beyond = float((n > float(pair_density(solid, [1.0])[0])).any(axis=1).mean())
        at = shell_fraction_of_density(solid, n)
        out.append(
            layer_mismatch(
                solid, at, depth, source=where, spacing=spacing, structure=structure, beyond_share=beyond
            )
        )  # fmt: skip
    return out


def _notes(solid: SolidSolution) -> tuple[str, ...]:
    out = ["lattices of the free materials; a coherent particle shares the strain between both sides of an interface"]
    if solid.shell is not None and (solid.core.structure != solid.shell.structure or solid.core.structure == "cif"):
        out.append(
            f"{solid.core.name} ({solid.core.structure}) and {solid.shell.name} ({solid.shell.structure}) are compared by the "
            "cube root of the volume per shared site, as one structure is imposed on the whole particle"
        )
    return tuple(out)

"""Nouns of the ab initio shape: what a curve says beforehand, bead models, their average, and what is read from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, IntArray, check_range, freeze, frozen_array
from nanostrata.errors import PhysicsError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CurveFigures(Domain):
    """What a curve says about the particle before any bead is placed; errors are from resampled data.

    Attributes
    ----------
    rg_nm, rg_sigma_nm : radius of gyration by Guinier's law, of the ensemble as it scatters; nan when there is no range
    guinier_first, guinier_last : first and last point of the range; -1 when there is none
    guinier_note : why the range is short or missing ("" when it is sound)
    i_zero, i_zero_sigma : forward intensity, from p(r)
    r_nm, p : (n_r,) pair distances of the particle of mean size
    p_sigma : (n_r,)
    dmax_nm, dmax_sigma_nm : largest distance within the particle of mean size
    rg_real_nm, rg_real_sigma_nm : radius of gyration from p(r), of the particle of mean size
    fit : (n_q,) curve of p(r)
    chi2_reduced : of that fit
    porod_volume_nm3, porod_volume_sigma_nm3 : 2 pi^2 I(0) / Q of the ensemble as it scatters
    constant : flat background that was fitted with p(r)
    """

    rg_nm: float
    rg_sigma_nm: float
    guinier_first: int
    guinier_last: int
    guinier_note: str
    i_zero: float
    i_zero_sigma: float
    r_nm: FloatArray
    p: FloatArray
    p_sigma: FloatArray
    dmax_nm: float
    dmax_sigma_nm: float
    rg_real_nm: float
    rg_real_sigma_nm: float
    fit: FloatArray
    chi2_reduced: float
    porod_volume_nm3: float
    porod_volume_sigma_nm3: float
    constant: float

    def __post_init__(self) -> None:
        r = frozen_array("r_nm", self.r_nm, nonnegative=True, increasing=True)
        freeze(self, "r_nm", r)
        freeze(self, "p", frozen_array("p", self.p, length=len(r)))
        freeze(self, "p_sigma", frozen_array("p_sigma", self.p_sigma, nonnegative=True, length=len(r)))
        freeze(self, "fit", frozen_array("fit", self.fit))
        check_range("dmax_nm", self.dmax_nm, 0.1, 1e4)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BeadModel(Domain):
    """One shape: equal beads on lattice sites, centred on their mean.

    Attributes
    ----------
    positions_nm : (n, 3)
    bead_nm : distance of neighbouring sites (the diameter of touching beads)
    chi2_reduced : against the data and their stated errors, per point
    scale, constant : that take the beads' scattering (1 for q = 0) to the data
    fit : (n_q,) at the points used
    spread : relative standard deviation of the sizes that the shape was retrieved for
    looseness : mean share of missing neighbours
    label : which run it is
    """

    positions_nm: FloatArray
    bead_nm: float
    chi2_reduced: float
    scale: float
    constant: float
    fit: FloatArray
    spread: float = 0.0
    looseness: float = 0.0
    label: str = ""

    def __post_init__(self) -> None:
        p = frozen_array("positions_nm", self.positions_nm, ndim=2)
        if len(p) < 2 or p.shape[1] != 3:
            raise PhysicsError(f"positions_nm: expected at least 2 beads in three dimensions, got shape {p.shape}")
        freeze(self, "positions_nm", p)
        freeze(self, "fit", frozen_array("fit", self.fit))
        check_range("bead_nm", self.bead_nm, 1e-3, 1e3)

    @property
    def volume_nm3(self) -> float:
        """Volume of the lattice cells of the beads."""
        return float(len(self.positions_nm) * self.bead_nm**3 / np.sqrt(2.0))

    def __len__(self) -> int:
        return len(self.positions_nm)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OccupancyMap(Domain):
    """Share of the models that fill each voxel of a cubic grid around the common centre.

    Attributes
    ----------
    occupancy : (n, n, n) 0 to 1, axes x, y, z
    voxel_nm : edge of a voxel; the middle voxel lies at the origin (n is odd)
    cutoff : occupancy at and above which a voxel counts as particle
    """

    occupancy: FloatArray
    voxel_nm: float
    cutoff: float

    def __post_init__(self) -> None:
        a = frozen_array("occupancy", self.occupancy, ndim=3, nonnegative=True)
        if len(set(a.shape)) != 1 or a.shape[0] % 2 == 0:
            raise PhysicsError(f"occupancy: expected a cube with an odd number of voxels per edge, got {a.shape}")
        freeze(self, "occupancy", a)
        check_range("voxel_nm", self.voxel_nm, 1e-3, 1e3)
        check_range("cutoff", self.cutoff, 0.0, 1.0)

    @property
    def axis_nm(self) -> FloatArray:
        """Coordinates of the voxel centres along each axis."""
        n = self.occupancy.shape[0]
        return np.asarray((np.arange(n) - n // 2) * self.voxel_nm, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShapeAverage(Domain):
    """What many runs have in common.

    Attributes
    ----------
    models : the runs kept, moved onto the reference (mirrored where that fits better)
    kept : (n_kept,) index of each among all runs
    reference : index, among all runs, of the one nearest to the others
    nsd : (n, n) normalised spatial discrepancy of all runs
    cluster : (n_kept,) which family of shapes each belongs to; 0 is the largest
    map : occupancy of the kept runs
    resolution_nm : where the mean Fourier shell correlation of pairs falls to 0.5; the bead's diameter where it does not
    fsc_q_inv_nm, fsc : (m,) mean correlation of pairs
    """

    models: tuple[BeadModel, ...]
    kept: IntArray
    reference: int
    nsd: FloatArray
    cluster: IntArray
    map: OccupancyMap
    resolution_nm: float
    fsc_q_inv_nm: FloatArray
    fsc: FloatArray

    def __post_init__(self) -> None:
        freeze(self, "models", tuple(self.models))
        for name, kind, ndim in (
            ("kept", np.int64, 1), ("cluster", np.int64, 1), ("nsd", np.float64, 2), ("fsc_q_inv_nm", np.float64, 1),
            ("fsc", np.float64, 1),
        ):  # fmt: skip
            freeze(self, name, frozen_array(name, getattr(self, name), dtype=kind, ndim=ndim))
        if len(self.models) != len(self.kept):
            raise PhysicsError(f"kept: {len(self.kept)} indices for {len(self.models)} models")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShapeComparison(Domain):
    """A result of another program for the same curve, in nm, beside ours.

    Attributes
    ----------
    name, file, sha256 : short name for tables and files, path, digest
    kind : "pair distances" (a GNOM file) or "bead model"
    software : as the file tells
    unit_read : "angstrom" or "nm", the unit of length of the file
    r_nm, p, p_sigma : pair distances of area 1, 1/nm; the error is 0 where the file has none
    rg_nm, rg_sigma_nm, dmax_nm : radius of gyration (nan error when not stated) and largest distance
    volume_nm3 : of the lattice cells of the beads; nan for pair distances
    chi2_reduced : of the file's own fit, per point; nan for beads
    nsd : (n_kept,) to each of our kept runs; empty for pair distances
    nsd_reference, shared_volume : to the reference run; volume in common over that of both together; nan likewise
    positions_nm : (n, 3) beads, moved onto our average; empty for pair distances
    bead_nm : diameter of a bead, nan likewise
    density : (m, m, m) of the moved beads on the grid of our map; empty likewise
    notes : what was decided, one sentence each
    """

    name: str
    file: str
    sha256: str
    kind: str
    software: str
    unit_read: str
    r_nm: FloatArray
    p: FloatArray
    p_sigma: FloatArray
    rg_nm: float
    rg_sigma_nm: float
    dmax_nm: float
    volume_nm3: float
    chi2_reduced: float
    nsd: FloatArray
    nsd_reference: float
    shared_volume: float
    positions_nm: FloatArray
    bead_nm: float
    density: FloatArray
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        r = frozen_array("r_nm", self.r_nm, nonnegative=True, increasing=True)
        freeze(self, "r_nm", r)
        freeze(self, "p", frozen_array("p", self.p, length=len(r)))
        freeze(self, "p_sigma", frozen_array("p_sigma", self.p_sigma, nonnegative=True, length=len(r)))
        freeze(self, "nsd", frozen_array("nsd", self.nsd, nonnegative=True))
        freeze(self, "positions_nm", frozen_array("positions_nm", self.positions_nm, ndim=2))
        freeze(self, "density", frozen_array("density", self.density, ndim=3))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnsembleDiameters(Domain):
    """Diameters in the ensemble: the shape found, in all directions, times the spread of sizes.

    Attributes
    ----------
    grid_nm : (n,) diameters
    line_cuts : (n,) density of the lengths of lines through the centre, 1/nm
    outlines_random, outlines_lying : (n,) density of the diameters that outlines give: of particles turned at random, and
        of particles that lie on a flat support
    line_cuts_mean_nm, line_cuts_std_nm : number mean and standard deviation
    random_mean_nm, random_std_nm, random_ratio : likewise of the outlines, and their mean major over minor axis
    lying_mean_nm, lying_std_nm, lying_ratio : likewise
    rule : "sphere", "prolate" or "oblate": how an outline's axes become a diameter
    """

    grid_nm: FloatArray
    line_cuts: FloatArray
    outlines_random: FloatArray
    outlines_lying: FloatArray
    line_cuts_mean_nm: float
    line_cuts_std_nm: float
    random_mean_nm: float
    random_std_nm: float
    random_ratio: float
    lying_mean_nm: float
    lying_std_nm: float
    lying_ratio: float
    rule: str

    def __post_init__(self) -> None:
        grid = frozen_array("grid_nm", self.grid_nm, positive=True, increasing=True)
        freeze(self, "grid_nm", grid)
        for name in ("line_cuts", "outlines_random", "outlines_lying"):
            freeze(self, name, frozen_array(name, getattr(self, name), nonnegative=True, length=len(grid)))

"""Whether the curves of all energies belong together: scales, first minima, left-out curves, exchanged files, energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from nanostrata.domain.base import Domain, FloatArray, check_range, freeze, frozen_array
from nanostrata.errors import PhysicsError

ExchangeVerdict: TypeAlias = Literal["exchanged", "as labelled", "cannot be told"]
ScaleVerdict: TypeAlias = Literal["consistent", "stated too small", "not judged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstMinima(Domain):
    """First minimum of I q^4 of one curve, 1/nm; nan where there is none.

    Attributes
    ----------
    measured, measured_sigma : of the data, without a model
    predicted, predicted_low95, predicted_high95 : of the fit, the same estimator
    pure_core, pure_shell : of a particle of the same size made of one end member
    """

    measured: float
    measured_sigma: float
    predicted: float
    predicted_low95: float
    predicted_high95: float
    pure_core: float
    pure_shell: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeftOut(Domain):
    """One curve against its prediction from all others, its scale free.

    Attributes
    ----------
    chi2, dof, p : of the curve against the prediction with its own uncertainty
    sigma_factor : by which the stated errors were multiplied, found from the *other* curves
    fit, low95, high95 : (n,) prediction at the best scale and constant, and its band, data units
    spread : standard deviation of the prediction over that of the points, root mean square: above 1, the others say less
        about this curve than its own errors do
    """

    chi2: float
    dof: int
    p: float
    sigma_factor: float
    fit: FloatArray
    low95: FloatArray
    high95: FloatArray
    spread: float

    def __post_init__(self) -> None:
        for name in ("fit", "low95", "high95"):
            freeze(self, name, frozen_array(name, getattr(self, name), length=len(self.fit)))
        check_range("p", self.p, 0.0, 1.0)

    @property
    def chi2_reduced(self) -> float:
        """chi2 per degree of freedom."""
        return self.chi2 / self.dof


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnergyRow(Domain):
    """One energy.

    Attributes
    ----------
    label, file, energy_kev : of the curve, as given
    scale, scale_sigma : relative scale beyond the common one as the data have it, the others' scales at their stated
        uncertainty; its own error without the stated uncertainty
    scale_z : scale in units of its error and the stated uncertainty together; nan where none is stated
    constant, constant_sigma : what is added to the particle's curve, data units; nan where the recipe has no constant
    constant_share : the constant over the intensity at the end of the curve
    minima : first minimum
    left_out : None with a single curve
    """

    label: str
    file: str
    energy_kev: float
    scale: float
    scale_sigma: float
    scale_z: float
    constant: float
    constant_sigma: float
    constant_share: float
    minima: FirstMinima
    left_out: LeftOut | None

    @property
    def name(self) -> str:
        """File and energy, for sentences."""
        energy = f"{self.energy_kev:g} keV"
        return f"{self.file} ({energy})" if self.file else energy


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleTest(Domain):
    """The data's own relative scales against the stated uncertainty.

    Attributes
    ----------
    stated : relative standard deviation per curve
    chi2, dof, p : of the scales given the stated uncertainty; dof counts the combinations that the data know
    consistent_from, consistent_to : stated uncertainties between which chi2 is neither too large nor too small (5 % in each
        tail); inf = no upper end
    likely : the uncertainty at which chi2 equals its median
    """

    stated: float
    chi2: float
    dof: int
    p: float
    consistent_from: float
    consistent_to: float
    likely: float
    verdict: ScaleVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange(Domain):
    """Two curves whose energies were exchanged for trial.

    Attributes
    ----------
    first, second : rows of the curves
    gain : chi2 with the energies as given minus that with these two exchanged, data and priors, in units of the errors that
        the better one shows; positive = the exchange fits better
    verdict : by the margin of :class:`EnergyConsistency`
    """

    first: int
    second: int
    gain: float
    verdict: ExchangeVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherLabel(Domain):
    """One curve that fits better with another energy: row, that energy, and the gain in chi2."""

    row: int
    energy_kev: float
    gain: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnergyShift(Domain):
    """A shift of all energies together, as the curves alone see it.

    Attributes
    ----------
    shift_ev, delta_chi2 : (n,) shifts that were tried, and chi2 above the lowest
    value_ev, low68_ev, high68_ev, low95_ev, high95_ev : where delta_chi2 is 0, 1 and 3.84
    open_low, open_high : whether the 95 % interval reaches the end of the range, beyond which nothing was tried
    """

    shift_ev: FloatArray
    delta_chi2: FloatArray
    value_ev: float
    low68_ev: float
    high68_ev: float
    low95_ev: float
    high95_ev: float
    open_low: bool
    open_high: bool

    def __post_init__(self) -> None:
        freeze(self, "shift_ev", frozen_array("shift_ev", self.shift_ev, increasing=True))
        freeze(self, "delta_chi2", frozen_array("delta_chi2", self.delta_chi2, length=len(self.shift_ev)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnergyConsistency(Domain):
    """Whether the energies belong together.

    Attributes
    ----------
    rows : one per curve, in the order of the curves
    scales : None where every curve has a free scale, or there is one curve
    exchanges : every pair
    best_kev : where a pair looks exchanged, the energies that fit best, one exchange after the other; else empty
    margin : gain that is asked for before two files are called exchanged, and as much against before they are called right
    others : curves that fit better with another energy by more than ``label_margin``, best first
    label_margin : gain that is asked for there
    label_reach_kev : how far from the given energy others were tried
    shift : None with a single curve or where no shift is possible
    """

    rows: tuple[EnergyRow, ...]
    scales: ScaleTest | None
    exchanges: tuple[Exchange, ...]
    best_kev: tuple[float, ...] = ()
    margin: float
    others: tuple[OtherLabel, ...]
    label_margin: float
    label_reach_kev: float
    shift: EnergyShift | None

    def __post_init__(self) -> None:
        n = len(self.rows)
        bad = [e for e in self.exchanges if not 0 <= e.first < e.second < n]
        if bad:
            raise PhysicsError(f"exchanges: {bad[0].first} and {bad[0].second} are not two of {n} curves in order")

    @property
    def suspected(self) -> tuple[Exchange, ...]:
        """Pairs whose exchange alone fits better by more than the margin, the likeliest first."""
        found = [e for e in self.exchanges if e.verdict == "exchanged"]
        return tuple(sorted(found, key=lambda e: -e.gain))

    @property
    def exchanged(self) -> tuple[Exchange, ...]:
        """Suspected pairs that the best order of the energies needs: no longer those that gain nothing once another is put right."""
        moved = set(self.mixed_up)
        return tuple(e for e in self.suspected if not moved or {e.first, e.second} <= moved)

    @property
    def mixed_up(self) -> tuple[int, ...]:
        """Rows whose energy is another in the order that fits best."""
        pairs = zip(self.rows, self.best_kev, strict=False)
        return tuple(i for i, (r, best) in enumerate(pairs) if abs(r.energy_kev - best) > 1e-9)

    @property
    def unseen(self) -> tuple[Exchange, ...]:
        """Pairs whose exchange these data could not show."""
        return tuple(e for e in self.exchanges if e.verdict == "cannot be told")

    @property
    def unpredicted(self) -> tuple[EnergyRow, ...]:
        """Curves that the other energies do not predict: p below 0.001 over the number of curves."""
        limit = LEFT_OUT_P / max(1, len(self.rows))
        return tuple(r for r in self.rows if r.left_out is not None and r.left_out.p < limit)


LEFT_OUT_P = 1e-3
"""Chance that any curve of a sound set is called not predicted."""

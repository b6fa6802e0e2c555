"""What the data say about an ensemble of atoms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from nanostrata.domain.base import Domain, FloatArray

THRESHOLD_P = 0.01
"""A data set speaks against the atoms when chance alone would be this far off more rarely."""

DataSetVerdict = Literal["agrees", "fails"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VerifiedCurve(Domain):
    """One measured curve and what the atoms predict for it.

    Attributes
    ----------
    atoms : (n,) the ensemble's curve after scale, constant and the other stated corrections, data units
    bare : (n,) the same with the common scale alone
    model_error : (n,) standard deviation of ``atoms`` because the particles are few, data units
    chi2_reduced : squares per point with the stated sigma (the curve's part of the data set's chi2)
    """

    label: str
    energy_kev: float
    q_inv_nm: FloatArray
    intensity: FloatArray
    sigma: FloatArray
    atoms: FloatArray
    bare: FloatArray
    model_error: FloatArray
    chi2_reduced: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DataSet(Domain):
    """Verdict of one data set.

    Attributes
    ----------
    name : "asaxs", "saxs", "tem" or "edx"
    chi2, dof, p : of the predictive distribution; p is the probability of a larger chi2 by chance
    sentence : the verdict in words
    numbers : what was compared
    corrections : size of each correction that was allowed, in its prior standard deviations, the largest first
    """

    name: str
    chi2: float
    dof: int
    p: float
    sentence: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    curves: tuple[VerifiedCurve, ...] = ()
    corrections: tuple[tuple[str, float], ...] = ()

    @property
    def chi2_reduced(self) -> float:
        """Chi2 per degree of freedom."""
        return self.chi2 / max(self.dof, 1)

    @property
    def verdict(self) -> DataSetVerdict:
        """Whether the data set agrees with the atoms."""
        return "agrees" if self.p >= THRESHOLD_P else "fails"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verification(Domain):
    """Verdicts of all data sets on one ensemble of atoms; ``notes`` say what was allowed for and what was left out."""

    data_sets: tuple[DataSet, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """True when no data set fails."""
        return all(d.verdict == "agrees" for d in self.data_sets)


def verdict_sentence(what: str, chi2: float, dof: int, p: float, size: str) -> str:
    """Return the verdict of one data set in words; ``size`` says what was compared."""
    chance = f"p = {p:.2g}" if p >= 1e-12 else "p < 1e-12"
    verb = "agrees with" if p >= THRESHOLD_P else "speaks AGAINST"
    return f"{what} {verb} the atoms: chi2 {chi2:.4g} for {dof} degrees of freedom ({size}; {chance})."

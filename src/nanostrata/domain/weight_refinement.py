"""Weights of the particles of an ensemble, moved until the measurements agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, freeze, frozen_array
from nanostrata.errors import PhysicsError

FEW = 0.5
"""Below this effective share a good fit was bought with few particles."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightRefinement(Domain):
    """What other weights of the same particles would change. The verdict on the ensemble is that of the weights as built.

    Attributes
    ----------
    names : data sets, in the order of the verification
    dof : degrees of freedom of each
    chi2_before, chi2_after, p_before, p_after : of each; p after is no test, since the weights were fitted
    weights_before, weights_after : (n,) shares of the particles by number
    held_by : how firmly the weights were held, as the number of particles that one would have counted; inf: not moved
    sizes : name -> (before, after) of what the weights decide: diameters, aspect ratio, composition
    wanted_p : every data set had to reach it
    """

    names: tuple[str, ...]
    dof: tuple[int, ...]
    chi2_before: tuple[float, ...]
    chi2_after: tuple[float, ...]
    p_before: tuple[float, ...]
    p_after: tuple[float, ...]
    weights_before: FloatArray
    weights_after: FloatArray
    held_by: float
    sizes: Mapping[str, tuple[float, float]]
    wanted_p: float

    def __post_init__(self) -> None:
        for name in ("weights_before", "weights_after"):
            freeze(self, name, frozen_array(name, getattr(self, name)))
        if len(self.weights_before) != len(self.weights_after):
            raise PhysicsError("weights_after: one number for each particle is expected")

    @property
    def moved(self) -> bool:
        """Whether the weights were changed at all."""
        return bool(np.isfinite(self.held_by))

    @property
    def disagreeing(self) -> tuple[str, ...]:
        """Data sets that no weights bring to agreement."""
        return tuple(n for n, p in zip(self.names, self.p_after, strict=True) if p < self.wanted_p)

    @property
    def lost(self) -> tuple[str, ...]:
        """Data sets that agreed with the weights as built and do not with the new ones."""
        rows = zip(self.names, self.p_before, self.p_after, strict=True)
        return tuple(n for n, before, after in rows if before >= self.wanted_p > after)

    @property
    def warnings(self) -> tuple[tuple[str, str], ...]:
        """(code, message): where the new weights are not to be trusted."""
        out = []
        if self.moved and self.effective_share < FEW:
            out.append(
                (
                    "weights_of_few_particles",
                    f"refined weights: the effective share of the particles is {100 * self.effective_share:.0f} %; few particles carry "
                    "all of it",
                )
            )
        if self.lost:
            out.append(
                (
                    "weights_against_data",
                    f"refined weights: {' and '.join(n.upper() for n in self.lost)} agreed with the particles as built and no longer does",
                )
            )
        return tuple(out)

    @property
    def effective_share(self) -> float:
        r"""Exponential of minus the divergence :math:`\sum_p w_p \ln(w_p / w_p^0)`: 1 where nothing was moved."""
        used = self.weights_after > 0
        ratio = self.weights_after[used] / self.weights_before[used]
        return float(np.exp(-np.sum(self.weights_after[used] * np.log(ratio))))

    @property
    def sentence(self) -> str:
        """What was changed, in words."""
        if not self.moved:
            return "Every measurement agrees with the particles as they are weighted; no weight was moved."
        share = f"effective share of the particles {100 * self.effective_share:.0f} %"
        held = f"held as firmly as by {self.held_by:.3g} counted particle{'s' if self.held_by != 1 else ''}"
        if self.disagreeing:
            names = " and ".join(n.upper() for n in self.disagreeing)
            return (
                f"NO weights of these particles make {names} agree ({share}): what is wrong lies in the particles themselves, "
                "not in how many there are of each."
                + (
                    f" {' and '.join(n.upper() for n in self.lost)} agreed before and no longer does."
                    if self.lost
                    else ""
                )
            )
        text = f"Other weights of the same particles make every measurement agree ({share}; {held})."
        if self.effective_share < FEW:
            text += " The agreement is bought with few particles: do not trust it."
        return text

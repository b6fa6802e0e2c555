r"""The best energies and exposures for a given total exposure.

The measure of a choice is the mean logarithm of the shells' standard deviations,

.. math:: \phi(t) = \frac{1}{2n} \sum_k \ln \big[(M(t) + 12\,I_x)^{-1}\big]_{kk}

with the walls of the box as a Gaussian of the same width. Logarithms, so that a shell that is 10 % better known counts the
same whether its error is 0.02 or 0.2 (a sum of variances would see only the innermost shell, which holds 1 % of the
volume); single shells and not the determinant, because people read one interval after the other; and the walls, because
from +-6 to +-2 nothing is gained: both are the width of the box.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.plan import EnergyPlan, EnergySet
from nanostrata.models.information import BOX_INFORMATION, Information, compositions, invert, typical

__all__ = ["best_exposures", "best_sets", "energy_set", "exchange_curves", "measure", "subsets"]

_LEAST_SHARE = 0.05
"""An energy that gets less of the exposure is left out: changing the energy takes longer."""

_PASSES, _ROUNDS = 4, 60


def measure(information: Information, exposure_s: FloatArray) -> tuple[float, FloatArray]:
    """The measure of exposures (n_curve,), and its derivatives; lower is better."""
    n = information.shells
    total = information.prior.copy()
    total[:n, :n] += BOX_INFORMATION * np.eye(n)
    lefts = []
    for i, t in enumerate(exposure_s):
        k, left = information.of_curve(i, float(t))
        total += k
        lefts.append(left)
    inverse = invert(total)
    variance = np.diag(inverse)[:n]
    slope = np.empty(len(exposure_s))
    for i, (t, left) in enumerate(zip(exposure_s, lefts, strict=True)):
        counting, floor = information.counting[i], information.floor[i]
        # weight 1 / (c/t + f), its derivative by t
        by_time = counting / (counting + floor * t) ** 2
        lever = left @ inverse[:, :n]
        slope[i] = -0.5 / n * float(np.sum(by_time @ lever**2 / variance))
    return 0.5 * float(np.mean(np.log(variance))), slope


def best_exposures(information: Information, total_s: float) -> FloatArray:
    """Exposures (n_curve,) of the given sum with the lowest measure.

    Multiplicative steps towards where a second tells most; at the best split every used energy tells the same per second
    (Kiefer's equivalence), which is where the steps stop.
    """
    m = len(information.energies_kev)
    share = np.full(m, 1.0 / m)
    value, slope = measure(information, share * total_s)
    power = 0.8
    for _ in range(_ROUNDS):
        new = share * np.maximum(-slope, 1e-300) ** power
        new /= new.sum()
        new_value, new_slope = measure(information, new * total_s)
        if new_value > value:
            power *= 0.5
            if power < 0.02:
                break
            continue
        done = np.abs(new - share).max() < 1e-3
        share, value, slope = new, new_value, new_slope
        if done:
            break
    return share * total_s


def _stack(information: Information, exposure_s: float) -> FloatArray:
    return np.stack([information.of_curve(i, exposure_s)[0] for i in range(len(information.energies_kev))])


def _variances(information: Information, added: FloatArray) -> FloatArray:
    """Variances (..., n) with the box for summed information (..., s, s)."""
    n = information.shells
    total = information.prior + added
    total[..., :n, :n] += BOX_INFORMATION * np.eye(n)
    return np.asarray(np.einsum("...ii->...i", compositions(invert(total), n)))


def best_sets(
    information: Information, total_s: float, most: int, *, apart_kev: float
) -> list[tuple[tuple[int, ...], FloatArray]]:
    """The best choice of 1, 2, ... ``most`` curves, each with its best exposures (index tuple, seconds).

    All pairs are tried with equal exposures; a larger choice begins with the best smaller one and the best addition, and
    is improved by exchanging one energy at a time until nothing helps. Energies closer than ``apart_kev`` are not chosen
    together: they are the same measurement. Choices that lose an energy because its best exposure is under 5 % of the
    total are left out.
    """
    energies = information.energies_kev
    m = len(energies)
    out: list[tuple[tuple[int, ...], FloatArray]] = []
    previous: list[tuple[int, ...]] = [()]
    for count in range(1, min(most, m) + 1):
        stack = _stack(information, total_s / count)
        starts = list(combinations(range(m), 2)) if count == 2 else [(*s, i) for s in previous for i in range(m)]
        allowed = [s for s in starts if _distinct(energies, s, apart_kev)]
        if not allowed:
            break
        score = np.concatenate(
            [typical(_variances(information, stack[np.array(part)].sum(axis=1))) for part in _chunks(allowed, 2000)]
        )
        best = _exchanged(information, stack, allowed[int(np.argmin(score))], apart_kev)
        previous = [best]
        seconds = best_exposures(information.select(best), total_s)
        if seconds.min() < _LEAST_SHARE * total_s:
            break
        out.append((best, seconds))
    return out


def _exchanged(
    information: Information, stack: FloatArray, start: tuple[int, ...], apart_kev: float
) -> tuple[int, ...]:
    """Exchange one curve at a time while that helps."""
    current, m = start, len(stack)
    value = float(typical(_variances(information, stack[list(current)].sum(axis=0))))
    for _ in range(_PASSES):
        before = value
        for place in range(len(current)):
            trials = [(*current[:place], i, *current[place + 1 :]) for i in range(m)]
            trials = [t for t in trials if _distinct(information.energies_kev, t, apart_kev)]
            scores = typical(_variances(information, stack[np.array(trials)].sum(axis=1)))
            best = int(np.argmin(scores))
            if scores[best] < value * (1.0 - 1e-9):
                value, current = float(scores[best]), trials[best]
        if value > before * (1.0 - 1e-6):
            break
    return current


def _distinct(energies: FloatArray, indices: Sequence[int], apart_kev: float) -> bool:
    e = np.sort(energies[list(indices)])
    return len(e) < 2 or bool(np.diff(e).min() >= apart_kev - 1e-9)


def _chunks(items: list[tuple[int, ...]], size: int) -> list[list[tuple[int, ...]]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


def energy_set(information: Information, exposure_s: FloatArray, against: FloatArray) -> EnergySet:
    """A choice with its standard deviations beside those of another one.

    Parameters
    ----------
    exposure_s : (n_curve,), 0 where an energy is not used
    against : (n,) standard deviations to compare with
    """
    used = np.flatnonzero(exposure_s > 0)
    sd = np.sqrt(_variances(information, information.total(exposure_s) - information.prior))
    order = used[np.argsort(-information.energies_kev[used])]
    return EnergySet(
        plan=EnergyPlan(energies_kev=information.energies_kev[order], exposure_s=exposure_s[order]),
        sd=sd,
        factor=float(typical(sd**2) / typical(against**2)),
        shell_factor=sd / against,
    )


def subsets(information: Information, exposure_s: FloatArray, sizes: Sequence[int]) -> tuple[EnergySet, ...]:
    """Choices among the curves with equal exposures of the same total, best first, against the whole plan."""
    m, total = len(information.energies_kev), float(exposure_s.sum())
    against = np.sqrt(_variances(information, information.total(exposure_s) - information.prior))
    out = []
    for size in sizes:
        for chosen in combinations(range(m), size):
            seconds = np.zeros(m)
            seconds[list(chosen)] = total / size
            out.append(energy_set(information, seconds, against))
    return tuple(sorted(out, key=lambda s: s.factor))


def exchange_curves(information: Information, chosen: Sequence[int], exposure_s: FloatArray) -> FloatArray:
    """Typical standard deviation over that of the choice when one energy is moved to each other one, (k, n_curve).

    Parameters
    ----------
    chosen : indices of the curves, and ``exposure_s`` (k,) what each gets
    """
    alone = [information.of_curve(i, float(t))[0] for i, t in zip(chosen, exposure_s, strict=True)]
    together = np.sum(alone, axis=0)
    base = float(typical(_variances(information, together.copy())))
    out = np.empty((len(chosen), len(information.energies_kev)))
    for k, t in enumerate(exposure_s):
        stack = _stack(information, float(t))
        out[k] = typical(_variances(information, together - alone[k] + stack)) / base
    return out

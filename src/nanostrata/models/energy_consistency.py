"""The posterior with other energies, without one curve, or with scales that are not trusted, and how well each fits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import FloatArray
from nanostrata.domain.energy_consistency import EnergyShift, Exchange, ExchangeVerdict, OtherLabel
from nanostrata.errors import PhysicsError
from nanostrata.models.contrast_errors import ContrastErrors, contrast_derivatives, numerators
from nanostrata.models.density import SolidSolution
from nanostrata.models.graded_particle import laue_polynomials
from nanostrata.models.posterior import Posterior, solve_linear
from nanostrata.tables.factors import FactorTable, check_energies

FALSE_ALARMS = 1e-3
"""Chance of calling any pair exchanged when none is: a likelihood ratio beats 1/a in at most the share a of sound sets."""

LABEL_OFFSETS_EV = (-300.0, -200.0, -100.0, -70.0, -50.0, -30.0, -20.0, -10.0)
"""Offsets that are tried for one label alone; the same upwards."""

SHIFTS_EV = (-50.0, -30.0, -20.0, -14.0, -10.0, -7.0, -4.0, -2.0, 0.0, 2.0, 4.0, 7.0, 10.0, 14.0, 20.0, 30.0, 50.0)
"""Shifts of all energies together that are tried, as far as no energy comes to an edge."""


@dataclass(frozen=True, kw_only=True)
class Energies:
    """What makes the contrasts of curves at any energies.

    Attributes
    ----------
    curves : as measured, with the energies as given
    with_q, laue : as for the fit
    """

    curves: tuple[ScatteringCurve, ...]
    solid: SolidSolution
    factors: FactorTable
    errors: ContrastErrors
    with_q: bool = True
    laue: bool = True

    @property
    def given_kev(self) -> tuple[float, ...]:
        """Energies as given."""
        return tuple(float(c.energy_kev or math.nan) for c in self.curves)

    def possible(self, energies_kev: Sequence[float]) -> bool:
        """Whether the table of factors is meant for these energies, and none is on the other side of an edge."""
        from nanostrata.tables.edges import edges_kev

        try:
            check_energies(self.solid.elements, energies_kev, self.factors)
        except PhysicsError:
            return False
        edges = [e for name in self.solid.elements for _, e in edges_kev(name)]
        return all(
            (new > edge) == (old > edge)
            for new, old in zip(energies_kev, self.given_kev, strict=True)
            for edge in edges
        )

    def relabelled(self, posterior: Posterior, energies_kev: Sequence[float], *, exact: bool = False) -> Posterior:
        """Return the posterior with the curves at other energies: contrasts and Laue scattering, nothing else.

        Parameters
        ----------
        exact : the energies are meant to the last digit: the nuisance of the calibration does nothing
        """
        moved = [replace(c, energy_kev=float(e)) for c, e in zip(self.curves, energies_kev, strict=True)]
        core, shell = numerators(moved, self.solid, self.factors, self.with_q)
        names, by_core, by_shell, by_medium = contrast_derivatives(
            moved, self.solid, self.factors, self.errors, self.with_q
        )
        if exact and "energy_shift" in names:
            by_core, by_shell = by_core.copy(), by_shell.copy()
            by_core[:, names.index("energy_shift")] = 0.0
            by_shell[:, names.index("energy_shift")] = 0.0
        particle = replace(
            posterior.particle, core=core, shell=shell, by_core=by_core, by_shell=by_shell, by_medium=by_medium,
            laue_poly=laue_polynomials(moved, self.solid, self.factors, self.laue, self.with_q),
        )  # fmt: skip
        return replace(posterior, particle=particle, nodes=None)


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """Best point (n_parameter,), and -2 ln p there up to a constant: weighted squares of data and priors."""

    theta: FloatArray
    cost: float
    data: float


def refit(posterior: Posterior, starts: Sequence[FloatArray]) -> Fitted:
    """Highest density near the given points, by scipy's trust-region reflective least squares.

    Raises
    ------
    ValueError
        Without starts.
    """
    from scipy.optimize import least_squares

    free, low, high = posterior.free, posterior.lower, posterior.upper
    span = np.where(np.isfinite(high - low), high - low, 1.0)
    found: list[tuple[float, FloatArray]] = []
    for start in starts:
        inside = np.clip(start, low + 1e-3 * span, high - 1e-3 * span)

        def full(z: FloatArray, inside: FloatArray = inside) -> FloatArray:
            theta = inside.copy()
            theta[free] = z
            return theta

        result = least_squares(
            lambda z, full=full: posterior.residuals(full(z))[0], inside[free],
            jac=lambda z, full=full: posterior.residuals(full(z))[1], bounds=(low[free], high[free]), x_scale="jac",
            ftol=1e-7, xtol=1e-7, max_nfev=60,
        )  # fmt: skip
        found.append((2.0 * float(result.cost), full(result.x)))
    cost, theta = min(found, key=lambda pair: pair[0])
    r, _ = posterior.residuals(theta)
    n = len(posterior.intensity)
    return Fitted(theta=theta, cost=cost, data=float(r[:n] @ r[:n]))


def draw_locally(posterior: Posterior, at: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    """Draws of all parameters from the Gaussian at the best point, cut off by the walls of the box, (count, n_parameter).

    The Gaussian has the curvature J^T J of the residuals; where the best point lies on a wall its centre is outside.
    """
    from nanostrata.kernels.truncated_gaussian import sample_truncated

    r, j = posterior.residuals(at)
    free = posterior.free
    # a parameter that nothing binds (the common scale of a curve that is left out) needs a floor to invert
    hessian = j.T @ j
    scale = np.sqrt(np.maximum(np.diag(hessian), 1e-12))
    covariance = np.linalg.inv(hessian / np.outer(scale, scale) + 1e-10 * np.eye(len(scale))) / np.outer(scale, scale)
    covariance = 0.5 * (covariance + covariance.T)
    centre = at[free] - covariance @ (j.T @ r)
    low, high = posterior.lower[free], posterior.upper[free]
    kept = sample_truncated(centre, covariance, low, high, chains=count, warmup=30, sweeps=1, rng=rng)
    out = np.repeat(at[None], count, axis=0)
    out[:, free] = kept
    return out


def margin(alternatives: int) -> float:
    r"""Gain in chi2 above which one of several alternatives is believed, :math:`2 \ln(n / \alpha)`.

    For a sound set the likelihood ratio of a wrong alternative exceeds K with a probability of at most 1/K (Markov's
    inequality), so that one of n exceeds n/alpha with at most alpha.
    """
    return 2.0 * math.log(max(1, alternatives) / FALSE_ALARMS)


def try_exchanges(
    energies: Energies, posterior: Posterior, given: Fitted, dof: int
) -> tuple[tuple[Exchange, ...], float]:
    """Refit with the energies of every pair exchanged.

    Returns
    -------
    exchanges with their verdicts, and the margin
    """
    n = len(energies.curves)
    pairs = list(combinations(range(n), 2))
    limit = margin(len(pairs))
    costs = [_exchanged(energies, posterior, given, pair) for pair in pairs]
    # errors that are too small for every labelling must not decide between labellings
    best = min([given.data, *(c.data for c in costs)])
    unit = max(1.0, best / max(1, dof))
    out = []
    for (a, b), trial in zip(pairs, costs, strict=True):
        gain = (given.cost - trial.cost) / unit
        verdict: ExchangeVerdict = "exchanged" if gain > limit else "as labelled" if gain < -limit else "cannot be told"
        out.append(Exchange(first=a, second=b, gain=gain, verdict=verdict))
    return tuple(out), limit


def best_order(
    energies: Energies, posterior: Posterior, given: Fitted, dof: int, exchanges: Sequence[Exchange]
) -> tuple[float, ...]:
    """Energies that fit best: the likeliest exchange first, then again as long as a pair looks exchanged.

    Returns
    -------
    one energy per curve; empty when no pair looks exchanged
    """
    order = energies.given_kev
    seen = {order}
    while called := [e for e in exchanges if e.verdict == "exchanged"]:
        best = max(called, key=lambda e: e.gain)
        moved = list(order)
        moved[best.first], moved[best.second] = moved[best.second], moved[best.first]
        if tuple(moved) in seen:
            break
        order = tuple(moved)
        seen.add(order)
        curves = tuple(replace(c, energy_kev=e) for c, e in zip(energies.curves, order, strict=True))
        energies = replace(energies, curves=curves)
        posterior = energies.relabelled(posterior, order)
        given = refit(posterior, [given.theta, *_fresh(posterior)])
        exchanges, _ = try_exchanges(energies, posterior, given, dof)
    return order if len(seen) > 1 else ()


def _fresh(posterior: Posterior) -> list[FloatArray]:
    """A homogeneous start: the profile that wrong energies ask for may be far from that of the right ones."""
    mean = 0.5 if posterior.composition is None else posterior.composition.mean
    return [solve_linear(posterior, posterior.start(p)) for p in posterior.family.starts(mean)[:1]]


def _exchanged(energies: Energies, posterior: Posterior, given: Fitted, pair: tuple[int, int]) -> Fitted:
    moved = list(energies.given_kev)
    a, b = pair
    moved[a], moved[b] = moved[b], moved[a]
    other = energies.relabelled(posterior, moved)
    return refit(other, [given.theta, *_fresh(other)])


def try_labels(
    energies: Energies, posterior: Posterior, given: Fitted, dof: int
) -> tuple[tuple[OtherLabel, ...], float, float]:
    """Try other energies for one curve at a time.

    A step of Gauss and Newton from the best point tells about what a refit could gain; only what promises enough is refitted.

    Returns
    -------
    labels with a gain above the margin (best first, the best of each curve), the margin, and the reach in keV
    """
    offsets = sorted({*LABEL_OFFSETS_EV, *(-o for o in LABEL_OFFSETS_EV)})
    trials = []
    for row in range(len(energies.curves)):
        for offset in offsets:
            moved = list(energies.given_kev)
            moved[row] += 1e-3 * offset
            if energies.possible(moved):
                trials.append((row, moved))
    limit = margin(len(trials))
    unit = max(1.0, given.data / max(1, dof))
    best: dict[int, OtherLabel] = {}
    for row, moved in trials:
        other = energies.relabelled(posterior, moved)
        r, j = other.residuals(given.theta)
        step = np.linalg.lstsq(j, r, rcond=1e-10)[0]
        rest = r - j @ step
        if (given.cost - float(rest @ rest)) / unit < limit:
            continue
        trial = refit(other, [given.theta])
        gain = (given.cost - trial.cost) / max(1.0, min(given.data, trial.data) / max(1, dof))
        if gain > limit and (row not in best or gain > best[row].gain):
            best[row] = OtherLabel(row=row, energy_kev=moved[row], gain=gain)
    return tuple(sorted(best.values(), key=lambda o: -o.gain)), limit, 1e-3 * max(offsets)


def try_shifts(energies: Energies, posterior: Posterior, given: Fitted, dof: int) -> EnergyShift | None:
    """chi2 against a common shift of all energies, everything else refitted; the stated calibration error does not enter.

    Returns
    -------
    None where no shift leaves all energies off the edges.
    """
    fits: list[tuple[float, Fitted]] = []
    last: dict[float, FloatArray] = {}
    for direction in (-1.0, 1.0):
        start = given.theta
        for shift in sorted((s for s in SHIFTS_EV if s * direction > 0 or (s == 0 and direction > 0)), key=abs):
            moved = [e + 1e-3 * shift for e in energies.given_kev]
            if not energies.possible(moved):
                break
            found = refit(energies.relabelled(posterior, moved, exact=True), [start])
            start = found.theta
            last[shift] = start
            fits.append((shift, found))
    if len(fits) < 4:
        return None
    fits.sort(key=lambda pair: pair[0])
    shift_ev = np.array([s for s, _ in fits])
    unit = max(1.0, min(f.data for _, f in fits) / max(1, dof))
    chi2 = np.array([f.cost for _, f in fits]) / unit
    return _interval(shift_ev, chi2)


def _interval(shift_ev: FloatArray, chi2: FloatArray) -> EnergyShift:
    from scipy.interpolate import CubicSpline

    fine = np.linspace(shift_ev[0], shift_ev[-1], 2001)
    curve = np.asarray(CubicSpline(shift_ev, chi2)(fine))
    lowest = float(curve.min())
    at = int(np.argmin(curve))
    low68, high68, low95, high95 = (
        float(v) for level in (1.0, 3.841) for v in _crossings(fine, curve - lowest, at, level)
    )
    return EnergyShift(
        shift_ev=shift_ev, delta_chi2=np.maximum(chi2 - lowest, 0.0), value_ev=float(fine[at]), low68_ev=low68,
        high68_ev=high68, low95_ev=low95, high95_ev=high95, open_low=bool(low95 <= fine[0]), open_high=bool(high95 >= fine[-1]),
    )  # fmt: skip


def _crossings(x: FloatArray, y: FloatArray, at: int, level: float) -> tuple[float, float]:
    """Nearest points to each side of ``at`` where y exceeds the level; the ends where it does not."""
    below = np.flatnonzero(y[: at + 1] > level)
    above = np.flatnonzero(y[at:] > level)
    low = float(x[below[-1]]) if below.size else float(x[0])
    high = float(x[at + above[0]]) if above.size else float(x[-1])
    return low, high

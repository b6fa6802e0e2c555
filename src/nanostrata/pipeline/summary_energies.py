"""The part of the summary on whether the energies belong together."""

from __future__ import annotations

import math
from typing import Any

from nanostrata.domain.energy_consistency import EnergyConsistency, EnergyRow, EnergyShift, Exchange

__all__ = ["energies_summary"]


def energies_summary(c: EnergyConsistency) -> dict[str, Any]:
    """Return ``asaxs.consistency`` as plain JSON types.

    Keys
    ----
    scale : stated uncertainty, chi2, degrees_of_freedom, p, verdict, and the uncertainties that would be consistent; None where
        nothing is stated
    per_energy : label, file, energy_kev; scale, scale_sigma, scale_z; constant, constant_sigma, constant_share;
        left_out_chi2_reduced, p, left_out_sigma_factor, left_out_spread; first_minimum_inv_nm
    exchanges : every pair with its gain in chi2 and verdict; exchanged : those that the best order needs, the likeliest first
    best_kev : where a pair looks exchanged, the energy of each curve that fits best
    margin : gain that is asked for
    other_labels, label_margin, label_reach_kev : curves that fit better with another energy
    energy_shift_ev : common shift of the energies as the curves alone have it, with intervals from the profile of chi2
    """
    s = c.scales
    return {
        "scale": None
        if s is None
        else {
            "stated": s.stated, "chi2": s.chi2, "degrees_of_freedom": s.dof, "p": s.p, "verdict": s.verdict,
            "consistent_from": _finite(s.consistent_from), "consistent_to": _finite(s.consistent_to), "likely": _finite(s.likely),
        },
        "per_energy": [_row(r) for r in c.rows],
        "exchanges": [_exchange(c, e) for e in c.exchanges],
        "exchanged": [_exchange(c, e) for e in c.exchanged],
        "best_kev": list(c.best_kev),
        "margin": c.margin,
        "other_labels": [
            {"label": c.rows[o.row].label, "file": c.rows[o.row].file, "energy_kev": o.energy_kev, "gain": o.gain} for o in c.others
        ],
        "label_margin": _finite(c.label_margin),
        "label_reach_kev": c.label_reach_kev,
        "energy_shift_ev": None if c.shift is None else _shift(c.shift),
    }  # fmt: skip


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _row(r: EnergyRow) -> dict[str, Any]:
    o, m = r.left_out, r.minima
    minima = {
        "measured": m.measured, "measured_sigma": m.measured_sigma, "predicted": m.predicted, "pure_core": m.pure_core,
        "pure_shell": m.pure_shell,
    }  # fmt: skip
    numbers = {
        "scale": r.scale, "scale_sigma": r.scale_sigma, "scale_z": r.scale_z, "constant": r.constant,
        "constant_sigma": r.constant_sigma, "constant_share": r.constant_share,
        "left_out_chi2_reduced": math.nan if o is None else o.chi2_reduced, "p": math.nan if o is None else o.p,
        "left_out_sigma_factor": math.nan if o is None else o.sigma_factor, "left_out_spread": math.nan if o is None else o.spread,
    }  # fmt: skip
    band = [_finite(m.predicted_low95), _finite(m.predicted_high95)]
    first = {k: _finite(v) for k, v in minima.items()} | {"predicted_interval95": band}
    return {
        "label": r.label, "file": r.file, "energy_kev": r.energy_kev, **{k: _finite(v) for k, v in numbers.items()},
        "first_minimum_inv_nm": first,
    }  # fmt: skip


def _exchange(c: EnergyConsistency, e: Exchange) -> dict[str, Any]:
    pair = (c.rows[e.first], c.rows[e.second])
    return {
        "labels": [r.label for r in pair], "files": [r.file for r in pair], "energies_kev": [r.energy_kev for r in pair],
        "gain": e.gain, "verdict": e.verdict,
    }  # fmt: skip


def _shift(s: EnergyShift) -> dict[str, Any]:
    return {
        "value": s.value_ev, "sigma": 0.5 * (s.high68_ev - s.low68_ev), "interval68": [s.low68_ev, s.high68_ev],
        "interval95": [s.low95_ev, s.high95_ev], "open_low": s.open_low, "open_high": s.open_high,
        "range": [float(s.shift_ev[0]), float(s.shift_ev[-1])],
    }  # fmt: skip

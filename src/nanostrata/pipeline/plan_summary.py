"""plan.json and the tables of a plan."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.plan import BeamtimePlan, EnergyPlan, EnergySet, Forecast, NoiseLaw, Ranking, ResolvedShells
from nanostrata.models.information import PlanSetup
from nanostrata.models.plan_noise import law_at
from nanostrata.pipeline.plan_findings import DATA, WEAK, findings, kev, labels, warnings
from nanostrata.pipeline.plan_load import PlanRequest
from nanostrata.pipeline.plan_run import PlannedSample
from nanostrata.tables.factors import load_factors, nearest_edge

__all__ = ["plan_summary", "write_plan_tables"]


def plan_summary(request: PlanRequest, sample: PlannedSample, plan: BeamtimePlan, *, seed: int) -> dict[str, Any]:
    """Return everything that the command prints with ``--json``."""
    from nanostrata import __version__

    recipe, setup = request.recipe, sample.setup
    energies = list(dict.fromkeys(float(e) for e in (*plan.planned.energies_kev, *plan.proposed.energies_kev)))
    rows = [_energy(setup, e, plan) for e in sorted(energies, reverse=True)]
    resonant = _resonant(request)
    stated = "reference_exposure_s" in request.plan.model_fields_set or request.plan.flux is not None
    unit = "s" if stated or not request.measured else "measured exposures"
    f_primes = [
        (resonant, r["energy_kev"], r["f_prime"][resonant], r["f_prime_other_table"][resonant])
        for r in rows
        if resonant in r["f_prime"] and r["proposed_exposure_s"] is not None
    ]
    solid = setup.solid
    assert solid.shell is not None
    steps = [v for v in plan.levers if v.kind == "step" and v.name != "energies"]
    return {
        "software": {"name": "nanostrata", "version": __version__},
        "project_file": str(recipe.file),
        "title": recipe.sample.title,
        "materials": {"core": solid.core.name, "shell": solid.shell.name, "medium": solid.medium.name},
        "seed": seed,
        "measured": request.measured,
        "exposure_unit": unit,
        "findings": findings(plan, setup, unit),
        "warnings": [{"code": "plan", "message": w, "stage": "plan"} for w in warnings(plan, setup, f_primes)],
        "notes": list(sample.notes),
        "assumptions": _assumptions(sample),
        "planned": _answer(plan.planned, plan.planned_forecast, plan.planned_independent, plan.planned_resolved),
        "proposed": _answer(plan.proposed, plan.proposed_forecast, plan.proposed_independent, plan.proposed_resolved),
        "gain": plan.gain,
        "bottleneck": None
        if not steps
        else {"name": steps[0].name, "change": steps[0].change, "gain": steps[0].typical_gain},
        "levers": [
            {"name": v.name, "change": v.change, "kind": v.kind, "gain": _list(v.gain), "typical_gain": v.typical_gain}
            for v in plan.levers
        ],
        "energy_sets": [_set(s) for s in plan.sets],
        "subsets": [_set(s) for s in plan.subsets],
        "rankings": [_ranking(r) for r in plan.rankings],
        "energies": rows,
        "edge_element": resonant,
    }


def _resonant(request: PlanRequest) -> str:
    from nanostrata.tables.factors import parse_edge

    asaxs = request.recipe.asaxs
    return parse_edge(asaxs.edge)[0] if asaxs is not None and asaxs.edge is not None else ""


def _list(values: FloatArray) -> list[Any]:
    return [_list(v) if isinstance(v, np.ndarray) else float(v) for v in values]


def _quantity(forecast: Forecast) -> dict[str, Any]:
    return {
        "value": _list(forecast.shell_fraction),
        "sigma": _list(forecast.sd),
        "interval68": _list(forecast.interval68),
        "interval95": _list(forecast.interval95),
    }


def _answer(plan: EnergyPlan, forecast: Forecast, judged: Forecast, resolved: ResolvedShells) -> dict[str, Any]:
    return {
        "energies_kev": _list(plan.energies_kev),
        "exposure_s": _list(plan.exposure_s),
        "total_exposure_s": plan.total_s,
        "shell_fraction": _quantity(forecast),
        "without_coupling": {**_quantity(judged), "sigma_without_walls": _list(judged.linear_sd)},
        "informed_by": labels(judged),
        "resolved_shells": {"below_0.10": resolved.resolved(DATA), "below_0.20": resolved.resolved(WEAK)},
        "sigma_by_shells": [_list(f.sd) for f in resolved.forecasts],
    }


def _set(chosen: EnergySet) -> dict[str, Any]:
    return {
        "energies_kev": _list(chosen.plan.energies_kev),
        "exposure_s": _list(chosen.plan.exposure_s),
        "sigma": _list(chosen.sd),
        "factor": chosen.factor,
        "shell_factor": _list(chosen.shell_factor),
    }


def _ranking(r: Ranking) -> dict[str, Any]:
    return {
        "scale_uncertainty": r.scale_sd if math.isfinite(r.scale_sd) else None,
        "density_uncertainty": r.density_sd,
        "mean_x_uncertainty": r.composition_sd if math.isfinite(r.composition_sd) else None,
        "sigma": _list(r.sd),
        "best_pair": _set(r.best),
        "worst_pair": _set(r.worst),
    }


def _energy(setup: PlanSetup, energy: float, plan: BeamtimePlan) -> dict[str, Any]:
    from nanostrata.tables.factors import TABLES

    used = setup.factors
    other = load_factors(next(n for n in TABLES if n != used.table), energy_resolution_ev=used.energy_resolution_ev)
    element, shell, distance = nearest_edge(energy, setup.solid.elements)
    core, outer = setup.solid.electron_density(np.array([0.0, 1.0]), used, energy)
    medium = setup.solid.medium.electron_density_e_nm3
    return {
        "energy_kev": energy,
        "nearest_edge": f"{element} {shell}",
        "edge_distance_ev": distance,
        "f_prime": {e: used.f_prime(e, energy) for e in setup.solid.elements},
        "f_double_prime": {e: used.f_double_prime(e, energy) for e in setup.solid.elements},
        "f_prime_other_table": {e: other.f_prime(e, energy) for e in setup.solid.elements},
        "core_excess_e_nm3": float(core.real - medium),
        "shell_excess_e_nm3": float(outer.real - medium),
        "planned_exposure_s": _exposure(plan.planned, energy),
        "proposed_exposure_s": _exposure(plan.proposed, energy),
    }


def _exposure(plan: EnergyPlan, energy: float) -> float | None:
    at = np.flatnonzero(plan.energies_kev == energy)
    return float(plan.exposure_s[at[0]]) if len(at) else None


def _assumptions(sample: PlannedSample) -> dict[str, Any]:
    s, known = sample.setup, sample.setup.known
    edx = known.composition
    free = known.scale == "per_energy"
    return {
        "q_range_inv_nm": [float(s.q_inv_nm[0]), float(s.q_inv_nm[-1])],
        "points": len(s.q_inv_nm),
        "noise": _noise(s.noise, s.q_inv_nm),
        "diameter_mean_nm": {
            "value": s.guess.diameter_mean_nm,
            "sigma": 0.0 if known.size_fixed else known.sizes.mean_sigma_nm,
        },
        "diameter_std_nm": {
            "value": s.guess.diameter_std_nm,
            "sigma": 0.0 if known.size_fixed else known.sizes.std_sigma_nm,
        },
        "shape": s.shape,
        "aspect_ratio": s.guess.aspect_ratio,
        "scale": known.scale,
        "scale_uncertainty": None if free else known.scale_uncertainty,
        "background": known.background,
        "mean_x_uncertainty": None if edx is None else edx[1],
        "density_uncertainty": {
            "core": s.solid.core.density_uncertainty,
            "shell": 0.0 if s.solid.shell is None else s.solid.shell.density_uncertainty,
        },
        "medium_density_uncertainty": known.contrast_errors.medium_density,
        "energy_uncertainty_ev": known.contrast_errors.energy_ev,
        "energy_resolution_ev": s.factors.energy_resolution_ev,
        "smoothness_sd": s.smooth_sd,
        "model_error": {"main": known.shape_error, "verdicts": sample.judge.known.shape_error},
        "factors": s.factors.name,
        "energy_range_kev": list(sample.choice.limits_kev),
        "edge_distance_ev": sample.choice.distance_ev,
    }


def _noise(noise: NoiseLaw, q: FloatArray) -> dict[str, Any]:
    out: dict[str, Any] = {
        "floor": noise.floor,
        "reference_exposure_s": noise.reference_exposure_s,
        "fluorescence": noise.fluorescence,
        "detector_threshold": noise.detector_threshold if noise.fluorescence else None,
        "relative_flux": [
            [float(a), float(b)] for a, b in zip(noise.flux_energies_kev, noise.flux_relative, strict=True)
        ],
    }
    if noise.flux is not None:
        return out | {"photons_per_s": noise.flux.photons_per_s, "volume_fraction": noise.flux.volume_fraction}
    relative = law_at(noise, q)
    return out | {"relative_at_q_min": float(relative[0]), "relative_at_q_max": float(relative[-1])}


def write_plan_tables(folder: Path, summary: dict[str, Any], plan: BeamtimePlan) -> None:
    """Write every table of the page as CSV."""
    from nanostrata.io.text_out import write_csv

    rows = []
    for name in ("planned", "proposed"):
        for kind, key in (("main", "shell_fraction"), ("without coupling", "without_coupling")):
            q = summary[name][key]
            for k, x in enumerate(q["value"]):
                rows.append([name, kind, k + 1, x, q["sigma"][k], *q["interval68"][k], *q["interval95"][k]])
    write_csv(folder / "intervals.csv", ["plan", "answer", "shell", "x", "sigma", "lo68", "hi68", "lo95", "hi95"], rows)
    write_csv(
        folder / "resolved.csv", ["plan", "shells", "shell", "sigma"],
        [
            [name, len(sigmas), k + 1, s]
            for name in ("planned", "proposed")
            for sigmas in summary[name]["sigma_by_shells"]
            for k, s in enumerate(sigmas)
        ],
    )  # fmt: skip
    shells = range(1, len(plan.planned_forecast.sd) + 1)
    write_csv(
        folder / "levers.csv", ["improvement", "change", "kind", "typical_gain", *(f"gain_shell_{k}" for k in shells)],
        [[v.name, v.change, v.kind, v.typical_gain, *v.gain] for v in plan.levers],
    )  # fmt: skip
    for name, chosen in (("energy_sets", plan.sets), ("subsets", plan.subsets)):
        write_csv(
            folder / f"{name}.csv", ["energies_kev", "exposure_s", "factor", *(f"factor_shell_{k}" for k in shells)],
            [
                [" ".join(kev(e) for e in s.plan.energies_kev), " ".join(f"{t:.4g}" for t in s.plan.exposure_s), s.factor, *s.shell_factor]
                for s in chosen
            ],
        )  # fmt: skip
    write_csv(
        folder / "exchange.csv", ["energy_kev", *(f"moved_from_{kev(e)}_kev" for e in plan.proposed.energies_kev)],
        [[e, *plan.exchange[:, i]] for i, e in enumerate(plan.candidates_kev)],
    )  # fmt: skip
    write_csv(
        folder / "rankings.csv",
        ["scale_uncertainty", "density_uncertainty", "mean_x_uncertainty", "best_pair_kev", "best_factor", "worst_pair_kev", "worst_factor"],
        [
            [r.scale_sd, r.density_sd, r.composition_sd, " ".join(kev(e) for e in r.best.plan.energies_kev), r.best.factor,
             " ".join(kev(e) for e in r.worst.plan.energies_kev), r.worst.factor]
            for r in plan.rankings
        ],
    )  # fmt: skip

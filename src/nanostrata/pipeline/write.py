"""Write the run folder: summary, tables, HDF5, structure, methods. A file gets its name only when it is complete."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.whole_pattern import WholePattern
from nanostrata.io.text_out import write_csv, write_text
from nanostrata.pipeline.derived_run import write_derived
from nanostrata.pipeline.energies_run import write_energies
from nanostrata.pipeline.families_run import write_families
from nanostrata.pipeline.run import Reconstruction
from nanostrata.pipeline.separation_run import write_separation
from nanostrata.pipeline.shape_stage import write_stage
from nanostrata.pipeline.summary import summarise
from nanostrata.pipeline.summary_crystal import write_strain
from nanostrata.pipeline.summary_resolution import write_resolution
from nanostrata.pipeline.tables_run import write_tables
from nanostrata.pipeline.waxs_summary import write_waxs
from nanostrata.pipeline.waxs_whole_summary import write_whole
from nanostrata.pipeline.write_atoms import write_ensemble, write_particles, write_verification, write_weights

__all__ = ["write_csv", "write_run", "write_text"]


def write_run(r: Reconstruction, run_dir: Path) -> dict[str, Any]:
    """Write everything but the report and return the summary."""
    from nanostrata.pipeline.results import write_results

    summary = summarise(r)
    truth = _truth(r)
    _tables(r, run_dir / "tables", truth, summary)
    if truth:
        # the truth of simulated data travels with the run, so that the report can draw it wherever the folder goes
        write_text(run_dir / "truth.json", json.dumps(truth, indent=1, ensure_ascii=False) + "\n")
    if r.ensemble is not None:
        write_particles(r.ensemble, r.solid, run_dir / "structures", title=r.recipe.sample.title)
    write_results(r, run_dir / "results.h5", summary)
    write_text(run_dir / "summary.json", json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return summary


def _truth(r: Reconstruction) -> dict[str, Any]:
    path = r.recipe.root / "truth.json"
    if not path.is_file():
        return {}
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def _tables(r: Reconstruction, folder: Path, truth: dict[str, Any], summary: dict[str, Any]) -> None:
    write_csv(
        folder / "inputs.csv",
        ["file", "role", "sha256", "unit_read", "points_read", "points_kept", "notes"],
        [[i["file"], i["role"], i["sha256"], i["unit_read"], i["points_read"], i["points_kept"], "; ".join(i["notes"])] for i in summary["inputs"]],
    )  # fmt: skip
    if r.inputs.sizes is not None and len(r.inputs.sizes.diameters_nm):
        write_csv(folder / "tem_readings.csv", ["diameter_nm"], [[d] for d in r.inputs.sizes.diameters_nm])
    _curves(r, folder)
    if r.shape is not None:
        write_stage(r.shape, folder.parent)
    if r.waxs is not None:
        write_waxs(folder, r.waxs)
    if isinstance(r.whole, WholePattern):
        write_whole(folder, r.whole)
    if r.ensemble is not None:
        write_ensemble(r.ensemble, folder)
        if r.ensemble.strain is not None:
            write_strain(r.ensemble.strain, folder)
    if r.verification is not None:
        write_verification(r.verification, folder)
    if r.refinement is not None:
        write_weights(r.refinement, folder)
    if r.fit is not None and r.particle is not None and r.solid is not None:
        write_derived(folder, r.solid, r.fit, r.diffusion, r.mismatch, truth)
    if r.separation is not None:
        write_separation(folder, r.separation)
    if r.tables is not None:
        write_tables(folder, r.tables)
    if r.weights is not None and r.particle is not None:
        write_families(folder, r.weights, float(r.particle.profile.edges_nm[-1]))
    if r.energies is not None:
        write_energies(folder, r.inputs, r.energies)
    if r.fit is not None:
        _profile(r, folder, truth)
        _sizes(r, folder)
        _composition(r, folder, truth)
        _factors(r, folder)
        if r.fit.resolution is not None and r.particle is not None:
            write_resolution(folder, r.fit.resolution, float(r.particle.profile.edges_nm[-1]))
        _fit_tables(r, folder, summary["asaxs"]["per_energy"])


def _curves(r: Reconstruction, folder: Path) -> None:
    fits: Sequence[Any] = r.fit.curves if r.fit is not None else r.contrasts.curves if r.contrasts is not None else ()
    rows = []
    for c in fits:
        energy = getattr(c, "energy_kev", None)
        rows += [
            [c.label, energy, q, i, s, m, z]
            for q, i, s, m, z in zip(c.q_inv_nm, c.intensity, c.sigma, c.fit, c.residual_sigma, strict=True)
        ]
    if not fits:
        for c in r.inputs.curves:
            rows += [
                [c.label, c.energy_kev, q, i, s, None, None]
                for q, i, s in zip(c.q_inv_nm, c.intensity, c.sigma, strict=True)
            ]
    write_csv(
        folder / "curves.csv", ["curve", "energy_kev", "q_inv_nm", "intensity", "sigma", "fit", "residual_sigma"], rows
    )
    if r.inputs.saxs is not None:
        s = r.inputs.saxs
        write_csv(
            folder / "saxs.csv", ["q_inv_nm", "intensity", "sigma"], zip(s.q_inv_nm, s.intensity, s.sigma, strict=True)
        )


def _bands(draws: FloatArray) -> FloatArray:
    return np.quantile(draws, [0.16, 0.84, 0.025, 0.975], axis=0)


def _profile(r: Reconstruction, folder: Path, truth: dict[str, Any]) -> None:
    fit, p = r.fit, r.particle
    assert fit is not None
    assert p is not None
    main, own = _bands(fit.main_shells), _bands(fit.independent.shell_fraction)
    known = truth.get("shell_fraction")
    n = len(fit.fractions)
    if not isinstance(known, list) or len(known) != n:
        known = [None] * n
    edges = np.concatenate([[0.0], p.profile.edges_nm])
    free = fit.independent.shell_fraction.mean(0)
    header = (
        "shell,r_inner_nm,r_outer_nm,x,sigma,lo68,hi68,lo95,hi95,unsmoothed,unsmoothed_lo68,unsmoothed_hi68,unsmoothed_lo95,"
        "unsmoothed_hi95,refit_uniform_mean,refit_uniform_sd,refit_gaussian_mean,refit_gaussian_sd,informed_by,truth"
    )
    rows = [
        [
            k + 1,
            edges[k],
            edges[k + 1],
            fit.main_shells[:, k].mean(),
            fit.main_shells[:, k].std(ddof=1),
            *main[:, k],
            free[k],
            *own[:, k],
            fit.refit_uniform[:, k].mean(),
            fit.refit_uniform[:, k].std(ddof=1),
            fit.refit_gaussian[:, k].mean(),
            fit.refit_gaussian[:, k].std(ddof=1),
            fit.informed_by[k],
            known[k],
        ]
        for k in range(n)
    ]
    write_csv(folder / "profile.csv", header.split(","), rows)
    s68, s95 = _bands(p.band_x)[:2], _bands(p.band_x)[2:]
    grid = p.band_radius_nm / p.band_radius_nm[-1]
    smooth = truth.get("x_of_s") or {}
    true_x: Any = [None] * len(grid)
    if isinstance(smooth, dict) and "s" in smooth and "x" in smooth:
        true_x = np.interp(grid, smooth["s"], smooth["x"])
    write_csv(
        folder / "profile_bands.csv",
        ["r_nm", "lo95", "lo68", "median", "hi68", "hi95", "prior_lo68", "prior_hi68", "truth"],
        [
            [
                p.band_radius_nm[i],
                s95[0, i],
                s68[0, i],
                float(np.median(p.band_x[:, i])),
                s68[1, i],
                s95[1, i],
                0.16,
                0.84,
                true_x[i],
            ]
            for i in range(len(grid))
        ],
    )


def _sizes(r: Reconstruction, folder: Path) -> None:
    from nanostrata.kernels import sizes as law

    p, sizes = r.particle, r.sizes
    assert p is not None
    assert sizes is not None
    mean, std = p.diameter_mean_nm, p.diameter_std_nm
    grid = np.linspace(max(0.05, mean.mean() - 4.5 * std.mean()), mean.mean() + 4.5 * std.mean(), 121)
    pick = np.linspace(0, len(mean) - 1, min(200, len(mean))).astype(int)
    scores = None
    if r.recipe.particle.sizes == "tem":
        scores = (sizes.diameters_nm - sizes.diameters_nm.mean()) / sizes.diameters_nm.std()
    kind = r.recipe.particle.sizes
    curves = np.stack([law.number_density(kind, grid, float(mean[i]), float(std[i]), scores) for i in pick])
    tem: Any = [None] * len(grid)
    if len(sizes.diameters_nm) > 5:
        edges = np.linspace(grid[0], grid[-1], 25)
        counts, _ = np.histogram(sizes.diameters_nm, bins=edges, density=True)
        tem = counts[np.clip(np.searchsorted(edges, grid, side="right") - 1, 0, len(counts) - 1)]
    low, high = np.quantile(curves, [0.16, 0.84], axis=0)
    write_csv(
        folder / "size.csv", ["diameter_nm", "fit", "lo68", "hi68", "tem"],
        zip(grid, curves.mean(0), low, high, tem, strict=True),
    )  # fmt: skip


def _composition(r: Reconstruction, folder: Path, truth: dict[str, Any]) -> None:
    p, measured = r.particle, r.inputs.composition
    assert p is not None
    share = 100 * p.element_counts / p.element_counts.sum(axis=1, keepdims=True)
    bands = _bands(share)
    true_counts = truth.get("element_counts") or {}
    total = sum(true_counts.values()) if true_counts else None
    rows = []
    for i, e in enumerate(p.elements):
        value = sigma = None
        if measured is not None and e in measured.elements:
            k = measured.elements.index(e)
            value, sigma = 100 * measured.atomic_fraction[k], 100 * np.sqrt(max(0.0, measured.covariance[k][k]))
        true = 100 * true_counts[e] / total if total and e in true_counts else None
        rows.append([e, value, sigma, share[:, i].mean(), bands[0, i], bands[1, i], true])
    write_csv(
        folder / "composition.csv",
        ["element", "measured_percent", "measured_sigma", "model_percent", "model_lo68", "model_hi68", "truth_percent"], rows,
    )  # fmt: skip


def _factors(r: Reconstruction, folder: Path) -> None:
    from nanostrata.pipeline.gather import factor_tables

    assert r.solid is not None
    chosen, other = factor_tables(r.recipe)
    rows = []
    for table in (chosen, other):
        if table is None:
            continue
        for c in r.inputs.curves:
            assert c.energy_kev is not None
            energy, used = c.energy_kev, "yes" if table is chosen else "no"
            rows += [
                [
                    e,
                    energy,
                    table.name,
                    table.f_prime(e, energy),
                    table.f_double_prime(e, energy),
                    used,
                    table.sigma_f_prime(e, energy),
                ]
                for e in r.solid.elements
            ]
    headers = ["element", "energy_kev", "table", "f_prime", "f_double_prime", "used", "f_prime_sigma"]
    write_csv(folder / "factors.csv", headers, rows)
    contrast = []
    for c in r.inputs.curves:
        assert c.energy_kev is not None
        for x in (0.0, 0.25, 0.5, 0.75, 1.0):
            rho = complex(np.asarray(r.solid.electron_density(np.array([x]), chosen, c.energy_kev))[0])
            contrast.append([c.energy_kev, x, rho.real - r.solid.medium.electron_density_e_nm3, rho.imag])
    write_csv(
        folder / "contrast.csv", ["energy_kev", "x", "excess_density_real_e_nm3", "excess_density_imag_e_nm3"], contrast
    )


def _fit_tables(r: Reconstruction, folder: Path, per_energy: list[dict[str, Any]]) -> None:
    from nanostrata.stages.inspect_curves import first_minimum

    fit = r.fit
    assert fit is not None
    base = min(s.chi2 for s in fit.shapes)
    write_csv(
        folder / "shapes.csv", ["shape", "chi2", "n_data", "aspect_ratio", "aspect_lo95", "aspect_hi95", "delta_chi2"],
        [
            [s.shape, s.chi2, s.n_data, s.aspect_ratio, s.aspect_ratio - 1.96 * s.aspect_sigma, s.aspect_ratio + 1.96 * s.aspect_sigma,
             s.chi2 - base]
            for s in fit.shapes
        ],
    )  # fmt: skip
    by_label = {row["label"]: row for row in per_energy}
    rows = []
    for c in fit.curves:
        scale, background = _bands(c.scale), c.background
        row = by_label.get(c.label, {})
        rows.append(
            [c.label, c.energy_kev, c.chi2_reduced, c.runs_p, float(c.scale.mean()), scale[0], scale[1], float(background.mean()), c.laue,
             row.get("f_prime"), row.get("f_double_prime"), len(c.fit), c.q_inv_nm[0], c.q_inv_nm[-1]]
        )  # fmt: skip
    write_csv(
        folder / "energies.csv",
        ["curve", "energy_kev", "chi2_reduced", "runs_p", "scale", "scale_lo68", "scale_hi68", "background", "background_laue", "f_prime",
         "f_double_prime", "points", "q_min", "q_max"],
        rows,
    )  # fmt: skip
    minima = []
    for c, curve in zip(fit.curves, r.inputs.curves, strict=True):
        found = first_minimum(curve)
        if found is not None:
            model = first_minimum(replace(curve, intensity=c.fit))
            minima.append([c.energy_kev, found.q_inv_nm, found.sigma_inv_nm, None if model is None else model.q_inv_nm])
    write_csv(
        folder / "first_minimum.csv", ["energy_kev", "q_min_inv_nm", "sigma_inv_nm", "model_q_min_inv_nm"], minima
    )

"""The summary of a run: the keys of the contract, nothing computed that a stage did not find."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nanostrata.domain.contrast_fit import ContrastFit
from nanostrata.domain.estimate import gaussian_quantity, quantity
from nanostrata.domain.fit import ProfileFit
from nanostrata.pipeline.energies_run import warnings as energy_warnings
from nanostrata.pipeline.families_run import families_summary
from nanostrata.pipeline.options_run import options_summary
from nanostrata.pipeline.run import Reconstruction
from nanostrata.pipeline.separation_run import separation_summary
from nanostrata.pipeline.shape_stage import summary_of as shape_summary
from nanostrata.pipeline.shape_stage import warnings_of as shape_warnings
from nanostrata.pipeline.summary_atoms import atoms_part, map_warnings, refinement_part, verification_part
from nanostrata.pipeline.summary_crystal import crystal_part, crystal_warnings
from nanostrata.pipeline.summary_diffusion import diffusion_summary
from nanostrata.pipeline.summary_energies import energies_summary
from nanostrata.pipeline.summary_mismatch import mismatch_summary
from nanostrata.pipeline.summary_resolution import resolution_summary
from nanostrata.pipeline.tables_run import summary_of
from nanostrata.pipeline.waxs_summary import waxs_summary, waxs_warnings
from nanostrata.pipeline.waxs_whole_summary import whole_summary


def summarise(r: Reconstruction) -> dict[str, Any]:
    """Return the summary as plain JSON types."""
    from nanostrata import __version__

    out: dict[str, Any] = {
        "software": {"name": "nanostrata", "version": __version__, "libraries": _libraries()},
        "seed": r.seed,
        "preset": r.preset,
        "sample": {"title": r.recipe.sample.title, "medium": _plain(r.recipe.sample.medium)},
        "project_file": r.recipe.file.name,
        "recipe": r.recipe.model_dump(mode="json", exclude_none=True),
        "simulated": (r.recipe.root / "truth.json").is_file(),
        "inputs": _inputs(r),
        "notes": [*r.inputs.notes, *_left_out(r)],
    }
    if r.recipe.growth is not None:
        out["growth"] = r.recipe.growth.model_dump()
    if r.solid is not None:
        out["materials"] = {
            "core": r.solid.core.name,
            "shell": r.solid.shell.name if r.solid.shell is not None else None,
            "structure": r.solid.core.structure,
        }
    if r.inputs.sizes is not None:
        s = r.inputs.sizes
        out["tem"] = {
            "diameter_mean_nm": gaussian_quantity(s.mean_nm, s.mean_sigma_nm),
            "diameter_std_nm": gaussian_quantity(s.std_nm, s.std_sigma_nm),
            "particles": s.n_counted,
        }
        if s.aspect_ratio is not None:
            out["tem"]["aspect_ratio"] = gaussian_quantity(s.aspect_ratio, s.aspect_sigma or 0.0)
    if r.inputs.composition_x is not None:
        out["edx"] = {"mean_shell_fraction": gaussian_quantity(*r.inputs.composition_x)}
    warnings = _curve_warnings(r)
    if r.fit is not None and r.particle is not None:
        out |= _profile(r, r.fit)
        out["profile"] |= options_summary(r.recipe, r.fit)
        warnings += [{"code": c, "message": m, "stage": "profile"} for c, m in r.fit.warnings]
        warnings += [{"code": "bound_touched", "message": m, "stage": "profile"} for m in r.fit.bounds_touched]
    if r.contrasts is not None:
        out |= _contrasts(r.contrasts)
        warnings += [{"code": c, "message": m, "stage": "profile"} for c, m in r.contrasts.warnings]
        warnings += [{"code": "bound_touched", "message": m, "stage": "profile"} for m in r.contrasts.bounds_touched]
    if r.shape is not None:
        out["shape"] = shape_summary(r.shape)
        warnings += shape_warnings(r.shape)
    if r.waxs is not None:
        out["waxs"] = waxs_summary(r.waxs) | whole_summary(r.whole)
        warnings += waxs_warnings(r.waxs)
    if r.ensemble is not None:
        out["atoms"] = atoms_part(r.ensemble, r.solid) | crystal_part(r.ensemble, r.recipe, r.solid)
        warnings += crystal_warnings(r.ensemble) + map_warnings(r.recipe, r.ensemble, r.solid)
    if r.verification is not None:
        out["verification"] = verification_part(r.verification)
        if r.refinement is not None:
            out["verification"]["weights"] = refinement_part(r.refinement)
            warnings += [{"code": c, "message": m, "stage": "verify"} for c, m in r.refinement.warnings]
    if r.diffusion is not None:
        out["diffusion"] = diffusion_summary(r.diffusion)
    if r.separation is not None:
        out["separation"] = separation_summary(r.separation)
    if r.tables is not None:
        out["profile"] |= summary_of(r.tables)
    if r.weights is not None and "profile" in out:
        out["profile"] |= families_summary(r.weights)
    if r.energies is not None:
        out["asaxs"]["consistency"] = energies_summary(r.energies)
        warnings += energy_warnings(r.energies)
    if r.mismatch is not None:
        out["mismatch"] = mismatch_summary(r.mismatch)
    out["findings"] = [
        {"text": f.text, "grade": f.grade, "numbers": dict(f.numbers), "improve": f.improve} for f in r.findings
    ]
    out["warnings"] = warnings
    return out


def _left_out(r: Reconstruction) -> list[str]:
    """What the preset did not do."""
    if r.fit is None or r.solid is None or r.solid.shell is None or (r.weights is not None and r.weights.families):
        return []
    return ["kinds of profile were not weighed against each other: --preset standard does that"]


def _curve_warnings(r: Reconstruction) -> list[dict[str, str]]:
    """What the curves show before any fit: low q, sigmas, sisters that disagree."""
    from nanostrata.pipeline.factor_sources import factor_warnings
    from nanostrata.stages.inspect_curves import low_q_verdict, sigma_against_scatter, sisters_agree

    uniform = r.recipe.contrasts is None
    out = [{"code": "curve_left_out", "message": text, "stage": "read"} for text in r.inputs.left_out]
    out += [{"code": code, "message": text, "stage": "read"} for code, text in factor_warnings(r.recipe)]
    for c in r.inputs.curves:
        low = low_q_verdict(c, uniform_contrast=uniform or len(r.inputs.curves) == 1)
        if low.verdict in ("aggregates", "interactions"):
            out.append({"code": low.verdict, "message": low.message, "stage": "read"})
        scatter = sigma_against_scatter(c)
        if scatter.verdict in ("too small", "too large"):
            out.append({"code": "sigma", "message": scatter.message, "stage": "read"})
    out += [
        {"code": p.code, "message": p.message, "stage": "read"}
        for p in sisters_agree(r.inputs.curves, same_scale=uniform)
    ]
    return out


def _libraries() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    out = {}
    for name in ("numpy", "scipy", "numba", "xraydb", "gemmi", "ase", "h5py", "sasdata"):
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            out[name] = "not installed"
    return out


def _plain(value: Any) -> Any:
    return value.model_dump(exclude_none=True) if hasattr(value, "model_dump") else value


def _inputs(r: Reconstruction) -> list[dict[str, Any]]:
    rows = []
    extra = [("asaxs" if r.recipe.asaxs is not None else "contrasts", c) for c in r.inputs.curves]
    if r.inputs.saxs is not None:
        extra.append(("saxs", r.inputs.saxs))
    if r.inputs.waxs is not None:
        extra.append(("waxs", r.inputs.waxs.curve))
    for role, c in extra:
        o = c.origin
        rows.append(
            {
                "file": o.file,
                "role": role,
                "sha256": o.sha256,
                "unit_read": o.unit_read,
                "energy_kev": c.energy_kev,
                "points_read": o.points_read,
                "points_kept": o.points_kept,
                "points_dropped": o.points_read - o.points_kept,
                "notes": list(o.notes),
            }
        )
    others = [(n, getattr(t, "origin", None)) for n, t in (("tem", r.inputs.sizes), ("edx", r.inputs.composition))]
    for role, origin in [("factors", r.inputs.factors), *others]:
        if origin is not None and origin.file:
            rows.append(
                {
                    "file": origin.file,
                    "role": role,
                    "sha256": origin.sha256,
                    "unit_read": origin.unit_read,
                    "points_read": origin.points_read,
                    "points_kept": origin.points_kept,
                    "points_dropped": origin.points_read - origin.points_kept,
                    "notes": list(origin.notes),
                }
            )
    return rows


def _profile(r: Reconstruction, fit: ProfileFit) -> dict[str, Any]:
    p = r.particle
    assert p is not None
    counts = quantity(p.element_counts)
    return {
        "particle": {
            "shape": fit.shape,
            "diameter_mean_nm": quantity(p.diameter_mean_nm),
            "diameter_std_nm": quantity(p.diameter_std_nm),
            "aspect_ratio": quantity(p.aspect_ratio),
        },
        "profile": {
            "family": fit.family,
            "edges_nm": p.profile.edges_nm.tolist(),
            "shell_fraction": quantity(fit.main_shells),
            "unsmoothed": {"shell_fraction": quantity(fit.independent.shell_fraction)},
            "mean_shell_fraction": quantity(p.mean_fraction_sites),
            "mean_shell_fraction_volume": quantity(p.mean_fraction_volume),
            "informed_by": list(fit.informed_by),
            "independent_sd": fit.independent_sd.tolist(),
            "supported_shells": fit.supported,
            "gradient": fit.gradient,
            "gradient_numbers": {k: float(v) for k, v in fit.gradient_numbers.items()},
            **({} if fit.resolution is None else {"resolution": resolution_summary(fit.resolution, float(p.profile.edges_nm[-1]))}),
            "element_counts": {e: {k: v[i] for k, v in counts.items()} for i, e in enumerate(p.elements)},
            "table_systematic": [None if math.isnan(v) else float(v) for v in fit.table_shift],
            "table_systematic_table": fit.other_table,
            "refits": {
                "count": len(fit.refit_gaussian),
                "held": fit.refit_fixed,
                "uniform": {"mean": fit.refit_uniform.mean(0).tolist(), "sd": fit.refit_uniform.std(0, ddof=1).tolist()},
                "gaussian": {"mean": fit.refit_gaussian.mean(0).tolist(), "sd": fit.refit_gaussian.std(0, ddof=1).tolist()},
            },
            "prior": _prior_words(r),
            "sampler": {"r_hat": fit.main.r_hat, "effective_draws": fit.main.effective, "acceptance": fit.main.acceptance},
        },
        "asaxs": {
            "chi2_reduced": float(np.average([c.chi2_reduced for c in fit.curves], weights=[len(c.fit) for c in fit.curves])),
            "p": fit.chi2_p,
            "factors": fit.table_name,
            "per_energy": _per_energy(r, fit),
            "shapes": [
                {"shape": s.shape, "chi2": s.chi2, "n_data": s.n_data, "aspect_ratio": gaussian_quantity(s.aspect_ratio, s.aspect_sigma)}
                for s in fit.shapes
            ],
        },
    }  # fmt: skip


def _prior_words(r: Reconstruction) -> str:
    p = r.recipe.particle
    if p.shells == "auto":
        return f"averaged over 1 to {len(r.weights.numbers) if r.weights else 0} shells by their evidence, all numbers equally probable beforehand"
    if p.profile == "shells" and p.smoothness:
        return f"uniform in 0..1, steps between neighbours Gaussian, standard deviation growing with the radius to {p.smoothness_sd:g}"
    return (
        "uniform in 0..1, no coupling between shells"
        if p.profile == "shells"
        else f"family {p.profile}, uniform within its bounds"
    )


def _per_energy(r: Reconstruction, fit: ProfileFit) -> list[dict[str, Any]]:
    """Return one row per curve: chi2, runs, scale, background, factors of the resonant element."""
    from nanostrata.pipeline.gather import factor_tables
    from nanostrata.tables.factors import parse_edge

    assert r.recipe.asaxs is not None
    element = parse_edge(r.recipe.asaxs.edge)[0] if r.recipe.asaxs.edge else None
    table, _ = factor_tables(r.recipe)
    out = []
    for c in fit.curves:
        row = {
            "label": c.label, "energy_kev": c.energy_kev, "chi2_reduced": c.chi2_reduced, "runs_p": c.runs_p, "predictive_p": c.predictive_p,
            "scale": quantity(c.scale), "background": quantity(c.background), "laue": c.laue, "sigma_factor": c.sigma_factor,
            "points": len(c.fit),
        }  # fmt: skip
        if element is not None:
            row["f_prime"] = float(table.f_prime(element, c.energy_kev))
            row["f_double_prime"] = float(table.f_double_prime(element, c.energy_kev))
            sigma = table.sigma_f_prime(element, c.energy_kev)
            if sigma is not None:
                row["f_prime_sigma"] = sigma
        out.append(row)
    return out


def _contrasts(fit: ContrastFit) -> dict[str, Any]:
    radius, std = fit.draws[:, 0], fit.draws[:, 1]
    values: dict[str, Any] = {n: quantity(fit.draws[:, i]) for i, n in enumerate(fit.names)}
    if fit.size_kind == "lognormal":
        s2 = np.log1p((std / radius) ** 2)
        values["radius_median_nm"] = quantity(radius * np.exp(-0.5 * s2))
        values["lognormal_width"] = quantity(np.sqrt(s2))
    if fit.core_shell:
        values["core_radius_nm"] = quantity(radius - fit.draws[:, 2])
        values["outer_radius_nm"] = quantity(radius)
    return {
        "particle": {
            "shape": "sphere",
            "diameter_mean_nm": quantity(2 * radius),
            "diameter_std_nm": quantity(2 * std),
            "aspect_ratio": gaussian_quantity(1.0, 0.0),
        },
        "contrasts": {
            "chi2_reduced": fit.chi2_reduced,
            "verdict": "bad fit" if fit.chi2_reduced > 3.0 else "acceptable",
            "parameters": values,
            "per_curve": [
                {"label": c.label, "chi2_reduced": c.chi2_reduced, "runs_p": c.runs_p, "scale": c.scale, "background": c.background,
                 "points": len(c.fit)}
                for c in fit.curves
            ],
        },
    }  # fmt: skip

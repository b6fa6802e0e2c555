"""The command ``simulate``: a truth file in, a folder of measurements with a project file out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.constants import HC_KEV_NM
from nanostrata.domain import ScatteringCurve
from nanostrata.errors import PhysicsError, RecipeError
from nanostrata.pipeline.truth_file import TruthFile, example_truth, load_truth
from nanostrata.simulate.campaign import Campaign, simulate
from nanostrata.simulate.record import truth_record

__all__ = ["example_truth", "simulate_run"]

_SIMULATED = "simulated by nanostrata from explicit atoms; not measured"


def simulate_run(
    truth_file: Path, out: Path, *, seed: int = 1, progress: Callable[[str], None] = lambda _: None
) -> Path:
    """Simulate the measurements of a truth file.

    Parameters
    ----------
    truth_file : Path
        A project file plus the table ``[truth]``.
    out : Path
        Folder; made when it is missing.
    seed : int
    progress : callable
        Gets one sentence per step.

    Returns
    -------
    Path
        Of ``project.toml``, ready for ``check`` and ``run``. Beside it: one file per ASAXS energy, ``saxs.dat``,
        ``waxs.dat``, ``tem_diameters.csv``, ``edx.csv`` (or the names that the truth file gives) and ``truth.json``; the
        pattern of a standard where ``[waxs]`` asks for one.

    Raises
    ------
    RecipeError
        With every problem of the truth file at once, energies within 5 eV of an edge among them; nothing is written
        then.
    """
    truth_file, out = Path(truth_file), Path(out)
    plan = load_truth(truth_file)
    campaign, table_name = _simulate(plan, seed, progress)
    standard = _standard(plan, seed) if "standard" in plan.project.get("waxs", {}) else None
    out.mkdir(parents=True, exist_ok=True)
    for name in _named_files(plan.project):
        if (truth_file.parent / name).resolve() != (out / name).resolve():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(truth_file.parent / name, out / name)
    _write(out, plan, campaign, standard, table_name)
    progress(f"wrote {out / 'project.toml'}")
    return out / "project.toml"


def _simulate(plan: TruthFile, seed: int, progress: Callable[[str], None]) -> tuple[Campaign, str]:
    from nanostrata.pipeline.gather import factor_tables, materials
    from nanostrata.tables.factors import check_energies

    recipe = plan.recipe
    solid = materials(recipe)
    if solid is None or recipe.asaxs is None:
        raise RecipeError("materials, asaxs: both tables are needed to simulate")
    factors, _ = factor_tables(recipe)
    asaxs = [float(c["energy_kev"]) for c in plan.project["asaxs"]["curves"]]
    saxs, waxs = float(plan.project["saxs"]["energy_kev"]), float(plan.waxs["energy_kev"])
    try:
        # a run would refuse these energies: data that no run takes are not worth the minutes
        check_energies(solid.elements, dict.fromkeys((*asaxs, saxs, waxs)), factors)
    except PhysicsError as error:
        raise RecipeError(*(f"{recipe.file}: {p}" for p in error.problems)) from None
    progress(f"building {plan.truth.particles} particles of atoms and summing over their pairs")
    campaign = simulate(
        plan.truth,
        solid,
        factors,
        asaxs,
        seed=seed,
        axis=recipe.particle.axis,
        structure=recipe.particle.structure,
        saxs_energy_kev=saxs,
        waxs_energy_kev=waxs,
    )
    return campaign, factors.name


def _standard(plan: TruthFile, seed: int) -> ScatteringCurve:
    """Pattern of the standard that ``[waxs]`` names."""
    from nanostrata.pipeline.waxs_standard import standard_lines
    from nanostrata.simulate.wide_angle import standard_pattern, waxs_grid

    assert plan.recipe.waxs is not None
    given = plan.recipe.waxs.standard
    assert given is not None
    truth, energy = plan.truth, float(plan.waxs["energy_kev"])
    q = waxs_grid(truth, energy)
    lines, _, _ = standard_lines(given, plan.recipe.root, energy, float(q[-1]))
    # a stream of its own: a standard changes no other measurement
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(6,)))
    return standard_pattern(
        lines, (float(q[0]), float(q[-1])), energy, truth.waxs_instrument_sigma_inv_nm, truth.waxs_counts, rng
    )


def _named_files(project: dict[str, Any]) -> list[str]:
    """Files that the truth rests on and that the project needs, too: CIFs and measured factors."""
    lattices = [m.get("lattice") for m in project.get("materials", {}).values() if isinstance(m, dict)]
    factors = project["asaxs"].get("factors")
    measured = [str(name) for name in factors.values()] if isinstance(factors, dict) else []
    standard = project.get("waxs", {}).get("standard")
    lattices += [standard.get("lattice")] if isinstance(standard, dict) else []
    return [x["cif"] for x in lattices if isinstance(x, dict) and "cif" in x] + measured


def _write(out: Path, plan: TruthFile, campaign: Campaign, standard: ScatteringCurve | None, table_name: str) -> None:
    from nanostrata.io.text_out import toml_text, write_curve, write_json, write_table, write_text

    t, project = campaign.truth, plan.project
    noise = f"sigma/I = {t.relative_noise:g} sqrt(1 + (q/{t.noise_q_inv_nm:g})^2); I in 1/cm, q in 1/nm"
    curves = [*zip((c["file"] for c in project["asaxs"]["curves"]), campaign.asaxs, strict=True)]
    if campaign.saxs is not None:
        curves.append((project["saxs"]["file"], campaign.saxs))
    for name, curve in curves:
        write_curve(out / name, curve, comments=(_SIMULATED, f"energy {curve.energy_kev:g} keV", noise))
    note = ""
    if campaign.waxs is not None:
        if t.waxs_counts > 0.0:
            noise = f"sigma = sqrt(photons), {t.waxs_counts:g} of them in the highest point; q in 1/nm"
        _write_wide_angle(out / plan.waxs["file"], campaign.waxs, plan.waxs["axis"], noise)
        if standard is not None:
            _write_wide_angle(out / project["waxs"]["standard"]["file"], standard, plan.waxs["axis"], noise)
        if "waxs" not in project:
            what = f"wide angle, {campaign.waxs.energy_kev:g} keV, {plan.waxs['axis']}"
            note = f"# {plan.waxs['file']} ({what}) lies beside this file\n"
    readings = zip(campaign.tem_major_nm.tolist(), campaign.tem_minor_nm.tolist(), strict=True)
    write_table(out / project["tem"]["diameters"], ("major_nm", "minor_nm"), readings, comments=(_SIMULATED,))
    composition = [(e, v, s) for e, (v, s) in campaign.edx.items()]
    write_table(
        out / project["edx"]["file"], ("element", "atomic_percent", "error"), composition, comments=(_SIMULATED,)
    )
    shells = plan.recipe.particle.shells
    record = truth_record(campaign, shells if isinstance(shells, int) else 5) | {"factors": table_name}
    write_json(out / "truth.json", record)
    head = f"# {_SIMULATED}; what is true stands in truth.json\n{note}\n"
    # last, because a folder with a project file is a folder that is complete
    write_text(out / "project.toml", head + toml_text(project))


def _write_wide_angle(path: Path, curve: ScatteringCurve, axis: str, noise: str) -> None:
    from nanostrata.io.text_out import write_columns, write_curve

    comments = (_SIMULATED, f"energy {curve.energy_kev:g} keV", noise)
    if axis == "q_inv_nm" or curve.energy_kev is None:
        write_curve(path, curve, comments=comments)
        return
    q = curve.q_inv_nm
    if axis == "q_inv_angstrom":
        values, title = q / 10.0, "q(A^-1)"
    else:
        values, title = 2.0 * np.degrees(np.arcsin(q * HC_KEV_NM / curve.energy_kev / (4.0 * np.pi))), "two_theta(deg)"
    write_columns(path, (values, curve.intensity, curve.sigma), f"{title} I sigma", comments=comments)

"""The command ``simulate``: a truth file in, a folder of measurements with a project file out."""

from __future__ import annotations

import shutil
import tempfile
import tomllib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from nanostrata.errors import NanostrataError, RecipeError
from nanostrata.pipeline.recipe import Recipe
from nanostrata.simulate.campaign import Campaign, simulate
from nanostrata.simulate.record import truth_record
from nanostrata.simulate.truth import RadialTruth, Truth

_SIMULATED = "simulated by nanostrata from explicit atoms; not measured"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProfileTable(_Strict):
    """``truth.profile``: see :class:`nanostrata.simulate.truth.RadialTruth`."""

    kind: Literal["erf", "exponential", "linear", "homogeneous", "points", "shells"]
    inner: float = 0.0
    outer: float = 1.0
    width: float = 0.2
    centre: float = 0.7
    positions: tuple[float, ...] = ()
    values: tuple[float, ...] = ()


class TruthTable(_Strict):
    """The table ``[truth]``: keys and units as in :class:`nanostrata.simulate.truth.Truth`."""

    diameter_mean_nm: float
    diameter_std_nm: float
    sizes: Literal["gaussian", "lognormal"] = "gaussian"
    aspect_ratio: float = 1.0
    aspect_std: float = 0.0
    shell_fraction: tuple[float, ...] | None = None
    profile: ProfileTable | None = None
    x_spread: float = 0.02
    particles: int = 200
    waxs_particles: int = 60
    points: int = 120
    q_min_inv_nm: float = 0.3
    q_max_inv_nm: float = 6.0
    relative_noise: float = 0.01
    noise_q_inv_nm: float = 3.0
    scale_error: float = 0.015
    background: float = 3e-5
    fluorescence: float = 6e-5
    volume_fraction: float = 1e-3
    b_factor_nm2: float = 0.008
    displaced_medium: Literal["body", "sites"] = "body"
    lattice: Literal["graded", "mean"] = "graded"
    tem_particles: int = 120
    tem_reading_error_nm: float = 0.1
    edx_error_percent: float = 1.2
    saxs_points: int = 160
    saxs_q_range_inv_nm: tuple[float, float] = (0.15, 8.0)
    waxs_points: int = 300
    waxs_q_range_inv_nm: tuple[float, float] = (10.0, 45.0)

    def truth(self) -> Truth:
        """Return the checked truth.

        Raises
        ------
        RecipeError
            With every number that is out of range.
        """
        values = {k: getattr(self, k) for k in type(self).model_fields if k not in ("shell_fraction", "profile")}
        if (self.shell_fraction is None) == (self.profile is None):
            raise RecipeError(
                "truth: give either shell_fraction = [inner, …, outer] or profile = { kind = … }, "
                + ("not both" if self.profile is not None else "neither is there")
            )
        if self.shell_fraction is not None:
            radial = RadialTruth(kind="shells", values=self.shell_fraction)
        else:
            assert self.profile is not None
            radial = RadialTruth(**self.profile.model_dump())
        return Truth(profile=radial, **values)


def example_truth() -> str:
    """Return the text of a commented truth file to start from."""
    return (files("nanostrata") / "data" / "demo" / "thin" / "truth.toml").read_text(encoding="utf-8")


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
        ``waxs.dat``, ``tem_diameters.csv``, ``edx.csv`` and ``truth.json``.

    Raises
    ------
    RecipeError
        With every problem of the truth file at once.
    """
    truth_file, out = Path(truth_file), Path(out)
    data = _read(truth_file)
    problems: list[str] = []
    truth = _truth(data.pop("truth", None), data, problems)
    waxs = data.pop("waxs", {"energy_kev": None})
    project = _project(data, truth, problems)
    recipe = _recipe(project, truth_file, problems) if not problems else None
    if problems or recipe is None or truth is None:
        raise RecipeError(*(f"{truth_file}: {p}" for p in problems))
    campaign, table_name = _simulate(recipe, truth, seed, waxs.get("energy_kev"), progress)
    out.mkdir(parents=True, exist_ok=True)
    for name in _cif_files(project):
        shutil.copyfile(truth_file.parent / name, out / name)
    _write(out, project, campaign, recipe, table_name)
    progress(f"wrote {out / 'project.toml'}")
    return out / "project.toml"


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise RecipeError(f"{path}: no such file; 'nanostrata simulate --example' prints a truth file to start from")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not a TOML file ({error})") from None


def _truth(table: Any, data: dict[str, Any], problems: list[str]) -> Truth | None:
    if not isinstance(table, dict):
        problems.append("[truth] is missing; 'nanostrata simulate --example' prints a file with one")
        return None
    table = dict(table)
    error_nm = data.get("tem", {}).get("reading_error_nm")
    if error_nm is not None:
        table.setdefault("tem_reading_error_nm", error_nm)
    try:
        return TruthTable.model_validate(table).truth()
    except ValidationError as error:
        problems += [
            f"truth.{'.'.join(str(p) for p in e['loc'])}: {e['msg']}, got {e.get('input')!r}" for e in error.errors()
        ]
    except RecipeError as error:
        problems += error.problems
    return None


def _project(data: dict[str, Any], truth: Truth | None, problems: list[str]) -> dict[str, Any]:
    """Tables of the project file that goes with the simulated data."""
    project = {k: (dict(v) if isinstance(v, dict) else v) for k, v in data.items()}
    asaxs = project.get("asaxs")
    if not isinstance(asaxs, dict) or not isinstance(asaxs.get("curves"), list) or not asaxs["curves"]:
        problems.append("asaxs.curves: expected at least one { energy_kev = … }; simulate makes ASAXS curves")
        return project
    if asaxs.get("smearing", "none") != "none":
        problems.append('asaxs.smearing: simulated curves have perfect resolution; write "none" or leave it out')
    curves = []
    for k, entry in enumerate(asaxs["curves"]):
        energy = entry.get("energy_kev")
        if not isinstance(energy, int | float):
            problems.append(f"asaxs.curves[{k}].energy_kev: expected a number in keV, got {energy!r}")
            continue
        if entry.get("q_unit", "1/nm") != "1/nm":
            problems.append(f'asaxs.curves[{k}].q_unit: simulate writes "1/nm", got {entry["q_unit"]!r}')
        name = entry.get("file", f"asaxs_{round(1000 * energy)}eV.dat")
        if Path(name).name != name:
            problems.append(f"asaxs.curves[{k}].file: expected a plain file name, got {name!r}")
        curves.append({"file": name, "energy_kev": float(energy), "q_unit": "1/nm"})
    if len({c["file"] for c in curves}) < len(curves):
        problems.append("asaxs.curves: two curves have the same file name")
    asaxs["curves"] = curves
    saxs_energy = project.get("saxs", {}).get("energy_kev", curves[0]["energy_kev"] if curves else 0.0)
    project["saxs"] = {"file": "saxs.dat", "energy_kev": saxs_energy, "q_unit": "1/nm"}
    if truth is not None:
        project["tem"] = {"diameters": "tem_diameters.csv", "reading_error_nm": truth.tem_reading_error_nm}
    project["edx"] = {"file": "edx.csv"}
    return project


def _cif_files(project: dict[str, Any]) -> list[str]:
    lattices = [m.get("lattice") for m in project.get("materials", {}).values() if isinstance(m, dict)]
    return [x["cif"] for x in lattices if isinstance(x, dict) and "cif" in x]


def _recipe(project: dict[str, Any], truth_file: Path, problems: list[str]) -> Recipe | None:
    """Check the project file that will be written by loading it."""
    from nanostrata.io.text_out import toml_text
    from nanostrata.pipeline.recipe import load_recipe

    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "project.toml"
        trial.write_text(toml_text(project), encoding="utf-8")
        for name in _cif_files(project):
            if (truth_file.parent / name).is_file():
                shutil.copyfile(truth_file.parent / name, Path(folder) / name)
        try:
            recipe = load_recipe(trial)
        except NanostrataError as error:
            problems += [p.replace(f"{trial}: ", "").replace(str(trial), "project part") for p in error.problems]
            return None
    return recipe.model_copy(update={"root": truth_file.parent, "file": truth_file})


def _simulate(
    recipe: Recipe, truth: Truth, seed: int, waxs_energy_kev: float | None, progress: Callable[[str], None]
) -> tuple[Campaign, str]:
    from nanostrata.pipeline.gather import factor_tables, materials

    solid = materials(recipe)
    if solid is None or recipe.asaxs is None:
        raise RecipeError("materials, asaxs: both tables are needed to simulate")
    factors, _ = factor_tables(recipe)
    energies = [c.energy_kev for c in recipe.asaxs.curves]
    progress(f"building {truth.particles} particles of atoms and summing over their pairs")
    campaign = simulate(
        truth,
        solid,
        factors,
        energies,
        seed=seed,
        axis=recipe.particle.axis or "001",
        structure=recipe.particle.structure,
        saxs_energy_kev=recipe.saxs.energy_kev if recipe.saxs is not None else energies[0],
        waxs_energy_kev=waxs_energy_kev or energies[0],
    )
    return campaign, factors.name


def _write(out: Path, project: dict[str, Any], campaign: Campaign, recipe: Recipe, table_name: str) -> None:
    from nanostrata.io.text_out import toml_text, write_curve, write_json, write_table, write_text

    t = campaign.truth
    assert recipe.asaxs is not None
    noise = f"sigma/I = {t.relative_noise:g} sqrt(1 + (q/{t.noise_q_inv_nm:g})^2); I in 1/cm, q in 1/nm"
    for entry, curve in zip(recipe.asaxs.curves, campaign.asaxs, strict=True):
        write_curve(out / entry.file, curve, comments=(_SIMULATED, f"energy {curve.energy_kev:g} keV", noise))
    waxs_note = ""
    if campaign.saxs is not None:
        write_curve(
            out / "saxs.dat", campaign.saxs, comments=(_SIMULATED, f"energy {campaign.saxs.energy_kev:g} keV", noise)
        )
    if campaign.waxs is not None:
        write_curve(
            out / "waxs.dat", campaign.waxs, comments=(_SIMULATED, f"energy {campaign.waxs.energy_kev:g} keV", noise)
        )
        waxs_note = f"# waxs.dat (wide angle, {campaign.waxs.energy_kev:g} keV, q in 1/nm) lies beside this file.\n"
    readings = zip(campaign.tem_major_nm.tolist(), campaign.tem_minor_nm.tolist(), strict=True)
    write_table(out / "tem_diameters.csv", ("major_nm", "minor_nm"), readings, comments=(_SIMULATED,))
    composition = [(e, v, s) for e, (v, s) in campaign.edx.items()]
    write_table(out / "edx.csv", ("element", "atomic_percent", "error"), composition, comments=(_SIMULATED,))
    record = truth_record(campaign, _shells(recipe)) | {"factors": table_name}
    write_json(out / "truth.json", record)
    head = f"# {_SIMULATED}; what is true stands in truth.json\n{waxs_note}\n"
    write_text(out / "project.toml", head + toml_text(project))


def _shells(recipe: Recipe) -> int:
    return recipe.particle.shells if isinstance(recipe.particle.shells, int) else 5

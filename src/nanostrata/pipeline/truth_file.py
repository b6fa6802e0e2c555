"""Truth files: a project file plus ``[truth]``, checked with all problems at once."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import MISSING, dataclass
from importlib.resources import files
from pathlib import Path, PurePath
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from nanostrata.errors import NanostrataError, PhysicsError, RecipeError
from nanostrata.pipeline.recipe import Recipe, parse_recipe
from nanostrata.simulate.truth import RadialTruth, Truth
from nanostrata.simulate.wide_angle import waxs_grid

# what may stand in the tables whose files simulate writes; anything else would be accepted and ignored
_OWN_KEYS: dict[str, tuple[str, ...]] = {
    "saxs": ("file", "energy_kev", "q_unit"),
    "waxs": (
        "file", "energy_kev", "axis", "instrument_sigma_inv_nm", "standard", "q_range_inv_nm", "mask_inv_nm", "structure", "shape",
        "positions", "background_terms", "halo_inv_nm", "scherrer_k", "whole_pattern",
    ),
    "tem": ("diameters", "reading_error_nm"),
    "edx": ("file", "error"),
}  # fmt: skip
_CURVE_KEYS = ("file", "energy_kev", "q_unit", "q_range_inv_nm", "mask_inv_nm")
WAXS_AXES = ("q_inv_nm", "q_inv_angstrom", "two_theta_deg")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _table(name: str, source: type, **own: Any) -> type[BaseModel]:
    """Table with the fields, types and defaults of a dataclass: they are stated there and nowhere else.

    ``own`` replaces a field by (type, default), adds one, or leaves one out (None).
    """
    hints = get_type_hints(source)
    fields: dict[str, Any] = {
        f.name: (hints[f.name], ... if f.default is MISSING else f.default) for f in dataclasses.fields(source)
    }
    fields.update(own)
    return create_model(name, __base__=_Strict, **{k: v for k, v in fields.items() if v is not None})


ProfileTable = _table("ProfileTable", RadialTruth, radius_nm=None)
"""``truth.profile``: keys and defaults of :class:`nanostrata.simulate.truth.RadialTruth`."""

TruthTable = _table(
    "TruthTable",
    Truth,
    profile=(ProfileTable | None, None),
    shell_fraction=(tuple[float, ...] | None, None),
)
"""``[truth]``: keys, units and defaults of :class:`nanostrata.simulate.truth.Truth`."""


def _checked(table: dict[str, Any]) -> Truth:
    """Return the checked truth.

    Raises
    ------
    RecipeError
        With every number that is out of range.
    """
    given = TruthTable.model_validate(table)
    values = {k: getattr(given, k) for k in TruthTable.model_fields}
    shell_fraction, profile = values.pop("shell_fraction"), values.pop("profile")
    if (shell_fraction is None) == (profile is None):
        raise RecipeError(
            "truth: give either shell_fraction = [inner, …, outer] or profile = { kind = … }, "
            + ("not both" if profile is not None else "neither is there")
        )
    if shell_fraction is not None:
        radial = RadialTruth(kind="shells", values=shell_fraction)
    else:
        radial = RadialTruth(**profile.model_dump())
    return Truth(profile=radial, **values)


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthFile:
    """A truth file that was read and found sound.

    Attributes
    ----------
    truth : what is drawn from
    project : tables of the project file to write
    recipe : the same, validated
    waxs : file, energy_kev and axis of the wide-angle curve; it stands in the project where the truth file has [waxs]
    """

    truth: Truth
    project: dict[str, Any]
    recipe: Recipe
    waxs: dict[str, Any]


def example_truth() -> str:
    """Return the text of a commented truth file to start from."""
    return (files("nanostrata") / "data" / "demo" / "thin" / "truth.toml").read_text(encoding="utf-8")


def load_truth(path: Path) -> TruthFile:
    """Read and check a truth file.

    Raises
    ------
    RecipeError
        With every problem at once.
    """
    path = Path(path)
    if not path.is_file():
        raise RecipeError(f"{path}: no such file; 'nanostrata simulate --example' prints a truth file to start from")
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not a TOML file ({error})") from None
    problems: list[str] = []
    truth = _truth(data, problems)
    data.pop("truth", None)
    _refuse_foreign_keys(data, problems)
    project = _project(data, truth, problems)
    waxs = _waxs(data.get("waxs"), project, truth, problems)
    problems = [f"{path}: {p}" for p in problems]
    recipe = None
    try:
        recipe = parse_recipe(project, path=path, text=text, check_files=False)
        if recipe.materials is None:
            problems.append(f"{path}: [materials] is missing; atoms cannot be placed without them")
    except NanostrataError as error:
        problems += error.problems
    if problems or recipe is None or truth is None:
        raise RecipeError(*dict.fromkeys(problems))
    return TruthFile(truth=truth, project=project, recipe=recipe, waxs=waxs)


def _truth(data: dict[str, Any], problems: list[str]) -> Truth | None:
    table = data.get("truth")
    if not isinstance(table, dict):
        problems.append("[truth] is missing; 'nanostrata simulate --example' prints a file with one")
        return None
    table = dict(table)
    for key, name, own in (
        ("tem", "reading_error_nm", "tem_reading_error_nm"),
        ("edx", "error", "edx_error_percent"),
        ("waxs", "instrument_sigma_inv_nm", "waxs_instrument_sigma_inv_nm"),
    ):
        place = data.get(key)
        if isinstance(place, dict) and name in place:
            if own in table and table[own] != place[name]:
                problems.append(
                    f"truth.{own}: {table[own]!r} contradicts {key}.{name} = {place[name]!r}; give one of them"
                )
            table[own] = place[name]
    try:
        return _checked(table)
    except ValidationError as error:
        problems += [
            f"truth.{'.'.join(map(str, e['loc']))}: {e['msg']}, got {e.get('input')!r}" for e in error.errors()
        ]
    except RecipeError as error:
        problems += error.problems
    return None


def _refuse_foreign_keys(data: dict[str, Any], problems: list[str]) -> None:
    for name, allowed in _OWN_KEYS.items():
        table = data.get(name, {})
        if not isinstance(table, dict):
            problems.append(f"{name}: expected a table, got {table!r}")
            data.pop(name)
            continue
        problems += [
            f"{name}.{key}: simulate makes this measurement itself and takes only {', '.join(allowed)} here"
            for key in table
            if key not in allowed
        ]


def _project(data: dict[str, Any], truth: Truth | None, problems: list[str]) -> dict[str, Any]:
    """Tables of the project file that goes with the simulated data."""
    project = {k: (dict(v) if isinstance(v, dict) else v) for k, v in data.items() if k != "waxs"}
    asaxs = project.get("asaxs")
    if not isinstance(asaxs, dict) or not isinstance(asaxs.get("curves"), list) or not asaxs["curves"]:
        problems.append("asaxs.curves: expected at least one { energy_kev = … }; simulate makes ASAXS curves")
        return project
    if asaxs.get("smearing", "none") != "none":
        problems.append('asaxs.smearing: simulated curves have perfect resolution; write "none" or leave it out')
    asaxs["curves"] = [c for k, e in enumerate(asaxs["curves"]) if (c := _curve(k, e, problems)) is not None]
    first = asaxs["curves"][0]["energy_kev"] if asaxs["curves"] else None
    given = {k: project.get(k, {}) for k in ("saxs", "tem", "edx")}
    project["saxs"] = {
        "file": _plain(given["saxs"].get("file", "saxs.dat"), "saxs.file", problems),
        "energy_kev": given["saxs"].get("energy_kev", first),
        "q_unit": _per_nm(given["saxs"].get("q_unit", "1/nm"), "saxs.q_unit", problems),
    }
    project["tem"] = {
        "diameters": _plain(given["tem"].get("diameters", "tem_diameters.csv"), "tem.diameters", problems)
    }
    if truth is not None:
        project["tem"]["reading_error_nm"] = truth.tem_reading_error_nm
    project["edx"] = {"file": _plain(given["edx"].get("file", "edx.csv"), "edx.file", problems)}
    names = [c["file"] for c in asaxs["curves"]]
    names += [project["saxs"]["file"], project["tem"]["diameters"], project["edx"]["file"]]
    if len(set(names)) < len(names):
        problems.append(f"two measurements would be written to the same file: {', '.join(sorted(names))}")
    return project


def _curve(k: int, entry: Any, problems: list[str]) -> dict[str, Any] | None:
    place = f"asaxs.curves[{k}]"
    energy = entry.get("energy_kev") if isinstance(entry, dict) else None
    if not isinstance(energy, int | float) or isinstance(energy, bool):
        problems.append(f"{place}.energy_kev: expected a number in keV, got {energy!r}")
        return None
    problems += [
        f"{place}.{key}: does not apply to a simulated curve; take it out" for key in entry if key not in _CURVE_KEYS
    ]
    _per_nm(entry.get("q_unit", "1/nm"), f"{place}.q_unit", problems)
    name = _plain(entry.get("file", f"asaxs_{round(1000 * energy)}eV.dat"), f"{place}.file", problems)
    kept = {key: entry[key] for key in ("q_range_inv_nm", "mask_inv_nm") if key in entry}
    return {"file": name, "energy_kev": float(energy), "q_unit": "1/nm"} | kept


def _waxs(table: Any, project: dict[str, Any], truth: Truth | None, problems: list[str]) -> dict[str, Any]:
    """File, energy and axis of the wide-angle curve; with a table [waxs] the project gets one, too."""
    given = dict(table) if isinstance(table, dict) else {}
    axis = given.get("axis", "q_inv_nm")
    if axis not in WAXS_AXES:
        problems.append(f"waxs.axis: expected one of {', '.join(WAXS_AXES)}, got {axis!r}")
    energy = given.get("energy_kev", project.get("saxs", {}).get("energy_kev"))
    if not isinstance(energy, int | float) or not 1.0 <= energy <= 200.0:
        problems.append(f"waxs.energy_kev: expected 1 to 200 keV, got {energy!r}")
    elif truth is not None:
        try:
            waxs_grid(truth, energy)
        except PhysicsError as error:
            problems += error.problems
    out = {"file": _plain(given.get("file", "waxs.dat"), "waxs.file", problems), "energy_kev": energy, "axis": axis}
    if not isinstance(table, dict):
        return out
    kept = {k: v for k, v in given.items() if k not in (*out, "standard", "instrument_sigma_inv_nm")}
    project["waxs"] = out | kept
    sigma = 0.0 if truth is None else truth.waxs_instrument_sigma_inv_nm
    standard = given.get("standard")
    if standard is None:
        if sigma > 0.0:
            project["waxs"]["instrument_sigma_inv_nm"] = sigma
        return out
    if not isinstance(standard, dict):
        problems.append(f"waxs.standard: expected {{ formula = …, lattice = … }}, got {standard!r}")
        return out
    if truth is not None and not (sigma > 0.0 and truth.waxs_counts > 0.0):
        problems.append(
            "waxs.standard: its peaks are as wide as the instrument and its noise is counted; give "
            "truth.waxs_instrument_sigma_inv_nm and truth.waxs_counts"
        )
    # the file and the axis are simulate's own; what it takes the pattern from is the rest
    file = _plain(standard.get("file", "standard.dat"), "waxs.standard.file", problems)
    if file == out["file"]:
        problems.append(f"waxs.standard.file: {file} is the pattern itself; give another name")
    project["waxs"]["standard"] = {**standard, "file": file}
    problems += [
        f"waxs.standard.{key}: simulate writes the standard as it writes the pattern; take it out"
        for key in ("axis", "energy_kev")
        if key in standard
    ]
    return out


def _plain(name: Any, key: str, problems: list[str]) -> str:
    if not isinstance(name, str) or not name or PurePath(name).name != name:
        problems.append(f"{key}: expected a plain file name (it is written into --out), got {name!r}")
        return "unnamed"
    return name


def _per_nm(unit: Any, key: str, problems: list[str]) -> str:
    if unit not in ("1/nm", "nm^-1"):
        problems.append(f'{key}: simulate writes q in "1/nm", got {unit!r}')
    return "1/nm"

"""``nanostrata new``: a commented project file to start from, with what can be known of the files in a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nanostrata.errors import DataError, RecipeError
from nanostrata.interfaces import console

if TYPE_CHECKING:
    from nanostrata.pipeline.propose import Proposal

__all__ = ["new_project", "project_text"]

_HEAD = """\
# Project file of nanostrata. Paths are relative to this file. nm, 1/nm, keV, e/nm3.
# Check it with  nanostrata check {file}  and run it with  nanostrata run {file}
# Every key with its unit and default stands in docs/project-file.md.

[sample]
title = "{title}"
medium = "toluene"                # TO FILL: a known name, or {{ formula = "C7H8", density_g_cm3 = 0.867 }}

[particle]
shells = 5                        # equispaced radial shells
shape = "sphere"                  # "sphere" | "prolate" | "oblate"
# profile = "shells"              # "shells" | "homogeneous" | "core_shell" | "exponential" | "erf" | "smooth"
# sizes = "gaussian"              # "gaussian" | "lognormal" | "tem"

[materials.core]                  # TO FILL: end member x = 0
formula = "Ag2In4Se7"
lattice = {{ structure = "wurtzite", a_nm = 0.426, c_nm = 0.702 }}

[materials.shell]                 # TO FILL: end member x = 1; leave the table out for one material
formula = "ZnSe"
lattice = {{ structure = "wurtzite", a_nm = 0.400, c_nm = 0.655 }}

[asaxs]
edge = "Zn K"                     # TO FILL: the edge that the energies approach
factors = "chantler"              # or "cromer-liberman", or measured ones of the edge: a table energy, f', f''
                                  # {{ file = "f1f2.dat" }}, or an absorption scan {{ absorption = "edge.xdi" }}
# energy_resolution_ev = 1.5      # one standard deviation of the beam's energy
# scale = "common"                # "common" | "per_energy"
# scale_uncertainty = 0.015       # one standard deviation per energy
# background = "constant"         # "none" | "constant" | "constant+power"
# q_range_inv_nm = [0.5, 4.5]     # used for every curve
curves = [
"""

_GROWTH = """
# [growth]                        # shown with the sample
# temperature_c = 150
# time_s = 600
"""


def new_project(folder: Path, source: Path | None = None) -> Path:
    """Write ``project.toml`` in a folder and say what is left to fill in.

    Parameters
    ----------
    folder : made when it is missing
    source : folder of the data files, looked at for roles, units and energies

    Raises
    ------
    RecipeError
        When there is a project file already, or ``source`` is no folder.
    """
    from nanostrata.io.text_out import write_text
    from nanostrata.pipeline.propose import propose

    file = folder / "project.toml"
    if file.exists():
        raise RecipeError(f"{file}: exists already and is not overwritten; give another folder, or move the file away")
    if source is not None and not source.is_dir():
        raise RecipeError(f"--from {source}: is not a folder; give the folder that holds the data files")
    proposals, unread = propose(source) if source is not None else ([], [])
    if source is not None and not proposals:
        raise DataError(*(unread or [f"--from {source}: holds no data file (.dat, .txt, .csv, .xml, .h5, ...)"]))
    text = project_text(folder, source, proposals)
    write_text(file, text)
    _tell(file, proposals, unread)
    return file


def project_text(folder: Path, source: Path | None, proposals: Sequence[Proposal]) -> str:
    """Return the text of a project file; what could not be known is marked TO FILL."""
    lines = (
        _HEAD.format(file=folder / "project.toml", title=_quoted(folder.resolve().name or "sample"))
        .rstrip("\n")
        .split("\n")
    )
    curves = [p for p in proposals if p.role in ("asaxs", "other")]
    if not proposals:
        lines += [
            '#  { file = "asaxs_16000eV.dat", energy_kev = 16.0, q_unit = "1/nm" },',
            '#  { file = "asaxs_9630eV.dat", energy_kev = 9.63, q_unit = "1/nm" },   # TO FILL: your curves',
        ]
    if curves and all(p.energy_kev is None for p in curves):
        lines.append(
            "  # Neutrons, or known contrasts? Then write [contrasts] in place of [asaxs], see docs/project-file.md"
        )
    for p in sorted(curves, key=lambda p: -(p.energy_kev or 0.0)):
        lines += _curve_lines(p, folder, source)
    lines.append("]")
    for role in ("saxs", "tem", "edx"):
        lines += _table_lines(role, [p for p in proposals if p.role == role], folder, source)
    waxs = [p for p in proposals if p.role == "waxs"]
    if waxs:
        lines += [
            "", "[waxs]", f'file = "{_quoted(_path(waxs[0].file, folder, source))}"',
            'axis = "q_inv_nm"              # TO FILL: "two_theta_deg", "q_inv_nm" or "q_inv_angstrom"',
            "# energy_kev = 16.0              # TO FILL: needed for two theta",
            "# instrument_sigma_inv_nm = 0.26 # width of the instrument; without it sizes are lower bounds",
        ]  # fmt: skip
    rest = [p for p in proposals if p.role in ("background", "cif") or p in waxs[1:]]
    if rest:
        lines += ["", "# Not used here; backgrounds go to background_files of a curve:"]
        lines += [f"#   {p.role}: {_path(p.file, folder, source)}" for p in rest]
    return "\n".join(lines) + "\n" + _GROWTH


def _curve_lines(p: Proposal, folder: Path, source: Path | None) -> list[str]:
    parts = [f'file = "{_quoted(_path(p.file, folder, source))}"']
    parts += [f'entry = "{_quoted(p.entry)}"'] if p.entry else []
    parts += [f"energy_kev = {p.energy_kev:.7g}"] if p.energy_kev is not None else []
    parts += [f'q_unit = "{p.q_unit}"'] if p.q_unit else []
    said = [f"energy {p.energy_source}"] if p.energy_source else []
    line = f"  {{ {', '.join(parts)} }}," + (f"   # {'; '.join(said)}" if said else "")
    return [line, *(f"  # TO FILL: {u}" for u in p.unknown)]


def _table_lines(role: str, found: Sequence[Proposal], folder: Path, source: Path | None) -> list[str]:
    if not found:
        examples = {
            "saxs": ["# [saxs]", '# file = "saxs.dat"', "# energy_kev = 16.0"],
            "tem": [
                "# [tem]                           # sizes: a table major_nm,minor_nm, or the three numbers",
                '# diameters = "tem_diameters.csv"',
                "# mean_diameter_nm = 4.1",
                "# std_diameter_nm = 0.49",
                "# particles = 120",
            ],
            "edx": ["# [edx]                           # a table element,atomic_percent,error", '# file = "edx.csv"'],
        }
        return ["", *examples[role]]
    key = "diameters" if role == "tem" else "file"
    lines = ["", f"[{role}]"]
    for i, p in enumerate(found):
        mark = "" if i == 0 else "# "
        lines.append(
            f'{mark}{key} = "{_quoted(_path(p.file, folder, source))}"' + ("" if i == 0 else "   # another candidate")
        )
        if role == "saxs" and i == 0:
            lines += [f"energy_kev = {p.energy_kev:.7g}"] if p.energy_kev is not None else []
            lines += [f'q_unit = "{p.q_unit}"'] if p.q_unit else []
        lines += [f"# TO FILL: {u}" for u in p.unknown if i == 0]
    if role == "tem":
        lines.append("reading_error_nm = 0.1            # one standard deviation of a single reading")
    return lines


def _path(name: str, folder: Path, source: Path | None) -> str:
    """Name of a data file as the project file has to write it: relative, with forward slashes."""
    target = (source or folder).resolve() / name
    return os.path.relpath(target, folder.resolve()).replace(os.sep, "/")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _tell(file: Path, proposals: Sequence[Proposal], unread: Sequence[str]) -> None:
    rows = [
        [
            p.role,
            p.file + (f" : {p.entry}" if p.entry else ""),
            "-" if p.energy_kev is None else f"{p.energy_kev:.7g} ({p.energy_source})",
            p.q_unit or "-",
            str(p.points or "-"),
        ]
        for p in proposals
    ]
    if rows:
        console.show_table(
            ["role", "file", "energy (keV)", "unit of q", "points"], rows, title="What the files seem to be"
        )
    for text in unread:
        console.warn(text)
    for text in dict.fromkeys(u for p in proposals for u in p.unknown):
        console.say(f"to fill: {text}")
    console.say("to fill: medium, materials and edge: the file has those of an example, look for TO FILL")
    console.say(str(file))

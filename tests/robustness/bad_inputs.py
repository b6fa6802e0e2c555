"""Bad inputs as data: what is wrong, the command, and what the refusal must say.

``python tests/robustness/bad_inputs.py > docs/bad-inputs.md`` prints every case with the message that it gets.
"""

# ruff: noqa: E501 (one case per line, as a table)
from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PROJECT = """\
[sample]
title = "sample"
medium = "toluene"

[particle]
shells = 5
shape = "sphere"

[materials.core]
formula = "Ag2In4Se7"
lattice = { structure = "wurtzite", a_nm = 0.426, c_nm = 0.702 }

[materials.shell]
formula = "ZnSe"
lattice = { structure = "wurtzite", a_nm = 0.400, c_nm = 0.655 }

[asaxs]
edge = "Zn K"
factors = "chantler"
scale = "common"
q_range_inv_nm = [0.3, 4.5]
curves = [
  { file = "asaxs_16000eV.dat", energy_kev = 16.0, q_unit = "1/nm" },
  { file = "asaxs_9630eV.dat", energy_kev = 9.63, q_unit = "1/nm" },
]

[tem]
diameters = "tem.csv"

[edx]
file = "edx.csv"
"""


def sphere_rows(radius_nm: float = 2.0, points: int = 60, factor: float = 1.0) -> list[list[float]]:
    """Rows q, I, sigma of a sphere with 12 % spread of sizes and 1 % noise; q times ``factor``."""
    rng = np.random.default_rng(3)
    q = np.linspace(0.3, 4.5, points)
    radii = np.linspace(0.6, 1.4, 161) * radius_nm
    weight = np.exp(-0.5 * ((radii / radius_nm - 1) / 0.12) ** 2) * radii**6
    u = np.outer(q, radii)
    y = ((3 * (np.sin(u) - u * np.cos(u)) / u**3) ** 2 @ weight) / weight.sum()
    sigma = 0.01 * y
    return [[float(a * factor), float(b), float(c)] for a, b, c in zip(q, rng.normal(y, sigma), sigma, strict=True)]


def write_rows(path: Path, rows: list[list[float]], header: str = "# q I sigma") -> None:
    lines = [header, *(" ".join(f"{v:.8g}" for v in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def good_project(folder: Path) -> Path:
    """Write a sound small project."""
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / "asaxs_16000eV.dat", sphere_rows())
    write_rows(folder / "asaxs_9630eV.dat", sphere_rows())
    rng = np.random.default_rng(5)
    minor = rng.normal(3.9, 0.4, 60)
    lines = [f"{m * 1.05:.4f},{m:.4f}" for m in minor]
    (folder / "tem.csv").write_text("major_nm,minor_nm\n" + "\n".join(lines) + "\n", encoding="utf-8")
    edx = "element,atomic_percent,error\nAg,10,1\nIn,20,1\nSe,53,1\nZn,17,1\n"
    (folder / "edx.csv").write_text(edx, encoding="utf-8")
    (folder / "project.toml").write_text(PROJECT, encoding="utf-8")
    return folder / "project.toml"


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes
    ----------
    spoil : makes the sound project wrong; gets its folder
    place, remedy : what the message must name, and what it must tell to do
    argv : command; {folder} and {project} are filled in
    run_says : what ``run`` says in other words than ``check``
    """

    name: str
    spoil: Callable[[Path], object]
    place: str
    remedy: str
    argv: tuple[str, ...] = ("check", "{project}")
    run_says: str = ""


def replace(old: str, new: str) -> Callable[[Path], object]:
    """Change the project file."""

    def spoil(folder: Path) -> None:
        text = (folder / "project.toml").read_text(encoding="utf-8")
        if old not in text:
            raise LookupError(old)
        (folder / "project.toml").write_text(text.replace(old, new), encoding="utf-8")

    return spoil


def scan(
    header: str, body: str = "", *, shift_ev: float = 0.0, below_ev: float = 200.0, above_ev: float = 500.0, step_ev: float = 1.0
) -> Callable[[Path], object]:  # fmt: skip
    """Give the project an absorption scan: a step at the Zn K edge, in as many columns as the header names."""

    def spoil(folder: Path) -> None:
        energy = 9659.0 + np.arange(-below_ev, above_ev, step_ev)
        mu = 0.3 + 1.0 / (1.0 + np.exp(-(energy - 9659.0)))
        columns = [energy + shift_ev, mu, *(mu for _ in header.split()[3:])]
        lines = [" ".join(f"{v:.6g}" for v in row) for row in zip(*columns, strict=True)]
        (folder / "zn.xdi").write_text("\n".join([header, *([body] if body else lines)]) + "\n", encoding="utf-8")
        replace('"chantler"', '{ absorption = "zn.xdi" }')(folder)

    return spoil


def add(text: str) -> Callable[[Path], object]:
    """Add a table to the project file."""
    return replace('[edx]\nfile = "edx.csv"\n', f'[edx]\nfile = "edx.csv"\n\n{text}\n')


def rows(change: Callable[[list[list[float]]], object], header: str = "# q I sigma") -> Callable[[Path], object]:
    """Change rows of the first curve."""

    def spoil(folder: Path) -> None:
        data = sphere_rows()
        changed = change(data)
        write_rows(folder / "asaxs_16000eV.dat", data if changed is None else changed, header)

    return spoil


def text(name: str, content: str | bytes) -> Callable[[Path], object]:
    """Replace a file."""
    raw = content if isinstance(content, bytes) else content.encode()
    return lambda folder: (folder / name).write_bytes(raw)


def both(*changes: Callable[[Path], object]) -> Callable[[Path], object]:
    """Several changes, one after the other."""
    return lambda folder: [change(folder) for change in changes]


def put(row: int, column: int, value: float) -> Callable[[list[list[float]]], object]:
    """Change one number of a curve."""

    def change(data: list[list[float]]) -> None:
        data[row][column] = value

    return change


def nothing(_: Path) -> None:
    """Leave the project as it is: the command is what is wrong."""


CURVE = "asaxs_16000eV.dat"
WIDE = replace("q_range_inv_nm = [0.3, 4.5]\n", "")
CONTRASTS = """\
[particle]
profile = "core_shell"
[contrasts]
curves = [ { file = "asaxs_16000eV.dat", q_unit = "1/nm", core = 1.0, medium = 6.4 } ]
"""
BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><SASroot>&b;</SASroot>'

PROJECT_FILE = (
    Case("project file missing", lambda f: (f / "project.toml").unlink(), "project.toml", "nanostrata new"),
    Case("folder in place of the project file", nothing, "is a folder", "project.toml", ("check", "{folder}")),
    Case("project file not UTF-8", text("project.toml", '[sample]\ntitle = "50 °C"\n'.encode("latin-1")), "line 2", "save the file as UTF-8"),
    Case("decimal comma", replace("9.63,", "9,63,"), "line 24", "write 9.63, not 9,63"),
    Case("text without quotes", replace('"toluene"', "toluene"), "line 3", "double quotes"),
    Case("bracket left open", replace('  { file = "asaxs_9630eV.dat", energy_kev = 9.63, q_unit = "1/nm" },\n]', ""), "line 26", "left open above"),
    Case("table given twice", add('[tem]\ndiameters = "tem.csv"'), "line 33", "twice: keep one"),
    Case("table misspelt", replace("[tem]", "[tme]"), "line 27", "did you mean 'tem'"),
    Case("key misspelt", replace("energy_kev = 9.63", "energy_keV = 9.63"), "asaxs.curves[1].energy_keV", "did you mean 'energy_kev'"),
    Case("energy in eV", replace("energy_kev = 9.63", "energy_kev = 9630"), "line 24: asaxs.curves[1].energy_kev", "was eV meant? write 9.63"),
    Case("number in quotes", replace("energy_kev = 9.63", 'energy_kev = "9.63"'), "asaxs.curves[1].energy_kev", "write 9.63 without quotes"),
    Case("energy impossible", replace("energy_kev = 9.63", "energy_kev = 0.963"), "asaxs.curves[1].energy_kev", "1 to 200"),
    Case("medium unknown", replace('"toluene"', '"tolune"'), "line 3: sample.medium", "did you mean 'toluene'"),
    Case("medium incomplete", replace('"toluene"', '{ formula = "C7H8" }'), "sample.medium", "density_g_cm3"),
    Case("lattice constant in angstrom", replace("a_nm = 0.426", "a_nm = 4.26"), "line 11: materials.core.lattice.a_nm", "write 0.426"),
    Case("lattice constant missing", replace(", c_nm = 0.655", ""), "materials.shell.lattice", "needs a_nm and c_nm"),
    Case("element unknown", replace('"ZnSe"', '"ZxSe"'), "materials.shell.formula", "write for example Zn"),
    Case("no common sublattice", both(replace('edge = "Zn K"\n', ""), replace('"ZnSe"\nlattice = { structure = "wurtzite", a_nm = 0.400, c_nm = 0.655 }', '"Au"\nlattice = { structure = "fcc", a_nm = 0.408 }')), "materials", "two materials with anions, or two without"),
    Case("edge malformed", replace('"Zn K"', '"Zn"'), "line 18: asaxs.edge", 'write for example "Zn K"'),
    Case("edge of an absent element", replace('"Zn K"', '"Cd K"'), "line 18: asaxs.edge", "correct the edge"),
    Case("zero shells", replace("shells = 5", "shells = 0"), "line 6: particle.shells", "1 to 20"),
    Case("shells = auto with another family", replace("shells = 5", 'shells = "auto"\nprofile = "erf"'), "particle.shells", 'profile = "shells"'),
    Case("shape misspelt", replace('"sphere"', '"prolat"'), "line 7: particle.shape", "did you mean 'prolate'"),
    Case("axis impossible", replace("shells = 5", 'axis = "up"'), "particle.axis", '"110"'),
    Case("peaks without an axis", add('[waxs]\nfile = "asaxs_9630eV.dat"'), "waxs.axis", '"two_theta_deg", "q_inv_nm" or "q_inv_angstrom"'),
    Case("two theta without a wavelength", add('[waxs]\nfile = "asaxs_9630eV.dat"\naxis = "two_theta_deg"'), "waxs", "12.3984 / wavelength in angstrom"),
    Case("peaks beyond the pattern", add('[waxs]\nfile = "asaxs_9630eV.dat"\naxis = "q_inv_nm"'), "asaxs_9630eV.dat", 'was axis = "q_inv_angstrom" meant?'),
    Case("two instruments", add('[waxs]\nfile = "asaxs_9630eV.dat"\naxis = "q_inv_nm"\ninstrument_sigma_inv_nm = 0.2\nstandard = { file = "edx.csv", formula = "Ni", lattice = { structure = "fcc", a_nm = 0.352 } }'), "waxs", "write one of them"),
    Case("table not built", add('[reduction]\nfile = "frame.cbf"'), "line 33: [reduction]", "not built yet in this version"),
    Case("scan that does not exist", replace('"chantler"', '{ absorption = "zn.xdi" }'), "line 19: asaxs.factors.absorption: the file zn.xdi does not exist", "relative to the project file"),
    Case("scan with an unknown key", replace('"chantler"', '{ absorption = "edx.csv", shift = 2.0 }'), "asaxs.factors", "shift"),
    Case("scan without an edge", both(replace('edge = "Zn K"\n', ""), replace('"chantler"', '{ absorption = "edx.csv" }')), "asaxs", 'write edge = "Zn K"'),
    Case("micrograph not built", replace('diameters = "tem.csv"', 'image = "tem.png"'), "tem", "not built yet in this version"),
    Case("no particle asked for", add("[atoms]\nparticles = 0"), "atoms.particles", "a whole number from 1 to 2000"),
    Case("q range reversed", replace("[0.3, 4.5]", "[4.5, 0.3]"), "line 21: asaxs.q_range_inv_nm", "low < high"),
    Case("unit of q unknown", replace('9.63, q_unit = "1/nm"', '9.63, q_unit = "1/furlong"'), "asaxs.curves[1].q_unit", '"1/nm" or "1/angstrom"'),
    Case("curves and contrasts both", add(CONTRASTS.split("[contrasts]")[1].join(["[contrasts]", ""])), "project.toml", "exactly one of [asaxs] and [contrasts]"),
    Case("neither curves nor contrasts", text("project.toml", '[sample]\ntitle = "x"\n'), "project.toml", "exactly one of [asaxs] and [contrasts]"),
    Case("contrast of the shell missing", text("project.toml", CONTRASTS), "contrasts.curves[0].shell", 'a number or "fit"'),
    Case("contrasts with five shells", text("project.toml", CONTRASTS.replace('profile = "core_shell"', "shells = 5")), "particle.profile", 'write "homogeneous" or "core_shell"'),
    Case("TEM sizes without TEM", both(replace("shells = 5", 'sizes = "tem"'), replace('[tem]\ndiameters = "tem.csv"\n', "")), "particle.sizes", "needs [tem]"),
    Case("one file named twice", replace("asaxs_9630eV.dat", "asaxs_16000eV.dat"), "asaxs.curves", "take one out"),
    Case("standard deviation in per cent", replace('diameters = "tem.csv"', "mean_diameter_nm = 4.0\nstd_diameter_nm = 12.0\nparticles = 90"), "tem", "per cent"),
    Case("truth file in place of a project", add("[truth]\ndiameter_mean_nm = 4.0"), "line 33: [truth]", "nanostrata simulate"),
)  # fmt: skip
DATA = (
    Case("two files missing", lambda f: [(f / n).unlink() for n in ("asaxs_9630eV.dat", "edx.csv")], "line 24: asaxs.curves[1].file: the file asaxs_9630eV.dat does not exist", "edx.file: the file edx.csv"),
    Case("curve empty", text(CURVE, ""), CURVE, "q, intensity, sigma"),
    Case("curve is garbage", text(CURVE, bytes(range(256)) * 8), CURVE, "column"),
    Case("curve of one column", text(CURVE, "# q\n" + "\n".join(str(0.1 * i) for i in range(1, 40))), CURVE, "column"),
    Case("header without numbers", text(CURVE, "q(nm^-1) I sigma\n"), CURVE, "column"),
    Case("unit of q not stated", replace('energy_kev = 16.0, q_unit = "1/nm"', "energy_kev = 16.0"), CURVE, "write q_unit"),
    Case("unit of q contradicts the file", rows(lambda d: None, "# q(A^-1) I sigma"), CURVE, "leave q_unit out to go by the file"),
    Case("intensity not a number", rows(put(9, 1, float("nan"))), "line 11", 'on_bad_points = "drop"'),
    Case("sigma zero", rows(put(4, 2, 0.0)), "line 6", 'on_bad_points = "drop"'),
    Case("q negative", both(WIDE, rows(put(0, 0, -0.3))), "line 2", 'on_bad_points = "drop"'),
    Case("q infinite", both(WIDE, rows(put(59, 0, float("inf")))), "line 61", 'on_bad_points = "drop"'),
    Case("q repeated", rows(lambda d: d.insert(5, d[5])), "line 8", 'on_bad_points = "drop"'),
    Case("q not sorted", rows(lambda d: d.insert(5, d.pop(20))), CURVE, "sort"),
    Case("no errors in the file", rows(lambda d: [r[:2] for r in d], "# q I"), CURVE, "relative_sigma"),
    Case("q range leaves nothing", replace("[0.3, 4.5]", "[30, 45]"), CURVE, "q_range_inv_nm"),
    Case("XML broken off", text(CURVE, '<?xml version="1.0"?><SASroot><SASentry><SASdata>'), CURVE, "XML"),
    Case("XML with entities", text(CURVE, BOMB), CURVE, "entit"),
    Case("HDF5 broken off", text(CURVE, b"\x89HDF\r\n\x1a\n" + bytes(60)), CURVE, "HDF5"),
    Case("entry in a text file", replace("energy_kev = 16.0", 'energy_kev = 16.0, entry = "b"'), CURVE, "leave entry out"),
    # ---- absorption scans
    Case("scan is garbage", scan("# energy_ev mu", "lorem ipsum"), "zn.xdi", "expected an absorption scan"),
    Case("scan without a unit", scan("# energy mu"), "zn.xdi: the header does not say whether energies are in eV or keV", '"# energy_ev mu"'),
    Case("scan of another edge", scan("# energy_ev mu", shift_ev=2999.0), "do not hold the Zn K edge", "give a scan of this edge"),
    Case("scan too short on both sides", scan("# energy_ev mu", below_ev=40.0, above_ev=100.0), "too short before the Zn K edge", "too short after the Zn K edge"),
    Case("scan too coarse", scan("# energy_ev mu", step_ev=4.0), "zn.xdi", "Give a finer scan"),
    Case("scan without absorption", scan("# energy_ev i0 temperature"), "no absorption among the columns", "i0 with itrans or ifluor"),
    # ---- TEM and EDX
    Case("TEM table empty", text("tem.csv", ""), "tem.csv", "empty"),
    Case("TEM diameter negative", text("tem.csv", "major_nm,minor_nm\n4.1,-3.9\n"), "tem.csv, line 2", "> 0"),
    Case("TEM columns swapped", text("tem.csv", "major_nm,minor_nm\n3.9,4.4\n"), "tem.csv, line 2", "swapped"),
    Case("TEM columns unknown", text("tem.csv", "length,width\n3.9,3.4\n"), "tem.csv, line 1", "major_nm,minor_nm"),
    Case("ImageJ table without unit", text("tem.csv", "Label,Major,Minor\na,41,39\nb,42,40\n"), "tem.csv", 'unit = "nm"'),
    Case("EDX element unknown", text("edx.csv", "element,atomic_percent,error\nZn K,50,1\nSe,50,1\n"), "edx.csv, line 2", "symbol such as Zn"),
    Case("EDX in fractions", text("edx.csv", "element,atomic_percent,error\nZn,0.5,0.01\nSe,0.5,0.01\n"), "edx.csv", "atomic per cent"),
    Case("EDX without errors", text("edx.csv", "element,atomic_percent\nZn,50\nSe,50\n"), "edx", "error"),
)  # fmt: skip
TOGETHER = (
    Case("energy at the edge", replace("energy_kev = 9.63", "energy_kev = 9.66"), "9.6600 keV", "measured factors"),
    Case("energy not stated", replace("energy_kev = 9.63, ", ""), "asaxs.curves[1].energy_kev", "write energy_kev = 9.63", run_says="write energy_kev"),
    Case("dq asked for, not there", replace('scale = "common"', 'smearing = "dq"'), CURVE, 'smearing = "none"', run_says="needs a fourth column dq"),
)  # fmt: skip
LOOK = (
    Case("q ten times that of its sister", both(WIDE, rows(lambda d: sphere_rows(factor=0.1))), CURVE, "q_unit"),
)  # fmt: skip
REQUESTS = (
    Case("stage unknown", nothing, "--only shapes", "no such stage", ("run", "{project}", "--only", "shapes")),
    Case("stage unknown", nothing, "--only profil", "profile", ("run", "{project}", "--only", "profil")),
    Case("preset unknown", nothing, "--preset", "quick", ("run", "{project}", "--preset", "fast")),
    Case("scheduler not built", nothing, "--scheduler", "--workers", ("run", "{project}", "--scheduler", "tcp://x:1")),
    Case("project given twice", nothing, "twice", "once", ("run", "{project}", "{project}")),
    Case("run folder is a file", nothing, "edx.csv", "give a folder", ("run", "{project}", "--out", "{folder}/edx.csv")),
    Case("command not built", nothing, "particles", "nanostrata -h", ("particles", "{project}")),
    Case("simulate without a truth", nothing, "TRUTH", "--example", ("simulate",)),
    Case("simulate from a project file", nothing, "[truth]", "--example", ("simulate", "{project}", "--out", "{folder}/sim")),
    Case("scatter at an energy in eV", nothing, "--energies", "was eV meant", ("scatter", "{folder}/edx.csv", "--energies", "9630")),
    Case("scatter with q reversed", nothing, "--q-min", "q_min < q_max", ("scatter", "{folder}/edx.csv", "--energies", "9.63", "--q-min", "5", "--q-max", "1")),
    Case("scatter without a file", nothing, "none.xyz", "ASE", ("scatter", "{folder}/none.xyz", "--energies", "9.63")),
    Case("report of no run", nothing, "{folder}", "summary.json", ("report", "{folder}")),
    Case("cite of no run", nothing, "{folder}", "summary.json", ("cite", "{folder}")),
    Case("new over a project file", nothing, "project.toml", "another folder", ("new", "{folder}")),
    Case("new from a file", nothing, "--from", "give the folder", ("new", "{folder}/x", "--from", "{project}")),
)  # fmt: skip
CASES = (*PROJECT_FILE, *DATA, *TOGETHER, *LOOK, *REQUESTS)


def command(case: Case, folder: Path) -> list[str]:
    """Spoil a sound project in a folder and return the command line of the case."""
    project = good_project(folder)
    case.spoil(folder)
    return [a.format(folder=folder, project=project) for a in case.argv]


def main() -> None:
    """Print all cases and their messages as a table."""
    from typer.testing import CliRunner

    from nanostrata.interfaces.cli import app

    out = ["# Bad inputs", "", "What nanostrata says to wrong input. Every case ends with exit status 2.", ""]
    out += ["| input | command | message |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as top:
        for i, case in enumerate(CASES):
            folder = Path(top) / str(i) / "data"
            argv = command(case, folder)
            result = CliRunner().invoke(app, argv)
            said = [line for line in result.stderr.splitlines() if line.strip() and not line.startswith("warning:")]
            message = "<br>".join(said).replace(f"{folder}/", "").replace(str(folder), "data").replace("|", "\\|")
            shown = " ".join(argv).replace(f"{folder}/", "").replace(str(folder), "data")
            out.append(f"| {case.name} | `{shown}` | {message} |")
            shutil.rmtree(folder.parent)
    sys.stdout.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()

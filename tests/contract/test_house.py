"""The house keeps its shape: layers, light import, public names, small files, portable locks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "nanostrata"
HEAVY = ("numba", "scipy", "matplotlib", "ase", "h5py", "xraydb", "sasdata", "gemmi", "pandas", "lmfit", "sasmodels")
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
LONGEST = 400
LARGEST = 500_000
LARGE_ON_PURPOSE = {
    "src/nanostrata/_vendor/3Dmol-min.js": "the viewer of the report, which works offline",
}

PUBLIC = """
FactorTable Material Medium NanostrataError PairTable ProfileSettings Recipe ScatteringCurve ShellProfile
SizeDistribution SolidSolution __version__ fit_profile load_factors load_medium load_recipe make_material read_curve
run_project
""".split()


def modules_after(code: str) -> set[str]:
    """Return the top-level modules that a fresh Python has loaded after running the code."""
    probe = f"{code}\nimport sys, json\nprint(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, encoding="utf-8", check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def repository_files() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_imports_run_downwards_only() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"],
        cwd=ROOT, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_import_of_the_package_loads_nothing_heavy() -> None:
    assert not modules_after("import nanostrata") & {*HEAVY, "numpy", "pydantic", "typer"}


def test_public_names_are_these_and_can_be_imported() -> None:
    import nanostrata

    assert sorted(nanostrata.__all__) == sorted(PUBLIC)
    for name in PUBLIC:
        assert getattr(nanostrata, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        nanostrata.no_such_name  # noqa: B018


def test_version_is_the_same_everywhere() -> None:
    import nanostrata

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert project["version"] == nanostrata.__version__
    assert f"\nversion: {nanostrata.__version__}\n" in citation
    assert f"## {nanostrata.__version__}" in changes


@pytest.mark.parametrize("path", sorted(SOURCES.rglob("*.py")), ids=lambda p: p.relative_to(SOURCES).as_posix())
def test_source_files_stay_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST, f"{path.name} has {lines} lines; split it by what it does"


def test_no_file_is_large() -> None:
    large = {p.relative_to(ROOT).as_posix() for p in repository_files() if p.stat().st_size > LARGEST}
    assert large <= set(LARGE_ON_PURPOSE)


def test_texts_are_utf8_with_unix_line_ends() -> None:
    wrong = []
    for path in repository_files():
        if (
            path.suffix in (".py", ".md", ".toml", ".cff", ".yaml", ".lock")
            and "tests/reference" not in path.as_posix()
        ):
            content = path.read_bytes()
            content.decode("utf-8")
            if b"\r" in content:
                wrong.append(path.name)
    assert wrong == []


def test_links_in_documents_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_there_are_three_locks() -> None:
    assert [p.stem for p in LOCKS] == ["oracle", "run", "test"]


@pytest.mark.parametrize("path", LOCKS, ids=lambda p: p.stem)
def test_locks_name_no_host_and_no_folder(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text
    assert " @ " not in text
    assert not re.search(r"(?m)^-e|file:|/(opt|tmp|home|root|usr)/", text)


@pytest.mark.parametrize("path", LOCKS, ids=lambda p: p.stem)
def test_every_locked_package_has_a_version_and_a_hash(path: Path) -> None:
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", path.read_text(encoding="utf-8"))[1:]
    assert len(blocks) > 30
    for block in blocks:
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[^\s;]+", block), block
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block


def test_locks_hold_what_the_project_needs() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    run = locked("run")
    assert set(map(bare_name, table["project"]["dependencies"])) <= set(run)
    assert set(map(bare_name, table["build-system"]["requires"])) <= set(run)
    groups = table["dependency-groups"]
    assert {bare_name(r) for g in ("test", "lint") for r in groups[g]} <= set(locked("test"))
    assert set(map(bare_name, groups["oracle"])) <= set(locked("oracle"))


def test_locks_agree() -> None:
    small, middle, large = (locked(name) for name in ("run", "test", "oracle"))
    assert small.items() <= middle.items()
    assert middle.items() <= large.items()


def locked(name: str) -> dict[str, frozenset[str]]:
    """Return package -> its versions (one per Python) of a lock."""
    text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    out: dict[str, set[str]] = {}
    for package, version in re.findall(r"(?m)^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==([^\s;]+)", text):
        out.setdefault(package, set()).add(version)
    return {k: frozenset(v) for k, v in out.items()}


def bare_name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]

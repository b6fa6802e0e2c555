"""One or many projects through the pipeline, one table at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nanostrata.errors import NanostrataError, RecipeError
from nanostrata.interfaces import console
from nanostrata.interfaces.formatting import format_quantity

if TYPE_CHECKING:
    from nanostrata.pipeline.run import RunResult

__all__ = ["demo", "run_folders", "run_projects"]

_COLUMNS = (
    "sample",
    "chi2/n",
    "diameter (nm)",
    "mean x",
    "x outermost",
    "gradient",
    "shells supported",
    "atoms",
    "report",
)


def run_projects(
    projects: Sequence[Path],
    *,
    out: Path | None,
    preset: str,
    only: tuple[str, ...],
    seed: int,
    workers: int,
    fresh: bool,
    as_json: bool,
) -> int:
    """Run each project as if it were alone; a project that is refused does not stop the others.

    Returns
    -------
    int
        Exit status: 2 when a project was refused, else 3 when a verification failed, else 0.
    """
    from nanostrata.interfaces.report import render_report
    from nanostrata.pipeline.run import run_project

    console.state.quiet |= as_json
    finished: list[RunResult] = []
    shown: list[Any] = []
    refused = 0
    for project, folder in zip(projects, run_folders(projects, out), strict=True):
        console.state.log_file = folder / "run.log"
        tell = console.progress(str(project) if len(projects) > 1 else "")
        try:
            result = run_project(
                project, out=folder, preset=preset, only=only, seed=seed, workers=workers, fresh=fresh, progress=tell,
                render=render_report,
            )  # fmt: skip
        except NanostrataError as error:
            console.refuse(error.problems or (str(error),))
            shown.append({"project_file": str(project), "problems": list(error.problems)})
            refused += 1
            continue
        finished.append(result)
        shown.append(result.summary)
    if as_json:
        if len(projects) > 1 or finished:
            console.show_json(shown if len(projects) > 1 else shown[0])
    else:
        show_results(finished)
    return 2 if refused else max((r.exit_code for r in finished), default=0)


def run_folders(projects: Sequence[Path], out: Path | None) -> list[Path]:
    """Run folder of each project: ``out`` itself for one, folders in it for several, else beside each project file.

    Raises
    ------
    RecipeError
        When a project is given twice, or ``out`` is a file.
    """
    if len({p.resolve() for p in projects}) < len(projects):
        raise RecipeError("run: a project file is given twice; give each once")
    if out is not None and out.exists() and not out.is_dir():
        raise RecipeError(f"--out {out}: is a file; give a folder, which is made when it is missing")
    if out is None:
        return [p.parent / f"{p.stem}.run" for p in projects]
    if len(projects) == 1:
        return [out]
    names: list[str] = []
    for p in projects:
        name = p.resolve().parent.name if p.stem == "project" else p.stem
        same = sum(n == name or n.rsplit("-", 1)[0] == name for n in names)
        names.append(f"{name}-{same + 1}" if name in names else name)
    return [out / n for n in names]


def show_results(results: Sequence[RunResult]) -> None:
    """Print the warnings to stderr; to stdout the findings of a single run, or one table of several."""
    for result in results:
        for entry in result.summary.get("warnings", ()):
            console.warn(str(entry.get("message", entry)))
    if len(results) == 1:
        for finding in results[0].summary.get("findings", ()):
            console.say(f"[{finding['grade']}] {finding['text']}")
        if results[0].summary.get("findings"):
            console.say()
    if results:
        console.show_table(_COLUMNS, [_row(r) for r in results])


def _row(result: RunResult) -> list[str]:
    s = result.summary
    profile, particle = s.get("profile", {}), s.get("particle", {})
    fractions = profile.get("shell_fraction")
    outermost = {k: v[-1] for k, v in fractions.items()} if isinstance(fractions, Mapping) else None
    chi2 = (s.get("asaxs") or s.get("contrasts") or {}).get("chi2_reduced")
    page = result.run_dir / "report.html"
    return [
        str(s.get("sample", {}).get("title", result.run_dir.name)),
        f"{chi2:.2f}" if isinstance(chi2, float) else "-",
        _short(particle.get("diameter_mean_nm")),
        _short(profile.get("mean_shell_fraction")),
        _short(outermost),
        str(profile.get("gradient", "-")),
        str(profile.get("supported_shells", "-")),
        {True: "agree with all data", False: "FAIL", None: "-"}[(s.get("verification") or {}).get("passed")],
        str(page if page.is_file() else result.run_dir),
    ]


def _short(quantity: Any) -> str:
    return format_quantity(quantity).split(" (")[0] if quantity else "-"


def demo(out: Path, *, seed: int, fresh: bool) -> None:
    """Run the bundled samples, and end by printing the path of the report."""
    from nanostrata.interfaces.compare import compare_folders
    from nanostrata.interfaces.report import render_index, render_report
    from nanostrata.pipeline.demo import run_demo

    console.state.log_file = out / "thin" / "run" / "run.log"
    results = run_demo(out, seed=seed, fresh=fresh, progress=console.progress(), render=render_report)
    show_results(results)
    console.say()
    comparison = compare_folders([r.run_dir for r in results], out=out / "compare")
    page = render_index(
        out, [r.run_dir for r in results], title="Simulated thin- and thick-shell Ag-In-Se/ZnSe", comparison=comparison
    )
    console.say(str(page))

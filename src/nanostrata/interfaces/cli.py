"""The command ``nanostrata``: handlers ask and show; what they call is imported late, so that help is quick."""

from __future__ import annotations

import errno
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from typer.core import TyperGroup

from nanostrata.errors import NanostrataError, RecipeError
from nanostrata.interfaces import console

__all__ = ["app", "main"]


class _Commands(TyperGroup):
    """Turns errors into exit statuses: 2 for a wrong input or request, 130 when interrupted. Bugs go on to the hook."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except NanostrataError as error:
            console.refuse(error.problems or (str(error),))
        except OSError as error:
            if error.errno == errno.EPIPE or error.filename is None:
                raise
            console.refuse([f"{error.filename}: {error.strerror}; check the path, the permissions and the free space"])
        except KeyboardInterrupt:
            console.refuse(["interrupted; what was finished is kept, the same command goes on from there"])
            raise typer.Exit(130) from None
        raise typer.Exit(2)


class Preset(StrEnum):
    """How much time to spend."""

    quick = "quick"
    standard = "standard"
    full = "full"


app = typer.Typer(
    name="nanostrata",
    cls=_Commands,
    help="The graded structure of core/shell nanocrystals from X-ray scattering, with honest intervals.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Project: TypeAlias = Annotated[Path, typer.Argument(metavar="PROJECT", help="project file (TOML)")]
Run: TypeAlias = Annotated[Path, typer.Argument(metavar="RUN", help="folder of a finished run")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="print the summary as JSON on stdout alone")]
Seed: TypeAlias = Annotated[int, typer.Option(min=0, help="all random numbers come from it")]
Fresh: TypeAlias = Annotated[bool, typer.Option("--fresh", help="ignore what earlier runs stored")]


def _version(wanted: bool) -> None:
    if wanted:
        from nanostrata import __version__

        console.say(f"nanostrata {__version__}")
        raise typer.Exit


@app.callback(no_args_is_help=True, invoke_without_command=True)
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="print the traceback of a bug")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress on stderr")] = False,
) -> None:
    console.prepare_streams()
    console.state.debug, console.state.quiet, console.state.log_file = debug, quiet, None


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="folder for input and results")] = Path("nanostrata-demo"),
    seed: Seed = 1,
    fresh: Fresh = False,
) -> None:
    """Run the main job on bundled, simulated input.

    Two samples of Ag-In-Se/ZnSe nanocrystals, their truth beside every result.
    """
    from nanostrata.interfaces.batch import demo as run

    run(out, seed=seed, fresh=fresh)


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder of the project file; made when it is missing")],
    source: Annotated[Path | None, typer.Option("--from", metavar="FOLDER", help="read the data files there")] = None,
) -> None:
    """Write a commented project file to start from."""
    from nanostrata.interfaces.new import new_project

    new_project(folder, source)


@app.command()
def check(
    project: Project,
    out: Annotated[Path | None, typer.Option(help="write check.html with the curves there")] = None,
    as_json: Json = False,
) -> None:
    """Read everything, fit nothing, list all problems.

    Shows files, units, ranges, energies, f' and f'' of both tables, and the contrast at each energy.
    """
    from nanostrata.interfaces.check import check_project

    raise typer.Exit(check_project(project, out=out, as_json=as_json))


@app.command()
def run(
    projects: Annotated[list[Path], typer.Argument(metavar="PROJECT...", help="project files (TOML)")],
    out: Annotated[
        Path | None, typer.Option(help="run folder; with several projects the folder of their run folders")
    ] = None,
    preset: Annotated[Preset, typer.Option(help="time against certainty")] = Preset.standard,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="STAGE", help="read, profile, atoms, verify, explain, report; repeat for several"),
    ] = None,
    seed: Seed = 1,
    workers: Annotated[int, typer.Option(min=1, help="processes; the answer does not depend on it")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="not built in this version", hidden=True)
    ] = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Run the pipeline for one or many projects.

    A stage whose inputs did not change is not run again.
    """
    from nanostrata.interfaces.batch import run_projects

    if scheduler is not None:
        raise RecipeError("--scheduler: is not built yet in this version; write --workers N to use several cores")
    stages = tuple(s for text in only or () for s in text.replace(",", " ").split())
    raise typer.Exit(
        run_projects(
            projects,
            out=out,
            preset=preset.value,
            only=stages,
            seed=seed,
            workers=workers,
            fresh=fresh,
            as_json=as_json,
        )
    )


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="folders of finished runs")],
    out: Annotated[Path, typer.Option(help="folder of the comparison")] = Path("nanostrata-compare"),
    common_error: Annotated[
        float, typer.Option(metavar="REL", help="relative error of the diffusivity that all samples share")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Show samples side by side.

    Profiles, sizes, diffusivities and activation energy with intervals, mismatch, coverage, and what differs.
    """
    from nanostrata.interfaces.compare import compare_folders

    compare_folders(runs, out=out, common_relative_error=common_error, as_json=as_json)


@app.command()
def plan(
    project: Project,
    energies: Annotated[
        str | None, typer.Option(metavar="KEV,...", help="energies to judge in place of the planned ones")
    ] = None,
    exposure: Annotated[
        str | None, typer.Option(metavar="S,...", help="seconds at each energy: one number, or one for each")
    ] = None,
    shells: Annotated[int | None, typer.Option(help="number of shells, in place of particle.shells")] = None,
    out: Annotated[Path, typer.Option(help="folder of the answer")] = Path("nanostrata-plan"),
    as_json: Json = False,
) -> None:
    """Say before the beamtime what it will tell, and plan it better.

    Needs no data files: a table [plan] gives energies, q range, noise and a guess of the profile.
    """
    from nanostrata.interfaces.plan import plan_command

    plan_command(project, energies=energies, exposure=exposure, shells=shells, out=out, as_json=as_json)


@app.command()
def simulate(
    truth: Annotated[Path | None, typer.Argument(metavar="TRUTH", help="project file plus [truth]")] = None,
    out: Annotated[Path | None, typer.Option(help="folder for the measurements")] = None,
    seed: Seed = 1,
    example: Annotated[bool, typer.Option("--example", help="print a truth file to start from")] = False,
) -> None:
    """Make measurements of particles of known truth."""
    from nanostrata.pipeline import simulate_run

    if example:
        return console.say(simulate_run.example_truth().rstrip("\n"))
    if truth is None or out is None:
        raise RecipeError("simulate: needs TRUTH and --out DIR, or --example to print a truth file to start from")
    written = simulate_run.simulate_run(truth, out, seed=seed, progress=console.progress())
    return console.say(str(written))


@app.command()
def scatter(
    structure: Annotated[Path, typer.Argument(metavar="STRUCTURE", help="atoms, in any file that ASE reads")],
    energies: Annotated[str, typer.Option(metavar="KEV,...", help="photon energies in keV, separated by commas")],
    q_min: Annotated[float, typer.Option(help="1/nm")] = 0.1,
    q_max: Annotated[float, typer.Option(help="1/nm")] = 50.0,
    points: Annotated[int, typer.Option(help="equispaced")] = 500,
    medium: Annotated[str, typer.Option(metavar="NAME|none", help="what the particle floats in")] = "none",
    b_factor: Annotated[
        str, typer.Option(metavar="NM2", help="Debye-Waller factor B, or one per element: Cd=0.012,Se=0.009")
    ] = "0",
    thermal_diffuse: Annotated[
        bool, typer.Option("--thermal-diffuse", help="add what independent vibrations take from the pairs")
    ] = False,
    volume_per_site: Annotated[
        float | None, typer.Option(metavar="NM3", help="medium that each atom displaces")
    ] = None,
    factors: Annotated[str, typer.Option(metavar="TABLE", help="chantler or cromer-liberman")] = "chantler",
    out: Annotated[Path | None, typer.Option(metavar="FILE.csv", help="default: stdout")] = None,
) -> None:
    """Compute the scattering of atoms at any energy."""
    from nanostrata.pipeline.scatter_run import scatter_file

    written = scatter_file(
        structure, energies, q_min=q_min, q_max=q_max, points=points, medium=medium, b_factor_nm2=b_factor,
        volume_per_site=volume_per_site, out=out, factors=factors, thermal_diffuse=thermal_diffuse,
        tell=console.progress(),
    )  # fmt: skip
    console.say(str(written).rstrip("\n"))


@app.command()
def shape(
    curve: Annotated[Path, typer.Argument(metavar="CURVE", help="one scattering curve, background subtracted")],
    q_unit: Annotated[
        str | None, typer.Option(metavar="UNIT", help="1/nm or 1/angstrom, where the file is silent")
    ] = None,
    spread: Annotated[float, typer.Option(metavar="REL", help="relative standard deviation of the size, 0.12")] = 0.0,
    spread_error: Annotated[float, typer.Option(metavar="REL", help="its own error, as a share of it")] = 0.065,
    spread_shape: Annotated[
        str, typer.Option(metavar="KIND", help="distribution of the sizes: gaussian or lognormal")
    ] = "gaussian",
    anisometry: Annotated[
        str, typer.Option(metavar="SIDE", help="prolate or oblate: the other is not looked for; default any")
    ] = "any",
    runs: Annotated[int, typer.Option(help="runs on the data, in all; those done before are taken")] = 20,
    out: Annotated[Path | None, typer.Option(help="run folder; default CURVE with .shape")] = None,
    preset: Annotated[Preset, typer.Option(help="time against certainty")] = Preset.standard,
    bead: Annotated[float | None, typer.Option(metavar="NM", help="diameter of a bead; default from the data")] = None,
    q_min: Annotated[float | None, typer.Option(help="1/nm; default as the data allow")] = None,
    q_max: Annotated[float | None, typer.Option(help="1/nm; default as the data allow")] = None,
    no_constant: Annotated[bool, typer.Option("--no-constant", help="fit no flat background")] = False,
    relative_sigma: Annotated[float | None, typer.Option(metavar="REL", help="for a file without errors")] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="GNOM output or bead model of the same curve to set beside; may be repeated"),
    ] = None,
    compare_unit: Annotated[
        str | None, typer.Option(metavar="UNIT", help="of its lengths, angstrom or nm; default the one that fits")
    ] = None,
    seed: Seed = 1,
    workers: Annotated[int, typer.Option(min=1, help="processes; the answer does not depend on it")] = 1,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Find the shape behind one curve, ab initio.

    For any particles in solution; those that differ in size are told by --spread.
    """
    from nanostrata.interfaces.shape import shape_curve

    shape_curve(
        curve, as_json=as_json, q_unit=q_unit, spread=spread, spread_error=spread_error, runs=runs, out=out,
        preset=preset.value, bead_nm=bead, with_constant=not no_constant, relative_sigma=relative_sigma, seed=seed,
        q_min=q_min, q_max=q_max, workers=workers, fresh=fresh, spread_shape=spread_shape, anisometry=anisometry, compare=tuple(compare or ()),
        compare_unit=compare_unit,
    )  # fmt: skip


@app.command()
def report(run: Run) -> None:
    """Render the report again from a finished run."""
    from nanostrata.interfaces.report import render_report
    from nanostrata.interfaces.shape_page import is_shape, render_shape

    console.say(str(render_shape(run) if is_shape(run) else render_report(run)))


@app.command()
def doctor() -> None:
    """Show versions and health of the installation."""
    from nanostrata.interfaces.doctor import show_health

    raise typer.Exit(show_health())


@app.command()
def cite(run: Run) -> None:
    """Print what to cite for exactly this run."""
    from nanostrata.interfaces.cite import cite_run

    console.say(cite_run(run).rstrip("\n"))


def main() -> None:
    """Entry point of the command."""
    sys.excepthook = console.show_bug
    # not app(): that would put typer's hook in the place of ours
    typer.main.get_command(app)(prog_name="nanostrata")

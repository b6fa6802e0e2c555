"""What a run owes to others: the references it used, as BibTeX and as a numbered list."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nanostrata.interfaces.formatting import as_float
from nanostrata.interfaces.references import REFERENCES, Reference
from nanostrata.interfaces.run_folder import first_of, libraries_of, look_up, read_run_folder

__all__ = ["REFERENCES", "Reference", "cite_run", "linear_lattices", "mismatch_stated", "references_used"]


def references_used(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Keys of the references that this run used, in the order of ``REFERENCES``.

    ``summary["references"]``, a list of keys, decides when the run wrote one; otherwise the parts of the summary do:
    the multi-shell method when there is a profile, each factor table that was used or compared, the readers of the
    file formats that were read, atoms and viewer when a particle was built, the scattering of atoms when they were
    verified, Fick's law in a sphere when there is a diffusivity, Vegard's law when lattice constants were mixed by it.
    """
    given = summary.get("references")
    if isinstance(given, (list, tuple)):
        return tuple(k for k in REFERENCES if k in given)
    used = {"numpy2020", "scipy2020", "matplotlib2007", "trewhella2017", "nxcansas"}
    if "numba" in libraries_of(summary):
        used.add("numba2015")
    if "profile" in summary:
        used.add("yarema2017")
    used |= _factor_references(summary)
    if "atoms" in summary:
        used |= {"ase2017", "3dmol2015"}
    if summary.get("simulated") or "verification" in summary:
        used.add("waasmaier1995")
    used |= _atom_references(summary)
    if isinstance(summary.get("waxs"), Mapping):
        used.add("golub1973")
        if isinstance(look_up(summary, "waxs.whole_pattern.diameter_mean_nm"), Mapping):
            used.add("debye1915")
    if mismatch_stated(summary) or linear_lattices(summary):
        used |= {"vegard1921", "denton1991"}
    if any(name.endswith((".xml", ".h5", ".hdf5", ".nxs", ".hdf")) for name in _input_names(summary)):
        used.add("sasdata")
    return tuple(k for k in REFERENCES if k in used)


def _atom_references(summary: Mapping[str, Any]) -> set[str]:
    used: set[str] = set()
    if isinstance(summary.get("verification"), Mapping):
        used.add("debye1915")
    if as_float(look_up(summary, "atoms.particles")) > 1 and as_float(look_up(summary, "atoms.quadrature_error")) >= 0:
        used.add("golub1969")
    if isinstance(look_up(summary, "atoms.relax"), Mapping):
        used |= {"keating1966", "martin1970"}
    if isinstance(look_up(summary, "diffusion.diffusivity_cm2_s"), Mapping):
        used.add("crank1975")
    return used


def mismatch_stated(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Entries of the mismatch that state their largest step."""
    entries = summary.get("mismatch")
    rows = entries if isinstance(entries, list) else []
    return [e for e in rows if isinstance(e, Mapping) and isinstance(e.get("maximum_percent"), Mapping)]


def linear_lattices(summary: Mapping[str, Any]) -> bool:
    """Whether the recipe mixes two materials of one structure, whose lattice constants are then linear in x."""
    first, second = (look_up(summary, f"recipe.materials.{m}.lattice") for m in ("core", "shell"))
    both = isinstance(first, Mapping) and isinstance(second, Mapping)
    return bool(both and "structure" in first and first["structure"] == second.get("structure"))


def _factor_references(summary: Mapping[str, Any]) -> set[str]:
    factors = first_of(summary, "asaxs.factors", "recipe.asaxs.factors")
    if factors is None:
        return set()
    other = look_up(summary, "profile.table_systematic_table")
    # "chantler + measured Zn": the table still gives the other elements
    tables = {t.split(" + ")[0] for t in (factors, other) if isinstance(t, str)}
    used: set[str] = set()
    if "chantler" in tables or isinstance(factors, Mapping):
        used |= {"chantler1995", "xraydb"}
    if "cromer-liberman" in tables:
        used |= {"cromer1981", "gemmi2022"}
    return used


def _input_names(summary: Mapping[str, Any]) -> list[str]:
    inputs = summary.get("inputs")
    rows = inputs if isinstance(inputs, list) else []
    return [str(r.get("file", "")).lower() for r in rows if isinstance(r, Mapping)]


def software_reference(summary: Mapping[str, Any]) -> Reference:
    """Reference to nanostrata itself, in the version that made the run."""
    name, version = software_of(summary)
    return Reference("nanostrata", "misc", "{The nanostrata developers}", name, (("note", f"Version {version}"),))


def software_of(summary: Mapping[str, Any]) -> tuple[str, str]:
    """Name and version from the summary's ``software`` entry, a string or a mapping."""
    software = summary.get("software")
    if isinstance(software, Mapping):
        return str(software.get("name", "nanostrata")), str(software.get("version", "unknown"))
    text = str(software or "nanostrata unknown").split()
    return (text[0], text[-1]) if len(text) > 1 else ("nanostrata", text[0])


def cite_run(run_dir: Path | str) -> str:
    """BibTeX for exactly this run.

    Raises
    ------
    DataError
        When the folder is no finished run.
    """
    run = read_run_folder(run_dir)
    used = set(references_used(run.summary))
    if run.particle is not None:
        used |= {"3dmol2015"}
    entries = [software_reference(run.summary), *(r for k, r in REFERENCES.items() if k in used)]
    return "\n\n".join(e.as_bibtex() for e in entries) + "\n"

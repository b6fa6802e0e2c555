"""Structures of atoms on disk: extended XYZ with our site data, CIF, LAMMPS data, POSCAR and PDB through ASE.

Angstrom outside, nm inside.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nanostrata.domain import AtomicModel, FloatArray
from nanostrata.errors import DataError, MissingExtraError, PhysicsError
from nanostrata.io.structure_readme import write_readme
from nanostrata.io.text_out import write_text

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["FORMATS", "depth_nm", "read_structure", "to_ase", "write_extxyz", "write_format", "write_structures"]

ANGSTROM_PER_NM = 10.0

BOX_MARGIN_NM = 0.5
"""Empty space round a particle in files that need a periodic box: images are 1 nm apart."""

_PROPERTIES = "species:S:1:pos:R:3:shell:I:1:radius_fraction:R:1:site_volume:R:1"
_WRITTEN = _PROPERTIES + ":depth_nm:R:1"
_WORDS = ("axis", "structure", "lattice", "charge_unknown")
_OURS = re.compile(r"particle_\d{3,}\.(extxyz|cif|data|POSCAR|pdb)")


def depth_nm(model: AtomicModel) -> FloatArray:
    r"""Distance of each site below the surface, nm.

    .. math:: d = (1 - s)\, R_{eff}, \qquad R_{eff} = (A B C)^{1/3}

    with s the ellipsoidal radius fraction and A, B, C the semi-axes of the cutting ellipsoid: exact for spheres, and for
    spheroids the depth at which a site of a sphere of the same volume would lie. Sites of the surface layer that lie just
    outside the cutting ellipsoid have a small negative depth. Without semi-axes (files of other programs) the largest
    distance from the centre takes their place.
    """
    a, b, c = model.semi_axes_nm
    radius = (a * b * c) ** (1.0 / 3.0)
    if radius <= 0.0:
        radius = float(np.sqrt((model.positions_nm**2).sum(axis=1)).max(initial=0.0))
    return np.asarray((1.0 - model.radius_fraction) * radius)


def write_extxyz(path: Path, model: AtomicModel, *, comment: str = "", vacancies: bool = True) -> Path:
    """Write a particle as extended XYZ.

    Parameters
    ----------
    path : Path
        Appears under its name only when complete.
    model : AtomicModel
    comment : str
        Free text for the second line.
    vacancies : bool
        Keep vacant sites as "X": they displace medium, and ``read_structure`` needs them for an exact round trip. Other
        programs may want them left out; their volume is then lost.

    Notes
    -----
    Columns: symbol, x, y, z (angstrom), shell (1 = centre), radius_fraction (0..1), site_volume (angstrom^3), depth_nm
    (:func:`depth_nm`).
    """
    keep = [k for k, s in enumerate(model.symbols) if vacancies or s != "X"]
    shell, depth = _shells(model), depth_nm(model)
    axes = " ".join(f"{v * ANGSTROM_PER_NM:.6f}" for v in model.semi_axes_nm)
    facts = " ".join(f'nanostrata_{k}="{v}"' for k, v in model.info.items())
    text = comment.replace('"', "'").replace("\n", " ")
    lines = [
        str(len(keep)),
        f'Properties={_WRITTEN} pbc="F F F" semi_axes="{axes}" units="angstrom, angstrom^3, depth in nm" '
        f'{facts} comment="{text}"',
    ]
    for k in keep:
        x, y, z = model.positions_nm[k] * ANGSTROM_PER_NM
        v = model.site_volume_nm3[k] * ANGSTROM_PER_NM**3
        lines.append(
            f"{model.symbols[k]:2s} {x:12.6f} {y:12.6f} {z:12.6f} {shell[k]:3d} {model.radius_fraction[k]:.6f} {v:.6f} "
            f"{depth[k]:.5f}"
        )
    return write_text(Path(path), "\n".join(lines) + "\n")


def to_ase(
    model: AtomicModel,
    *,
    vacancies: bool = False,
    margin_nm: float | None = None,
    oxidation: Mapping[str, int] | None = None,
) -> Atoms:
    """Return the particle as an ASE ``Atoms`` object, angstrom.

    Parameters
    ----------
    vacancies : keep vacant sites as "X"
    margin_nm : put the particle into a periodic box with this much empty space on each side; None: no box, centred on 0
    oxidation : element -> state, set as initial charges

    Returns
    -------
    ase.Atoms
        With the arrays ``shell``, ``radius_fraction``, ``depth_nm`` and ``site_volume`` (angstrom^3).

    Raises
    ------
    PhysicsError
        When ``oxidation`` lacks an element.
    """
    from ase import Atoms

    keep = np.array([vacancies or s != "X" for s in model.symbols], dtype=bool)
    symbols = [s for s, k in zip(model.symbols, keep, strict=True) if k]
    positions = model.positions_nm[keep] * ANGSTROM_PER_NM
    atoms = Atoms(symbols, positions=positions)
    atoms.new_array("shell", _shells(model)[keep])
    atoms.new_array("radius_fraction", model.radius_fraction[keep])
    atoms.new_array("depth_nm", depth_nm(model)[keep])
    atoms.new_array("site_volume", model.site_volume_nm3[keep] * ANGSTROM_PER_NM**3)
    if oxidation is not None:
        missing = sorted(set(symbols) - set(oxidation) - {"X"})
        if missing:
            raise PhysicsError(f"oxidation: no state for {', '.join(missing)}")
        atoms.set_initial_charges([float(oxidation.get(s, 0)) for s in symbols])
    if margin_nm is not None:
        margin = margin_nm * ANGSTROM_PER_NM
        low, high = positions.min(axis=0) - margin, positions.max(axis=0) + margin
        atoms.set_cell(np.round(high - low, 4))
        atoms.set_positions(positions - low)
        atoms.set_pbc(True)
    return atoms


def write_format(path: Path, model: AtomicModel, format: str, *, oxidation: Mapping[str, int] | None = None) -> Path:
    """Write the atoms (no vacancies) in a format of other programs.

    Parameters
    ----------
    path : appears under its name only when complete
    format : one of :data:`FORMATS`
        "cif": one cell in P 1, all occupancies 1. "lammps": data file in metal units with masses, atom types in
        alphabetic order of the elements; style charge where ``oxidation`` is given, else atomic. "poscar": direct
        coordinates, elements in alphabetic order. "pdb": residue number = shell, B column = depth below the surface in
        angstrom. The box is the particle with :data:`BOX_MARGIN_NM` of empty space on each side.
    oxidation : element -> state, for LAMMPS

    Raises
    ------
    PhysicsError
        For an unknown format, a particle without atoms, or an element without state.
    """
    if format not in _WRITERS:
        raise PhysicsError(f"format: expected one of {', '.join(_WRITERS)}, got {format!r}")
    if all(s == "X" for s in model.symbols):
        raise PhysicsError("the particle has no atoms, only vacant sites")
    return write_text(Path(path), _WRITERS[format](model, oxidation))


def write_structures(
    folder: Path,
    models: Sequence[AtomicModel],
    *,
    formats: Sequence[str] = ("cif", "lammps", "poscar", "pdb"),
    all_in_all_formats: bool = False,
    oxidation: Mapping[str, int] | None = None,
    weights: Sequence[float] | FloatArray | None = None,
    title: str = "",
) -> tuple[Path, ...]:
    """Write an ensemble: every particle as extended XYZ, the first in other formats too, and a README.txt.

    The same particles give the same bytes. Numbered files of an earlier, larger ensemble in the folder are removed.

    Parameters
    ----------
    folder : made if missing
    models : one or more particles
    formats : of :data:`FORMATS`, besides extended XYZ
    all_in_all_formats : not the first particle only
    oxidation : element -> state, for LAMMPS charges
    weights : number of particles that each one stands for, told in README.txt
    title : of the sample, for README.txt and comments

    Returns
    -------
    paths of all files, README.txt last

    Raises
    ------
    PhysicsError
        Without particles, or for an unknown format.
    """
    if not models:
        raise PhysicsError("structures: expected at least one particle, got none")
    unknown = [f for f in formats if f not in _WRITERS]
    if unknown:
        raise PhysicsError(f"format: expected one of {', '.join(_WRITERS)}, got {unknown[0]!r}")
    folder = Path(folder)
    digits = max(3, len(str(len(models))))
    paths: list[Path] = []
    for number, model in enumerate(models, start=1):
        stem = f"particle_{number:0{digits}d}"
        paths.append(write_extxyz(folder / f"{stem}.extxyz", model, comment=f"{title} {stem}".strip()))
        if number == 1 or all_in_all_formats:
            paths += [
                write_format(folder / f"{stem}.{FORMATS[f]}", model, f, oxidation=oxidation)
                for f in dict.fromkeys(formats)
            ]
    margin = BOX_MARGIN_NM * ANGSTROM_PER_NM
    paths.append(write_readme(folder, models, paths, weights, oxidation, title, margin_angstrom=margin))
    for old in folder.iterdir():
        if _OURS.fullmatch(old.name) and old not in paths:
            old.unlink()
    return tuple(paths)


def read_structure(path: Path) -> AtomicModel:
    """Read atoms: our extended XYZ with its site data, or any format that ASE reads.

    Parameters
    ----------
    path : Path

    Returns
    -------
    AtomicModel
        With the facts of line 2 in ``info``. Centred on the mean position when the file is not ours. Without site data
        the site volumes are zero and the semi-axes unknown (0).

    Raises
    ------
    DataError
        With the file and what is wrong with it: missing, empty, unreadable, no atoms.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected a structure (XYZ, CIF, PDB, … any format that ASE reads)")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")
    if path.suffix.lower() in (".xyz", ".extxyz"):
        with path.open(encoding="utf-8", errors="replace") as stream:
            head = [stream.readline(), stream.readline()]
        if _PROPERTIES in head[1]:
            return _read_ours(path, head)
    return _read_with_ase(path)


def _read_ours(path: Path, head: list[str]) -> AtomicModel:
    problems: list[str] = []
    symbols: list[str] = []
    rows: list[list[float]] = []
    body = path.read_text(encoding="utf-8").splitlines()[2:]
    # files of older versions end with the site volume; later columns are derived and not read
    columns = 8 if _WRITTEN in head[1] else 7
    for number, line in enumerate(body, start=3):
        parts = line.split()
        if not parts:
            continue
        try:
            values = [float(v) for v in parts[1:]]
        except ValueError:
            values = []
        if len(parts) != columns or len(values) != columns - 1:
            problems.append(f"{path}, line {number}: expected a symbol and {columns - 1} numbers, got {line.strip()!r}")
            continue
        symbols.append(parts[0])
        rows.append(values)
    stated = head[0].strip()
    if stated.isdigit() and int(stated) != len(symbols) and not problems:
        problems.append(f"{path}: line 1 announces {stated} atoms, the file holds {len(symbols)}; it may be cut short")
    axes = re.search(r'semi_axes="([^"]*)"', head[1])
    if problems or not symbols:
        raise DataError(*(problems or [f"{path}: no atoms"]))
    table = np.array(rows)
    semi = tuple(float(v) / ANGSTROM_PER_NM for v in axes.group(1).split()) if axes else (0.0, 0.0, 0.0)
    return AtomicModel(
        symbols=tuple(symbols),
        positions_nm=table[:, :3] / ANGSTROM_PER_NM,
        shell_index=table[:, 3].astype(np.int64),
        radius_fraction=table[:, 4],
        site_volume_nm3=table[:, 5] / ANGSTROM_PER_NM**3,
        semi_axes_nm=(semi[0], semi[1], semi[2]),
        info={k: _fact(k, v) for k, v in re.findall(r'nanostrata_(\w+)="([^"]*)"', head[1])},
    )


def _fact(key: str, text: str) -> float | int | str:
    """A number where it is one; directions such as "001" stay words."""
    if key in _WORDS:
        return text
    try:
        return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
    except ValueError:
        return text


def _read_with_ase(path: Path) -> AtomicModel:
    try:
        import ase.io
        from ase.io.formats import UnknownFileTypeError
    except ImportError:
        raise MissingExtraError(f"{path}: reading this needs ASE, which is not installed: pip install ase") from None
    try:
        atoms = ase.io.read(str(path))
    except UnknownFileTypeError:
        raise DataError(
            f"{path}: ASE knows no format of this kind; expected e.g. .xyz, .extxyz, .cif, .pdb, POSCAR"
        ) from None
    except (ValueError, KeyError, IndexError, OSError, StopIteration, RuntimeError, AssertionError, TypeError) as error:
        raise DataError(f"{path}: could not be read as a structure ({type(error).__name__}: {error})") from error
    symbols = tuple(atoms.get_chemical_symbols())
    if not symbols:
        raise DataError(f"{path}: no atoms")
    positions = np.asarray(atoms.get_positions(), dtype=np.float64) / ANGSTROM_PER_NM
    positions = positions - positions.mean(axis=0)
    radius = np.sqrt((positions**2).sum(axis=1))
    return AtomicModel(
        symbols=symbols,
        positions_nm=positions,
        radius_fraction=radius / max(float(radius.max()), 1e-12),
        site_volume_nm3=np.zeros(len(symbols)),
        semi_axes_nm=(0.0, 0.0, 0.0),
    )


# ------------------------------------------------------------------------------------------------------- writers


def _shells(model: AtomicModel) -> Any:
    return model.shell_index if len(model.shell_index) else np.zeros(len(model), dtype=np.int64)


def _boxed(model: AtomicModel, oxidation: Mapping[str, int] | None = None) -> Atoms:
    return to_ase(model, margin_nm=BOX_MARGIN_NM, oxidation=oxidation)


def _cif(model: AtomicModel, oxidation: Mapping[str, int] | None) -> str:
    import ase.io

    stream = io.BytesIO()
    ase.io.write(stream, _boxed(model), format="cif")
    return stream.getvalue().decode("utf-8")


def _lammps(model: AtomicModel, oxidation: Mapping[str, int] | None) -> str:
    import ase.io

    atoms = _boxed(model, oxidation)
    stream = io.StringIO()
    style = "atomic" if oxidation is None else "charge"
    order = sorted(set(atoms.get_chemical_symbols()))
    ase.io.write(stream, atoms, format="lammps-data", specorder=order, masses=True, units="metal", atom_style=style)
    return stream.getvalue()


def _poscar(model: AtomicModel, oxidation: Mapping[str, int] | None) -> str:
    import ase.io

    stream = io.StringIO()
    ase.io.write(stream, _boxed(model), format="vasp", direct=True, sort=True)
    return stream.getvalue()


def _pdb(model: AtomicModel, oxidation: Mapping[str, int] | None) -> str:
    import ase.io

    atoms = _boxed(model)
    atoms.new_array("residuenumbers", atoms.get_array("shell"))
    # the column is six wide
    atoms.new_array("bfactor", np.clip(atoms.get_array("depth_nm") * ANGSTROM_PER_NM, -99.99, 999.99))
    stream = io.StringIO()
    ase.io.write(stream, atoms, format="proteindatabank")
    return stream.getvalue()


_WRITERS: Mapping[str, Callable[[AtomicModel, Mapping[str, int] | None], str]] = {
    "cif": _cif,
    "lammps": _lammps,
    "poscar": _poscar,
    "pdb": _pdb,
}

FORMATS: Mapping[str, str] = {"cif": "cif", "lammps": "data", "poscar": "POSCAR", "pdb": "pdb"}
"""Formats besides extended XYZ, and the ends of their files' names."""

"""Structures of atoms on disk: extended XYZ with our site data, others through ASE. Angstrom outside, nm inside."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from nanostrata.domain import AtomicModel
from nanostrata.errors import DataError

ANGSTROM_PER_NM = 10.0

_PROPERTIES = "species:S:1:pos:R:3:shell:I:1:radius_fraction:R:1:site_volume:R:1"
_COLUMNS = 7


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
    Columns: symbol, x, y, z (angstrom), shell (1 = centre), radius_fraction (0..1), site_volume (angstrom^3).
    """
    keep = [k for k, s in enumerate(model.symbols) if vacancies or s != "X"]
    shell = model.shell_index if len(model.shell_index) else np.zeros(len(model), dtype=np.int64)
    axes = " ".join(f"{v * ANGSTROM_PER_NM:.6f}" for v in model.semi_axes_nm)
    facts = " ".join(f'nanostrata_{k}="{v}"' for k, v in model.info.items())
    text = comment.replace('"', "'").replace("\n", " ")
    lines = [
        str(len(keep)),
        f'Properties={_PROPERTIES} pbc="F F F" semi_axes="{axes}" units="angstrom, angstrom^3" '
        f'{facts} comment="{text}"',
    ]
    for k in keep:
        x, y, z = model.positions_nm[k] * ANGSTROM_PER_NM
        v = model.site_volume_nm3[k] * ANGSTROM_PER_NM**3
        lines.append(
            f"{model.symbols[k]:2s} {x:12.6f} {y:12.6f} {z:12.6f} {shell[k]:3d} {model.radius_fraction[k]:.6f} {v:.6f}"
        )
    path = Path(path)
    partial = path.with_name(path.name + ".part")
    partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.replace(partial, path)
    return path


def read_structure(path: Path) -> AtomicModel:
    """Read atoms: our extended XYZ with its site data, or any format that ASE reads.

    Parameters
    ----------
    path : Path

    Returns
    -------
    AtomicModel
        Centred on the mean position when the file is not ours. Without site data the site volumes are zero and the
        semi-axes unknown (0).

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
    for number, line in enumerate(body, start=3):
        parts = line.split()
        if not parts:
            continue
        try:
            values = [float(v) for v in parts[1:]]
        except ValueError:
            values = []
        if len(parts) != _COLUMNS or len(values) != _COLUMNS - 1:
            problems.append(
                f"{path}, line {number}: expected a symbol and {_COLUMNS - 1} numbers, got {line.strip()!r}"
            )
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
    )


def _read_with_ase(path: Path) -> AtomicModel:
    import ase.io
    from ase.io.formats import UnknownFileTypeError

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

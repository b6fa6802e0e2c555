"""Maps in the MRC/CCP4 format (MRC2014), which PyMOL and ChimeraX open."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.errors import DataError

_HEADER = 1024
_ANGSTROM_PER_NM = 10.0


def write_mrc(path: Path, values_xyz: FloatArray, voxel_nm: float, *, label: str = "") -> Path:
    """Write a cubic map around the origin, lengths in angstrom, 32-bit floats.

    Where it lies is told twice: by ORIGIN, which PyMOL and ChimeraX take, and by the first grid point (NSTART), which
    programs for crystals (gemmi, Coot) take; those that know both use ORIGIN.

    Parameters
    ----------
    path : file; it appears under its name only when complete
    values_xyz : (n, n, n), axes x, y, z; the middle voxel lies at the origin
    voxel_nm : edge of a voxel
    label : up to 80 characters of ASCII
    """
    path = Path(path)
    n = values_xyz.shape[0]
    data = np.ascontiguousarray(values_xyz.transpose(2, 1, 0), dtype="<f4")  # x runs fastest
    edge = n * voxel_nm * _ANGSTROM_PER_NM
    origin = -(n // 2) * voxel_nm * _ANGSTROM_PER_NM
    header = bytearray(_HEADER)
    struct.pack_into(
        "<3i i 3i 3i 3f 3f 3i", header, 0, n, n, n, 2, *(-(n // 2),) * 3, n, n, n, *(edge,) * 3, *(90.0,) * 3, 1, 2, 3
    )
    struct.pack_into(
        "<3f i i", header, 76, float(data.min()), float(data.max()), float(data.mean(dtype=np.float64)), 1, 0
    )
    header[104:108] = b"MRCO"
    struct.pack_into("<i", header, 108, 20140)
    struct.pack_into("<3f", header, 196, origin, origin, origin)
    header[208:212] = b"MAP "
    header[212:216] = bytes((0x44, 0x44, 0, 0))
    struct.pack_into("<f i", header, 216, float(data.std(dtype=np.float64)), 1)
    header[224:304] = label.encode("ascii", "replace")[:80].ljust(80)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(bytes(header) + data.tobytes())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return path


def read_mrc(path: Path) -> tuple[FloatArray, float, FloatArray]:
    """Read a map of 32-bit floats with cubic voxels: values (x, y, z), voxel edge (nm) and origin (nm).

    Raises
    ------
    DataError
        When it is not such a map.
    """
    raw = Path(path).read_bytes()
    if len(raw) < _HEADER or raw[208:212] != b"MAP ":
        raise DataError(f"{path}: expected an MRC/CCP4 map (the word MAP at byte 208), found none")
    order = "<" if raw[212] in (0x44, 0x41) else ">"
    nx, ny, nz, mode = struct.unpack_from(order + "4i", raw, 0)
    if mode != 2:
        raise DataError(f"{path}: mode {mode}; only 32-bit floats (mode 2) are read")
    mx, my, mz = struct.unpack_from(order + "3i", raw, 28)
    cell = np.array(struct.unpack_from(order + "3f", raw, 40)) / np.array([mx, my, mz]) / _ANGSTROM_PER_NM
    if np.ptp(cell) > 1e-4 * cell[0]:
        raise DataError(f"{path}: voxels of {cell} nm; only cubic ones are read")
    if struct.unpack_from(order + "3i", raw, 64) != (1, 2, 3):
        raise DataError(f"{path}: axes in another order than x, y, z are not read")
    extended = struct.unpack_from(order + "i", raw, 92)[0]
    start = _HEADER + extended
    if len(raw) < start + 4 * nx * ny * nz:
        raise DataError(f"{path}: {nx} x {ny} x {nz} voxels announced, the file is too short; copy it again")
    data = np.frombuffer(raw, dtype=order + "f4", count=nx * ny * nz, offset=start).reshape(nz, ny, nx)
    origin = np.array(struct.unpack_from(order + "3f", raw, 196)) / _ANGSTROM_PER_NM
    return data.transpose(2, 1, 0).astype(np.float64), float(cell[0]), origin

"""Reads the reference numbers off the raw files: standard library, h5py, and a person's look at each header.

Written apart from the package, to check it: it imports nothing of nanostrata, and converts with decimal arithmetic.
Where the package detects (separator, header, unit), this script is told, file by file, what a person saw in the file.

    python read_raw.py            writes reference.csv beside this file
    python read_raw.py FOLDER     prints, for the files of another folder, the points found and usable

Columns of reference.csv: file, place (line; for HDF5 the number of the point), q_inv_nm, intensity, sigma, dq_inv_nm,
usable (1 where q > 0 and finite, intensity finite, sigma > 0 and finite, and no earlier usable point has the same q;
a file without sigma has an empty column and is judged without it).
"""

from __future__ import annotations

import csv
import re
import sys
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).parent

# file -> (lines of header, encoding, 1/nm per unit of q); the unit as a person reads it in the header, or knows it.
TEXT = {
    "apoferritin.txt": (5, "ascii", 10),  # no unit in the file; SANS2D writes 1/angstrom
    "encoding_ANSI.txt": (1, "latin-1", 10),  # "q Å-1"
    "encoding_UTF_8.txt": (1, "utf-8", 10),  # "q Å-1"
    "nans_in_1d_data.dat": (9, "ascii", 10),  # "q(A-1)"
    "nans_in_1d_data_excerpt.dat": (9, "ascii", 10),
    "SC-SAXS_data.txt": (0, "ascii", 1),  # no header; the publication gives 1/nm
    "SC-SAXS_data_excerpt.txt": (0, "ascii", 1),
}
PER_NM = {"1/A": 10, "1/nm": 1}
PER_CM = {"1/cm": 1, "1/nm": 10**7, "Counts": 1}


def text_rows(path):
    header, encoding, factor = TEXT[path.name]
    for number, line in enumerate(path.read_bytes().decode(encoding).replace("\r\n", "\n").split("\n"), 1):
        if number > header and line.strip():
            cells = [Decimal(c) for c in line.split()]
            q, intensity, sigma = cells[:3]
            yield number, q * factor, intensity, sigma, cells[3] * factor if len(cells) > 3 else None


def xml_rows(path):
    text = path.read_text(encoding="utf-8")
    for block in re.finditer(r"<Idata>(.*?)</Idata>", text, re.DOTALL):
        number = text.count("\n", 0, block.start()) + 1
        found = {tag: (unit, Decimal(v)) for tag, unit, v in
                 re.findall(r'<(Q|I|Idev|Qdev) unit="([^"]*)">\s*([^<\s]+)\s*</', block[1])}  # fmt: skip
        q = found["Q"][1] * PER_NM[found["Q"][0]]
        intensity = found["I"][1] * PER_CM[found["I"][0]]
        sigma = found["Idev"][1] * PER_CM[found["Idev"][0]]
        dq = found["Qdev"][1] * PER_NM[found["Qdev"][0]] if "Qdev" in found else None
        yield number, q, intensity, sigma, dq


def h5_rows(path):
    import h5py

    where = {"simpleexamplefile.h5": "sasentry01/sasdata01"}.get(path.name, "sasentry01/sasdata")
    with h5py.File(path, "r") as h5:
        data = h5[where]
        unit = data["Q"].attrs["units"]
        factor = PER_NM[unit.decode() if isinstance(unit, bytes) else unit]
        sigma = data["Idev"][()] if "Idev" in data else None
        for k, (q, intensity) in enumerate(zip(data["Q"][()], data["I"][()], strict=True)):
            s = None if sigma is None else Decimal(repr(float(sigma[k])))
            yield k + 1, Decimal(repr(float(q))) * factor, Decimal(repr(float(intensity))), s, None


def usable(rows):
    seen = set()
    for number, q, intensity, sigma, dq in rows:
        good = q.is_finite() and q > 0 and intensity.is_finite() and q not in seen
        good = good and (sigma is None or (sigma.is_finite() and sigma > 0))
        if good:
            seen.add(q)
        yield number, q, intensity, sigma, dq, int(good)


def read(path):
    """Return (place, q_inv_nm, intensity, sigma, dq_inv_nm, usable) of every row, numbers as text."""
    rows = xml_rows(path) if path.suffix == ".xml" else h5_rows(path) if path.suffix == ".h5" else text_rows(path)
    table = list(usable(rows))
    no_dq = all(r[4] is None or r[4] == 0 for r in table)  # all zero: the program that wrote it had none
    return [
        (r[0], f"{r[1]:g}", f"{r[2]:g}", "" if r[3] is None else f"{r[3]:g}", "" if no_dq else f"{r[4]:g}", r[5])
        for r in table
    ]


def data_files(folder):
    return sorted(p for p in folder.iterdir() if p.suffix in (".xml", ".h5") or p.name in TEXT)


def main():
    if len(sys.argv) > 1:
        for path in data_files(Path(sys.argv[1])):
            table = read(path)
            print(f"{path.name}: {len(table)} points, {sum(r[5] for r in table)} usable")
        return
    with (HERE / "reference.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["file", "place", "q_inv_nm", "intensity", "sigma", "dq_inv_nm", "usable"])
        for path in data_files(HERE):
            writer.writerows([path.name, *row] for row in read(path))


if __name__ == "__main__":
    main()

"""Every real file gives exactly the points that a separate script read off it, or is refused with a word that helps."""

import csv
import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from nanostrata.errors import DataError
from nanostrata.io.cansas import read_cansas
from nanostrata.io.curves import read_curve

FOLDER = Path(__file__).parent / "sas_files"

# file -> (what has to be declared; the problems named when nothing is declared, none: read as it is)
UNIT = {"q_unit": "1/nm"}
ANGSTROM = {"q_unit": "1/angstrom"}
DROP = {"on_bad_points": "drop"}
FILES = {
    "33837rear_1D_1.75_16.5_CanSAS1D.xml": ({}, []),
    "33837rear_1D_1.75_16.5_NXcanSAS_v3.h5": ({}, []),
    "AOT_Microemulsion-Core_Contrast.xml": ({}, []),
    "AOT_Microemulsion-Drop_Contrast.xml": (DROP, ["line 148: sigma is zero or negative"]),
    "AOT_Microemulsion-Shell_Contrast.xml": ({}, []),
    "ISIS_1_0.xml": (DROP, ["line 148: sigma is zero or negative"]),
    "ISIS_1_1.xml": (DROP, ["line 149: sigma is zero or negative"]),
    "Ludox_silica.xml": ({}, []),
    "SC-SAXS_data_excerpt.txt": (UNIT, ["the unit of q is not stated in the file (q runs from 0.0518 to 2.697)"]),
    "apoferritin.txt": (ANGSTROM, ["the unit of q is not stated in the file (q runs from 0.0055 to 0.3995)"]),
    "cansas1d.xml": ({}, []),
    "cansas1d_badunits.xml": ({}, []),
    "cansas1d_notitle.xml": ({}, []),
    "cansas1d_slit.xml": ({}, []),
    "cansas1d_units.xml": ({}, []),
    "encoding_ANSI.txt": (
        DROP,
        ["lines 959-960, 964, 966: sigma is zero", "lines 111-126, 537-604: q is smaller than before"],
    ),
    "encoding_UTF_8.txt": (
        DROP,
        ["lines 959-960, 964, 966: sigma is zero", "lines 111-126, 537-604: q is smaller than before"],
    ),
    "nans_in_1d_data_excerpt.dat": (
        DROP,
        [
            "line 10: q is zero or negative",
            "lines 10-33, 219-220: the intensity is not a finite number",
            "lines 10-33, 219-220: sigma is not a finite number",
        ],
    ),
    "simpleexamplefile.h5": (
        {**DROP, "relative_sigma": 0.02},
        ["there is no column of errors (sigma)", "points 3-7, 10-20, 22-52, 54-100: q is smaller than before"],
    ),
}


@cache
def reference():
    table = {}
    with (FOLDER / "reference.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            table.setdefault(row["file"], []).append(row)
    return table


def column(rows, name):
    return np.array([float(r[name]) if r[name] else np.nan for r in rows])


def test_every_copied_file_is_listed_and_has_reference_points():
    copied = {p.name for p in FOLDER.iterdir()} - {
        "LICENSE",
        "LICENSE-SC-SAXS",
        "README.md",
        "read_raw.py",
        "reference.csv",
        "__pycache__",
    }
    assert copied == set(FILES) == set(reference())
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in readme for name in FILES)


def test_the_reference_table_is_what_its_script_reads():
    spec = importlib.util.spec_from_file_location("read_raw", FOLDER / "read_raw.py")
    read_raw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(read_raw)
    assert "nanostrata" not in {name.split(".")[0] for name in vars(read_raw)}
    for path in read_raw.data_files(FOLDER):
        again = [tuple(str(v) for v in row) for row in read_raw.read(path)]
        assert again == [tuple(list(r.values())[1:]) for r in reference()[path.name]]


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_points_of_the_file(name):
    options, _ = FILES[name]
    rows = reference()[name]
    good = sorted((r for r in rows if r["usable"] == "1"), key=lambda r: float(r["q_inv_nm"]))
    curve = read_curve(FOLDER / name, **options)
    # One rounding apart: the script multiplies decimal numbers, the package binary ones.
    np.testing.assert_allclose(curve.q_inv_nm, column(good, "q_inv_nm"), rtol=3e-16)
    np.testing.assert_allclose(curve.intensity, column(good, "intensity"), rtol=3e-16)
    if "relative_sigma" in options:
        np.testing.assert_allclose(curve.sigma, 0.02 * np.abs(column(good, "intensity")), rtol=1e-14)
    else:
        np.testing.assert_allclose(curve.sigma, column(good, "sigma"), rtol=3e-16)
    if all(r["dq_inv_nm"] == "" for r in rows):
        assert curve.dq_inv_nm is None
    else:
        np.testing.assert_allclose(curve.dq_inv_nm, column(good, "dq_inv_nm"), rtol=3e-16)
    assert (curve.origin.points_read, curve.origin.points_kept) == (len(rows), len(good))
    assert curve.energy_kev is None  # neutrons, or X-rays of a file that does not say


@pytest.mark.parametrize("name", sorted(n for n in FILES if FILES[n][1]))
def test_the_refusal_says_where_and_what_to_do(name):
    with pytest.raises(DataError) as caught:
        read_curve(FOLDER / name)
    assert len(caught.value.problems) == len(FILES[name][1])
    for found, expected in zip(caught.value.problems, FILES[name][1], strict=True):
        assert expected in found
        assert found.startswith(str(FOLDER / name))
        assert any(todo in found for todo in ("on_bad_points", "q_unit =", "relative_sigma ="))


@pytest.mark.parametrize("name", sorted(n for n in FILES if not FILES[n][1]))
def test_files_that_are_sound_need_nothing(name):
    assert read_curve(FOLDER / name).origin.points_kept == len(reference()[name])


@pytest.mark.parametrize("name", sorted(n for n in FILES if n.endswith(".xml")))
def test_lines_named_in_messages_are_the_lines_of_the_file(name):
    raw, _ = read_cansas(name, (FOLDER / name).read_bytes())
    assert raw.place.tolist() == [int(r["place"]) for r in reference()[name]]


@pytest.mark.parametrize("name", sorted(n for n in FILES if n.endswith((".xml", ".h5"))))
def test_a_contradicting_unit_stops_every_file_that_states_one(name):
    wrong = "1/angstrom" if name in ("cansas1d_units.xml", "cansas1d_badunits.xml") else "1/nm"
    with pytest.raises(DataError, match="is declared, but the file says"):
        read_curve(FOLDER / name, **{**FILES[name][0], "q_unit": wrong})


def test_two_formats_of_one_measurement_agree():
    xml = read_curve(FOLDER / "33837rear_1D_1.75_16.5_CanSAS1D.xml")
    h5 = read_curve(FOLDER / "33837rear_1D_1.75_16.5_NXcanSAS_v3.h5")
    np.testing.assert_allclose(xml.q_inv_nm, h5.q_inv_nm, rtol=1e-5)
    np.testing.assert_allclose(xml.intensity, h5.intensity, rtol=1e-5)
    np.testing.assert_allclose(xml.sigma, h5.sigma, rtol=1e-5)


def test_two_encodings_of_one_file_agree():
    a, b = (read_curve(FOLDER / f"encoding_{e}.txt", **DROP) for e in ("ANSI", "UTF_8"))
    np.testing.assert_array_equal(a.q_inv_nm, b.q_inv_nm)
    np.testing.assert_array_equal(a.intensity, b.intensity)
    assert a.origin.notes == b.origin.notes


def test_slits_and_absolute_units_are_told():
    slit = read_curve(FOLDER / "cansas1d_slit.xml")
    assert any("dQl = 0.005 1/A" in n for n in slit.origin.notes)
    units = read_curve(FOLDER / "cansas1d_units.xml")
    same = read_curve(FOLDER / "cansas1d.xml")
    np.testing.assert_allclose(units.intensity, same.intensity)
    np.testing.assert_allclose(units.q_inv_nm, same.q_inv_nm)
    np.testing.assert_allclose(units.dq_inv_nm, same.dq_inv_nm)

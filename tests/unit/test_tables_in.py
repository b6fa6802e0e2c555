"""Tables of TEM readings and EDX percentages: what is understood, what is refused, and that every problem is named."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest

from nanostrata.errors import DataError
from nanostrata.io.tables_in import read_edx, read_tem_readings


def write(folder: Path, text: str, name: str = "t.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def problems(folder: Path, text: str, **options: object) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        read_tem_readings(write(folder, text), **options)  # type: ignore[arg-type]
    return caught.value.problems


def edx_problems(source: object, error: object = None) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        read_edx(source, error)  # type: ignore[arg-type]
    return caught.value.problems


def test_reads_axes_in_nm_and_records_the_digest(tmp_path: Path) -> None:
    path = write(tmp_path, "# counted by hand\nmajor_nm,minor_nm\n4.1,3.9\n\n4.4,4.4\n")
    r = read_tem_readings(path)
    np.testing.assert_array_equal(r.major_nm, [4.1, 4.4])
    np.testing.assert_array_equal(r.minor_nm, [3.9, 4.4])
    assert not r.one_diameter
    assert r.origin.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert r.origin.unit_read == "nm"
    assert not pickle.loads(pickle.dumps(r)).major_nm.flags.writeable


def test_one_diameter_column_says_that_the_aspect_is_unknown(tmp_path: Path) -> None:
    r = read_tem_readings(write(tmp_path, "diameter_nm\n4.1\n3.9\n"))
    assert r.one_diameter
    np.testing.assert_array_equal(r.major_nm, r.minor_nm)
    assert any("aspect" in n for n in r.notes)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("major_nm\tminor_nm\n4,1\t3,9\n", "utf-8"),
        ("major_nm;minor_nm\r\n4,1;3,9\r\n", "utf-8-sig"),
        ("# Größe\nmajor_nm, minor_nm\r4.1, 3.9\r", "latin-1"),
        ("Minor_nm,Major_nm\n3.9,4.1\n", "utf-8"),
    ],
)
def test_separators_decimal_commas_line_ends_and_encodings(tmp_path: Path, text: str, encoding: str) -> None:
    r = read_tem_readings(write(tmp_path, text, encoding=encoding))
    assert (r.major_nm[0], r.minor_nm[0]) == (4.1, 3.9)


def test_particles_marked_as_not_kept_are_left_out_aloud(tmp_path: Path) -> None:
    r = read_tem_readings(write(tmp_path, "x_px,major_nm,minor_nm,kept\n1,4.1,3.9,1\n2,9.9,1.0,0\n3,4,4,true\n"))
    assert len(r) == 2
    assert "1 particle(s) marked kept = 0 were left out" in r.notes


IMAGEJ = (
    " \tLabel\tArea\tMajor\tMinor\tAngle\n1\ta.tif\t12\t41\t39\t3\n2\ta.tif\t13\t44\t40\t9\n3\tMean\t12\t42\t39\t6\n"
)


def test_imagej_in_pixels_and_in_nm(tmp_path: Path) -> None:
    path = write(tmp_path, IMAGEJ)
    in_px = read_tem_readings(path, unit="px", nm_per_pixel=0.1)
    np.testing.assert_allclose(in_px.major_nm, [4.1, 4.4])
    assert any("0.1 nm per pixel" in n for n in in_px.notes)
    assert any("1 summary row" in n for n in in_px.notes)
    np.testing.assert_allclose(read_tem_readings(path, unit="nm").major_nm, [41, 44])


def test_imagej_summary_rows_named_in_the_index_column(tmp_path: Path) -> None:
    text = " ,Feret,MinFeret\n1,4.1,3.9\n2,4.3,4.0\nMean,4.2,3.95\nSD,0.1,0.05\nMin,4.1,3.9\nMax,4.3,4.0\n"
    r = read_tem_readings(write(tmp_path, text), unit="nm")
    np.testing.assert_array_equal(r.minor_nm, [3.9, 4.0])
    assert any("calliper" in n for n in r.notes)


def test_imagej_without_unit_is_refused_and_told_what_to_write(tmp_path: Path) -> None:
    (message,) = problems(tmp_path, IMAGEJ)
    assert 'unit = "nm"' in message
    assert "nm_per_pixel" in message


@pytest.mark.parametrize(
    ("text", "options", "word"),
    [
        (IMAGEJ, {"unit": "px"}, "nm_per_pixel > 0"),
        (IMAGEJ, {"unit": "px", "nm_per_pixel": -1.0}, "nm_per_pixel > 0"),
        (IMAGEJ, {"unit": "nm", "nm_per_pixel": 0.1}, "contradict"),
        (IMAGEJ, {"unit": "inch"}, "must be one of"),
        ("major_nm,minor_nm\n4,3\n", {"unit": "px", "nm_per_pixel": 0.1}, "the header says nm"),
        ("length,width\n4,3\n", {}, "found: length, width"),
        ("4.1,3.9\n4.2,3.9\n", {}, "Name the columns"),
        ("major_nm,minor_nm\n", {}, "no particle"),
        ("", {}, "empty"),
        ("# only words\n\n", {}, "empty"),
        ("major_nm,major_nm\n4,3\n", {}, "stand twice"),
        ("major_nm,minor_nm\n4,1,3,9\n", {}, "separate the cells by semicolon or tab"),
        ("PK\0\0major", {}, "binary"),
    ],
)
def test_refuses_with_a_word_that_helps(tmp_path: Path, text: str, options: dict[str, object], word: str) -> None:
    (message,) = problems(tmp_path, text, **options)
    assert word in message
    assert "t.csv" in message


def test_all_bad_rows_are_reported_at_once_by_line(tmp_path: Path) -> None:
    text = "major_nm,minor_nm\n4.1,3.9\n3.9,4.1\nabc,4\n4,\n-1,-2\nnan,3\n1_0,3\n4.0,3.9\n"
    found = problems(tmp_path, text)
    assert [next(w for w in m.split(", ") if w.startswith("line")).split(":")[0] for m in found] == [
        "line 3", "line 4", "line 5", "line 6", "line 6", "line 7", "line 8"
    ]  # fmt: skip
    assert "minor axis 4.1 is larger than major axis 3.9" in found[0]
    assert "'abc'" in found[1]


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_tem_readings(tmp_path / "none.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_edx(tmp_path)


def test_edx_from_file_and_from_mapping_agree(tmp_path: Path) -> None:
    path = write(tmp_path, "element,atomic_percent,error\nAg,4.4,1.5\nZn,40,1.5\nSe,55.6,1.5\nTotal,100,\n")
    a = read_edx(path)
    b = read_edx({"Ag": 4.4, "Zn": 40, "Se": 55.6}, 1.5)
    assert a.elements == b.elements == ("Ag", "Zn", "Se")
    np.testing.assert_array_equal(a.atomic_percent, b.atomic_percent)
    np.testing.assert_array_equal(a.error, b.error)
    assert any("Total" in n for n in a.notes)
    assert read_edx({"Ag": 50.0, "Se": 50.0}, {"Ag": 1.0, "Se": 2.0}).error[1] == 2.0


def test_edx_problems_are_all_named(tmp_path: Path) -> None:
    path = write(tmp_path, "element,atomic_percent,error\nZn,40,0\nZN-K,10,1\nAg,-3,1\nZn,20,1\nSe,x,1\nIn,120,-2\n")
    found = "\n".join(edx_problems(path))
    for words in (
        "line 2: error of Zn",
        "line 3: element: expected a symbol",
        "line 4: atomic_percent of Ag",
        "line 5: element Zn stands in the table twice",
        "line 6: atomic_percent: expected a finite number, got 'x'",
        "line 7: atomic_percent of In",
        "line 7: error of In",
    ):
        assert words in found


@pytest.mark.parametrize(
    ("source", "error", "word"),
    [
        ({"Ag": 50.0, "Se": 50.0}, None, "no error stated for Ag"),
        ({"Ag": 50.0, "Se": 50.0}, {"Ag": 1.0}, "no error stated for Se"),
        ({"Ag": 0.5, "Se": 0.5}, 0.01, "fractions"),
        ({"Ag": "much", "Se": 50.0}, 1.0, "finite number"),
        ({}, 1.0, "no element"),
        ({"ag": 50.0, "Se": 50.0}, 1.0, "right case"),
    ],
)
def test_edx_mapping_refusals(source: dict[str, object], error: object, word: str) -> None:
    assert word in edx_problems(source, error)[0]


def test_edx_weight_percent_and_doubled_errors_are_refused(tmp_path: Path) -> None:
    assert "Weight per cent" in edx_problems(write(tmp_path, "element,weight_percent,error\nZn,4,1\n"))[0]
    with_error = write(tmp_path, "element,atomic_percent,error\nZn,50,1\nSe,50,1\n", "e.csv")
    assert "take out the common error" in edx_problems(with_error, 1.5)[0]

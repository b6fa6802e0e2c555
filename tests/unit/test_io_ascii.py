"""Text columns in every dialect come back as the same numbers."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nanostrata.errors import DataError
from nanostrata.io.ascii import read_text_curve
from nanostrata.io.curves import list_entries, read_curve

ROWS = [(0.1, 5.0, 0.1), (0.2, 4.0, 0.2), (0.3, 3.5, 0.3)]


def read(text, **kw):
    return read_text_curve("f.dat", text.encode(**kw))


HEADER_LINES = ["# a comment", "Messung 3, Probe Ä", "395 0 0", "  temperature: 12.5", ""]
UNITS = [("nm^-1", 1.0), ("1/A", 10.0), ("Å-1", 10.0), ("inv_nm", 1.0), ("1/nm", 1.0)]

positive = st.floats(1e-4, 1e6, allow_nan=False)
number_format = st.sampled_from(["{:.12g}", "{:.11e}", "{!r}"])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    q=st.lists(positive, min_size=3, max_size=8, unique_by=lambda v: f"{v:.8g}").map(sorted),
    columns=st.sampled_from([3, 4]),
    fmt=number_format,
    separator=st.sampled_from([" ", "\t", ",", ";", "  ", " , ", ", ", " ; ", "\t "]),
    comma=st.booleans(),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "utf-16"]),
    unit=st.sampled_from(UNITS),
    header=st.lists(st.sampled_from(HEADER_LINES), max_size=5, unique=True),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_dialect_gives_the_same_numbers(
    tmp_path, q, columns, fmt, separator, comma, end, encoding, unit, header, seed
):
    if comma and "," in separator:
        separator = ";"
    rng = np.random.default_rng(seed)
    table = np.column_stack([q, *(rng.lognormal(0.0, 3.0, len(q)) for _ in range(columns - 1))])
    printed = [[fmt.format(float(v)) for v in row] for row in table]
    lines = [*header, f"q({unit[0]}) I sigma dq", *(separator.join(row) for row in printed)]
    if comma:
        lines[len(header) + 1 :] = [line.replace(".", ",") for line in lines[len(header) + 1 :]]
    file = tmp_path / "curve.dat"
    file.write_bytes((end.join(lines) + end).encode(encoding))
    curve = read_curve(file)
    meant = np.array([[float(c) for c in row] for row in printed])
    np.testing.assert_allclose(curve.q_inv_nm, meant[:, 0] * unit[1], rtol=1e-15)
    np.testing.assert_array_equal(curve.intensity, meant[:, 1])
    np.testing.assert_array_equal(curve.sigma, meant[:, 2])
    if columns == 4:
        np.testing.assert_allclose(curve.dq_inv_nm, meant[:, 3] * unit[1], rtol=1e-15)
    else:
        assert curve.dq_inv_nm is None
    assert curve.origin.points_read == curve.origin.points_kept == len(q)


def test_header_of_numbers_is_header():
    text = "title\nFerritin\n  395 0 0 0 1 395 0\n 0 0 0 0\n 3 (F12.5,2E16.6)\n" + "".join(
        f"{q} {i} {s} 0.01\n" for q, i, s in ROWS
    )
    raw = read(text)
    assert raw.q.tolist() == [0.1, 0.2, 0.3]
    assert raw.place.tolist() == [6, 7, 8]
    assert "lines 1-5 read as header" in raw.notes
    assert any("line 4 of the header also holds 4 numbers" in n for n in raw.notes)


def test_hundreds_of_header_lines():
    raw = read("\n".join(f"key {k} = value" for k in range(700)) + "\n0.1 5 1\n0.2 4 1\n0.3 3 1\n")
    assert raw.q.tolist() == [0.1, 0.2, 0.3]
    assert raw.place[0] == 701


def test_a_damaged_row_near_the_top_does_not_hide_its_neighbours():
    raw = read("q I s\n0.1 5 1\n0.2 x 1\n0.3 3 1\n0.4 3 1\n0.5 3 1\n")
    assert raw.q.tolist() == [0.1, 0.3, 0.4, 0.5]
    assert raw.unreadable == (("not numbers", (3,)),)


def test_rows_with_another_number_of_columns_and_footers_are_told_by_line():
    raw = read("q I s\n0.1 5 1\n0.2 4 1\n0.3 3 1\n0.4 3\n0.5 2 1\nend of file\n")
    assert dict(raw.unreadable) == {"3 numbers are expected": (5,), "not numbers": (7,)}


def test_missing_and_odd_numbers():
    raw = read("q;I;s\n0.1;5;1\n0.2;;1\n1.5D-01;nan;-1.#IND\n0.4;-Inf;1.#QNAN\n")
    assert raw.q.tolist() == [0.1, 0.2, 0.15, 0.4]
    assert np.isnan(raw.intensity[1:3]).all()
    assert raw.intensity[3] == -np.inf
    assert np.isnan(raw.sigma[2:]).all()


def test_comments_between_and_behind_numbers():
    raw = read("q I s\n0.1 5 1 # first\n# a break\n0.2 4 1\n\n0.3 3 1\n")
    assert raw.q.tolist() == [0.1, 0.2, 0.3]
    assert raw.place.tolist() == [2, 4, 6]
    assert raw.unreadable == ()


def test_quoted_cells():
    assert read('"q","I"\n"0.1","5"\n"0.2","4"\n').q.tolist() == [0.1, 0.2]


@pytest.mark.parametrize("text", ["1,05,10,5\n1,15,9,5\n", "1,5\n2,5\n3,5\n"])
def test_commas_that_may_be_either_are_refused(text):
    with pytest.raises(DataError, match="cannot tell whether the commas"):
        read(text)


def test_more_than_four_columns_are_refused():
    with pytest.raises(DataError, match="6 columns from line 1 on"):
        read("0.1 5 1 0.01 0.1 1\n0.2 4 1 0.01 0.2 1\n")


@pytest.mark.parametrize(
    "header, message",
    [
        ("I q sigma", "column 1 is named 'I', but q is expected"),
        ("q I dq", "column 3 is named 'dq', but sigma is expected"),
        ("2theta I sigma", "q is expected, not an angle"),
        ("two_theta_deg I sigma", "q is expected, not an angle"),
        ("q sigma I", "column 2 is named 'sigma', but intensity is expected"),
    ],
)
def test_columns_in_another_order_are_refused_by_name(header, message):
    raw = read(header + "\n" + "".join(f"{q} {i} {s}\n" for q, i, s in ROWS))
    assert any(message in p for p in raw.problems)


@pytest.mark.parametrize("header", ["q I sigma", "Q I(Q) Err", "q(nm^-1) I(q)Sub_x Sig(q)", "#Q I dI", "q counts std"])
def test_usual_names_of_columns_pass(header):
    assert read(header + "\n" + "".join(f"{q} {i} {s}\n" for q, i, s in ROWS)).problems == ()


def test_a_column_called_s_is_taken_as_q_aloud():
    raw = read("s I sigma\n" + "".join(f"{q} {i} {s}\n" for q, i, s in ROWS))
    assert any("2 sin(theta)/lambda" in n for n in raw.notes)


@pytest.mark.parametrize(
    "data, message",
    [
        (b"PK\x03\x04rest", "a zip archive or a spreadsheet"),
        (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (bytes(range(256)) * 4, "binary data"),
        (b"hello\nworld\n", "found no columns of numbers"),
        (b"1\n2\n3\n", "found one column of numbers"),
        (b"\n\n   \n", "found no columns of numbers"),
        (b"# only a comment\n", "found no columns of numbers"),
        (b"\xff\xfea", "UTF-16"),
    ],
)
def test_what_is_no_curve_is_refused(data, message):
    with pytest.raises(DataError, match=message):
        read_text_curve("f.dat", data)


@settings(deadline=None, max_examples=150)
@given(
    st.one_of(st.binary(max_size=200), st.text(alphabet="0123456789.,;eE+- \t\nqI#nanif", max_size=120).map(str.encode))
)
def test_garbage_never_ends_in_a_traceback(data):
    refused = None
    try:
        raw = read_text_curve("f.dat", data)
    except DataError as e:
        refused = e
    if refused is None:
        assert len(raw.q) == len(raw.place) == len(raw.intensity) >= 1
    else:
        assert refused.problems
        assert all(p.startswith("f.dat") for p in refused.problems)


def test_list_entries_of_text(tmp_path):
    file = tmp_path / "curve.dat"
    file.write_text("q(1/A) I s\n0.1 1 1\n0.2 1 1\n", encoding="utf-8")
    (entry,) = list_entries(file)
    assert (entry.number, entry.name, entry.points, entry.q_unit) == (1, "curve", 2, "1/angstrom")

"""Defects of a curve are reported all at once, by line; "drop" goes on with what is sound and says so."""

import pickle

import numpy as np
import pytest

from nanostrata.errors import DataError
from nanostrata.io.curves import list_entries, read_curve


@pytest.fixture
def write(tmp_path):
    def write(text, name="curve.dat"):
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return file

    return write


def problems(*args, **kw):
    with pytest.raises(DataError) as caught:
        read_curve(*args, **kw)
    return caught.value.problems


BAD = """q(nm^-1) I sigma dq
0.1 9 1 0.01
-0.2 8 1 0.01
0.0 8 1 0.01
nan 8 1 0.01
inf 8 1 0.01
0.3 nan 1 0.01
0.4 inf 1 0.01
0.5 7 0 0.01
0.6 7 -1 0.01
0.7 7 nan 0.01
0.8 7 1 -0.01
0.9 7 1 nan
1.0 6 1 0.01
1.0 5 1 0.01
1.2 4 1 0.01
1.1 3 1.5 0.01
word 3 1 0.01
1.3 3 1
1.4 -0.1 1 0.01
"""


def test_every_defect_is_reported_at_once_with_its_lines(write):
    found = "\n".join(problems(write(BAD)))
    for text in (
        "lines 5-6: q is not a finite number",
        "lines 3-4: q is zero or negative",
        "lines 7-8: the intensity is not a finite number",
        "line 11: sigma is not a finite number",
        "lines 9-10: sigma is zero or negative",
        "lines 12-13: dq is negative or not a finite number",
        "line 15: q stands there before (duplicate)",
        "line 17: q is smaller than before",
        "line 18: not numbers",
        "line 19: 4 numbers are expected",
    ):
        assert text in found
    assert found.count('on_bad_points = "drop"') == 10


def test_drop_keeps_what_is_sound_and_says_so(write):
    curve = read_curve(write(BAD), on_bad_points="drop")
    assert curve.q_inv_nm.tolist() == [0.1, 1.0, 1.1, 1.2, 1.4]
    assert curve.intensity.tolist() == [9, 6, 3, 4, -0.1]  # the first of the two at q = 1
    assert curve.sigma.tolist() == [1, 1, 1.5, 1, 1]
    assert curve.dq_inv_nm.tolist() == [0.01] * 5
    assert (curve.origin.points_read, curve.origin.points_kept) == (19, 5)
    notes = "\n".join(curve.origin.notes)
    for text in (
        "2 points left out, lines 9-10: sigma is zero or negative",
        "the first of equal q is kept",
        "the points were sorted by q",
        "1 of 5 points have a negative intensity (line 20)",
    ):
        assert text in notes


def test_defects_are_reported_even_when_the_unit_is_missing(write):
    found = problems(write("0.1 9 1\n0.2 8 0\n0.3 7 1\n"))
    assert len(found) == 2
    assert "the unit of q is not stated" in found[0]
    assert "line 2: sigma is zero or negative" in found[1]


def test_points_outside_the_range_are_not_judged(write):
    file = write("q(nm^-1) I s\n0.0 nan nan\n0.1 9 0\n0.2 8 1\n0.3 7 1\n0.4 6 2\n0.5 nan 1\n")
    curve = read_curve(file, q_range_inv_nm=[0.2, 0.4])
    assert curve.q_inv_nm.tolist() == [0.2, 0.3, 0.4]
    assert "3 of 6 points lie outside q = 0.2 to 0.4 1/nm, not used" in curve.origin.notes
    assert (curve.origin.points_read, curve.origin.points_kept) == (6, 3)


def test_range_and_masks_are_in_inverse_nanometres_whatever_the_file(write):
    file = write("q(1/A) I s\n" + "".join(f"{q / 100:.2f} 5 {q}\n" for q in range(1, 11)))
    curve = read_curve(file, q_range_inv_nm=(0.2, 0.9), mask_inv_nm=[[0.35, 0.55], (0.8, 0.85)])
    np.testing.assert_allclose(curve.q_inv_nm, [0.2, 0.3, 0.6, 0.7, 0.9])
    assert "mask 0.35 to 0.55 1/nm leaves out 2 points" in curve.origin.notes


@pytest.mark.parametrize("limits", [[0.5], [0.5, 0.2], [0.2, float("nan")], "ab"])
def test_a_range_that_is_none_is_refused(write, limits):
    file = write("q(nm^-1) I s\n0.1 1 1\n0.2 1 2\n")
    assert "two increasing numbers" in problems(file, q_range_inv_nm=limits)[0]
    assert "two increasing numbers" in problems(file, mask_inv_nm=[limits])[0]


def test_a_range_beside_the_data_says_where_the_data_are(write):
    (found,) = problems(write("q(nm^-1) I s\n0.1 1 1\n0.2 1 2\n"), q_range_inv_nm=[5, 45])
    assert "no usable point is left" in found
    assert "0.1 to 0.2 1/nm" in found


# ---- sigma
@pytest.mark.parametrize("on_bad", ["stop", "drop"])
@pytest.mark.parametrize(
    "rows, message",
    [
        ("0.1 9\n0.2 8\n0.3 7\n", "there is no column of errors"),
        ("0.1 9 0\n0.2 8 0\n0.3 7 0\n", "all errors (sigma) are zero"),
        ("0.1 9 nan\n0.2 8 nan\n0.3 7 nan\n", "none of the errors (sigma) is a number"),
    ],
)
def test_without_errors_a_curve_is_refused_and_told_what_to_do(write, rows, message, on_bad):
    file = write("q(nm^-1) I\n" + rows)
    found = problems(file, on_bad_points=on_bad)
    assert any(message in p and "relative_sigma = 0.02" in p for p in found)
    curve = read_curve(file, relative_sigma=0.02)
    np.testing.assert_allclose(curve.sigma, 0.02 * curve.intensity)
    assert any("relative_sigma" in n for n in curve.origin.notes)


def test_equal_errors_are_a_loud_note_and_can_be_replaced(write):
    file = write("q(nm^-1) I s\n0.1 9 0.5\n0.2 8 0.5\n0.3 7 0.5\n")
    curve = read_curve(file)
    assert curve.sigma.tolist() == [0.5] * 3
    assert any(n.startswith("WARNING: sigma is the same (0.5) for all 3 points") for n in curve.origin.notes)
    np.testing.assert_allclose(read_curve(file, relative_sigma=0.1).sigma, [0.9, 0.8, 0.7])


def test_relative_sigma_does_not_override_errors_of_the_file(write):
    file = write("q(nm^-1) I s\n0.1 9 0.5\n0.2 8 0.4\n0.3 7 0.3\n")
    assert "has errors (sigma) of its own" in problems(file, relative_sigma=0.02)[0]


@pytest.mark.parametrize("value", [0.0, -0.1, 1.5, float("nan")])
def test_an_impossible_relative_sigma_is_refused(write, value):
    assert "between 0 and 1" in problems(write("q(nm^-1) I\n0.1 9\n0.2 8\n"), relative_sigma=value)[0]


def test_relative_sigma_of_a_zero_intensity_is_a_defect(write):
    assert "line 3: sigma is zero" in problems(write("q(nm^-1) I\n0.1 9\n0.2 0\n"), relative_sigma=0.02)[0]


# ---- the rest
@pytest.mark.parametrize(
    "energy, message",
    [
        (9630, "was eV meant? write energy_kev = 9.63"),
        (250.0, "outside 1 to 200 keV"),
        (0.5, "outside 1 to 200 keV"),
        (-9.63, "a photon energy in keV is expected"),
        (float("nan"), "a photon energy in keV is expected"),
        (True, "a photon energy in keV is expected"),
    ],
)
def test_an_impossible_energy_is_refused_with_a_hint(write, energy, message):
    assert message in problems(write("q(nm^-1) I s\n0.1 9 1\n0.2 8 2\n"), energy_kev=energy)[0]


def test_all_kinds_of_problems_come_together(write):
    found = problems(
        write("q(nm^-1) I\n0.1 9\n0.2 nan\n"),
        q_unit="1/A",
        energy_kev=9630,
        on_bad_points="skip",
    )
    text = "\n".join(found)
    for part in (
        "on_bad_points = 'skip'",
        "is declared, but the file says",
        "was eV meant",
        "no column of errors",
        "line 3",
    ):
        assert part in text
    assert all("curve.dat" in p for p in found)


def test_what_is_no_file(tmp_path):
    empty = tmp_path / "empty.dat"
    empty.touch()
    for call in (read_curve, list_entries):
        with pytest.raises(DataError, match="there is no such file"):
            call(tmp_path / "absent.dat")
        with pytest.raises(DataError, match="is a folder"):
            call(tmp_path)
        with pytest.raises(DataError, match="the file is empty"):
            call(empty)


def test_entry_of_a_text_file_is_refused(write):
    assert "holds one curve" in problems(write("q(nm^-1) I s\n0.1 9 1\n0.2 8 2\n"), entry="one")[0]


def test_label_digest_and_pickle(write):
    import hashlib

    file = write("q(nm^-1) I s\n0.1 9 1\n0.2 8 2\n")
    curve = read_curve(file, energy_kev=9.63)
    assert curve.label == "curve"
    assert read_curve(file, label="E1").label == "E1"
    assert curve.origin.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert curve.origin.file == str(file)
    assert curve.energy_kev == 9.63
    again = pickle.loads(pickle.dumps(curve))
    np.testing.assert_array_equal(again.q_inv_nm, curve.q_inv_nm)
    assert again.origin.points_kept == 2


def test_a_curve_that_we_wrote_comes_back(tmp_path):
    from nanostrata.domain import ScatteringCurve
    from nanostrata.io.text_out import write_curve

    q = np.linspace(0.1, 4.0, 40)
    curve = ScatteringCurve(q_inv_nm=q, intensity=np.exp(-q), sigma=0.01 * np.exp(-q))
    again = read_curve(write_curve(tmp_path / "c.dat", curve, comments=["simulated, 9.63 keV", "seed 1"]))
    np.testing.assert_allclose(again.q_inv_nm, q, atol=1e-6)
    np.testing.assert_allclose(again.intensity, curve.intensity, rtol=1e-6)
    assert again.origin.unit_read == "1/nm"

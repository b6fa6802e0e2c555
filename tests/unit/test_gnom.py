"""Output of GNOM in both layouts: what is read is what the ball has, and damage is told with its line."""

import numpy as np
import pytest
from tests.others_files import ball_pairs, gnom_text

from nanostrata.errors import DataError
from nanostrata.io.curves import list_entries, read_curve
from nanostrata.io.gnom import read_gnom

DIAMETER = 4.0


@pytest.fixture(params=[4, 5])
def written(request, tmp_path):
    file = tmp_path / f"ball-{request.param}.out"
    file.write_text(gnom_text(request.param, diameter=DIAMETER, unit=10.0))
    return file


def test_all_that_the_file_holds_is_read(written):
    found = read_gnom(written).scaled(0.1)
    assert len(found.q) == 60
    assert len(found.q_fit) == 67
    assert found.q_fit[0] == 0.0
    assert found.q[[0, -1]] == pytest.approx([0.3, 4.0], rel=1e-4)
    assert found.rg == pytest.approx(np.sqrt(0.6) * DIAMETER / 2, rel=2e-3)
    assert found.rg_of_table == pytest.approx(np.sqrt(0.6) * DIAMETER / 2, rel=1e-3)
    assert found.rg_sigma == pytest.approx(0.01 * found.rg, rel=0.05)
    assert found.i_zero == pytest.approx(60.0, rel=1e-4)
    assert found.dmax == pytest.approx(DIAMETER)
    assert found.estimate in (0.917, 0.9708)
    np.testing.assert_allclose(found.p, ball_pairs(found.r, DIAMETER, 60.0), atol=1e-3 * found.p.max())
    # the convention: 4 pi times the area of p(r) is I(0)
    assert 4 * np.pi * np.sum(found.p) * (found.r[1] - found.r[0]) == pytest.approx(found.i_zero, rel=1e-3)
    # the curve at q = 0 and the regularised curve's transform agree
    curve = 4 * np.pi * np.sinc(np.outer(found.q_fit, found.r) / np.pi) @ found.p * (found.r[1] - found.r[0])
    np.testing.assert_allclose(curve, found.intensity_fit, atol=2e-3 * found.i_zero)


def test_a_gnom_file_is_a_curve(written):
    curve = read_curve(written, q_unit="1/angstrom")
    assert curve.q_inv_nm[[0, -1]] == pytest.approx([0.3, 4.0], rel=1e-4)
    assert curve.sigma is not None
    assert any("GNOM" in n for n in curve.origin.notes)
    assert list_entries(written)[0].points == 60
    with pytest.raises(DataError, match="unit"):
        read_curve(written)


def test_of_several_runs_the_last_is_read(tmp_path):
    file = tmp_path / "two.out"
    file.write_text(gnom_text(4, diameter=6.0) + gnom_text(4, diameter=4.0))
    assert read_gnom(file).dmax == pytest.approx(4.0)
    assert len(read_curve(file, q_unit="1/nm").q_inv_nm) == 60


def test_numbers_in_the_exponent_of_fortran_are_read(tmp_path):
    file = tmp_path / "d.out"
    file.write_text(gnom_text(5, diameter=4.0).replace("E+00   ", "D+00   "))
    assert read_gnom(file).q[0] == pytest.approx(0.3)


@pytest.mark.parametrize("version", [4, 5])
def test_damage_is_told_with_its_line(tmp_path, version):
    text = gnom_text(version, diameter=DIAMETER)
    file = tmp_path / "x.out"

    def says(damaged, words):
        file.write_text(damaged)
        with pytest.raises(DataError, match=words):
            read_gnom(file)

    lines = text.splitlines()
    head = next(i for i, line in enumerate(lines) if "J EXP" in line)
    pairs = next(i for i, line in enumerate(lines) if "P(R)" in line)
    broken = list(lines)
    broken[head + 30] = broken[head + 30][:40] + "****" + broken[head + 30][44:]
    says("\n".join(broken), f"line {head + 31}: expected q and I REG")
    broken = list(lines)
    broken[pairs + 10] += "  7.0"
    says("\n".join(broken), rf"line {pairs + 11}: expected r, p\(r\)")
    says("\n".join(lines[: pairs + 60]), f"line {pairs + 60}: .*cut short")
    says("\n".join(lines[: head + 40]), f"line {head + 40}: the file ends without")
    says("\n".join(lines[: head - 2]), "S  J EXP")
    says("q I sigma\n1 2 3\n", "G N O M")
    says(text.replace("J EXP", "J_EXP"), "S  J EXP")
    other = [*lines[:head], lines[head], "", *lines[head + 30 : head + 40], *lines[head + 10 : head + 20]]
    says("\n".join([*other, *lines[pairs - 4 :]]), "q goes back")


def test_a_table_that_contradicts_the_stated_radius_is_refused(tmp_path):
    file = tmp_path / "x.out"
    file.write_text(
        gnom_text(5, diameter=4.0).replace(
            "Real space Rg:                   1.5", "Real space Rg:                   1.9"
        )
    )
    with pytest.raises(DataError, match=r"radius of gyration of 1\.5"):
        read_gnom(file)


def test_a_file_of_another_function_gives_its_curve_only(tmp_path):
    file = tmp_path / "x.out"
    text = gnom_text(4, diameter=4.0).replace(
        "Distance distribution  function of particle", "Distance distribution function of cross-section"
    )
    file.write_text(text)
    found = read_gnom(file)
    assert found.kind == "Distance distribution function of cross-section"
    assert len(found.r) == 0
    assert len(found.q) == 60

"""The shape beside TEM: diameters of an ensemble against draws of it, and what stands in summary, tables and figure."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
from tests.physics.test_shape_outline import spheroid_map

from nanostrata.domain.sizes import SizeDistribution
from nanostrata.interfaces import figures_shape, shape_page
from nanostrata.interfaces.run_folder import read_run_folder
from nanostrata.models.shape_outline import ensemble_density, ensemble_diameters
from nanostrata.models.shape_reading import line_cuts
from nanostrata.pipeline.shape_tem import tem_part, write_tem
from nanostrata.pipeline.shape_write import is_choice

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("kind", ["gaussian", "lognormal"])
def test_density_is_that_of_draws(kind):
    lengths = np.array([3.6, 3.9, 4.4])
    grid = np.linspace(1.5, 7.5, 601)
    density = ensemble_density(grid, lengths, 0.12, kind)
    size = 1 + 0.12 * RNG.normal(size=400_000)
    if kind == "lognormal":
        u = np.sqrt(np.log1p(0.12**2))
        size = np.exp(u * RNG.normal(size=400_000) - u * u / 2)
    drawn = size * RNG.choice(lengths, size.size)
    counts, edges = np.histogram(drawn, bins=20, range=(2.5, 6.0))
    middle = 0.5 * (edges[1:] + edges[:-1])
    expected = counts / drawn.size / np.diff(edges)
    # within the bins the density is nearly straight; four standard deviations of the counts
    error = np.sqrt(counts + 1) / drawn.size / np.diff(edges)
    np.testing.assert_array_less(np.abs(np.interp(middle, grid, density) - expected), 4 * error + 0.01)
    assert density.sum() * (grid[1] - grid[0]) == pytest.approx(1.0, abs=2e-3)


def test_means_and_widths_are_those_of_the_densities_and_of_the_spheroid():
    occupancy, half = spheroid_map(1.4)
    cuts, _ = line_cuts(occupancy, np.random.default_rng(0), 4000)
    d = ensemble_diameters(occupancy, cuts, 0.12, "gaussian", "prolate")
    for density, mean, std in (
        (d.line_cuts, d.line_cuts_mean_nm, d.line_cuts_std_nm),
        (d.outlines_random, d.random_mean_nm, d.random_std_nm),
        (d.outlines_lying, d.lying_mean_nm, d.lying_std_nm),
    ):
        weight = density / density.sum()
        first = weight @ d.grid_nm
        assert first == pytest.approx(mean, rel=2e-3)
        assert np.sqrt(weight @ (d.grid_nm - first) ** 2) == pytest.approx(std, rel=1e-2)
    # lying on its side a prolate particle shows both axes, and its diameter is that of the volume
    assert d.lying_mean_nm == pytest.approx(4.0, rel=8e-3)
    assert d.lying_ratio == pytest.approx(1.4, rel=1e-2)
    # turned at random: mean over directions of (M m^2)^(1/3) with m the short axis and M as it is projected
    mu = (np.arange(2000) + 0.5) / 2000
    major = 2 * np.sqrt(half[0] ** 2 * (1 - mu**2) + half[1] ** 2 * mu**2)
    assert d.random_mean_nm == pytest.approx(np.cbrt(major * (2 * half[1]) ** 2).mean(), rel=8e-3)
    assert d.random_ratio == pytest.approx((major / (2 * half[1])).mean(), rel=1e-2)
    # a line through the centre has the length 2 / sqrt(sum u^2 / half^2)
    length = 2 / np.sqrt(mu**2 / half[0] ** 2 + (1 - mu**2) / half[1] ** 2)
    assert d.line_cuts_mean_nm == pytest.approx(length.mean(), rel=1.5e-2)


@pytest.fixture
def beside():
    occupancy, _ = spheroid_map(1.4)
    cuts, _ = line_cuts(occupancy, np.random.default_rng(0), 2000)
    diameters = ensemble_diameters(occupancy, cuts, 0.12, "gaussian", "prolate")
    reading = SimpleNamespace(diameter_nm={"value": 4.0, "sigma": 0.04})
    return SimpleNamespace(diameters=diameters, reading=reading)


def sizes(readings):
    return SizeDistribution(
        mean_nm=4.2, std_nm=0.5, mean_sigma_nm=0.03, std_sigma_nm=0.03, n_counted=len(readings), diameters_nm=readings
    )


def test_the_difference_is_told_in_errors_of_both(beside):
    part = tem_part(beside, sizes(np.empty(0)))
    lying = part["outlines_lying"]
    assert lying["larger_by_nm"] == pytest.approx(lying["mean_nm"] - 4.2)
    assert lying["larger_by_sigma"] == pytest.approx(lying["larger_by_nm"] / np.hypot(0.01 * lying["mean_nm"], 0.03))
    beside.diameters = None
    assert tem_part(beside, sizes(np.empty(0))) is None


@pytest.mark.parametrize("count", [0, 120])
def test_figure_and_table_from_the_run_folder(beside, tmp_path, count):
    d = beside.diameters
    readings = np.random.default_rng(1).normal(4.2, 0.5, count)
    (tmp_path / "tables").mkdir()
    write_tem(sizes(readings), tmp_path / "tables")
    table = tmp_path / "tables" / "shape_tem_readings.csv"
    assert table.exists() == (count > 0)
    if count:
        rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
        assert sum(int(r["readings"]) for r in rows) == count
        area = sum(float(r["density_per_nm"]) * (float(r["to_nm"]) - float(r["from_nm"])) for r in rows)
        assert area == pytest.approx(1.0, rel=1e-6)
    columns = np.stack([d.grid_nm, d.line_cuts, d.outlines_random, d.outlines_lying], axis=1)
    np.savetxt(
        tmp_path / "tables" / "shape_diameters.csv", columns, delimiter=",", comments="",
        header="diameter_nm,line_cuts_per_nm,outlines_random_per_nm,outlines_lying_per_nm",
    )  # fmt: skip
    shape = {
        "tem": tem_part(beside, sizes(readings)),
        "ensemble_diameters": {f"outlines_{k}": {"std_nm": 0.5} for k in ("random", "lying")},
    }
    (tmp_path / "summary.json").write_text(json.dumps({"shape": shape}), encoding="utf-8")
    svg = figures_shape.beside_tem(read_run_folder(tmp_path))
    assert svg is not None
    assert ("as stated" in svg) == (count == 0)
    table_html = shape_page.tem_table(shape)
    assert "lying on its side" in table_html
    assert "4.20 ± 0.03" in table_html
    write_tem(None, tmp_path / "tables")
    assert not table.exists()


def test_choices_are_no_warnings_and_worries_are():
    for note in (
        "two searches: beads of 0.4 nm in a ball of 4.8 nm, then beads of 0.3 nm near those",
        "points beyond q = 7.8 1/nm are left out: finer than the beads",
        "3 neighbouring points each are taken together: 200 are enough for a shape",
        "of 7 simple bodies, the curve is explained by: spheroid of 1.40 (chi^2 per point 0.85)",
    ):
        assert is_choice(note)
    for note in (
        "no shape of one density explains the curve within its errors (chi^2 per point 5)",
        "the first 3 point(s) do not follow Guinier's law and are left out",
        "of 7 simple bodies, the curve is explained by: cube (chi^2 per point 0.9); the runs start from the cube",
        "anything that nobody has thought of",
    ):
        assert not is_choice(note)

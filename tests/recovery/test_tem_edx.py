"""Known truth written to files as a user would, read back and measured: truth inside the stated intervals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from nanostrata.domain import FloatArray
from nanostrata.io.tables_in import read_edx, read_tem_readings
from nanostrata.stages.measure_composition import composition, mean_shell_fraction
from nanostrata.stages.measure_particles import size_distribution

ELEMENTS = ("Ag", "In", "Se", "Zn")
SEEDS = range(60)


class AgInSeZnSe:
    def elements_per_site(self, x: ArrayLike) -> Mapping[str, FloatArray]:
        x = np.asarray(x, dtype=float)
        return {"Ag": 2 / 7 * (1 - x), "In": 4 / 7 * (1 - x), "Zn": x, "Se": np.ones_like(x)}


def test_sizes_from_a_file_of_rounded_readings_cover_the_truth(tmp_path: Path) -> None:
    """Sizes and aspect ratios both spread; readings to 0.01 nm as a program writes them."""
    inside = {"mean": 0, "std": 0, "aspect": 0}
    for seed in SEEDS:
        rng = np.random.default_rng(100 + seed)
        d, aspect = rng.normal(4.1, 0.49, 120), 1.2 + 0.04 * rng.normal(size=120)
        true = np.array([d * aspect ** (2 / 3), d * aspect ** (-1 / 3)])
        pair = np.sort(true + rng.normal(0, 0.1, true.shape), axis=0)
        path = tmp_path / f"tem{seed}.csv"
        rows = "\n".join(f"{a:.2f},{b:.2f}" for b, a in pair.T)
        path.write_text(f"major_nm,minor_nm\n{rows}\n", encoding="utf-8")
        r = read_tem_readings(path)
        s = size_distribution(r.major_nm, r.minor_nm, shape="prolate", reading_error_nm=0.1, origin=r.origin)
        assert s.aspect_ratio is not None
        assert s.aspect_sigma is not None
        inside["mean"] += abs(s.mean_nm - 4.1) < 1.96 * s.mean_sigma_nm
        inside["std"] += abs(s.std_nm - 0.49) < 1.96 * s.std_sigma_nm
        inside["aspect"] += abs(s.aspect_ratio - 1.2) < 1.96 * s.aspect_sigma
        assert s.n_counted == 120
    # 95 % of 60 is 57; fewer than 52 has a probability of 1 % even for a true coverage of 93 %.
    assert min(inside.values()) >= 52, inside
    # Intervals that are always right are too wide.
    assert min(inside.values()) < len(SEEDS), inside


def test_edx_tables_with_solvent_and_scale_error_cover_the_truth(tmp_path: Path) -> None:
    inside = 0
    errors = []
    for seed in SEEDS:
        rng = np.random.default_rng(200 + seed)
        x = rng.uniform(0.1, 0.8)
        n = AgInSeZnSe().elements_per_site(np.array([x]))
        p = np.array([n[k][0] for k in ELEMENTS])
        p = np.maximum(70 * p / p.sum() + rng.normal(0, 1.0, 4), 0.0)
        path = tmp_path / f"edx{seed}.csv"
        rows = "\n".join(f"{k},{v:.2f},1.0" for k, v in zip(ELEMENTS, p, strict=True))
        path.write_text(f"element,atomic_percent,error\nC,25,5\n{rows}\n", encoding="utf-8")
        t = read_edx(path)
        c = composition(t.elements, t.atomic_percent, t.error, expected_elements=ELEMENTS, origin=t.origin)
        assert any("C 25 %" in note for note in c.origin.notes)
        r = mean_shell_fraction(c, AgInSeZnSe())
        inside += abs(r.value - x) < 1.96 * r.sigma
        errors.append(abs(r.value - x))
    assert 52 <= inside <= 60
    assert np.median(errors) < 0.03

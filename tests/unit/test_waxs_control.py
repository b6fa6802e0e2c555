"""Verdicts on the direction of elongation are held back where a composition gradient alone would be misread."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.waxs_particles import solid_of

from nanostrata.domain import ShellProfile
from nanostrata.domain.waxs import AxisCandidate, LongAxis
from nanostrata.pipeline.waxs_control import control_pattern, held_back, own_name
from nanostrata.tables.factors import load_factors


def axis(name: str = "none", verdict: str = "strong", faults: float = 0.0) -> LongAxis:
    best = AxisCandidate(
        axis=name.strip("[]"), sense="round" if name == "none" else "prolate", fault_kind="deformation", diameter_nm=4.0,
        diameter_sigma_nm=0.1, aspect_ratio=1.0, aspect_sigma=0.05, fault_probability=faults, fault_sigma=0.005, strain_percent=0.3,
        strain_sigma_percent=0.1, chi2=300.0, log_evidence=0.0, probability=0.97,
    )  # fmt: skip
    return LongAxis(
        verdict=verdict, axis=name, axis_probability={name: 0.97, "[210]": 0.03}, candidates=(best,), predicted={}, aspect_ratio=1.4,
        chi2_per_point=1.0, spread=0.1, reasons=("first",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("control", "held", "says"),
    [
        (axis(), False, ""),
        (axis(faults=0.009), False, ""),
        (axis(faults=0.03), True, "read as round, with deformation faults of 3 % per layer"),
        (
            axis("[001]"),
            True,
            r"round particles of the fitted profile without faults would be read as long along \[001\]",
        ),
        (None, False, ""),
    ],
)
def test_grade_falls_where_round_particles_are_misread(control: LongAxis | None, held: bool, says: str) -> None:
    import re

    found = held_back(axis(), "none", 1.03, lambda: control)
    assert found.verdict == ("weak" if held else "strong")
    assert found.reasons[0] == "first"
    assert len(found.reasons) == (2 if held else 1)
    assert re.search(says, found.reasons[-1])


def test_elongated_particles_that_are_called_round_are_misread() -> None:
    found = held_back(axis(), "[110]", 1.16, axis)
    assert found.verdict == "weak"
    assert "particles of aspect ratio 1.16, long along [110], of the fitted profile without faults" in found.reasons[-1]
    assert held_back(axis("[110]"), "[110]", 1.16, lambda: axis("[110]")).verdict == "strong"


@pytest.mark.parametrize(
    ("aspect", "name"), [(1.05, "none"), (0.95, "none"), (1.16, "[110]"), (0.8, "flat along [110]")]
)
def test_names_of_the_profiles_own_particles(aspect: float, name: str) -> None:
    particle: Any = SimpleNamespace(aspect_ratio=np.full(3, aspect))
    assert own_name(particle, "110") == name


def test_what_is_weak_already_is_not_looked_at_again() -> None:
    def never() -> Any:
        raise AssertionError

    weak = axis(verdict="weak")
    assert held_back(weak, "none", 1.0, never) is weak


def graded(x: tuple[float, ...], diameter: float = 2.6) -> Any:
    edges = 0.5 * diameter * np.arange(1, len(x) + 1) / len(x)
    return SimpleNamespace(
        profile=ShellProfile(edges_nm=edges, shell_fraction=np.array(x)), diameter_mean_nm=np.full(3, diameter),
        diameter_std_nm=np.full(3, 0.1 * diameter), aspect_ratio=np.ones(3),
    )  # fmt: skip


def test_control_has_the_profile_the_instrument_and_the_errors() -> None:
    solid = solid_of("Ag2In4Se7", "wurtzite", 0.426, 0.702, shell=("ZnSe", "wurtzite", 0.400, 0.655))
    q = np.linspace(12.0, 36.0, 121)
    peak = 50.0 * np.exp(-0.5 * ((q - 29.0) / 0.8) ** 2)
    fit: Any = SimpleNamespace(
        curve_q=q, q_inv_nm=np.array([[15.0, 30.0]]), instrument_fwhm_inv_nm=np.array([0.0, 0.0]), fit=peak + 10.0,
        background=np.full(len(q), 10.0), sigma=np.ones(len(q)),
    )  # fmt: skip
    factors, stream = load_factors("chantler"), np.random.SeedSequence(3)

    def pattern(x: tuple[float, ...], width: float = 0.0) -> Any:
        use: Any = SimpleNamespace(**{**vars(fit), "instrument_fwhm_inv_nm": np.full(2, width)})
        return control_pattern(
            use, solid, graded(x), "wurtzite", "001", factors, 16.0, np.random.SeedSequence(stream.entropy)
        )

    shell, core, both = pattern((1.0, 1.0)), pattern((0.0, 0.0)), pattern((0.0, 1.0))

    def shrunk(curve: Any) -> float:
        """By how much the core's pattern is stretched in q where it is most like this one."""
        scales, like = np.linspace(0.98, 1.12, 141), []
        for scale in scales:
            inside = (q / scale > q[0]) & (q < 34.0)
            like.append(np.corrcoef(np.interp(q[inside] / scale, q, core.intensity), curve.intensity[inside])[0, 1])
        return float(scales[int(np.argmax(like))])

    # peaks stand at the lattices of the end members, and those of a graded particle between
    assert shrunk(shell) == pytest.approx(0.426 / 0.400, abs=0.01)
    assert 1.0 < shrunk(both) < shrunk(shell)
    # signal to noise as in the measured peaks
    assert np.ptp(both.intensity) / both.sigma[0] == pytest.approx(np.ptp(peak), rel=1e-6)
    blurred = pattern((1.0, 1.0), 2.0)
    assert np.ptp(blurred.intensity) < 0.95 * np.ptp(shell.intensity)
    large = replace(graded((0.0, 1.0)).profile, edges_nm=np.array([2.5, 5.0]))
    too: Any = SimpleNamespace(
        profile=large, diameter_mean_nm=np.full(3, 10.0), diameter_std_nm=np.full(3, 1.0), aspect_ratio=np.ones(3)
    )
    assert control_pattern(fit, solid, too, "wurtzite", "001", factors, 16.0, stream) is None

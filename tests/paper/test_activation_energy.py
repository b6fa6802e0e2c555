"""The activation energy that the paper prints, from the diffusivities that it prints, and published values beside it."""

from __future__ import annotations

import itertools
import math

import pytest

from nanostrata.models.arrhenius import MeasuredDiffusivity, fit_arrhenius
from nanostrata.tables.literature_activation import KJ_MOL_PER_EV, LITERATURE


def energy(d150: float, d50: float, log_sigma: float = math.nan) -> tuple[float, float, str]:
    line = fit_arrhenius(
        [
            MeasuredDiffusivity(label="thick", temperature_c=150, diffusivity_cm2_s=d150, log_sigma=log_sigma),
            MeasuredDiffusivity(label="thin", temperature_c=50, diffusivity_cm2_s=d50, log_sigma=log_sigma),
        ]
    )
    return line.activation_energy_kj_mol, math.exp(line.log_d0), line.verdict


def test_printed_diffusivities_give_the_printed_energy() -> None:
    ea, d0, _ = energy(1.57e-17, 1.18e-17)
    assert ea == pytest.approx(3.247, abs=5e-4)
    assert d0 == pytest.approx(3.95e-17, abs=0.005e-17)


def test_rounding_of_the_printed_diffusivities_spans_the_printed_energy() -> None:
    found = [energy(a, b)[0] for a, b in itertools.product((1.565e-17, 1.575e-17), (1.175e-17, 1.185e-17))]
    assert (min(found), max(found)) == pytest.approx((3.16, 3.33), abs=0.005)
    assert min(found) < 3.3 < max(found)


def test_twenty_percent_errors_of_each_diffusivity_do_not_determine_it() -> None:
    assert energy(1.57e-17, 1.18e-17, 0.2)[2] == "not determined"


def test_energy_of_a_local_gradient_definition_is_several_times_larger() -> None:
    """A ratio of 4.7 between the samples, as the surface gradient of like profiles gives, is 17.6 kJ/mol."""
    assert energy(4.7e-17, 1e-17)[0] == pytest.approx(17.6, abs=0.05)


def test_published_values() -> None:
    by = {e.key: e for e in LITERATURE}
    assert by["zn_cigs_film"].activation_energy_kj_mol == 119.6
    assert by["zn_cigs_film"].activation_energy_kj_mol / KJ_MOL_PER_EV == pytest.approx(1.24, abs=0.001)
    assert by["zn_cuinse2_bulk"].activation_energy_kj_mol == pytest.approx(39.6, abs=0.05)
    assert by["cd_znte_quoted"].activation_energy_kj_mol == 20.0
    assert by["cd_znte_reported"].activation_energy_kj_mol == 24.0
    assert all(e.source and e.doubt for e in LITERATURE)
    assert len(by) == len(LITERATURE)


def test_published_rates_of_the_exchange_in_znte_agree_with_their_energy() -> None:
    """The abstract behind the 24 kJ/mol gives rates of 0.03e-3 /s at 20 °C and 2.8e-3 /s at 240 °C, rounded."""
    assert energy_of_rates(2.8e-3, 240, 0.03e-3, 20) == pytest.approx(24, abs=2.5)


def energy_of_rates(high: float, t_high: float, low: float, t_low: float) -> float:
    line = fit_arrhenius(
        [
            MeasuredDiffusivity(label="hot", temperature_c=t_high, diffusivity_cm2_s=high),
            MeasuredDiffusivity(label="cold", temperature_c=t_low, diffusivity_cm2_s=low),
        ]
    )
    return line.activation_energy_kj_mol

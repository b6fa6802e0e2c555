"""What is said, warned, stored and drawn about the consistency of the energies."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nanostrata.domain.energy_consistency import (
    EnergyConsistency,
    EnergyRow,
    EnergyShift,
    Exchange,
    FirstMinima,
    LeftOut,
    OtherLabel,
    ScaleTest,
)
from nanostrata.errors import PhysicsError
from nanostrata.interfaces.figure_style import style
from nanostrata.interfaces.figures_energies import energies as draw
from nanostrata.interfaces.report_energies import energies_html
from nanostrata.interfaces.run_folder import RunFolder, Table
from nanostrata.pipeline.energies_run import findings, warnings, write_energies
from nanostrata.pipeline.store_format import read_entry, write_entry
from nanostrata.pipeline.summary_energies import energies_summary

Q = np.linspace(0.5, 4.5, 30)
KEV = (16.0, 9.63, 9.3)


def row(i: int, p: float = 0.4, z: float = 0.3, constant: float = 2e-4) -> EnergyRow:
    fit = 0.01 * np.exp(-Q) * (1 + i)
    return EnergyRow(
        label=f"{KEV[i]:.3f} keV", file=f"run_{i}.dat", energy_kev=KEV[i], scale=0.01 * i, scale_sigma=0.01, scale_z=z,
        constant=constant, constant_sigma=3e-5, constant_share=0.1,
        minima=FirstMinima(
            measured=2.1 + 0.01 * i, measured_sigma=0.002, predicted=2.101 + 0.01 * i, predicted_low95=2.1, predicted_high95=2.14,
            pure_core=2.11, pure_shell=math.nan,
        ),
        left_out=LeftOut(
            chi2=30.0, dof=29, p=p, sigma_factor=1.0, fit=fit, low95=0.99 * fit, high95=1.01 * fit, spread=0.4
        ),
    )  # fmt: skip


def consistency(**changed: Any) -> EnergyConsistency:
    shift = np.array([-10.0, 0.0, 10.0])
    given: dict[str, Any] = {
        "rows": tuple(row(i) for i in range(3)),
        "scales": ScaleTest(
            stated=0.015, chi2=1.8, dof=2, p=0.41, consistent_from=0.0, consistent_to=math.inf, likely=0.014, verdict="consistent"
        ),
        "exchanges": (
            Exchange(first=0, second=1, gain=-90.0, verdict="as labelled"),
            Exchange(first=0, second=2, gain=-40.0, verdict="as labelled"),
            Exchange(first=1, second=2, gain=-3.0, verdict="cannot be told"),
        ),
        "margin": 16.0,
        "others": (),
        "label_margin": 21.0,
        "label_reach_kev": 0.3,
        "shift": EnergyShift(
            shift_ev=shift, delta_chi2=(shift / 6) ** 2, value_ev=0.0, low68_ev=-6.0, high68_ev=6.0, low95_ev=-10.0, high95_ev=9.0,
            open_low=True, open_high=False,
        ),
    }  # fmt: skip
    return EnergyConsistency(**(given | changed))


SWAPPED = (
    Exchange(first=0, second=1, gain=62.0, verdict="exchanged"),
    Exchange(first=0, second=2, gain=70.0, verdict="exchanged"),
    Exchange(first=1, second=2, gain=-80.0, verdict="as labelled"),
)


def table_of(path: Path) -> Table:
    with path.open(encoding="utf-8", newline="") as handle:
        header, *rows = list(csv.reader(handle))
    return Table(path.stem, {h: tuple(r[i] for r in rows) for i, h in enumerate(header)})


def folder(c: EnergyConsistency, tmp_path: Path) -> RunFolder:
    fits = [0.01 * np.exp(-Q) * (1 + i) for i in range(len(c.rows))]
    curves = [SimpleNamespace(q_inv_nm=Q, intensity=1.01 * f, sigma=0.01 * f) for f in fits]
    write_energies(tmp_path, SimpleNamespace(curves=curves), c)  # type: ignore[arg-type]
    tables = {p.stem: table_of(p) for p in tmp_path.glob("*.csv")}
    return RunFolder(path=tmp_path, summary={"asaxs": {"consistency": energies_summary(c)}}, tables=tables)


def test_sound_set_is_said_to_belong_together_and_what_could_not_be_seen_is_said() -> None:
    (found,) = findings(consistency())
    assert "belong together" in found.text
    assert "An exchange of run_1.dat (9.63 keV) and run_2.dat (9.3 keV) could not be seen" in found.text
    assert "from below -10 to +9 eV" in found.text
    assert found.grade == "moderate"
    assert warnings(consistency()) == []
    seen = tuple(replace(e, verdict="as labelled") for e in consistency().exchanges)
    assert findings(consistency(exchanges=seen))[0].grade == "strong"


def test_exchanged_files_are_named_first_with_what_fits_nearly_as_well() -> None:
    c = consistency(exchanges=SWAPPED)
    assert [e.gain for e in c.exchanged] == [70.0, 62.0]
    put_right = consistency(exchanges=SWAPPED, best_kev=(9.3, 9.63, 16.0))
    assert [(e.first, e.second) for e in put_right.exchanged] == [(0, 2)]
    assert [(e.first, e.second) for e in put_right.suspected] == [(0, 2), (0, 1)]
    found = findings(c)[0]
    assert "run_0.dat (16 keV) and run_2.dat (9.3 keV) look EXCHANGED" in found.text
    assert "Nearly as well fits an exchange of run_0.dat (16 keV) and run_1.dat (9.63 keV)" in found.text
    assert found.grade == "moderate"
    clear = (replace(SWAPPED[0], gain=20.0), *SWAPPED[1:])
    assert findings(consistency(exchanges=clear))[0].grade == "strong"
    assert [w["code"] for w in warnings(c)] == ["energies_exchanged"]
    small = replace(consistency().scales, verdict="stated too small")  # type: ignore[type-var]
    consequence = consistency(exchanges=SWAPPED, rows=(row(0), row(1, p=1e-9), row(2)), scales=small)
    assert len(findings(consequence)) == 1
    assert [w["code"] for w in warnings(consequence)] == [
        "energies_exchanged",
        "energy_not_predicted",
        "scale_uncertainty",
    ]


def test_more_than_two_files_are_put_in_their_best_order() -> None:
    c = consistency(exchanges=SWAPPED, best_kev=(9.63, 9.3, 16.0))
    assert c.mixed_up == (0, 1, 2)
    (found, *_) = findings(c)
    assert "The energies of 3 files look MIXED UP" in found.text
    assert "run_0.dat as 9.63 keV, run_1.dat as 9.3 keV, run_2.dat as 16 keV" in found.text
    assert energies_summary(c)["best_kev"] == [9.63, 9.3, 16.0]
    assert "look EXCHANGED" in findings(consistency(exchanges=SWAPPED, best_kev=(9.3, 9.63, 16.0)))[0].text


def test_each_fault_has_its_warning() -> None:
    other = (OtherLabel(row=1, energy_kev=9.66, gain=40.0),)
    assert [w["code"] for w in warnings(consistency(others=other))] == ["energy_label"]
    assert "run_1.dat (9.63 keV) looks WRONG: with 9.66 keV" in warnings(consistency(others=other))[0]["message"]
    rows = (row(0), row(1, p=1e-6), row(2))
    assert [w["code"] for w in warnings(consistency(rows=rows))] == ["energy_not_predicted"]
    small = replace(
        consistency().scales, verdict="stated too small", p=1e-4, consistent_from=0.03, consistent_to=0.12, likely=0.05
    )  # type: ignore[type-var]
    said = warnings(consistency(scales=small))
    assert [w["code"] for w in said] == ["scale_uncertainty"]
    assert "An uncertainty of 3 to 12 % would be consistent (most likely 5 %)" in said[0]["message"]
    rows = (row(0), row(1), row(2, constant=-3e-4))
    assert [w["code"] for w in warnings(consistency(rows=rows))] == ["over_subtracted"]
    shift = replace(consistency().shift, value_ev=6.0, low95_ev=2.0, open_low=False)  # type: ignore[type-var]
    assert [w["code"] for w in warnings(consistency(shift=shift))] == ["energy_shift"]


def test_summary_is_plain_json_without_nan_and_keeps_the_pairs() -> None:
    text = json.dumps(energies_summary(consistency(exchanges=SWAPPED)), allow_nan=False)
    s = json.loads(text)
    assert s["exchanged"][0]["files"] == ["run_0.dat", "run_2.dat"]
    assert s["per_energy"][1]["first_minimum_inv_nm"]["pure_shell"] is None
    assert s["per_energy"][1]["left_out_chi2_reduced"] == pytest.approx(30 / 29)
    assert s["scale"]["consistent_to"] is None
    assert s["energy_shift_ev"]["interval95"] == [-10.0, 9.0]


def test_stored_result_comes_back(tmp_path: Path) -> None:
    c = consistency(exchanges=SWAPPED)
    path = tmp_path / "entry"
    with path.open("wb") as out:
        write_entry(out, c)
    with path.open("rb") as back:
        again = read_entry(back)
    assert energies_summary(again) == energies_summary(c)


def test_section_shows_verdicts_and_marks_doubts(tmp_path: Path) -> None:
    rows = (row(0), row(1, p=1e-5, z=-4.2), row(2))
    run = folder(consistency(rows=rows, exchanges=SWAPPED, best_kev=(9.3, 9.63, 16.0)), tmp_path)
    with style():
        svg = draw(run)
    assert svg is not None
    assert svg.count("keV") >= 3
    html = energies_html(run, {"energies": svg})
    assert "<b>These look exchanged: 16 and 9.3 keV (χ² +70).</b>" in html
    assert "These gain too, but no longer once the others are put right: 16 and 9.63 keV (χ² +62)." in html
    assert "The fit is best with run_0.dat as 9.3 keV and run_2.dat as 16 keV." in html
    assert "<b>−4.2</b>" in html
    assert "<b>0.000010</b>" in html or "<b>1.0 × 10⁻⁵</b>" in html
    assert "Could not be seen either way: 9.63 and 9.3 keV" in energies_html(folder(consistency(), tmp_path), {})


def test_section_is_left_out_without_several_energies(tmp_path: Path) -> None:
    empty = RunFolder(path=tmp_path, summary={}, tables={})
    assert energies_html(empty, {}) == ""
    assert draw(empty) is None
    one = consistency(rows=(replace(row(0), left_out=None),), exchanges=(), scales=None, shift=None)
    assert findings(one) == ()
    assert energies_html(folder(one, tmp_path), {}) == ""


def test_pairs_must_be_two_of_the_curves_in_order() -> None:
    with pytest.raises(PhysicsError, match="not two of 3 curves"):
        consistency(exchanges=(Exchange(first=2, second=1, gain=0.0, verdict="cannot be told"),))

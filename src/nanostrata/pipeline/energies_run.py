"""Whether the energies belong together: the stage from a recipe, its sentences, warnings and tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain import SizeDistribution
from nanostrata.domain.energy_consistency import EnergyConsistency, Exchange, ScaleTest
from nanostrata.domain.finding import Finding
from nanostrata.domain.fit import ProfileFit
from nanostrata.models.density import SolidSolution
from nanostrata.pipeline.gather import Inputs
from nanostrata.pipeline.recipe import Recipe

_OVER_SUBTRACTED = -4.0


def consistency(
    recipe: Recipe, inputs: Inputs, solid: SolidSolution, sizes: SizeDistribution, fit: ProfileFit, seed: int,
    progress: Callable[[str], None],
) -> EnergyConsistency:  # fmt: skip
    """Hold every energy against the others, with the model that the profile was fitted with."""
    from nanostrata.pipeline.fit_recipe import family_of, fit_setup
    from nanostrata.stages.judge_energies import judge_energies

    setup = fit_setup(recipe, inputs, solid, sizes)
    return judge_energies(setup, family_of(recipe, fit), start=fit.main, seed=seed, progress=progress)


def findings(c: EnergyConsistency) -> tuple[Finding, ...]:
    """Return the sentences of the first page; none with a single curve."""
    if len(c.rows) < 2:
        return ()
    if c.exchanged:
        return tuple(_exchanged(c))  # wrong scales and curves that are not predicted follow from it
    wrong = [*_mislabelled(c), *_unpredicted(c)]
    out = wrong or [_together(c)]
    return (*out, *_scales(c.scales))


def _pair(c: EnergyConsistency, e: Exchange) -> str:
    return f"{c.rows[e.first].name} and {c.rows[e.second].name}"


def _exchanged(c: EnergyConsistency) -> list[Finding]:
    if not c.exchanged:
        return []
    best, *rest = c.suspected
    if len(c.mixed_up) > 2:
        order = ", ".join(f"{c.rows[i].file or c.rows[i].label} as {c.best_kev[i]:g} keV" for i in c.mixed_up)
        return [
            Finding(
                text=f"The energies of {len(c.mixed_up)} files look MIXED UP: the fit is best with {order}; the exchange of "
                f"{_pair(c, best)} alone gains chi2 {best.gain:.0f} (asked for: {c.margin:.0f}). Every other number of this page rests on the "
                "energies as given.",
                grade="moderate", numbers={"asaxs.consistency.exchanged[0].gain": best.gain, "margin": c.margin},
                improve="look at the beamline's log, put the energies right and run again",
            )
        ]  # fmt: skip
    near = [e for e in rest if best.gain - e.gain < c.margin]
    also = f" Nearly as well fits an exchange of {' or of '.join(_pair(c, e) for e in near)}." if near else ""
    return [
        Finding(
            text=f"The files {_pair(c, best)} look EXCHANGED: with their energies the other way round the fit is better by chi2 "
            f"{best.gain:.0f} (asked for: {c.margin:.0f}).{also} Every other number of this page rests on the energies as given.",
            grade="moderate" if near else "strong",
            numbers={"asaxs.consistency.exchanged[0].gain": best.gain, "margin": c.margin},
            improve="look at the beamline's log, put the energies right and run again",
        )
    ]


def _mislabelled(c: EnergyConsistency) -> list[Finding]:
    if c.exchanged or not c.others:
        return []
    best = c.others[0]
    row = c.rows[best.row]
    return [
        Finding(
            text=f"The energy of {row.name} looks WRONG: with {best.energy_kev:.4g} keV the fit is better by chi2 {best.gain:.0f} "
            f"(asked for: {c.label_margin:.0f}; energies up to {1e3 * c.label_reach_kev:.0f} eV away were tried).",
            grade="moderate", numbers={"asaxs.consistency.other_labels[0].gain": best.gain, "margin": c.label_margin},
            improve="look at the beamline's log and its energy calibration",
        )
    ]  # fmt: skip


def _unpredicted(c: EnergyConsistency) -> list[Finding]:
    out = []
    for row in c.unpredicted:
        assert row.left_out is not None
        out.append(
            Finding(
                text=f"The curve {row.name} is NOT what the other energies predict, at any scale and constant: chi2 per degree of freedom "
                f"{row.left_out.chi2_reduced:.2f} ({_p(row.left_out.p)}).",
                grade="strong", numbers={"chi2_reduced": row.left_out.chi2_reduced, "p": row.left_out.p},
                improve="check this file, its energy and its background",
            )
        )  # fmt: skip
    return out


def _together(c: EnergyConsistency) -> Finding:
    rows = [r.left_out for r in c.rows if r.left_out is not None]
    lowest = min(r.p for r in rows)
    text = (
        f"The {len(c.rows)} energies belong together: every curve is what the others predict up to its scale and constant (lowest p = "
        f"{lowest:.2g}), and no two files look exchanged."
    )
    numbers = {"lowest p": lowest, "pairs": float(len(c.exchanges)), "pairs that cannot be told": float(len(c.unseen))}
    if c.unseen:
        pairs = " or of ".join(_pair(c, e) for e in c.unseen)
        text += f" An exchange of {pairs} could not be seen in these data."
    shift = c.shift
    if shift is not None:
        low = f"{shift.low95_ev:+.0f}" if not shift.open_low else f"below {shift.low95_ev:+.0f}"
        high = f"{shift.high95_ev:+.0f}" if not shift.open_high else f"above {shift.high95_ev:+.0f}"
        text += f" The curves alone would take a common error of the photon energies from {low} to {high} eV (95 %)."
        numbers["asaxs.consistency.energy_shift_ev"] = shift.value_ev
    weak = all(r.spread > 3.0 for r in rows)
    return Finding(
        text=text, grade="moderate" if c.unseen or weak else "strong", numbers=numbers,
        improve="energies that differ more in f'" if c.unseen else "",
    )  # fmt: skip


def _scales(s: ScaleTest | None) -> list[Finding]:
    if s is None or s.verdict != "stated too small":
        return []
    return [
        Finding(
            text=f"The relative scales of the curves differ by more than the stated {100 * s.stated:g} %: chi2 {s.chi2:.1f} for {s.dof} "
            f"combinations ({_p(s.p)}). {_fitting(s)}",
            grade="strong", numbers={"asaxs.consistency.scale.chi2": s.chi2, "p": s.p},
            improve="a larger scale_uncertainty, or a better beam normalisation",
        )
    ]  # fmt: skip


def _fitting(s: ScaleTest) -> str:
    top = f" to {100 * s.consistent_to:.2g}" if math.isfinite(s.consistent_to) else " or more"
    return f"An uncertainty of {100 * s.consistent_from:.2g}{top} % would be consistent (most likely {100 * s.likely:.2g} %)."


def _p(p: float) -> str:
    return "p < 1e-15" if p < 1e-15 else f"p = {p:.2g}"


def warnings(c: EnergyConsistency) -> list[dict[str, str]]:
    """Return what a reader must not overlook, with a code for scripts."""
    out = [("energies_exchanged", f.text) for f in _exchanged(c)]
    out += [("energy_label", f.text) for f in _mislabelled(c)]
    out += [("energy_not_predicted", f.text) for f in _unpredicted(c)]
    out += [("scale_uncertainty", f.text) for f in _scales(c.scales)]
    shift = c.shift
    if shift is not None and not c.exchanged and not shift.low95_ev <= 0.0 <= shift.high95_ev:
        out.append(
            ("energy_shift", f"the curves fit better with all photon energies shifted by {shift.value_ev:+.1f} eV (95 %: "
             f"{shift.low95_ev:+.1f} to {shift.high95_ev:+.1f}): check the energy calibration, or state energy_uncertainty_ev")
        )  # fmt: skip
    for row in c.rows:
        if row.constant < _OVER_SUBTRACTED * row.constant_sigma:
            out.append(
                ("over_subtracted", f"{row.name}: the constant is negative, {row.constant:.2g} ± {row.constant_sigma:.1g} "
                 f"({100 * row.constant_share:.0f} % of the end of the curve): too much background was subtracted")
            )  # fmt: skip
    return [{"code": code, "message": text, "stage": "explain"} for code, text in out]


def write_energies(folder: Path, inputs: Inputs, c: EnergyConsistency) -> None:
    """Write ``energy_consistency.csv``, ``energy_exchanges.csv``, ``energy_shift.csv`` and ``left_out_curves.csv``."""
    from nanostrata.io.text_out import write_csv

    rows = []
    for r in c.rows:
        o, m = r.left_out, r.minima
        rows.append(
            [
                r.label, r.file, r.energy_kev, r.scale, r.scale_sigma, r.scale_z, r.constant, r.constant_sigma, r.constant_share,
                *((o.chi2, o.dof, o.chi2_reduced, o.p, o.sigma_factor, o.spread) if o is not None else (None,) * 6),
                m.measured, m.measured_sigma, m.predicted, m.predicted_low95, m.predicted_high95, m.pure_core, m.pure_shell,
            ]
        )  # fmt: skip
    write_csv(
        folder / "energy_consistency.csv",
        [
            "curve", "file", "energy_kev", "scale", "scale_sigma", "scale_z", "constant", "constant_sigma", "constant_share",
            "left_out_chi2", "left_out_dof", "left_out_chi2_reduced", "left_out_p", "left_out_sigma_factor", "left_out_spread",
            "first_minimum_inv_nm", "first_minimum_sigma", "predicted_inv_nm", "predicted_low95", "predicted_high95",
            "pure_core_inv_nm", "pure_shell_inv_nm",
        ],
        [[_known(v) for v in row] for row in rows],
    )  # fmt: skip
    if c.exchanges:
        write_csv(
            folder / "energy_exchanges.csv", ["curve_1", "curve_2", "gain", "margin", "verdict"],
            [[c.rows[e.first].label, c.rows[e.second].label, e.gain, c.margin, e.verdict] for e in c.exchanges],
        )  # fmt: skip
    if c.shift is not None:
        write_csv(
            folder / "energy_shift.csv", ["shift_ev", "delta_chi2"],
            zip(c.shift.shift_ev, c.shift.delta_chi2, strict=True),
        )  # fmt: skip
    points = []
    for r, curve in zip(c.rows, inputs.curves, strict=True):
        if r.left_out is not None:
            o = r.left_out
            columns = (curve.q_inv_nm, curve.intensity, curve.sigma, o.fit, o.low95, o.high95)
            points += [[r.label, r.energy_kev, *(float(v) for v in row)] for row in np.column_stack(columns)]
    if points:
        write_csv(
            folder / "left_out_curves.csv",
            ["curve", "energy_kev", "q_inv_nm", "intensity", "sigma", "predicted", "predicted_low95", "predicted_high95"], points,
        )  # fmt: skip


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value

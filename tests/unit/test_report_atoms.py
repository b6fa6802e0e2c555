"""The report on what follows from the profile: verification, particles, diffusion, lattice mismatch."""

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_fixture import write_run_folder
from report_fixture_atoms import EXCHANGE

from nanostrata.interfaces.figure_style import stepped
from nanostrata.interfaces.figures import FIGURES, draw_figures
from nanostrata.interfaces.figures_atoms import typical_row
from nanostrata.interfaces.figures_diffusion import interface_depths
from nanostrata.interfaces.report import render_report
from nanostrata.interfaces.report_findings import key_numbers
from nanostrata.interfaces.report_verification import alert_text, sentences_of
from nanostrata.interfaces.run_folder import RunFolder, read_run_folder

SECTIONS = ("verification", "diffusion", "mismatch", "particle")


def plain(html: str) -> str:
    """Text that a reader sees."""
    html = re.sub(r"<script.*?</script>|<style.*?</style>", " ", html, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).replace("&#x27;", "'")


def section(html: str, ident: str) -> str:
    found = re.search(rf'<section id="{ident}".*?</section>', html, flags=re.S)
    return found[0] if found else ""


def render(folder: Path) -> str:
    return render_report(folder).read_text(encoding="utf-8")


def change(folder: Path, **keys: Any) -> Path:
    """Replace keys of the summary; None takes one out."""
    file = folder / "summary.json"
    summary = json.loads(file.read_text(encoding="utf-8"))
    for dotted, value in keys.items():
        node, *path = summary, *dotted.split("__")
        for part in path[:-1]:
            node = node[part]
        if value is None:
            node.pop(path[-1])
        else:
            node[path[-1]] = value
    file.write_text(json.dumps(summary), encoding="utf-8")
    return folder


def bare_run(folder: Path, **more: Any) -> Path:
    """Run without the particle's atoms, which take longest to draw."""
    write_run_folder(folder, **more)
    (folder / "structures" / "particle.xyz").unlink()
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run_folder(tmp_path_factory.mktemp("atoms"))


@pytest.fixture(scope="module")
def html(folder: Path) -> str:
    return render(folder)


@pytest.fixture(scope="module")
def run(folder: Path) -> RunFolder:
    return read_run_folder(folder)


def test_verdict_is_the_first_line_of_the_first_screen(html: str) -> None:
    findings = section(html, "findings")
    assert "✓ Verified: the atoms reproduce ASAXS, SAXS, TEM and EDX." in plain(findings)
    assert findings.index('class="verdict pass"') < findings.index('class="findings"')
    assert 'class="alert"' not in html


def test_failed_verification_is_told_on_top_on_the_first_screen_and_in_its_section(tmp_path: Path) -> None:
    text = render(bare_run(tmp_path / "run", failing=("tem", "edx")))
    alert = re.search(r'<div class="alert" role="alert">(.*?)</div>', text)
    assert alert is not None
    assert alert[1] == "Verification failed: TEM and EDX speak against the atoms. Results are kept and marked."
    assert text.index('class="alert"') < text.index("<h1>")
    assert "✗ Verification failed: TEM and EDX speak against the atoms; ASAXS and SAXS agree." in plain(
        section(text, "findings")
    )
    verification = section(text, "verification")
    assert verification.count("✗ speaks against the atoms") == 2
    assert verification.count("✓ agrees") == 2
    assert "the atoms reproduce" not in plain(text)
    methods = (tmp_path / "run" / "methods.md").read_text(encoding="utf-8")
    assert "TEM and EDX speak against the atoms: the verification failed." in methods
    assert "p < 10⁻¹²" in methods


def test_one_failing_data_set_outweighs_a_passed_run(tmp_path: Path) -> None:
    change(bare_run(tmp_path / "run"), verification__saxs__verdict="fails")
    assert alert_text(read_run_folder(tmp_path / "run")).startswith("Verification failed: SAXS speaks against")


def test_index_shows_the_verdict_of_each_sample(folder: Path, tmp_path: Path) -> None:
    from nanostrata.interfaces.report_index import render_index

    other = bare_run(tmp_path / "other", failing=("asaxs",))
    text = plain(render_index(tmp_path, [folder, other]).read_text(encoding="utf-8"))
    assert "the atoms reproduce ASAXS, SAXS, TEM and EDX" in text
    assert "Verification failed: ASAXS speaks against the atoms" in text


def test_corrections_are_told_in_words(html: str) -> None:
    text = plain(section(html, "verification"))
    # 1.4625 prior standard deviations of the scale_uncertainty 0.015 in the recipe
    assert "curve of 9630 eV lowered by 2.2 %, 1.5 times its stated standard deviation of 1.5 %" in text
    assert "smooth deviation common to all energies (pattern 3), 0.7 times" in text
    assert "constant background" not in text  # 0.2 of its standard deviation: too small to tell
    assert "(the largest 0.2 of one)" in text
    assert "weighted so that they stand for all sizes to 0.023 % of the intensity" in text


def test_scale_without_a_stated_uncertainty_gets_no_percentage(tmp_path: Path) -> None:
    text = plain(section(render(change(bare_run(tmp_path / "run"), recipe=None)), "verification"))
    assert "curve of 9630 eV lowered, 1.5 times its stated standard deviation;" in text


def test_verification_figure_shows_every_curve_and_the_shell_model(run: RunFolder) -> None:
    svg = draw_figures(run)["verification"]
    assert all(name in svg for name in ("8.900 keV", "9.300 keV", "9.630 keV", "16.000 keV", "SAXS"))
    assert "shell model − atoms" in svg
    assert "χ² / point 0.97" in svg


def test_verification_figure_without_shell_model_and_model_error(tmp_path: Path) -> None:
    folder = bare_run(tmp_path / "run")
    (folder / "tables" / "curves.csv").unlink()
    path = folder / "tables" / "verification_curves.csv"
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    out = io.StringIO()
    writer = csv.DictWriter(out, [n for n in rows[0] if n != "model_error"], extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8")
    svg = draw_figures(read_run_folder(folder))["verification"]
    assert "shell model" not in svg
    assert "of the atoms" not in svg
    assert "SAXS" in svg


def test_particles_section_states_charge_coverage_and_exchange(html: str) -> None:
    text = plain(section(html, "particle"))
    assert "+12 e; mean over the ensemble −1.4 e" in text
    assert "0.930 ± 0.020 (95 %: 0.891 to 0.969)" in text
    assert EXCHANGE in text
    assert "2 of 1440 sites were changed" in text
    assert "6 particles stand for all sizes of the sample, each with its weight: mean diameter 4.09 nm" in text


def test_ensemble_table_marks_the_particle_that_is_shown(html: str, run: RunFolder) -> None:
    assert typical_row(run) == 2
    details = re.search(r"<details>.*?</details>", section(html, "particle"), flags=re.S)
    assert details is not None
    assert details[0].count("<tr") == 7
    marked = re.search(r"<tr class=marked>(.*?)</tr>", details[0], flags=re.S)
    assert marked is not None
    assert plain(marked[1]).split() == ["3", "(shown", "above)", "30.000", "3.90", "1.060", "+12", "87", "64", "123", "760", "493"]  # fmt: skip


def test_no_particle_is_marked_when_its_counts_fit_none(tmp_path: Path) -> None:
    folder = change(bare_run(tmp_path / "run"), atoms__counts={"Zn": 1, "Se": 1})
    assert typical_row(read_run_folder(folder)) is None
    assert "class=marked" not in section(render(folder), "particle")


def test_every_definition_of_the_diffusivity_is_listed_and_the_first_page_number_marked(html: str) -> None:
    diffusion = section(html, "diffusion")
    marked = re.search(r"<tr class=marked>(.*?)</tr>", diffusion, flags=re.S)
    assert marked is not None
    assert "★ spherical Fick-2" in plain(marked[1])
    assert "(3.1 ± 0.6) × 10⁻¹⁸" in plain(marked[1])
    text = plain(diffusion)
    assert "determined, D = (3.1 ± 0.6) × 10⁻¹⁸ cm²/s" in text
    assert "1/(C₂² t)" in text
    assert "not determined; in 12 % of the draws" in text
    assert re.findall(r'<th scope="row">([A-F])</th>', diffusion) == ["A", "C", "E", "F"]
    assert "exponential, C₂ −1.02 ± 0.11 1/nm" in text


def test_diffusivity_that_is_not_determined_gets_no_value_on_the_first_screen(tmp_path: Path) -> None:
    verdict = "not determined: only a lower limit, 1e-17 cm^2/s (95 %)"
    folder = change(bare_run(tmp_path / "run"), diffusion__verdict=verdict)
    tiles = {name: (value, notes) for name, value, notes in key_numbers(read_run_folder(folder))}
    assert tiles["diffusivity of Zn (spherical Fick-2)"] == (
        "not determined",
        ["only a lower limit, 1e-17 cm²/s (95 %)"],
    )
    text = render(folder)
    assert 'class="verdict open"' in section(text, "diffusion")
    assert "not determined: only a lower limit" in plain(section(text, "diffusion"))
    assert "is not determined: only a lower limit" in (folder / "methods.md").read_text(encoding="utf-8")


def test_truth_of_the_diffusivity_is_drawn_beside_it(tmp_path: Path) -> None:
    folder = bare_run(tmp_path / "run")
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    (folder / "truth.json").write_text(json.dumps(truth | {"diffusivity_cm2_s": 9e-18}), encoding="utf-8")
    assert "✗ outside 95\u00a0%" in section(render(folder), "diffusion")


def test_depth_profile_with_one_row_per_shell_is_drawn_as_points(tmp_path: Path) -> None:
    folder = bare_run(tmp_path / "run")
    path = folder / "tables" / "depth_profile.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([lines[0], *lines[20::41]]) + "\n", encoding="utf-8")
    svg = draw_figures(read_run_folder(folder))["depth_profile"]
    assert "shells (68, 95 %)" in svg
    assert "spherical Fick-2" in svg


def test_steps_lie_at_the_depth_of_their_interfaces(run: RunFolder) -> None:
    assert interface_depths(run, 4) == pytest.approx([1.64, 1.23, 0.82, 0.41])
    assert all(math.isnan(d) for d in interface_depths(run, 3))


def test_mismatch_shows_every_step_beside_the_abrupt_interface(html: str) -> None:
    text = plain(section(html, "mismatch"))
    # a: (0.426 - 0.026 * 0.60) - (0.426 - 0.026 * 0.915) over the inner one
    assert re.search(r"4 to 5 0\.41 2\.0 ± 0\.4 \(95 %: 1\.3 to 2\.7\)", text)
    assert "6.10" in text
    assert "6.70" in text
    assert "from layer to layer ((001), c/2), fitted profile" in text


@pytest.mark.parametrize("abrupt", [6.1, {"value": 6.1, "sigma": 0.0, "interval95": [6.1, 6.1]}], ids=["number", "quantity"])  # fmt: skip
def test_cubic_mismatch_may_state_the_abrupt_step_either_way(tmp_path: Path, abrupt: Any) -> None:
    folder = bare_run(tmp_path / "run")
    entry = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["mismatch"][0]
    change(folder, mismatch=[entry | {"direction": "cubic", "abrupt_percent": abrupt, "layers": []}])
    text = render(folder)
    assert "abrupt interface: 6.1 %" in plain(section(text, "findings"))
    assert "along" not in plain(section(text, "mismatch"))
    assert "cubic lattice constant" in (folder / "figures" / "mismatch.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", ["verification", "diffusion", "mismatch", "atoms"])
def test_missing_key_leaves_out_its_section_only(tmp_path: Path, key: str) -> None:
    text = render(change(bare_run(tmp_path / "run"), **{key: None}))
    ident = {"atoms": "particle"}.get(key, key)
    for other in SECTIONS:
        expected = other != ident or key == "atoms"  # counts and ensemble of the fit remain
        assert bool(section(text, other)) == expected, other
    if key == "verification":
        assert 'class="verdict pass"><span class="sign" aria-hidden="true">✓</span><span><b>Verified' not in text


@pytest.mark.parametrize("table", ["verification", "verification_curves", "ensemble", "depth_profile", "mismatch"])
def test_missing_table_leaves_out_its_figure_only(tmp_path: Path, table: str) -> None:
    folder = bare_run(tmp_path / "run")
    (folder / "tables" / f"{table}.csv").unlink()
    text = render(folder)
    assert f"tables/{table}.csv" not in text
    for ident in SECTIONS:
        assert section(text, ident)
    for name, spec in FIGURES.items():
        # mismatch is drawn from the summary, the first minimum beside the energies where these were judged
        # and the tables of other figures are not all in this folder
        there = all((folder / "tables" / f"{t}.csv").is_file() for t in spec.tables if t != table)
        if there and spec.tables and name not in ("particle", "mismatch", "first_minimum", "verification_waxs"):
            assert (f'id="figure-{name}"' in text) == (spec.tables != (table,)), name


def test_contrast_run_and_older_run_have_none_of_it(tmp_path: Path) -> None:
    for name, folder in (
        ("contrasts", write_run_folder(tmp_path / "contrasts", contrasts=True)),
        ("older", change(bare_run(tmp_path / "older"), verification=None, diffusion=None, mismatch=None, atoms=None)),
    ):
        text = render(folder)
        assert not any(section(text, s) for s in SECTIONS[:3]), name
        assert "diffusivity" not in plain(text).lower().replace("diffusivity_", ""), name
        assert "Verified" not in plain(text), name


def test_empty_and_broken_entries_do_not_crash(tmp_path: Path) -> None:
    folder = change(
        bare_run(tmp_path / "run"),
        verification={"passed": True, "asaxs": {"verdict": "agrees"}, "notes": "one note"},
        diffusion={"verdict": "not determined: no time stated", "alternatives": [None, {"name": "A"}]},
        mismatch=[{"direction": "a", "percent": {"value": []}}, None, "x"],
        atoms={"counts": {}, "charge_e": None, "coverage": {"value": None}, "charge_balance": []},
    )
    text = render(folder)
    assert "the atoms reproduce ASAXS" in plain(text)
    assert "not determined: no time stated" in plain(text)
    assert not section(text, "mismatch")
    assert re.search(r"\bnan\b|\bNone\b", plain(text)) is None


def test_sentences_of_the_run_cannot_become_markup(tmp_path: Path) -> None:
    evil = "</script><img src=x onerror=alert(2)>"
    folder = change(
        bare_run(tmp_path / "run"),
        verification__edx__sentence=evil,
        verification__notes=[evil],
        atoms__exchange_unit=evil,
        diffusion__verdict=evil,
        diffusion__definition=evil,
    )
    assert "<img src=x" not in render(folder)


def test_sentences_are_found_in_every_form() -> None:
    assert sentences_of({"notes": ["a", "b"], "sentence": "c", "value": 3}) == ["c", "a", "b"]
    assert sentences_of("a") == ["a"]
    assert sentences_of(None) == []
    assert sentences_of(["a", None, ""]) == ["a"]


def test_charge_balance_names_its_particle_and_where_the_charge_comes_from(tmp_path: Path) -> None:
    balance = {
        "charge_e": -8.0,
        "surface_excess_e": -8.0,
        "formula_e": 0.0,
        "residue_e": 0.0,
        "changed_sites": 3,
        "messages": ["shell 1 holds fewer cation sites than one exchange unit (4 of 7)"],
        "shells": [],
    }
    folder = change(
        bare_run(tmp_path / "run"),
        atoms__charge_balance=balance,
        atoms__coverage_layer="cation",
        atoms__coverage_by_sites=0.973,
    )
    text = plain(section(render(folder), "particle"))
    assert "First particle of the ensemble: −8 e in all; −8 e from unequal numbers of cation and anion sites" in text
    assert "3 sites had to change to balance it. Shell 1 holds fewer cation sites" in text
    assert "0.930 ± 0.020 of the outermost cations; ± is the spread from particle to particle" in text


def test_largest_step_counts_only_where_the_data_inform_both_shells(tmp_path: Path) -> None:
    folder = bare_run(tmp_path / "run")
    entries = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["mismatch"]
    change(folder, mismatch=[e | {"maximum_supported_percent": None} for e in entries])
    tiles = {name: (value, notes) for name, value, notes in key_numbers(read_run_folder(folder))}
    assert tiles["largest lattice step along a"][0] == "not determined"
    assert "abrupt interface: 6.1 %" in tiles["largest lattice step along a"][1]


def test_diffusivity_without_meaning_is_marked_in_the_table_of_definitions(tmp_path: Path) -> None:
    verdict = "not determined: spherical Fick-2 does not describe the curves"
    sentence = "Spherical Fick-2 does not describe the curves (p = 9.7e-20)."
    folder = change(bare_run(tmp_path / "run"), diffusion__verdict=verdict, diffusion__fick={"sentence": sentence})
    diffusion = section(render(folder), "diffusion")
    marked = re.search(r"<tr class=marked>(.*?)</tr>", diffusion, flags=re.S)
    assert marked is not None
    assert "not determined ; the fit gives (3.1 ± 0.6) × 10⁻¹⁸" in plain(marked[1])
    assert "p = 9.7 × 10⁻²⁰" in plain(diffusion)


def test_numbers_of_findings_are_named_in_words(tmp_path: Path) -> None:
    numbers = {"verification.tem.p": 0.32, "diffusion.diffusivity_cm2_s": 4.0e-18, "mismatch.a.maximum_supported_percent": 3.0}  # fmt: skip
    folder = change(bare_run(tmp_path / "run"), findings=[{"text": "x", "grade": "strong", "numbers": numbers}])
    text = plain(section(render(folder), "findings"))
    assert "p of TEM = 0.320; D (cm²/s) = 4.00 × 10⁻¹⁸; largest step along a (%) = 3" in text


def test_a_profile_of_constant_pieces_is_told_from_a_smooth_one() -> None:
    assert stepped(np.repeat([0.1, 0.5, 0.9], 20))
    assert not stepped(np.linspace(0.1, 0.9, 60))
    assert not stepped(np.array([0.5]))

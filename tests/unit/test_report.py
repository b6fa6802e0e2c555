"""The report: complete, offline, honest about what is simulated and what is prior, the same bytes for the same run."""

import base64
import csv
import hashlib
import io
import json
import re
import shutil
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from report_fixture import write_run_folder

from nanostrata.errors import DataError
from nanostrata.interfaces.figure_style import curve_styles, element_colours
from nanostrata.interfaces.figures import FIGURES
from nanostrata.interfaces.formatting import decimals_for, format_number, format_quantity, shell_quantities
from nanostrata.interfaces.report import render_index, render_report
from nanostrata.interfaces.report_findings import truth_note
from nanostrata.interfaces.run_folder import read_run_folder

SIMULATED = "Simulated data: the truth is drawn beside every result"


class Page(HTMLParser):
    """Collects what a browser would load, and the structure that readers hold on to."""

    LOADING = frozenset(
        {"img", "script", "link", "iframe", "object", "embed", "audio", "video", "source", "image", "use"}
    )

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.alts: list[str | None] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in self.LOADING:
            self.loads += [v for k, v in attrs if k in ("src", "href", "xlink:href", "data", "srcset") and v]
        if tag == "a" and given.get("href"):
            self.links.append(given["href"] or "")
        if tag == "img":
            self.alts.append(given.get("alt"))
        if given.get("id"):
            self.ids.append(given["id"] or "")
        if tag not in ("img", "meta", "input", "br", "rect", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass  # <rect .../>: loads nothing, needs no end

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.unbalanced.append(tag)
        else:
            self.open.pop()


# drawn by stages that this folder has not seen; a whole run shows the others (tests/contract/test_whole_run.py)
REPLACED = {
    "first_minimum",
    "families",
    "shape_cuts",
    "shape_curve",
    "shape_runs",
    "shape_sections",
    "shape_tem",
    "strain",
    "verification_waxs",
    "waxs",
    "waxs_pair_distribution",
    "waxs_whole_pattern",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run_folder(tmp_path_factory.mktemp("thick"))
    render_report(folder)
    return folder


@pytest.fixture(scope="module")
def html(run: Path) -> str:
    return (run / "report.html").read_text(encoding="utf-8")


def test_page_loads_nothing_from_elsewhere(html: str) -> None:
    page = Page(html)
    assert page.loads
    assert all(address.startswith("data:") for address in page.loads)
    style = re.findall(r"<style>(.*?)</style>", html, flags=re.S)[0]
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in html


def test_page_is_one_file_below_6_megabytes(run: Path) -> None:
    assert (run / "report.html").stat().st_size < 6_000_000


def test_markup_is_balanced_and_ids_are_unique(html: str) -> None:
    page = Page(html)
    assert page.unbalanced == []
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))


def test_every_link_inside_the_page_has_its_target(html: str) -> None:
    page = Page(html)
    inside = [link[1:] for link in page.links if link.startswith("#")]
    assert len(inside) > 10
    assert set(inside) <= set(page.ids)


def test_every_relative_link_has_its_file(run: Path, html: str) -> None:
    relative = [a for a in Page(html).links if not a.startswith(("#", "data:", "https:"))]
    assert len(relative) > 15
    assert [a for a in relative if not (run / a).is_file()] == []


def test_every_figure_says_in_words_what_it_shows(html: str) -> None:
    alts = Page(html).alts
    assert len(alts) == len(FIGURES) - len(REPLACED)
    assert all(alt and len(alt) > 30 for alt in alts)


def test_every_figure_links_its_numbers_inside_the_page(run: Path, html: str) -> None:
    for name, spec in FIGURES.items():
        if name in REPLACED:
            continue
        figure = re.search(rf'<figure id="figure-{name}".*?</figure>', html, flags=re.S)
        assert figure is not None
        for table in spec.tables:
            embedded = re.search(
                rf'<a download="{table}.csv" href="data:text/csv;charset=utf-8;base64,([^"]+)"', figure[0]
            )
            assert embedded is not None, (name, table)
            assert base64.b64decode(embedded[1]) == (run / "tables" / f"{table}.csv").read_bytes()


def test_large_table_is_embedded_once_only(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run")
    curves = folder / "tables" / "curves.csv"
    lines = curves.read_text(encoding="utf-8").splitlines()
    curves.write_text("\n".join([lines[0], *(line for line in lines[1:] for _ in range(6))]) + "\n", encoding="utf-8")
    text = render_report(folder).read_text(encoding="utf-8")
    assert text.count(base64.b64encode(curves.read_bytes()[:3000]).decode()) == 1
    assert 'href="#numbers-curves"' in text


@pytest.mark.parametrize("name", sorted(FIGURES.keys() - (REPLACED - {"first_minimum"})))
def test_figures_are_sound_svg_files(run: Path, name: str) -> None:
    root = ET.fromstring((run / "figures" / f"{name}.svg").read_text(encoding="utf-8"))
    assert root.tag.endswith("svg")
    assert len(list(root.iter())) > 30


def test_same_run_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    again = tmp_path / run.name
    shutil.copytree(run, again)
    for old in (again / "figures").glob("*.svg"):
        old.unlink()
    render_report(again)
    for path in sorted(run.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(run)).read_bytes(), path.name


def test_no_draft_files_are_left(run: Path) -> None:
    assert [p.name for p in run.rglob(".*")] == []


def test_simulated_data_are_marked_in_every_section_and_in_print(html: str) -> None:
    sections = re.findall(r"<section .*?</h2>", html, flags=re.S)
    assert len(sections) >= 10
    assert all(SIMULATED in s for s in sections)
    assert f'@top-center {{ content: "{SIMULATED}"' in html
    assert '<div class="banner" role="note">' in html


def test_measured_data_are_not_called_simulated(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "real", simulated=False)
    text = render_report(folder).read_text(encoding="utf-8").lower()
    assert "simulated data" not in text
    assert "truth" not in re.sub(r"<script.*?</script>|<style.*?</style>|data:[^\"]*", "", text, flags=re.S)
    assert all("truth" not in p.read_text(encoding="utf-8") for p in (folder / "figures").glob("*.svg"))


def test_findings_come_first_with_grade_in_words_and_what_would_improve(html: str) -> None:
    first = re.search(r'<section id="findings".*?</section>', html, flags=re.S)
    assert first is not None
    assert html.index('<section id="findings"') < html.index('<section id="profile"')
    grades = re.findall(r'<span class="badge"><svg.*?</svg>([^<]+)</span>', first[0], flags=re.S)
    assert grades == ["strong", "moderate", "weak", "not determined"]
    icons = re.findall(r'<span class="badge">(<svg.*?</svg>)', first[0], flags=re.S)
    assert len(set(icons)) == 4  # told apart without colour
    assert "What would improve it:</b> aspect ratios from TEM" in first[0]
    assert "x of shell 5 = 0.915" in first[0]


def test_shells_that_rest_on_the_prior_are_named(html: str) -> None:
    profile = re.search(r'<section id="profile".*?</section>', html, flags=re.S)
    assert profile is not None
    assert (
        "On grey ground (shell 1, 2, counted from the centre) the curve shows the prior, not a measurement"
        in profile[0]
    )
    assert profile[0].count("○ prior") == 2


def test_truth_is_said_to_be_inside_or_outside_by_the_interval() -> None:
    quantity = {"value": 4.0, "sigma": 0.1, "interval95": [3.8, 4.2]}
    assert truth_note(quantity, 4.15).endswith("✓ inside 95\u00a0%")
    assert truth_note(quantity, 4.25).endswith("✗ outside 95\u00a0%")
    assert truth_note(quantity, None) == ""


def test_text_from_files_cannot_become_markup(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run", title='<script>alert(1)</script> & "x"')
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    evil = "</script><img src=x onerror=alert(2)>"
    summary["findings"][0]["text"] = evil
    summary["warnings"][0]["message"] = evil
    summary["recipe"]["sample"]["note"] = evil
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    inputs = folder / "tables" / "inputs.csv"
    inputs.write_text(inputs.read_text(encoding="utf-8").replace("data/8900eV.dat", evil), encoding="utf-8")
    xyz = folder / "structures" / "particle.xyz"
    xyz.write_text(xyz.read_text(encoding="utf-8").replace("\nSe ", "\n</script><b> ", 1), encoding="utf-8")
    text = render_report(folder).read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "</script><b>" not in text
    assert Page(text).unbalanced == []


@pytest.mark.parametrize(
    "missing",
    [
        ("profile",),
        ("profile_bands", "size"),
        ("curves", "shapes"),
        ("energies", "contrast"),
        ("composition", "tem_readings"),
        ("factors", "first_minimum", "inputs"),
    ],
    ids=lambda names: names[0],
)
def test_any_table_may_be_absent(tmp_path: Path, missing: tuple[str, ...]) -> None:
    folder = write_run_folder(tmp_path / "run")
    (folder / "structures" / "particle.xyz").unlink()  # not the subject here, and the largest part to draw
    for name in missing:
        (folder / "tables" / f"{name}.csv").unlink()
    page = Page(render_report(folder).read_text(encoding="utf-8"))
    assert page.unbalanced == []
    shown = {Path(a).stem for a in page.links if a.endswith(".csv")}
    assert shown.isdisjoint(missing)


def test_optional_columns_may_be_empty(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run")
    for name, keep in {
        "profile": {"shell", "r_inner_nm", "r_outer_nm", "x", "sigma"},
        "curves": {"curve", "q_inv_nm", "intensity", "sigma"},
    }.items():
        path = folder / "tables" / f"{name}.csv"
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        out = io.StringIO()
        writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows([{k: v if k in keep else "" for k, v in row.items()} for row in rows])
        path.write_text(out.getvalue(), encoding="utf-8")
    text = render_report(folder).read_text(encoding="utf-8")
    assert 'id="figure-profile"' in text
    assert 'id="figure-curves"' in text
    assert (
        re.search(r"\bnan\b", re.sub(r"<script.*?</script>|<style.*?</style>|data:[^\"]*", "", text, flags=re.S))
        is None
    )


def test_contrast_run_shows_radii_and_no_profile(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run", contrasts=True, title="micro-emulsion")
    text = render_report(folder).read_text(encoding="utf-8")
    assert 'id="figure-profile"' not in text
    assert "particle-data" not in re.sub(r"<script.*?</script>", "", text, flags=re.S)
    assert "core radius" in text
    assert "3.60 ± 0.04 nm" in text
    assert "50/50" in text


def test_summary_alone_is_enough(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text('{"software": {"name": "nanostrata", "version": "0.1.0"}}', encoding="utf-8")
    assert Page(render_report(tmp_path).read_text(encoding="utf-8")).unbalanced == []


def test_all_broken_files_are_named_at_once(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run")
    (folder / "tables" / "size.csv").write_text("diameter_nm,fit\n1,2,3\n", encoding="utf-8")
    (folder / "structures" / "particle.xyz").write_text(
        "5\nProperties=species:S:1:pos:R:3\nZn 0 0 0\n", encoding="utf-8"
    )
    with pytest.raises(DataError) as caught:
        render_report(folder)
    assert len(caught.value.problems) == 2
    assert "size.csv, line 2: expected 2 cells" in str(caught.value)
    assert "5 atoms announced, 1 found" in str(caught.value)
    with pytest.raises(DataError, match="nanostrata run"):
        render_report(tmp_path / "nowhere")


def test_index_shows_every_sample_and_links_its_report(run: Path, tmp_path: Path) -> None:
    other = write_run_folder(tmp_path / "thin", title="thin shell")
    page = render_index(tmp_path, [other, run], title="Demo")
    text = page.read_text(encoding="utf-8")
    links = [a for a in Page(text).links if a.endswith("report.html")]
    assert len(set(links)) == 2
    assert "thin/report.html" in links
    assert "4.08 ± 0.04 nm" in text
    assert SIMULATED in text
    assert Page(text).unbalanced == []


def test_particle_data_reach_the_viewer_unchanged(run: Path, html: str) -> None:
    holder = re.search(r'<script type="application/json" id="particle-data">(.*?)</script>', html, flags=re.S)
    assert holder is not None
    data = json.loads(holder[1])
    atoms = read_run_folder(run).particle
    assert atoms is not None
    assert [data["elements"][k] for k in data["element"]] == list(atoms.symbols)
    np.testing.assert_allclose(np.reshape(data["xyz"], (-1, 3)) / 100, atoms.positions_angstrom, atol=0.006)
    assert "X" not in data["elements"]  # vacancies are not atoms
    assert set(data["modes"]) == {"element", "shell", "depth"}
    for mode in data["modes"].values():
        assert len(mode["of"]) == len(data["element"])
        assert max(mode["of"]) < len(mode["classes"])


def test_depth_follows_from_the_radius_fraction(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path / "run")
    lines = [
        "3",
        "Properties=species:S:1:pos:R:3:shell:I:1:radius_fraction:R:1",
        "Zn 0 0 0 1 0.0",
        "Se 10 0 0 3 0.5",
        "Se 0 18 0 5 0.9",
    ]
    (folder / "structures" / "particle.xyz").write_text("\n".join(lines) + "\n", encoding="utf-8")
    atoms = read_run_folder(folder).particle
    assert atoms is not None
    assert atoms.depth_nm is not None
    np.testing.assert_allclose(atoms.depth_nm, [2.0, 1.0, 0.2], atol=1e-12)  # a sphere of radius 2 nm


def test_vendored_viewer_is_the_file_named_in_its_note() -> None:
    folder = resources.files("nanostrata").joinpath("_vendor")
    digest = hashlib.sha256(folder.joinpath("3Dmol-min.js").read_bytes()).hexdigest()
    assert digest in folder.joinpath("README.md").read_text(encoding="utf-8")


def luminance(colour: str) -> float:
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_elements_are_told_apart_even_without_colour() -> None:
    colours = element_colours(["Zn", "Se", "Ag", "In"])
    levels = sorted(luminance(c) for c in colours.values())
    ratios = [(b + 0.05) / (a + 0.05) for a, b in pairwise(levels)]
    assert min(ratios) > 1.3
    many = element_colours(["Zn", "Se", "Ag", "In", "Xx", "Yy", "Zz", "Cd", "S", "Te"])
    assert len(set(many.values())) == len(many)


def test_curve_colour_depends_on_the_energies_only(run: Path) -> None:
    styles = curve_styles(read_run_folder(run))
    assert [s.name for s in styles.values()] == ["8.900 keV", "9.300 keV", "9.630 keV", "16.000 keV"]
    assert len({s.colour for s in styles.values()}) == 4
    assert len({s.marker for s in styles.values()}) == 4


@pytest.mark.parametrize(
    ("sigma", "decimals"),
    [(0.0354, 3), (0.0355, 2), (0.0949, 2), (0.0951, 2), (0.2, 2), (1.0, 1), (3.6, 0), (56.0, -1), (0.00104, 4)],
)
def test_sigma_decides_the_decimals(sigma: float, decimals: int) -> None:
    assert decimals_for(sigma) == decimals


@pytest.mark.parametrize(
    ("quantity", "unit", "text"),
    [
        ({"value": 4.0634, "sigma": 0.0512, "interval95": [3.961, 4.164]}, "nm", "4.06 ± 0.05 nm (95 %: 3.96 to 4.16)"),
        (
            {"value": 0.9153, "sigma": 0.0262, "interval95": [0.8639, 0.9658]},
            "",
            "0.915 ± 0.026 (95 %: 0.864 to 0.966)",
        ),
        (
            {"value": 1.23e-19, "sigma": 4.2e-20, "interval95": [5e-20, 2e-19]},
            "cm²/s",
            "(1.2 ± 0.4) × 10⁻¹⁹ cm²/s (95 %: 0.5 to 2.0)",
        ),
        ({"value": -0.0004, "sigma": 0.02}, "", "0.000 ± 0.020"),
        ({"value": -5.46, "sigma": 0.2}, "", "−5.46 ± 0.20"),
        ({"value": 531.4, "sigma": 21.3}, "", "531 ± 21"),
        ({"value": None, "sigma": None, "interval95": [0.1, 0.5]}, "", "0.10 to 0.50 (95 %)"),
        ({"value": 0.5, "interval95": [0.1, 0.9]}, "", "0.50 (95 %: 0.10 to 0.90)"),
        ({}, "nm", "not determined"),
        (None, "", "not determined"),
        (4.1, "nm", "4.10 nm"),
    ],
)
def test_quantities_are_rounded_by_their_error(quantity: object, unit: str, text: str) -> None:
    assert format_quantity(quantity, unit) == text


def test_rounding_never_hides_more_than_a_tenth_of_sigma() -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        sigma = float(10 ** rng.uniform(-2.5, 1.5))
        value = float(rng.normal(0, 20 * sigma))
        shown = float(format_number(value, decimals_for(sigma)).replace("−", "-"))
        assert abs(shown - value) <= 0.15 * sigma


def test_shell_arrays_split_into_one_quantity_per_shell() -> None:
    array = {"value": [0.1, 0.9], "sigma": [0.2, 0.1], "interval95": [[0.0, 0.5], [0.7, 1.0]]}
    assert shell_quantities(array)[1] == {"value": 0.9, "sigma": 0.1, "interval95": [0.7, 1.0]}
    assert shell_quantities(None) == []

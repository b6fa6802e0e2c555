"""The methods text says what a run did, with its numbers, and cites that and nothing else."""

import json
import re
from pathlib import Path

import pytest
from report_fixture import write_run_folder

from nanostrata.errors import DataError
from nanostrata.interfaces.cite import REFERENCES, cite_run, references_used
from nanostrata.interfaces.methods import methods_parts, methods_text


@pytest.fixture(scope="module")
def asaxs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run_folder(tmp_path_factory.mktemp("asaxs"))


@pytest.fixture(scope="module")
def contrasts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run_folder(tmp_path_factory.mktemp("contrasts"), contrasts=True)


def summary(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text(encoding="utf-8"))


def test_text_carries_the_numbers_of_the_run(asaxs: Path) -> None:
    text = methods_text(summary(asaxs))
    for words in (
        "four photon energies (8.900, 9.300, 9.630 and 16.000 keV, Zn K edge)",
        "484 points",
        "Ag2In4Se7 (x = 0, wurtzite, a = 0.426 nm, c = 0.702 nm)",
        "uncertain by 1 %",
        "4.08 ± 0.04 nm (95 %: 4.01 to 4.16)",
        "0.705 ± 0.019",
        "200 refits",
        "Shells 1 and 2 (from the centre) rest on the prior",
        "seed 1",
    ):
        assert words in text


def test_simulated_data_are_called_simulated(asaxs: Path) -> None:
    given = summary(asaxs)
    assert methods_text(given).startswith("The data of this run are simulated.")
    assert "simulated" not in methods_text({**given, "simulated": False})


def test_citations_are_numbered_in_the_order_of_their_first_use(asaxs: Path) -> None:
    parts = methods_parts(summary(asaxs))
    found = [int(n) for group in re.findall(r"\[([\d,]+)\]", " ".join(parts.paragraphs)) for n in group.split(",")]
    first_uses = list(dict.fromkeys(found))
    assert first_uses == list(range(1, len(parts.references) + 1))


def test_every_reference_used_is_cited_in_the_text(asaxs: Path) -> None:
    given = summary(asaxs)
    assert set(methods_parts(given).references) == {*references_used(given), "nanostrata"}


def test_contrast_run_cites_no_anomalous_tables_and_no_atoms(contrasts: Path) -> None:
    used = references_used(summary(contrasts))
    assert not {"chantler1995", "cromer1981", "xraydb", "gemmi2022", "yarema2017", "ase2017", "3dmol2015"} & set(used)
    assert "Three scattering curves of particles in water were evaluated jointly: 363 points" in methods_text(
        summary(contrasts)
    )


def test_only_the_factor_table_that_was_used_is_cited(asaxs: Path) -> None:
    given = summary(asaxs)
    assert {"chantler1995", "cromer1981"} <= set(references_used(given))  # the fit was repeated with the other table
    del given["profile"]["table_systematic_table"]
    assert "cromer1981" not in references_used(given)
    given["asaxs"]["factors"] = given["recipe"]["asaxs"]["factors"] = "cromer-liberman"
    assert {"cromer1981", "gemmi2022"} <= set(references_used(given))
    assert "chantler1995" not in references_used(given)


def test_library_that_was_not_installed_is_not_cited(asaxs: Path) -> None:
    given = summary(asaxs)
    assert "numba2015" in references_used(given)
    given["software"]["libraries"]["numba"] = "not installed"
    assert "numba2015" not in references_used(given)


def test_reader_is_cited_only_for_the_formats_it_reads(asaxs: Path) -> None:
    given = summary(asaxs)
    assert "sasdata" not in references_used(given)
    given["inputs"][0]["file"] = "data/curve.XML"
    assert "sasdata" in references_used(given)


def test_bibtex_has_one_entry_for_each_reference_and_the_software(asaxs: Path) -> None:
    text = cite_run(asaxs)
    keys = re.findall(r"^@\w+\{([^,]+),$", text, flags=re.M)
    assert keys[0] == "nanostrata"
    assert set(keys[1:]) == set(references_used(summary(asaxs)))
    assert len(keys) == len(set(keys))
    assert text.count("{") == text.count("}")


def test_known_references_carry_the_right_doi() -> None:
    for key, doi in {
        "yarema2017": "10.1038/s41598-017-11996-2",
        "chantler1995": "10.1063/1.555974",
        "cromer1981": "10.1107/S0567739481000600",
        "waasmaier1995": "10.1107/S0108767394013292",
        "trewhella2017": "10.1107/S2059798317011597",
    }.items():
        assert REFERENCES[key].get("doi") == doi


def test_cite_refuses_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"summary\.json"):
        cite_run(tmp_path)


def test_empty_summary_gives_a_text_without_invented_facts() -> None:
    text = methods_text({"software": {"name": "nanostrata", "version": "0.1.0"}})
    assert "keV" not in text
    assert "shells" not in text
    assert "nanostrata 0.1.0" in text


def test_what_follows_from_the_profile_is_told_and_cited(asaxs: Path) -> None:
    given = summary(asaxs)
    text = methods_text(given)
    for words in (
        "6 particles of atoms, each after another draw of the posterior",
        "ASAXS: reduced χ² = 0.98, p = 0.64",
        "All of them agree with the atoms.",
        "The diffusivity of Zn after 600 s at 150 °C by the definition “spherical Fick-2",
        "(3.1 ± 0.6) × 10⁻¹⁸ cm²/s",
        "2.0 ± 0.4 % (95 %: 1.2 to 2.8) along a, of an abrupt interface 6.1 %",
    ):
        assert words in text
    assert {"debye1915", "golub1969", "crank1975", "vegard1921", "denton1991"} <= set(references_used(given))


@pytest.mark.parametrize(
    ("key", "reference"),
    [("verification", "debye1915"), ("diffusion", "crank1975"), ("atoms", "golub1969")],
)
def test_what_a_run_lacks_is_neither_told_nor_cited(asaxs: Path, key: str, reference: str) -> None:
    given = summary(asaxs)
    del given[key]
    assert reference not in references_used(given)
    assert REFERENCES[reference].title not in methods_text(given)
    assert set(methods_parts(given).references) == {*references_used(given), "nanostrata"}


def test_vegard_is_cited_where_lattices_are_mixed_by_it(asaxs: Path) -> None:
    given = summary(asaxs)
    del given["mismatch"]
    assert "vegard1921" in references_used(given)
    given["recipe"]["materials"]["core"]["lattice"]["structure"] = "rocksalt"
    assert "vegard1921" not in references_used(given)
    assert "cube root of the volume" in methods_text(given)


def test_book_is_cited_with_publisher_and_isbn() -> None:
    crank = REFERENCES["crank1975"]
    assert (
        crank.as_text() == "Crank, J. (1975). The Mathematics of Diffusion. Clarendon Press, Oxford. ISBN 0-19-853344-6"
    )
    assert crank.as_bibtex().startswith("@book{crank1975,")

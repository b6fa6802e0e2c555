"""canSAS 1-D XML: units honoured point by point, several entries, energies, and nothing expanded."""

import re

import numpy as np
import pytest

from nanostrata.constants import HC_KEV_NM
from nanostrata.errors import DataError
from nanostrata.io.curves import list_entries, read_curve

POINTS = ((0.01, 5.0, 0.1, 0.001), (0.02, 4.0, 0.2, 0.002), (0.03, 3.0, 0.3, 0.003))


def point(q, i, s=None, dq=None, unit='unit="1/A"', i_unit='unit="1/cm"'):
    text = f"<Idata><Q {unit}>{q}</Q><I {i_unit}>{i}</I>"
    text += "" if s is None else f"<Idev {i_unit}>{s}</Idev>"
    text += "" if dq is None else f"<Qdev {unit}>{dq}</Qdev>"
    return text + "</Idata>\n"


def points(**kw):
    return "".join(point(*p, **kw) for p in POINTS)


def entry(data, name="", source="", title="t", data_name=""):
    named = f' name="{name}"' if name else ""
    blocks = [data] if isinstance(data, str) else data
    sas = "".join(
        f"<SASdata{data_name and f' name={chr(34)}{data_name}{k}{chr(34)}'}>\n{b}</SASdata>\n"
        for k, b in enumerate(blocks)
    )
    return f"<SASentry{named}><Title>{title}</Title><Run>1</Run>\n{sas}{source}</SASentry>\n"


def source(radiation, wavelength, unit="nm"):
    told = f"<radiation>{radiation}</radiation>" if radiation else ""
    told += f'<wavelength unit="{unit}">{wavelength}</wavelength>'
    return f"<SASinstrument><SASsource>{told}</SASsource></SASinstrument>"


@pytest.fixture
def write(tmp_path):
    def write(*entries, head="", namespace='xmlns="urn:cansas1d:1.1"', encoding="UTF-8"):
        file = tmp_path / "curve.xml"
        text = f'<?xml version="1.0" encoding="{encoding}"?>\n{head}<SASroot version="1.1" {namespace}>\n'
        text += "".join(entries) + "</SASroot>\n"
        file.write_bytes(text.encode(encoding))
        return file

    return write


def problems(*args, **kw):
    with pytest.raises(DataError) as caught:
        read_curve(*args, **kw)
    return caught.value.problems


@pytest.mark.parametrize("namespace", ['xmlns="urn:cansas1d:1.1"', 'xmlns="cansas1d/1.0"', ""])
@pytest.mark.parametrize("unit, factor", [("1/A", 10.0), ("1/nm", 1.0), ("A^{-1}", 10.0), ("nm-1", 1.0)])
def test_units_and_versions(write, namespace, unit, factor):
    curve = read_curve(write(entry(points(unit=f'unit="{unit}"')), namespace=namespace))
    np.testing.assert_allclose(curve.q_inv_nm, np.array([0.01, 0.02, 0.03]) * factor)
    np.testing.assert_allclose(curve.dq_inv_nm, np.array([0.001, 0.002, 0.003]) * factor)
    assert curve.intensity.tolist() == [5, 4, 3]
    assert curve.sigma.tolist() == [0.1, 0.2, 0.3]
    assert curve.intensity_unit == "1/cm"
    assert curve.energy_kev is None


def test_prefixed_elements_and_latin_1(write):
    file = write(entry(points(), title="Größe"), namespace='xmlns:sas="urn:cansas1d:1.1"', encoding="ISO-8859-1")
    file.write_bytes(re.sub(rb"<(/?)([A-Z])", rb"<\1sas:\2", file.read_bytes()))
    assert len(read_curve(file)) == 3
    assert list_entries(file)[0].title == "Größe"


def test_an_unknown_or_absent_unit_needs_a_declaration(write):
    for unit, said in (('unit="furlong"', "'furlong'"), ("", "not stated")):
        file = write(entry(points(unit=unit).replace("<Qdev unit", "<Qdev x")))
        assert said in problems(file)[0]
        assert read_curve(file, q_unit="1/nm").q_inv_nm[0] == pytest.approx(0.01)
    assert "is declared, but the file says 1/angstrom" in problems(write(entry(points())), q_unit="1/nm")[0]


def test_units_that_change_between_points_are_refused(write):
    mixed = point(0.01, 5, 0.1) + point(0.02, 4, 0.2) + point(0.3, 3, 0.3, unit='unit="1/nm"')
    (found,) = problems(write(entry(mixed)))
    assert "line 7: the unit of <Q> is '1/nm', elsewhere '1/A'" in found


def test_intensity_units(write):
    assert read_curve(write(entry(points(i_unit='unit="1/m"')))).intensity == pytest.approx([0.05, 0.04, 0.03])
    assert read_curve(write(entry(points(i_unit='unit="1/m"')))).sigma == pytest.approx([0.001, 0.002, 0.003])
    assert read_curve(write(entry(points(i_unit='unit="a.u."')))).intensity_unit == "arb"
    clash = points().replace('<Idev unit="1/cm"', '<Idev unit="counts"')
    assert "the unit of <Idev> is 'counts'" in problems(write(entry(clash)))[0]


def test_resolution_in_its_own_unit(write):
    data = "".join(point(*p).replace('<Qdev unit="1/A"', '<Qdev unit="1/nm"') for p in POINTS)
    np.testing.assert_allclose(read_curve(write(entry(data))).dq_inv_nm, [0.001, 0.002, 0.003])


def test_defects_are_told_by_line(write):
    data = point(0.01, "NaN", 0.1) + point(0.02, 4, 0) + point("", 3, 0.1) + point(0.04, 2, 0.1)
    found = "\n".join(problems(write(entry(data))))
    assert "line 5: the intensity is not a finite number" in found
    assert "line 6: sigma is zero or negative" in found
    assert "line 7: q is not a finite number" in found
    curve = read_curve(write(entry(data)), on_bad_points="drop")
    assert (len(curve), curve.origin.points_read) == (1, 4)


def test_words_instead_of_numbers_stop(write):
    assert "line 6: <I> is not a number" in problems(write(entry(point(0.01, 5, 0.1) + point(0.02, "x", 0.1))))[0]


def test_several_entries(write):
    file = write(entry(points(), name="first"), entry([points(), point(0.5, 1, 0.1)], name="second", data_name="d"))
    listed = list_entries(file)
    assert [(e.number, e.name, e.points) for e in listed] == [(1, "first", 3), (2, "second/d0", 3), (3, "second/d1", 1)]
    (found,) = problems(file)
    assert "holds 3 curves" in found
    assert "'second/d1' (1 points)" in found
    for wanted in ("second/d1", 3, "3"):
        curve = read_curve(file, entry=wanted)
        assert curve.q_inv_nm.tolist() == [5.0]
        assert curve.label == curve.origin.entry == "second/d1"
    assert "no single curve entry = 'third'" in problems(file, entry="third")[0]
    twins = write(entry(points(), name="same"), entry(points(), name="same"))
    assert "fits 2 curves; take the number" in problems(twins, entry="same")[0]
    assert len(read_curve(twins, entry=2)) == 3


def test_slit_widths_are_noted(write):
    slit = '<dQw unit="1/A">0.001</dQw><dQl unit="1/A">0.05</dQl></Idata>'
    data = "".join(point(q, i, s).replace("</Idata>", slit) for q, i, s, _ in POINTS)
    curve = read_curve(write(entry(data)))
    assert curve.dq_inv_nm is None
    assert any("slit length dQl = 0.05 1/A" in n for n in curve.origin.notes)


# ---- photon energy
def xray(write, wavelength="0.128748", unit="nm", radiation="Synchrotron X-ray Source"):
    return write(entry(points(), source=source(radiation, wavelength, unit)))


@pytest.mark.parametrize(
    "wavelength, unit", [("0.128748", "nm"), ("1.28748", "A"), ("1.28748", "Å"), ("128.748", "pm")]
)
def test_energy_from_the_wavelength_of_x_rays(write, wavelength, unit):
    curve = read_curve(xray(write, wavelength, unit))
    assert curve.energy_kev == pytest.approx(HC_KEV_NM / 0.128748)
    assert curve.energy_kev == pytest.approx(9.63, abs=1e-3)
    assert list_entries(xray(write, wavelength, unit))[0].energy_kev == curve.energy_kev


def test_a_declared_energy_must_agree_with_the_file(write):
    assert read_curve(xray(write), energy_kev=9.63).energy_kev == 9.63
    (found,) = problems(xray(write), energy_kev=9.3)
    assert "energy_kev = 9.3 is declared, but wavelength 0.128748 nm in the file is 9.62999 keV" in found
    assert "330 eV apart" in found


def test_coarse_digits_cannot_contradict_and_are_said_to_be_coarse(write):
    # 0.13 nm stands for 0.125 to 0.135 nm: 9.2 to 9.9 keV.
    assert read_curve(xray(write, "0.13"), energy_kev=9.63).energy_kev == 9.63
    curve = read_curve(xray(write, "0.13"))
    assert curve.energy_kev == pytest.approx(9.537, abs=1e-3)
    assert any("only to 3.7e+02 eV" in n for n in curve.origin.notes)
    assert problems(xray(write, "0.13"), energy_kev=16.0)


def test_neutrons_have_no_photon_energy(write):
    curve = read_curve(xray(write, "0.6", "nm", "Spallation Neutron Source"))
    assert curve.energy_kev is None
    assert any("wavelength 0.6 nm: no photon energy" in n for n in curve.origin.notes)


@pytest.mark.parametrize("radiation", ["", "muon"])
def test_a_wavelength_of_unknown_radiation_is_not_used(write, radiation):
    curve = read_curve(xray(write, radiation=radiation))
    assert curve.energy_kev is None
    assert any("state energy_kev" in n for n in curve.origin.notes)


@pytest.mark.parametrize("wavelength, unit", [("x", "nm"), ("-1", "nm"), ("0.1", "furlong")])
def test_an_odd_wavelength_is_noted_and_not_used(write, wavelength, unit):
    curve = read_curve(xray(write, wavelength, unit))
    assert curve.energy_kev is None
    assert any("not used" in n for n in curve.origin.notes)


def test_an_impossible_energy_of_the_file_needs_a_declaration(write):
    assert "outside 1 to 200 keV" in problems(xray(write, "0.128748", "m"))[0]


# ---- hostile and broken files
@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE r [<!ENTITY a "AAAA"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE r SYSTEM "http://localhost:9/x.dtd">',
    ],
)
def test_entities_and_document_types_are_refused(write, head):
    assert "document type or entities" in problems(write(entry(points()), head=head))[0]


def test_a_file_that_was_cut_off(write):
    file = write(entry(points()))
    file.write_bytes(file.read_bytes()[:-40])
    assert "not well-formed" in problems(file)[0]


def test_other_xml_and_empty_entries(write, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<html><body/></html>", encoding="utf-8")
    assert "the root element is <html>" in problems(page)[0]
    assert "no <SASentry> with <SASdata>" in problems(write("<SASentry/>"))[0]
    assert "holds no <Idata>" in problems(write(entry("")))[0]
    odd = write(entry(points()), encoding="UTF-8")
    odd.write_bytes(odd.read_bytes().replace(b"UTF-8", b"X-NONE"))
    assert "encoding" in problems(odd)[0]

"""NXcanSAS: units and uncertainties by attribute, several entries, and no way out of the file."""

import numpy as np
import pytest

from nanostrata.constants import HC_KEV_NM
from nanostrata.errors import DataError
from nanostrata.io.curves import list_entries, read_curve

h5py = pytest.importorskip("h5py")
Q = np.array([0.1, 0.2, 0.3])
INTENSITY = np.array([5.0, 4.0, 3.0])
SIGMA = np.array([0.1, 0.2, 0.3])


def add(h5, name="sasentry01", data="sasdata01", unit="1/nm", i_unit="1/cm", classes="canSAS_class"):
    entry = h5.require_group(name)
    entry.attrs[classes] = "SASentry"
    group = entry.create_group(data)
    group.attrs.update({classes: "SASdata", "signal": "I", "I_axes": "Q"})
    group["Q"], group["I"], group["Idev"] = Q, INTENSITY, SIGMA
    if unit:
        group["Q"].attrs["units"] = unit
    group["I"].attrs.update({"units": i_unit, "uncertainties": "Idev"})
    group["Idev"].attrs["units"] = i_unit
    return group


def add_source(h5, **values):
    source = h5["sasentry01"].create_group("sasinstrument").create_group("sassource")
    source.attrs["canSAS_class"] = "SASsource"
    for name, (value, unit) in values.items():
        source[name] = value
        if unit:
            source[name].attrs["units"] = unit


@pytest.fixture
def write(tmp_path):
    def write(build, name="curve.h5"):
        file = tmp_path / name
        with h5py.File(file, "w") as h5:
            build(h5)
        return file

    return write


def problems(*args, **kw):
    with pytest.raises(DataError) as caught:
        read_curve(*args, **kw)
    return caught.value.problems


@pytest.mark.parametrize("classes", ["canSAS_class", "NX_class"])
@pytest.mark.parametrize("unit, factor", [("1/nm", 1.0), (b"1/angstrom", 10.0), ("1/A", 10.0), (["1/nm"], 1.0)])
def test_units_and_classes(write, unit, factor, classes):
    curve = read_curve(write(lambda h5: add(h5, unit=unit, classes=classes)))
    np.testing.assert_allclose(curve.q_inv_nm, Q * factor)
    np.testing.assert_array_equal(curve.intensity, INTENSITY)
    np.testing.assert_array_equal(curve.sigma, SIGMA)
    assert curve.intensity_unit == "1/cm"
    assert curve.origin.entry == "sasentry01"


def test_an_unknown_or_absent_unit_needs_a_declaration(write):
    for unit, said in (("furlong", "'furlong'"), ("", "not stated")):
        file = write(lambda h5, unit=unit: add(h5, unit=unit))
        assert said in problems(file)[0]
        np.testing.assert_allclose(read_curve(file, q_unit="1/A").q_inv_nm, Q * 10)
    assert "is declared, but the file says 1/nm" in problems(write(add), q_unit="1/A")[0]


@pytest.mark.parametrize("attribute", ["uncertainties", "uncertainty"])
def test_uncertainties_by_any_name(write, attribute):
    def build(h5):
        g = add(h5)
        g.move("Idev", "errors_of_I")
        del g["I"].attrs["uncertainties"]
        g["I"].attrs[attribute] = "errors_of_I"

    np.testing.assert_array_equal(read_curve(write(build)).sigma, SIGMA)


def test_the_usual_name_without_an_attribute(write):
    def build(h5):
        del add(h5)["I"].attrs["uncertainties"]

    np.testing.assert_array_equal(read_curve(write(build)).sigma, SIGMA)


def test_a_named_dataset_that_is_not_there(write):
    def build(h5):
        del add(h5)["Idev"]

    assert "/sasentry01/sasdata01/Idev is not there" in problems(write(build))[0]


def test_resolution_scaling_factor_and_intensity_unit(write):
    def build(h5):
        g = add(h5, i_unit="1/m")
        g["Qdev"] = 0.1 * Q
        g["Qdev"].attrs["units"] = "1/angstrom"
        g["Q"].attrs.update({"resolutions": "Qdev", "resolutions_description": "Square"})
        g["k"] = 2.0
        g["I"].attrs["scaling_factor"] = "k"

    curve = read_curve(write(build))
    np.testing.assert_allclose(curve.dq_inv_nm, Q)
    np.testing.assert_allclose(curve.intensity, 0.02 * INTENSITY)
    np.testing.assert_allclose(curve.sigma, 0.02 * SIGMA)
    notes = "\n".join(curve.origin.notes)
    assert "multiplied by 0.01 to 1/cm" in notes
    assert "scaling factor 2 (k)" in notes
    assert "'Square'" in notes


@pytest.mark.parametrize("names", ["dQw, dQl", ["dQw", "dQl"]])
def test_slits_and_masks_are_noted(write, names):
    def build(h5):
        g = add(h5)
        g["dQw"], g["dQl"], g["Mask"] = 0.001 + 0 * Q, 0.05 + 0 * Q, Q > 0.2
        g["Q"].attrs["resolutions"] = names

    curve = read_curve(write(build))
    assert curve.dq_inv_nm is None
    assert any("dQl = 0.05 to 0.05" in n for n in curve.origin.notes)
    assert any("use mask_inv_nm" in n for n in curve.origin.notes)


def test_several_entries(write):
    def build(h5):
        add(h5, "a")
        add(h5, "b", unit="1/A")
        h5["c"] = h5py.SoftLink("/b")  # another name of the same entry is no further entry

    file = write(build)
    assert [(e.number, e.name, e.points, e.q_unit) for e in list_entries(file)] == [
        (1, "a", 3, "1/nm"),
        (2, "b", 3, "1/angstrom"),
    ]
    assert "holds 2 curves" in problems(file)[0]
    np.testing.assert_allclose(read_curve(file, entry="b").q_inv_nm, Q * 10)
    np.testing.assert_allclose(read_curve(file, entry=1).q_inv_nm, Q)


def test_the_default_of_an_entry_is_taken_and_others_on_request(write):
    def build(h5):
        add(h5, data="sasdata")
        add(h5, data="sasdata_fit")["I"][...] = 1.0
        h5["sasentry01"].attrs["default"] = "sasdata"

    file = write(build)
    np.testing.assert_array_equal(read_curve(file).intensity, INTENSITY)
    np.testing.assert_array_equal(read_curve(file, entry="sasentry01").intensity, INTENSITY)
    assert read_curve(file, entry="sasentry01/sasdata_fit").intensity.tolist() == [1, 1, 1]


def test_defects_are_told_by_point(write):
    def build(h5):
        g = add(h5)
        g["I"][1] = np.nan
        g["Idev"][2] = 0.0

    found = "\n".join(problems(write(build)))
    assert "point 2: the intensity is not a finite number" in found
    assert "point 3: sigma is zero or negative" in found


# ---- photon energy
@pytest.mark.parametrize("probe", [{"probe": ("x-ray", "")}, {"radiation": ("Synchrotron X-ray Source", "")}])
def test_energy_from_wavelength_or_monochromator(write, probe):
    def by_wavelength(h5):
        add(h5)
        add_source(h5, incident_wavelength=(HC_KEV_NM / 9.63, "nm"), energy=(6.0, "GeV"), **probe)

    assert read_curve(write(by_wavelength)).energy_kev == pytest.approx(9.63, abs=1e-9)

    def by_energy(h5):
        add(h5)
        add_source(h5, **probe)
        mono = h5["sasentry01/sasinstrument"].create_group("mono")
        mono.attrs["NX_class"] = "NXmonochromator"
        mono["energy"] = 9630.0
        mono["energy"].attrs["units"] = "eV"

    file = write(by_energy)
    assert read_curve(file).energy_kev == pytest.approx(9.63)
    assert read_curve(file, energy_kev=9.6302).energy_kev == 9.6302
    assert "is declared, but energy 9630 eV in the file" in problems(file, energy_kev=9.64)[0]


def test_neutrons_and_unknown_radiation_give_no_energy(write):
    def neutrons(h5):
        add(h5)
        add_source(h5, probe=("neutron", ""), incident_wavelength=(0.6, "nm"))

    def unknown(h5):
        add(h5)
        add_source(h5, incident_wavelength=(0.1, "nm"))

    assert read_curve(write(neutrons)).energy_kev is None
    curve = read_curve(write(unknown))
    assert curve.energy_kev is None
    assert any("state energy_kev" in n for n in curve.origin.notes)


# ---- ways out of the file
def other(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as h5:
        add(h5)
    return "other.h5"


def link_dataset(h5, target):
    g = add(h5)
    del g["I"]
    g["I"] = h5py.ExternalLink(target, "/sasentry01/sasdata01/I")


def link_entry(h5, target):
    h5["sasentry01"] = h5py.ExternalLink(target, "/sasentry01")


def link_behind_a_soft_link(h5, target):
    g = add(h5)
    del g["I"]
    h5["elsewhere"] = h5py.ExternalLink(target, "/sasentry01/sasdata01")
    g["I"] = h5py.SoftLink("/elsewhere/I")


def virtual_dataset(h5, target):
    g = add(h5)
    del g["I"]
    layout = h5py.VirtualLayout(shape=(3,), dtype="f8")
    layout[:] = h5py.VirtualSource(target, "/sasentry01/sasdata01/I", shape=(3,))
    g.create_virtual_dataset("I", layout)


def external_storage(h5, target):
    g = add(h5)
    del g["I"]
    g.create_dataset("I", shape=(3,), dtype="f8", external=[(target, 0, 24)])


@pytest.mark.parametrize(
    "build", [link_dataset, link_entry, link_behind_a_soft_link, virtual_dataset, external_storage]
)
def test_whatever_leads_to_another_file_is_refused(write, tmp_path, build):
    target = str(tmp_path / other(tmp_path))
    before = (tmp_path / "other.h5").read_bytes()
    (found,) = problems(write(lambda h5: build(h5, target)))
    assert "leads to another file" in found
    assert (tmp_path / "other.h5").read_bytes() == before


def test_links_of_raw_frames_elsewhere_do_not_disturb(write, tmp_path):
    def build(h5):
        add(h5)
        h5["raw"] = h5py.ExternalLink("missing_master.h5", "/entry/data")

    assert len(read_curve(write(build))) == 3


def test_soft_links_inside_are_followed_and_loops_end(write):
    def inside(h5):
        g = add(h5)
        h5["store/I"] = INTENSITY
        del g["I"]
        g["I"] = h5py.SoftLink("/store/I")
        g["Idev"].attrs["units"] = ""

    assert read_curve(write(inside)).intensity.tolist() == [5, 4, 3]

    def loop(h5):
        g = add(h5)
        del g["I"]
        g["I"] = h5py.SoftLink("/sasentry01/sasdata01/J")
        g["J"] = h5py.SoftLink("/sasentry01/sasdata01/I")
        h5["again"] = h5["sasentry01"]
        h5["sasentry01/self"] = h5["/"]

    assert "a link to a link" in problems(write(loop))[0]


# ---- broken files
def image(h5):
    g = add(h5)
    del g["I"]
    g["I"] = np.ones((3, 4))


def edges(h5):
    g = add(h5)
    del g["Q"]
    g["Q"] = np.arange(4.0)


def words(h5):
    g = add(h5)
    del g["Q"]
    g["Q"] = np.array([b"a", b"b", b"c"])


def nothing(h5):
    add(h5)
    del h5["sasentry01/sasdata01/Q"]


def too_long(h5):
    g = add(h5)
    del g["Q"]
    g.create_dataset("Q", shape=(10**12,), dtype="f8", chunks=(1000,))  # 8 TB on paper, a few bytes on disk


@pytest.mark.parametrize(
    "build, message",
    [
        (image, "not an image or a series"),
        (edges, "edges of bins"),
        (words, "numbers are expected"),
        (nothing, "Q is not there"),
        (too_long, "no scattering curve"),
        (lambda h5: h5.create_group("entry"), "no SASentry with SASdata"),
    ],
)
def test_what_is_no_curve_is_refused(write, build, message):
    assert message in problems(write(build))[0]


def test_one_frame_with_a_spare_axis_is_taken_aloud(write):
    def build(h5):
        g = add(h5)
        del g["I"], g["Idev"]
        g["I"], g["Idev"] = INTENSITY[None], SIGMA[None]
        g["I"].attrs["uncertainties"] = "Idev"

    curve = read_curve(write(build))
    assert curve.intensity.tolist() == [5, 4, 3]
    assert any("taken as one row" in n for n in curve.origin.notes)


@pytest.mark.parametrize("keep", [20, 600])
def test_a_file_that_was_cut_off(write, keep):
    file = write(add)
    file.write_bytes(file.read_bytes()[:keep])
    assert "cannot be opened" in problems(file)[0]

"""Maps and bead models as files: what is written is read again, and by other programs."""

import numpy as np
import pytest
from tests.others_files import dammif_text, dammin_text, lattice_ball

from nanostrata.errors import DataError
from nanostrata.io.bead_models import read_bead_file, read_beads, write_bead_cif, write_bead_pdb
from nanostrata.io.mrc import read_mrc, write_mrc

BEADS = np.random.default_rng(0).uniform(-4, 4, (40, 3))


@pytest.mark.parametrize("write, suffix", [(write_bead_pdb, "pdb"), (write_bead_cif, "cif")])
def test_beads_come_back(tmp_path, write, suffix):
    file = write(tmp_path / f"beads.{suffix}", BEADS, 0.5, occupancy=np.linspace(0, 1, 40), remarks=["a remark"])
    places, bead = read_beads(file)
    np.testing.assert_allclose(places, BEADS, atol=6e-5)  # three decimals of an angstrom
    assert bead == pytest.approx(0.5)


@pytest.mark.parametrize(
    "write, suffix, reader", [(write_bead_pdb, "pdb", "read_pdb"), (write_bead_cif, "cif", "read_structure")]
)
def test_gemmi_reads_the_beads(tmp_path, write, suffix, reader):
    import gemmi

    file = write(tmp_path / f"beads.{suffix}", BEADS, 0.5, occupancy=np.linspace(0, 1, 40))
    chain = getattr(gemmi, reader)(str(file))[0]["A"]
    atoms = [residue[0] for residue in chain]
    assert [(r.name, r[0].name) for r in chain] == [("ASP", "CA")] * 40
    np.testing.assert_allclose([a.pos.tolist() for a in atoms], 10 * BEADS, atol=6e-4)
    np.testing.assert_allclose([a.occ for a in atoms], np.linspace(0, 1, 40), atol=6e-3)


def test_a_model_in_the_habit_of_other_programs_is_read(tmp_path):
    file = tmp_path / "dammif-1.pdb"
    file.write_text(
        "REMARK 265  Dummy atom radius (A) ................................. : 2.2000\n"
        "ATOM      1  CA  ASP A   1      -4.400   0.000  12.345  1.00 20.00 1 2 201\n"
        "ATOM      2  CA  ASP A   2       4.400   0.000 -12.345  1.00 20.00 1 2 201\n"
    )
    places, bead = read_beads(file)
    np.testing.assert_allclose(places, [[-0.44, 0, 1.2345], [0.44, 0, -1.2345]])
    assert bead == pytest.approx(0.44)


def test_a_file_without_beads_is_refused(tmp_path):
    file = tmp_path / "x.pdb"
    file.write_text("HEADER nothing\n")
    with pytest.raises(DataError, match="found none"):
        read_beads(file)
    file.write_text("ATOM      1  CA  ASP A   1      -4.400   0.0x0  12.345\n")
    with pytest.raises(DataError, match="line 1"):
        read_beads(file)


def test_headers_of_other_programs_are_read(tmp_path):
    places = 10 * lattice_ball(4.0, 0.5)
    file = tmp_path / "ball-1.pdb"
    file.write_text(dammif_text(places, 2.5))
    found = read_bead_file(file)
    assert found.software == "dammif (r12593)"
    assert found.bead == pytest.approx(5.0)
    assert found.bead_stated
    assert found.rg == pytest.approx(np.sqrt(((places - places.mean(axis=0)) ** 2).sum(axis=1).mean()), abs=1e-3)
    assert found.volume == pytest.approx(len(places) * 5.0**3 / np.sqrt(2), rel=2e-3)
    np.testing.assert_allclose(found.positions, places, atol=6e-4)
    in_nm = found.scaled(0.1)
    assert in_nm.volume == pytest.approx(found.volume * 1e-3)
    file.write_text(dammin_text(places, 2.5))
    assert read_bead_file(file).bead == pytest.approx(5.0)
    # averages write their radius in other words, and occupancies that are no shares
    file.write_text(dammif_text(places, 2.5, occupancy="52.31").replace("Dummy atom radius", "Atomic Radius"))
    found = read_bead_file(file)
    assert found.bead == pytest.approx(5.0)
    assert found.occupancy[0] == pytest.approx(52.31)
    # without any header the beads tell their own size
    file.write_text("\n".join(line for line in dammif_text(places, 2.5).splitlines() if line.startswith("ATOM")))
    found = read_bead_file(file)
    assert not found.bead_stated
    assert found.bead == pytest.approx(5.0, abs=2e-3)


def test_what_is_wrong_with_a_bead_file_is_told(tmp_path):
    places = 10 * lattice_ball(4.0, 0.5)
    file = tmp_path / "x.pdb"

    def says(text, words):
        file.write_text(text)
        with pytest.raises(DataError, match=words):
            read_bead_file(file)

    says(dammif_text(places, 2.5, count=len(places) + 5), f"says {len(places) + 5} beads, {len(places)} stand")
    says(dammif_text(places[:1], 2.5), "found one")
    says(dammif_text(places, 2.5).replace("  1.0  20.0", "  nan  20.0", 1), "line 12: expected coordinates")
    says("MODEL        1\nENDMDL\nMODEL        2\n", "line 3: a second model")
    write_bead_cif(file, BEADS, 0.5)
    text = file.read_text()
    says(text.replace("Cartn_y", "Cartn_q"), "Cartn_x, _y and _z")
    lines = text.splitlines()
    atom = next(i for i, line in enumerate(lines) if line.startswith("ATOM"))
    cut = [*lines[: atom + 5], lines[atom + 5][:25]]
    says("\n".join(cut), f"line {atom + 6}: expected 20 values")
    with pytest.raises(DataError, match="no such file"):
        read_bead_file(tmp_path / "none.pdb")


def test_map_comes_back(tmp_path):
    values = np.random.default_rng(1).random((7, 7, 7)).round(3)
    file = write_mrc(tmp_path / "a.mrc", values, 0.2, label="occupancy")
    back, voxel, origin = read_mrc(file)
    np.testing.assert_allclose(back, values, atol=1e-6)
    assert voxel == pytest.approx(0.2)
    np.testing.assert_allclose(origin, -0.6, atol=1e-6)


def test_gemmi_reads_the_map_with_x_fastest(tmp_path):
    import gemmi

    values = np.zeros((7, 7, 7))
    values[5, 1, 2] = 1.0
    file = write_mrc(tmp_path / "a.mrc", values, 0.2)
    read = gemmi.read_ccp4_map(str(file))
    assert np.argwhere(np.array(read.grid, copy=False) > 0.5).tolist() == [[5, 1, 2]]
    assert read.header_float(50) == pytest.approx(-6.0)  # origin x, angstrom


def test_map_and_beads_lie_on_each_other_in_gemmi(tmp_path):
    import gemmi

    voxel, place = 0.2, np.array([0.4, -0.4, -0.2])  # nm, a voxel of its own
    axis = (np.arange(7) - 3) * voxel
    values = np.zeros((7, 7, 7))
    values[tuple(int(np.flatnonzero(np.isclose(axis, c))[0]) for c in place)] = 1.0
    read = gemmi.read_ccp4_map(str(write_mrc(tmp_path / "a.mrc", values, voxel)))
    read.setup(0.0)
    beads = gemmi.read_structure(str(write_bead_cif(tmp_path / "a.cif", np.stack([place, -place]), 0.2)))
    on, off = (residue[0].pos for residue in beads[0]["A"])
    assert read.grid.interpolate_value(on) == pytest.approx(1.0, abs=1e-5)
    assert read.grid.interpolate_value(off) == pytest.approx(0.0, abs=1e-5)


def test_a_broken_map_is_refused(tmp_path):
    file = write_mrc(tmp_path / "a.mrc", np.zeros((7, 7, 7)), 0.2)
    file.write_bytes(file.read_bytes()[:1500])
    with pytest.raises(DataError, match="too short"):
        read_mrc(file)
    file.write_bytes(b"no map")
    with pytest.raises(DataError, match="MAP"):
        read_mrc(file)

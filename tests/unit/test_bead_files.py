"""Maps and bead models as files: what is written is read again, and by other programs."""

import numpy as np
import pytest

from nanostrata.errors import DataError
from nanostrata.io.bead_models import read_beads, write_bead_cif, write_bead_pdb
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


def test_a_broken_map_is_refused(tmp_path):
    file = write_mrc(tmp_path / "a.mrc", np.zeros((7, 7, 7)), 0.2)
    file.write_bytes(file.read_bytes()[:1500])
    with pytest.raises(DataError, match="too short"):
        read_mrc(file)
    file.write_bytes(b"no map")
    with pytest.raises(DataError, match="MAP"):
        read_mrc(file)

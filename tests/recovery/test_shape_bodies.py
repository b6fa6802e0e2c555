"""Bodies with edges and with a waist come back from simulated curves: NSD to the truth, resolution, and what is said."""

import numpy as np
import pytest

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.shape import BeadModel
from nanostrata.kernels import bead_lattice
from nanostrata.models.shape_align import align_models
from nanostrata.models.shape_average import average_models
from nanostrata.stages.retrieve_shape import EFFORTS, ShapeTask, plan_shape, retrieve_shape
from tests.shapes import body_curve, with_noise

pytestmark = pytest.mark.slow
Q = np.linspace(0.3, 6.0, 200)
EDGE = (4 / 3 * np.pi * 8) ** (1 / 3)
A = 0.375 ** (1 / 3) * EDGE
BODIES = {
    "tetrahedron": (lambda x, y, z: (x - y + z <= A) & (x + y - z <= A) & (y + z - x <= A) & (-x - y - z <= A), 2.05 * A),
    "cube": (lambda x, y, z: np.maximum(np.maximum(abs(x), abs(y)), abs(z)) <= EDGE / 2, 1.02 * EDGE),
    "two balls": (lambda x, y, z: x * x + y * y + (abs(z) - 1.25) ** 2 <= 1.7**2, 5.95),
}  # fmt: skip


def truth(inside, bead, seed):
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    place = (
        bead_lattice.positions(bead_lattice.lattice_sites(6.0 / bead), bead) @ turn + rng.uniform(-0.5, 0.5, 3) * bead
    )
    p = place[inside(*place.T)]
    return BeadModel(
        positions_nm=p - p.mean(axis=0), bead_nm=bead, chi2_reduced=1.0, scale=1.0, constant=0.0, fit=np.ones(2),
        spread=0.0, looseness=0.0, label="",
    )  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_bodies_come_back(name):
    inside, size = BODIES[name]
    y, s = with_noise(body_curve(Q, inside, size, steps=96), 11)
    plan = plan_shape(ScatteringCurve(q_inv_nm=Q, intensity=y, sigma=s), spread=0.0, effort=EFFORTS["standard"], seed=1)
    models = [
        retrieve_shape(ShapeTask(plan=plan, intensity=plan.intensity, spread=0.0, seed=1, kind="data", index=k))
        for k in range(4)
    ]
    for model in models:
        assert min(align_models(truth(inside, model.bead_nm, k), model).nsd for k in range(2)) < 0.7
    assert average_models(models).resolution_nm < 1.2
    if name == "two balls":
        assert plan.start is None  # found from a ball
        assert any("none of 7 simple bodies" in n for n in plan.notes)
    else:
        assert plan.start is not None
        assert plan.start.name == name
        assert next(b.name for b in plan.bodies if b.explains) == name
        assert any("not the only one" in n for n in plan.notes)

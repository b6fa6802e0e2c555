"""Curves of simple bodies with a name, and which of them explain a curve: what beads can be compared with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import ArrayLike

from nanostrata.domain.base import Domain, FloatArray
from nanostrata.domain.shape import BeadModel
from nanostrata.errors import PhysicsError
from nanostrata.kernels import bead_field, bead_lattice

ONE_SHAPE = ("ball", "cube", "octahedron", "tetrahedron")
"""Bodies that only their size is fitted of."""

WITH_ASPECT = ("spheroid", "cylinder", "square prism")
"""Bodies that have an aspect ratio, too: length along the axis over width across."""

_ROUND = ("ball", "spheroid")

_X_MOST = 20.0
"""q V^(1/3) up to which bodies are compared; edges rounded by an atom or two change what lies beyond."""
_X_STEP = 0.05
_COARSE = 3
"""Curves of bodies are summed on every third of these steps, and a cubic spline goes between."""
_DIRECTIONS = 1200
_ASPECTS = ((0.25, 0.95), (1.05, 4.0))
_ENOUGH = 2.0
"""Standard deviations of chi^2 above that of p(r) within which a body explains the curve as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedBody(Domain):
    """A simple body fitted to a curve.

    Attributes
    ----------
    name : one of :data:`ONE_SHAPE` or :data:`WITH_ASPECT`
    aspect : length over width; 1 where the body has none
    volume_nm3 : of the particle of mean size
    chi2 : per point, with the stated errors
    explains : whether it explains the curve as well as pair distances of any kind do
    """

    name: str
    aspect: float
    volume_nm3: float
    chi2: float
    explains: bool = False


def body_intensity(name: str, x: ArrayLike, aspect: float = 1.0) -> FloatArray:
    r"""Scattering of a body of volume 1, averaged over orientations, 1 at x = 0.

    .. math:: P(x) = \frac{1}{4\pi}\int \Big|\int_{body} e^{-i x\,\mathbf n\mathbf r} d^3r\Big|^2 d\mathbf n

    Parameters
    ----------
    name : see :class:`NamedBody`
    x : (n,) q V^(1/3), >= 0
    aspect : length over width (spheroid: unique axis over the others)

    Returns
    -------
    (n,) to about 1e-3 of itself away from the minima; flat-faced bodies are summed over 1200 directions

    Source
    ------
    The transform of a tetrahedron is a divided difference of the exponential (Hermite and Genocchi); other bodies in closed
    form, Guinier & Fournet, Small-angle scattering of X-rays, Wiley 1955.
    """
    x = np.asarray(x, dtype=np.float64)
    if name in ("ball", "spheroid"):
        mu, w = _legendre(48)
        radius = (3.0 / (4.0 * math.pi)) ** (1.0 / 3.0) * aspect ** (-1.0 / 3.0)
        return np.asarray(
            bead_field.sphere_form(x[:, None] * radius * np.sqrt(1.0 + (aspect**2 - 1.0) * mu**2)) ** 2 @ w
        )
    if name == "cylinder":
        from scipy.special import j1

        mu, w = _legendre(80)
        radius = (2.0 * math.pi * aspect) ** (-1.0 / 3.0)  # V = pi r^2 (2 r aspect)
        u = np.maximum(x[:, None] * radius * np.sqrt(1.0 - mu**2), 1e-9)
        return np.asarray((2.0 * j1(u) / u * np.sinc(x[:, None] * radius * aspect * mu / math.pi)) ** 2 @ w)
    if name in ("cube", "square prism"):
        mu, w = _legendre(40)
        phi, v = _legendre(32)
        width = aspect ** (-1.0 / 3.0)
        across = np.sqrt(1.0 - mu**2)[:, None]
        part = np.zeros(len(x))
        for turn, share in zip(0.25 * math.pi * phi, v, strict=True):  # an eighth of the circle, by symmetry
            a = np.sinc(x[:, None] * width * math.cos(turn) * across[:, 0] / (2.0 * math.pi))
            b = np.sinc(x[:, None] * width * math.sin(turn) * across[:, 0] / (2.0 * math.pi))
            part += share * ((a * b * np.sinc(x[:, None] * width * aspect * mu / (2.0 * math.pi))) ** 2 @ w)
        return part
    if name in ("octahedron", "tetrahedron"):
        return _flat_faced(name, x)
    raise PhysicsError(f"name: {name!r} is not one of {', '.join((*ONE_SHAPE, *WITH_ASPECT))}")


def _legendre(n: int) -> tuple[FloatArray, FloatArray]:
    nodes, weight = np.polynomial.legendre.leggauss(n)
    return 0.5 * (nodes + 1.0), 0.5 * weight


def _tetrahedra(name: str) -> FloatArray:
    """Corners of the tetrahedra that make up a body of volume 1, (n, 4, 3)."""
    if name == "tetrahedron":
        corners = np.array([[[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]], dtype=np.float64)
    else:
        corners = np.array(
            [[[0, 0, 0], [a, 0, 0], [0, b, 0], [0, 0, c]] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)],
            dtype=np.float64,
        )
    volume = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1])).sum() / 6.0
    return np.asarray(corners / volume ** (1.0 / 3.0))


def _flat_faced(name: str, x: FloatArray) -> FloatArray:
    corners = _tetrahedra(name)
    share = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1]))  # six times the volume of each
    k = np.arange(_DIRECTIONS)
    z = (k + 0.5) / _DIRECTIONS  # half of the sphere: the square of the amplitude is the same on the other
    turn = k * math.pi * (3.0 - math.sqrt(5.0))
    across = np.sqrt(1.0 - z * z)
    n = np.stack([across * np.cos(turn), across * np.sin(turn), z], axis=1)
    place = np.einsum("dk,tjk->dtj", n, corners)
    apart = place[..., :, None] - place[..., None, :]
    # where two corners are level the sum below divides by next to nothing: directions that close to a mirror are left out
    off = ~np.eye(4, dtype=bool)
    sound = np.abs(apart[..., off]).min(axis=(1, 2)) > 2e-4
    place, apart = place[sound], apart[sound]
    product = np.where(off, apart, 1.0).prod(axis=-1)
    out = np.ones(len(x))
    for i in np.flatnonzero(x > 0.3):
        terms = (np.exp(-1j * x[i] * place) / product).sum(axis=-1) / x[i] ** 3
        out[i] = float((np.abs(terms @ share) ** 2).mean())
    # below, the sum is a difference of large numbers; Guinier's law with the next term does better
    low = np.flatnonzero(x <= 0.3)
    if low.size:
        rg2 = _second_moment(corners, share)
        out[low] = np.exp(-(x[low] ** 2) * rg2 / 3.0)
    return out


def _second_moment(corners: FloatArray, share: FloatArray) -> float:
    """Squared radius of gyration of tetrahedra together, from those of their corners."""
    volume = share / 6.0
    centre = corners.mean(axis=1)
    own = ((corners - centre[:, None]) ** 2).sum(axis=(1, 2)) / 20.0
    middle = (volume[:, None] * centre).sum(axis=0) / volume.sum()
    return float((volume * (own + ((centre - middle) ** 2).sum(axis=1))).sum() / volume.sum())


@lru_cache(maxsize=64)
def _table(name: str, aspect: float, most: float) -> tuple[FloatArray, FloatArray]:
    from scipy.interpolate import CubicSpline

    wide = _COARSE * _X_STEP
    knots = np.arange(0.0, most + 2.0 * wide, wide)
    x = np.arange(0.0, most + _X_STEP, _X_STEP)
    return x, np.asarray(CubicSpline(knots, body_intensity(name, knots, aspect))(x))


def fit_named_bodies(
    q_inv_nm: ArrayLike, intensity: ArrayLike, sigma: ArrayLike, volume_nm3: float, *, spread: float = 0.0,
    spread_shape: str = "gaussian", with_constant: bool = True, reference: float = 1.0, names: Sequence[str] = (*ONE_SHAPE, *WITH_ASPECT),
) -> tuple[NamedBody, ...]:  # fmt: skip
    r"""Fit the size (and aspect ratio) of each simple body to a curve; the best one first.

    .. math:: \langle I\rangle(q) = s \sum_m w_m \lambda_m^6 P(\lambda_m q V^{1/3}) + b

    A body counts as explaining the curve when its :math:`\chi^2` per point is below that of the pair distances times
    :math:`1 + 2\sqrt{2/n}`, two standard deviations.

    Parameters
    ----------
    q_inv_nm, intensity, sigma : (n_q,)
    volume_nm3 : a rough volume of the particle of mean size
    spread, spread_shape, with_constant : see :func:`nanostrata.models.beads.prepare_search`
    reference : chi^2 per point of p(r): what any body of any shape can reach
    names : which bodies
    """
    q = np.asarray(q_inv_nm, dtype=np.float64)
    lam, weight = bead_field.relative_sizes(spread, 31, shape=spread_shape)
    weight = weight * lam**6 / (weight * lam**6).sum()
    use = q * volume_nm3 ** (1.0 / 3.0) <= _X_MOST
    q, y, s = q[use], np.asarray(intensity)[use], np.asarray(sigma)[use]
    most = 1.25 * float(q[-1]) * volume_nm3 ** (1.0 / 3.0) * float(lam[-1])

    # averaged over the sizes once for every body and aspect ratio: each trial of the size is then one interpolation
    x_mean = np.arange(0.0, most / float(lam[-1]) + _X_STEP, _X_STEP)

    @lru_cache(maxsize=256)
    def averaged(name: str, aspect: float) -> FloatArray:
        x, p = _table(name, aspect, most + float(lam[-1]))
        return np.asarray(np.interp(np.outer(x_mean, lam), x, p) @ weight)

    def misfit(name: str, aspect: float, side: float) -> float:
        model = np.interp(q * side, x_mean, averaged(name, aspect))
        columns = [model / s] + ([1.0 / s] if with_constant else [])
        a = np.stack(columns, axis=1)
        return float(((a @ np.linalg.lstsq(a, y / s, rcond=None)[0] - y / s) ** 2).mean())

    start = volume_nm3 ** (1.0 / 3.0)
    found: list[NamedBody] = []
    for name in names:

        def of_aspect(aspect: float, name: str = name) -> tuple[float, float]:
            return _least(partial(misfit, name, aspect), 0.8 * start, 1.2 * start)

        if name in ONE_SHAPE:
            side, chi2 = of_aspect(1.0)
            found.append(NamedBody(name=name, aspect=1.0, volume_nm3=side**3, chi2=chi2))
            continue
        tried = []
        for low, high in _ASPECTS:
            log, _ = _least(lambda v: of_aspect(round(math.exp(v), 3))[1], math.log(low), math.log(high), coarse=7)
            aspect = round(math.exp(log), 3)
            tried.append((aspect, *of_aspect(aspect)))
        aspect, side, chi2 = min(tried, key=lambda t: t[2])
        found.append(NamedBody(name=name, aspect=aspect, volume_nm3=side**3, chi2=chi2))
    limit = reference * (1.0 + _ENOUGH * math.sqrt(2.0 / len(q)))
    return tuple(
        NamedBody(name=b.name, aspect=b.aspect, volume_nm3=b.volume_nm3, chi2=b.chi2, explains=b.chi2 <= limit)
        for b in sorted(found, key=lambda b: b.chi2)
    )


def _least(value: Callable[[float], float], low: float, high: float, coarse: int = 9) -> tuple[float, float]:
    """Place and value of the smallest value between two ends: on a coarse ladder, then refined around its best rung."""
    from scipy.optimize import minimize_scalar

    ladder = np.linspace(low, high, coarse)
    values = [value(float(v)) for v in ladder]
    k = int(np.argmin(values))
    ends = float(ladder[max(k - 1, 0)]), float(ladder[min(k + 1, coarse - 1)])
    best = minimize_scalar(value, bounds=ends, method="bounded", options={"xatol": 2e-4 * (high - low)})
    return (float(best.x), float(best.fun)) if best.fun <= values[k] else (float(ladder[k]), values[k])


def sharp_body(bodies: Sequence[NamedBody]) -> NamedBody | None:
    """Return the best body with edges that explains the curve, when no round one does."""
    if any(b.explains and b.name in _ROUND for b in bodies):
        return None
    return next((b for b in bodies if b.explains and b.name not in _ROUND), None)


def told_bodies(bodies: Sequence[NamedBody], start: NamedBody | None) -> str:
    """Say in one sentence which simple bodies explain the curve, and what is made of it."""

    def told(b: NamedBody) -> str:
        aspect = f" of {b.aspect:.2f}" if b.name in WITH_ASPECT else ""
        return f"{b.name}{aspect} (chi^2 per point {b.chi2:.2g})"

    able = [b for b in bodies if b.explains]
    if not able:
        return f"none of {len(bodies)} simple bodies explains the curve; the nearest is a {told(bodies[0])}"
    text = f"of {len(bodies)} simple bodies, the curve is explained by: {', '.join(map(told, able))}"
    if start is None:
        return text
    return text + (
        f"; the runs start from the {start.name}. From a ball, searches may end in rounder bodies that explain the curve as "
        "well: this shape is the simplest one that does, not the only one, and runs agree the more for their common start"
    )


def cut_body(body: NamedBody, bead_nm: float, rng: np.random.Generator) -> BeadModel:
    """Beads at the lattice sites within a body with edges, centred.

    The body lies at random: along the lattice, a face can take or lose a whole plane of sites. Of ten places the one is taken
    that is nearest to its volume.
    """
    cuts = [_cut(body, bead_nm, rng) for _ in range(10)]
    p = min(cuts, key=lambda c: abs(len(c) * bead_lattice.cell_volume(bead_nm) - body.volume_nm3))
    return BeadModel(
        positions_nm=p - p.mean(axis=0), bead_nm=bead_nm, chi2_reduced=body.chi2, scale=1.0, constant=0.0,
        fit=np.ones(1), spread=0.0, looseness=0.0, label=body.name,
    )  # fmt: skip


def _cut(body: NamedBody, bead_nm: float, rng: np.random.Generator) -> FloatArray:
    side = body.volume_nm3 ** (1.0 / 3.0)
    far = 1.4 * side * max(body.aspect ** (2.0 / 3.0), body.aspect ** (-1.0 / 3.0)) + bead_nm
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    place = bead_lattice.positions(bead_lattice.lattice_sites(far / bead_nm), bead_nm) @ turn
    place = place + rng.uniform(-0.5, 0.5, 3) * bead_nm
    # in units of the body's own size
    x, y, z = np.abs(place.T) / side
    width = body.aspect ** (-1.0 / 3.0)
    if body.name in ("cube", "square prism"):
        inside = (x <= 0.5 * width) & (y <= 0.5 * width) & (z <= 0.5 * width * body.aspect)
    elif body.name == "cylinder":
        radius = (2.0 * math.pi * body.aspect) ** (-1.0 / 3.0)
        inside = (x * x + y * y <= radius**2) & (z <= radius * body.aspect)
    elif body.name == "octahedron":
        inside = x + y + z <= 0.75 ** (1.0 / 3.0)  # V = 4/3 a^3
    elif body.name == "tetrahedron":
        a, b, c = place.T / side
        edge = 0.375 ** (1.0 / 3.0)  # V = 8/3 a^3 with corners (1, 1, 1) a and so on
        inside = (a - b + c <= edge) & (a + b - c <= edge) & (b + c - a <= edge) & (-a - b - c <= edge)
    else:
        raise PhysicsError(f"name: a body with edges is expected, got {body.name!r}")
    return np.asarray(place[inside])

"""f' from f'' by the Kramers-Kronig relation, exactly for a line drawn through points, and measured edges with it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from nanostrata.domain.base import Domain, FloatArray, frozen_array
from nanostrata.errors import PhysicsError
from nanostrata.tables.chantler import gaps_kev, points
from nanostrata.tables.edges import edges_kev
from nanostrata.tables.factors import FactorTable

__all__ = [
    "EdgeFactors",
    "chantler_edge",
    "edge_factors",
    "kramers_kronig",
    "kramers_kronig_matrix",
    "measured_edge_ev",
    "table_f_double_prime",
]

REACH = (0.6, 1.7)
"""Range of the result in units of the edge: outside the scan f'' is the table's, f' feels the measured edge."""

SEARCH_EV = 50.0
"""So far from the tabulated edge the steepest rise of a scan is looked for."""

LARGEST_NOISE = 0.3
"""Scatter of one point of f'' in electrons, a tenth of a K edge: in more noise no edge is found for certain."""

_EDGE_POINTS, _LARGEST_MISFIT = 5, 0.01
"""Chantler's points on either side through which his edge is read, and how far off they may lie, in steps."""

_CLEAR_EV = 2.0
"""Nearer to its step Cromer and Liberman's f' is not used: a pole is cancelled there."""

_POINTWISE = 0.04
"""Share of the edge's energy within which Chantler's f' is taken at his own points only: a spline misses the cusp."""

_HALF_STEP_EV = 0.01
_OUTER_NODES = 120
_TAPER = 0.1
"""Share of the scan at either end over which the measured f'' turns into the table's."""

_OFF_EDGE_EV = ((20.0, 40.0), (20.0, 80.0), (35.0, 60.0))
_BACKGROUNDS = (2, 1, 3, "sides")
"""Normalisations: distances below and above the edge that are left out of the match, and degree of the background, or
"sides": a line below and a parabola above. The first of each is the answer's, all together its uncertainty."""


def kramers_kronig_matrix(nodes_ev: ArrayLike, at_ev: ArrayLike) -> FloatArray:
    r"""Matrix that turns f'' at nodes into f', for f'' that runs straight between its nodes.

    .. math:: f'(E) = \frac{2}{\pi} \mathcal{P}\!\!\int_0^\infty \frac{\epsilon f''(\epsilon)}{E^2 - \epsilon^2} d\epsilon

    Each straight piece is integrated in closed form, so the principal value needs no numerical limit; what is left at
    a node is (E - e) ln|E - e| times the change of slope, which is 0 on the node itself.

    Parameters
    ----------
    nodes_ev : (n,) increasing energies, eV (any unit: the result has none)
    at_ev : (m,) energies at which f' is wanted

    Returns
    -------
    (m, n) electrons per electron. Exact for f'' that is 0 outside the nodes and at both ends of them.

    Raises
    ------
    PhysicsError
        When the nodes do not increase.

    References
    ----------
    J. S. Toll, Phys. Rev. 104, 1760 (1956), doi:10.1103/PhysRev.104.1760, for the relation.
    """
    e = frozen_array("nodes_ev", nodes_ev, increasing=True, positive=True)
    at = np.atleast_1d(np.asarray(at_ev, dtype=np.float64))[:, None]
    minus, plus = _x_ln_x(e - at), _x_ln_x(e + at)
    # f' of a kink of unit slope change at each node, up to terms that cancel between the kinks of one curve
    kinks = -(minus + plus) / math.pi
    slopes = (kinks[:, :-1] - kinks[:, 1:]) / np.diff(e)
    out = np.zeros((len(at), len(e)))
    out[:, 1:] += slopes
    out[:, :-1] -= slopes
    return out


def _x_ln_x(x: FloatArray) -> FloatArray:
    size = np.abs(x)
    return np.asarray(x * np.log(np.where(size > 0, size, 1.0)))


def kramers_kronig(nodes_ev: ArrayLike, f_double_prime: ArrayLike, at_ev: ArrayLike) -> FloatArray:
    """Return f' at some energies for f'' given at nodes; see :func:`kramers_kronig_matrix`."""
    return np.asarray(kramers_kronig_matrix(nodes_ev, at_ev) @ np.asarray(f_double_prime, dtype=np.float64))


@lru_cache(maxsize=32)
def _table_edge_ev(table: str, element: str, shell: str) -> float:
    """Energy at which the table itself steps, some tenths of an eV beside the listed edge."""
    edge = 1e3 * dict(edges_kev(element))[shell]
    if table == "chantler":
        return chantler_edge(element, shell)[0]
    source = FactorTable(name=table, table=table)
    grid = edge * np.linspace(0.995, 1.005, 401)
    values = np.array([source.f_double_prime(element, e * 1e-3) for e in grid])
    at = int(np.argmax(np.diff(values)))
    low, high, limit = grid[at], grid[at + 1], 0.5 * (values[at] + values[at + 1])
    while high - low > 1e-3:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if source.f_double_prime(element, middle * 1e-3) > limit else (middle, high)
    return float(0.5 * (low + high))


@lru_cache(maxsize=32)
def chantler_edge(element: str, shell: str) -> tuple[float, float, FloatArray, tuple[float, float]]:
    r"""Return position, half width, line coefficients and range (eV) of the rounded step in Chantler's f''.

    .. math:: f''(E) = a + b d + (J + j d) (1/2 + \arctan((E - E_0)/w)/\pi), \quad d = (E - E_0) / 100 eV

    His f'' carries the life time of the hole. The points next to an edge are too sparse to interpolate that, but they
    lie on this curve to some 1e-5 electrons (zinc), so it can be read off them.

    Raises
    ------
    PhysicsError
        When the points beside the edge do not lie on such a step.
    """
    from scipy.optimize import least_squares

    listed = 1e3 * dict(edges_kev(element))[shell]
    low, high = next((1e3 * a, 1e3 * b) for name, a, b in gaps_kev(element) if name == shell)
    grid, _, values = points(element)
    above = int(np.searchsorted(grid, high - 1e-6))
    window = slice(above - _EDGE_POINTS, above + _EDGE_POINTS)
    e, f2 = grid[window], values[window]

    def linear(shape: FloatArray) -> tuple[FloatArray, FloatArray]:
        columns = _rounded(e, listed + shape[0], abs(shape[1]))
        return columns, np.asarray(np.linalg.lstsq(columns, f2, rcond=None)[0], dtype=np.float64)

    def residual(shape: FloatArray) -> FloatArray:
        columns, c = linear(shape)
        return np.asarray(columns @ c - f2)

    found = least_squares(residual, [0.0, 0.3 * (high - low)], x_scale=[1.0, 1.0], xtol=1e-14, ftol=1e-14, gtol=1e-14)
    off = float(np.max(np.abs(residual(found.x))))
    if off > _LARGEST_MISFIT * float(np.ptp(f2)):
        raise PhysicsError(
            f"Chantler's f'' of {element} is no single step at the {shell} edge ({listed:.1f} eV; off by {off:.2g} electrons); give f' "
            "and f'' with factors = { file = \"f1f2.dat\" }"
        )
    return (
        listed + float(found.x[0]), abs(float(found.x[1])), linear(found.x)[1], (float(e[0]), float(e[-1])),
    )  # fmt: skip


def _rounded(e: FloatArray, edge: float, width: float) -> FloatArray:
    """Columns of a line and of a line times a rounded step, (n, 4)."""
    d = (e - edge) / 100.0
    step = 0.5 + np.arctan((e - edge) / width) / math.pi
    return np.column_stack([np.ones_like(e), d, step, d * step])


def table_f_double_prime(table: FactorTable, element: str, shell: str, energy_ev: ArrayLike) -> FloatArray:
    """Return the table's f'', also across its edge: a step (Cromer-Liberman) or a rounded one (Chantler).

    Parameters
    ----------
    energy_ev : (n,) eV

    Returns
    -------
    (n,) electrons
    """
    e = np.asarray(energy_ev, dtype=np.float64)
    plain = FactorTable(name=table.table, table=table.table)
    out = np.array([plain.f_double_prime(element, v * 1e-3) for v in e])
    if table.table == "chantler":
        edge, width, c, (low, high) = chantler_edge(element, shell)
        inside = (e >= low) & (e <= high)
        out[inside] = _rounded(e[inside], edge, width) @ c
    return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EdgeFactors(Domain):
    """f' and f'' of one element round a measured edge.

    Attributes
    ----------
    energy_ev, f_prime, f_double_prime : (n,) eV and electrons; outside the scan f'' is the table's
    sigma_f_prime, sigma_f_double_prime : (n,) one standard deviation: noise of the scan and choice of normalisation
    scan_ev : first and last energy of the scan that was used
    measured_edge_ev, table_edge_ev : where the scan rises fastest, and where the table steps
    noise : one standard deviation of a single point of f'', electrons
    normalisations : number of normalisations that were tried
    """

    energy_ev: FloatArray
    f_prime: FloatArray
    f_double_prime: FloatArray
    sigma_f_prime: FloatArray
    sigma_f_double_prime: FloatArray
    scan_ev: tuple[float, float]
    measured_edge_ev: float
    table_edge_ev: float
    noise: float
    normalisations: int


def measured_edge_ev(energy_ev: ArrayLike, mu: ArrayLike, edge_ev: float) -> float:
    """Return the energy of steepest rise within 50 eV of an edge, eV."""
    e, y = np.asarray(energy_ev, dtype=np.float64), np.asarray(mu, dtype=np.float64)
    slope = np.where(np.abs(e - edge_ev) <= SEARCH_EV, np.gradient(y, e), -np.inf)
    return float(e[int(np.argmax(slope))])


def edge_factors(energy_ev: ArrayLike, mu: ArrayLike, table: FactorTable, element: str, shell: str) -> EdgeFactors:
    r"""Turn an absorption scan into f' and f''.

    .. math:: E \mu(E) = a f''_{table}(E) + \sum_k c_k P_k(E) \;\; \text{away from the edge}, \qquad
        f'' = (E\mu - \textstyle\sum_k c_k P_k)/a, \qquad f' = f'_{table} + K[f'' - f''_{table}]

    The scan needs no unit and may carry a smooth background. What is left of f'_table after K of
    the table's own f'' is smooth, and is interpolated: no cusp is.

    Parameters
    ----------
    energy_ev, mu : (n,) increasing energies and absorption in any unit
    table : whose f'' is matched, and whose f' stands for all that the scan does not see

    Returns
    -------
    EdgeFactors

    Raises
    ------
    PhysicsError
        When the scan does not rise across the edge, or no edge stands out of its noise.

    Notes
    -----
    The standard deviations add noise (from second differences) and the spread over twelve normalisations. They hold no
    error of the energy scale, of a thick or uneven sample, or of the table elsewhere.

    References
    ----------
    J. O. Cross et al., Phys. Rev. B 58, 11215 (1998), doi:10.1103/PhysRevB.58.11215, for the differential relation;
    T.-C. Weng et al., J. Synchrotron Rad. 12, 506 (2005), doi:10.1107/S0909049504034193, for the match to a table.
    """
    listed, table_edge = 1e3 * dict(edges_kev(element))[shell], _table_edge_ev(table.table, element, shell)
    low, high = _reach_ev(element, shell)
    e = frozen_array("energy_ev", energy_ev, increasing=True, positive=True)
    y = e * frozen_array("mu", mu, length=len(e))
    alone = (e > low) & (e < high)  # the scan as far as no other edge of the element comes in
    e, y = e[alone], y[alone]
    edge = measured_edge_ev(e, y / e, listed)
    nodes = _nodes(e, low, high, table.table, element, shell)
    of_table = table_f_double_prime(table, element, shell, nodes)
    target = np.interp(e, nodes, of_table)
    spectra, noise = [], 0.0
    for off in _OFF_EDGE_EV:
        for kind in _BACKGROUNDS:
            height, background = _match(e, y, target, edge, off, kind)
            if not height > 0:
                raise PhysicsError(
                    f"the absorption does not rise across the {element} {shell} edge at {listed:.1f} eV: are the two "
                    "counters exchanged, or is this another edge?"
                )
            noise = noise or _noise(e, y, edge) / height
            if noise > LARGEST_NOISE:
                raise PhysicsError(
                    f"no {element} {shell} edge stands out: one point scatters by {noise:.2g} electrons of f'', at most "
                    f"{LARGEST_NOISE:g} can be used"
                )
            spectra.append(_blend(nodes, np.interp(nodes, e, (y - background) / height), of_table, e))
    # the two nodes of the table's step carry no result: its f' is infinite there
    kept = np.abs(nodes - table_edge) > 2 * _HALF_STEP_EV
    matrix = _matrix(nodes, nodes[kept])
    rest = _rest(table, element, shell, nodes[kept], nodes, of_table)
    f2 = np.array(spectra)
    f_prime = rest + f2 @ matrix.T
    single = np.where((nodes >= e[0]) & (nodes <= e[-1]), noise, 0.0)
    sigma_f_prime = np.sqrt(f_prime.var(axis=0, ddof=1) + matrix**2 @ single**2)
    sigma_f2 = np.sqrt(f2.var(axis=0, ddof=1) + single**2)
    return EdgeFactors(
        energy_ev=nodes[kept], f_prime=f_prime[0], f_double_prime=np.maximum(f2[0][kept], 0.0),
        sigma_f_prime=sigma_f_prime, sigma_f_double_prime=sigma_f2[kept], scan_ev=(float(e[0]), float(e[-1])),
        measured_edge_ev=edge, table_edge_ev=listed, noise=noise, normalisations=len(spectra),
    )  # fmt: skip


def _reach_ev(element: str, shell: str) -> tuple[float, float]:
    """Range without another edge of the element, eV."""
    edge = 1e3 * dict(edges_kev(element))[shell]
    others = [1e3 * at for name, at in edges_kev(element) if name != shell]
    low = max([REACH[0] * edge, *(1.01 * at for at in others if at < edge)])
    high = min([REACH[1] * edge, *(0.99 * at for at in others if at > edge)])
    return low, high


def _nodes(e: FloatArray, low: float, high: float, table: str, element: str, shell: str) -> FloatArray:
    """Energies of the scan, of the table's own step, and outwards with growing steps."""
    left = e[0] - np.geomspace(2.0, max(3.0, e[0] - low), _OUTER_NODES)
    right = e[-1] + np.geomspace(2.0, max(3.0, high - e[-1]), _OUTER_NODES)
    edge = _table_edge_ev(table, element, shell)
    if table == "chantler":
        step = edge + chantler_edge(element, shell)[1] * np.sinh(np.linspace(-4.0, 4.0, 65))
    else:
        step = edge + _HALF_STEP_EV * np.array([-1.0, 1.0])
        # a point of the scan on the step would make a piece of no width
        e = e[np.abs(e - edge) > 1.5 * _HALF_STEP_EV]
    return np.unique(np.concatenate([left, e, right, step]))


def _match(
    e: FloatArray, y: FloatArray, target: FloatArray, edge: float, off: tuple[float, float], kind: int | str
) -> tuple[float, FloatArray]:
    """Return height and background, (n,), so that (y - background) / height meets the table away from the edge.

    Both sides weigh the same, and every eV on a side does. The scan is what scatters round the table (its wiggles are
    no error of the table), so it stands on the left of the least squares.
    """
    below, above = e < edge - off[0], e > edge + off[1]
    width = np.gradient(e)
    weight = np.where(below, width / width[below].sum(), 0.0) + np.where(above, width / width[above].sum(), 0.0)
    u = 2.0 * (e - e[0]) / (e[-1] - e[0]) - 1.0
    root = np.sqrt(weight)[:, None]
    if isinstance(kind, int):
        columns = np.column_stack([target, np.polynomial.legendre.legvander(u, kind)])
        c = np.linalg.lstsq(columns * root, y * root[:, 0], rcond=None)[0]
        return float(c[0]), columns[:, 1:] @ c[1:]
    # each side on its own, as is usual for near-edge spectra: wiggles then stand on the table itself, and the step of
    # the two curves at the measured edge is the table's
    part = np.where(e < edge, 0, 1)
    scan, tabulated = [], []
    for side, degree in ((below, 1), (above, 2)):
        scan.append(np.polynomial.Polynomial.fit(u[side], y[side], degree, w=root[side, 0]))
        tabulated.append(np.polynomial.Polynomial.fit(u[side], target[side], degree))
    at = 2.0 * (edge - e[0]) / (e[-1] - e[0]) - 1.0
    height = float((scan[1](at) - scan[0](at)) / (tabulated[1](at) - tabulated[0](at)))
    return height, np.choose(part, [s(u) - height * t(u) for s, t in zip(scan, tabulated, strict=True)])


def _noise(e: FloatArray, y: FloatArray, edge: float) -> float:
    """Return the larger of the scatters below the edge and in the last third, from second differences."""
    before, after = np.diff(e)[:-1], np.diff(e)[1:]
    share = after / (before + after)
    bend = y[1:-1] - share * y[:-2] - (1.0 - share) * y[2:]
    bend /= np.sqrt(1.0 + share**2 + (1.0 - share) ** 2)
    middle = e[1:-1]
    sides = (middle < edge - _OFF_EDGE_EV[0][0], middle > e[-1] - (e[-1] - edge) / 3.0)
    return max(1.4826 * float(np.median(np.abs(bend[s]))) for s in sides)


def _blend(nodes: FloatArray, measured: FloatArray, table: FloatArray, e: FloatArray) -> FloatArray:
    """Return the measured f'', the table's outside the scan, and a smooth passage inside its ends."""
    depth = np.minimum(nodes - e[0], e[-1] - nodes) / (_TAPER * (e[-1] - e[0]))
    w = np.clip(depth, 0.0, 1.0)
    return np.asarray(table + w * w * (3.0 - 2.0 * w) * (measured - table))


def _rest(
    table: FactorTable, element: str, shell: str, at_ev: FloatArray, nodes: FloatArray, own: FloatArray
) -> FloatArray:
    """Return the table's f' less K of its own f'': all other electrons and energies, smooth but for a small step.

    Near the edge taken at Chantler's own points, which no spline has touched; Cromer and Liberman's f' is computed.
    """
    plain, edge = FactorTable(name=table.table, table=table.table), _table_edge_ev(table.table, element, shell)
    near = _POINTWISE * edge if table.table == "chantler" else _CLEAR_EV
    far = nodes[np.abs(nodes - edge) > near]
    f_prime = [plain.f_prime(element, v * 1e-3) for v in far]
    grid, values, _ = points(element)
    inside = np.abs(grid - edge) <= (near if table.table == "chantler" else 0.0)
    known = np.concatenate([far, grid[inside]])
    order = np.argsort(known)
    known, total = known[order], np.concatenate([f_prime, values[inside]])[order]
    return np.asarray(np.interp(at_ev, known, total - _matrix(nodes, known) @ own))


def _matrix(nodes: FloatArray, at: FloatArray) -> FloatArray:
    """Return K for curves that end in zero: the ends are the same for table and scan, so what they add cancels."""
    out = kramers_kronig_matrix(nodes, at)
    out[:, [0, -1]] = 0.0
    return out

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

__all__ = ["EdgeFactors", "edge_factors", "kramers_kronig", "kramers_kronig_matrix", "sharp_f_double_prime"]

REACH = (0.6, 1.7)
"""Range of the result in units of the edge: outside the scan f'' is the table's, f' feels the measured edge."""

SEARCH_EV = 50.0
"""So far from the tabulated edge the steepest rise of a scan is looked for."""

LARGEST_NOISE = 0.3
"""Scatter of one point of f'' in electrons, a tenth of a K edge: in more noise no edge is found for certain."""

_CLEAR_EV = 15.0
"""Nearer to its edge a table's f' is not used: Chantler's is off by 0.1 to 0.3 there (its integral missed the step)."""

_HALF_STEP_EV = 0.01
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
    """Energy at which the table itself steps: Cromer and Liberman's edges lie up to some eV beside XrayDB's."""
    edge = 1e3 * dict(edges_kev(element))[shell]
    if table == "chantler":
        return edge
    source = FactorTable(name=table, table=table)
    grid = edge * np.linspace(0.995, 1.005, 401)
    values = np.array([source.f_double_prime(element, e * 1e-3) for e in grid])
    at = int(np.argmax(np.diff(values)))
    low, high, limit = grid[at], grid[at + 1], 0.5 * (values[at] + values[at + 1])
    while high - low > 1e-3:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if source.f_double_prime(element, middle * 1e-3) > limit else (middle, high)
    return float(0.5 * (low + high))


def sharp_f_double_prime(table: FactorTable, element: str, shell: str, energy_ev: ArrayLike) -> FloatArray:
    """Return the table's f'' with its edge as a step: between the points that enclose it each side goes on as a power.

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
    if table.table != "chantler":
        return out
    edge = _table_edge_ev("chantler", element, shell)
    low, high = next((1e3 * a, 1e3 * b) for name, a, b in gaps_kev(element) if name == shell)
    grid, _, values = points(element)
    above = int(np.searchsorted(grid, high - 1e-6))
    for side, pair in ((e < edge, (above - 2, above - 1)), (e >= edge, (above, above + 1))):
        inside = side & (e > low) & (e < high)
        (a, b), (fa, fb) = grid[list(pair)], values[list(pair)]
        out[inside] = fa * (e[inside] / a) ** (math.log(fb / fa) / math.log(b / a))
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

    The scan needs no unit and may carry a smooth background. Within 15 eV of the table's own step f'_table is not used:
    what is left of it after K of the table's own f'' is smooth, and is interpolated there.

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
    nodes = _nodes(e, low, high, table_edge)
    of_table = sharp_f_double_prime(table, element, shell, nodes)
    target = of_table[np.searchsorted(nodes, e)]
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
    matrix = kramers_kronig_matrix(nodes, nodes[kept])
    matrix[:, [0, -1]] = 0.0  # curves that end in zero; what that adds is the same for the table and cancels
    rest = _rest(table, element, shell, nodes[kept], matrix @ of_table)
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


def _nodes(e: FloatArray, low: float, high: float, table_edge: float) -> FloatArray:
    """Energies of the scan, of the table's step, and outwards with growing steps."""
    left = e[0] - np.geomspace(2.0, max(3.0, e[0] - low), 60)
    right = e[-1] + np.geomspace(2.0, max(3.0, high - e[-1]), 60)
    step = [table_edge - _HALF_STEP_EV, table_edge + _HALF_STEP_EV]
    # points of the scan that lie on the step would make pieces of no width
    near = np.abs(e - table_edge) < 1.5 * _HALF_STEP_EV
    return np.unique(np.concatenate([left, e, right, [] if near.any() else step]))


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


def _rest(table: FactorTable, element: str, shell: str, at_ev: FloatArray, own: FloatArray) -> FloatArray:
    """Return the table's f' less K of its own f'': all other electrons and energies, smooth through the edge."""
    plain, edge = FactorTable(name=table.table, table=table.table), _table_edge_ev(table.table, element, shell)
    gap = next((1e3 * (b - a) for name, a, b in gaps_kev(element) if name == shell), 0.0)
    clear = np.abs(at_ev - edge) > max(_CLEAR_EV, gap if table.table == "chantler" else 0.0)
    rest = np.array([plain.f_prime(element, v * 1e-3) for v in at_ev[clear]]) - own[clear]
    return np.asarray(np.interp(at_ev, at_ev[clear], rest))

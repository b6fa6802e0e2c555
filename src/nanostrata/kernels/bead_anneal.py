"""Metropolis moves of beads on a lattice against a curve: the compiled loop and its plain twin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nanostrata.kernels._jit import jit, numba_available


@jit(fastmath={"reassoc", "contract"})
def _add_rows(field: Any, values: Any, sites: Any, i: int, sign: float) -> None:
    """Add ``sign * V(n_ij)`` to the field of every site j: what the others feel when bead i comes (1) or goes (-1)."""
    rank = values.shape[1]
    x, y, z = sites[i, 0], sites[i, 1], sites[i, 2]
    for j in range(sites.shape[0]):
        a, b, c = sites[j, 0] - x, sites[j, 1] - y, sites[j, 2] - z
        n = (a * a + b * b + c * c) // 2
        for m in range(rank):
            field[j, m] += sign * values[n, m]


def _add_rows_plain(field: Any, values: Any, sites: Any, i: int, sign: float) -> None:
    """Twin of :func:`_add_rows` on whole arrays."""
    field += sign * values[((sites - sites[i]) ** 2).sum(axis=1) // 2]


_add = _add_rows if numba_available() else _add_rows_plain


@jit()
def _edge(filled: Any, contacts: Any, i: int) -> bool:
    """Whether a site lies at the surface: filled with an empty neighbour (outside counts), or empty with a filled one."""
    for k in range(12):
        j = contacts[i, k]
        other = filled[j] if j >= 0 else 0
        if other != filled[i]:
            return True
    return False


@jit()
def _list_update(filled: Any, contacts: Any, edge_list: Any, place: Any, count: int, i: int) -> int:
    """Put a site on the list of surface sites or take it off; return the new length."""
    wanted = _edge(filled, contacts, i)
    if wanted and place[i] < 0:
        edge_list[count] = i
        place[i] = count
        return count + 1
    if not wanted and place[i] >= 0:
        last = edge_list[count - 1]
        edge_list[place[i]] = last
        place[last] = place[i]
        place[i] = -1
        return count - 1
    return count


@jit()
def _stays_joined(filled: Any, contacts: Any, pieces: Any, i: int, seen: Any, stack: Any, mark: int) -> bool:
    """Whether the beads stay in one piece when bead i goes; only doubtful cases are searched.

    ``seen`` and ``stack`` are room to work in; ``mark`` is a number that was not used in ``seen`` before.
    """
    code, first, wanted = 0, -1, 0
    for k in range(12):
        j = contacts[i, k]
        if j >= 0 and filled[j]:
            code |= 1 << k
            first = j
            wanted += 1
    if pieces[code] <= 1:
        return wanted > 0
    seen[i], seen[first] = mark, mark
    stack[0], depth, found = first, 1, 0
    while depth > 0:
        depth -= 1
        j = stack[depth]
        for k in range(12):
            if contacts[i, k] == j:
                found += 1
        if found == wanted:
            return True
        for k in range(12):
            n = contacts[j, k]
            if n >= 0 and filled[n] and seen[n] != mark:
                seen[n] = mark
                stack[depth] = n
                depth += 1
    return False


@jit()
def uneven_axes(beads: float, first: Any, second: Any, side: float) -> float:
    r"""How unlike the two axes are that should be alike: the shorter ones of a prolate body, the longer ones of an oblate one.

    .. math:: \big((m_2 - m_3)/t\big)^2\ \text{or}\ \big((m_1 - m_2)/t\big)^2, \qquad t = \tfrac13 (m_1 + m_2 + m_3)

    with the second moments :math:`m_1 \ge m_2 \ge m_3` about the centre.

    Parameters
    ----------
    beads : number of beads
    first, second : (3,) and (6,) sums of x, y, z, and of xx, yy, zz, xy, xz, yz
    side : above 0 for prolate, below 0 for oblate
    """
    x, y, z = first[0] / beads, first[1] / beads, first[2] / beads
    a, b, c = second[0] / beads - x * x, second[1] / beads - y * y, second[2] / beads - z * z
    d, e, f = second[3] / beads - x * y, second[4] / beads - x * z, second[5] / beads - y * z
    t = (a + b + c) / 3.0
    a, b, c = a - t, b - t, c - t
    p = math.sqrt((a * a + b * b + c * c + 2.0 * (d * d + e * e + f * f)) / 6.0)
    if p <= 1e-9 * t:
        return 0.0
    # eigenvalues of a symmetric matrix in closed form, what they exceed the mean by
    half = (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)) / (2.0 * p**3)
    angle = math.acos(min(max(half, -1.0), 1.0)) / 3.0
    most, least = 2.0 * p * math.cos(angle), 2.0 * p * math.cos(angle + 2.0 * math.pi / 3.0)
    middle = -most - least
    apart = middle - least if side > 0.0 else most - middle
    return float((apart / t) ** 2)


@jit()
def _moments(sites: Any, i: int, sign: float, first: Any, second: Any) -> None:
    """Add a bead to the sums of :func:`uneven_axes` (1), or take it off (-1)."""
    x, y, z = float(sites[i, 0]), float(sites[i, 1]), float(sites[i, 2])
    first[0] += sign * x
    first[1] += sign * y
    first[2] += sign * z
    second[0] += sign * x * x
    second[1] += sign * y * y
    second[2] += sign * z * z
    second[3] += sign * x * y
    second[4] += sign * x * z
    second[5] += sign * y * z


@jit()
def move_beads(
    sites: Any, contacts: Any, pieces: Any, values: Any, target: Any, square: float, per_point: float,
    around: Any, share: Any, filled: Any, field: Any, total: Any, touching: Any, edge_list: Any, place: Any, seen: Any, stack: Any,
    counters: Any, weight: float, temperature: float, uniform: Any, few: int, many: int, anywhere: float = 0.0,
    side: float = 0.0,
) -> float:  # fmt: skip
    r"""Try one flip per row of ``uniform``, most at sites of the surface; change the state in place.

    .. math:: F = \frac{1}{n}\Big(y^T y - \frac{(c\cdot t)_+^2}{c\cdot c}\Big) + \alpha\,\frac{1}{N}\sum_{i\ \mathrm{filled}} (1 - t_i),
              \qquad c \to c \pm 2 G_i + V(0)

    The first bracket is chi^2 with the scale (and the constant, projected out beforehand) at its best; t_i is the share
    of the neighbourhood that is filled. A flip that would break the particle into pieces is not made. The field
    :math:`G_i = \sum_{j\ \mathrm{filled}} V(n_{ij})` costs a rejected flip nothing, an accepted one one pass over the sites.
    At the surface alone, a hole could only grow in from outside and would leave the wall open behind it.

    Parameters
    ----------
    sites, contacts, pieces : see :mod:`nanostrata.kernels.bead_lattice`
    values : (n_max + 1, rank) V by squared lattice distance
    target, square : (rank,) U^T y and y^T y of the data over their errors
    per_point : 1 / number of points
    around, share : (n, 42) neighbourhood of every site (-1 outside) and (42,) what each place counts, 1 in all
    filled, field, total, touching : state: (n,) 0 or 1, (n, rank) G, (rank,) c, (n,) t
    edge_list, place, seen, stack : (n,) lists of surface sites and room to work in
    counters : (3,) beads, surface sites, last mark
    weight, temperature : alpha and T
    uniform : (m, 2) uniform random numbers
    few, many : the number of beads stays between
    anywhere : share of the flips that are tried at any site, the inside included
    side : weight of :func:`uneven_axes` in F; above 0 for prolate, below 0 for oblate, 0 to leave it open

    Returns
    -------
    float
        Share of accepted moves.
    """
    rank = values.shape[1]
    accepted = 0
    beads, edges, mark = counters[0], counters[1], counters[2]
    dot_t, dot_c, loose = 0.0, 0.0, 0.0
    for m in range(rank):
        dot_t += total[m] * target[m]
        dot_c += total[m] * total[m]
    for i in range(filled.shape[0]):
        if filled[i]:
            loose += 1.0 - touching[i]
    now = (square - max(dot_t, 0.0) ** 2 / dot_c) * per_point + weight * loose / beads
    first, second = np.zeros(3), np.zeros(6)
    if side != 0.0:
        for i in range(filled.shape[0]):
            if filled[i]:
                _moments(sites, i, 1.0, first, second)
        now += abs(side) * uneven_axes(float(beads), first, second, side)
    for step in range(uniform.shape[0]):
        pick = uniform[step, 0]
        if pick < anywhere:
            i = int(pick / anywhere * filled.shape[0])
            if place[i] < 0 and not filled[i]:
                continue  # far from the particle: it would not be one piece
        else:
            i = edge_list[int((pick - anywhere) / (1.0 - anywhere) * edges)]
        sign = -1.0 if filled[i] else 1.0
        after = beads + int(sign)
        if after < few or after > many:
            continue
        ct, cc = 0.0, 0.0
        for m in range(rank):
            c = total[m] + 2.0 * sign * field[i, m] + values[0, m]
            ct += c * target[m]
            cc += c * c
        change = sign * (1.0 - 2.0 * touching[i])  # its own, and what it adds to or takes from the others
        trial = (square - max(ct, 0.0) ** 2 / cc) * per_point + weight * (loose + change) / after
        if side != 0.0:
            _moments(sites, i, sign, first, second)
            trial += abs(side) * uneven_axes(float(after), first, second, side)
        refused = trial > now and uniform[step, 1] >= math.exp((now - trial) / temperature)
        if not refused and sign < 0.0:
            mark += 1
            refused = not _stays_joined(filled, contacts, pieces, i, seen, stack, mark)
        if refused:
            if side != 0.0:
                _moments(sites, i, -sign, first, second)
            continue
        for m in range(rank):
            total[m] += 2.0 * sign * field[i, m] + values[0, m]
        filled[i] = 1 - filled[i]
        _add(field, values, sites, i, sign)
        for k in range(around.shape[1]):
            j = around[i, k]
            if j >= 0:
                touching[j] += sign * share[k]
        edges = _list_update(filled, contacts, edge_list, place, edges, i)
        for k in range(12):
            j = contacts[i, k]
            if j >= 0:
                edges = _list_update(filled, contacts, edge_list, place, edges, j)
        now, loose, beads = trial, loose + change, after
        accepted += 1
    counters[0], counters[1], counters[2] = beads, edges, mark
    return float(accepted / max(uniform.shape[0], 1))


def field_of(sites: Any, values: Any, filled: Any) -> tuple[Any, Any]:
    """Field G (n, rank) and coefficients c (rank,) of a set of beads, from scratch."""
    field = np.zeros((len(sites), values.shape[1]))
    for i in np.flatnonzero(filled):
        _add(field, values, sites, int(i), 1.0)
    return field, field[filled.astype(bool)].sum(axis=0)


def surface_of(filled: Any, contacts: Any) -> tuple[Any, Any, int]:
    """List of surface sites, place of each site on it (-1), and their number."""
    near = np.where(contacts >= 0, filled[contacts], 0).sum(axis=1)
    edge = np.where(filled == 1, near < contacts.shape[1], near > 0)
    edge_list = np.zeros(len(filled), dtype=np.int64)
    place = np.full(len(filled), -1, dtype=np.int64)
    found = np.flatnonzero(edge)
    edge_list[: len(found)] = found
    place[found] = np.arange(len(found))
    return edge_list, place, len(found)


def filled_share(filled: Any, around: Any, share: Any) -> Any:
    """Share of the neighbourhood of every site that is filled, (n,)."""
    return np.where(around >= 0, filled[around], 0) @ share

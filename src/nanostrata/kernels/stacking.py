"""Sequences of close-packed layers, with faults."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
Parent: TypeAlias = Literal["cubic", "hexagonal"]
FaultKind: TypeAlias = Literal["growth", "deformation"]


def stacking_sequence(
    layers: int, parent: Parent, probability: float, kind: FaultKind, rng: np.random.Generator
) -> tuple[IntArray, BoolArray]:
    """Positions of close-packed layers (0 = A, 1 = B, 2 = C), with faults at random places.

    From one layer to the next the position moves by +1 or -1 modulo 3: always +1 in the cubic sequence ABCABC, by turns in
    the hexagonal one ABAB. Every step is faulted with the given probability, whatever its neighbours are. A *growth* fault
    turns this step and all that follow (a twin plane in the cubic, ABABCBCB in the hexagonal sequence); a *deformation*
    fault turns this step alone (ABCBCA; ABABCACA), as a slip of one half of the crystal does.

    Parameters
    ----------
    layers : number of layers, at least 1
    parent : sequence without faults
    probability : 0..1, per step from one layer to the next
    kind : "growth" or "deformation"
    rng : numpy.random.Generator

    Returns
    -------
    positions : (layers,) 0, 1 or 2; neighbours always differ
    faulted : (layers,) whether the step to this layer was faulted; False for the first

    References
    ----------
    Warren, X-Ray Diffraction, Addison-Wesley 1969, chapter 13 (growth and deformation faults).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> "".join("ABC"[k] for k in stacking_sequence(6, "cubic", 0.0, "growth", rng)[0])
    'ABCABC'
    >>> "".join("ABC"[k] for k in stacking_sequence(6, "hexagonal", 0.0, "growth", rng)[0])
    'ABABAB'
    """
    steps = np.ones(layers - 1, dtype=np.int64)
    if parent == "hexagonal":
        steps[1::2] = -1
    faulted = rng.random(layers - 1) < probability
    turned = np.cumsum(faulted) % 2 == 1 if kind == "growth" else faulted
    steps = np.where(turned, -steps, steps)
    positions = np.concatenate([[0], np.cumsum(steps)]) % 3
    return positions.astype(np.int64), np.concatenate([[False], faulted])


def hexagonal_layers(positions: IntArray) -> BoolArray:
    """Tell for each inner layer whether its two neighbours have the same position (h) or different ones (c).

    Parameters
    ----------
    positions : (n,) of :func:`stacking_sequence`, n >= 3

    Returns
    -------
    (n - 2,) bool, for the second to the last but one
    """
    return np.asarray(positions[2:] == positions[:-2])

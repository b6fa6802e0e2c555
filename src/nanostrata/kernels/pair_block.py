"""Compiled inner loop of the pair sums; import it only where numba is installed, and late."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic

from nanostrata.kernels._jit import jit

MOMENTS = 4

_CHUNK = 512


def _add_powers(typing_context: Any, table: Any, row: Any, d: Any) -> Any:
    """table[4 row : 4 row + 4] += (1, d, d^2, d^3), as one load, one sum and one store of four numbers."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        number, index = ir.DoubleType(), ir.IntType(64)
        four = ir.VectorType(number, MOMENTS)
        first = builder.shl(builder.zext(args[1], index), ir.Constant(index, 2))
        place = builder.bitcast(builder.gep(data, [first]), four.as_pointer())
        odd, high = (ir.Constant(four, [1.0] * MOMENTS) for _ in range(2))
        square = builder.fmul(args[2], args[2])
        for k in range(MOMENTS):
            if k & 1:
                odd = builder.insert_element(odd, args[2], ir.Constant(ir.IntType(32), k))
            if k & 2:
                high = builder.insert_element(high, square, ir.Constant(ir.IntType(32), k))
        before = builder.load(place)
        before.align = 8
        builder.store(builder.fadd(before, builder.fmul(odd, high)), place).align = 8
        return context.get_dummy_value()

    return types.void(table, row, d), generate


add_powers: Any = intrinsic(_add_powers)


def _block(
    x: Any, y: Any, z: Any, a0: int, a1: int, b0: int, b1: int, same: bool, inverse: float, out: Any
) -> None:  # fmt: skip
    table = out.reshape(-1)
    bins = np.empty(_CHUNK, np.uint32)
    rest = np.empty(_CHUNK)
    for i in range(a0, a1):
        xi, yi, zi = x[i], y[i], z[i]
        for j in range(i + 1 if same else b0, b1, _CHUNK):
            m = min(_CHUNK, b1 - j)
            # slices start at 0, which spares the check for negative indices in the inner loops
            xs, ys, zs, n_of, r_of = x[j : j + m], y[j : j + m], z[j : j + m], bins[:m], rest[:m]
            for k in range(xs.size):
                dx, dy, dz = xs[k] - xi, ys[k] - yi, zs[k] - zi
                t = np.sqrt(dx * dx + dy * dy + dz * dz) * inverse
                n = np.int32(t)
                n_of[k] = n
                r_of[k] = t - (n + 0.5)
            for k in range(n_of.size):
                add_powers(table, n_of[k], r_of[k])


# "contract" lets the distances be computed several at a time; sums keep their order
block: Any = jit(fastmath={"contract"})(_block)

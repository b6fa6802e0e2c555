"""J1: model curves of a graded sphere, 4 energies x 120 q, 5 shells, sizes 11 %, complex contrast.

J2 calls the same measurement for a spheroid.
"""

from __future__ import annotations

import common as c
import numpy as np


def measure(aspect: float) -> dict[str, float]:
    """Print the table; return the times in microseconds of those whose error passes."""
    expected = c.reference(aspect)
    d = c.contrast(c.X)
    results: list[tuple[str, float, float, str]] = []

    try:
        plugin = c.SasPlugin(aspect)
        results.append(("sasmodels plugin n=15, 5 sigma", c.cpu_us(lambda: plugin(d)), c.error(plugin(d), expected),
                        f"compile {plugin.compile_s:.2f} s wall"))  # fmt: skip
        scaled = c.SasScaledQ(aspect)
        results.append(
            ("sasmodels core_multi_shell, scaled q", c.cpu_us(lambda: scaled(d)), c.error(scaled(d), expected), "")
        )
    except ImportError as why:
        c.say_missing("sasmodels", why)

    radii, weights = c.numpy_nodes(aspect)
    direct = lambda: c.numpy_sum(c.numpy_basis(radii), weights, c.contrast(c.X))  # noqa: E731
    results.append((f"NumPy, {len(radii)} nodes", c.cpu_us(direct), c.error(direct(), expected), ""))
    basis = c.numpy_basis(radii)
    kept = lambda: c.numpy_sum(basis, weights, c.contrast(c.X))  # noqa: E731
    kept_s = c.once_s(lambda: c.numpy_basis(radii))
    results.append(
        (
            "NumPy, amplitudes of the nodes kept",
            c.cpu_us(kept),
            c.error(kept(), expected),
            f"build {kept_s * 1e3:.2f} ms",
        )
    )

    from nanostrata.models.pair_table import PairTable

    build = lambda engine="auto": PairTable.build(  # noqa: E731
        c.Q, c.N_SHELL, c.DIAMETER, c.DIAMETER_STD, aspect_ratio=aspect, engine=engine
    )
    table, plain = build(), build("numpy")
    arguments = (c.X, c.CORE, c.SHELL, c.VOLUME_POLY, c.MEDIUM)
    jit_s = c.once_s(lambda: table.composition_intensity(*arguments))
    build_us = c.cpu_us(build)
    note = f"build {build_us / 1e3:.2f} ms, JIT {jit_s:.2f} s"
    ours = lambda: table.composition_intensity(*arguments)  # noqa: E731
    fixed = lambda: table.intensity(d)  # noqa: E731
    by_numpy = lambda: plain.composition_intensity(*arguments)  # noqa: E731
    results.append(("nanostrata PairTable from x (with set-up)", c.cpu_us(ours), c.error(ours(), expected), note))
    results.append(("nanostrata PairTable.intensity(contrast)", c.cpu_us(fixed), c.error(fixed(), expected), note))
    results.append(
        ("nanostrata PairTable, NumPy engine, from x", c.cpu_us(by_numpy), c.error(by_numpy(), expected), "")
    )

    holder: list[object] = []
    prepare_s = c.once_s(lambda: holder.append(c.our_particle("sphere" if aspect == 1.0 else "prolate")))
    particle = holder[0]
    size = np.array([c.DIAMETER, c.DIAMETER_STD] + ([] if aspect == 1.0 else [aspect]))
    free = lambda: particle.evaluate(c.X, size)  # noqa: E731
    jit_s = c.once_s(free)
    deviation = c.error(free().value.reshape(len(c.CORE), -1), expected)
    note = f"prepare {prepare_s:.2f} s, JIT {jit_s:.2f} s"
    results.append(
        ("nanostrata GradedParticle.evaluate, sizes free", c.cpu_us(free), deviation, note + "; with derivatives")
    )

    peers = {name: us for name, us, err, _ in results if not name.startswith("nanostrata") and err < c.GOAL_ERROR}
    sas = next((us for name, us in peers.items() if "plugin" in name), float("nan"))
    best = min((us for name, us in peers.items() if "kept" not in name), default=float("nan"))
    c.print_table(
        ["implementation", "cpu us", "max rel err", "x faster than plugin", "x than best peer", "set-up"],
        [
            [name, f"{us:.1f}", f"{err:.1e}", f"{sas / us:.1f}", f"{best / us:.1f}", note]
            for name, us, err, note in results
        ],
    )
    print("\nbest peer: the fastest with an error below 1e-4 that averages sizes itself in every call.")
    print("JIT: process CPU time of the first call, nothing compiled before; never part of the times")
    for name, _, err, _ in results:
        if err >= c.GOAL_ERROR:
            print(f"ERROR TOO LARGE, no ratio counts: {name}: {err:.1e}")
    return {name: us for name, us, err, _ in results if err < c.GOAL_ERROR}


def main() -> None:
    c.heading("J1 graded sphere: 4 energies x 120 q, 5 shells, sizes 11 %, complex contrast")
    times = measure(1.0)
    plugin = times.get("sasmodels plugin n=15, 5 sigma", float("nan"))
    print(
        c.verdict(
            "sizes fixed, from x, against the sasmodels plugin",
            plugin / times["nanostrata PairTable from x (with set-up)"],
            1000,
        )
    )


if __name__ == "__main__":
    main()

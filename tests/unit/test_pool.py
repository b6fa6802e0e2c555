"""Pools: the order stays, errors are those of a plain loop, dead workers and interruptions are said."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from nanostrata.errors import DataError, NanostrataError, RecipeError
from nanostrata.pipeline.pool import ProcessPool, SerialPool, make_pool


def draw(seed: int) -> float:
    """Sleep longer for early items, so that they finish in the wrong order."""
    time.sleep(0.02 * (3 - seed % 4))
    return float(np.random.default_rng(seed).normal(size=100).sum())


def fail_late_then_early(item: int) -> int:
    if item == 2:
        time.sleep(0.3)
    if item >= 2:
        raise DataError(f"item {item}", "second problem")
    return item


def process_id(_: int) -> int:
    return os.getpid()


def die(item: int) -> int:
    if item == 1:
        os._exit(1)
    return item


@pytest.fixture(scope="module")
def two():
    with ProcessPool(2) as pool:
        yield pool


def test_results_do_not_depend_on_the_number_of_workers(two: ProcessPool) -> None:
    expected = [draw(i) for i in range(8)]
    assert SerialPool().map(draw, range(8)) == expected
    assert two.map(draw, range(8)) == expected


def test_progress_is_told_after_every_item(two: ProcessPool) -> None:
    for pool in (SerialPool(), two):
        told: list[tuple[int, int]] = []
        pool.map(draw, range(4), lambda done, total, told=told: told.append((done, total)))
        assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_error_is_that_of_the_first_item_in_order(two: ProcessPool) -> None:
    for pool in (SerialPool(), two):
        with pytest.raises(DataError, match="item 2") as caught:
            pool.map(fail_late_then_early, range(6))
        assert caught.value.problems == ("item 2", "second problem")
        assert pool.map(draw, [5]) == [draw(5)]  # the pool still works


def test_nothing_to_do_gives_an_empty_list(two: ProcessPool) -> None:
    assert two.map(draw, []) == SerialPool().map(draw, []) == []


def test_a_worker_that_dies_is_an_error_with_advice() -> None:
    with ProcessPool(1) as pool, pytest.raises(NanostrataError, match="fewer --workers"):
        pool.map(die, range(3))


def test_one_worker_is_this_process() -> None:
    with make_pool(1) as pool:
        assert pool.map(process_id, [0]) == [os.getpid()]
    with make_pool(2) as pool:
        assert pool.map(process_id, [0]) != [os.getpid()]
    with pytest.raises(RecipeError, match="at least 1"):
        make_pool(0)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in another way there")
def test_ctrl_c_ends_the_workers(tmp_path: Path) -> None:
    script = tmp_path / "long.py"
    script.write_text(
        textwrap.dedent("""
            import os, signal, time
            from nanostrata.pipeline.pool import ProcessPool
            def sleep(seconds):
                os.write(1, b"%d\\n" % os.getpid())  # in one piece
                time.sleep(seconds)
            if __name__ == "__main__":
                # a test run in the background inherits "ignore", and Python then raises no KeyboardInterrupt
                signal.signal(signal.SIGINT, signal.default_int_handler)
                with ProcessPool(2) as pool:
                    pool.map(sleep, [60, 60, 60])
        """),
        encoding="utf-8",
    )
    child = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert child.stdout is not None
    workers = [int(child.stdout.readline()) for _ in range(2)]
    os.killpg(child.pid, signal.SIGINT)  # like a terminal: to the parent and to its workers
    try:
        _, errors = child.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        _, errors = child.communicate()
        pytest.fail(f"did not end on Ctrl-C: {errors}")
    assert errors.count("KeyboardInterrupt") == 1, errors  # the parent's own, no traceback of a worker
    for pid in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_leaving_the_block_leaves_no_process() -> None:
    before = {p.pid for p in multiprocessing.active_children()}
    with ProcessPool(1) as pool:
        pool.map(draw, [1])
    assert {p.pid for p in multiprocessing.active_children()} <= before

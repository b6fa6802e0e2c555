"""With how many workers: one method, ``map``, that keeps the order and gives the same results for any number."""

from __future__ import annotations

import multiprocessing
import multiprocessing.process
import os
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Protocol, Self, TypeAlias, TypeVar

from nanostrata.errors import NanostrataError, RecipeError

__all__ = ["Pool", "ProcessPool", "SerialPool", "make_pool"]

T = TypeVar("T")
R = TypeVar("R")
Progress: TypeAlias = Callable[[int, int], None]


class Pool(Protocol):
    """Anything that maps a function over items. A random number generator is part of an item, never of a worker."""

    def map(self, function: Callable[[T], R], items: Iterable[T], progress: Progress | None = None) -> list[R]:
        """Return ``[function(item) for item in items]``.

        Parameters
        ----------
        function : callable
            For other processes: defined at the top of a module.
        items : iterable
        progress : callable
            Told (items done, items in all) after each one.

        Raises
        ------
        Exception
            What the first item, in order, raised. Items that had not begun by then are not computed.
        """


class SerialPool:
    """One item after the other, in this process."""

    def map(self, function: Callable[[T], R], items: Iterable[T], progress: Progress | None = None) -> list[R]:
        """Return ``[function(item) for item in items]``; see :class:`Pool`."""
        todo = list(items)
        out = []
        for done, item in enumerate(todo, start=1):
            out.append(function(item))
            if progress is not None:
                progress(done, len(todo))
        return out

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class ProcessPool:
    """Several processes on this machine, started anew ("spawn") so that it works alike everywhere.

    Used with ``with``; the workers live as long as the block. An interruption (Ctrl-C) ends them at once.

    Parameters
    ----------
    workers : int
        Processes, at least 1.
    """

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise RecipeError(f"--workers {workers}: at least 1 is expected")
        self.workers = workers
        self._others = {p.pid for p in multiprocessing.active_children()}
        self._executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_serve_parent)

    def map(self, function: Callable[[T], R], items: Iterable[T], progress: Progress | None = None) -> list[R]:
        """Return ``[function(item) for item in items]``; see :class:`Pool`.

        Raises
        ------
        NanostrataError
            When a worker died without raising anything.
        """
        todo = list(items)
        futures: list[Future[R]] = []
        try:
            futures = [self._executor.submit(function, item) for item in todo]
            for done, future in enumerate(as_completed(futures), start=1):
                if future.exception() is not None:
                    break
                if progress is not None:
                    progress(done, len(todo))
            # items begin in order: all before a failed one have begun, so the first failure in order is known, whoever
            # was faster
            for future in futures:
                future.cancel()
            return [f.result() for f in futures]
        except BrokenProcessPool as error:
            raise NanostrataError(
                "a worker process ended without a word: most often the memory ran out (use fewer --workers); in a "
                'script of your own, what starts workers must stand below: if __name__ == "__main__":'
            ) from error
        except KeyboardInterrupt:
            self._terminate()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._terminate()
            return
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _terminate(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        own = [p for p in multiprocessing.active_children() if p.pid not in self._others]
        for process in own:
            process.terminate()
        for process in own:
            process.join(5.0)
            if process.is_alive():
                process.kill()


def make_pool(workers: int) -> SerialPool | ProcessPool:
    """Return a pool for so many workers: 1 stays in this process.

    Raises
    ------
    RecipeError
        For fewer than one worker.
    """
    return SerialPool() if workers == 1 else ProcessPool(workers)


def _serve_parent() -> None:
    """Let the parent alone answer to Ctrl-C (it ends the workers, which would else each print a traceback), and end with it.

    A worker whose parent was killed would wait for work for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)

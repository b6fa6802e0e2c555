"""What is already done: the results of finished stages, kept in the run folder, so that a killed run goes on."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import logging
import os
import re
import time
import uuid
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import nanostrata
from nanostrata.errors import DataError, NanostrataError
from nanostrata.pipeline.store_format import read_entry, write_entry

__all__ = ["Store", "software"]

log = logging.getLogger("nanostrata")

T = TypeVar("T")

FOLDER = ".store"
NUMERICAL = ("numpy", "scipy", "numba", "xraydb", "gemmi", "ase", "sasdata", "h5py")
"""Packages whose version is part of every key: another version may give other numbers."""

KEPT_RUNS = 3
"""Of each stage, the results of so many runs are kept: going back to an earlier recipe costs nothing."""

_STALE_SECONDS = 3600.0
_MISSING = object()
_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    NanostrataError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


@functools.cache
def software() -> dict[str, str]:
    """Return what computes: our version, the digest of our code below the interfaces, versions of numerical packages.

    The version alone would not do: whoever works on a stage changes code without changing the version, and would be
    handed the results of the old code.
    """
    root = Path(nanostrata.__file__).parent
    digest = hashlib.sha256()
    for source in sorted(root.rglob("*.py")):
        name = source.relative_to(root)
        if name.parts[0] not in ("interfaces", "_vendor"):
            digest.update(name.as_posix().encode() + b"\0" + source.read_bytes() + b"\0")
    out = {"nanostrata": nanostrata.__version__, "code": digest.hexdigest()}
    for package in NUMERICAL:
        try:
            out[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            out[package] = "absent"
    return out


class Store:
    """Results of stages by what they depend on, in ``RUN/.store``.

    A result is found again when the stage, its version, the software and everything in ``key_parts`` (digests of
    inputs, recipe, seed) are the same. An entry appears under its name only when it is complete; one that cannot be
    read is computed again, aloud. :meth:`prune` removes what was not used for long.

    Parameters
    ----------
    run_dir : Path
        The run folder; ``.store`` is made in it.
    fresh : bool
        Take nothing from the store; what is computed is still kept.

    Raises
    ------
    DataError
        When the folder cannot be written to.
    """

    def __init__(self, run_dir: Path, *, fresh: bool = False) -> None:
        self.folder = Path(run_dir) / FOLDER
        self.fresh = fresh
        self._used: dict[str, set[Path]] = {}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
        except OSError as error:
            raise DataError(
                f"{run_dir}: cannot be used as a run folder ({error}); choose another one with --out"
            ) from error

    def key(self, stage: str, version: str, key_parts: Mapping[str, object]) -> str:
        """Return the SHA-256 of everything that the result depends on.

        Raises
        ------
        TypeError, ValueError
            When ``key_parts`` holds something that JSON cannot say exactly (an object, nan).
        """
        parts = {"stage": stage, "stage version": version, "software": software(), "parts": dict(key_parts)}
        text = json.dumps(parts, sort_keys=True, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8")).hexdigest()

    def finished(self, stage: str, version: str, key_parts: Mapping[str, object]) -> bool:
        """Return whether a result lies in the store (``fresh`` or not; that it can be read shows when it is taken)."""
        return self._path(stage, self.key(stage, version, key_parts)).is_file()

    def step(self, stage: str, version: str, key_parts: Mapping[str, object], compute: Callable[[], T]) -> T:
        """Return the stored result of a stage, or compute and keep it.

        Parameters
        ----------
        stage, version : which code computes; raise the version when a stage changes what it means
        key_parts : everything else that the result depends on, as JSON can say it
        compute : called without arguments when the result is not there

        Raises
        ------
        TypeError
            When the result is made of something that the store has no form for.
        DataError
            When the result cannot be written (no space, no permission).
        """
        path = self._path(stage, self.key(stage, version, key_parts))
        self._used.setdefault(stage, set()).add(path)
        if not self.fresh:
            stored = self._load(stage, path)
            if stored is not _MISSING:
                log.info("stage %s: taken from the store", stage)
                _touch(path)
                return stored  # type: ignore[no-any-return]
        begin = time.perf_counter()
        result = compute()
        self._keep(path, result)
        log.info("stage %s: computed in %.1f s", stage, time.perf_counter() - begin)
        return result

    def prune(self, runs: int = KEPT_RUNS) -> list[Path]:
        """Remove old results, once a run is through.

        Of each stage that this store was asked for, what it was asked for is kept, and the other results that were used
        last, as many as ``runs`` runs like this one have. Stages that it was not asked for keep everything. Nothing is
        lost when another process works in the same folder: a result that is gone is computed again.

        Parameters
        ----------
        runs : this one included, at least 1

        Returns
        -------
        list of Path
            What was removed.
        """
        removed = []
        for stage, used in self._used.items():
            name = re.compile(re.escape(stage) + r"-[0-9a-f]{32}\.npz")
            others = [p for p in self.folder.iterdir() if name.fullmatch(p.name) and p not in used]
            others.sort(key=_last_used, reverse=True)
            for path in others[(runs - 1) * len(used) :]:
                try:
                    path.unlink()
                except OSError as error:  # another process was faster, or (on Windows) is reading it
                    log.info("stage %s: %s is not removed (%s)", stage, path.name, error)
                    continue
                removed.append(path)
        if removed:
            log.info("%d stored results that were not used for long are removed", len(removed))
        return removed

    def _path(self, stage: str, key: str) -> Path:
        return self.folder / f"{stage}-{key[:32]}.npz"

    def _load(self, stage: str, path: Path) -> Any:
        try:
            with path.open("rb") as stream:
                return read_entry(stream)
        except FileNotFoundError:
            return _MISSING
        except _UNREADABLE as error:
            log.warning(
                "stage %s: the stored result %s cannot be read (%s: %s); computing it again",
                stage, path.name, type(error).__name__, error,
            )  # fmt: skip
            return _MISSING

    def _keep(self, path: Path, result: object) -> None:
        try:
            # not tempfile: its files are the owner's alone, and a run folder may belong to a group
            unfinished = self.folder / f".unfinished-{path.stem}-{uuid.uuid4().hex[:8]}"
            try:
                with unfinished.open("xb") as stream:
                    write_entry(stream, result)
                    stream.flush()
                    os.fsync(stream.fileno())
                os.replace(unfinished, path)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise DataError(
                f"{path}: the result of this stage cannot be kept ({error}); free space, or use --out"
            ) from error

    def _sweep(self) -> None:
        """Remove what killed runs left half written; younger files may belong to a run that is going on."""
        for leftover in self.folder.glob(".unfinished-*"):
            if time.time() - leftover.stat().st_mtime > _STALE_SECONDS:
                leftover.unlink(missing_ok=True)


def _touch(path: Path) -> None:
    """Note on the file that it was used now; where that is not allowed it only looks older than it is."""
    with contextlib.suppress(OSError):
        os.utime(path)


def _last_used(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0  # gone meanwhile

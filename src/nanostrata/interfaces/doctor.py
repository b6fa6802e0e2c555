"""``nanostrata doctor``: versions and health of the installation, to be pasted into a bug report."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import locale
import os
import platform
import re
import sys
import tempfile
from pathlib import Path

from nanostrata import __version__
from nanostrata.interfaces import console

__all__ = ["problems", "report", "show_health"]

_RED_FLAG = "  <-- "
_OLDEST = (3, 11)


def show_health() -> int:
    """Print the report; return 0 when everything needed is there, 2 when something is wrong."""
    console.say(report())
    return 2 if problems() else 0


def problems() -> tuple[str, ...]:
    """Return what keeps nanostrata from working, a sentence each with what to do."""
    out = []
    if sys.version_info < _OLDEST:
        out.append(f"Python {platform.python_version()} is too old: 3.11 or newer is expected")
    out += [text for name in _needed() for text in _package_problems(name)]
    try:
        tempfile.gettempdir()  # looks for a folder that a file can be written to
    except FileNotFoundError:
        out.append("no folder for temporary files can be written to: free space, or set TMPDIR to a folder that can")
    try:
        _engine()
    except (ValueError, ImportError) as error:
        out.append(str(error))
    return tuple(out)


def report() -> str:
    """Return what is installed and which engine will compute, as lines of text."""
    wrong = problems()
    lines = [f"nanostrata {__version__} in {Path(__file__).parents[1]}", ""]
    lines += _block("machine", [*_machine(), *_folders()])
    lines += _block("packages", [(name, _version(name)) for name in _needed()])
    lines += _block("engine", _engines())
    lines += [f"wrong: {text}" for text in wrong] or ["everything that is needed is there"]
    return "\n".join(lines)


def _block(title: str, rows: list[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [title, *(f"  {name.ljust(width)}  {value}" for name, value in rows), ""]


def _machine() -> list[tuple[str, str]]:
    stream = sys.stdout.encoding or "unknown"
    return [
        ("python", f"{platform.python_version()} ({platform.python_implementation()}, {sys.executable})"),
        ("platform", f"{platform.platform()}, {platform.machine()}"),
        ("processors", f"{_usable_processors()} usable of {os.cpu_count()}"),
        ("text", f"files {locale.getpreferredencoding(False)}, terminal {stream}"),
    ]


def _folders() -> list[tuple[str, str]]:
    from nanostrata.kernels._jit import cache_folder

    compiled = cache_folder()
    note = "" if _writable(compiled) else f"{_RED_FLAG}cannot be written to: kernels are compiled anew in every process"
    try:
        scratch = tempfile.gettempdir()
    except FileNotFoundError:
        scratch = f"none{_RED_FLAG}free space, or set TMPDIR"
    return [("temporary files", scratch), ("compiled kernels", f"{compiled}{note}")]


def _engines() -> list[tuple[str, str]]:
    try:
        numba = _engine()
    except (ValueError, ImportError) as error:
        return [("numerics", f"none{_RED_FLAG}{error}")]
    wish = os.environ.get("NANOSTRATA_ENGINE", "")
    if numba:
        return [("numerics", f"numba {_version('numba')}: compiled, the first run on this machine is slower")]
    why = "as NANOSTRATA_ENGINE says" if wish == "numpy" else "because numba is not installed"
    return [("numerics", f"NumPy, {why}: same results, slower")]


def _engine() -> bool:
    from nanostrata.kernels._jit import numba_available

    return numba_available()


def _needed() -> list[str]:
    """Return the packages that this installation of nanostrata says it needs."""
    try:
        requirements = importlib.metadata.requires("nanostrata") or []
    except importlib.metadata.PackageNotFoundError:  # used from a source folder
        requirements = ["numpy", "scipy", "numba", "xraydb", "gemmi", "sasdata", "h5py", "defusedxml", "pydantic",
                        "typer", "rich", "ase", "matplotlib"]  # fmt: skip
    names = [re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0] for text in requirements if "extra ==" not in text]
    return list(dict.fromkeys(names))


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _package_problems(name: str) -> list[str]:
    if name != "numba" and _version(name) == "not installed" and importlib.util.find_spec(name) is None:
        return [f"{name} is not installed: pip install {name}"]
    return []


def _usable_processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _writable(folder: Path) -> bool:
    """Return whether a file can be made there; the folder is made like the program would make it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False

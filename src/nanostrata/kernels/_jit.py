"""Compile kernels with numba where it is installed; leave them as plain Python where it is not.

Modules with compiled kernels are imported lazily (inside the functions that need them), so that ``nanostrata --help``
does not pay for numba. Compiled code is kept in the user's cache folder, never beside the sources: an installation may
be read-only, and may be shared.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, overload

__all__ = ["cache_folder", "jit", "numba_available", "user_cache_folder"]

F = TypeVar("F", bound=Callable[..., Any])


def user_cache_folder() -> Path:
    """Return the folder where this user's programs keep what they can make again (it need not exist)."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "nanostrata"


@functools.cache
def cache_folder() -> Path:
    """Return the folder of compiled kernels: ``NUMBA_CACHE_DIR`` if it is set, else one below the user's cache folder.

    numba looks at the source of the compiled function alone when it decides whether its stored code still holds, not at
    the sources of the kernels which that function calls. So the digest of all kernels is part of the folder's name.
    """
    if own := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(own)
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return user_cache_folder() / "kernels" / digest.hexdigest()[:16]


@functools.cache
def numba_available() -> bool:
    """Return whether compiled kernels will run: numba is installed and ``NANOSTRATA_ENGINE`` does not say ``numpy``.

    Raises
    ------
    ValueError
        When ``NANOSTRATA_ENGINE`` is set to another word than ``auto``, ``numba`` or ``numpy``.
    ImportError
        When it says ``numba`` and numba is not installed.
    """
    wish = os.environ.get("NANOSTRATA_ENGINE", "auto") or "auto"
    if wish not in ("auto", "numba", "numpy"):
        raise ValueError(f"NANOSTRATA_ENGINE: expected auto, numba or numpy, got {wish!r}")
    installed = importlib.util.find_spec("numba") is not None
    if wish == "numba" and not installed:
        raise ImportError("NANOSTRATA_ENGINE asks for numba, which is not installed: pip install numba, or unset it")
    return installed and wish != "numpy"


@overload
def jit(function: F, /) -> F: ...
@overload
def jit(*, fastmath: bool | set[str] = ..., parallel: bool = ..., inline: str = ...) -> Callable[[F], F]: ...
def jit(
    function: Any = None, /, *, fastmath: bool | set[str] = False, parallel: bool = False, inline: str = "never"
) -> Any:
    """Compile a kernel on its first call, or leave it as it is when :func:`numba_available` says no.

    Division by zero gives inf or nan as in NumPy, and the interpreter lock is released while the kernel runs.

    Parameters
    ----------
    function : callable
        Given when the decorator is written without brackets.
    fastmath : bool or set of str
        Let the compiler reorder sums; results then differ in the last digits from machine to machine. A set names
        single permissions, for example ``{"reassoc", "contract"}``, which keep the meaning of NaN.
    parallel : bool
        Spread ``numba.prange`` loops over threads.
    inline : {"never", "always"}
        Passed to numba.
    """

    def decorate(kernel: Any) -> Any:
        if not numba_available():
            return kernel
        import numba

        options: dict[str, Any] = {
            "error_model": "numpy",
            "nogil": True,
            "fastmath": fastmath,
            "parallel": parallel,
            "inline": inline,
        }
        # numba chooses the place when it decorates; putting its setting back leaves the user's own functions alone
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(cache_folder())
        try:
            return numba.njit(cache=True, **options)(kernel)
        except RuntimeError:  # no folder can be written to: compile again in every process
            return numba.njit(**options)(kernel)
        finally:
            numba.config.CACHE_DIR = before

    return decorate if function is None else decorate(function)

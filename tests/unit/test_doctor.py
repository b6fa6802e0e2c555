"""doctor: says which engine computes, what is missing, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import nanostrata
from nanostrata.interfaces import doctor
from nanostrata.kernels import _jit


@pytest.fixture(autouse=True)
def _ask_anew() -> Iterator[None]:
    remembered = (_jit.numba_available, _jit.cache_folder)
    for cached in remembered:
        cached.cache_clear()
    yield
    for cached in remembered:
        cached.cache_clear()


def test_a_healthy_installation_is_said_to_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.problems() == ()
    assert doctor.show_health() == 0
    shown = capsys.readouterr().out
    assert f"nanostrata {nanostrata.__version__}" in shown
    assert importlib.metadata.version("numpy") in shown
    assert f"numerics  numba {importlib.metadata.version('numba')}" in shown
    assert "everything that is needed is there" in shown


def test_numpy_by_wish_is_said_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NANOSTRATA_ENGINE", "numpy")
    assert "NumPy, as NANOSTRATA_ENGINE says" in doctor.report()
    assert doctor.problems() == ()


def test_a_misspelt_engine_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NANOSTRATA_ENGINE", "fortran")
    assert doctor.problems() == ("NANOSTRATA_ENGINE: expected auto, numba or numpy, got 'fortran'",)
    assert doctor.show_health() == 2
    assert "wrong: NANOSTRATA_ENGINE" in doctor.report()


def test_a_missing_package_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_needed", lambda: ["numpy", "no-such-package"])
    assert doctor.problems() == ("no-such-package is not installed: pip install no-such-package",)


def test_numba_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "numba" else "found")
    assert doctor.problems() == ()
    assert "numba is not installed" in doctor.report()


def test_no_folder_for_temporary_files_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    assert any("TMPDIR" in text for text in doctor.problems())


@pytest.mark.parametrize(
    ("platform", "variable", "value", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "/some/cache", Path("/some/cache/nanostrata")),
        ("linux", "XDG_CACHE_HOME", "", Path.home() / ".cache/nanostrata"),
        ("darwin", "XDG_CACHE_HOME", "/some/cache", Path.home() / "Library/Caches/nanostrata"),
        ("win32", "LOCALAPPDATA", "/some/cache", Path("/some/cache/nanostrata")),
    ],
)
def test_the_cache_lies_where_the_platform_keeps_caches(
    monkeypatch: pytest.MonkeyPatch, platform: str, variable: str, value: str, expected: Path
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setenv(variable, value)
    assert _jit.user_cache_folder() == expected


def test_the_users_own_numba_folder_is_respected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert _jit.cache_folder() == tmp_path


def test_compiling_leaves_the_users_numba_settings_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import numba

    monkeypatch.setattr(_jit, "cache_folder", lambda: tmp_path)
    before = numba.config.CACHE_DIR

    @_jit.jit
    def ratio(a: float, b: float) -> float:
        return a / b

    assert ratio(1.0, 0.0) == np.inf  # like NumPy, no ZeroDivisionError
    assert numba.config.CACHE_DIR == before != str(tmp_path)
    assert list(tmp_path.rglob("*.nbi"))


def test_without_numba_kernels_stay_plain_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NANOSTRATA_ENGINE", "numpy")

    def kernel(a: float) -> float:
        return 2 * a

    assert _jit.jit(kernel) is kernel
    assert _jit.jit(fastmath=True)(kernel) is kernel

"""The stored numbers are still what sasmodels says (only where the oracle dependencies are installed)."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).with_name("sasmodels")


@pytest.mark.oracle
def test_stored_numbers_are_those_of_the_installed_sasmodels() -> None:
    spec = importlib.util.spec_from_file_location("make_numbers", HERE / "make_numbers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lines = [line.split(",") for line in (HERE / "numbers.csv").read_text("utf-8").splitlines()[2:]]
    fresh = module.rows()
    assert [(c, f"{q:g}") for c, q, _ in fresh] == [(c, q) for c, q, _ in lines]
    np.testing.assert_allclose([v for *_, v in fresh], [float(v) for *_, v in lines], rtol=1e-6)

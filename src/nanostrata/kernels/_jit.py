"""numba when it is there, NumPy when it is not."""
from __future__ import annotations
from typing import Any
def numba_available() -> bool:
    try:
        import numba
    except ImportError:
        return False
    return True
def jit(**kw: Any) -> Any:
    if not numba_available():
        return lambda f: f
    import numba
    return numba.njit(cache=True, error_model="numpy", nogil=True, **kw)

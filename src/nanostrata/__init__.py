"""nanostrata: the graded structure of core/shell nanocrystals from X-ray scattering, with honest intervals."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "FactorTable": "nanostrata.tables.factors",
    "Material": "nanostrata.domain",
    "Medium": "nanostrata.domain",
    "NanostrataError": "nanostrata.errors",
    "PairTable": "nanostrata.models.pair_table",
    "ProfileSettings": "nanostrata.stages.fit_profile",
    "Recipe": "nanostrata.pipeline.recipe",
    "ScatteringCurve": "nanostrata.domain",
    "ShellProfile": "nanostrata.domain",
    "SizeDistribution": "nanostrata.domain",
    "SolidSolution": "nanostrata.models.density",
    "fit_profile": "nanostrata.stages.fit_profile",
    "load_factors": "nanostrata.tables.factors",
    "load_medium": "nanostrata.models.materials",
    "load_recipe": "nanostrata.pipeline.recipe",
    "make_material": "nanostrata.models.materials",
    "read_curve": "nanostrata.io.curves",
    "run_project": "nanostrata.pipeline.run",
}
"""Public names and where they live; imported when first used, so that importing the package is quick."""

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        from importlib import import_module

        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'nanostrata' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

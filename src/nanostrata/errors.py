"""The exceptions of nanostrata. A message says what was expected, what came, where, and what to do."""

from __future__ import annotations

__all__ = [
    "ConvergenceError",
    "DataError",
    "MissingExtraError",
    "NanostrataError",
    "PhysicsError",
    "RecipeError",
]


class NanostrataError(Exception):
    """Base of every error that nanostrata raises on purpose.

    Parameters
    ----------
    *problems : str
        One sentence per problem. All problems that were found are carried, not only the first.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: tuple[str, ...] = tuple(problems)


class DataError(NanostrataError):
    """A measured file or table is wrong."""


class RecipeError(NanostrataError):
    """The project file or the request is wrong."""


class PhysicsError(NanostrataError):
    """A value is physically impossible."""


class ConvergenceError(NanostrataError):
    """A computation did not converge; ``best`` holds what it knows."""

    def __init__(self, *problems: str, best: object = None) -> None:
        super().__init__(*problems)
        self.best = best


class MissingExtraError(NanostrataError):
    """An optional package is needed; the message names the extra to install."""

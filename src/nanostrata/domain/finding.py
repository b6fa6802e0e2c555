"""A sentence for the first page, with what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nanostrata.domain.base import Domain
from nanostrata.errors import PhysicsError

GRADES = ("strong", "moderate", "weak", "not determined")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Domain):
    """One graded statement.

    Attributes
    ----------
    text : the sentence, with its interval
    grade : "strong", "moderate", "weak" or "not determined"
    numbers : key in the summary -> number, what the sentence rests on
    improve : what would improve it ("" when nothing is missing)
    """

    text: str
    grade: str
    numbers: Mapping[str, float]
    improve: str = ""

    def __post_init__(self) -> None:
        if self.grade not in GRADES:
            raise PhysicsError(f"grade: {self.grade!r} is not one of {', '.join(GRADES)}")

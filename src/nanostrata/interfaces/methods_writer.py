"""What the parts of the methods text share: the summary, and citations numbered in the order of their first use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nanostrata.interfaces.run_folder import first_of, look_up

__all__ = ["Writer"]


@dataclass(slots=True)
class Writer:
    """A summary and the references that its text has cited so far."""

    summary: Mapping[str, Any]
    allowed: frozenset[str]
    order: list[str] = field(default_factory=list)

    def cite(self, *keys: str) -> str:
        """`` [1,2]`` for those of the keys that this run used; "" for none."""
        numbers = []
        for key in keys:
            if key not in self.allowed:
                continue
            if key not in self.order:
                self.order.append(key)
            numbers.append(str(self.order.index(key) + 1))
        return f" [{','.join(numbers)}]" if numbers else ""

    def get(self, dotted: str, default: Any = None) -> Any:
        """Value under a dotted path of the summary."""
        return look_up(self.summary, dotted, default)

    def first(self, *dotted: str) -> Any:
        """First value that is there and not empty."""
        return first_of(self.summary, *dotted)

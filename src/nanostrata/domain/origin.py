"""Where a value came from."""

from __future__ import annotations

from dataclasses import dataclass

from nanostrata.domain.base import Domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin(Domain):
    """Provenance carried by every noun.

    Attributes
    ----------
    file : path as the user wrote it ("" when not read from a file)
    sha256 : digest of that file's bytes ("" when not read from a file)
    entry : entry inside a multi-entry file
    unit_read : unit of q (or of the quantity) found or declared, as resolved
    stage : name and version of the stage that made it
    points_read, points_kept : rows found, and rows that are used
    notes : what was converted, dropped or assumed, one sentence each
    """

    file: str = ""
    sha256: str = ""
    entry: str = ""
    unit_read: str = ""
    stage: str = ""
    notes: tuple[str, ...] = ()
    points_read: int = 0
    points_kept: int = 0

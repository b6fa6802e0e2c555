"""What the command line shows: results on stdout, the rest on stderr; plain ASCII where the terminal needs it."""

from __future__ import annotations

import io
import json
import math
import shutil
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

__all__ = [
    "plain", "prepare_streams", "progress", "refuse", "say", "show_bug", "show_json", "show_table", "state", "warn",
]  # fmt: skip

_ASCII = str.maketrans(
    {
        "±": "+-", "–": "-", "—": "-", "−": "-", "°": "deg ", "µ": "u", "μ": "u", "χ": "chi", "ρ": "rho",
        "′": "'", "″": "''", "²": "2", "³": "3", "⁻": "-", "¹": "1", "⁴": "4", "×": "x", "·": "*", "…": "...",
        "≥": ">=", "≤": "<=", "≈": "~", "Å": "A", "å": "a", "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e",
        "“": '"', "”": '"', "‘": "'", "’": "'", "→": "->", "\u00a0": " ", "\u2009": " ", "\u202f": " ",
    }
)  # fmt: skip
"""What is written where a terminal knows ASCII only."""


class _State:
    """Settings of this process's command line."""

    debug = False
    """Print tracebacks of bugs."""
    quiet = False
    """No progress: nothing but results, warnings and refusals."""
    log_file: Path | None = None
    """Log of the run under way, where the traceback of a bug is kept."""


state = _State()


def prepare_streams() -> None:
    """Let no character stop the output: what the encoding does not have is replaced."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def plain(text: str, stream: TextIO) -> str:
    """Text as the stream can show it: unchanged for UTF-8, else signs spelt in ASCII."""
    return text if _is_utf8(stream) else text.translate(_ASCII)


def _is_utf8(stream: TextIO) -> bool:
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "").replace("_", "").startswith("utf8")


def say(text: str = "") -> None:
    """Write a line of the result to stdout."""
    sys.stdout.write(plain(text, sys.stdout) + "\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """Write a warning to stderr."""
    _note(f"warning: {text}")


def refuse(problems: Sequence[str]) -> None:
    """Write to stderr why something was not done."""
    n = len(problems)
    _note(f"error: {problems[0]}" if n == 1 else f"error: {n} problems")
    for problem in problems if n > 1 else ():
        _note(f"  - {problem}")


def progress(prefix: str = "") -> Callable[[str], None]:
    """Return a function that tells on stderr what goes on."""

    def tell(text: str) -> None:
        if not state.quiet:
            _note(f"{prefix}{': ' if prefix else ''}{text}")

    return tell


def _note(text: str) -> None:
    sys.stderr.write(plain(text, sys.stderr) + "\n")
    sys.stderr.flush()


def show_json(value: Any) -> None:
    """Write JSON to stdout; numbers that JSON does not have (nan, infinity) become null."""
    sys.stdout.write(json.dumps(_finite(value), indent=2, ensure_ascii=True, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Write a table to stdout: as wide as the terminal, or as its contents where stdout is no terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    out = sys.stdout
    lines = box.SIMPLE_HEAD if _is_utf8(out) else box.ASCII2
    table = Table(box=lines, show_edge=False, pad_edge=False)
    for i, name in enumerate(columns):
        numeric = bool(rows) and all(_is_number(row[i]) for row in rows)
        table.add_column(plain(name, out), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(plain(str(cell), out) for cell in row))
    text = io.StringIO()
    width = shutil.get_terminal_size().columns if out.isatty() else 400
    Console(file=text, width=width, markup=False, emoji=False, highlight=False, color_system=None).print(table)
    say(title)
    for line in text.getvalue().rstrip().split("\n"):
        say("  " + line.rstrip())
    say()


def _is_number(text: str) -> bool:
    try:
        float(str(text).replace("−", "-") or "0")
    except ValueError:
        return str(text) in ("-", "–")
    return True


def show_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Take the place of :data:`sys.excepthook`: an error that nanostrata did not foresee is a bug of ours.

    The traceback goes to the log of the run under way, and to stderr with ``--debug``.
    """
    lines = "".join(traceback.format_exception(kind, error, trace))
    if state.debug:
        sys.stderr.write(lines)
    kept = ""
    if state.log_file is not None and state.log_file.parent.is_dir():
        with state.log_file.open("a", encoding="utf-8") as log:
            log.write(lines)
        kept = f"The traceback is in {state.log_file}. "
    elif not state.debug:
        kept = "`nanostrata --debug ...` shows the traceback. "
    _note(f"This is a bug in nanostrata ({kind.__name__}: {error}).")
    _note(f"{kept}Please report it with the output of `nanostrata doctor`.")

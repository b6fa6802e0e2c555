"""Words about a project file: on which line a key stands, which key was meant, what was expected."""

from __future__ import annotations

import bisect
import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

__all__ = ["Location", "TomlText", "key_path", "near_miss", "sentences", "toml_problem"]

Location: TypeAlias = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ATOM = re.compile(r"[^,\]}\n#]+")
_SPACE = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")


class TomlText:
    """Lines of the keys of a TOML text that :mod:`tomllib` has accepted.

    The parser of the standard library keeps no positions, so the text is scanned a second time for keys only.
    """

    def __init__(self, text: str) -> None:
        self._text, self._at = text.replace("\r\n", "\n"), 0
        self._starts = [0, *(m.end() for m in re.finditer("\n", self._text))]
        self._line: dict[Location, int] = {}
        self._tables: dict[Location, int] = {}
        try:
            self._document()
        except IndexError:
            pass  # ran past the end: a text that is not TOML keeps the lines found so far

    def line(self, location: Location) -> int | None:
        """Line of a key, or of the innermost table or array that holds it; None where nothing is found."""
        for n in range(len(location), 0, -1):
            if location[:n] in self._line:
                return self._line[location[:n]]
        return None

    def where(self, location: Location) -> str:
        """Return ", line N", or nothing where the line is not known."""
        found = self.line(location)
        return "" if found is None else f", line {found}"

    def _document(self) -> None:
        table: Location = ()
        while True:
            self._skip(_GAP)
            if self._at >= len(self._text):
                return
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Location:
        line, many = self._now(), self._text.startswith("[[", self._at)
        self._at += 2 if many else 1
        path = self._key()
        self._at += 2 if many else 1
        if many:
            self._tables[path] = self._tables.get(path, -1) + 1
            self._note(path, line)
            path = (*path, self._tables[path])
        self._note(path, line)
        return path

    def _pair(self, table: Location) -> None:
        line = self._now()
        path = (*table, *self._key())
        self._note(path, line)
        self._at += 1  # the sign "="
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> Location:
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            if self._text[self._at] in "\"'":
                start = self._at
                self._string()
                parts.append(self._text[start + 1 : self._at - 1])
            else:
                match = _BARE.match(self._text, self._at)
                if match is None:
                    raise IndexError  # not TOML: stop scanning
                parts.append(match.group())
                self._at = match.end()
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return tuple(parts)
            self._at += 1

    def _value(self, path: Location) -> None:
        mark = self._text[self._at]
        if mark in "\"'":
            self._string()
        elif mark == "[":
            self._items(path, "]")
        elif mark == "{":
            self._items(path, "}")
        else:
            match = _ATOM.match(self._text, self._at)
            self._at = match.end() if match else self._at + 1

    def _items(self, path: Location, end: str) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip(_GAP)
            if self._text[self._at] == end:
                self._at += 1
                return
            if self._text[self._at] == ",":
                self._at += 1
            elif end == "}":
                self._pair(path)
            else:
                self._note((*path, index), self._now())
                self._value((*path, index))
                index += 1

    def _string(self) -> None:
        mark = self._text[self._at]
        quotes = mark * 3 if self._text.startswith(mark * 3, self._at) else mark
        self._at += len(quotes)
        while not self._text.startswith(quotes, self._at):
            self._at += 2 if mark == '"' and self._text[self._at] == "\\" else 1
            if self._at >= len(self._text):
                raise IndexError
        self._at += len(quotes)
        while len(quotes) == 3 and self._text.startswith(mark, self._at):
            self._at += 1

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        assert match is not None
        self._at = match.end()

    def _now(self) -> int:
        return bisect.bisect_right(self._starts, self._at)

    def _note(self, path: Location, line: int) -> None:
        self._line[path] = line
        for n in range(1, len(path)):
            self._line.setdefault(path[:n], line)


def toml_problem(path: Path, text: str, error: tomllib.TOMLDecodeError) -> str:
    """One sentence about a text that is not TOML: the line, and what is often the cause."""
    match = re.search(r"\(at line (\d+), column \d+\)", str(error))
    what = re.sub(r"\s*\(at .*\)$", "", str(error))
    if match is None:
        return f"{path}: not valid TOML: {what}; is a bracket or quote left open at the end?"
    number = int(match.group(1))
    lines = text.splitlines()
    shown = lines[number - 1].strip() if number <= len(lines) else ""
    hint = "; text needs double quotes, numbers a decimal point"
    if re.search(r"=\s*-?\d+,\d", shown):
        hint = "; a decimal comma? write 9.63, not 9,63"
    elif "overwrite" in what or "declare" in what:
        hint = "; the key or table stands in the file twice: keep one"
    elif shown.startswith("["):
        hint = "; is a bracket or quote left open above?"
    elif re.search(r'"[A-Za-z]:\\', shown):
        hint = "; in double quotes a backslash begins an escape: write / or use single quotes"
    return f"{path}, line {number}: not valid TOML: {what}{hint}. The line reads: {shown[:100]}"


def near_miss(given: str, known: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)", or nothing when no known word is near."""
    names = {k.lower(): k for k in known}
    close = difflib.get_close_matches(given.lower(), list(names), n=1, cutoff=0.6)
    return f" (did you mean {names[close[0]]!r}?)" if close else ""


def key_path(location: Sequence[str | int]) -> str:
    """Key as written in messages: asaxs.curves[2].energy_kev; entries of an array count from 0."""
    out = ""
    for part in location:
        out += f"[{part}]" if isinstance(part, int) else (f".{part}" if out else part)
    return out


def sentences(
    path: Path, lines: TomlText, error: ValidationError, table: Mapping[str, Any], model: type[BaseModel]
) -> list[str]:
    """One sentence for each key that is wrong; the branches of a union count as one problem."""
    grouped: dict[Location, list[Any]] = {}
    for e in error.errors():
        grouped.setdefault(_whole_value(_written(e, table), model), []).append(e)
    nested = {loc[:n] for loc in grouped for n in range(1, len(loc))}
    out: list[tuple[int, str]] = []
    for location, errors in grouped.items():
        table_was_given = location in nested and isinstance(_value(location, table), Mapping)
        if table_was_given and errors[0]["type"] not in ("value_error", "missing"):
            continue  # the other branch of "a name or a table": the table's own problems say more
        for text in _texts(errors, location, table, model):
            at, said = (location, f"{key_path(location)}: {text}") if location else (_leading_key(text), text)
            out.append((lines.line(at) or 0, f"{path}{lines.where(at)}: {said}"))
    return [text for _, text in sorted(out, key=lambda item: item[0])]


def _leading_key(text: str) -> Location:
    """Location of the key that a sentence about the whole file begins with; () when it begins with none."""
    match = re.match(r"([a-z_]+(?:\[\d+\]|\.[a-z_]+)*): ", text)
    parts = re.findall(r"[a-z_]+|\d+", match.group(1)) if match else []
    return tuple(int(p) if p.isdigit() else p for p in parts)


def _texts(errors: list[Any], location: Location, table: Mapping[str, Any], model: type[BaseModel]) -> list[str]:
    own = [e for e in errors if e["type"] == "value_error"]
    if own:
        return [text for e in own for text in str(e["ctx"]["error"]).split("\n")]
    field = _field(model, location)
    expected = f"expected {field.description}" if field is not None and field.description else ""
    if errors[0]["type"] == "missing":
        return ["missing; " + (expected or "this key is needed")]
    if errors[0]["type"] == "extra_forbidden":
        known = _names(model, location[:-1])
        name = str(location[-1])
        return [
            f"this key is not known{near_miss(name, known) or f'; known are {chr(44).join(known)}'.replace(',', ', ')}"
        ]
    value = _value(location, table)
    shown = (
        repr(value)
        if not isinstance(value, Mapping | list | tuple) or len(repr(value)) <= 80
        else f"a {type(value).__name__}"
    )
    if isinstance(value, bool):
        shown = str(value).lower()
    miss = near_miss(value, _words(errors)) if isinstance(value, str) else ""
    wants_number = any(e["type"] in ("float_type", "int_type") for e in errors)
    unquoted = f"; write {value} without quotes" if wants_number and _as_number(value) else ""
    return [f"{expected or errors[0]['msg']}, got {shown}{miss or unquoted}"]


def _as_number(value: Any) -> bool:
    try:
        float(value if isinstance(value, str) else "x")
    except ValueError:
        return False
    return True


def _words(errors: list[Any]) -> list[str]:
    return [
        w for e in errors if e["type"] == "literal_error" for w in re.findall(r"'([^']+)'", str(e["ctx"]["expected"]))
    ]


def _written(error: Any, table: Mapping[str, Any]) -> Location:
    """Location of an error as the user wrote it: names that pydantic adds for the branches of a union are left out."""
    current: Any = table
    out: list[str | int] = []
    location = error["loc"]
    for n, part in enumerate(location):
        if isinstance(current, Mapping) and part in current:
            current = current[part]
        elif isinstance(current, list | tuple) and isinstance(part, int) and part < len(current):
            current = current[part]
        elif not (error["type"] == "missing" and n == len(location) - 1):
            continue
        out.append(part)
    return tuple(out)


def _whole_value(location: Location, model: type[BaseModel]) -> Location:
    """Location of the key for an error inside a list of plain numbers: the list is what is wrong."""
    for n in range(1, len(location)):
        if isinstance(location[n], int):
            field = _field(model, location[:n])
            if field is not None and not _models(field.annotation):
                return location[:n]
    return location


def _value(location: Location, table: Mapping[str, Any]) -> Any:
    current: Any = table
    for part in location:
        current = current[part]
    return current


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for a in getattr(annotation, "__args__", ()) for m in _models(a)]


def _at(model: type[BaseModel], location: Location) -> list[type[BaseModel]]:
    current = [model]
    for part in location:
        if isinstance(part, str):
            current = [n for m in current if part in m.model_fields for n in _models(m.model_fields[part].annotation)]
    return current


def _names(model: type[BaseModel], location: Location) -> list[str]:
    return [n for m in _at(model, location) for n, f in m.model_fields.items() if not f.exclude]


def _field(model: type[BaseModel], location: Location) -> FieldInfo | None:
    names = [p for p in location if isinstance(p, str)]
    if not names:
        return None
    return next((m.model_fields[names[-1]] for m in _at(model, tuple(names[:-1])) if names[-1] in m.model_fields), None)

"""How a stage's result lies on disk: a zip of one JSON tree and plain arrays, from which no code is ever run.

See docs/adr/0004-store-format.md for why this is not pickle.
"""

from __future__ import annotations

import dataclasses
import importlib
import io
import json
import math
import re
import zipfile
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nanostrata.domain.base import Domain

__all__ = ["read_entry", "write_entry"]

_TREE = "tree.json"
_PLAIN_KINDS = "biufcUS"
_OWN_MODULE = re.compile(r"nanostrata(\.[a-z][a-z0-9_]*)+")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same result gives the same bytes, whenever it is written


def write_entry(stream: BinaryIO, value: object) -> None:
    """Write a value made of domain objects, arrays, lists, tuples, dicts, numbers, strings and None.

    Parameters
    ----------
    stream : open for writing in binary
    value : may be nested; types come back as they were (a read-only mapping comes back as a dict)

    Raises
    ------
    TypeError
        For any other type; the message says where in the value it sits.
    """
    arrays: list[NDArray[Any]] = []
    tree = json.dumps(_encode(value, arrays, "result"), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(_member(_TREE), tree.encode("utf-8"))
        for i, array in enumerate(arrays):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, allow_pickle=False)
            archive.writestr(_member(f"{i}.npy"), buffer.getvalue())


def read_entry(stream: BinaryIO) -> Any:
    """Read what :func:`write_entry` wrote. Domain objects are built by their constructors, so they are checked again.

    Raises
    ------
    ValueError, KeyError, TypeError, zipfile.BadZipFile, NanostrataError, ...
        When the bytes are not such an entry; the caller treats all of them as "not stored".
    """
    with zipfile.ZipFile(stream) as archive:
        tree = json.loads(archive.read(_TREE).decode("utf-8"))

        def array(i: int) -> NDArray[Any]:
            # read at once and not through the member's stream: then the checksum of the whole member is verified
            content = io.BytesIO(archive.read(f"{i}.npy"))
            out: NDArray[Any] = np.lib.format.read_array(content, allow_pickle=False)
            return out

        return _decode(tree, array)


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=_EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _encode(value: object, arrays: list[NDArray[Any]], where: str) -> Any:
    """Turn a value into JSON. What JSON has no word for becomes an object with one tag."""
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if type(value) is complex:
        return {"complex": [_encode(value.real, arrays, where), _encode(value.imag, arrays, where)]}
    if type(value) is list:
        return [_encode(v, arrays, f"{where}[{i}]") for i, v in enumerate(value)]
    if type(value) is tuple:
        return {"tuple": [_encode(v, arrays, f"{where}[{i}]") for i, v in enumerate(value)]}
    if isinstance(value, (dict, MappingProxyType)):
        return {"dict": _encode_pairs(value, arrays, where)}
    if isinstance(value, np.generic) and value.dtype.kind in _PLAIN_KINDS:
        arrays.append(np.asarray(value))
        return {"scalar": len(arrays) - 1}
    if type(value) is np.ndarray and value.dtype.kind in _PLAIN_KINDS:
        arrays.append(value)
        return {"array": len(arrays) - 1, "writeable": bool(value.flags.writeable)}
    if isinstance(value, Domain) and dataclasses.is_dataclass(value):
        kind = type(value)
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
        encoded = {name: _encode(v, arrays, f"{where}.{name}") for name, v in fields.items()}
        return {"domain": f"{kind.__module__}:{kind.__qualname__}", "fields": encoded}
    raise TypeError(
        f"{where}: a {type(value).__module__}.{type(value).__qualname__} cannot be stored; stages return domain "
        "objects (frozen dataclasses derived from nanostrata.domain.base.Domain), arrays, lists, tuples, dicts, "
        "numbers and text"
    )


def _encode_pairs(value: Mapping[Any, object], arrays: list[NDArray[Any]], where: str) -> list[Any]:
    """Keep a dict as pairs: its keys need not be text, and its order stays."""
    return [[_encode(k, arrays, f"key of {where}"), _encode(v, arrays, f"{where}[{k!r}]")] for k, v in value.items()]


def _decode(tree: Any, array: Any) -> Any:
    if isinstance(tree, list):
        return [_decode(v, array) for v in tree]
    if not isinstance(tree, dict):
        return tree
    tags = set(tree)
    if tags == {"float"}:
        return float(tree["float"])
    if tags == {"complex"}:
        real, imaginary = (_decode(v, array) for v in tree["complex"])
        return complex(real, imaginary)
    if tags == {"tuple"}:
        return tuple(_decode(v, array) for v in tree["tuple"])
    if tags == {"dict"}:
        return {_decode(k, array): _decode(v, array) for k, v in tree["dict"]}
    if tags == {"scalar"}:
        return array(tree["scalar"])[()]
    if tags == {"array", "writeable"}:
        out = array(tree["array"])
        out.setflags(write=tree["writeable"])
        return out
    if tags == {"domain", "fields"}:
        return _domain_class(tree["domain"])(**{k: _decode(v, array) for k, v in tree["fields"].items()})
    raise ValueError(f"not an entry of this store: unknown tags {sorted(tags)}")


def _domain_class(name: str) -> type[Any]:
    """Return one of our own domain classes. A file that names anything else is refused, not imported."""
    module, _, qualname = name.partition(":")
    if not _OWN_MODULE.fullmatch(module) or not qualname.isidentifier():
        raise ValueError(f"not a domain object of nanostrata: {name!r}")
    kind = getattr(importlib.import_module(module), qualname, None)
    if not (isinstance(kind, type) and issubclass(kind, Domain) and dataclasses.is_dataclass(kind)):
        raise ValueError(f"not a domain object of nanostrata: {name!r}")
    return kind

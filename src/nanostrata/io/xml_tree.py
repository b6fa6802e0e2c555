"""A plain tree of an XML file with line numbers; entities, DTDs and references to other files are refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.sax import SAXParseException  # the exception only; parsing goes through defusedxml
from xml.sax.handler import ContentHandler

from nanostrata.errors import DataError

__all__ = ["Node", "parse_xml"]


@dataclass(slots=True)
class Node:
    """One element; namespaces are cut off its name."""

    tag: str
    attributes: dict[str, str]
    line: int
    pieces: list[str] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The element's own text, stripped."""
        return "".join(self.pieces).strip()

    def all(self, tag: str) -> Iterator[Node]:
        """Children of that name."""
        return (c for c in self.children if c.tag == tag)

    def first(self, *path: str) -> Node | None:
        """Follow the first child of each name."""
        node: Node | None = self
        for tag in path:
            node = next(node.all(tag), None) if node is not None else None
        return node


class _Builder(ContentHandler):
    def __init__(self) -> None:
        super().__init__()
        self.root: Node | None = None
        self._open: list[Node] = []
        self._locator: Any = None

    def setDocumentLocator(self, locator: Any) -> None:
        self._locator = locator

    def startElement(self, name: str, attrs: Any) -> None:
        node = Node(name.rsplit(":", 1)[-1], {k: str(v) for k, v in attrs.items()}, int(self._locator.getLineNumber()))
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def endElement(self, name: str) -> None:
        self._open.pop()

    def characters(self, content: str) -> None:
        if self._open:
            self._open[-1].pieces.append(content)


def parse_xml(file: str, data: bytes) -> Node:
    """Parse XML without expanding anything.

    Raises
    ------
    DataError
        When it is not well-formed (with the line), or declares a DTD or entities.
    """
    import defusedxml.sax
    from defusedxml.common import DefusedXmlException

    builder = _Builder()
    try:
        defusedxml.sax.parseString(data, builder, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as e:
        raise DataError(
            f"{file}: the XML declares a document type or entities ({type(e).__name__}); they are refused because "
            "they can read other files or fill the memory; remove the <!DOCTYPE …> line"
        ) from e
    except SAXParseException as e:
        raise DataError(
            f"{file}, line {e.getLineNumber()}: the XML is not well-formed ({e.getMessage()}); was the file cut off?"
        ) from e
    except (LookupError, UnicodeError) as e:
        raise DataError(f"{file}: the encoding that the XML declares cannot be used ({e}); save it as UTF-8") from e
    assert builder.root is not None
    return builder.root

"""What docx and xlsx share: their main part found, and their XML parsed without any entity."""

from __future__ import annotations

import re
from functools import cache
from posixpath import normpath
from typing import Final

from lxml import etree

from crawler.documents import zipped
from crawler.documents.zipped import Package
from crawler.errors import Unreadable

# libxml2 takes some 120 bytes for an element; a large report has 30,000.
_MAX_ELEMENTS: Final = 1_000_000
_MAX_XML: Final = 16 << 20
_NEVER_MANY: Final = 4 << 20
WORD: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MATH: Final = "http://schemas.openxmlformats.org/officeDocument/2006/math"
# ISO 29500 Strict says the same under other names.
_STRICT = {
    b"http://purl.oclc.org/ooxml/wordprocessingml/main": WORD.encode(),
    b"http://purl.oclc.org/ooxml/spreadsheetml/main": SHEET.encode(),
    b"http://purl.oclc.org/ooxml/officeDocument/relationships": RELATIONS.encode(),
    b"http://purl.oclc.org/ooxml/officeDocument/math": MATH.encode(),
}
_IS_STRICT: Final = "{http://purl.oclc.org/"
_PROLOG: Final = 4096
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\s[^>]*>")
_ATTRIBUTE = re.compile(rb"(Id|Type|Target)\s*=\s*[\"']([^\"']*)[\"']")


def main_part(package: Package, usual: str) -> str:
    """The name of the part that is the document, `usual` in all but a few packages."""
    if usual in package:
        return usual
    for type_, target in relations(package, "").values():
        if type_.endswith("/officeDocument") and target in package:
            return target
    raise Unreadable("damaged", kind=package.kind, why=f"no {usual}")


def relations(package: Package, part: str) -> dict[str, tuple[str, str]]:
    """What a part refers to, as identifier → (type, part name); the package itself is ""."""
    folder, _, name = part.rpartition("/")
    listing = f"{folder}/_rels/{name}.rels".removeprefix("/")
    if listing not in package:
        return {}
    found: dict[str, tuple[str, str]] = {}
    for relation in _RELATION.findall(package.read(listing)):
        said = {
            key.decode(): value.decode("utf-8", "replace")
            for key, value in _ATTRIBUTE.findall(relation)
        }
        if {"Id", "Type", "Target"} <= said.keys():
            target = said["Target"]
            path = target if target.startswith("/") else f"{folder}/{target}"
            found[said["Id"]] = (said["Type"], normpath(path).lstrip("/"))
    return found


def parse(data: bytes, kind: str) -> etree._Element:
    """The root of one part. Raises Unreadable: entity, bomb, damaged."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4]:
        data = _as_utf8(data, kind)
    if b"<!DOCTYPE" in data[:_PROLOG]:
        raise Unreadable("entity", kind=kind)
    if len(data) > _MAX_XML or (len(data) > _NEVER_MANY and data.count(b"<") > 2 * _MAX_ELEMENTS):
        raise Unreadable("bomb", kind=kind, limit=f"{_MAX_ELEMENTS:,} elements")
    try:
        root = etree.fromstring(data, _parser())
        if str(root.tag).startswith(_IS_STRICT):
            for strict, usual in _STRICT.items():
                data = data.replace(strict, usual)
            root = etree.fromstring(data, _parser())
    except etree.XMLSyntaxError as error:
        if b"<!DOCTYPE" in data:
            raise Unreadable("entity", kind=kind) from error
        raise Unreadable("damaged", kind=kind, why="XML that is not well-formed") from error
    # A document type may hide behind a comment, or in an encoding of its own.
    if root.getroottree().docinfo.internalDTD is not None:
        raise Unreadable("entity", kind=kind)
    return root


@cache
def _parser() -> etree.XMLParser:
    # Without huge_tree libxml2 refuses depths over 256 and texts over 10 MB.
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _as_utf8(data: bytes, kind: str) -> bytes:
    try:
        text = data.decode("utf-16")
    except UnicodeDecodeError as error:
        raise Unreadable("damaged", kind=kind, why="XML in no known encoding") from error
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text.removeprefix("\ufeff")).encode()


def is_package(body: bytes, folder: str) -> bool:
    """Is this an office package with parts in `folder`? Also told when its end is missing."""
    return any(name.startswith(folder) for name in zipped.names(body))

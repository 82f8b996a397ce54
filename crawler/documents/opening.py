"""Bytes → Documents: the kind is told by content, and its reader is the module of that name.

A reader is a module of this package with `read(body) -> Document` and `is_mine(body) -> bool`; it
is found by being there. One whose files hold other files has `members(body)` in place of `read`.
Modules are asked, and imported, one after the other, that of the name's ending first, so that a
page opens without the libraries of a scan.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Final

from crawler.documents import html, markdown, text
from crawler.documents.charset import decode
from crawler.documents.model import Document, Remark
from crawler.errors import Unreadable

MAX_BODY: Final = 64 << 20
# A long report has 200 kB of text; reading takes up to three seconds a megabyte of hostile signs.
MAX_PAGE: Final = 16 << 20
MAX_TAGS: Final = 1_000_000
MAX_TEXT: Final = 2 << 20
_HERE = Path(__file__).parent
# The mark of a reader, looked for in its source: to import them all is what must not happen.
_IS_READER = "\ndef is_mine("
_MARKDOWN = frozenset((".md", ".markdown"))
_HEAD = 8192
_COMPOUND = b"\xd0\xcf\x11\xe0"
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_PAGE = re.compile(
    rb"<(?:!doctype\s+html|/?(?:html|head|body|meta|table|div|span|p|h[1-6]|section|article))\b",
    re.IGNORECASE,
)
# What no text holds, in whatever charset Chinese pages are written.
_BINARY = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")
_CHINESE = re.compile("[\u4e00-\u9fff]")
_DAMAGE = 0.05


def open_file(body: bytes, name: str) -> tuple[Document, ...]:
    """Open a file: one Document, or of a bundle one for every member that opens.

    `name` tells markdown from text and is put into messages. Raises Unreadable.
    """
    return _open(body, name, within=False)


def _open(body: bytes, name: str, within: bool) -> tuple[Document, ...]:
    if not body.strip():
        raise Unreadable("empty")
    _limit(body, name, MAX_BODY)
    if _is_page(body):
        _limit(body, name, MAX_PAGE)
        if body.count(b"<") > MAX_TAGS:
            raise Unreadable("bomb", kind="html", limit=f"{MAX_TAGS:,} tags")
        return (html.read(body),)
    reader = next((module for module in _readers(name) if module.is_mine(body)), None)
    if reader is None:
        _refuse_torn(body)
        _limit(body, name, MAX_TEXT)
        return (_open_text(body, name),)
    if not hasattr(reader, "members"):
        return (reader.read(body),)
    if within:
        raise Unreadable("nested", member=name)
    return _open_members(reader, body)


def _limit(body: bytes, name: str, most: int) -> None:
    if len(body) > most:
        raise Unreadable("too_large", name=name, limit=f"{most >> 20} MB")


def _refuse_torn(body: bytes) -> None:
    """A compound file that lost its directory is nobody's, and torn."""
    if body.startswith(_COMPOUND):
        from crawler.documents import cfb

        try:
            cfb.streams(body)
        except cfb.Broken as error:
            raise Unreadable("truncated", kind="doc/xls") from error


def _open_members(reader: ModuleType, body: bytes) -> tuple[Document, ...]:
    """The members that open; what is said of the others goes with the first that does."""
    documents: list[Document] = []
    left: list[Remark] = []
    for member in reader.members(body):
        why = member.why
        if not why:
            try:
                (document,) = _open(member.body, member.name, within=True)
                documents.append(replace(document, member=member.name))
            except Unreadable as error:
                why = error.rule
        if why:
            left.append(Remark("member_left", {"member": member.name, "why": why}))
    if not documents:
        return (Document("bundle", (), remarks=tuple(left)),)
    first, *others = documents
    return (replace(first, remarks=(*first.remarks, *left)), *others)


def _is_page(body: bytes) -> bool:
    head = body[:_HEAD].lstrip()
    for mark in _BOMS:
        head = head.removeprefix(mark)
    if body.startswith(_BOMS[1:]):
        head = head.replace(b"\0", b"")
    return head.lstrip().startswith(b"<") and bool(_PAGE.search(head))


def _open_text(body: bytes, name: str) -> Document:
    """Text of some kind; a page may begin with words. Anything else is of no known kind."""
    wide = body.startswith(_BOMS[1:])
    if not wide and _BINARY.search(body):
        raise Unreadable("unknown_kind", name=name)
    decoded = decode(body)
    if decoded.replaced > _DAMAGE * len(decoded.text) or body.startswith((b"<?xml", b"{\\rtf")):
        raise Unreadable("unknown_kind", name=name)
    if PurePosixPath(name).suffix[1:].lower() in _names() and not _CHINESE.search(decoded.text):
        # What is left of a file that was torn at its first bytes.
        raise Unreadable("unknown_kind", name=name)
    if PurePosixPath(name).suffix.lower() in _MARKDOWN:
        return markdown.read(decoded.text)
    if _PAGE.search(body[:_HEAD]) and b"</" in body:
        return html.read(body)
    return text.read(decoded.text)


def _readers(name: str) -> Iterator[ModuleType]:
    ending = PurePosixPath(name).suffix[1:].lower()
    for module in sorted(_names(), key=lambda module: (module != ending, module)):
        yield import_module(f"{__package__}.{module}")


@cache
def _names() -> tuple[str, ...]:
    """The modules that are readers of bytes."""
    return tuple(
        path.stem
        for path in sorted(_HERE.glob("*.py"))
        if path != Path(__file__) and _IS_READER in path.read_text("utf-8")
    )

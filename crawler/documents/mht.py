"""mht (MIME, RFC 2557) → Document: a page saved as one file, as Word does under the name of a doc.

The page is the first part that is html; what it shows besides (pictures, headers) is left alone.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from crawler.documents import html
from crawler.documents.charset import decode
from crawler.documents.model import Document
from crawler.errors import Unreadable

_KIND: Final = "mht"
_HEAD: Final = 8192
_MOST_PARTS: Final = 4096
_DEEPEST: Final = 4  # multipart within multipart
_FOLDED = re.compile(rb"\r?\n[ \t]+")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:[ \t]*(.*)")
_GAP = re.compile(rb"\r?\n[ \t]*\r?\n")
_BOUNDARY = re.compile(rb"\bboundary=(?:\"([^\"]+)\"|([^\s;\"]+))", re.IGNORECASE)
_CHARSET = re.compile(rb"\bcharset=\"?([\w.:-]{1,40})", re.IGNORECASE)


class _Part(NamedTuple):
    fields: dict[bytes, bytes]
    content: bytes
    ended: bool  # by a boundary, and not by the end of the file

    @property
    def type(self) -> bytes:
        return self.fields.get(b"content-type", b"").lower()


def is_mine(body: bytes) -> bool:
    """A head that names MIME and a type of content."""
    fields = _split(body, ended=True).fields
    return b"mime-version" in fields and b"content-type" in fields


def read(body: bytes) -> Document:
    """Open the page. Raises Unreadable."""
    page = next((part for part in _parts(body) if part.type.startswith(b"text/html")), None)
    if page is None:
        raise _damaged("no page in it")
    if not page.ended:
        raise Unreadable("truncated", kind=_KIND)
    charset = _CHARSET.search(page.type)
    text = decode(_decoded(page), charset[1].decode() if charset else None).text
    return replace(html.read(text), kind=_KIND)


def _damaged(why: str) -> Unreadable:
    return Unreadable("damaged", kind=_KIND, why=why)


def _parts(body: bytes) -> Iterator[_Part]:
    """The parts in their order, those of a part that has parts in its place."""
    waiting = [(_split(body, ended=True), 0)]
    while waiting:
        part, depth = waiting.pop()
        if not part.type.startswith(b"multipart/"):
            yield part
            continue
        found = _BOUNDARY.search(part.fields[b"content-type"])
        if not found or depth >= _DEEPEST:
            raise _damaged("parts without a boundary")
        pieces = part.content.split(b"--" + (found[1] or found[2]), _MOST_PARTS + 1)[1:]
        if len(pieces) > _MOST_PARTS:
            raise Unreadable("bomb", kind=_KIND, limit=f"{_MOST_PARTS:,} parts")
        inner = []
        for number, piece in enumerate(pieces, 1):
            if piece.startswith(b"--"):
                break
            inner.append((_split(piece, ended=number < len(pieces)), depth + 1))
        waiting += reversed(inner)


def _split(data: bytes, ended: bool) -> _Part:
    """Head and content of a part; a head longer than any is none."""
    head = data[:_HEAD]
    start = len(head) - len(head.lstrip())
    gap = _GAP.search(data, start, start + _HEAD)
    if gap is None:
        return _Part({}, data, ended)
    lines = _FOLDED.sub(b" ", data[start : gap.start()]).splitlines()
    found = [field for line in lines if (field := _FIELD.fullmatch(line))]
    if len(found) < len(lines):
        return _Part({}, data, ended)
    fields = {field[1].lower(): field[2].strip() for field in found}
    return _Part(fields, data[gap.end() :], ended)


def _decoded(part: _Part) -> bytes:
    encoding = part.fields.get(b"content-transfer-encoding", b"").lower()
    if encoding == b"quoted-printable":
        return binascii.a2b_qp(part.content)
    if encoding == b"base64":
        try:
            return binascii.a2b_base64(part.content)
        except binascii.Error as error:
            raise _damaged(str(error)) from error
    return part.content

"""Bytes → text. Portals declare wrong charsets often; what decodes strictly decides."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from charset_normalizer import from_bytes

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_META = re.compile(rb"<meta[^>]{0,300}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
# These decode any bytes at all, so that they decode proves nothing.
_PROVES_NOTHING = {"iso8859-1", "iso8859-15", "cp1252", "ascii"}
_CANDIDATES = ["gb18030", "big5", "utf_8", "utf_16", "hz"]
# A page cut inside a character or with one broken byte (which spoils up to five places in a row)
# is still UTF-8.
_BROKEN = re.compile("\ufffd+")
_DAMAGE = 0.01


@dataclass(frozen=True, slots=True)
class Decoded:
    """`declared` is the charset named by the header, BOM or page; `detected` the guess, if one
    was needed; `used` the codec that made `text`; `replaced` how many U+FFFD it put in.
    """

    text: str
    declared: str | None
    used: str
    detected: str | None = None
    replaced: int = 0


def decode(body: bytes, declared: str | None = None) -> Decoded:
    """Decode a page. Never raises: what nothing decodes is replaced, and `replaced` says so.

    >>> decode("天山区".encode("gbk"), "gb2312").used
    'gb18030'
    """
    declared = declared or declaration(body)
    bom = _bom(body)
    if bom and (text := _strict(body, bom)) is not None:
        return Decoded(text.removeprefix("\ufeff"), declared, bom)
    if (text := _strict(body, "utf-8")) is not None:
        return Decoded(text, declared, "utf-8")
    codec = _codec(declared)
    if codec and (text := _strict(body, codec)) is not None:
        return Decoded(text, declared, codec)
    return _damaged_utf8(body, declared) or _guess(body, declared, codec)


def declaration(body: bytes) -> str | None:
    """The charset a page names itself, by BOM or in its first 4096 bytes."""
    if bom := _bom(body):
        return bom
    found = _META.search(body[:4096])
    return found[1].decode("ascii", "replace") if found else None


def _bom(body: bytes) -> str | None:
    return next((codec for mark, codec in _BOMS if body.startswith(mark)), None)


def _codec(declared: str | None) -> str | None:
    """The codec to try for a declared charset: gb* is read as its superset gb18030."""
    if not declared:
        return None
    if declared.lower().startswith(("gb", "x-gb")):
        return "gb18030"
    try:
        name = codecs.lookup(declared.strip()).name
    except (LookupError, ValueError):
        return None
    return None if name in _PROVES_NOTHING else name


def _strict(body: bytes, codec: str) -> str | None:
    try:
        # A declared codec need not be a text codec (`charset=hex` is a LookupError).
        return body.decode(codec)
    except (UnicodeError, LookupError):
        return None


def _damaged_utf8(body: bytes, declared: str | None) -> Decoded | None:
    text = body.decode("utf-8", "replace")
    replaced = text.count("\ufffd")
    foreign = sum(not character.isascii() for character in text)
    if foreign < 20 or len(_BROKEN.findall(text)) > 1 + foreign * _DAMAGE:
        return None
    return Decoded(text, declared, "utf-8", replaced=replaced)


def _guess(body: bytes, declared: str | None, codec: str | None) -> Decoded:
    best = from_bytes(body, cp_isolation=_CANDIDATES).best()
    if best and (text := _strict(body, best.encoding)) is not None:
        return Decoded(text, declared, best.encoding, detected=best.encoding)
    used = codec or "utf-8"
    text = body.decode(used, "replace")
    return Decoded(text, declared, used, replaced=text.count("\ufffd"))

"""Styles and lists of a binary Word file ([MS-DOC] 2.4.6): what they hide, and what they number."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from crawler.documents.numbering import Level, Numbering
from crawler.documents.word_modifiers import Told, told

_PARAGRAPH, _CHARACTER = 1, 2
_MOST_STYLES = 4094
_DEEPEST = 16  # styles based on one another
_NO_BASE = 0xFFF

_LIST, _LEVEL, _OVERRIDES, _OVERRIDE = 28, 28, 16, 8
_LEVELS = 9
_LONGEST = 128  # of what is printed for a number, in bytes
_F_SIMPLE, _F_START, _F_FORMAT = 0x01, 0x10, 0x20
# In the order of their numbers: the names WordprocessingML has for them.
_FORMATS = (
    "decimal", "upperRoman", "lowerRoman", "upperLetter", "lowerLetter", "ordinal",
    "cardinalText", "ordinalText", "hex", "chicago", "ideographDigital", "japaneseCounting",
    "aiueo", "iroha", "decimalFullWidth", "decimalHalfWidth", "japaneseLegal",
    "japaneseDigitalTenThousand", "decimalEnclosedCircle", "decimalFullWidth2",
    "aiueoFullWidth", "irohaFullWidth", "decimalZero", "bullet", "ganada", "chosung",
    "decimalEnclosedFullstop", "decimalEnclosedParen", "decimalEnclosedCircleChinese",
    "ideographEnclosedCircle", "ideographTraditional", "ideographZodiac",
    "ideographZodiacTraditional", "taiwaneseCounting", "ideographLegalTraditional",
    "taiwaneseCountingThousand", "taiwaneseDigital", "chineseCounting",
    "chineseLegalSimplified", "chineseCountingThousand",
)  # fmt: skip
_FOLLOWS = (" ", " ", "")  # a tab, a space, nothing


class _Style(NamedTuple):
    based: int
    told: Told


def styles(data: bytes) -> dict[int, Told]:
    """What each style says by number, with what it takes over; those that say nothing left out."""
    known = dict(_styles(data))
    found = {}
    for number in known:
        line = [number]
        while len(line) < _DEEPEST and (base := known[line[-1]].based) in known:
            line.append(base)
        whole = Told()
        for ancestor in reversed(line):
            whole = whole.under(known[ancestor].told)
        if whole != Told():
            found[number] = whole
    return found


def _styles(data: bytes) -> Iterator[tuple[int, _Style]]:
    if len(data) < 8:
        return
    head, count, base = struct.unpack_from("<3H", data)
    at = 2 + head
    for number in range(min(count, _MOST_STYLES)):
        if at + 2 > len(data):
            return
        length = int.from_bytes(data[at : at + 2], "little")
        style = data[at + 2 : at + 2 + length]
        at += 2 + length + length % 2
        if len(style) > base + 2 and base >= 6:
            kind, sizes = struct.unpack_from("<2H", style, 2)
            parts = list(_parts(style, base, sizes & 0xF))
            if kind & 0xF == _PARAGRAPH and parts:
                parts[0] = parts[0][2:]
            elif kind & 0xF != _CHARACTER:
                continue
            yield number, _Style(kind >> 4, told(b"".join(parts[:2])))


def _parts(style: bytes, base: int, count: int) -> Iterator[bytes]:
    """The properties of a style: of its paragraphs, of its characters; behind its name."""
    at = base + 4 + 2 * int.from_bytes(style[base : base + 2], "little")
    for _ in range(count):
        length = int.from_bytes(style[at : at + 2], "little")
        yield style[at + 2 : at + 2 + length]
        at += 2 + length + length % 2


def numbering(table: bytes, lists: int, overrides: bytes) -> Numbering:
    """The lists that begin at this place of the table stream, and what uses them."""
    levels = dict(_lists(table, lists))
    numbers: dict[str, str] = {}
    starts: dict[str, dict[int, int]] = {}
    count = min(int.from_bytes(overrides[:4], "little"), max(len(overrides) - 4, 0) // _OVERRIDES)
    at = 4 + count * _OVERRIDES
    for number in range(1, count + 1):
        place = 4 + (number - 1) * _OVERRIDES
        numbers[str(number)] = overrides[place : place + 4].hex()
        at += 4
        for _ in range(overrides[place + 12]):
            if at + _OVERRIDE > len(overrides):
                break
            start, flags = struct.unpack_from("<2I", overrides, at)
            at += _OVERRIDE
            if flags & _F_FORMAT:
                level, at = _level(overrides, at)
                start = level.start
            if flags & _F_START:
                starts.setdefault(str(number), {})[flags & 0xF] = min(start, 1 << 15)
    return Numbering.of(levels, numbers, starts)


def _lists(table: bytes, first: int) -> Iterator[tuple[str, dict[int, Level]]]:
    count = int.from_bytes(table[first : first + 2], "little")
    at = first + 2 + count * _LIST
    for number in range(count):
        place = first + 2 + number * _LIST
        if place + _LIST > len(table):
            return
        levels: dict[int, Level] = {}
        for depth in range(1 if table[place + 26] & _F_SIMPLE else _LEVELS):
            if at + _LEVEL + 2 > len(table):
                break
            levels[depth], at = _level(table, at)
        yield table[place : place + 4].hex(), levels


def _level(data: bytes, at: int) -> tuple[Level, int]:
    """A level, and where it ends."""
    if at + _LEVEL > len(data):
        return Level(0, "none", "", ""), len(data)
    start, kind = struct.unpack_from("<IB", data, at)
    follows, runs, paragraphs = data[at + 15], data[at + 24], data[at + 25]
    at += _LEVEL + runs + paragraphs
    length = 2 * int.from_bytes(data[at : at + 2], "little")
    text = data[at + 2 : at + 2 + min(length, _LONGEST)].decode("utf-16-le", "replace")
    shown = "".join(f"%{ord(sign) + 1}" if ord(sign) < _LEVELS else sign for sign in text)
    format_ = _FORMATS[kind] if kind < len(_FORMATS) else "none"
    space = _FOLLOWS[follows] if follows < len(_FOLLOWS) else ""
    return Level(min(start, 1 << 15), format_, shown, space), at + 2 + length

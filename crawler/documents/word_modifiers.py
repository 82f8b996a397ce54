"""Single property modifiers of a binary Word file ([MS-DOC] 2.6): what text is told to be."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

_DELETED, _FIELD_VANISH, _VANISH = 0x0800, 0x0802, 0x083C
_STRUCK, _STRUCK_TWICE = 0x0837, 0x2A53
_RAISED, _SYMBOL, _STYLE = 0x2A48, 0x6A09, 0x4A30
_LIST, _LEVEL = 0x460B, 0x260A
DEFINE, _DEFINE_OLD, _TABS = 0xD608, 0xD606, 0xC615
# By the three upper bits of a modifier: how long its operand is, 0 where a byte says so.
_OPERANDS = (1, 1, 2, 4, 2, 2, 0, 3)
# What a piece names by a number of seven bits.
SHORT = {0x18: 0x2416, 0x19: 0x2417, 0x41: _DELETED, 0x57: _STRUCK, 0x5C: _VANISH, 0x68: _RAISED}


class Told(NamedTuple):
    """What is said of characters (`symbol` is a sign of a symbol font) and of the list they are
    in; None where nothing is.
    """

    deleted: bool | None = None
    hidden: bool | None = None
    raised: bool | None = None
    struck: bool | None = None
    symbol: str | None = None
    style: int | None = None
    list: int | None = None
    level: int | None = None

    def under(self, nearer: Told) -> Told:
        """This, but for what is said nearer to the text."""
        said = nearer._asdict()
        return self._replace(**{name: what for name, what in said.items() if what is not None})


@lru_cache(maxsize=1024)
def told(properties: bytes) -> Told:
    """Everything but rows of tables."""
    found: dict[str, Any] = {}
    for code, operand in modifiers(properties):
        if code in (_DELETED, _FIELD_VANISH):
            found["deleted"] = operand != b"\0"
        elif code == _VANISH and operand != b"\x80":
            found["hidden"] = operand != b"\0"
        elif code == _RAISED:
            found["raised"] = operand != b"\0"
        elif code in (_STRUCK, _STRUCK_TWICE) and operand != b"\x80":
            found["struck"] = found.get("struck", False) or operand != b"\0"
        elif code == _SYMBOL:
            found["symbol"] = chr(int.from_bytes(operand[2:], "little"))
        elif code == _STYLE:
            found["style"] = int.from_bytes(operand, "little")
        elif code == _LIST:
            found["list"] = int.from_bytes(operand, "little")
        elif code == _LEVEL:
            found["level"] = operand[0]
    return Told(**found)


def modifiers(properties: bytes) -> Iterator[tuple[int, bytes]]:
    """Each modifier and its operand; the list ends where it makes no sense."""
    at, end = 0, len(properties)
    while at + 3 <= end:
        code = properties[at] | properties[at + 1] << 8
        at += 2
        size = _OPERANDS[code >> 13]
        if code in (DEFINE, _DEFINE_OLD):
            size = int.from_bytes(properties[at : at + 2], "little") - 1
            at += 2
        elif not size:
            size = _tabs_size(properties, at) if code == _TABS else properties[at]
            at += 1
        if size < 0 or at + size > end:
            return
        yield code, properties[at : at + size]
        at += size


def _tabs_size(properties: bytes, at: int) -> int:
    """Tab stops may be more than a byte can count; then they count themselves."""
    size = properties[at]
    if size < 255 or at + 1 >= len(properties):
        return size
    deleted = 4 * properties[at + 1]
    added = at + 2 + deleted
    return 2 + deleted + (3 * properties[added] if added < len(properties) else 0)

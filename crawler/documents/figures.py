"""A number of a worksheet as its reader sees it: a format may show 0 as a dash, or not at all."""

from __future__ import annotations

import re
import tomllib
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, NamedTuple

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|(?P<space>[_*].)|(?P<bracket>\[[^\]]*\]?)'
    r"|(?P<general>General)|(?P<clock>上午/下午|AM/PM|A/P)|(?P<date>[yY]+|[mM]+|[dD]+|[hH]+|[sS]+)"
    r"|(?P<digits>[0#?](?:[0#?,]*[0#?])?,*)|(?P<point>\.)|(?P<power>[eE][+-])|(?P<other>.)",
    re.DOTALL,
)
_CONDITION = re.compile(r"\[(?:[<>=]|DBNum|h|m|s)", re.IGNORECASE)
_EPOCHS: Final = (datetime(1899, 12, 30), datetime(1904, 1, 1))  # noqa: DTZ001
_LAST_DAY: Final = 2_958_465  # 9999-12-31
_LARGEST: Final = 1e15
_MOST_PLACES: Final = 15


class _Part(NamedTuple):
    kind: str
    text: str


def shown(value: float, code: str, from_1904: bool = False) -> str:
    """What a cell of this value and number format shows. A format nobody writes is General.

    >>> shown(15837.0, "General"), shown(0, '0;-0;"-"'), shown(5446.75, '#,##0.00"万元"')
    ('15837', '-', '5,446.75万元')
    """
    sections = _sections(code)
    if len(sections) > 1 and value < 0:
        number, section = -value, sections[1]
    elif len(sections) > 2 and value == 0:
        number, section = value, sections[2]
    else:
        number, section = value, sections[0]
    if any(part.kind == "odd" for part in section) or abs(value) >= _LARGEST:
        return general(value)
    kinds = {part.kind for part in section}
    if "date" in kinds and "digits" not in kinds:
        return _moment(value, section, from_1904) or general(value)
    return _number(number, section).strip()


def general(value: float) -> str:
    """A number without a format: fifteen digits at most, as worksheets keep them.

    >>> general(0.1 + 0.2), general(2.0), general(-0.5)
    ('0.3', '2', '-0.5')
    """
    if value == int(value) and abs(value) < _LARGEST:
        return str(int(value))
    return f"{value:.15g}"


@cache
def builtin() -> dict[int, str]:
    """Formats known by number."""
    data = tomllib.loads((Path(__file__).parent / "formats.toml").read_text("utf-8"))
    return {int(key): code for key, code in data.items()}


@lru_cache(maxsize=1024)
def _sections(code: str) -> tuple[tuple[_Part, ...], ...]:
    """A format taken apart: what it shows for numbers above, below and at zero."""
    sections: list[list[_Part]] = [[]]
    for found in _TOKEN.finditer(code):
        kind = found.lastgroup or ""
        if kind == "other" and found[0] == ";":
            sections.append([])
        elif kind == "bracket":
            if _CONDITION.match(found[0]):
                sections[-1].append(_Part("odd", found[0]))
        elif kind in ("quoted", "escaped", "other"):
            sections[-1].append(_Part("text", found[kind]))
        elif kind in ("power", "clock"):
            sections[-1].append(_Part("odd", found[0]))
        elif kind != "space":
            sections[-1].append(_Part(kind, found[0]))
    return tuple(map(_judged, sections))


def _judged(section: list[_Part]) -> tuple[_Part, ...]:
    """A format with two numbers in it (fractions, telephone numbers) is none we write."""
    kinds = [part.kind for part in section if part.kind not in ("text", "date")]
    plain = kinds in ([], ["general"], ["digits"], ["digits", "point", "digits"],
                      ["point", "digits"], ["digits", "point"])  # fmt: skip
    dated = any(part.kind == "date" for part in section) and not kinds
    return tuple(section) if plain or dated else (_Part("odd", ""),)


def _number(value: float, section: tuple[_Part, ...]) -> str:
    texts = [part for part in section if part.kind != "text" or part.text == "@"]
    if [part.kind for part in texts] == ["general"] or "@" in {part.text for part in section}:
        return "".join(
            general(value) if part.kind == "general" or part.text == "@" else part.text
            for part in section
        )
    kinds = [part.kind for part in section]
    if "digits" not in kinds:
        return "".join(part.text for part in section)
    first = kinds.index("point") if "point" in kinds[: kinds.index("digits")] else (
        kinds.index("digits"))  # fmt: skip
    last = len(kinds) - 1 - kinds[::-1].index("digits")
    before, behind = section[:first], section[last + 1 :]
    whole = section[first].text if kinds[first] == "digits" else ""
    places = section[last].text if "point" in kinds[first:last] else ""
    number = Decimal(repr(value)) * (100 if any("%" in part.text for part in section) else 1)
    number /= 1000 ** (len(whole) - len(whole.rstrip(",")))
    sign = "-" if number < 0 else ""
    digits = _digits(abs(number), whole.rstrip(","), places)
    if not digits.strip("0."):
        sign = ""
    return (
        sign
        + "".join(part.text for part in before)
        + digits
        + "".join(part.text for part in behind if part.kind == "text")
    )


def _digits(number: Decimal, whole: str, places: str) -> str:
    most = min(len(places), _MOST_PLACES)
    rounded = number.quantize(Decimal(1).scaleb(-most), ROUND_HALF_UP)
    left, _, right = f"{rounded:f}".partition(".")
    kept = places.rstrip("#?")
    while len(right) > len(kept) and right.endswith("0"):
        right = right[:-1]
    left = left.lstrip("0").rjust(whole.count("0"), "0")
    if "," in whole:
        left = f"{int(left):,}".rjust(len(left)) if left else left
    return f"{left.strip()}.{right}" if right else left.strip()


def _moment(value: float, section: tuple[_Part, ...], from_1904: bool) -> str:
    if not 0 <= value <= _LAST_DAY:
        return ""
    at = _EPOCHS[from_1904] + timedelta(seconds=round(value * 86400))
    out: list[str] = []
    after_hour = False
    for index, part in enumerate(section):
        if part.kind != "date":
            out.append(part.text)
            continue
        letter, length = part.text[0].lower(), len(part.text)
        following = next((p.text[0].lower() for p in section[index + 1 :] if p.kind == "date"), "")
        minutes = letter == "m" and (after_hour or following == "s")
        after_hour = letter == "h"
        if letter == "y":
            out.append(f"{at.year:04}" if length > 2 else f"{at.year % 100:02}")
        elif letter == "m" and not minutes and length > 2:
            out.append(at.strftime("%b"))
        else:
            pieces = {"m": at.minute if minutes else at.month, "d": at.day, "h": at.hour}
            out.append(f"{pieces.get(letter, at.second):0{min(length, 2)}}")
    return "".join(out)

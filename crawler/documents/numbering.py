"""The numbers a word processor prints before paragraphs that only say which list they are in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from lxml import etree

from crawler.documents.ooxml import WORD

_W: Final = f"{{{WORD}}}"
_PLACE = re.compile(r"%([1-9])")
_LEVELS: Final = 9
_MOST: Final = 9999
_SIMPLE, _FORMAL = "零一二三四五六七八九", "零壹贰叁肆伍陆柒捌玖"
_STEMS, _BRANCHES = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"),
          (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip


class Level(NamedTuple):
    """Where it starts, a format of `written`, what is printed (`%2` for the number of the second
    level) and what follows it.
    """

    start: int
    format: str
    text: str
    space: str


@dataclass(slots=True)
class _List:
    """One list: its levels, and how far each has counted (None: not begun)."""

    levels: dict[int, Level]
    counts: list[int | None]


class Numbering:
    """The lists of one document. `label` counts on: call it once a paragraph, in order."""

    def __init__(self, root: etree._Element | None) -> None:
        self._lists: dict[str, _List] = {}
        self._starts: dict[str, dict[int, int]] = {}
        self._of_number: dict[str, str] = {}
        self._begun: set[str] = set()
        if root is not None:
            self._read(root)

    @classmethod
    def of(
        cls,
        lists: Mapping[str, Mapping[int, Level]],
        numbers: Mapping[str, str],
        starts: Mapping[str, Mapping[int, int]],
    ) -> Numbering:
        """Levels by list, the list of each number, and where a number lets levels start anew."""
        made = cls(None)
        made._lists = {key: _List(dict(levels), [None] * _LEVELS) for key, levels in lists.items()}
        made._of_number = dict(numbers)
        made._starts = {number: dict(levels) for number, levels in starts.items()}
        return made

    def _read(self, root: etree._Element) -> None:
        for item in root.iter(f"{_W}abstractNum"):
            levels = dict(_levels(item))
            self._lists[item.get(f"{_W}abstractNumId", "")] = _List(levels, [None] * _LEVELS)
        for item in root.iter(f"{_W}num"):
            number = item.get(f"{_W}numId", "")
            of = item.find(f"{_W}abstractNumId")
            self._of_number[number] = "" if of is None else of.get(f"{_W}val", "")
            for change in item.iter(f"{_W}lvlOverride"):
                start = change.find(f"{_W}startOverride")
                if start is not None:
                    starts = self._starts.setdefault(number, {})
                    starts[_int(change.get(f"{_W}ilvl"))] = _int(start.get(f"{_W}val"))

    def label(self, number: str, level: int) -> str:
        """What is printed before the next paragraph of this list; empty for bullets."""
        found = self._lists.get(self._of_number.get(number, ""))
        if found is None or level not in found.levels:
            return ""
        if number not in self._begun:
            self._begun.add(number)
            for at, start in self._starts.get(number, {}).items():
                if 0 <= at < _LEVELS:
                    found.counts[at] = start - 1
        said = found.counts[level]
        found.counts[level] = found.levels[level].start if said is None else said + 1
        found.counts[level + 1 :] = [None] * (_LEVELS - level - 1)
        return self._written(found, level)

    def _written(self, found: _List, level: int) -> str:
        own = found.levels[level]
        if own.format in ("bullet", "none") or not own.text:
            return ""

        def count(place: re.Match[str]) -> str:
            at = int(place[1]) - 1
            at_level = found.levels.get(at)
            if at_level is None:
                return ""
            value = found.counts[at]
            return written(at_level.start if value is None else value, at_level.format)

        return _PLACE.sub(count, own.text) + own.space


def _levels(item: etree._Element) -> Iterator[tuple[int, Level]]:
    for level in item.iter(f"{_W}lvl"):
        at = _int(level.get(f"{_W}ilvl"))
        if 0 <= at < _LEVELS:
            said = {
                key: "" if (one := level.find(f"{_W}{key}")) is None else one.get(f"{_W}val", "")
                for key in ("start", "numFmt", "lvlText", "suff")
            }
            space = "" if said["suff"] == "nothing" else " "
            yield at, Level(_int(said["start"]), said["numFmt"], said["lvlText"], space)


def _int(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def written(value: int, format_: str) -> str:
    """A number in a numbering format of WordprocessingML (17.18.59); unknown ones are decimal.

    >>> written(12, "chineseCounting"), written(4, "upperRoman"), written(2, "ideographTraditional")
    ('十二', 'IV', '乙')
    """
    if not 0 < value <= _MOST:
        return str(value)
    return _FORMATS.get(format_, str)(value)


def chinese(value: int, digits: str = _SIMPLE, units: str = "千百十") -> str:
    """
    >>> chinese(10), chinese(21), chinese(105), chinese(1010)
    ('十', '二十一', '一百零五', '一千零一十')
    """
    out, gap = "", False
    for place, digit in enumerate(f"{value:04}"):
        if digit == "0":
            gap = bool(out)
            continue
        out += (digits[0] if gap else "") + digits[int(digit)] + (units + " ")[place].strip()
        gap = False
    if 10 <= value < 20 and digits == _SIMPLE:
        return out[1:]
    return out


def _letters(value: int) -> str:
    return chr(ord("a") + (value - 1) % 26) * (1 + (value - 1) // 26)


def _roman(value: int) -> str:
    out = ""
    for worth, letters in _ROMAN:
        out += letters * (value // worth)
        value %= worth
    return out


def _circled(value: int) -> str:
    return chr(0x2460 + value - 1) if value <= 20 else str(value)


def _plain_digits(value: int) -> str:
    return "".join("〇一二三四五六七八九"[int(digit)] for digit in str(value))


_FORMATS: Final[dict[str, Callable[[int], str]]] = {
    **dict.fromkeys(
        ("chineseCounting", "chineseCountingThousand", "taiwaneseCounting",
         "taiwaneseCountingThousand", "japaneseCounting", "koreanCounting"), chinese),
    **dict.fromkeys(
        ("chineseLegalSimplified", "ideographLegalTraditional", "japaneseLegal"),
        lambda value: chinese(value, _FORMAL, "仟佰拾")),
    **dict.fromkeys(("ideographDigital", "taiwaneseDigital", "japaneseDigitalTenThousand"),
                    _plain_digits),
    **dict.fromkeys(("decimalEnclosedCircle", "decimalEnclosedCircleChinese",
                     "ideographEnclosedCircle"), _circled),
    "ideographTraditional": lambda value: _STEMS[(value - 1) % 10],
    "ideographZodiac": lambda value: _BRANCHES[(value - 1) % 12],
    "decimalZero": lambda value: f"{value:02}",
    "decimalFullWidth": lambda value: str(value).translate({48 + i: 0xFF10 + i for i in range(10)}),
    "decimalFullWidth2": lambda value: str(value).translate(
        {48 + i: 0xFF10 + i for i in range(10)}),
    "lowerLetter": _letters,
    "upperLetter": lambda value: _letters(value).upper(),
    "lowerRoman": _roman,
    "upperRoman": lambda value: _roman(value).upper(),
    "decimalEnclosedParen": lambda value: f"({value})",
    "decimalEnclosedFullstop": lambda value: f"{value}.",
}  # fmt: skip

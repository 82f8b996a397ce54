"""Labels and numbers as reports write them: what is folded away before anything is compared."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from crawler.forms.definition import common
from crawler.forms.model import State

# Radicals that NFKC leaves alone, as PDF fonts map them.
_RADICALS = ("⺠⻋⻓⻅⻔⻚⻛⻜⻬⻰⻄⻘⻆⻉", "民车长见门页风飞齐龙西青角贝")
_INVISIBLE = re.compile("[\\s\u200b-\u200f\u2060\ufeff\xad]+")
_NOT_WORDS = re.compile(r"[\W_]+")
_CN = "一二三四五六七八九十"
_ORDINAL = re.compile(
    rf"\((?P<bracket>[{_CN}]{{1,3}}|\d{{1,2}})\)[、.,]?"
    rf"|(?P<plain>[{_CN}]{{1,3}})[、.,)]"
    r"|(?P<digit>\d{1,2})(?:[、.,)]+|(?=[\u4e00-\u9fff]))"
)
_CUT = re.compile(r"[,。;:(〔\[【]")
# Full-width forms only: NFKC would also turn a note mark (22①, 22²) into one more digit.
_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0x2212: 0x2D}


@dataclass(frozen=True, slots=True)
class Name:
    """A label taken apart. `ordinal` is normalised (`b一` for （一）, `p一` for 一、, `d1` for 1.),
    `core` all the words after it, `head` those before the first bracket, comma or colon.
    """

    ordinal: str
    core: str
    head: str


@lru_cache(maxsize=1)
def _spellings() -> dict[int, int]:
    words = common()
    pairs = zip(_RADICALS[0] + words.traditional, _RADICALS[1] + words.simplified, strict=True)
    return {ord(one): ord(other) for one, other in pairs}


@lru_cache(maxsize=8192)
def squeeze(text: str) -> str:
    """NFKC in simplified characters without white space: what a label is however it was set."""
    folded = unicodedata.normalize("NFKC", text).translate(_spellings())
    return _INVISIBLE.sub("", folded)


@lru_cache(maxsize=8192)
def name(text: str) -> Name:
    """
    >>> name("（二）部分公开（区分处理的，只计这一情形）").head
    '部分公开'
    >>> name("1、属于国家⏎秘密".replace("⏎", chr(10)))
    Name(ordinal='d1', core='属于国家秘密', head='属于国家秘密')
    """
    line = squeeze(text)
    ordinal = ""
    if found := _ORDINAL.match(line):
        kind = found.lastgroup or ""
        ordinal = kind[0] + found[kind]
        line = line[found.end() :]
    head = _CUT.split(line, maxsplit=1)[0]
    return Name(ordinal, _NOT_WORDS.sub("", line), _NOT_WORDS.sub("", head))


def core(label: str) -> str:
    """A label of the form's own data, folded as `name` folds the report's."""
    return name(label).core


def is_part(text: str, label: str) -> bool:
    """Could `text` be what is left of `label`? Its characters stand in the label in this order.

    >>> is_part("本年减", "本年增减"), is_part("备注", "本年增减")
    (True, False)
    """
    rest = iter(label)
    return all(character in rest for character in text)


@dataclass(frozen=True, slots=True)
class Measure:
    """A cell's text judged: `note` is a bracketed remark behind the number."""

    state: State
    value: Decimal | None = None
    unit: str | None = None
    note: str | None = None


@lru_cache(maxsize=1)
def _number() -> re.Pattern[str]:
    units = "|".join(map(re.escape, common().units))
    # Fifteen digits are more than any report needs and fewer than hostile text could hold. A sign
    # on a line of its own is a dash, of another cell.
    return re.compile(
        r"(?P<sign>[+\-–]?)[^\S\n]*(?P<whole>[0-9]{1,3}(?:,[0-9]{3}){1,4}|[0-9]{1,15})"
        rf"(?P<part>\.[0-9]{{1,8}})?\s*(?P<unit>{units})?\s*"
        r"(?P<note>[(\[【〔].*[)\]】〕])?",
        re.DOTALL,  # a note may be broken over lines
    )


_BLANK = Measure(State.BLANK)
_DASH = Measure(State.DASH)
_TEXT = Measure(State.TEXT)


@lru_cache(maxsize=8192)
def measure(raw: str) -> Measure:
    """Judge a value cell. Anything that is not plainly one number stays text.

    >>> measure("5446.75万元").value, measure("5446.75万元").unit
    (Decimal('5446.75'), '万元')
    >>> measure("22（其中修订16件）").value, measure("22（16）").state.value
    (Decimal('22'), 'text')
    """
    text = raw.translate(_WIDTH).strip().strip("\u200b\u200c\u200d\u2060\ufeff\xad").strip()
    if not text:
        return _BLANK
    if text in common().dashes:
        return _DASH
    found = _number().fullmatch(text)
    if not found or (found["note"] and not _is_note(found["note"])):
        return _TEXT
    sign = "-" if found["sign"] in ("-", "–") else ""
    value = Decimal(sign + found["whole"].replace(",", "") + (found["part"] or ""))
    if not value:
        return Measure(State.ZERO, abs(value), found["unit"], found["note"])
    return Measure(State.NUMBER, value, found["unit"], found["note"])


def _is_note(note: str) -> bool:
    """Words, or a raised note mark: a bare number in round brackets could be a second value."""
    return note.startswith("[") or any(c.isalpha() for c in note)

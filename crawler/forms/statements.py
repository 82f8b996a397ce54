"""What the prose of a report states in figures (P1) and in words about its fees (S3).

The patterns stand in prose.toml. A claim is dropped where anything near it says that it counts
something else than the table: a false finding is worse than a missed one.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from crawler.forms.model import Section

# A full-width comma is NFKC's comma, but it parts clauses and never thousands.
_COMMA = "⟂"
_YEAR = re.compile(r"((?:19|20)\d\d)(?=年|[-至到—])")
_DIGITS = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_TENS = {"十": 10, "百": 100, "千": 1000}
_SCALES = {None: 1, "万": 10_000, "亿": 100_000_000}

Paths = tuple[tuple[str, ...], ...]


class Claim(NamedTuple):
    """One figure the prose states. It agrees with the tables if the cells of any of `sums` add up
    to `value`, give or take less than `within` (0: exactly; a rounded figure names its last
    place). `quote` is the report's own wording; `money`: `value` is in 元.
    """

    key: str
    value: Decimal
    within: Decimal
    money: bool
    sums: Paths
    quote: str


@dataclass(frozen=True)
class FeeWords:
    """What is said of 信息处理费. `nothing`: section six has no more to say than that; `none`: it
    says that none was charged; `amount`: a sum above 0 another section names, as quoted.
    """

    nothing: bool
    none: bool
    amount: str | None


@dataclass(frozen=True)
class _Pattern:
    key: str
    word: str
    pattern: re.Pattern[str]
    sums: Mapping[str, Paths]
    clause: re.Pattern[str] | None
    sentence: re.Pattern[str] | None
    near: re.Pattern[str] | None
    topic: re.Pattern[str] | None
    value: Decimal | None
    stock: bool


@dataclass(frozen=True)
class _Prose:
    longest_paragraph: int
    most_figures: int
    claims: tuple[_Pattern, ...]
    hint: re.Pattern[str]
    neutral: re.Pattern[str]
    brackets: re.Pattern[str]
    never: Mapping[str, re.Pattern[str]]
    sentence: re.Pattern[str]
    clause: re.Pattern[str]
    fee: Mapping[str, re.Pattern[str]]
    fee_cell: str


@cache
def _prose() -> _Prose:
    data = tomllib.loads(Path(__file__).with_name("prose.toml").read_text("utf-8"))
    parts = data["parts"]
    known = {
        "{n}": parts["number"] + parts["count"],
        "{money}": parts["number"] + f"(?P<money>{parts['money']})",
    }
    known |= {f"{{{name}}}": parts[name] for name in ("of", "gap", "near", "sum")}

    def compiled(pattern: str) -> re.Pattern[str]:
        for name, part in known.items():
            pattern = pattern.replace(name, part)
        return re.compile(pattern)

    return _Prose(
        longest_paragraph=data["limits"]["paragraph"],
        most_figures=data["limits"]["figures"],
        claims=tuple(_pattern(item, compiled) for item in data["claims"]),
        hint=compiled(data["hint"]),
        neutral=compiled(data["neutral"]["phrases"]),
        brackets=compiled(data["neutral"]["brackets"]),
        never={reach: compiled(words) for reach, words in data["never"].items()},
        sentence=compiled(parts["sentence"]),
        clause=compiled(parts["clause"]),
        fee={name: compiled(words) for name, words in data["fee"].items() if name != "cell"},
        fee_cell=data["fee"]["cell"],
    )


def _pattern(item: Mapping[str, Any], compiled: Any) -> _Pattern:
    def optional(name: str) -> re.Pattern[str] | None:
        return compiled(item[name]) if name in item else None

    given = item.get("layouts") or dict.fromkeys(("2019", "2021"), item.get("paths", ()))
    return _Pattern(
        key=item["key"],
        word=item["word"],
        pattern=compiled(item["pattern"]),
        sums={layout: tuple(map(tuple, sums)) for layout, sums in given.items()},
        clause=optional("clause"),
        sentence=optional("sentence"),
        near=optional("near"),
        topic=optional("topic"),
        value=Decimal(item["value"]) if "value" in item else None,
        stock=item.get("stock", False),
    )


def fee_cell() -> str:
    """The path of the cell that holds the fees charged."""
    return _prose().fee_cell


def claims(
    sections: Sequence[Section], layout: str, year: int, organ: str, *, of_government: bool
) -> Iterator[Claim]:
    """Every figure the prose states about a cell of this layout, in reading order.

    `organ` is whose report it is, so that its own name is no other scope; `of_government`: it is a
    government, so that any other organ a sentence names is one of those below it.
    """
    found = _matches(sections, layout, year, _folded(organ))
    for context in islice(found, _prose().most_figures):
        if context.is_of_the_report(of_government):
            yield _claim(context.pattern, context.match, layout)


def _matches(sections: Sequence[Section], layout: str, year: int, organ: str) -> Iterator[_Context]:
    prose = _prose()
    for section in sections:
        for folded in _telling(section.text):
            line = prose.brackets.sub("", folded.replace(organ, "") if organ else folded)
            for pattern in prose.claims:
                if pattern.word in line and layout in pattern.sums:
                    for match in pattern.pattern.finditer(line):
                        yield _Context(section.heading, line, match, pattern, year)


class _Context(NamedTuple):
    """Where a match stands; the words around it decide whether it counts what the table counts."""

    heading: str
    line: str
    match: re.Match[str]
    pattern: _Pattern
    year: int

    def is_of_the_report(self, of_government: bool) -> bool:
        prose, pattern, said = _prose(), self.pattern, self.match[0]
        never = prose.never
        before = self._cut(prose.sentence)[0]
        ahead, behind = self._cut(prose.clause)
        beside = f"{ahead}\n{behind}"
        paragraph = self.line[: self.match.end()]
        sentence = self._year_end().sub("", before) if pattern.stock else before
        return not (
            never["paragraph"].search(paragraph)
            or never["sentence"].search(sentence)
            or never["clause"].search(beside)
            or (of_government and never["government"].search(before))
            or any(int(year) != self.year for year in _YEAR.findall(before + behind))
            or (pattern.clause and pattern.clause.search(beside))
            or (pattern.sentence and pattern.sentence.search(before + behind))
            or (pattern.near and not pattern.near.search(f"{self.heading}\n{paragraph}"))
            or (pattern.topic and not pattern.topic.search(f"{self.heading}\n{before}{said}"))
        )

    def _year_end(self) -> re.Pattern[str]:
        """The words that date a stock to the end of the year."""
        return re.compile(rf"截[至止](?:{self.year}年|年|本年)?(?:年?底|年?末|(?=[{_COMMA},]))")

    def _cut(self, border: re.Pattern[str]) -> tuple[str, str]:
        """The line up to the match and from it on, as far as the next border on either side."""
        start = max((m.end() for m in border.finditer(self.line, 0, self.match.start())), default=0)
        end = border.search(self.line, self.match.end())
        return (
            self.line[start : self.match.start()],
            self.line[self.match.end() : end.start() if end else len(self.line)],
        )


def _claim(pattern: _Pattern, match: re.Match[str], layout: str) -> Claim:
    sums = pattern.sums[layout]
    quote = match[0].replace(_COMMA, "，")
    if pattern.value is not None:
        return Claim(pattern.key, pattern.value, Decimal(0), False, sums, quote)
    value, within = _amount(match)
    money = "money" in match.groupdict()
    return Claim(pattern.key, value, within, money, sums, quote)


def _amount(match: re.Match[str]) -> tuple[Decimal, Decimal]:
    """The number, scaled, and the worth of its last place where it is a rounded one."""
    scale = _SCALES[match["scale"]]
    digits = match["n"].replace(",", "")
    number = Decimal(digits) if digits[0].isdigit() else Decimal(_chinese(digits))
    exponent = number.as_tuple().exponent
    rounded = match["scale"] or (isinstance(exponent, int) and exponent < 0)
    last = Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
    return number * scale, last * scale if rounded else Decimal(0)


def _chinese(text: str) -> int:
    """Numerals below ten thousand.

    >>> _chinese("一百零三"), _chinese("十五"), _chinese("二〇")
    (103, 15, 20)
    """
    if not any(sign in _TENS for sign in text):
        return int("".join(str(_DIGITS[sign]) for sign in text))
    total = digit = 0
    for sign in text:
        if sign in _TENS:
            total += (digit or 1) * _TENS[sign]
            digit = 0
        else:
            digit = _DIGITS[sign]
    return total + digit


def _telling(text: str) -> Iterator[str]:
    """The paragraphs that may hold a claim, folded: most hold none, and folding is slow."""
    prose = _prose()
    for line in text.split("\n"):
        if len(line) <= prose.longest_paragraph and prose.hint.search(line):
            yield _folded(line)


def _folded(line: str) -> str:
    """NFKC without white space, set phrases and full-width commas."""
    text = unicodedata.normalize("NFKC", line.replace("，", _COMMA))
    return _prose().neutral.sub("", "".join(text.split()))


def fee_words(sections: Sequence[Section]) -> FeeWords | None:
    """What section six and the others say of the fee; None where there is no section six."""
    fee = _prose().fee
    six = [section for section in sections if fee["section"].search(_folded(section.heading))]
    lines = [line for section in six for raw in section.text.split("\n") if (line := _folded(raw))]
    if not lines:
        return None
    text = "\n".join(lines)
    named = bool(fee["named"].search(text))
    amounts = list(_fees(text))
    none = named and not any(amounts) and (0 in amounts or bool(fee["none"].search(text)))
    others = [line for each in sections if each not in six for line in _telling(each.text)]
    return FeeWords(
        nothing=not named and all(fee["nothing"].match(line) for line in lines),
        none=none,
        amount=next(_above_zero(others), None),
    )


def _fees(text: str) -> Iterator[Decimal]:
    for match in _prose().fee["amount"].finditer(text):
        yield _amount(match)[0]


def _above_zero(texts: Sequence[str]) -> Iterator[str]:
    prose = _prose()
    for text in texts:
        for sentence in prose.sentence.split(text):
            for match in prose.fee["amount"].finditer(sentence):
                if _amount(match)[0] and not prose.fee["not_amount"].search(sentence):
                    yield match[0].replace(_COMMA, "，")

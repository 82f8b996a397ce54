"""Numbers that belong to a person, found in derived text and covered where the text leaves.

Found are citizens' identity numbers (18 digits with the check character of GB 11643, and the old
15), mobile numbers and bank cards; with spaces, hyphens or full-width digits too. Telephone numbers
of offices (0991-…, 12345) are not personal. What is data stands in personal.toml.

Every digit is covered. The usual 138****5678 leaves ten thousand numbers to try, and of an identity
number with its ends open the check character gives away most of the rest: whoever knows the person
has the number back. Stars in the number's place keep its length, so a reader still sees what stood
there, and places in the text stay where they were.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["identity_number", "mobile_number", "bank_card"]

_FILE = Path(__file__).with_suffix(".toml")

# Fewer digits than these no number of a person has.
_FEWEST = 11
_SAME_LENGTH = str.maketrans(
    {
        **{chr(0xFF10 + digit): str(digit) for digit in range(10)},
        **dict.fromkeys("ＸｘX×", "X"),
        **dict.fromkeys(
            "\u3000\u00a0\u2002\u2003\u2009\t\u200b\u200c\u200d\u2060\ufeff\u00ad", " "
        ),
        **dict.fromkeys("－—–‐‑‒−﹣", "-"),
        **dict.fromkeys("．·•", "."),
        **dict.fromkeys("＋", "+"),
        **dict.fromkeys("（", "("),
        **dict.fromkeys("）", ")"),
        "：": ":",
    }
)
# Cheap, and asked of every text that leaves: are there enough digits close together?
_ENOUGH = re.compile(rf"\d(?:[^\w\n]{{0,3}}\n?\d){{{_FEWEST - 1}}}")
_ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_DOCUMENT = re.compile(r"\.(?:docx?|xlsx?|pptx?|pdf|wps|rtf|zip|rar)\b", re.I)
# Stands for an escaped character of an address: no digit of it belongs to a number after it.
_OTHER = "\ufffc"

_IDENTITY = re.compile(
    r"(?<![0-9A-Za-z])(?<!\d\.)"
    r"\d(?:[ \-\n]{0,3}\d){16}[ \-\n]{0,3}[\dXx]"
    r"(?![0-9A-Za-z])(?!\.\d)"
)
_OLD_IDENTITY = re.compile(
    r"(?<![0-9A-Za-z])(?<!\d[.,\- ])"
    r"\d{6}[ \-]?\d{6}[ \-]?\d{3}"
    r"(?![0-9A-Za-z])(?![.,\- ]\d)"
)
_CARD = re.compile(
    r"(?<![0-9A-Za-z])(?<!\d[.,])"
    r"(?:\d{16,19}|\d{4}(?:[ \-]{1,2}\d{4}){3}(?:[ \-]{1,2}\d{1,3})?|\d{6}[ \-]\d{10,13})"
    r"(?![0-9A-Za-z])(?![.,]\d)"
)
_MOBILE = re.compile(
    r"(?<!\d)(?<!\d[.,])(?P<country>(?:\(\+?86\)|\+86|0086|86)[ \-]{0,2})?"
    r"(?P<number>1[3-9]\d{9}"
    r"|1[3-9]\d[ \-.]\d{4}[ \-.]\d{4}"
    r"|1[3-9]\d[ \-]\d{3}[ \-]\d{5}"
    r"|1[3-9]\d{2}[ \-]\d{3}[ \-]\d{4}"
    r"|1[3-9]\d{5}[ \-]\d{4}"
    r"|1[3-9]\d[ \-]\d{8})"
    r"(?!\d)(?![.,]\d)"
)


class Found(NamedTuple):
    """A person's number: what it is, and from where to where it stands in the text."""

    kind: Kind
    start: int
    end: int


def find(text: str) -> list[Found]:
    """The numbers of persons in a text, in their order, none over another.

    >>> find("联系电话：138 0013 8000，文号〔2023〕12号")
    [Found(kind='mobile_number', start=5, end=18)]
    """
    if len(text) < _FEWEST or not _ENOUGH.search(text):
        return []
    plain = text.translate(_SAME_LENGTH)
    if "%" in plain:
        plain = _ESCAPED.sub(lambda escaped: _OTHER * len(escaped[0]), plain)
    found: list[Found] = []
    for each in (*_identities(plain), *_mobiles(plain), *_cards(plain)):
        if not any(each.start < other.end and other.start < each.end for other in found):
            found.append(each)
    return sorted(found, key=lambda each: each.start)


def masked(text: str) -> str:
    """The text with every digit of a person's number covered, as long as it was.

    >>> masked("联系电话：138-0013-8000")
    '联系电话：***-****-****'
    """
    for each in find(text):
        covered = "".join(
            "*" if character.isdigit() or character.translate(_SAME_LENGTH) in "Xx" else character
            for character in text[each.start : each.end]
        )
        text = text[: each.start] + covered + text[each.end :]
    return text


def _identities(text: str) -> Iterator[Found]:
    for match in _starts(_IDENTITY, text):
        digits = re.sub(r"[ \-\n]", "", match[0]).upper()
        if (
            _is_place(digits)
            and _is_day(digits[6:14])
            and _check_character(digits[:17]) == digits[17]
            and not _is_labelled_otherwise(text, match.start(), "identity")
        ):
            yield Found("identity_number", match.start(), match.end())
    for match in _OLD_IDENTITY.finditer(text):
        digits = re.sub(r"[ \-]", "", match[0])
        if (
            _is_place(digits)
            and _is_day("19" + digits[6:12])
            and not _is_otherwise(text, match.start(), match.end(), "identity")
        ):
            yield Found("identity_number", match.start(), match.end())


def _mobiles(text: str) -> Iterator[Found]:
    for match in _starts(_MOBILE, text):
        start, end = match.start("number"), match.end()
        number = match["number"]
        begins = match.start()
        if not _stands_alone(text, begins, end, spaced=" " in number):
            continue
        if _in_address(text, begins, end):
            continue
        if not _is_otherwise(text, begins, end, "mobile"):
            yield Found("mobile_number", start, end)


def _cards(text: str) -> Iterator[Found]:
    for match in _CARD.finditer(text):
        digits = re.sub(r"[ \-]", "", match[0])
        issuer = _issued(digits)
        if issuer is None or not _luhn(digits) or _in_address(text, match.start(), match.end()):
            continue
        says_so = _says(text, match.start(), _data()["card_words"]["words"])
        if says_so or (
            issuer and not _is_otherwise(text, match.start(), match.end(), "card_words")
        ):
            yield Found("bank_card", match.start(), match.end())


def _starts(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Every match, also those that begin within another: figures before a number may look like it.

    >>> [match[0] for match in _starts(re.compile("aba"), "ababa")]
    ['aba', 'aba']
    """
    at = 0
    while match := pattern.search(text, at):
        yield match
        at = match.start() + 1


def _is_place(digits: str) -> bool:
    rules = _data()["identity"]
    prefecture = int(digits[2:4])
    return digits[:2] in rules["provinces"] and (
        rules["first_prefecture"] <= prefecture <= rules["last_prefecture"]
        or prefecture in rules["other_prefectures"]
    )


def _is_day(digits: str) -> bool:
    """A day on which somebody who is alive may have been born; `YYYYMMDD`."""
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    # A day of grace: it is tomorrow already in China.
    return date(1900, 1, 1) <= day <= datetime.now(UTC).date() + timedelta(days=1)


def _check_character(digits: str) -> str:
    """GB 11643 (ISO 7064, MOD 11-2) of the first seventeen."""
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(digits))
    return "10X98765432"[total % 11]


def _luhn(digits: str) -> bool:
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(digits), 1)]
    total = sum(each - 9 if each > 9 else each for each in doubled)
    return total % 10 == 0


def _issued(digits: str) -> bool | None:
    """Whether the first digits and the length alone tell a card; None where no issuer has them."""
    of = [
        each["sure"]
        for each in _data()["card"]
        if len(digits) in each["lengths"] and digits.startswith(tuple(each["prefixes"]))
    ]
    return any(of) if of else None


def _stands_alone(text: str, start: int, end: int, *, spaced: bool) -> bool:
    """Whether what is around a mobile number leaves it one: no part of a word, an amount, a row of
    figures.
    """
    before, after = text[max(0, start - 12) : start], text[end : end + 3]
    word = re.search(r"[0-9A-Za-z]+$", before)
    if word and not re.fullmatch(rf"(?i)(?:{'|'.join(_data()['mobile']['prefixes'])})", word[0]):
        return False
    if re.match(r"[A-Za-z_]", after) or re.search(r"[0-9A-Za-z][_#]$|[0-9A-Za-z]-$|[_#]$", before):
        return False
    if re.match(r"-[0-9A-Za-z]", after):
        return False
    # A row of figures: `12 138 1234 5678 9`.
    return not (spaced and (re.search(r"\d ?$", before) or re.match(r" ?\d", after)))


def _in_address(text: str, start: int, end: int) -> bool:
    """Within an address, but in the name of a document there: that is text again."""
    if (start and text[start - 1] == _OTHER) or _DOCUMENT.match(text, end):
        return False
    first, last = start, end
    while first and re.match(r"[A-Za-z0-9:/._?=&%#~+@\-\ufffc]", text[first - 1]):
        first -= 1
    while last < len(text) and re.match(r"[A-Za-z0-9:/._?=&%#~+\-\ufffc]", text[last]):
        last += 1
    token = text[first:last]
    if re.search(r"//|www\.|=|\?", token):
        return True
    return "/" in token and re.search(r"[A-Za-z]", token) is not None


def _is_otherwise(text: str, start: int, end: int, kind: str) -> bool:
    """Said to be something else, or an amount by what follows."""
    after = text[end : end + 4].removeprefix(" ")
    if after.startswith(tuple(_data()["not_personal"]["after"])) and not _says(
        text, start, _data()[kind]["words"]
    ):
        return True
    return _is_labelled_otherwise(text, start, kind)


def _is_labelled_otherwise(text: str, start: int, kind: str) -> bool:
    before = re.sub(r"[\s:(\[“\"'为是-]+$", "", text[max(0, start - 16) : start])
    if not before.endswith(tuple(_labels())):
        return False
    return not before.endswith(tuple(_data()[kind]["words"]))


def _says(text: str, start: int, words: list[str]) -> bool:
    """Whether one of the words stands shortly before."""
    before = text[max(0, start - 16) : start]
    return any(word in before for word in words)


@cache
def _labels() -> tuple[str, ...]:
    return tuple(label.translate(_SAME_LENGTH) for label in _data()["not_personal"]["before"])


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text("utf-8"))

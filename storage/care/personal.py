"""Numbers that belong to a person, found in derived text and covered where the text leaves.

Found are citizens' identity numbers (18 digits with the check character of GB 11643, and the old
15), mobile numbers and bank cards; with spaces or hyphens, in digits of any script and in Chinese
numerals (一三九…) too. Telephone numbers of offices (0991-…, 12345) are not personal. What is data
stands in personal.toml.

Every digit is covered. The usual 138****5678 leaves ten thousand numbers to try, and of an identity
number with its ends open the check character gives away most of the rest: whoever knows the person
has the number back. Stars in the number's place keep its length, so a reader still sees what stood
there, and places in the text stay where they were.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["identity_number", "mobile_number", "bank_card"]

_FILE = Path(__file__).with_suffix(".toml")

# Fewer digits than these no number of a person has.
_FEWEST = 11
_NUMERALS = {
    **{numeral: str(value) for value, numeral in enumerate("〇一二三四五六七八九")},
    **{numeral: str(value) for value, numeral in enumerate("零壹贰叁肆伍陆柒捌玖")},
    **{numeral: str(value) for value, numeral in enumerate("⓪①②③④⑤⑥⑦⑧⑨")},
    "○": "0",
    "幺": "1",
}
# Fewer of them in a row are a word, a date or a list.
_NUMERAL_ROW = re.compile(rf"[{''.join(_NUMERALS)}]{{3,}}")
# What nobody sees, between digits as elsewhere: zero-width, joining and direction marks.
_UNSEEN = "\u200b"
_SIGNS = {
    **dict.fromkeys("ＸｘX×", "X"),
    **dict.fromkeys("\t\xa0", " "),
    **dict.fromkeys("\x0b\x0c\x85\u2028\u2029", "\n"),
    **dict.fromkeys("－—–‐‑‒−﹣", "-"),
    **dict.fromkeys("．·•", "."),
    "\r": _UNSEEN,
    "＋": "+",
    "（": "(",
    "）": ")",
    "：": ":",
}


class _Plain(dict[int, str]):
    """Character → the one it stands for, as long; digits of every script, spaces of every width."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if category == "Nd":
            told = str(unicodedata.decimal(character))
        elif category == "Zs":
            told = " "
        elif category in ("Cf", "Mn", "Me"):
            told = _UNSEEN
        else:
            told = character
        self[code] = told
        return told


_PLAIN = _Plain({ord(sign): told for sign, told in _SIGNS.items()})
# Cheap, and asked of every text that leaves: are there enough digits close together?
_DIGIT = rf"[\d{''.join(_NUMERALS)}]"
_ENOUGH = re.compile(rf"{_DIGIT}(?:\W{{0,4}}{_DIGIT}){{{_FEWEST - 1}}}")
_ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_DOCUMENT = re.compile(r"\.(?:docx?|xlsx?|pptx?|pdf|wps|rtf|zip|rar)\b", re.I)
# Stands for an escaped character of an address: no digit of it belongs to a number after it.
_OTHER = "\ufffc"
_ADDRESS = re.compile(rf"[A-Za-z0-9:/._?=&%#~+@\-{_OTHER}]*")
# No address that matters is longer on either side of a number.
_LONGEST = 500

_IDENTITY = re.compile(
    r"(?<![0-9A-Za-z])(?<!\d\.)"
    r"\d(?:[ \-\n]{0,3}\d){16}[ \-\n]{0,3}[\dXx]"
    r"(?![0-9A-Za-z])(?!\.\d)"
)
_OLD_IDENTITY = re.compile(
    r"(?<![0-9A-Za-z])(?<!\d[.\- ])"
    r"\d{6}[ \-]?\d{6}[ \-]?\d{3}"
    r"(?![0-9A-Za-z])(?![.\- ]\d)"
)
_CARD = re.compile(
    r"(?<![0-9A-Za-z])(?<!\d\.)"
    r"(?:\d{16,19}|\d{4}(?:[ \-\n]{1,3}\d{4}){3}(?:[ \-\n]{1,3}\d{1,3})?|\d{6}[ \-]\d{10,13})"
    r"(?![0-9A-Za-z])(?!\.\d)"
)
_MOBILE = re.compile(
    r"(?<!\d)(?<!\d\.)(?P<country>(?:\(\+?86\)|\+86|0086|86)[ \-]{0,2})?"
    r"(?P<number>1[3-9]\d{9}"
    r"|1[3-9]\d(?:[ .]| {0,2}- {0,2})\d{4}(?:[ .]| {0,2}- {0,2})\d{4}"
    r"|1[3-9]\d[ \-]\d{3}[ \-]\d{5}"
    r"|1[3-9]\d{2}[ \-]\d{3}[ \-]\d{4}"
    r"|1[3-9]\d{5}[ \-]\d{4}"
    r"|1[3-9]\d[ \-]\d{8}"
    r"|1-[3-9](?:-\d){9})"
    r"(?!\d)(?!\.\d)"
)
# Where a word before it says what it is: however it was broken, and with the 0 of long distance.
_MOBILE_TOLD = re.compile(
    r"(?:号码|号)?(?:为|是)?[\s:(]{0,4}0?(?P<number>1[ \-./\n]{0,4}[3-9](?:[ \-./\n]{0,4}\d){9})"
    r"(?!\d)(?!\.\d)"
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
    plain = _plain(text)
    places = None
    if _UNSEEN in plain:
        places = [place for place, sign in enumerate(plain) if sign != _UNSEEN]
        plain = plain.replace(_UNSEEN, "")
    every = (*_identities(plain), *_mobiles(plain), *_cards(plain))
    # Of two over each other the one of the kind asked first.
    taken = bytearray(len(plain))
    found: list[Found] = []
    for kind, start, end in every:
        if not any(taken[start:end]):
            taken[start:end] = b"\1" * (end - start)
            found.append(
                Found(kind, places[start], places[end - 1] + 1)
                if places
                else Found(kind, start, end)
            )
    return sorted(found, key=lambda each: each.start)


def masked(text: str) -> str:
    """The text with every digit of a person's number covered, as long as it was.

    >>> masked("联系电话：138-0013-8000")
    '联系电话：***-****-****'
    """
    pieces, at = [], 0
    for _, start, end in find(text):
        plain = _plain(text[start:end])
        covered = (
            "*" if sign.isdigit() or sign == "X" else seen
            for seen, sign in zip(text[start:end], plain, strict=True)
        )
        pieces += [text[at:start], *covered]
        at = end
    return "".join((*pieces, text[at:]))


def _plain(text: str) -> str:
    """The text, as long, with one way to write a digit, a space, a line's end; escapes as signs."""
    plain = _NUMERAL_ROW.sub(lambda row: "".join(_NUMERALS[each] for each in row[0]), text)
    plain = plain.translate(_PLAIN)
    return _ESCAPED.sub(lambda escaped: _OTHER * len(escaped[0]), plain) if "%" in plain else plain


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
    for word in _mobile_words().finditer(text):
        told = _MOBILE_TOLD.match(text, word.end())
        if told and told["number"].count("\n") < 2:
            yield Found("mobile_number", *told.span("number"))
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
        digits = re.sub(r"[ \-\n]", "", match[0])
        issuer = _issued(digits)
        if issuer is None or not _luhn(digits) or _in_address(text, match.start(), match.end()):
            continue
        says_so = _says(text, match.start(), _data()["card_words"]["words"])
        # Unsaid, figures under each other are figures.
        alone = issuer and "\n" not in match[0]
        if says_so or (alone and not _is_otherwise(text, match.start(), match.end(), "card_words")):
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
    if re.match(r"[A-Za-z]|_[0-9A-Za-z]", after) or re.search(r"[0-9A-Za-z][_#-]$|#$", before):
        return False
    if re.match(r"-[0-9A-Za-z]", after):
        return False
    # A row of figures: `12 138 1234 5678 9`.
    return not (spaced and (re.search(r"\d ?$", before) or re.match(r" ?\d", after)))


def _in_address(text: str, start: int, end: int) -> bool:
    """Within an address, but in the name of a document there: that is text again."""
    if (start and text[start - 1] == _OTHER) or _DOCUMENT.match(text, end):
        return False
    if _parameter().search(text, max(0, start - 16), start):
        return False
    before = _ADDRESS.match(text[max(0, start - _LONGEST) : start][::-1])
    after = _ADDRESS.match(text, end, end + _LONGEST)
    token = (before[0][::-1] if before else "") + text[start:end] + (after[0] if after else "")
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
def _mobile_words() -> re.Pattern[str]:
    return re.compile("|".join(_data()["mobile"]["words"]))


@cache
def _parameter() -> re.Pattern[str]:
    """What an address calls a number that it carries: `?phone=`."""
    return re.compile(rf"(?i)[?&;]\w*(?:{'|'.join(_data()['mobile']['prefixes'])})\w*=$")


@cache
def _labels() -> tuple[str, ...]:
    return tuple(label.translate(_PLAIN) for label in _data()["not_personal"]["before"])


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text("utf-8"))

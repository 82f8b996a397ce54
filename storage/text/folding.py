"""Texts and words as the search compares them: folded, and cut into every two characters in a row.

Folded: each character in its common form (NFKC, without case), nothing of spaces and marks nobody
sees. A text is searched line by line; a word is found wherever it stands in a line, also within a
longer one: Chinese does not say where a word ends. A token stands for two characters by their
numbers, so neither database has its own idea of what is a letter.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from operator import add

from storage.errors import BadQuestion

# A change of anything here, or of what is indexed, is a new rule: `archive reindex` follows.
RULE = "1"
# Characters of a word, and words of a question.
LONGEST_WORD, MOST_WORDS = 60, 12

# PostgreSQL forgets where a token stands beyond 16,383 places and 255 times in one row.
_MOST_PLACES, _MOST_TIMES = 12_000, 250
# Ends a line, so that no word is found across two.
END = "z"

_UNSEEN = {"Cc", "Cf", "Cn", "Cs", "Mn", "Me", "Zs", "Zl", "Zp"}
_QUOTED = re.compile(r'["“”「]([^"“”「」]*)["“”」]|([^\s"“”「」]+)')


class _Folds(dict[int, str]):
    def __missing__(self, code: int) -> str:
        told = unicodedata.normalize("NFKC", chr(code)).casefold()
        self[code] = "".join(each for each in told if unicodedata.category(each) not in _UNSEEN)
        return self[code]


_FOLDS = _Folds()


def folded(text: str) -> str:
    """One line as it is compared.

    >>> folded("达坂城区　２０２０年 Report")
    '达坂城区2020年report'
    """
    return text.translate(_FOLDS)


def folded_with_places(text: str) -> tuple[str, list[int]]:
    """The line folded, and of each character of that its place in the line."""
    pieces = [_FOLDS[ord(each)] for each in text]
    places = [place for place, piece in enumerate(pieces) for _ in piece]
    return "".join(pieces), places


def asked_words(asked: str) -> list[str]:
    """The words of a question, folded: apart by spaces, or in quotes. Raises BadQuestion.

    >>> asked_words('达坂 “Open Data” 达坂')
    ['达坂', 'opendata']
    """
    found = (folded(quoted or plain) for quoted, plain in _QUOTED.findall(asked))
    words = list(dict.fromkeys(word for word in found if word))
    if not words:
        raise BadQuestion("no word to search for: give one character or more, e.g. 达坂")
    if len(words) > MOST_WORDS:
        raise BadQuestion(f"{len(words)} words: a search takes {MOST_WORDS} at most")
    for word in words:
        if len(word) > LONGEST_WORD:
            raise BadQuestion(f"{word[:9]}…: a word has {LONGEST_WORD} characters at most")
    return words


class _Numbers(dict[str, str]):
    def __missing__(self, character: str) -> str:
        self[character] = f"{ord(character):x}z"
        return self[character]


# Asked of every character of every text: some ten thousand are in use.
of_one = _Numbers().__getitem__


def phrase(word: str) -> list[str]:
    """The tokens that stand in a row where the word stands."""
    numbers = list(map(of_one, word))
    return list(map(add, numbers, numbers[1:])) if len(numbers) > 1 else numbers


def fts5_text(lines: Iterable[str], also: Iterable[str]) -> str:
    """Folded lines as tokens in their order, then every character once, then other tokens."""
    pieces: list[str] = []
    seen: set[str] = set()
    for line in lines:
        pieces += phrase(line) if len(line) > 1 else []
        pieces.append(END)
        seen.update(line)
    return " ".join((*pieces, *map(of_one, sorted(seen)), *also))


def tsvectors(lines: Iterable[str], also: Iterable[str]) -> Iterator[str]:
    """The same as literals of PostgreSQL, as many as it needs to keep every place."""
    also = tuple(also)
    times: Counter[str] = Counter()
    tokens: dict[str, list[str]] = {}
    seen: set[str] = set()
    place = 0
    for line in _short(lines):
        mine = phrase(line) if len(line) > 1 else []
        here = Counter(mine)
        full = place + len(mine) > _MOST_PLACES or any(
            times[token] + count > _MOST_TIMES for token, count in here.items()
        )
        if full and seen:
            yield _literal(tokens, seen, also)
            times.clear()
            tokens, seen, place = {}, set(), 0
        for token in mine:
            place += 1
            tokens.setdefault(token, []).append(str(place))
        # Between the last of a line and the first of the next lies a place.
        place += 1
        times.update(here)
        seen.update(line)
    yield _literal(tokens, seen, also)


def _short(lines: Iterable[str]) -> Iterator[str]:
    """A long line in parts that share as much as the longest word has."""
    for line in lines:
        yield line[:_MOST_TIMES]
        step = _MOST_TIMES - LONGEST_WORD
        for start in range(step, len(line) - LONGEST_WORD, step):
            yield line[start : start + _MOST_TIMES]


def _literal(tokens: dict[str, list[str]], seen: set[str], also: Iterable[str]) -> str:
    placed = (f"{token}:{','.join(places)}" for token, places in tokens.items())
    return " ".join((*placed, *map(of_one, sorted(seen)), *also))


def fts5_query(words: Iterable[str], also: Iterable[str]) -> str:
    """All of them; a token of `also` that ends in `*` is a beginning."""
    told = [f'"{" ".join(phrase(word))}"' for word in words]
    return " AND ".join((*told, *also))


def tsquery(word: str, also: Iterable[str]) -> str:
    return " & ".join((" <-> ".join(phrase(word)), *(each.replace("*", ":*") for each in also)))

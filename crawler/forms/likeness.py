"""C1: how alike the prose of two reports is, figures, headings and statutory phrases left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cache

from crawler.forms.model import Section
from crawler.forms.relations import relations

_SENTENCE = re.compile(r"[。；;!！?？\n]")
# Between figures, white space and punctuation, which change in a copied text.
_RUN = re.compile(r"[^\W\d_]+")
# Half of each number tells two apart but for one in 65,536, and takes half the room.
_HALF = 0xFFFF


def own_words(sections: Collection[Section]) -> tuple[str, ...]:
    """A report's own words in runs; empty where there are too few of them to compare.

    A sentence does not count where it holds a phrase the law or the notice asks for.
    """
    runs = [
        run
        for section in sections
        for sentence in _SENTENCE.split(section.text)
        if not _statutory().search(sentence)
        for run in _RUN.findall(sentence)
    ]
    return tuple(runs) if sum(map(len, runs)) >= relations().likeness.least else ()


@cache
def _statutory() -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, relations().likeness.statutory)))


def _pieces(runs: Sequence[str]) -> frozenset[str]:
    size = relations().likeness.piece
    text = "".join(runs)
    return frozenset([text[at : at + size] for at in range(len(text) - size + 1)])


def signature(sections: Collection[Section]) -> tuple[int, ...]:
    """A MinHash of the prose: 128 numbers of 16 bits, to be compared with `similar`. Empty where
    there are too few words to compare.
    """
    runs = own_words(sections)
    if not runs:
        return ()
    # Only where prose is signed: the library is not needed to read a report.
    from rensa import RMinHash

    rules = relations().likeness
    made = RMinHash(num_perm=rules.permutations, seed=rules.seed)
    made.update([*_pieces(runs)])
    return tuple(value & _HALF for value in made.digest())


def similar(one: Sequence[int], other: Sequence[int]) -> float:
    """About how much of their pieces two signed reports share: 0 to 1, within 0.1 of the truth."""
    if not one or len(one) != len(other):
        return 0.0
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)


def shared(one: Sequence[str], other: Sequence[str]) -> float:
    """How much of their words two reports share, from `own_words` of both: 0 to 1.

    Runs both hold count whole; only the rest is cut in pieces, which is ten times as slow. Prose
    that shares few runs is not nearly identical, and not looked into further.
    """
    mine, theirs = frozenset(one), frozenset(other)
    common = mine & theirs
    if len(common) < relations().likeness.rough * len(mine | theirs):
        return len(common) / len(mine | theirs)
    rest = [_pieces([run for run in runs if run not in common]) for runs in (one, other)]
    whole = sum(map(len, common))
    return (whole + len(rest[0] & rest[1])) / (whole + len(rest[0] | rest[1]))

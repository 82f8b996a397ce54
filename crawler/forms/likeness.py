"""C1: how alike the prose of two reports is, figures, headings and statutory phrases left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cache

from crawler.forms.model import Section
from crawler.forms.relations import relations

_SENTENCE = re.compile(r"[。；;!！?？\n]")
# Figures, numerals of lists, white space and punctuation: what changes in a copied text.
_LEFT_OUT = re.compile(r"[\W\d_]+")


def pieces(sections: Collection[Section]) -> frozenset[str]:
    """The overlapping pieces of a report's own words; empty where there are too few words.

    A sentence counts once, and not at all where it holds a phrase the law or the notice asks for.
    """
    rules = relations().likeness
    kept = "".join(
        sentence
        for section in sections
        for sentence in _SENTENCE.split(section.text)
        if not _statutory().search(sentence)
    )
    text = _LEFT_OUT.sub("", kept)
    if len(text) < rules.least:
        return frozenset()
    return frozenset([text[at : at + rules.piece] for at in range(len(text) - rules.piece + 1)])


@cache
def _statutory() -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, relations().likeness.statutory)))


def signature(sections: Collection[Section]) -> tuple[int, ...]:
    """A MinHash of the prose: 128 numbers of 32 bits, to be compared with `similar`. Empty where
    there are too few words to compare.
    """
    found = pieces(sections)
    if not found:
        return ()
    # Only where prose is signed: the library is not needed to read a report.
    from rensa import RMinHash

    rules = relations().likeness
    made = RMinHash(num_perm=rules.permutations, seed=rules.seed)
    made.update(sorted(found))
    return tuple(made.digest())


def similar(one: Sequence[int], other: Sequence[int]) -> float:
    """About how much of their pieces two reports share: 0 to 1, within 0.1 of the truth."""
    if not one or len(one) != len(other):
        return 0.0
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)


def shared(one: frozenset[str], other: frozenset[str]) -> float:
    """How much of their pieces two reports share: 0 to 1."""
    return len(one & other) / len(one | other) if one and other else 0.0

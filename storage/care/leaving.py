"""The door: what leaves the archive passes here, without numbers of persons or withdrawn addresses.

Every question in storage.queries is marked with `@leaves`, and so is whatever else answers people
or programs; a test walks them all. The rows and the bytes stay as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import sqlalchemy as sa

from storage.care.personal import Kind, find, masked
from storage.care.withdrawals import withdrawn_addresses, withdrawn_subjects
from storage.readings.facts import ReadingRecord

P = ParamSpec("P")
T = TypeVar("T")

MARK = "__leaves__"
# Texts of one answer that are looked at once, however often they stand in it.
_SHORT, _MOST_TOLD = 200, 5_000
_FIGURES = frozenset((int, float, bool, type(None)))
# What an alert says in words, and what it shows.
_SAYING, _SHOWING = ("message", "message_zh"), ("before", "after", "last_good")


def leaves(
    ask: Callable[Concatenate[sa.Connection, P], T],
) -> Callable[Concatenate[sa.Connection, P], T]:
    """Marks a question: its answer (dicts, lists and texts, or an iterator of them) may leave."""

    @wraps(ask)
    def asked(connection: sa.Connection, /, *args: P.args, **more: P.kwargs) -> T:
        return shown(connection, ask(connection, *args, **more))

    setattr(asked, MARK, True)
    return asked


def shown(connection: sa.Connection, answer: T) -> T:
    """An answer of what is no question of storage.queries, as it may leave."""
    covers = _Covers(withdrawn_addresses(connection), withdrawn_subjects(connection))
    return cast(T, covers.over(answer))


def personal_in(answer: object) -> Counter[Kind]:
    """How many different numbers of persons an answer holds before it leaves, by kind."""
    found = {
        (each.kind, re.sub(r"\W", "", text[each.start : each.end]))
        for text in set(_texts(answer))
        for each in find(text)
    }
    return Counter(kind for kind, _ in sorted(found))


def without_values(reading: ReadingRecord) -> ReadingRecord:
    """A cell or a line whose text is a person's number has no value: it is no figure."""
    return replace(
        reading,
        cells=tuple(
            replace(cell, value=None) if find(cell.raw) else cell for cell in reading.cells
        ),
        indicators=tuple(
            each._replace(value=None) if find(each.raw) else each for each in reading.indicators
        ),
    )


class _Covers:
    """Covers texts, however deep they lie."""

    def __init__(self, withdrawn: Mapping[str, str], subjects: Mapping[str, str]) -> None:
        self._withdrawn = withdrawn
        self._subjects = subjects
        self._told: dict[str, str] = {}
        # Whole addresses: one may be the beginning of another's.
        ends = r"(?![\w/?&=%#-]|\.\w)"
        longest_first = sorted(map(re.escape, withdrawn), key=len, reverse=True)
        self._addresses = re.compile(rf"(?:{'|'.join(longest_first)}){ends}") if withdrawn else None

    def over(self, answer: Any) -> Any:
        # Most of an answer is figures and short words: told by their type alone.
        kind = type(answer)
        if kind is str:
            return self._text(answer)
        if kind in _FIGURES:
            return answer
        if isinstance(answer, str):
            return self._text(answer)
        if isinstance(answer, dict):
            return self._named(answer)
        if isinstance(answer, list):
            return [self.over(each) for each in answer]
        if isinstance(answer, tuple):
            each = (self.over(one) for one in answer)
            return type(answer)(*each) if hasattr(answer, "_fields") else tuple(each)
        if is_dataclass(answer) and not isinstance(answer, type):
            named = {one.name: getattr(answer, one.name) for one in fields(answer)}
            return replace(answer, **self._named(named))
        if isinstance(answer, Iterator):
            return (self.over(each) for each in answer)
        return answer

    def _named(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """What stands at a withdrawn address has no title either; an alert about a withdrawn report
        says only that.
        """
        over = self.over
        told = {
            name: each if type(each) in _FIGURES else over(each) for name, each in answer.items()
        }
        if not self._withdrawn and not self._subjects:
            return told
        stone = self._withdrawn.get(str(answer.get("url")))
        if stone is not None and "title" in told:
            told["title"] = f"({stone})"
        for subject, sentence in self._subjects.items():
            if f"{answer.get('subject')} ".startswith(f"{subject} "):
                told |= {name: sentence for name in _SAYING if name in told}
                told |= {name: None for name in _SHOWING if name in told}
                told["subject"] = subject
        return told

    def _text(self, text: str) -> str:
        # A ledger names one listing's pages as the proof of every cell.
        told = self._told.get(text)
        if told is None:
            told = self._covered(text)
            if len(text) <= _SHORT and len(self._told) < _MOST_TOLD:
                self._told[text] = told
        return told

    def _covered(self, text: str) -> str:
        if self._addresses is not None:
            text = self._addresses.sub(lambda found: f"({self._withdrawn[found[0]]})", text)
        return masked(text)


def _texts(answer: object) -> Iterator[str]:
    left = [answer]
    while left:
        each = left.pop()
        if isinstance(each, str):
            yield each
        elif type(each) in _FIGURES:
            continue
        elif isinstance(each, Mapping):
            left.extend(each.values())
        elif isinstance(each, Iterable):
            left.extend(each)

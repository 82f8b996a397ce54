"""The door: what leaves the archive passes here, without numbers of persons or withdrawn addresses.

Every question in storage.queries is marked with `@leaves`, and so is whatever else answers people
or programs; a test walks them all. The rows and the bytes stay as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import sqlalchemy as sa

from storage.facts import ReadingRecord
from storage.personal import Kind, find, masked
from storage.withdrawals import withdrawn_addresses

P = ParamSpec("P")
T = TypeVar("T")

MARK = "__leaves__"


def leaves(
    ask: Callable[Concatenate[sa.Connection, P], T],
) -> Callable[Concatenate[sa.Connection, P], T]:
    """Marks a question: its answer (dicts, lists and texts, or an iterator of them) may leave."""

    @wraps(ask)
    def asked(connection: sa.Connection, /, *args: P.args, **more: P.kwargs) -> T:
        covers = _Covers(withdrawn_addresses(connection))
        return cast(T, covers.over(ask(connection, *args, **more)))

    setattr(asked, MARK, True)
    return asked


def personal_in(answer: object) -> Counter[Kind]:
    """How many different numbers of persons an answer holds before it leaves, by kind."""
    found = {
        (each.kind, re.sub(r"\W", "", text[each.start : each.end]))
        for text in _texts(answer)
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

    def __init__(self, withdrawn: Mapping[str, str]) -> None:
        self._withdrawn = withdrawn
        # Whole addresses: one may be the beginning of another's.
        ends = r"(?![\w/?&=%#-]|\.\w)"
        longest_first = sorted(map(re.escape, withdrawn), key=len, reverse=True)
        self._addresses = re.compile(rf"(?:{'|'.join(longest_first)}){ends}") if withdrawn else None

    def over(self, answer: Any) -> Any:
        if isinstance(answer, str):
            return self._text(answer)
        if isinstance(answer, dict):
            return {name: self.over(each) for name, each in answer.items()}
        if isinstance(answer, list):
            return [self.over(each) for each in answer]
        if isinstance(answer, tuple):
            return tuple(self.over(each) for each in answer)
        if isinstance(answer, Iterator):
            return (self.over(each) for each in answer)
        return answer

    def _text(self, text: str) -> str:
        if self._addresses is not None:
            text = self._addresses.sub(lambda found: f"({self._withdrawn[found[0]]})", text)
        return masked(text)


def _texts(answer: object) -> Iterator[str]:
    if isinstance(answer, str):
        yield answer
    elif isinstance(answer, Mapping):
        for each in answer.values():
            yield from _texts(each)
    elif isinstance(answer, Iterable):
        for each in answer:
            yield from _texts(each)

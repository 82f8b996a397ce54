"""Two texts compared by character: what was struck out, and what was written instead.

A number or a word in Latin letters is one character here: 2019 became 2020, not 19 became 20. What
two sentences share by chance (的, 年, a comma) is no ground to cut them to pieces, so a stretch
between two edits that is shorter than they are goes with them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias, TypedDict

from fast_diff_match_patch import diff

Op: TypeAlias = Literal["equal", "insert", "delete"]

# Private characters, each for a word; those of a text are words themselves.
_FIRST, _LAST = 0xF0000, 0x10FFFD
_WORD = re.compile(r"[0-9０-９]+(?:[.,．，][0-9０-９]+)*|[A-Za-z]+|[\U000F0000-\U0010FFFF]")
_OPS: dict[str, Op] = {"=": "equal", "+": "insert", "-": "delete"}

# Where two texts have little in common a better answer is not worth a reader's wait.
PATIENCE_S = 1.0
_LEAST_S = 0.02


class Piece(TypedDict):
    """A stretch of text that both have, that only the left has (delete) or the right (insert)."""

    op: Op
    text: str


class Rewording:
    """Compares the texts of one question; together they have `patience` seconds to be exact.

    What is left when these are over is still right, and coarser: whole stretches replaced.
    """

    def __init__(self, patience: float = PATIENCE_S) -> None:
        self._until = time.monotonic() + patience

    def pieces(self, left: str, right: str) -> list[Piece]:
        """In reading order, a deletion before the insertion in its place; no text is empty.

        >>> [each["text"] for each in Rewording().pieces("2019年收到3件", "2019年收到12件")]
        ['2019年收到', '3', '12', '件']
        """
        words = _Words()
        before, after = words.coded(left), words.coded(right)
        patience = max(self._until - time.monotonic(), _LEAST_S)
        found = diff(before, after, timelimit=patience, counts_only=False, cleanup="Semantic")
        told = ((_OPS[sign], text) for sign, text in found)
        return [Piece(op=op, text=words.decoded(text)) for op, text in _joined(told)]


class _Words:
    """Words as single characters, and back."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}
        self._words: dict[int, str] = {}

    def coded(self, text: str) -> str:
        return _WORD.sub(lambda found: self._code(found[0]), text)

    def decoded(self, text: str) -> str:
        return text.translate(self._words)

    def _code(self, word: str) -> str:
        code = self._of.get(word)
        if code is None:
            number = _FIRST + len(self._of)
            if number > _LAST:
                raise ValueError("more different words than a report can hold")
            code = self._of[word] = chr(number)
            self._words[number] = word
        return code


def _joined(found: Iterable[tuple[Op, str]]) -> Iterator[tuple[Op, str]]:
    """Edits next to each other as one deletion and one insertion, and with them what lies between
    two edits and is shorter than each of them.
    """
    runs = _runs(found)
    merged: list[tuple[str, str, bool]] = []
    for before, after, same in runs:
        if (
            not same
            and len(merged) >= 2
            and merged[-1][2]
            and len(merged[-1][0]) < min(_size(merged[-2]), max(len(before), len(after)))
        ):
            between, earlier = merged.pop()[0], merged.pop()
            before, after = earlier[0] + between + before, earlier[1] + between + after
        merged.append((before, after, same))
    for before, after, same in merged:
        if same:
            yield "equal", before
            continue
        if before:
            yield "delete", before
        if after:
            yield "insert", after


def _size(run: tuple[str, str, bool]) -> int:
    return max(len(run[0]), len(run[1]))


def _runs(found: Iterable[tuple[Op, str]]) -> list[tuple[str, str, bool]]:
    """(left, right, whether they are the same), edits and equal stretches taking turns."""
    runs: list[tuple[str, str, bool]] = []
    for op, text in found:
        before, after = (text if op != "insert" else ""), (text if op != "delete" else "")
        same = op == "equal"
        if runs and runs[-1][2] == same:
            earlier = runs.pop()
            before, after = earlier[0] + before, earlier[1] + after
        runs.append((before, after, same))
    return runs

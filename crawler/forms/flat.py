"""Flattened text → claims: tables whose cells stand one after the other, blanks as empty tokens.

A row is certain when exactly as many tokens as the form has columns stand between its label and
the next. Where blanks were lost the table is not recoverable, and that is the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from crawler.forms.claims import Claim, Claims, Spot
from crawler.forms.definition import Table
from crawler.forms.index import Index, Label
from crawler.forms.labels import core, measure, squeeze
from crawler.forms.model import State
from crawler.forms.torn import put_together

_HEADING = re.compile(r"[一二三四五六七八九十]{1,3}、")
_LONGEST_LABEL = 80
_MOST_PIECES = 10  # a label set vertically is a token a letter
_LONGEST_HEAD = 24
_LONGEST_VALUE = 12  # of words in place of a number


@dataclass(frozen=True, slots=True)
class _Row:
    """A label at token `at` and, from `start`, the tokens up to the next label."""

    at: int
    start: int
    label: Label
    values: tuple[str, ...]
    last: bool


def read_tokens(
    tokens: Sequence[str], index: Index, claims: Claims, tables: Iterable[Table]
) -> frozenset[int]:
    """Claim the given tables from the tokens; returns the tokens that belong to tables."""
    reader = _Reader(tokens, index, claims)
    lost: list[str] = []
    for table in tables:
        readable = reader.across(table) if table.across else reader.table(table)
        if not table.across and not claims.is_whole(table):
            torn = put_together(tokens, index, claims, table)
            reader.used |= torn
            readable = readable or bool(torn)
        if not readable:
            lost.append(table.key)
    claims.lost.update(lost)
    if lost:
        cells = tuple(
            f"{key}.{row.key}.{column.key}"
            for key in lost
            for row in index.tables[key].rows
            for column in index.tables[key].columns
        )
        claims.say(
            "not_recoverable",
            cells,
            tables=", ".join(lost),
            titles="、".join(index.tables[key].title for key in lost),
        )
    return frozenset(reader.used)


class _Reader:
    def __init__(self, tokens: Sequence[str], index: Index, claims: Claims) -> None:
        self._tokens = tokens
        self._index = index
        self._claims = claims
        self.used: set[int] = set()
        self._anchors: dict[int, Label | None] = {}
        self._stops: dict[int, int] = {}
        self._find_anchors()
        self._rows = self._find_rows()
        self._exact = self._is_exact()
        # Every form repeats heads and figures. Some flatteners drop a line that stood before, and
        # leave what looks like a blank cell.
        texts = [token for token in tokens if token]
        self._repeats = len({*texts}) < len(texts)

    def _find_anchors(self) -> None:
        """Every label of the form: of a row (Label), or anything else (None). `_stops` says where
        a label ends that is broken over several tokens.

        Column heads such as 其他 are rows only where a row can stand.
        """
        at = 0
        while at < len(self._tokens):
            stop = self._label_end(at)
            text = "".join(self._tokens[at:stop])
            if text:
                label, head = self._index.row(text), self._index.head(text)
                if label and head and head.columns and not _numbered(text):
                    label = None
                self._anchors[at] = label
                self._stops[at] = stop
            at = max(stop, at + 1)

    def _label_end(self, at: int) -> int:
        """The token behind the label that begins here; `at` itself where none begins."""
        text = ""
        for stop in range(at + 1, min(at + _MOST_PIECES, len(self._tokens)) + 1):
            piece = self._tokens[stop - 1]
            if not piece or len(piece) > _LONGEST_LABEL:
                break
            if measure(piece).state is not State.TEXT:
                break
            text += piece
            if self._index.is_label(text) or (stop == at + 1 and _HEADING.match(squeeze(text))):
                return stop
            if len(text) > _LONGEST_LABEL:
                break
        return at

    def _find_rows(self) -> dict[str, list[_Row]]:
        rows: dict[str, list[_Row]] = {}
        for at, stop in pairwise([*self._anchors, len(self._tokens)]):
            label, start = self._anchors[at], self._stops[at]
            if label is None:
                continue
            self.used.update(range(at, start))
            if label.row is not None:
                last = self._anchors.get(stop) is None
                row = _Row(at, start, label, tuple(self._tokens[start:stop]), last)
                rows.setdefault(label.table, []).append(row)
        return rows

    def table(self, table: Table) -> bool:
        """Claim the rows of one table; False when its blanks are lost."""
        rows = self._rows.get(table.key, [])
        if not rows:
            return True
        if not self._repeats:
            return False
        taken = [self._take(row, table.width) for row in rows]
        for row, values in zip(rows, taken, strict=True):
            self.used.update(range(row.start, row.start + len(values or row.values[: table.width])))
        if not self._has_heads(table, rows[0].at):
            self._claims.say("unknown_heads", table=table.key, title=table.title)
            return True
        short = sum(len(row.values) < table.width for row in rows)
        blanks_kept = any(values and not all(values) for values in taken)
        if (short > 1 and not blanks_kept) or short == len(rows):
            return False
        for row, values in zip(rows, taken, strict=True):
            spots = self._spots(table, row.start, values)
            assert row.label.row is not None
            label = "".join(self._tokens[row.at : row.start])
            self._claims.add(Claim(table.key, row.label.row, row.label.rank, spots, label))
            self._unclaimed(row, table.width)
        return True

    def _is_exact(self) -> bool:
        """Does every row that another label follows hold as many values as it should?

        Only then are empty lines behind the last row known to be no cells of it: a text that lost
        its repeated lines shows blanks where values stood.
        """
        return all(
            len(row.values) == width or _begins_with_words(row.values[width:])
            for key, rows in self._rows.items()
            for width in (self._index.tables[key].width,)
            for row in rows
            if not row.last
        )

    def _take(self, row: _Row, width: int) -> tuple[str, ...]:
        """The row's values if they are certain, else nothing."""
        values, rest = row.values[:width], row.values[width:]
        if len(values) < width or any(map(_is_prose, values)):
            return ()
        # A row of the report's own, or prose, begins with words right behind the last value.
        if not rest or _begins_with_words(rest):
            return values
        behind = next((token for token in rest if token), "")
        empty_lines = not rest[0] and (not behind or measure(behind).state is State.TEXT)
        return values if row.last and self._exact and empty_lines else ()

    def _unclaimed(self, row: _Row, width: int) -> None:
        """A row of the report's own: words, then values."""
        rest = row.values[width:]
        if rest and rest[0] and any(_is_value(token) for token in rest[1:]):
            self._claims.say("unclaimed_row", label=rest[0][:40])
            start = row.start + width
            self.used.update(range(start, start + len(rest)))

    def _spots(self, table: Table, start: int, values: tuple[str, ...]) -> dict[str, Spot]:
        return {
            key: Spot(value, (-1, start + i, 0))
            for i, (key, value) in enumerate(zip(table.column_keys, values, strict=False))
        }

    def _has_heads(self, table: Table, first: int) -> bool:
        """Do the tokens before the first row name at least half of the columns, in order?"""
        start = self._head_start(first)
        self.used.update(range(start, first))
        if self._heads_agree(table, start, first):
            return True
        text = "".join(core(token) for token in self._tokens[start:first])
        found: dict[frozenset[str], list[int]] = {}
        named = 0
        for slot in self._index.slots[table.key]:
            places = [text.rfind(label) for label in slot.cores if label in text]
            if places:
                named += 1
                found.setdefault(slot.parents, []).append(max(places))
        in_order = all(places == sorted(places) for places in found.values())
        return in_order and 2 * named >= len(table.columns)

    def _heads_agree(self, table: Table, start: int, first: int) -> bool:
        """Is there one head a column, each itself or what is left of it, one at least whole?"""
        heads = self._units(table, start, first)
        if len(heads) != table.width:
            return False
        key, index = table.key, self._index
        whole = [at for at, head in enumerate(heads) if at in index.positions(key, [head])]
        broken = set(range(table.width)) - set(whole)
        return bool(whole) and all(index.could_be(key, at, [heads[at]]) for at in broken)

    def _units(self, table: Table, start: int, first: int) -> list[str]:
        """The heads of single columns among these tokens; corners and blocks are none."""
        units: list[str] = []
        at = start
        while at < first:
            stop = max(self._stops.get(at, 0), at + 1)
            text = "".join(self._tokens[at:stop])
            head = self._index.head(text)
            if text and (head is None or table.key in head.columns):
                units.append(text)
            at = stop
        return units

    def _head_start(self, first: int) -> int:
        """Back over short words, none of them a row, a heading or a value."""
        at = first
        while at > 0:
            token = self._tokens[at - 1]
            if token and (
                self._anchors.get(at - 1) is not None
                or _HEADING.match(squeeze(token))
                or (len(token) > _LONGEST_HEAD and at - 1 not in self._anchors)
                or measure(token).state is not State.TEXT
            ):
                break
            at -= 1
        while at < first and not self._tokens[at]:
            at += 1
        return at

    def across(self, table: Table) -> bool:
        """Claim the table of blocks beside each other: all its heads, then all its values."""
        heads = self._across_heads(table)
        if heads is None:
            return True
        start, stop, leaves = heads
        end = min((at for at in self._anchors if at >= stop), default=len(self._tokens))
        values = tuple(self._tokens[stop:end])
        self.used.update(range(start, min(end, stop + table.width)))
        expected = [slot.cores for slot in self._index.slots[table.key]]
        if len(leaves) != len(expected) or not self._repeats:
            return False
        if not all(leaf in cores for leaf, cores in zip(leaves, expected, strict=True)):
            self._claims.say("unknown_heads.order", table=table.key, title=table.title)
            return True
        taken = self._take(_Row(start, stop, Label(table.key, None, 0), values, True), table.width)
        if not taken:
            return len(values) >= table.width
        width = len(table.columns)
        for i, row in enumerate(table.rows):
            spots = self._spots(table, stop + i * width, taken[i * width : (i + 1) * width])
            self._claims.add(Claim(table.key, row.key, 0, spots, row.label))
        return True

    def _across_heads(self, table: Table) -> tuple[int, int, list[str]] | None:
        """First and last token of the heads, and the columns' names in their order."""
        parents = self._index.parents[table.key]
        texts = {at: "".join(self._tokens[at:stop]) for at, stop in self._stops.items()}
        start = next((at for at, text in texts.items() if core(text) in parents), None)
        if start is None:
            return None
        leaves: list[str] = []
        at = stop = start
        while at < len(self._tokens):
            text = texts.get(at, self._tokens[at])
            head = self._index.head(text) if text else None
            if head and table.key in head.columns:
                leaves.append(core(text))
            elif text and core(text) not in parents:
                break
            at = self._stops.get(at, at + 1)
            stop = at if text else stop
        return start, stop, leaves


def _numbered(token: str) -> bool:
    return squeeze(token)[:1] in "(123456789一二三四五六七八九十"


def _begins_with_words(tokens: Sequence[str]) -> bool:
    return bool(tokens and tokens[0]) and measure(tokens[0]).state is State.TEXT


def _is_prose(token: str) -> bool:
    return len(token) > _LONGEST_VALUE and measure(token).state is State.TEXT


def _is_value(token: str) -> bool:
    return not token or measure(token).state is not State.TEXT

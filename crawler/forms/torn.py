"""Torn rows → claims: text made from a PDF prints labels and numbers on lines of their own.

Labels and numbers are put together in their order, and only where every row of the table is named
once in the form's order, there are exactly as many numbers as cells, and all relations of the table
hold. Two ways are tried, numbers row by row and column by column; where both hold and differ,
nothing is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from crawler.forms.claims import Claim, Claims, Place, Spot
from crawler.forms.definition import Relation, Table
from crawler.forms.index import Index
from crawler.forms.labels import core, measure
from crawler.forms.model import State

_NUMBERS = frozenset((State.NUMBER, State.ZERO))
_MOST_PIECES = 4  # a label broken over lines, numbers between them
_LONGEST_LABEL = 80
_HEAD_LINES = 16
_FURTHEST = 2000  # tokens a table may reach over

Number = tuple[str, Place]


def put_together(
    tokens: Sequence[str], index: Index, claims: Claims, table: Table
) -> frozenset[int]:
    """Claim a whole table of torn rows; returns its tokens, none where it is not proven."""
    relations = [r for r in index.form.relations if r.table == table.key]
    if not relations:
        return frozenset()
    pieces = list(_pieces(tokens))
    rows = _rows(pieces, index, table)
    if not rows or not _has_heads(tokens[: pieces[rows[0]][1]], index, table):
        return frozenset()
    start, stop = rows[0], min(rows[-1] + _MOST_PIECES, len(pieces))
    numbers = _numbers(pieces, start, stop, len(table.rows) * table.width)
    ways = [numbers, _by_column(pieces, rows, numbers, table.width)] if numbers else []
    held = [way for way in ways if way and _holds(way, table, relations)]
    if not held or len({tuple(measure(raw).value for raw, _ in way) for way in held}) != 1:
        return frozenset()
    torn = [row for row in table.rows if not _is_read(claims, table, row.key)]
    for i, row in enumerate(table.rows):
        line = held[0][i * table.width : (i + 1) * table.width]
        spots = {
            key: Spot(raw, place) for key, (raw, place) in zip(table.column_keys, line, strict=True)
        }
        claims.lines[table.key, row.key] = [Claim(table.key, row.key, 0, spots, row.label)]
    paths = tuple(f"{table.key}.{row.key}.{key}" for row in torn for key in table.column_keys)
    claims.say("put_together", paths, title=table.title, count=str(len(torn)))
    last = max(place[1] for _, place in numbers)
    return frozenset(range(pieces[start][1], last + 1))


Piece = tuple[str, int, tuple[Number, ...]]


def _pieces(tokens: Sequence[str]) -> Iterator[Piece]:
    """Each line as its words, its token, and the numbers that end it."""
    for at, token in enumerate(tokens):
        words = token.split()
        first = len(words)
        while first and measure(words[first - 1]).state in _NUMBERS:
            first -= 1
        numbers = tuple((words[i], (-1, at, i - first)) for i in range(first, len(words)))
        yield "".join(words[:first]), at, numbers


def _rows(pieces: Sequence[Piece], index: Index, table: Table) -> list[int]:
    """The pieces at which the table's rows are named, if each is, once and in order."""
    found: list[int] = []
    keys: list[str] = []
    at = 0
    while at < len(pieces):
        stop, key = _row(pieces, at, index, table)
        if key is not None:
            found.append(at)
            keys.append(key)
        at = stop
    if keys != list(table.row_keys) or found[-1] - found[0] > _FURTHEST:
        return []
    return found


def _row(pieces: Sequence[Piece], at: int, index: Index, table: Table) -> tuple[int, str | None]:
    """The row named at a piece, and the piece behind the label."""
    text = ""
    if not pieces[at][0]:
        return at + 1, None
    for stop in range(at, min(at + _MOST_PIECES, len(pieces))):
        text += pieces[stop][0]
        if len(text) > _LONGEST_LABEL:
            break
        label = index.row(text)
        if label and label.table == table.key and label.row and label.rank < 2:
            return stop + 1, label.row
    return at + 1, None


def _has_heads(before: Sequence[str], index: Index, table: Table) -> bool:
    """Do the lines above the first row name every column, in the form's order?"""
    text = "".join(core(token) for token in before[-_HEAD_LINES:])
    found: dict[frozenset[str], list[int]] = {}
    for slot in index.slots[table.key]:
        place = max(text.rfind(label) for label in slot.cores)
        if place < 0:
            return False
        found.setdefault(slot.parents, []).append(place)
    return all(places == sorted(places) for places in found.values())


def _numbers(pieces: Sequence[Piece], start: int, stop: int, wanted: int) -> list[Number]:
    """All numbers from the first label on, if the table's cells are what they are."""
    found = [number for _, _, numbers in pieces[start:stop] for number in numbers]
    at = stop
    while at < len(pieces) and not pieces[at][0]:
        found += pieces[at][2]
        at += 1
        if len(found) > wanted:
            return []
    return found if len(found) == wanted else []


def _by_column(
    pieces: Sequence[Piece], rows: Sequence[int], numbers: Sequence[Number], width: int
) -> list[Number]:
    """The numbers behind a run of labels read downwards: first those of the first column."""
    order: list[Number] = []
    left = list(numbers)
    run = 0
    for i, at in enumerate(rows):
        run += 1
        end = rows[i + 1] if i + 1 < len(rows) else len(pieces)
        if any(pieces[k][2] for k in range(at, end)):
            block, left = left[: run * width], left[run * width :]
            order += [block[column * run + row] for row in range(run) for column in range(width)]
            run = 0
    return order


def _holds(numbers: Sequence[Number], table: Table, relations: Sequence[Relation]) -> bool:
    """Do all relations of the table hold on these numbers, row by row?"""
    values = [measure(raw).value or Decimal(0) for raw, _ in numbers]
    columns = table.column_keys
    cells = {
        (row, column): values[i * table.width + j]
        for i, row in enumerate(table.row_keys)
        for j, column in enumerate(columns)
    }
    return all(
        _total(cells, relation, relation.sum, line)
        == _total(cells, relation, relation.equals, line)
        for relation in relations
        for line in (columns if relation.each == "column" else table.row_keys)
        if relation.only in (None, line)
    )


def _total(
    cells: dict[tuple[str, str], Decimal], relation: Relation, terms: Sequence[str], line: str
) -> Decimal:
    down = relation.each == "column"
    return sum((cells[(term, line) if down else (line, term)] for term in terms), Decimal(0))


def _is_read(claims: Claims, table: Table, row: str) -> bool:
    found = claims.lines.get((table.key, row), [])
    return len(found) == 1 and len(found[0].spots) == table.width

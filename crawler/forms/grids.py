"""Grids → claims. One rule reads every table: a cell is named by the labels above it and to its
left, by order within its row first, by grid position second.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher

from crawler.documents.model import Grid, GridCell
from crawler.forms.claims import Claim, Claims, Spot
from crawler.forms.definition import Table, common
from crawler.forms.index import Index, Label
from crawler.forms.labels import core, measure, name, squeeze
from crawler.forms.model import Line, Role, State
from crawler.forms.seams import Part, parts
from crawler.forms.spelling import spelt

_SECTION = re.compile(r"第二十条第")
_HEADING = re.compile(r"[一二三四五六七八九十]{1,3}[、.]")
_NOTE = re.compile(r"(?:备注|注释|说明|注)[:1-9]")
_UNIT_OF_MONEY = re.compile(r"[万亿]?元")
_VALUES = frozenset((State.NUMBER, State.ZERO, State.DASH))
_UNNAMED = "\ufffd"  # a letter that the source does not name
# A label this like the expected one, with its number and between its neighbours, is that label.
_ALIKE = 0.75
_SHORTEST = 6


@dataclass(frozen=True, slots=True)
class Heads:
    """The value columns of one table as this grid prints them, left to right. `slots[i]` is the
    position in the form's table, None for a column the form does not have. `grid` is the first part
    of the printed table: the parts share their columns.
    """

    grid: int
    slots: tuple[int | None, ...]
    spans: tuple[tuple[int, int], ...]

    @property
    def right(self) -> int:
        return self.spans[-1][1]


@dataclass(slots=True)
class _Line:
    """A row of a grid that carries a label at its left, or (table None) one nobody knows."""

    number: int
    label: str
    values: list[GridCell]
    found: Label | None = None


@dataclass(slots=True)
class _State:
    """Where the reader stands within one grid."""

    heads: list[int] = field(default_factory=list)  # rows of the head that is in force
    before: list[int] = field(default_factory=list)  # and of the head before it
    in_head: bool = True
    context: str | None = None  # the table of the last line read
    known: dict[str, Heads | None] = field(default_factory=dict)
    lines: list[_Line] = field(default_factory=list)
    unknown: list[_Line] = field(default_factory=list)
    blank: _Line | None = None  # blanks where the values without a label should stand
    used: bool = False

    def new_head(self) -> None:
        self.before = self.heads or self.before
        self.heads, self.known, self.in_head = [], {}, True


def read_grids(grids: Iterable[Grid], index: Index, claims: Claims) -> None:
    """Claim what the grids hold; what nobody claimed becomes a finding, or an unclaimed grid."""
    reader = _Reader(index, claims)
    for part in parts([spelt(grid, index, claims) for grid in grids], index):
        reader.read(part)


class _Reader:
    def __init__(self, index: Index, claims: Claims) -> None:
        self._index = index
        self._claims = claims
        self._carried: dict[str, Heads] = {}  # a table cut in two repeats its head or not
        self._above: list[tuple[GridCell, ...]] = []  # the head that the part above left in force
        self._table = -1
        self._state = _State()
        self._across = next((t for t in index.form.tables if t.across), None)

    def read(self, part: Part) -> None:
        grid, above = part.grid, self._state
        self._above = [self._head_row(r) for r in above.heads] if part.table == self._table else []
        self._grid, self._table, self._columns = grid, part.table, part.columns
        self._claims.joined |= part.joined
        self._tall = [cell for row in grid.rows for cell in row if cell.rowspan > 1]
        self._state = state = _State(heads=list(range(-len(self._above), 0)))
        if self._above:
            state.in_head, state.context = above.in_head, above.context
        for number, row in enumerate(grid.rows):
            self._row(number, row)
        across = self._across
        is_read = any(line.label == across.key for line in state.lines) if across else True
        if across and self._above:
            is_read = is_read or self._claims.has(across.key)  # in a part above
        if across and state.blank and not is_read:
            state.used = True
            self._claim_across(across, state.blank)
        if not state.used:
            if not is_index(grid) and (part.is_last or not state.in_head):
                self._claims.unclaimed.add(grid.ordinal)
            return
        for line in _guess(self._index, state):
            self._claim(line)
            self._claims.say("label_guessed", label=_shown(line))
        for line in state.unknown:
            if not line.found:
                self._claims.say("unclaimed_row", label=_shown(line))

    def _head_row(self, number: int) -> tuple[GridCell, ...]:
        """A row of the head in force; below 0 one of the part above."""
        return self._above[number] if number < 0 else self._grid.rows[number]

    def _row(self, number: int, row: Sequence[GridCell]) -> None:
        state = self._state
        label, text, at = self._label(row)
        role = Role.ROW
        if label and label.row:
            values = self._values(number, row, at)
            line = _Line(number, text, values, label)
            state.used, state.in_head, state.context = True, False, label.table
            state.lines.append(line)
            self._claim(line)
        elif label:
            self._group(number, row, text, at)
        elif self._is_head(row):
            if not state.in_head:
                state.new_head()
            state.heads.append(number)
            role = Role.HEAD
        elif self._is_across(number, row):
            at = len(row) - len(self._across_values(row))
            self._read_across(number, row)
        else:
            role = self._other(number, row)
        self._claims.taken[self._grid.ordinal, number] = Line(role, at)

    def _label(self, row: Sequence[GridCell]) -> tuple[Label | None, str, int]:
        """The row label at the left, its text, and the index of the first cell behind it."""
        found: Label | None = None
        text, at = "", 0
        for i, cell in enumerate(row):
            if not cell.text or cell.text.isspace():
                continue
            label = self._index.row(cell.text)
            if label is None and i + 1 < len(row) and not found:
                label = self._index.row(cell.text + row[i + 1].text)
                i += label is not None
            if label is None:
                break
            found, text, at = label, row[i].text, i + 1
            if label.row:
                break
        # Where merging was lost, the label stands again in each of the cells it reached over.
        while found and found.row and at < len(row) and row[at].text == text:
            at += 1
        return found, text, at

    def _values(self, number: int, row: Sequence[GridCell], at: int) -> list[GridCell]:
        """The cells right of the label, those that reach down from rows above included."""
        values = list(row[at:])
        edge = row[at - 1].column if at else -1
        from_above = [
            cell
            for cell in self._tall
            if cell.row < number < cell.row + cell.rowspan and cell.column > edge
        ]
        return sorted(values + from_above, key=_column) if from_above else values

    def _group(self, number: int, row: Sequence[GridCell], text: str, at: int) -> None:
        """The head of a group of rows: alone, or before a label nobody knows."""
        state = self._state
        state.used, state.in_head = True, False
        rest = [cell for cell in row[at:] if cell.text.strip()]
        if not rest:
            return
        if measure(rest[0].text).state is State.TEXT:
            at, text = row.index(rest[0]) + 1, rest[0].text
        state.unknown.append(_Line(number, text, list(row[at:])))

    def _is_head(self, row: Sequence[GridCell]) -> bool:
        strong = numbers = 0
        for cell in row:
            if not cell.text:
                continue
            if (head := self._index.head(cell.text)) and not head.weak:
                strong += 1
            elif measure(cell.text).state in _VALUES:
                numbers += 1
        return strong > numbers

    def _is_across(self, number: int, row: Sequence[GridCell]) -> bool:
        """Is this the line of values under the heads of the table without row labels?"""
        state = self._state
        if self._across is None or not state.heads:
            return False
        key = self._across.key
        if state.context not in (None, key) and not state.in_head:
            return False
        values = self._across_values(row)
        if not any(cell.text.strip() for cell in values) and len(values) < self._across.width:
            return False
        texts = [c for c in values if measure(c.text).state is State.TEXT]
        plain = len(texts) <= len(values) // 3
        return plain and bool(values) and self._names_blocks(key, number)

    def _names_blocks(self, key: str, number: int) -> bool:
        """Do the heads above name the blocks of this table?"""
        parents = self._index.parents[key]
        above = (cell for r in self._state.heads if r < number for cell in self._head_row(r))
        return any(core(cell.text) in parents for cell in above if cell.text)

    def _across_values(self, row: Sequence[GridCell]) -> list[GridCell]:
        """The line without a label of its own (数量) before the values."""
        values = list(row)
        if values and measure(values[0].text).state is State.TEXT and values[0].column == 0:
            assert self._across is not None
            plain = values[0].text[:1].isdigit() or self._is_under_block(values[0].text)
            if len(values) > self._across.width or not plain:
                return values[1:]
        return values

    def _is_under_block(self, text: str) -> bool:
        """Words in the first column: do they stand under the head of a block, in place of a value,
        and are they no label of the line?
        """
        assert self._across is not None
        parents = self._index.parents[self._across.key]
        first = (cell for r in self._state.heads for cell in self._head_row(r) if not cell.column)
        return any(core(cell.text) in parents for cell in first) and (
            core(text) not in map(core, common().line_labels)
        )

    def _read_across(self, number: int, row: Sequence[GridCell]) -> None:
        assert self._across is not None
        state, table = self._state, self._across
        values = self._values(number, self._across_values(row), 0)
        line = _Line(number, table.key, values)
        if not any(cell.text.strip() for cell in values):
            state.blank = state.blank or line  # or a spacer: decided when all rows are known
            return
        state.used, state.in_head, state.context = True, False, table.key
        state.lines.append(line)
        self._claim_across(table, line)

    def _claim_across(self, table: Table, line: _Line) -> None:
        spots = self._spots(table.key, line)
        slots = self._index.slots[table.key]
        for row_key in table.row_keys:
            of_row = {slots[i].column: s for i, s in spots.items() if slots[i].row == row_key}
            if of_row:
                self._claims.add(Claim(table.key, row_key, 0, of_row, table.key))

    def _other(self, number: int, row: Sequence[GridCell]) -> Role:
        """A row that is neither head nor named: part of a head, a heading, or unclaimed."""
        state = self._state
        filled = [cell for cell in row if cell.text.strip()]
        if not filled or (len(filled) == 1 and _NOTE.match(squeeze(filled[0].text))):
            return Role.NOTE
        numbers = any(measure(cell.text).state in _VALUES for cell in filled)
        if _SECTION.search(squeeze(filled[0].text)) or (
            len(filled) == 1 and _HEADING.match(squeeze(filled[0].text)) and not numbers
        ):
            state.new_head()
            return Role.HEADING
        if state.in_head and not numbers:
            state.heads.append(number)
            return Role.HEAD
        at = 1 if measure(filled[0].text).state is State.TEXT else 0
        label = filled[0].text if at else ""
        state.unknown.append(_Line(number, label, list(row[row.index(filled[0]) + at :])))
        return Role.UNCLAIMED

    def _claim(self, line: _Line) -> None:
        label = line.found
        assert label is not None
        assert label.row is not None
        slots = self._index.slots[label.table]
        spots = {slots[i].column: s for i, s in self._spots(label.table, line).items()}
        self._claims.add(Claim(label.table, label.row, label.rank, spots, line.label))

    def _spots(self, table: str, line: _Line) -> dict[int, Spot]:
        """The line's values by position in the form's table. Whatever is in doubt is not there."""
        heads = self._heads(table, line.number)
        if heads is None or not line.values:
            return {}
        where = self._columns
        ordinal = self._grid.ordinal
        if heads.slots == (0,):
            again = line.values[1:]
            line = replace(line, values=_said_once(line.values, heads.spans[0]))
            if len(line.values) == 1:
                places = {(ordinal, c.row, where.get(c.column, c.column)) for c in again}
                self._claims.joined |= places
        if len(line.values) == len(heads.slots) and None not in heads.slots:
            return {
                slot: Spot(
                    cell.text,
                    (ordinal, cell.row, where.get(cell.column, cell.column)),
                    cell.rowspan == 1 and _UNNAMED not in cell.text,
                    cell.confidence,
                )
                for slot, cell in zip(heads.slots, line.values, strict=True)
                if slot is not None
            }
        ordered = self._by_order(heads, line)
        pairs = ordered or list(self._by_position(heads, line))
        # A value without a column is an extra column's, unless a column of the form lost its head:
        # then every value of the line may belong one column further on.
        whole = set(range(len(self._index.slots[table]))) <= set(heads.slots)
        homeless = any(slot is None and (cell.text.strip() or ordered) for slot, cell, _ in pairs)
        shifted = homeless and not (ordered and whole)
        spots: dict[int, Spot] = {}
        for slot, cell, certain in pairs:
            certain = certain and cell.rowspan == 1 and not shifted and _UNNAMED not in cell.text
            if slot is not None:
                place = (ordinal, cell.row, where.get(cell.column, cell.column))
                spots[slot] = Spot(cell.text, place, certain, cell.confidence)
            elif cell.text.strip() and cell.row == line.number:
                self._claims.say("unclaimed_cell", text=cell.text, label=_shown(line))
        return spots

    def _by_order(self, heads: Heads, line: _Line) -> list[tuple[int | None, GridCell, bool]]:
        if len(line.values) != len(heads.slots):
            return []
        return [(slot, cell, True) for slot, cell in zip(heads.slots, line.values, strict=True)]

    def _by_position(
        self, heads: Heads, line: _Line
    ) -> Iterator[tuple[int | None, GridCell, bool]]:
        last = line.values[-1]
        if heads.grid != self._table or last.column + last.colspan != heads.right:
            return
        starts = {start for start, _ in heads.spans}
        if any(c.column not in starts and c.text.strip() for c in line.values):
            return
        for cell in line.values:
            end = cell.column + cell.colspan
            for slot, (start, stop) in zip(heads.slots, heads.spans, strict=True):
                if start < end and cell.column < stop:
                    yield slot, cell, (cell.column, end) == (start, stop)

    def _heads(self, table: str, number: int) -> Heads | None:
        """The heads in force for a table: its own, those above an earlier part of this grid, or
        those of the grid it continues.
        """
        known = self._state.known
        if table not in known:
            state = self._state
            known[table] = (
                self._name_heads(table, [r for r in state.heads if r < number])
                or self._name_heads(table, state.before)
                or self._carried.get(table)
            )
            if found := known[table]:
                self._carried[table] = found
        return known[table]

    def _name_heads(self, table: str, rows: list[int]) -> Heads | None:
        columns = _stacks([self._head_row(r) for r in rows])
        width = len(self._index.slots[table])
        while columns and self._is_corner(table, columns, width):
            columns.pop(0)
        if not columns:
            return None
        if width == 1:
            columns = _of_one_head(columns)
        slots = self._in_order(table, columns, width) or self._by_name(table, columns)
        if all(slot is None for slot in slots):
            return None
        for slot, column in zip(slots, columns, strict=True):
            if slot is None and column.texts and len(columns) > width:
                title = self._index.tables[table].title
                label = column.texts[-1]
                self._claims.say("unclaimed_column", label=label, table=table, title=title)
            if slot is not None and column.texts:
                self._check_unit(table, slot, column.texts[-1])
        self._say_missing_blocks(table, columns)
        order = [slot for slot in slots if slot is not None]
        if order != sorted(order):
            title = self._index.tables[table].title
            self._claims.say("other_order.columns", table=table, title=title)
        return Heads(self._table, slots, tuple((c.start, c.stop) for c in columns))

    def _say_missing_blocks(self, table: str, columns: list[_Column]) -> None:
        """Blocks beside each other whose own head no column bears are known by their order only."""
        if self._across is None or self._across.key != table:
            return
        printed = {core(text) for column in columns for text in column.texts}
        for row in self._across.rows:
            if not printed & {core(label) for label in (row.label, *row.variants)}:
                self._claims.say("unknown_heads.block", label=row.label, title=self._across.title)

    def _check_unit(self, table: str, slot: int, head: str) -> None:
        """Say when the head names another unit than the form; the numbers stay as published."""
        unit = self._index.slots[table][slot].unit
        found = _UNIT_OF_MONEY.search(squeeze(head))
        if unit and found and found[0] != unit:
            self._claims.say("foreign_unit", text=head, unit=unit)

    def _is_corner(self, table: str, columns: list[_Column], width: int) -> bool:
        """Does the leftmost column stand above the labels?"""
        texts = columns[0].texts
        if self._index.positions(table, texts):
            return False
        head = self._index.head(texts[-1]) if texts else None
        corner = head is not None and not head.columns
        return corner or len(columns) > width

    def _in_order(self, table: str, columns: list[_Column], width: int) -> tuple[int | None, ...]:
        """The form's own order, if every head agrees with it and at least one says so plainly."""
        if len(columns) < width:
            return ()
        # Heads that stand again further on are another year's or another organ's: whose come first?
        if any(self._index.positions(table, column.texts) for column in columns[width:]):
            return ()
        plain = 0
        for position, column in enumerate(columns[:width]):
            if position in self._index.positions(table, column.texts):
                plain += 1
            elif not self._index.could_be(table, position, column.texts):
                return ()
        if not plain:
            return ()
        return (*range(width), *[None] * (len(columns) - width))

    def _by_name(self, table: str, columns: list[_Column]) -> tuple[int | None, ...]:
        """Columns in another order: each by its own name, a name that is not unique is none."""
        found = [self._index.positions(table, column.texts) for column in columns]
        if not self._index.tables[table].across:
            self._drop_orphans(table, columns, found)
        single = [places[0] if len(places) == 1 else None for places in found]
        return tuple(slot if single.count(slot) == 1 else None for slot in single)

    def _drop_orphans(
        self, table: str, columns: list[_Column], found: list[tuple[int, ...]]
    ) -> None:
        """Where the head prints the groups of its columns, a column outside its group is where
        the head is out of joint: its values may be its neighbour's.
        """
        printed = [set(map(core, column.texts)) for column in columns]
        groups = self._index.parents[table] & set().union(*printed)
        for at, places in enumerate(found):
            wanted = {parent for i in places for parent in self._index.slots[table][i].parents}
            if wanted & groups and not wanted & printed[at]:
                found[at] = ()


@dataclass(slots=True)
class _Column:
    """One column of a head: its grid columns and the texts above each other, uppermost first."""

    start: int
    stop: int
    texts: list[str]


def _stacks(rows: list[tuple[GridCell, ...]]) -> list[_Column]:
    """Head cells → columns. An empty cell under a text stands in place of a rowspan."""
    stacks: dict[int, list[GridCell]] = {}
    for row in rows:
        for cell in row:
            for column in range(cell.column, cell.column + cell.colspan):
                stacks.setdefault(column, []).append(cell)
    columns: list[_Column] = []
    previous: GridCell | None = None
    for column in sorted(stacks):
        filled = [cell for cell in stacks[column] if cell.text.strip()]
        lowest = filled[-1] if filled else stacks[column][-1]
        if lowest is previous:
            columns[-1].stop = column + 1
        else:
            columns.append(_Column(column, column + 1, [cell.text for cell in filled]))
        previous = lowest
    return columns


def _of_one_head(columns: list[_Column]) -> list[_Column]:
    """A single column whose head and values stand again in each place merging had reached over."""
    texts = columns[0].texts
    if not texts or any(column.texts != texts for column in columns):
        return columns
    return [replace(columns[0], stop=columns[-1].stop)]


def _said_once(values: list[GridCell], span: tuple[int, int]) -> list[GridCell]:
    """Its values: where all that stand under the head say the same, that is one figure."""
    first, last = values[0], values[-1]
    end = last.column + last.colspan
    alike = all((cell.text, cell.row) == (first.text, first.row) for cell in values)
    if not alike or first.column < span[0] or end > span[1]:
        return values
    return [first._replace(colspan=end - first.column)]


def _guess(index: Index, state: _State) -> list[_Line]:
    """Lines whose label is misspelt: the form's number, a like wording, the right neighbours."""
    guessed: list[_Line] = []
    for line in state.unknown:
        above = max((k for k in state.lines if k.number < line.number), key=_number, default=None)
        below = min((k for k in state.lines if k.number > line.number), key=_number, default=None)
        label = (above and above.found) or (below and below.found)
        if not label or not name(line.label).ordinal:
            continue
        table = index.tables[label.table]
        between = _between(table, above, below)
        alike = [row for row in between if _is_alike(line.label, table.row(row).label)]
        if len(alike) == 1:
            line.found = Label(table.key, alike[0], 3)
            guessed.append(line)
    return guessed


def _between(table: Table, above: _Line | None, below: _Line | None) -> tuple[str, ...]:
    """The form's rows between two lines that were read."""
    keys = table.row_keys
    start, stop = 0, len(keys)
    if above and above.found and above.found.table == table.key and above.found.row:
        start = keys.index(above.found.row) + 1
    if below and below.found and below.found.table == table.key and below.found.row:
        stop = keys.index(below.found.row)
    return keys[start:stop]


def _is_alike(text: str, label: str) -> bool:
    """A slip of the pen: letters of a long label lost or changed, next to nothing added."""
    have, want = name(text), name(label)
    if have.ordinal != want.ordinal or len(want.core) < _SHORTEST:
        return False
    kept = sum(
        block.size for block in SequenceMatcher(None, have.core, want.core).get_matching_blocks()
    )
    return kept >= _ALIKE * len(want.core) and len(have.core) - kept <= 1


def is_index(grid: Grid) -> bool:
    """The head table of a portal page (索引号, 发布日期): no part of the report."""
    known = common().index_labels
    texts = {name(c.text).head for row in grid.rows for c in row if 0 < len(c.text) <= 30}
    return len(texts & known) >= 2


def _shown(line: _Line) -> str:
    return "".join(line.label.split())[:40] or "(no label)"


def _column(cell: GridCell) -> int:
    return cell.column


def _number(line: _Line) -> int:
    return line.number

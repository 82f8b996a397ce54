"""Which label means what: a form's rows, groups and column heads, looked up by their words."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

from crawler.forms.definition import Form, Row, Table
from crawler.forms.labels import core, is_part, name


@dataclass(frozen=True, slots=True)
class Label:
    """What a label means. `row` is None for the head of a group of rows. `rank` grades the match:
    0 with its own ordinal, 1 without, 2 by its first words only.
    """

    table: str
    row: str | None
    rank: int


@dataclass(frozen=True, slots=True)
class Head:
    """A column head: the positions it may stand at, by table, and the tables it is a corner of."""

    columns: dict[str, tuple[int, ...]]
    marks: frozenset[str]
    weak: bool


@dataclass(frozen=True, slots=True)
class Slot:
    """One value column of a table as printed. `row` is set where rows stand beside each other."""

    row: str | None
    column: str
    cores: tuple[str, ...]
    parents: frozenset[str]
    unit: str | None = None


class Index:
    """All labels of one form. Build it through `index_of`, which keeps one a form."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.tables = {table.key: table for table in form.tables}
        self.slots = {table.key: _slots(table) for table in form.tables}
        self.parents = {table.key: _parents(table) for table in form.tables}
        self._rows: dict[str, list[tuple[str, Row, str]]] = defaultdict(list)
        self._groups: dict[str, str] = {}
        self._heads: dict[str, Head] = {}
        for table in form.tables:
            if not table.across:
                self._add_rows(table)
        self._add_heads()
        self.is_head = lru_cache(maxsize=4096)(self._is_head)
        self.row = lru_cache(maxsize=4096)(self._row)
        self.head = lru_cache(maxsize=4096)(self._head)

    def _add_rows(self, table: Table) -> None:
        for group in table.groups:
            self._groups[core(group)] = table.key
        for row in table.rows:
            ordinal = name(row.label).ordinal
            for label in (row.label, *row.variants):
                self._rows[core(label)].append((table.key, row, ordinal))

    def _add_heads(self) -> None:
        columns: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        marks: dict[str, set[str]] = defaultdict(set)
        for key, slots in self.slots.items():
            for position, slot in enumerate(slots):
                for label in slot.cores:
                    columns[label][key].append(position)
            for label in (*map(core, self.tables[key].corner), *self.parents[key]):
                marks[label].add(key)
        for label in {*columns, *marks}:
            places = {key: tuple(found) for key, found in columns[label].items()}
            # 其他 and 总计 are rows as well: alone they do not make a line a head.
            weak = label not in marks and (len(label) <= 2)
            self._heads[label] = Head(places, frozenset(marks[label]), weak)

    def _row(self, text: str) -> Label | None:
        """The row or group a cell at the left names, or None."""
        named = name(text)
        for rank, words in ((1, named.core), (2, named.head)):
            if words in self._rows:
                for table, row, ordinal in self._rows[words]:
                    if named.ordinal == ordinal:
                        return Label(table, row.key, rank - 1 if rank == 1 else rank)
                    if not (row.ordinal and named.ordinal):
                        return Label(table, row.key, rank)
            if words in self._groups:
                return Label(self._groups[words], None, rank)
        return None

    def _head(self, text: str) -> Head | None:
        """What a text means in the head of a table, or None."""
        named = name(text)
        return self._heads.get(named.core) or self._heads.get(named.head)

    def words(self) -> frozenset[str]:
        """The words of every label, folded."""
        return frozenset({*self._rows, *self._groups, *self._heads})

    def _is_head(self, text: str) -> bool:
        """Is this a label, or what may be left of one: 本年减 of 本年增/减?"""
        if self.row(text) or self.head(text):
            return True
        words = core(text)
        return any(is_part(words, label) for label in self._heads)

    def is_label(self, text: str) -> bool:
        return self.row(text) is not None or self.head(text) is not None

    def positions(self, table: str, texts: list[str]) -> tuple[int, ...]:
        """Where a column may stand whose head is the stack `texts`, uppermost first: the lowest
        text decides, or the lowest two or three read as one (本年新 over 制作数量).
        """
        for depth in range(1, len(texts) + 1):
            head = self.head("".join(texts[-depth:]))
            found = head.columns.get(table, ()) if head else ()
            if found:
                return self._below(table, found, texts)
        return ()

    def _below(self, table: str, found: tuple[int, ...], texts: list[str]) -> tuple[int, ...]:
        """Of several columns of one name, those under the blocks named above them."""
        above = {core(text) for text in texts} & self.parents[table]
        slots = self.slots[table]
        return tuple(i for i in found if above <= slots[i].parents)

    def could_be(self, table: str, position: int, texts: list[str]) -> bool:
        """May a broken or empty head stand at this position?"""
        slot = self.slots[table][position]
        above = {core(text) for text in texts}
        if above & self.parents[table] - slot.parents:
            return False
        lowest = core(texts[-1]) if texts else ""
        return lowest in slot.parents or any(is_part(lowest, label) for label in slot.cores)


def _slots(table: Table) -> tuple[Slot, ...]:
    if not table.across:
        return tuple(
            Slot(
                None,
                column.key,
                tuple(map(core, (column.label, *column.variants))),
                frozenset([core(column.under)] if column.under else ()),
                column.unit,
            )
            for column in table.columns
        )
    return tuple(
        Slot(
            row.key,
            column.key,
            tuple(map(core, (column.label, *column.variants))),
            _blocks(row),
        )
        for row in table.rows
        for column in table.columns
    )


def _blocks(row: Row) -> frozenset[str]:
    """The heads above a block of columns."""
    return frozenset(map(core, filter(None, (row.label, *row.variants, row.under))))


def _parents(table: Table) -> frozenset[str]:
    """Heads that stand above other heads."""
    if table.across:
        return frozenset().union(*map(_blocks, table.rows))
    return frozenset(core(column.under) for column in table.columns if column.under)


@lru_cache(maxsize=16)
def index_of(form: Form) -> Index:
    return Index(form)

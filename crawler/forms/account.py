"""Where every visible character of a document went: nothing of a report is left out in silence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

from crawler.documents.model import Document, Grid, GridCell
from crawler.forms.definition import forms
from crawler.forms.grids import is_index
from crawler.forms.index import index_of
from crawler.forms.labels import squeeze
from crawler.forms.model import Line, Reading, Role, State

Kind: TypeAlias = Literal[
    "title", "heading", "text", "cell", "label", "ignored", "finding", "unaccounted"
]

# A row some of whose values were not read is told of by one of these.
_OF_ROWS = ("unread", "duplicate_row", "duplicate_table", "unclaimed_row", "unknown_heads")
_OF_HEADS = ("unclaimed_column", "unaccounted", "label_guessed")
_OF_TEXT = (*_OF_ROWS, "not_recoverable", "put_together")
# Further in, words of a finding are cut.
_QUOTED = 40


class Account(NamedTuple):
    """One piece of visible text, and what became of it.

    `place` is (block, row, column) in the document, or (token, 0, 0) in flattened text whose tables
    were read. `what` is the path of a cell, the reason why text was ignored, the rule of the
    finding that tells of it, else empty.
    """

    kind: Kind
    text: str
    place: tuple[int, int, int]
    what: str = ""


def account(document: Document, reading: Reading) -> tuple[Account, ...]:
    """Every visible piece of the document in its order; pieces without a character are left out."""
    return tuple([one for one in _pieces(document, reading) if squeeze(one.text)])


def is_plain(reading: Reading) -> bool:
    """Without a finding: is every value beside a label a cell, and every head one of the form's?

    Cheap, and never true where `account` would find something unaccounted.
    """
    if reading.findings or reading.used:
        return False
    printed = 0
    grids = {grid.ordinal: grid for grid in reading.grids}
    for (ordinal, number), line in reading.lines.items():
        row = grids[ordinal].rows[number]
        if line.role is Role.ROW:
            printed += len([1 for cell in row[line.labels :] if cell.text])
        strange = line.role is Role.HEAD and not all(_is_head(c.text) for c in row if c.text)
        if strange or line.role is Role.UNCLAIMED:
            return False
    return printed == len([1 for cell in reading.cells if cell.raw])


def _pieces(document: Document, reading: Reading) -> Iterator[Account]:
    seen = _Seen(reading)
    if reading.used:
        for at, token in enumerate(document.tokens):
            yield seen.token(at, token) if at in reading.used else seen.line(token, (at, 0, 0))
    for number, block in enumerate(document.blocks):
        if block.grid is not None:
            yield from seen.grid(number, block.grid)
        elif not reading.used:
            for line, text in enumerate(block.text.split("\n")):
                yield seen.line(text, (number, line, 0))


class _Seen:
    """A reading, looked up by what stands where."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._title = squeeze(reading.body_title or "")
        self._headings = Counter(squeeze(section.heading) for section in reading.sections)
        self._lines = Counter(
            squeeze(line) for section in reading.sections for line in section.text.split("\n")
        )
        self._facts: dict[str, set[str]] = defaultdict(set)
        for finding in reading.findings:
            self._facts[finding.rule].update(
                [squeeze(fact)[:_QUOTED] for fact in finding.facts.values()]
            )
        self._read = {
            cell.place: (cell.path, cell.state) for cell in reading.cells if cell.place is not None
        }
        for one in reading.indicators:
            if one.place is not None:
                self._read[one.place] = (one.key or one.label, one.state)

    def line(self, text: str, place: tuple[int, int, int]) -> Account:
        """A line of prose is what its section keeps."""
        folded = squeeze(text)
        if self._headings[folded]:
            self._headings[folded] -= 1
            return Account("heading", text, place)
        if self._lines[folded]:
            self._lines[folded] -= 1
            return Account("title" if folded == self._title else "text", text, place)
        # A title may be broken over two lines, and a heading set before the title's second.
        if folded and folded in self._title:
            return Account("title", text, place)
        return self._told(text, place, ("unaccounted",))

    def token(self, at: int, text: str) -> Account:
        """A token of a table in flattened text."""
        place = (at, 0, 0)
        if (found := self._cell((-1, at, 0), text, place)) is not None:
            first = found
            rest = [self._read[-1, at, i][0] for i in range(1, 9) if (-1, at, i) in self._read]
            return first._replace(what=" ".join((first.what, *rest)))
        if _is_head(text) or self._is_indicator:
            return Account("label", text, place)
        return self._told(text, place, _OF_TEXT)

    def grid(self, number: int, grid: Grid) -> Iterator[Account]:
        """The cells of one grid, merged ones once."""
        unclaimed = grid.ordinal in self._reading.unclaimed
        index = not unclaimed and is_index(grid)
        for row_number, row in enumerate(grid.rows):
            line = self._reading.lines.get((grid.ordinal, row_number))
            for at, cell in enumerate(row):
                place = (number, cell.row, cell.column)
                if unclaimed:
                    yield self._told(cell.text, place, ("unclaimed_table",))
                elif index or line is None:
                    yield Account("ignored", cell.text, place, "index table")
                else:
                    yield self._grid_cell(grid.ordinal, cell, at, line, place)

    def _grid_cell(
        self, ordinal: int, cell: GridCell, at: int, line: Line, place: tuple[int, int, int]
    ) -> Account:
        found = self._cell((ordinal, cell.row, cell.column), cell.text, place)
        if found is not None:
            return found
        if (ordinal, cell.row, cell.column) in self._reading.joined:
            return Account("ignored", cell.text, place, "joined to another cell")
        if line.role is Role.HEADING:
            return Account("heading", cell.text, place)
        if line.role is Role.NOTE:
            return Account("ignored", cell.text, place, "note in a table")
        known = line.role is Role.HEAD and (_is_head(cell.text) or self._is_indicator)
        if known or (line.role is Role.ROW and at < line.labels):
            return Account("label", cell.text, place)
        if line.role is Role.HEAD:
            return self._told(cell.text, place, _OF_HEADS, quoted=True)
        if line.role is Role.UNCLAIMED:
            return self._told(cell.text, place, ("unclaimed_row", "label_guessed", "unread"))
        quoted = self._told(cell.text, place, ("unclaimed_cell",), quoted=True)
        return quoted if quoted.kind == "finding" else self._told(cell.text, place, _OF_ROWS)

    def _cell(
        self, spot: tuple[int, int, int], text: str, place: tuple[int, int, int]
    ) -> Account | None:
        if spot not in self._read:
            return None
        path, state = self._read[spot]
        return Account("finding" if state is State.UNREAD else "cell", text, place, path)

    @property
    def _is_indicator(self) -> bool:
        return bool(self._reading.indicators)

    def _told(
        self, text: str, place: tuple[int, int, int], rules: tuple[str, ...], quoted: bool = False
    ) -> Account:
        """Covered by a finding of one of these rules; one that quotes the text, where asked."""
        wanted = squeeze(text)[:_QUOTED]
        for rule in rules:
            if rule in self._facts and (not quoted or wanted in self._facts[rule]):
                return Account("finding", text, place, rule)
        return Account("unaccounted", text, place)


@lru_cache(maxsize=4096)
def _is_head(text: str) -> bool:
    return any(index_of(form).is_head(text) for form in forms().values())

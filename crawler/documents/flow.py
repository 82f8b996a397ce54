"""Paragraphs, cells and rows, one after the other as word processors write them → blocks and grids.

Such files hold no columns: every row says for itself where its cells end, and which of them go on
with a neighbour. Edges that nearly meet are one column's, as they are to the eye.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from crawler.documents.model import Block, Document, Grid, GridCell, Remark
from crawler.documents.text import tokens
from crawler.errors import Unreadable

# Twips (1/1440 inch): 1.4 mm. Two edges of one row are never the same column's.
_NEAR = 80
# Bounds against hostile files; the longest report has some 1,000 cells, in tables two deep and of
# twenty columns.
_MOST_CELLS = 50_000
_MOST_COLUMNS = 128
_DEEPEST = 16


Down = Literal["", "first", "more"]


class Rule(NamedTuple):
    """Where a cell stands in its row, in twips, and whether it is one with its neighbours.

    `beside`: it goes on with the cell to its left; `column`: it is the first of a merged column,
    or one more of it, whose own text is not shown.
    """

    left: int
    right: int
    beside: bool = False
    column: Down = ""


class _Row(NamedTuple):
    cells: list[_Content]
    rules: Sequence[Rule] | None


class _Table:
    def __init__(self) -> None:
        self.rows: list[_Row] = []
        self.cells: list[_Content] = []  # of the row that is being written
        self.content: _Content = []  # of the cell that is being written


_Content = list[str | _Table]


class Flow:
    """Told of a text piece by piece; `depth` is 0 outside tables, 1 in a table, 2 in one of its
    cells' tables. Raises Unreadable for more cells than any report has.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._blocks: list[Block] = []
        self._lines: list[str] = []
        self._open: list[_Table] = []
        self._remarks: list[Remark] = []
        self._cells = 0
        self._grids = 0

    def paragraph(self, text: str, depth: int = 0, heading: bool = False) -> None:
        """A paragraph ends here."""
        self._at(depth)
        if self._open:
            self._open[-1].content.append(text)
        else:
            self._say(text, heading)

    def end_cell(self, depth: int) -> None:
        """The paragraphs since the last cell are one cell."""
        self._at(max(depth, 1))
        table = self._open[-1]
        table.cells.append(table.content)
        table.content = []
        self._cells += 1
        if self._cells > _MOST_CELLS:
            raise Unreadable("bomb", kind=self._kind, limit=f"{_MOST_CELLS:,} cells")

    def end_row(self, rules: Sequence[Rule] | None, depth: int, shown: bool = True) -> None:
        """The cells since the last row are one row; `rules` is None where it does not say how."""
        self._at(max(depth, 1))
        table = self._open[-1]
        if shown and table.cells:
            table.rows.append(_Row(table.cells, rules))
        table.cells, table.content = [], []

    def document(self, pictures: int) -> Document:
        """What was told, and how many pictures stand in it."""
        self._at(0)
        if pictures:
            self._remarks.append(Remark("pictures", {"count": str(pictures)}))
        flat = tokens("\n".join(self._lines))
        return Document(self._kind, tuple(self._blocks), flat, remarks=tuple(self._remarks))

    def _at(self, depth: int) -> None:
        """Close the tables deeper than this, open those that are missing."""
        while len(self._open) > depth:
            table = self._open.pop()
            if table.content:
                table.cells.append(table.content)
            if table.cells:
                table.rows.append(_Row(table.cells, None))
            if self._open:
                self._open[-1].content.append(table)
            else:
                self._close(table)
        while len(self._open) < min(depth, _DEEPEST):
            self._open.append(_Table())

    def _close(self, table: _Table) -> None:
        """A table around other tables, or of one cell, is layout, as in a page."""
        contents = [content for row in table.rows for content in row.cells]
        outer = any(isinstance(item, _Table) for content in contents for item in content)
        grid = None if outer else _grid(table.rows)
        if grid is None or sum(map(len, grid)) < 2:
            for item in (item for content in contents for item in content):
                if isinstance(item, _Table):
                    self._close(item)
                else:
                    self._say(item)
            if grid is None and not outer:
                # Its texts are kept in their order; which column each stands in is not known.
                self._remarks.append(Remark("columns_lost", {"table": str(self._grids + 1)}))
                self._grids += 1
            return
        self._blocks.append(Block("table", grid=Grid(self._grids, grid)))
        self._grids += 1

    def _say(self, text: str, heading: bool = False) -> None:
        text = _trimmed(text)
        self._lines.append(text)
        if text and not text.isspace():
            self._blocks.append(Block("heading" if heading else "paragraph", text))


def _trimmed(text: str) -> str:
    """Without the spaces around its lines and empty lines around it; U+00A0 and U+3000 are kept."""
    return "\n".join(line.strip(" \t") for line in text.strip(" \t\n").split("\n"))


def _text(content: Iterable[str | _Table]) -> str:
    """The text of a cell: its paragraphs as lines, empty ones left out."""
    lines = (_trimmed(item) for item in content if isinstance(item, str))
    return "\n".join(line for line in lines if line)


class _Place(NamedTuple):
    """A cell before columns are known."""

    text: str
    rule: Rule


def _grid(rows: Iterable[_Row]) -> tuple[tuple[GridCell, ...], ...] | None:
    """The rows with columns and spans; None where one does not say where its cells stand."""
    placed = [_places(row) for row in rows]
    lines = [line for line in placed if line is not None]
    if len(lines) < len(placed):
        return None
    columns = _columns([{x for place in line for x in place.rule[:2]} for line in lines])
    if any(max(edges.values()) > _MOST_COLUMNS for edges in columns):
        return None
    grid: list[list[GridCell]] = []
    columns_of: dict[int, tuple[int, int]] = {}  # by first column: the merged column's row, place
    for number, line in enumerate(lines):
        row: list[GridCell] = []
        grid.append(row)
        for (text, rule), (column, end) in zip(line, _between(line, columns[number]), strict=True):
            above = columns_of.get(column) if rule.column == "more" else None
            first = grid[above[0]][above[1]] if above else None
            if (
                above
                and first
                and (first.row + first.rowspan, first.colspan)
                == (
                    number,
                    end - column,
                )
            ):
                grid[above[0]][above[1]] = first._replace(rowspan=first.rowspan + 1)
                continue
            if rule.column:
                columns_of[column] = (number, len(row))
            row.append(GridCell(text, number, column, 1, end - column))
    return tuple(map(tuple, grid))


def _places(row: _Row) -> list[_Place] | None:
    """The cells of a row, those merged side by side as one."""
    if row.rules is None or len(row.rules) != len(row.cells):
        return None
    found: list[_Place] = []
    for content, rule in zip(row.cells, row.rules, strict=True):
        text = _text(content)
        if rule.beside and found:
            before, first = found[-1]
            found[-1] = _Place(f"{before}\n{text}".strip("\n"), first._replace(right=rule.right))
        else:
            found.append(_Place(text, rule))
    if any(rule.right <= rule.left for _, rule in found):
        return None
    return found


def _between(line: Iterable[_Place], columns: dict[int, int]) -> Iterator[tuple[int, int]]:
    for _, rule in line:
        yield columns[rule.left], columns[rule.right]


def _columns(lines: Sequence[set[int]]) -> list[dict[int, int]]:
    """For each row, the column that begins at each of its edges."""
    rows_at: dict[int, list[int]] = {}
    for number, edges in enumerate(lines):
        for edge in edges:
            rows_at.setdefault(edge, []).append(number)
    found: list[dict[int, int]] = [{} for _ in lines]
    column, start = -1, 0
    taken: set[int] = set()
    for edge in sorted(rows_at):
        rows = rows_at[edge]
        if column < 0 or edge - start > _NEAR or not taken.isdisjoint(rows):
            column, start, taken = column + 1, edge, set()
        taken.update(rows)
        for number in rows:
            found[number][edge] = column
    return found

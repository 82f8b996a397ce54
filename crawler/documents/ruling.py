"""Ruling lines → grids, the same for a PDF's strokes and for the black runs of a scanned page.

Coordinates run from the upper left. Every tolerance is in typographic points; `unit` says how many
of the caller's units make one (1 for a PDF, dpi / 72 for pixels).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from crawler.documents.model import Box, Grid, GridCell

# A rectangle no thicker is a line. Two lines no further apart are one double border.
THICK = 2.5
_DOUBLE = 2.4
_SAME = 1.0
# Gaps no longer are dashes, or wear; a missing border leaves one as long as a cell.
_GAP = 4.0
_TOUCH = 3.0
_SHORTEST = 5.0
# How far a line must stand out past the last one that crosses it to make an open side.
_OPEN = 6.0
# A statutory table has some 30 rows and 20 columns.
_MOST_EDGES = 400
# A drawing with more lines than this is a map or a plan, not a page of tables.
_MOST_LINES = 2000


class Line(NamedTuple):
    """A horizontal line at y `at`, from x `start` to x `end`; for a vertical one swap x and y."""

    at: float
    start: float
    end: float


class Field(NamedTuple):
    """One cell of a lattice by its place, 0-based, and its spans."""

    row: int
    column: int
    rowspan: int = 1
    colspan: int = 1


@dataclass(frozen=True, slots=True)
class Lattice:
    """One table: the edges of its columns and rows, and its cells in reading order. `owners` holds
    by row and column the index of the cell there, -1 where lines enclose nothing.
    """

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    cells: tuple[Field, ...]
    owners: tuple[tuple[int, ...], ...]

    @property
    def bounds(self) -> Box:
        return Box(self.xs[0], self.ys[0], self.xs[-1], self.ys[-1])

    def box(self, cell: Field) -> Box:
        """Where a cell stands."""
        right, bottom = cell.column + cell.colspan, cell.row + cell.rowspan
        return Box(self.xs[cell.column], self.ys[cell.row], self.xs[right], self.ys[bottom])

    def at(self, x: float, y: float) -> int:
        """The index of the cell around a point, -1 where there is none."""
        column, row = bisect_right(self.xs, x) - 1, bisect_right(self.ys, y) - 1
        if 0 <= column < len(self.xs) - 1 and 0 <= row < len(self.ys) - 1:
            return self.owners[row][column]
        return -1

    def grid(
        self,
        texts: Sequence[str],
        ordinal: int,
        page: int | None = None,
        confidences: Sequence[float | None] = (),
    ) -> Grid:
        """The lattice with the texts (and their confidences) of its cells, in their order."""
        rows: list[list[GridCell]] = [[] for _ in self.ys[1:]]
        sure = confidences or [None] * len(texts)
        for cell, text, confidence in zip(self.cells, texts, sure, strict=True):
            rows[cell.row].append(GridCell(text, *cell, confidence=confidence))
        return Grid(ordinal, tuple(map(tuple, rows)), page, xs=self.xs, ys=self.ys)


def strokes(box: Box, unit: float = 1.0) -> tuple[list[Line], list[Line]]:
    """A filled rectangle as horizontal and vertical lines; a dot is a bit of either, a larger
    rectangle is shading and no line.
    """
    left, top, right, bottom = box
    thick = THICK * unit
    lies, stands = bottom - top <= thick, right - left <= thick
    return (
        [Line((top + bottom) / 2, left, right)] if lies else [],
        [Line((left + right) / 2, top, bottom)] if stands else [],
    )


def frame(box: Box) -> tuple[list[Line], list[Line]]:
    """The four sides of a rectangle that is drawn by its outline."""
    left, top, right, bottom = box
    return (
        [Line(top, left, right), Line(bottom, left, right)],
        [Line(left, top, bottom), Line(right, top, bottom)],
    )


def lattices(
    horizontal: Iterable[Line], vertical: Iterable[Line], unit: float = 1.0
) -> tuple[Lattice, ...]:
    """The tables that lines make, topmost first. A line without another across it (an underline)
    and a frame around a single field make none.
    """
    across, down = (_joined(lines, _SAME * unit, unit) for lines in (horizontal, vertical))
    if max(len(across), len(down)) > _MOST_LINES:
        return ()
    found = [
        lattice
        for rows, columns in _components(across, down, _TOUCH * unit)
        if (lattice := _lattice(rows, columns, unit)) and len(lattice.cells) > 1
    ]
    return tuple(sorted(found, key=lambda lattice: (lattice.ys[0], lattice.xs[0])))


def _joined(lines: Iterable[Line], apart: float, unit: float) -> list[Line]:
    """Pieces of one line put together (dashes, a stroke for every cell), no further `apart`."""
    joined: list[Line] = []
    for same in _levels(sorted(lines), apart):
        at = _middle(same)
        start = end = None
        for _, left, right in sorted(same, key=lambda line: line.start):
            if end is None or start is None:
                start, end = left, right
            elif left <= end + _GAP * unit:
                end = max(end, right)
            else:
                joined.append(Line(at, start, end))
                start, end = left, right
        if end is not None and start is not None:
            joined.append(Line(at, start, end))
    return [line for line in joined if line.end - line.start >= _SHORTEST * unit]


def _levels(lines: list[Line], apart: float) -> Iterator[list[Line]]:
    """Sorted lines in groups of one level."""
    group: list[Line] = []
    for line in lines:
        if group and line.at - group[0].at > apart:
            yield group
            group = []
        group.append(line)
    if group:
        yield group


def _middle(lines: list[Line]) -> float:
    if lines[0].at == lines[-1].at:
        return lines[0].at
    weight = sum(line.end - line.start for line in lines)
    if not weight:
        return lines[0].at
    return sum(line.at * (line.end - line.start) for line in lines) / weight


def _components(
    across: list[Line], down: list[Line], touch: float
) -> Iterator[tuple[list[Line], list[Line]]]:
    """Lines that hang together."""
    parent = list(range(len(across) + len(down)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for i, (y, left, right) in enumerate(across):
        for j, (x, top, bottom) in enumerate(down, len(across)):
            if left - touch <= x <= right + touch and top - touch <= y <= bottom + touch:
                parent[root(i)] = root(j)
    groups: dict[int, tuple[list[Line], list[Line]]] = {}
    for node in range(len(parent)):
        rows, columns = groups.setdefault(root(node), ([], []))
        if node < len(across):
            rows.append(across[node])
        else:
            columns.append(down[node - len(across)])
    for rows, columns in groups.values():
        if rows and columns:
            yield rows, columns


def _lattice(rows: list[Line], columns: list[Line], unit: float) -> Lattice | None:
    # Double borders are joined within a table only: another's may stand in between.
    rows, columns = (_joined(lines, _DOUBLE * unit, unit) for lines in (rows, columns))
    xs, ys = sorted({line.at for line in columns}), sorted({line.at for line in rows})
    # A table may be open at its sides, or at the foot of a page: there its lines just end.
    left, right = _reach(rows, xs, _OPEN * unit)
    top, bottom = _reach(columns, ys, _OPEN * unit)
    xs, ys = [*left, *xs, *right], [*top, *ys, *bottom]
    if not 2 <= len(xs) <= _MOST_EDGES or not 2 <= len(ys) <= _MOST_EDGES:
        return None
    above = _walls(rows, ys, xs)
    beside = _walls(columns, xs, ys)
    for x in (*left, *right):
        beside[xs.index(x)] = [True] * (len(ys) - 1)
    for y in (*top, *bottom):
        above[ys.index(y)] = [True] * (len(xs) - 1)
    return _compressed(xs, ys, list(_fields(above, beside)))


def _reach(lines: list[Line], edges: list[float], far: float) -> tuple[list[float], list[float]]:
    """The open ends before and behind the outermost edges, where first and last line reach them."""
    outer = [
        [line for line in lines if line.at == level]
        for level in (min(line.at for line in lines), max(line.at for line in lines))
    ]
    if outer[0] == outer[1]:
        return [], []
    start = max(min(line.start for line in level) for level in outer)
    end = min(max(line.end for line in level) for level in outer)
    return (
        [start] if edges[0] - start > far else [],
        [end] if end - edges[-1] > far else [],
    )


def _walls(lines: list[Line], levels: list[float], edges: list[float]) -> list[list[bool]]:
    """By level and field along it: does a line stand between that field and the one before?"""
    walls = [[False] * (len(edges) - 1) for _ in levels]
    index = {level: number for number, level in enumerate(levels)}
    for at, start, end in lines:
        wall = walls[index[at]]
        first = max(bisect_right(edges, start) - 1, 0)
        for place in range(first, min(bisect_right(edges, end), len(wall))):
            one, other = edges[place], edges[place + 1]
            if min(end, other) - max(start, one) > (other - one) / 2:
                wall[place] = True
    return walls


def _fields(above: list[list[bool]], beside: list[list[bool]]) -> Iterator[Field]:
    """Fields without a line between them are one cell; what no line closes in is none."""
    height, width = len(above) - 1, len(beside) - 1
    seen: set[tuple[int, int]] = set()
    for start in product(range(height), range(width)):
        if start in seen:
            continue
        row, column = start
        level = above[row][column] and above[row + 1][column]
        if level and beside[column][row] and beside[column + 1][row]:
            yield Field(row, column)
            continue
        region, closed, todo = {start}, True, [start]
        while todo:
            row, column = todo.pop()
            for wall, near in (
                (above[row][column], (row - 1, column)),
                (above[row + 1][column], (row + 1, column)),
                (beside[column][row], (row, column - 1)),
                (beside[column + 1][row], (row, column + 1)),
            ):
                if wall or near in region:
                    continue
                if 0 <= near[0] < height and 0 <= near[1] < width:
                    region.add(near)
                    todo.append(near)
                else:
                    closed = False
        seen |= region
        if closed:
            yield from _cells(region)


def _cells(region: set[tuple[int, int]]) -> Iterator[Field]:
    """A rectangle of fields is one cell. Any other shape lost a line: its fields stay apart."""
    top, bottom = min(row for row, _ in region), max(row for row, _ in region)
    left, right = min(column for _, column in region), max(column for _, column in region)
    height, width = bottom - top + 1, right - left + 1
    if len(region) == height * width:
        yield Field(top, left, height, width)
    else:
        yield from (Field(*field) for field in region)


def _compressed(xs: list[float], ys: list[float], cells: list[Field]) -> Lattice | None:
    """The lattice without edges at which no cell begins or ends."""
    if not cells:
        return None
    columns = sorted({c.column for c in cells} | {c.column + c.colspan for c in cells})
    rows = sorted({c.row for c in cells} | {c.row + c.rowspan for c in cells})
    column_of = {edge: number for number, edge in enumerate(columns)}
    row_of = {edge: number for number, edge in enumerate(rows)}
    placed = sorted(
        Field(
            row_of[cell.row],
            column_of[cell.column],
            row_of[cell.row + cell.rowspan] - row_of[cell.row],
            column_of[cell.column + cell.colspan] - column_of[cell.column],
        )
        for cell in cells
    )
    owners = [[-1] * (len(columns) - 1) for _ in rows[1:]]
    for number, (row, column, height, width) in enumerate(placed):
        for line in owners[row : row + height]:
            line[column : column + width] = [number] * width
    return Lattice(
        tuple(xs[edge] for edge in columns),
        tuple(ys[edge] for edge in rows),
        tuple(placed),
        tuple(map(tuple, owners)),
    )

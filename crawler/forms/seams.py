"""Tables cut by a page: which grids are parts of one table, and what the cut parted put together.

Joined is what the form's own labels prove to belong together; a value that may belong to either of
two rows is taken from both, so that its cell is reported unread.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise

from crawler.documents.model import Grid, GridCell
from crawler.forms.index import Index, Label
from crawler.forms.labels import core, measure, squeeze
from crawler.forms.model import State

# Of the width of the table: edges this near are one edge.
_NEAR = 0.01
_FIGURES = frozenset((State.NUMBER, State.ZERO, State.DASH))


@dataclass(frozen=True, slots=True)
class Part:
    """A grid as it is to be read. `table` is the ordinal of the first part of its table, whose
    columns it shares; `is_last` is False where the table goes on. `columns` leads from its columns
    to those of the grid as the document has it; `joined` are places in that grid whose text now
    stands in a part before it: repeated heads, and ends of what a page cut in two.
    """

    grid: Grid
    table: int
    is_last: bool
    columns: Mapping[int, int] = field(default_factory=dict)
    joined: frozenset[tuple[int, int, int]] = frozenset()


def parts(grids: Sequence[Grid], index: Index) -> Iterator[Part]:
    """The grids in their order, those of one table mended where pages cut them."""
    for table in _tables(grids):
        if len(table) == 1:
            yield Part(table[0], table[0].ordinal, True)
            continue
        aligned = _aligned(table)
        for number, grid in enumerate(_mended(aligned, index)):
            pairs = list(zip(_cells(aligned[number]), _cells(table[number]), strict=True))
            left = {(cell.row, cell.column): cell.text for cell in _cells(grid)}
            yield Part(
                grid,
                table[0].ordinal,
                number == len(table) - 1,
                {cell.column: old.column for cell, old in pairs},
                frozenset(
                    (grid.ordinal, old.row, old.column)
                    for cell, old in pairs
                    if old.text and not left.get((cell.row, cell.column), "?")
                ),
            )


def _cells(grid: Grid) -> Iterator[GridCell]:
    for row in grid.rows:
        yield from row


def _tables(grids: Sequence[Grid]) -> Iterator[list[Grid]]:
    table: list[Grid] = []
    for grid in grids:
        if table and not _goes_on(table[-1], grid):
            yield table
            table = []
        table.append(grid)
    if table:
        yield table


def _goes_on(one: Grid, other: Grid) -> bool:
    """The last table of a page and the first of the next, equally wide."""
    if one.page is None or other.page != one.page + 1 or not one.xs or not other.xs:
        return False
    wide = one.xs[-1] - one.xs[0]
    return abs(other.xs[-1] - other.xs[0] - wide) < _NEAR * wide


def _aligned(grids: list[Grid]) -> list[Grid]:
    """The parts with one numbering of columns: the edges of all of them."""
    near = _NEAR * (grids[0].xs[-1] - grids[0].xs[0])
    edges: list[float] = []
    for x in sorted(x - grid.xs[0] for grid in grids for x in grid.xs):
        if not edges or x - edges[-1] > near:
            edges.append(x)
    return [_renumbered(grid, edges, near) for grid in grids]


def _renumbered(grid: Grid, edges: list[float], near: float) -> Grid:
    left = grid.xs[0]
    places = [max(bisect_left(edges, x - left + near / 1000) - 1, 0) for x in grid.xs]
    if len(set(places)) < len(places):
        return grid
    rows = tuple(
        tuple(
            cell._replace(
                column=places[cell.column],
                colspan=places[cell.column + cell.colspan] - places[cell.column],
            )
            for cell in row
        )
        for row in grid.rows
    )
    return replace(grid, rows=rows, xs=tuple(left + x for x in edges))


@dataclass(slots=True)
class _Sheet:
    """A part while it is mended: its cells by place, and where a label's beginning stands."""

    grid: Grid
    cells: dict[tuple[int, int], GridCell]
    begins: dict[tuple[int, int], tuple[int, tuple[int, int]]] = field(default_factory=dict)

    def bottom(self) -> dict[tuple[int, int], GridCell]:
        """The cells that reach the foot, by column and colspan."""
        foot = len(self.grid.rows)
        return {(c.column, c.colspan): c for c in self.cells.values() if c.row + c.rowspan == foot}

    def top(self, head: int) -> dict[tuple[int, int], GridCell]:
        """The cells below a repeated head of so many rows."""
        return {(c.column, c.colspan): c for c in self.cells.values() if c.row == head}


def _mended(grids: list[Grid], index: Index) -> list[Grid]:
    sheets = [
        _Sheet(grid, {(c.row, c.column): c for row in grid.rows for c in row}) for grid in grids
    ]
    for number, (one, other) in enumerate(pairwise(sheets)):
        head = _repeated(sheets[: number + 1], other)
        for place, cell in other.cells.items():
            if cell.row < head:
                other.cells[place] = cell._replace(text="")
        if head < len(other.grid.rows):
            _mend_heads(one, other, other.top(head), index)
            _mend_groups(sheets, number, other.top(head), index)
            _mend_row(one, other, other.top(head), index)
    for sheet in sheets:
        for number, place in sheet.begins.values():
            # Some of a group's label is on neither page: its rows are known by their own.
            begun = sheets[number].cells[place]
            if not index.row(begun.text):
                sheets[number].cells[place] = begun._replace(text="")
    return [_rebuilt(sheet) for sheet in sheets]


def _repeated(before: list[_Sheet], sheet: _Sheet) -> int:
    """How many of a part's rows are those with which a part before it begins."""
    wanted = _words(sheet)
    earlier = [[words for words in _words(part) if words] for part in before]
    best = 0
    for number in range(len(earlier)):
        count = 0
        for one, other in zip(chain.from_iterable(earlier[number:]), wanted, strict=False):
            if one != other or not _is_head(one):
                break
            count += 1
        best = max(best, count)
    return best


def _words(sheet: _Sheet) -> list[list[str]]:
    """The texts of each row."""
    rows: list[list[str]] = [[] for _ in sheet.grid.rows]
    for cell in sorted(sheet.cells.values(), key=lambda cell: (cell.row, cell.column)):
        rows[cell.row] += [text] if (text := squeeze(cell.text)) else []
    return rows


def _is_head(words: list[str]) -> bool:
    """Words, and no figure among them."""
    return bool(words) and not any(measure(word).state in _FIGURES for word in words)


def _mend_heads(
    one: _Sheet, other: _Sheet, top: dict[tuple[int, int], GridCell], index: Index
) -> None:
    """The head of a column begins on one page and ends on the next."""
    if any(measure(below.text).state in _FIGURES for below in top.values()):
        return
    pairs = [(above, top[span]) for span, above in one.bottom().items() if span in top]
    cut = [pair for pair in pairs if _is_head_cut(*pair, index)]
    # What stands whole in the lower half of such a row belongs to it as well.
    low = [(above, below) for above, below in pairs if cut and not above.text.strip()]
    for above, below in cut + low:
        whole = "\n".join(filter(str.strip, (above.text, below.text)))
        one.cells[above.row, above.column] = above._replace(text=whole)
        other.cells[below.row, below.column] = below._replace(text="")


def _is_head_cut(above: GridCell, below: GridCell, index: Index) -> bool:
    """Do the halves make a head of the form, to its last letter, and the lower one none?"""
    if not above.text.strip() or not below.text.strip():
        return False
    whole = index.head(core(above.text + below.text))
    return whole is not None and index.head(below.text) is None


def _mend_groups(
    sheets: list[_Sheet], number: int, top: dict[tuple[int, int], GridCell], index: Index
) -> None:
    """The label of a group of rows begins on one page and ends on the next."""
    one, other = sheets[number], sheets[number + 1]
    for span, above in one.bottom().items():
        below = top.get(span)
        if below is None:
            continue
        here = (above.row, above.column)
        sheet, place = one.begins.get(here, (number, here))
        begun = sheets[sheet].cells[place]
        if not begun.text.strip() or index.row(begun.text):
            continue
        whole = begun.text + "\n" + below.text
        label = index.row(whole)
        if (label and label.row is None) or _begins_group(whole, index):
            sheets[sheet].cells[place] = begun._replace(text=whole)
            other.cells[below.row, below.column] = below._replace(text="")
            other.begins[below.row, below.column] = (sheet, place)


def _begins_group(text: str, index: Index) -> bool:
    return any(squeeze(label).startswith(squeeze(text)) for label in _groups(index))


def _groups(index: Index) -> Iterator[str]:
    for table in index.form.tables:
        yield from table.groups


def _mend_row(
    one: _Sheet, other: _Sheet, top: dict[tuple[int, int], GridCell], index: Index
) -> None:
    """One row in two halves: part of its label and of its values above, the rest below."""
    pairs: list[tuple[GridCell, GridCell]] = []
    for span, above in sorted(one.bottom().items()):
        below = top.get(span)
        if below is None:
            return
        below = other.cells[below.row, below.column]
        above = one.cells[above.row, above.column]
        if pairs or not _is_left_of_label(above, below, index):
            pairs.append((above, below))
    if len(pairs) < 2 or any(a.rowspan > 1 or b.rowspan > 1 for a, b in pairs):
        return
    (label, rest), *values = pairs
    verdict = _verdict(label.text, rest.text, values, index)
    if verdict == "one":
        for above, below in pairs:
            text = "\n".join(filter(str.strip, (above.text, below.text)))
            one.cells[above.row, above.column] = above._replace(text=text)
            other.cells[below.row, below.column] = below._replace(text="")
    elif verdict == "doubtful":
        for above, _ in values:
            del one.cells[above.row, above.column]


def _is_left_of_label(above: GridCell, below: GridCell, index: Index) -> bool:
    """Do these two stand in a column of groups, and not of rows?"""
    if above.rowspan > 1 or below.rowspan > 1:
        return True
    blank = not above.text.strip() and not below.text.strip()
    return blank or _is_group(above, index) or _is_group(below, index)


def _is_group(cell: GridCell, index: Index) -> bool:
    label = index.row(cell.text)
    return label is not None and label.row is None


def _verdict(label: str, rest: str, values: list[tuple[GridCell, GridCell]], index: Index) -> str:
    """Are two rows on either side of a cut `one` row, `two`, or is it `doubtful`?"""
    texts = [(above.text, below.text) for above, below in values]
    above = any(one.strip() for one, _ in texts)
    below = any(other.strip() for _, other in texts)
    clash = any(_clash(*pair) for pair in texts)
    upper, lower, whole = (_row(text, index) for text in (label, rest, label + "\n" + rest))
    if not (upper or lower or whole):
        return "one" if _go_on_in_words([(label, rest), *texts]) else "two"
    if not rest.strip():
        if not below:
            return "two"
        if not upper:
            return "two"
        return "doubtful" if clash else "one"
    if not label.strip():
        return "one" if lower and above and not clash else "two"
    if lower:
        return "two"
    # Known by its first words only, a label is whole where the second half has some of them, or
    # is the rest of a bracket.
    if whole and (whole.rank < 2 or not upper or _is_open(label) or squeeze(rest)[:1] == "("):
        return "doubtful" if clash else "one"
    # Nobody knows the second half: its figures may be those of the blank row above.
    return "doubtful" if upper and below and not above else "two"


def _clash(above: str, below: str) -> bool:
    """Do both halves say something? Words may go on, a figure does not."""
    words = measure(above).state is State.TEXT and measure(below).state is State.TEXT
    return bool(above.strip() and below.strip()) and not words


def _go_on_in_words(pairs: list[tuple[str, str]]) -> bool:
    """A line of values without a label: words among them begin above and end below the cut."""
    figures = any(measure(text).state in _FIGURES for pair in pairs for text in pair)
    words = any(above.strip() and below.strip() for above, below in pairs)
    return figures and words and not any(_clash(*pair) for pair in pairs)


def _row(text: str, index: Index) -> Label | None:
    label = index.row(text) if text.strip() else None
    return label if label and label.row else None


def _is_open(text: str) -> bool:
    """Does a bracket stand open at the end?"""
    line = squeeze(text)
    return line.rfind("(") > line.rfind(")")


def _rebuilt(sheet: _Sheet) -> Grid:
    rows = tuple(
        tuple(
            sheet.cells[cell.row, cell.column]
            for cell in row
            if (cell.row, cell.column) in sheet.cells
        )
        for row in sheet.grid.rows
    )
    return replace(sheet.grid, rows=rows)

"""Lines → cells: whatever way a table's borders are drawn, the cells are those it was made of."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.documents.model import Box
from crawler.documents.ruling import Field, Lattice, Line, frame, lattices, strokes

Pair = tuple[list[Line], list[Line]]


def partition(rng: Random, rows: int, columns: int) -> list[Field]:
    """Fields that tile a table, some of them merged."""
    taken: set[tuple[int, int]] = set()
    cells: list[Field] = []
    for row in range(rows):
        for column in range(columns):
            if (row, column) in taken:
                continue
            height = width = 1
            if rng.random() < 0.4:
                height = rng.randint(1, rows - row)
                while column + width < columns and (row, column + width) not in taken:
                    width += 1
                width = rng.randint(1, width)
            area = {(r, c) for r in range(row, row + height) for c in range(column, column + width)}
            if area & taken:
                height = width = 1
                area = {(row, column)}
            taken |= area
            cells.append(Field(row, column, height, width))
    return cells


def compressed(cells: list[Field]) -> list[Field]:
    """The same cells, counted by the edges that are really there."""
    rows = sorted({e for c in cells for e in (c.row, c.row + c.rowspan)})
    columns = sorted({e for c in cells for e in (c.column, c.column + c.colspan)})
    return sorted(
        Field(
            rows.index(c.row),
            columns.index(c.column),
            rows.index(c.row + c.rowspan) - rows.index(c.row),
            columns.index(c.column + c.colspan) - columns.index(c.column),
        )
        for c in cells
    )


def edges(rng: Random, count: int, start: float, unit: float) -> list[float]:
    found = [start]
    for _ in range(count):
        found.append(found[-1] + rng.uniform(9, 60) * unit)
    return found


def sides(cells: list[Field], xs: list[float], ys: list[float]) -> Pair:
    across: set[Line] = set()
    down: set[Line] = set()
    for row, column, height, width in cells:
        box = Box(xs[column], ys[row], xs[column + width], ys[row + height])
        lies, stands = frame(box)
        across.update(lies)
        down.update(stands)
    return sorted(across), sorted(down)


def dashed(rng: Random, lines: list[Line], unit: float) -> list[Line]:
    """Every line in pieces with gaps, its ends short of or past the corner."""
    pieces: list[Line] = []
    for at, start, end in lines:
        place = start + rng.uniform(-0.8, 0.8) * unit
        while place < end:
            stop = min(place + rng.uniform(4, 30) * unit, end + rng.uniform(-0.8, 0.8) * unit)
            pieces.append(Line(at + rng.uniform(-0.4, 0.4) * unit, place, max(place, stop)))
            place = stop + rng.uniform(0, 2.8) * unit
    return pieces


def doubled(lines: list[Line], unit: float) -> list[Line]:
    return [Line(at + off * unit, *ends) for at, *ends in lines for off in (-0.9, 0.9)]


def as_rectangles(pair: Pair, unit: float) -> Pair:
    """Every line a thin filled rectangle, as office programs draw their borders."""
    half = 0.25 * unit
    boxes = [Box(start, at - half, end, at + half) for at, start, end in pair[0]]
    boxes += [Box(at - half, start, at + half, end) for at, start, end in pair[1]]
    across: list[Line] = []
    down: list[Line] = []
    for box in boxes:
        lies, stands = strokes(box, unit)
        across += lies
        down += stands
    return across, down


def drawn(rng: Random, pair: Pair, unit: float) -> Pair:
    way = rng.choice(("plain", "dashed", "double", "rectangles", "shuffled"))
    across, down = pair
    if way == "dashed":
        return dashed(rng, across, unit), dashed(rng, down, unit)
    if way == "double":
        return doubled(across, unit), doubled(down, unit)
    if way == "rectangles":
        return as_rectangles(pair, unit)
    if way == "shuffled":
        return rng.sample(across, len(across)), rng.sample(down, len(down))
    return pair


def table(cells: list[Field], xs: list[float], ys: list[float]) -> tuple[Lattice, ...]:
    return lattices(*sides(cells, xs, ys))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 1 << 30), st.integers(1, 9), st.integers(1, 9), st.sampled_from((1.0, 2.1, 4.2))
)
def test_merged_cells_come_back_however_their_borders_are_drawn(
    seed: int, rows: int, columns: int, unit: float
) -> None:
    rng = Random(seed)
    cells = partition(rng, rows, columns)
    xs, ys = edges(rng, columns, 40 * unit, unit), edges(rng, rows, 70 * unit, unit)
    found = lattices(*drawn(rng, sides(cells, xs, ys), unit), unit)
    expected = compressed(cells)
    if len(expected) == 1:
        assert found == ()
        return
    assert [list(lattice.cells) for lattice in found] == [expected]
    for cell in found[0].cells:
        left, top, right, bottom = found[0].box(cell)
        middle = found[0].cells[found[0].at((left + right) / 2, (top + bottom) / 2)]
        assert middle == cell
        assert min(abs(left - x) for x in xs) < 2 * unit
        assert min(abs(bottom - y) for y in ys) < 2 * unit


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1 << 30))
def test_tables_on_one_page_stay_apart(seed: int) -> None:
    rng = Random(seed)
    expected: list[list[Field]] = []
    across: list[Line] = []
    down: list[Line] = []
    top = 50.0
    for _ in range(rng.randint(2, 4)):
        rows, columns = rng.randint(2, 5), rng.randint(2, 5)
        cells = [Field(r, c) for r in range(rows) for c in range(columns)]
        xs, ys = edges(rng, columns, 40, 1), edges(rng, rows, top, 1)
        lies, stands = sides(cells, xs, ys)
        across += lies
        down += stands
        expected.append(cells)
        top = ys[-1] + 12
    assert [list(lattice.cells) for lattice in lattices(across, down)] == expected


SQUARE = [Field(r, c) for r in range(3) for c in range(3)]
EDGES = [100.0, 140.0, 180.0, 220.0]


def test_underlines_frames_and_shading_are_no_tables() -> None:
    page_frame = frame(Box(20, 20, 575, 820))
    inner_frame = frame(Box(28, 28, 567, 812))
    underline: Pair = ([Line(300, 100, 400)], [])
    shading = strokes(Box(50, 500, 500, 530))
    across = [line for part in (page_frame, inner_frame, underline, shading) for line in part[0]]
    down = [line for part in (page_frame, inner_frame, underline, shading) for line in part[1]]
    assert lattices(across, down) == ()


def test_a_table_within_a_page_frame_is_found_alone() -> None:
    lies, stands = sides(SQUARE, EDGES, EDGES)
    outer = frame(Box(20, 20, 575, 820))
    (found,) = lattices([*lies, *outer[0]], [*stands, *outer[1]])
    assert found.bounds == Box(100, 100, 220, 220)


def test_an_underline_within_a_cell_cuts_nothing() -> None:
    lies, stands = sides(SQUARE, EDGES, EDGES)
    (found,) = lattices([*lies, Line(120, 99, 112)], stands)
    assert list(found.cells) == SQUARE
    assert found.ys == tuple(EDGES)


def test_open_sides_are_closed() -> None:
    """Many tables have no border at the left and right, and none where a page cuts them."""
    lies, stands = sides(SQUARE, EDGES, EDGES)
    open_sides = lattices(lies, [line for line in stands if line.at in EDGES[1:3]])
    open_foot = lattices([line for line in lies if line.at != EDGES[3]], stands)
    for (found,) in (open_sides, open_foot):
        assert list(found.cells) == SQUARE
        assert found.bounds == Box(100, 100, 220, 220)


def test_what_no_line_closes_in_is_no_cell() -> None:
    lies, stands = sides(SQUARE[:-1], EDGES, EDGES)
    (found,) = lattices(lies, stands)
    assert list(found.cells) == SQUARE[:-1]
    assert found.at(200, 200) == -1
    assert found.at(5, 5) == -1


def test_a_lost_line_that_leaves_no_rectangle_merges_nothing() -> None:
    cells = [Field(0, 0, 1, 2), Field(0, 2), Field(1, 0), Field(1, 1), Field(1, 2)]
    xs, ys = EDGES, EDGES[:3]
    lies, stands = sides(cells, xs, ys)
    lies = [*(line for line in lies if line.at != 140), Line(140, 100, 140), Line(140, 180, 220)]
    (found,) = lattices(lies, stands)
    assert {(c.rowspan, c.colspan) for c in found.cells} == {(1, 1)}


def test_a_grid_carries_texts_confidences_and_boxes() -> None:
    (found,) = table([Field(0, 0, 1, 2), Field(1, 0), Field(1, 1)], EDGES[:3], EDGES[:3])
    grid = found.grid(["head", "left", "right"], 4, 2, [None, 0.5, 1.0])
    assert [[cell.text for cell in row] for row in grid.rows] == [["head"], ["left", "right"]]
    assert (grid.ordinal, grid.page, grid.rows[1][0].confidence) == (4, 2, 0.5)
    assert grid.box(grid.rows[0][0]) == Box(100, 100, 180, 140)
    with pytest.raises(ValueError, match="shorter"):
        found.grid(["head"], 0)


def test_hostile_line_counts_end() -> None:
    for count in (800, 5000):
        many = [Line(float(at) * 5, 0, 4000) for at in range(count)]
        assert lattices(many, many) == ()

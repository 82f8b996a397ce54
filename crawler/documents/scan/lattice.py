"""Masks of ruling lines → tables: column and row edges, and the cells between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from crawler.documents.scan.sheet import LINE, Bitmap, Sheet

# In inches: how far a line may miss another and still meet it; lines closer than that are one.
_REACH = 0.03
_THICKEST = 0.06
_NARROWEST = 1.5
_LOWEST = 0.17
# The share of a line that must be dark.
_UNBROKEN = 0.93
# The share of a cell's side that must be drawn for the side to count.
_DRAWN = 0.6


class Segment(NamedTuple):
    """A straight line at `at` (y of a level one, x of an upright one) from `start` to `stop`."""

    at: float
    start: float
    stop: float


class Area(NamedTuple):
    """A cell of a lattice: its grid position and spans."""

    row: int
    column: int
    rowspan: int
    colspan: int


class Lattice(NamedTuple):
    """One table; `xs` and `ys` are the edges of its columns and rows."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    areas: tuple[Area, ...]


def lattices(sheet: Sheet) -> list[Lattice]:
    """The ruled tables of a page from top to bottom."""
    reach = _REACH * sheet.dpi
    thickest = _THICKEST * sheet.dpi
    dark = sheet.darkness > 255 * LINE
    level = _segments(sheet.across, thickest)
    upright = _segments(sheet.down.T, thickest)
    while True:
        kept_level = _held(level, upright, dark, reach)
        kept_upright = _held(upright, kept_level, dark.T, reach)
        if (kept_level, kept_upright) == (level, upright):
            break
        level, upright = kept_level, kept_upright
    tables = [_lattice(*group, reach) for group in _groups(level, upright, reach)]
    return sorted(
        (table for table in tables if _is_table(table, sheet.dpi)), key=lambda table: table.ys[0]
    )


def _is_table(lattice: Lattice, dpi: float) -> bool:
    """More than the strokes of a line of bold print."""
    return (
        len(lattice.areas) > 1
        and lattice.xs[-1] - lattice.xs[0] >= _NARROWEST * dpi
        and lattice.ys[-1] - lattice.ys[0] >= _LOWEST * dpi
    )


def _segments(mask: Bitmap, thickest: float) -> list[Segment]:
    count, _, stats, centres = cv2.connectedComponentsWithStats(mask)
    found: list[Segment] = []
    for number in range(1, count):
        left, _, width, height = (float(v) for v in stats[number][:4])
        if height <= thickest:
            found.append(Segment(float(centres[number][1]), left, left + width))
    return _joined(found, thickest)


def _joined(segments: list[Segment], gap: float) -> list[Segment]:
    """Pieces of one broken line put together."""
    whole: list[Segment] = []
    for piece in sorted(segments, key=lambda s: s.start):
        for number, line in enumerate(whole):
            if abs(line.at - piece.at) <= gap / 2 and piece.start - line.stop <= 2 * gap:
                longer = line if line.stop - line.start > piece.stop - piece.start else piece
                whole[number] = Segment(longer.at, line.start, max(line.stop, piece.stop))
                break
        else:
            whole.append(piece)
    return whole


def _held(
    lines: list[Segment], others: list[Segment], dark: npt.NDArray[np.bool_], reach: float
) -> list[Segment]:
    """The lines that run from one of the others to another, cut off there: no strokes of letters,
    which stop short, and no underlines.
    """
    held: list[Segment] = []
    for line in lines:
        met = [other.at for other in others if _meet(line, other, reach)]
        if met and max(met) - min(met) > 2 * reach:
            cut = Segment(line.at, min(met), max(met))
            if _coverage(cut, dark) >= _UNBROKEN:
                held.append(cut)
    return held


def _coverage(line: Segment, dark: npt.NDArray[np.bool_]) -> float:
    """How much of a level line is dark."""
    at = round(line.at)
    band = dark[max(0, at - 2) : at + 3, round(line.start) : round(line.stop) + 1]
    return float(band.any(axis=0).mean())


def _meet(one: Segment, other: Segment, reach: float) -> bool:
    return (
        one.start - reach <= other.at <= one.stop + reach
        and other.start - reach <= one.at <= other.stop + reach
    )


def _groups(
    level: list[Segment], upright: list[Segment], reach: float
) -> list[tuple[list[Segment], list[Segment]]]:
    """Lines that hang together, table by table."""
    left = set(upright)
    todo = set(level)
    groups: list[tuple[list[Segment], list[Segment]]] = []
    while todo:
        rows, columns = [todo.pop()], list[Segment]()
        fresh = list(rows)
        while fresh:
            met = [v for v in left if any(_meet(h, v, reach) for h in fresh)]
            left.difference_update(met)
            columns += met
            fresh = [h for h in todo if any(_meet(h, v, reach) for v in met)]
            todo.difference_update(fresh)
            rows += fresh
        groups.append((rows, columns))
    return groups


def _lattice(level: list[Segment], upright: list[Segment], reach: float) -> Lattice:
    ys, xs = _edges(level, reach), _edges(upright, reach)
    if len(xs) < 2 or len(ys) < 2:
        return Lattice(xs, ys, ())
    places = [(row, column) for row in range(len(ys) - 1) for column in range(len(xs) - 1)]
    parent = {place: place for place in places}

    def root(place: tuple[int, int]) -> tuple[int, int]:
        while parent[place] != place:
            place = parent[place]
        return place

    for row, column in places:
        if column + 2 < len(xs) and not _drawn(upright, xs[column + 1], ys[row], ys[row + 1], reach):
            parent[root((row, column + 1))] = root((row, column))
        if row + 2 < len(ys) and not _drawn(level, ys[row + 1], xs[column], xs[column + 1], reach):
            parent[root((row + 1, column))] = root((row, column))
    members: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for place in places:
        members[root(place)].append(place)
    return Lattice(xs, ys, tuple(sorted(map(_area, members.values()))))


def _area(places: Sequence[tuple[int, int]]) -> Area:
    rows = [row for row, _ in places]
    columns = [column for _, column in places]
    return Area(
        min(rows), min(columns), max(rows) - min(rows) + 1, max(columns) - min(columns) + 1
    )


def _edges(lines: list[Segment], reach: float) -> tuple[float, ...]:
    """Where the lines stand, those beside each other taken as one."""
    edges: list[list[Segment]] = []
    for line in sorted(lines):
        if edges and line.at - edges[-1][-1].at <= reach:
            edges[-1].append(line)
        else:
            edges.append([line])
    return tuple(
        sum(line.at * (line.stop - line.start) for line in edge)
        / sum(line.stop - line.start for line in edge)
        for edge in edges
    )


def _drawn(lines: list[Segment], at: float, start: float, stop: float, reach: float) -> bool:
    there = sum(
        max(0.0, min(line.stop, stop) - max(line.start, start))
        for line in lines
        if abs(line.at - at) <= reach
    )
    return there >= _DRAWN * (stop - start)

"""The ruling lines of a scanned page, told from the strokes of letters."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from crawler.documents.ruling import Lattice, Line, lattices
from crawler.documents.scan.sheet import LINE, Bitmap, Sheet

_POINTS = 72
# All in inches: how far a line may miss another and still meet it, how thick it may be, how long a
# break in it, and the smallest table.
_REACH = 0.03
_THICKEST = 0.06
_BREAK = 0.03
_NARROWEST = 1.5
_LOWEST = 0.17
# The share of a line that must be dark.
_UNBROKEN = 0.93
_TO_THE_END = 0.75
# Beside a line as short as a row is high, between these distances, no more is dark than this.
_SHORT = 0.6
_NEAR, _FAR = 0.02, 0.04
_PAPER = 0.12


def tables(sheet: Sheet) -> list[Lattice]:
    """The ruled tables of a page, topmost first; edges in pixels of the sheet."""
    dark = sheet.darkness > 255 * LINE
    level, upright = _segments(sheet.across, sheet.dpi), _segments(sheet.down.T, sheet.dpi)
    while True:
        kept_level = _held(level, upright, dark, sheet.dpi)
        kept_upright = _held(upright, kept_level, dark.T, sheet.dpi)
        if (kept_level, kept_upright) == (level, upright):
            break
        level, upright = kept_level, kept_upright
    found = lattices(level, upright, sheet.dpi / _POINTS)
    return [lattice for lattice in found if _is_table(lattice, sheet.dpi)]


def _is_table(lattice: Lattice, dpi: float) -> bool:
    """More than the strokes of a line of bold print."""
    left, top, right, bottom = lattice.bounds
    return right - left >= _NARROWEST * dpi and bottom - top >= _LOWEST * dpi


def _segments(mask: Bitmap, dpi: float) -> list[Line]:
    """The runs of a mask of level lines."""
    count, _, stats, centres = cv2.connectedComponentsWithStats(mask)
    found: list[Line] = []
    for number in range(1, count):
        left, _, width, height = (float(v) for v in stats[number][:4])
        if height <= _THICKEST * dpi:
            found.append(Line(float(centres[number][1]), left, left + width))
    return _joined(found, _BREAK * dpi)


def _joined(pieces: list[Line], gap: float) -> list[Line]:
    """Pieces of one broken line put together."""
    whole: list[Line] = []
    for piece in sorted(pieces, key=lambda line: line.start):
        for number, line in enumerate(whole):
            if abs(line.at - piece.at) <= gap and piece.start - line.end <= gap:
                longer = line if line.end - line.start > piece.end - piece.start else piece
                whole[number] = Line(longer.at, line.start, max(line.end, piece.end))
                break
        else:
            whole.append(piece)
    return whole


def _held(
    lines: list[Line], others: Iterable[Line], dark: npt.NDArray[np.bool_], dpi: float
) -> list[Line]:
    """The lines that run from one of the others to another, cut off there: no strokes of letters,
    which stop short, and no underlines.
    """
    held: list[Line] = []
    reach = _REACH * dpi
    for line in lines:
        met = [other.at for other in others if _meet(line, other, reach)]
        if met and max(met) - min(met) > 2 * reach:
            cut = Line(line.at, min(met), max(met))
            if _is_drawn(cut, dark) and (
                cut.end - cut.start > _SHORT * dpi or _stands_free(cut, dark, dpi)
            ):
                held.append(cut)
    return held


def _meet(one: Line, other: Line, reach: float) -> bool:
    return (
        one.start - reach <= other.at <= one.end + reach
        and other.start - reach <= one.at <= other.end + reach
    )


def _is_drawn(line: Line, dark: npt.NDArray[np.bool_]) -> bool:
    """Is a level line dark from end to end? A stroke between two lines is not at its ends."""
    at = round(line.at)
    band = dark[max(0, at - 2) : at + 3, round(line.start) : round(line.end) + 1]
    drawn = band.any(axis=0)
    end = max(5, drawn.size // 6)
    ends = (drawn[:end], drawn[-end:])
    return bool(drawn.mean() >= _UNBROKEN and min(e.mean() for e in ends) >= _TO_THE_END)


def _stands_free(line: Line, dark: npt.NDArray[np.bool_], dpi: float) -> bool:
    """Is there paper on both sides of a short level line? Letters have strokes across."""
    at, near, far = round(line.at), round(_NEAR * dpi), round(_FAR * dpi)
    inside = slice(round(line.start) + near, round(line.end) - near + 1)
    sides = (dark[max(0, at - far) : at - near + 1, inside], dark[at + near : at + far + 1, inside])
    return all(not side.size or float(side.mean()) < _PAPER for side in sides)

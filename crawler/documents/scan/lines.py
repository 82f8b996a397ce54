"""The ruling lines of a scanned page, told from the strokes of letters."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from crawler.documents.ruling import Lattice, Line, lattices
from crawler.documents.scan.sheet import LINE, Bitmap, Sheet, evened_along

_POINTS = 72
# All in inches: how far a line may miss another and still meet it, how thick it may be, how long a
# break in it, and the smallest table.
_REACH = 0.03
_THICKEST = 0.06
_BREAK = 0.03
_NARROWEST = 1.5
_LOWEST = 0.17
# A page with more pieces of lines is a picture.
_MOST_PIECES = 4000
_MOST_CELLS = 3000
# Of the darkness of the page's long lines: a line is nowhere paler, but for this percentage of it.
_PALEST = 0.35
_BREAKS = 4
_WORN = 12
# Beside a line as short as a row is high, between these distances, no more than this is inked.
_SHORT = 0.6
_NEAR, _FAR = 0.02, 0.04
_INKED = 0.12


def tables(sheet: Sheet) -> list[Lattice]:
    """The ruled tables of a page, topmost first; edges in pixels of the sheet."""
    dpi = sheet.dpi
    level, upright = _segments(sheet.across, dpi), _segments(sheet.down.T, dpi)
    if not level or not upright:
        return []
    across = _Ruling(evened_along(sheet.darkness), level, dpi)
    down = _Ruling(evened_along(sheet.darkness.T), upright, dpi)
    while True:
        kept_level = across.held(level, upright)
        kept_upright = down.held(upright, kept_level)
        if (kept_level, kept_upright) == (level, upright):
            break
        level, upright = kept_level, kept_upright
    level = across.completed(level, upright)
    upright = down.completed(upright, level)
    found = lattices(level, upright, dpi / _POINTS)
    return [lattice for lattice in found if _is_table(lattice, dpi)]


def _is_table(lattice: Lattice, dpi: float) -> bool:
    """More than the strokes of a line of bold print."""
    left, top, right, bottom = lattice.bounds
    large = right - left >= _NARROWEST * dpi and bottom - top >= _LOWEST * dpi
    return large and len(lattice.cells) <= _MOST_CELLS


def _segments(mask: Bitmap, dpi: float) -> list[Line]:
    """The runs of a mask of level lines."""
    count, pieces, stats, centres = cv2.connectedComponentsWithStats(mask)
    found: list[Line] = []
    if count > _MOST_PIECES:
        return found
    for number in range(1, count):
        left, top, width, height, area = (int(v) for v in stats[number])
        if area / width > _THICKEST * dpi or height > 2 * _THICKEST * dpi:
            # A line that letters hang on: where most of it runs.
            piece = pieces[top : top + height, left : left + width] == number
            middle = int(piece.sum(axis=1).argmax())
            along = np.nonzero(piece[max(0, middle - 1) : middle + 2].any(axis=0))[0]
            found.append(Line(float(top + middle), left + float(along[0]), left + along[-1] + 1.0))
        else:
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


class _Ruling:
    """Judges level lines by the darkness under them; for upright ones the page lies on its side."""

    def __init__(self, darkness: Bitmap, lines: list[Line], dpi: float) -> None:
        self._darkness = darkness
        self._dpi = dpi
        self._reach = _REACH * dpi
        long = [line for line in lines if line.end - line.start > _NARROWEST * dpi]
        self._usual = float(np.median([np.median(self._under(line)) for line in long or lines]))

    def held(self, lines: list[Line], others: list[Line]) -> list[Line]:
        """The lines that run from one of the others to another, cut off there: no strokes of
        letters, which stop short, and no underlines.
        """
        held: list[Line] = []
        for line in lines:
            met = sorted({other.at for other in others if self._meet(line, other)})
            for drawn in self._drawn(line.at, met):
                short = drawn.end - drawn.start <= _SHORT * self._dpi
                if not short or not self._is_crossed(drawn):
                    held.append(drawn)
        return held

    def _drawn(self, at: float, met: list[float]) -> list[Line]:
        """The parts of a line, between others that it meets, that are drawn from end to end."""
        if len(met) < 2:
            return []
        # A long line may be worn where it is short of nothing else.
        breaks = _WORN if self._is_drawn(Line(at, met[0], met[-1]), _BREAKS) else _BREAKS
        drawn: list[Line] = []
        for start, end in pairwise(met):
            piece = Line(at, start, end)
            if end - start <= 2 * self._reach or self._is_drawn(piece, breaks):
                if drawn and drawn[-1].end >= start:
                    piece = Line(at, drawn.pop().start, end)
                drawn.append(piece)
        return [line for line in drawn if line.end - line.start > 2 * self._reach]

    def completed(self, lines: list[Line], others: list[Line]) -> list[Line]:
        """With pale pieces that stand in line with another line, between two that cross it."""
        more = list(lines)
        for at in {line.at for line in lines}:
            crossing = sorted(
                other.at
                for other in others
                if other.start - self._reach <= at and at <= other.end + self._reach
            )
            for start, end in pairwise(crossing):
                piece = Line(at, start, end)
                long = end - start > 2 * self._reach
                if long and self._is_drawn(piece, _BREAKS) and not self._is_crossed(piece):
                    more.append(piece)
        return more

    def _meet(self, one: Line, other: Line) -> bool:
        reach = self._reach
        return (
            one.start - reach <= other.at <= one.end + reach
            and other.start - reach <= one.at <= other.end + reach
        )

    def _under(self, line: Line) -> npt.NDArray[np.uint8]:
        at = round(line.at)
        band = self._darkness[max(0, at - 1) : at + 2, round(line.start) : round(line.end) + 1]
        return np.asarray(band.max(axis=0), dtype=np.uint8)

    def _is_drawn(self, line: Line, breaks: float) -> bool:
        """Is it dark from end to end? A stroke between two lines is not, at its ends."""
        return float(np.percentile(self._under(line), breaks)) >= _PALEST * self._usual

    def _is_crossed(self, line: Line) -> bool:
        """Is there ink beside a short line? Letters have strokes across, a line has paper."""
        at, near, far = round(line.at), round(_NEAR * self._dpi), round(_FAR * self._dpi)
        along = slice(round(line.start) + near, round(line.end) - near + 1)
        sides = (
            self._darkness[max(0, at - far) : at - near + 1, along],
            self._darkness[at + near : at + far + 1, along],
        )
        return any(side.size and float((side > 255 * LINE).mean()) > _INKED for side in sides)

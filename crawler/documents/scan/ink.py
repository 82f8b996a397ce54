"""What stands in a cell: its marks, whether it is blank, and its lines of print as strips."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from crawler.documents.model import Box
from crawler.documents.scan.recognition import HEIGHT
from crawler.documents.scan.sheet import Bitmap, Sheet

# In inches.
_TRIM = 0.045
_SLIVER = 0.014
_MARK = 0.027
_POINT = 0.012
_LETTER = 0.13  # the height of a letter of 9 points
# The share of a cell's side from which on a thicker remainder is that of its line.
_ALONG = 0.6
# A smudge this dark (of 255) is too much for paper and too little for print.
_PALE = 60
# From here on (of 255) it is print.
_DARK = 70


class Mark(NamedTuple):
    """A connected piece of ink within a cell."""

    left: int
    top: int
    right: int
    bottom: int
    area: int


@dataclass(frozen=True, slots=True)
class Content:
    """A cell's inside: `darkness`, its `lines` of marks, top to bottom, each from left to right.

    `whole` is False where ink runs out of the cell, and `clear` False where it cannot be told
    whether there is ink.
    """

    darkness: Bitmap
    lines: tuple[tuple[Mark, ...], ...]
    whole: bool
    clear: bool

    @property
    def is_close(self) -> bool:
        """Does each mark of a line stand nearer to the next than print is high?"""
        return all(
            right.left - left.right <= max(m.bottom - m.top for m in line)
            for line in self.lines
            for left, right in pairwise(line)
        )


def content(sheet: Sheet, box: Box) -> Content:
    left, top, right, bottom = _inside(sheet, box)
    darkness = sheet.darkness[top:bottom, left:right]
    if not darkness.size:
        return Content(darkness, (), True, True)
    smooth = cv2.GaussianBlur(darkness, (0, 0), 0.7 * sheet.dpi / 150)
    count, _, stats, _ = cv2.connectedComponentsWithStats((smooth > _DARK).astype(np.uint8))
    height, width = darkness.shape
    marks: list[Mark] = []
    whole = True
    for number in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[number])
        at_edge = x == 0 or y == 0 or x + w == width or y + h == height
        beside = w if x == 0 or x + w == width else 0
        beyond = h if y == 0 or y + h == height else 0
        if at_edge and (
            _is_residue(beside, h / height, sheet.dpi) or _is_residue(beyond, w / width, sheet.dpi)
        ):
            continue
        whole = whole and not at_edge
        marks.append(Mark(x, y, x + w, y + h, area))
    large = [m for m in marks if max(m.right - m.left, m.bottom - m.top) >= _MARK * sheet.dpi]
    if not large:
        faint = cv2.GaussianBlur(darkness, (0, 0), 1.5 * sheet.dpi / 150)
        inner = faint[3:-3, 3:-3]
        return Content(darkness, (), True, not inner.size or int(inner.max()) < _PALE)
    near = [m for m in marks if m in large or _is_beside(m, large, sheet.dpi)]
    return Content(darkness, _lines(near, sheet.dpi), whole, True)


def _is_residue(thick: int, share: float, dpi: float) -> bool:
    """Is this what is left of a ruling line? Thinner than a digit, or as long as the cell."""
    return 0 < thick <= _SLIVER * dpi or (0 < thick <= _TRIM / 2 * dpi and share >= _ALONG)


def _is_beside(mark: Mark, large: list[Mark], dpi: float) -> bool:
    """Is a small mark a point or a comma of the print beside it, and no speck?"""
    if max(mark.right - mark.left, mark.bottom - mark.top) < _POINT * dpi or mark.area < 4:
        return False
    reach = 0.05 * dpi
    return any(
        mark.left - reach <= other.right
        and other.left <= mark.right + reach
        and mark.top - reach / 2 <= other.bottom
        and other.top <= mark.bottom + reach
        for other in large
    )


def _inside(sheet: Sheet, box: Box) -> tuple[int, int, int, int]:
    """The cell without the ruling lines around it, wherever exactly they run along it."""
    left, top, right, bottom = (round(v) for v in box)
    trim = round(_TRIM * sheet.dpi)
    across, down = sheet.across, sheet.down

    def eaten(mask: Bitmap) -> int:
        """How far from its first row a line reaches into a strip beside an edge."""
        if not mask.size:
            return 0
        rows = np.nonzero(mask.mean(axis=1) > 0.3)[0]
        return int(rows[-1]) + 1 if rows.size else 1

    return (
        left + eaten(down[top:bottom, left : left + trim].T),
        top + eaten(across[top : top + trim, left:right]),
        right - eaten(down[top:bottom, right - trim : right].T[::-1]),
        bottom - eaten(across[bottom - trim : bottom, left:right][::-1]),
    )


def _lines(marks: list[Mark], dpi: float) -> tuple[tuple[Mark, ...], ...]:
    """Marks as lines of print: one beside another stands in its line."""
    bands: list[tuple[int, int, list[Mark]]] = []
    for mark in sorted(marks, key=lambda m: m.top):
        if bands:
            top, bottom, members = bands[-1]
            joined = max(bottom, mark.bottom) - top
            if mark.top < bottom or joined <= _LETTER * dpi * 1.1:
                bands[-1] = (top, max(bottom, mark.bottom), [*members, mark])
                continue
        bands.append((mark.top, mark.bottom, [mark]))
    return tuple(tuple(sorted(members)) for _, _, members in bands)


def strip(found: Content, fill: float, blur: float = 0.0) -> Bitmap:
    """The lines of a cell beside each other on one strip of HEIGHT; print takes up `fill` of it.
    With a blur, specks around the marks are left out: what they change, the readings differ in.
    """
    parts = [_scaled(found, line, fill, blur) for line in found.lines]
    return np.asarray(np.hstack(parts), dtype=np.uint8)


def _scaled(found: Content, line: tuple[Mark, ...], fill: float, blur: float) -> Bitmap:
    left, right = min(m.left for m in line), max(m.right for m in line)
    top, bottom = min(m.top for m in line), max(m.bottom for m in line)
    tall = max(bottom - top, (right - left) // 2, 6) if len(line) == 1 else bottom - top
    pad = (tall / fill - tall) / 2
    middle = (top + bottom) / 2
    height = tall + 2 * pad
    source = found.darkness
    if blur:
        alone = np.zeros_like(source)
        for mark in line:
            rows = slice(max(0, mark.top - 2), mark.bottom + 2)
            part = (rows, slice(max(0, mark.left - 2), mark.right + 2))
            alone[part] = source[part]
        source = np.asarray(cv2.GaussianBlur(alone, (0, 0), blur), dtype=np.uint8)
    scale = HEIGHT / height
    width = max(8, round((right - left + 2 * pad) * scale))
    move = np.array(
        [[scale, 0, (pad - left) * scale], [0, scale, (height / 2 - middle) * scale]],
        dtype=np.float32,
    )
    drawn = cv2.warpAffine(source, move, (width, HEIGHT), flags=cv2.INTER_CUBIC)
    return np.asarray(255 - drawn, dtype=np.uint8)


def slant(found: Content) -> float:
    """How ink leans: -1 for a slash, 0 for upright or even, from the correlation of its places.
    Only a single mark leans; of several 0.
    """
    if len(found.lines) != 1 or len(found.lines[0]) != 1:
        return 0.0
    left, top, right, bottom, _ = found.lines[0][0]
    ys, xs = np.nonzero(found.darkness[top:bottom, left:right] > _DARK)
    if len(set(ys)) < 3 or len(set(xs)) < 3:
        return 0.0
    return float(np.corrcoef(xs, ys)[0, 1])

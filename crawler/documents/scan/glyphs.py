"""Digits of one page against each other: in one print, what looks alike is the same digit.

An opinion of its own beside the recognition: a digit that looks like those read otherwise is not
sure, and one read with some doubt is, where it looks like those read without.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from crawler.documents.scan.ink import Content

_DIGITS = re.compile(r"\d+")
_SIDE = 16
# Read without doubt; read with so little of it that likeness may settle it; and what it then is.
_SURE, _NEARLY, _SETTLED = 0.9, 0.5, 0.95
# Likeness (a correlation) of the same digit; how much less like others must be to settle a doubt,
# and how much more to raise one.
_ALIKE = 0.85
_APART = 0.04
_ANOTHER = 0.10

_Shape = npt.NDArray[np.float32]


class Sight(NamedTuple):
    """A cell on a page: its ink, what it was read as, and how surely."""

    content: Content
    text: str
    confidence: float


def compared(cells: Sequence[Sight]) -> list[float]:
    """The confidence of each cell, after its digits were held against those of the others."""
    shapes = [_shapes(cell) for cell in cells]
    known = [
        (number, digit, shape)
        for number, cell in enumerate(cells)
        if cell.confidence >= _SURE
        for digit, shape in zip(cell.text, shapes[number], strict=False)
    ]
    return [
        _opinion(number, cell, shapes[number], known) if shapes[number] else cell.confidence
        for number, cell in enumerate(cells)
    ]


def _opinion(
    number: int, cell: Sight, shapes: list[_Shape], known: list[tuple[int, str, _Shape]]
) -> float:
    likened = True
    for digit, shape in zip(cell.text, shapes, strict=True):
        same = other = -1.0
        for where, what, against in known:
            if where == number:
                continue
            likeness = float(shape @ against)
            if what == digit:
                same = max(same, likeness)
            else:
                other = max(other, likeness)
        if same > -1 and other > same + _ANOTHER:
            return 0.0
        likened = likened and same >= _ALIKE and same > other + _APART
    if _NEARLY <= cell.confidence < _SURE and likened:
        return _SETTLED
    return cell.confidence


def _shapes(cell: Sight) -> list[_Shape]:
    """The digits of a number, each as a vector of length one; empty where they are not apart."""
    if not _DIGITS.fullmatch(cell.text) or len(cell.content.lines) != 1:
        return []
    line = cell.content.lines[0]
    if len(line) != len(cell.text):
        return []
    return [_shape(cell.content.darkness[m.top : m.bottom, m.left : m.right]) for m in line]


def _shape(ink: npt.NDArray[np.uint8]) -> _Shape:
    height, width = ink.shape
    wide = min(_SIDE, max(2, round(width * _SIDE / height)))
    square = np.zeros((_SIDE, _SIDE), dtype=np.float32)
    left = (_SIDE - wide) // 2
    square[:, left : left + wide] = cv2.resize(ink, (wide, _SIDE), interpolation=cv2.INTER_AREA)
    smooth = np.asarray(cv2.GaussianBlur(square, (0, 0), 0.8), dtype=np.float32).ravel()
    centred = smooth - smooth.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-6), dtype=np.float32)

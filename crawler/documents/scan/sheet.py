"""A scanned page made straight and even: white paper, dark ink, ruling lines level.

All lengths are in pixels of the straightened page, all angles in degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Bitmap = npt.NDArray[np.uint8]

# The resolutions the recognition was proved at; a finer page is reduced to the upper one.
_LEAST_DPI = 150
_MOST_DPI = 200
_A4_INCHES = 8.27
# An A3 page at the upper one has eight million pixels; what is larger is not drawn larger still.
_MOST_PIXELS = 16_000_000
_STEEPEST = 4
# Of the darkest ink: what is darker than this is ink, what is paler than FAINT is paper.
_INK = 0.40
LINE = 0.24
# The shortest ruling lines, in inches: the width and the height of a cell.
_SHORTEST_LEVEL = 0.25
_SHORTEST_UPRIGHT = 0.16


@dataclass(frozen=True, slots=True)
class Sheet:
    """`darkness` is 0 for paper and 255 for the page's own black; `ink` its mask (0 or 255)
    without specks; `across` and `down` are the masks of the ruling lines (0 or 1).
    """

    darkness: Bitmap
    ink: Bitmap
    across: Bitmap
    down: Bitmap
    dpi: float


def prepare(image: Bitmap, dpi: int) -> Sheet:
    """A grey page as scanned → a Sheet. `dpi` 0: unknown, the page is taken for A4."""
    image, resolution = _at_working_size(image, float(dpi) or image.shape[1] / _A4_INCHES)
    darkness = _evened(image)
    angle = _coarse_skew(darkness)
    turned = _turned(darkness, angle)
    more = _fine_skew(turned, resolution)
    if abs(more) > 0.01:
        turned = _turned(darkness, angle + more)
    ink = _despeckled(turned, resolution)
    across, down = _lines(turned, resolution)
    return Sheet(turned, ink, across, down, resolution)


def _at_working_size(image: Bitmap, dpi: float) -> tuple[Bitmap, float]:
    factor = 1.0
    if dpi > _MOST_DPI:
        factor = _MOST_DPI / dpi
    elif dpi < _LEAST_DPI:
        factor = _LEAST_DPI / dpi
    if abs(factor - 1) < 0.02 or (factor > 1 and image.size * factor**2 > _MOST_PIXELS):
        return image, dpi
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return _bitmap(cv2.resize(image, None, fx=factor, fy=factor, interpolation=how)), dpi * factor


def _evened(image: Bitmap) -> Bitmap:
    """Darkness over the paper around, whatever the light: 255 is the ink of this page."""
    small = cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))
    paper = cv2.medianBlur(cv2.dilate(small, kernel), 21)
    paper = cv2.resize(paper, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    level = np.clip(255 - image.astype(np.float32) * 255 / np.maximum(paper, 1), 0, 255)
    # The grain of the paper itself is not darkness.
    floor = float(np.median(level))
    smooth = cv2.GaussianBlur(level, (0, 0), 0.8)
    strong = smooth[smooth > 60]
    black = float(np.percentile(strong, 95)) if strong.size else 255.0
    return _bitmap(np.clip((level - floor) * 255 / max(black - floor, 60.0), 0, 255))


def _turned(darkness: Bitmap, angle: float) -> Bitmap:
    if not angle:
        return darkness
    height, width = darkness.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    return _bitmap(cv2.warpAffine(darkness, turn, (width, height), flags=cv2.INTER_CUBIC))


def _coarse_skew(darkness: Bitmap) -> float:
    """The angle at which rows of print stand out best, to a tenth of a degree."""
    factor = min(1.0, 800 / max(darkness.shape))
    small = _bitmap(cv2.resize(darkness, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))

    def contrast(angle: float) -> float:
        rows = _turned(small, angle).sum(axis=1, dtype=np.float64)
        return float(np.square(np.diff(rows)).sum())

    best = max((step / 2 for step in range(-_STEEPEST * 2, _STEEPEST * 2 + 1)), key=contrast)
    return max((best + step / 10 for step in range(-4, 5)), key=contrast)


def _fine_skew(darkness: Bitmap, dpi: float) -> float:
    """What is left of the skew, from the slope of the long ruling lines; 0 without any."""
    across, _ = _lines(darkness, dpi)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(across)
    slopes: list[tuple[float, float]] = []
    for number in range(1, count):
        left, top, width, height = (int(v) for v in stats[number][:4])
        if width < 1.5 * dpi or height > 0.15 * width:
            continue
        part = labels[top : top + height, left : left + width] == number
        ys, xs = np.nonzero(part)
        slopes.append((float(np.polyfit(xs, ys, 1)[0]), float(width)))
    if not slopes:
        return 0.0
    slopes.sort()
    reach = np.cumsum([width for _, width in slopes])
    middle = int(np.searchsorted(reach, reach[-1] / 2))
    return float(np.degrees(np.arctan(slopes[middle][0])))


def _lines(darkness: Bitmap, dpi: float) -> tuple[Bitmap, Bitmap]:
    """Masks of what runs level or upright for longer than any stroke of a letter."""
    level, upright = evened_along(darkness), evened_along(darkness.T)
    return (
        _runs(_bitmap(level > 255 * LINE), round(dpi * _SHORTEST_LEVEL)),
        _runs(_bitmap(upright > 255 * LINE), round(dpi * _SHORTEST_UPRIGHT)).T,
    )


def evened_along(darkness: Bitmap) -> Bitmap:
    """The grain evened out along level lines."""
    return _bitmap(cv2.blur(np.ascontiguousarray(darkness), (5, 1)))


def _runs(dark: Bitmap, length: int) -> Bitmap:
    """The level runs of a mask. A line a pixel thick may step once, and noise may break it."""
    mask = cv2.dilate(dark, np.ones((3, 1), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((1, 5), np.uint8))
    return _bitmap(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, length), np.uint8)))


def _despeckled(darkness: Bitmap, dpi: float) -> Bitmap:
    """The mask of ink without grains smaller than a point of print."""
    mask = (darkness > 255 * _INK).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    least = max(2.0, 3.5 * (dpi / 150) ** 2)
    small = areas < least
    small[0] = False
    return _bitmap(((mask > 0) & ~small[labels]).astype(np.uint8) * 255)


def _bitmap(image: object) -> Bitmap:
    return np.asarray(image, dtype=np.uint8)

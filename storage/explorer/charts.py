"""A cell over the years as a picture: SVG made here, without script and without outside fonts.

Drawn by hand and not by a library of charts, because what matters is what is *not* there: a year
without a number is a gap that says why, and where the form changes the line ends, a mark stands
between, and nothing crosses it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import ceil, floor, log10

# Of the whole picture, in its own units; it is shown as wide as there is room.
WIDTH, HEIGHT = 760, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 18, 30, 46
# At most so many lines across.
_TICKS = 4

# Both grounds are in the picture itself: as an image it follows the page's.
STYLE = (
    "text{font:13px system-ui,'Noto Sans CJK SC',sans-serif;fill:#4f5660}"
    ".paper{fill:#fff}"
    ".value{fill:#1b1d21;font-weight:600;stroke:#fff;stroke-width:4;paint-order:stroke}.grid{stroke:#d5d9de}.axis{stroke:#757d87}"
    ".line{stroke:#0b4f9e;stroke-width:2;fill:none}.dot{fill:#0b4f9e}"
    ".break{stroke:#9c2f10;stroke-width:2;stroke-dasharray:5 4}.said{fill:#9c2f10}"
    ".gap{fill:#f1f3f5}"
    "@media(prefers-color-scheme:dark){text{fill:#b1b8c0}.paper{fill:#15171a}"
    ".value{fill:#e6e8ea;stroke:#15171a}.grid{stroke:#363b42}"
    ".axis{stroke:#858d97}.line{stroke:#8ab8ff}.dot{fill:#8ab8ff}.break{stroke:#ffb499}"
    ".said{fill:#ffb499}.gap{fill:#22262b}}"
)
# A picture that is opened by itself is a page: it may have this style and nothing else.
_DIGEST = b64encode(sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True)
class Year:
    """A year of the axis: its number, or in a word why there is none. `breaks`: the form of this
    report is another than that of the one before.
    """

    year: int
    value: float | None
    shown: str
    why: str
    breaks: bool


@dataclass(frozen=True, slots=True)
class Mark:
    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the template lays down: `lines` are runs of points that nothing interrupts."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    ticks: Sequence[Mark]
    years: Sequence[Mark]
    gaps: Sequence[tuple[float, float, str]]
    breaks: Sequence[float]
    lines: Sequence[Sequence[Mark]]


def draw(years: Sequence[Year]) -> Drawing:
    """Years in their order, one after the other."""
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    step = (right - _LEFT) / len(years)
    numbers = [each.value for each in years if each.value is not None]
    low, high, tick = _scale(min([0.0, *numbers]), max([0.0, *numbers]))

    def x(place: int) -> float:
        return round(_LEFT + (place + 0.5) * step, 1)

    def y(value: float) -> float:
        return round(bottom - (value - low) / (high - low) * (bottom - _TOP), 1)

    marks = [
        None if each.value is None else Mark(x(place), y(each.value), each.shown)
        for place, each in enumerate(years)
    ]
    return Drawing(
        width=WIDTH,
        height=HEIGHT,
        left=_LEFT,
        right=right,
        top=_TOP,
        bottom=bottom,
        ticks=[Mark(_LEFT, y(value), f"{value:,.10g}") for value in _steps(low, high, tick)],
        years=[Mark(x(place), bottom, str(each.year)) for place, each in enumerate(years)],
        gaps=[
            (round(_LEFT + place * step, 1), round(step, 1), each.why)
            for place, each in enumerate(years)
            if each.value is None
        ],
        breaks=[round(_LEFT + place * step, 1) for place, each in enumerate(years) if each.breaks],
        lines=list(_lines(years, marks)),
    )


def _lines(years: Sequence[Year], marks: Sequence[Mark | None]) -> Iterator[list[Mark]]:
    line: list[Mark] = []
    for each, mark in zip(years, marks, strict=True):
        if (mark is None or each.breaks) and line:
            yield line
            line = []
        if mark is not None:
            line.append(mark)
    if line:
        yield line


def _scale(low: float, high: float) -> tuple[float, float, float]:
    """Bounds and step of the axis in round figures.

    >>> _scale(0, 1345)
    (0.0, 1500.0, 500.0)
    """
    span = (high - low) or 1.0
    raw = span / _TICKS
    power = 10.0 ** floor(log10(raw))
    tick = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    if span == ceil(span):
        tick = max(tick, 1.0)
    return floor(low / tick) * tick, (ceil(high / tick) or 1) * tick, tick


def _steps(low: float, high: float, tick: float) -> Iterator[float]:
    for place in range(round((high - low) / tick) + 1):
        yield low + place * tick

"""What does one cell say over the years, organ by organ, and where does the form change?"""

from __future__ import annotations

from typing import TypedDict

import sqlalchemy as sa

from storage.asof import AsOf
from storage.care.leaving import leaves
from storage.care.withdrawals import Tombstone
from storage.queries.report import number
from storage.readings.onecell import (
    NO_FIGURES,
    WITHDRAWN,
    Corrected,
    Found,
    Scope,
    corrected,
    found,
    stones,
)


class Point(TypedDict):
    """The cell in one report. `state` is that of the cell, or no_cell (its form has none),
    no_figures (no statutory tables were read) or withdrawn (`withdrawn` says since when and why).
    `unit` is what the cell itself carries. `breaks`: the layout is another than that of the
    organ's report before. `corrected_*` are null where nobody holds anything against it.
    """

    division_code: str
    organ: str
    kind: str
    year: int
    layout: str | None
    breaks: bool
    raw: str
    state: str
    value: int | float | None
    unit: str | None
    corrected_raw: str | None
    corrected_value: int | float | None
    report_id: int
    version_id: int | None
    reading_id: int | None
    withdrawn: str | None


@leaves
def series(
    connection: sa.Connection,
    *,
    cell: str,
    organ_id: int | None = None,
    division: str | None = None,
    year: int | None = None,
    as_of: AsOf | None = None,
) -> list[Point]:
    """By division, organ and year; years of which the archive has no report have no point.

    Raises BadQuestion where no form has such a cell.
    """
    scope = Scope(division=division, organ_id=organ_id, year=year, as_of=as_of)
    held, hidden = corrected(connection, cell, as_of), stones(connection, scope)
    points = [
        _point(each, held.get(each.report_id))
        for each in found(connection, cell, scope)
        if each.reading_id is not None or each.report_id not in hidden
    ]
    shown = {point["report_id"] for point in points}
    points += [_tombstone(stone) for key, stone in hidden.items() if key not in shown]
    points.sort(key=lambda each: (each["division_code"], each["organ"], each["year"]))
    _mark_breaks(points)
    return points


def _mark_breaks(points: list[Point]) -> None:
    """Only between statutory tables: prose before them has no cell to compare."""
    before: Point | None = None
    for point in points:
        if point["state"] in (NO_FIGURES, WITHDRAWN):
            continue
        same = before is not None and (before["division_code"], before["organ"]) == (
            point["division_code"],
            point["organ"],
        )
        point["breaks"] = bool(same and before and before["layout"] != point["layout"])
        before = point


def _point(each: Found, held: Corrected | None) -> Point:
    return Point(
        division_code=each.division_code,
        organ=each.organ,
        kind=each.kind,
        year=each.year,
        layout=each.layout,
        breaks=False,
        raw=each.raw,
        state=each.state,
        value=number(each.value),
        unit=each.unit,
        corrected_raw=held.raw if held else None,
        corrected_value=number(held.value) if held else None,
        report_id=each.report_id,
        version_id=each.version_id,
        reading_id=each.reading_id,
        withdrawn=None,
    )


def _tombstone(stone: Tombstone) -> Point:
    return Point(
        division_code=stone.division_code,
        organ=stone.organ,
        kind="",
        year=stone.year,
        layout=None,
        breaks=False,
        raw="",
        state=WITHDRAWN,
        value=None,
        unit=None,
        corrected_raw=None,
        corrected_value=None,
        report_id=stone.report_id,
        version_id=None,
        reading_id=None,
        withdrawn=stone.sentence,
    )

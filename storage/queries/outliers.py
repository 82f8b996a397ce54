"""Which figures stand far from the organ's own years, or from its peers of the same year?"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from math import copysign, log, log1p
from pathlib import Path
from statistics import fmean, median
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict

import sqlalchemy as sa

from storage.asof import AsOf
from storage.care.leaving import leaves
from storage.errors import BadQuestion
from storage.queries.report import number
from storage.readings.onecell import Corrected, Found, Scope, corrected, found
from storage.schema import organs

Against: TypeAlias = Literal["own_years", "peers"]

# To the standard deviation of normal figures, from their median and their mean deviation.
_OF_MEDIAN, _OF_MEAN = 0.6745, 0.7979


class Outlier(TypedDict):
    """A figure far from others, as published. `points` are those compared, itself among them;
    `median` is theirs, `score` how many robust deviations lie between, on a logarithmic scale.
    """

    division_code: str
    organ: str
    kind: str
    year: int
    cell: str
    value: int | float
    unit: str | None
    corrected_value: int | float | None
    against: Against
    points: int
    median: int | float
    score: float
    reason: str
    reason_zh: str
    report_id: int
    version_id: int | None
    reading_id: int | None


@leaves
def outliers(
    connection: sa.Connection,
    *,
    cell: str,
    organ_id: int | None = None,
    division: str | None = None,
    year: int | None = None,
    kind: str | None = None,
    limit: int | None = None,
    as_of: AsOf | None = None,
) -> list[Outlier]:
    """The farthest first. Own years need an organ or a division; with a year alone figures are held
    against their peers only.

    Nothing is said where there are too few to compare. Raises BadQuestion where neither an organ,
    a division nor a year is named, or no form has such a cell.
    """
    if organ_id is None and division is None and year is None:
        raise BadQuestion("outliers of the whole archive: name an organ, a division or a year")
    around = _around(connection, organ_id, division, year, as_of)
    known = [each for each in found(connection, cell, around) if each.value is not None]
    wanted = {
        each.report_id
        for each in known
        if organ_id in (None, each.organ_id)
        and year in (None, each.year)
        and kind in (None, each.kind)
        and each.division_code.startswith(division or "")
    }
    held = corrected(connection, cell, as_of)
    told = [
        _told(cell, far, held.get(far.each.report_id))
        for group, against in _groups(cell, known, alone=organ_id is None and division is None)
        for far in _far(group, against)
        if far.each.report_id in wanted
    ]
    told.sort(key=lambda each: (-abs(each["score"]), each["division_code"], each["organ"]))
    return told[:limit]


@cache
def _rules() -> Mapping[str, Any]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def _around(
    connection: sa.Connection,
    organ_id: int | None,
    division: str | None,
    year: int | None,
    as_of: AsOf | None,
) -> Scope:
    """The city of what is asked about, in all years; all cities in one year."""
    code = division
    if organ_id is not None:
        query = sa.select(organs.c.division_code).where(organs.c.id == organ_id)
        code = connection.execute(query).scalar_one()
    if code is None:
        return Scope(year=year, as_of=as_of)
    return Scope(division=code[: _rules()["limits"]["city"]], as_of=as_of)


def _groups(
    cell: str, known: Sequence[Found], *, alone: bool
) -> Iterator[tuple[list[Found], Against]]:
    limits = _rules()["limits"]
    any_layout = cell.partition(".")[0] in limits["any_layout"]
    own: dict[Any, list[Found]] = defaultdict(list)
    peers: dict[Any, list[Found]] = defaultdict(list)
    for each in known:
        alike = (each.unit, None if any_layout else each.layout)
        own[each.organ_id, alike].append(each)
        city = each.division_code[: limits["city"]]
        peers[city, each.kind, each.year, alike].append(each)
    if not alone:
        yield from ((group, "own_years") for group in own.values())
    yield from ((group, "peers") for group in peers.values())


class _Far(NamedTuple):
    """A figure that is far from the median of so many points."""

    each: Found
    against: Against
    points: int
    middle: float
    score: float


def _far(group: Sequence[Found], against: Against) -> Iterator[_Far]:
    """Of a group those far from its median."""
    limits = _rules()["limits"]
    if len(group) < limits[against]:
        return
    values = [float(each.value or 0) for each in group]
    scaled = [copysign(log1p(abs(value)), value) for value in values]
    middle, centre = median(values), median(scaled)
    step = log(limits["factor"])
    away = [abs(value - centre) for value in scaled]
    # Where more than half are alike their median says nothing of how far the others may be.
    spread = median(away) / _OF_MEDIAN or fmean(away) / _OF_MEAN
    for each, value, place in zip(group, values, scaled, strict=True):
        score = (place - centre) / spread if spread else 0.0
        enough = abs(value - middle) >= limits["least"]
        if enough and abs(score) > limits["score"] and abs(place - centre) >= step:
            yield _Far(each, against, len(group), middle, score)


def _told(cell: str, far: _Far, held: Corrected | None) -> Outlier:
    each, against, points, middle, score = far
    words = _rules()[against]["above" if score > 0 else "below"]
    value = number(each.value)
    assert value is not None
    facts = {
        "value": f"{value:,}",
        "median": f"{middle:,.10g}",
        "points": str(points),
        "score": f"{abs(score):.1f}",
        "year": str(each.year),
    }
    return Outlier(
        division_code=each.division_code,
        organ=each.organ,
        kind=each.kind,
        year=each.year,
        cell=cell,
        value=value,
        unit=each.unit,
        corrected_value=number(held.value) if held else None,
        against=against,
        points=points,
        median=int(middle) if middle == int(middle) else middle,
        score=round(score, 2),
        reason=words["en"].format(**facts),
        reason_zh=words["zh"].format(**facts),
        report_id=each.report_id,
        version_id=each.version_id,
        reading_id=each.reading_id,
    )

"""Does what one year carries forward arrive in the next, and where does the chain break?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from typing import Literal, TypedDict

import sqlalchemy as sa

from storage.asof import AsOf
from storage.care.leaving import leaves
from storage.queries.report import number
from storage.readings.onecell import WITHDRAWN, Corrected, Found, Scope, corrected, found, stones
from storage.schema import organs

OUT, IN = "applications.carried_out", "applications.carried_in"

# The one state of a year of which the archive has no report.
MISSING = "missing"


class CarriedSide(TypedDict):
    """One side of a link; `state` is a cell's, or no_cell, no_figures, withdrawn or missing (the
    archive has no report of the year). `corrected_*`: what a person holds against it, or null.
    """

    year: int
    cell: str
    layout: str | None
    raw: str
    state: str
    value: int | float | None
    corrected_raw: str | None
    corrected_value: int | float | None
    report_id: int | None


class Link(TypedDict):
    """From one year to the next. `difference` is what arrived less what was carried forward, as
    published; `corrected_difference` with the corrections, null where there are none.

    `verdict`: agrees; differs; not_assessable (one side is blank, a dash, words, unread, no
    figures or missing).
    """

    carried_out: CarriedSide
    carried_in: CarriedSide
    difference: int | float | None
    corrected_difference: int | float | None
    verdict: Literal["agrees", "differs", "not_assessable"]


class Chain(TypedDict):
    """An organ's years in one chain, from its first report with statutory tables to its last;
    `missing_years` are those between without a report.
    """

    division_code: str
    organ: str
    kind: str
    column: str
    first_year: int
    last_year: int
    missing_years: list[int]
    agrees: int
    differs: int
    not_assessable: int
    links: list[Link]


@leaves
def carry_over(
    connection: sa.Connection,
    *,
    organ_id: int | None = None,
    division: str | None = None,
    kind: str | None = None,
    column: str = "total",
    limit: int | None = None,
    after: tuple[str, str] | None = None,
    as_of: AsOf | None = None,
) -> list[Chain]:
    """By division and organ: 结转下年度继续办理 of a year against 上年结转 of the next.

    `limit` counts organs; `after` is the division code and name of the last one seen. Raises
    BadQuestion where the applications have no such column.
    """
    scope = Scope(division=division, organ_id=organ_id, kind=kind, as_of=as_of)
    scope = replace(scope, organ_ids=_page(connection, scope, limit, after))
    out, into = f"{OUT}.{column}", f"{IN}.{column}"
    sides = {cell: _by_report(connection, cell, scope) for cell in (out, into)}
    held = {cell: corrected(connection, cell, as_of) for cell in (out, into)}
    hidden = {(each.organ_id, each.year) for each in stones(connection, scope).values()}
    reports = sorted(
        (each for each in sides[out].values() if each.form_id is not None),
        key=lambda each: (each.division_code, each.organ, each.year),
    )
    chains = []
    for _, group in groupby(reports, key=lambda each: each.organ_id):
        mine = list(group)
        years = {each.year: each for each in mine}
        # A report between two with tables that has none itself, or none that could be read.
        others = {
            each.year: each
            for each in sides[out].values()
            if each.organ_id == mine[0].organ_id and each.form_id is None
        }
        links = list(_links({**others, **years}, mine, (out, into), sides[into], held, hidden))
        if links:
            chains.append(_chain(mine, column, links, {**others, **years}, hidden))
    return chains


def _page(
    connection: sa.Connection, scope: Scope, limit: int | None, after: tuple[str, str] | None
) -> list[int] | None:
    """The organs of a page; None for all."""
    if limit is None and after is None:
        return None
    o = organs.c
    query = sa.select(o.id).order_by(o.division_code, o.name).limit(limit)
    for column, value in ((o.id, scope.organ_id), (o.kind, scope.kind)):
        query = query if value is None else query.where(column == value)
    if scope.division is not None:
        query = query.where(o.division_code.startswith(scope.division, autoescape=True))
    if after is not None:
        division, name = after
        later = sa.and_(o.division_code == division, o.name > name)
        query = query.where(sa.or_(o.division_code > division, later))
    return list(connection.execute(query).scalars())


def _by_report(connection: sa.Connection, cell: str, scope: Scope) -> dict[int, Found]:
    return {each.report_id: each for each in found(connection, cell, scope)}


def _links(
    years: Mapping[int, Found],
    mine: list[Found],
    cells: tuple[str, str],
    arrived: Mapping[int, Found],
    held: Mapping[str, Mapping[int, Corrected]],
    hidden: set[tuple[int, int]],
) -> Iterator[Link]:
    out, into = cells
    for year in range(mine[0].year, mine[-1].year):
        before, later = years.get(year), years.get(year + 1)
        gone = [(mine[0].organ_id, each) in hidden for each in (year, year + 1)]
        left = _side(year, out, before, held[out], gone[0])
        there = None if later is None else arrived[later.report_id]
        right = _side(year + 1, into, there, held[into], gone[1])
        yield _link(left, right)


def _side(
    year: int,
    cell: str,
    each: Found | None,
    held: Mapping[int, Corrected],
    hidden: bool,
) -> CarriedSide:
    if each is None or (each.reading_id is None and hidden):
        state = WITHDRAWN if hidden else MISSING
        return CarriedSide(
            year=year,
            cell=cell,
            layout=None,
            raw="",
            state=state,
            value=None,
            corrected_raw=None,
            corrected_value=None,
            report_id=None,
        )
    correction = held.get(each.report_id)
    return CarriedSide(
        year=year,
        cell=cell,
        layout=each.layout,
        raw=each.raw,
        state=each.state,
        value=number(each.value),
        corrected_raw=correction.raw if correction else None,
        corrected_value=number(correction.value) if correction else None,
        report_id=each.report_id,
    )


def _link(left: CarriedSide, right: CarriedSide) -> Link:
    difference = _less(right["value"], left["value"])
    with_corrections = None
    if left["corrected_raw"] is not None or right["corrected_raw"] is not None:
        with_corrections = _less(_best(right), _best(left))
    verdict: Literal["agrees", "differs", "not_assessable"] = "not_assessable"
    if difference is not None:
        verdict = "differs" if difference else "agrees"
    return Link(
        carried_out=left,
        carried_in=right,
        difference=difference,
        corrected_difference=with_corrections,
        verdict=verdict,
    )


def _best(side: CarriedSide) -> int | float | None:
    return side["value"] if side["corrected_raw"] is None else side["corrected_value"]


def _less(one: int | float | None, other: int | float | None) -> int | float | None:
    if one is None or other is None:
        return None
    return number(Decimal(str(one)) - Decimal(str(other)))


def _chain(
    mine: list[Found],
    column: str,
    links: list[Link],
    years: Mapping[int, Found],
    hidden: set[tuple[int, int]],
) -> Chain:
    first = mine[0]
    counted = [link["verdict"] for link in links]
    return Chain(
        division_code=first.division_code,
        organ=first.organ,
        kind=first.kind,
        column=column,
        first_year=first.year,
        last_year=mine[-1].year,
        missing_years=[
            year
            for year in range(first.year, mine[-1].year)
            if year not in years and (first.organ_id, year) not in hidden
        ],
        agrees=counted.count("agrees"),
        differs=counted.count("differs"),
        not_assessable=counted.count("not_assessable"),
        links=links,
    )

"""`/`: what the archive holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.alerts.record import Alert, open_alerts
from storage.explorer.choices import MOST
from storage.explorer.site import Site
from storage.queries.checks import checks
from storage.queries.holdings import Division, Held, Totals, divisions, held, totals
from storage.queries.runs import Run, recorded_runs

_RUNS, _ALERTS = 5, 5
# Digits of the code of a prefecture and of a province.
_LEVELS = (4, 2)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the overview tells; `rows`: each division with its reports by year, or, where they are
    many, those together whose codes begin alike.
    """

    totals: Totals
    findings: int
    years: Sequence[int]
    rows: Sequence[tuple[Division, dict[int, Held]]]
    runs: Sequence[Run]
    alerts: Sequence[Alert]


def holdings(connection: sa.Connection) -> Holdings:
    years, rows = by_year(connection)
    return Holdings(
        totals=totals(connection),
        findings=sum(each["fail"] + each["finding"] for each in checks(connection)),
        years=years,
        rows=rows,
        runs=recorded_runs(connection, limit=_RUNS),
        alerts=open_alerts(connection),
    )


def by_year(
    connection: sa.Connection, division: str | None = None
) -> tuple[Sequence[int], Sequence[tuple[Division, dict[int, Held]]]]:
    """The years, and each division under this beginning of codes with its reports by year; together
    by province or prefecture where they are too many to be looked at.
    """
    known: Sequence[Division] = ()
    digits: int | None = None
    for digits in (None, *(each for each in _LEVELS if each > len(division or ""))):
        known = divisions(connection, division=division, digits=digits, most=MOST)
        if known:
            break
    rows = held(connection, division=division, digits=digits)
    counts = {
        code: {each["year"]: each for each in of}
        for code, of in groupby(rows, key=lambda each: each["division_code"])
    }
    years = years_of([each["year"] for each in rows])
    return years, [(each, counts.get(each["division_code"], {})) for each in known]


def years_of(years: Sequence[int]) -> Sequence[int]:
    """Every year from the first to the last."""
    return range(min(years), max(years) + 1) if years else ()


def routes(site: Site) -> Iterator[Route]:
    def page(request: Request, connection: sa.Connection) -> Response:
        told = site.keep(connection, "overview", lambda: holdings(connection))
        return site.page(request, "overview.html.jinja", holdings=told, most_alerts=_ALERTS)

    yield Route("/", site.answer(page))

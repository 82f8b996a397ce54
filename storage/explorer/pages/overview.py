"""`/`: what the archive holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.alerts import Alert, open_alerts
from storage.explorer.site import Site
from storage.queries.checks import checks
from storage.queries.holdings import Division, Held, Totals, divisions, held, totals
from storage.queries.runs import Run, recorded_runs

_RUNS, _ALERTS = 5, 5


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the overview tells; `rows`: each division with its reports by year."""

    totals: Totals
    findings: int
    years: Sequence[int]
    rows: Sequence[tuple[Division, dict[int, Held]]]
    runs: Sequence[Run]
    alerts: Sequence[Alert]


def holdings(connection: sa.Connection) -> Holdings:
    counts = {
        code: {each["year"]: each for each in rows}
        for code, rows in groupby(held(connection), key=lambda each: each["division_code"])
    }
    known = divisions(connection)
    return Holdings(
        totals=totals(connection),
        findings=sum(each["fail"] + each["finding"] for each in checks(connection)),
        years=years_of([year for by_year in counts.values() for year in by_year]),
        rows=[(each, counts.get(each["division_code"], {})) for each in known],
        runs=recorded_runs(connection, limit=_RUNS),
        alerts=open_alerts(connection),
    )


def years_of(years: Sequence[int]) -> Sequence[int]:
    """Every year from the first to the last."""
    return range(min(years), max(years) + 1) if years else ()


def routes(site: Site) -> Iterator[Route]:
    def page(request: Request, connection: sa.Connection) -> Response:
        told = site.keep(connection, "overview", lambda: holdings(connection))
        return site.page(request, "overview.html.jinja", holdings=told, most_alerts=_ALERTS)

    yield Route("/", site.answer(page))

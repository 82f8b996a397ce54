"""`/runs` and `/runs/{id}`: when the archive was fed, and what each run found."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.explorer.asked import number, whole
from storage.explorer.site import Site, language
from storage.queries.run_report import run_report
from storage.queries.runs import recorded_runs
from storage.runpage import whole_page

# Runs on one page.
_MOST = 50


def routes(site: Site) -> Iterator[Route]:
    def runs(request: Request, connection: sa.Connection) -> Response:
        told = site.keep(connection, "runs", lambda: recorded_runs(connection))
        first = number(request, "from")
        shown = [run for run in told if first is None or run["id"] <= first]
        after = shown[_MOST]["id"] if len(shown) > _MOST else None
        return site.page(
            request, "runs.html.jinja", runs=shown[:_MOST], after=after, count=len(told)
        )

    def run(request: Request, connection: sa.Connection) -> Response:
        run_id = whole("run", request.path_params["run"])
        found = site.keep(connection, ("run", run_id), lambda: run_report(connection, run_id))
        page = whole_page(found, language(request))
        return site.page(request, "run.html.jinja", run=found, page=page)

    yield Route("/runs", site.answer(runs))
    yield Route("/runs/{run}", site.answer(run))

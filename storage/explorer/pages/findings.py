"""`/findings`: what does not add up or wants saying, by rule, each with its report's cell."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.explorer.asked import Unclear, number, word
from storage.explorer.asked import as_of as moment_of
from storage.explorer.choices import choices, division_asked
from storage.explorer.figures import name_of
from storage.explorer.site import Site, language
from storage.queries.checks import Check, checks
from storage.queries.findings import Cursor, OpenFinding, open_findings

# So many findings a page.
PAGE = 50
_CURSOR = (str, str, int, int)


def routes(site: Site) -> Iterator[Route]:
    def page(request: Request, connection: sa.Connection) -> Response:
        division, year = division_asked(request, connection), number(request, "year")
        rule, day = word(request, "rule"), word(request, "as_of")
        as_of = moment_of(request)
        scope: dict[str, Any] = {"division": division, "year": year, "as_of": as_of}
        counted = site.keep(
            connection,
            ("checks", division, year, as_of),
            lambda: _counted(checks(connection, **scope)),
        )
        told = open_findings(connection, rule=rule, limit=PAGE + 1, after=_cursor(request), **scope)
        return site.page(
            request,
            "findings.html.jinja",
            rules=counted,
            total=sum(
                each["fail"] + each["finding"] for each in counted if rule in (None, each["rule"])
            ),
            findings=told[:PAGE],
            cells=[_cell(each) for each in told[:PAGE]],
            name_of=lambda path: name_of(path, language(request)),
            after=json.dumps(_key(told[PAGE - 1]), ensure_ascii=False) if told[PAGE:] else None,
            begun=_cursor(request) is not None,
            known=choices(connection),
            division=division,
            year=year,
            rule=rule,
            day=day,
            basis=as_of.basis if as_of else "known",
        )

    yield Route("/findings", site.answer(page, dated=True))


def _counted(all_rules: Sequence[Check]) -> list[Check]:
    """The rules of which something was found."""
    return [each for each in all_rules if each["fail"] or each["finding"]]


def _cell(finding: OpenFinding) -> str | None:
    """The first cell of the report itself that it names: `2024:…` is one of another."""
    return next((cell for cell in finding["cells"] if ":" not in cell), None)


def _key(last: OpenFinding) -> Cursor:
    return (last["division_code"], last["organ"], last["year"], last["number"])


def _cursor(request: Request) -> Cursor | None:
    """Where the page goes on. Raises Unclear."""
    given = word(request, "after")
    if given is None:
        return None
    try:
        division, organ, year, place = json.loads(given)
    except (ValueError, TypeError, RecursionError) as error:
        raise Unclear("cursor", name="after") from error
    parts = (division, organ, year, place)
    fits = all(type(part) is kind for part, kind in zip(parts, _CURSOR, strict=True))
    if not fits or not 0 <= year < 10**6 or not 0 <= place < 10**6:
        raise Unclear("cursor", name="after")
    return parts

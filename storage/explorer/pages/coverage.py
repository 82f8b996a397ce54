"""`/coverage`: organ × year, what is owed and what is here; `/ledger/…`: the proof of one cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.asof import AsOf
from storage.errors import NotInArchive
from storage.explorer.asked import Unclear, number, one_of, whole, word
from storage.explorer.asked import as_of as moment_of
from storage.explorer.choices import choices, division_asked
from storage.explorer.pages.overview import by_year, years_of
from storage.explorer.site import Site
from storage.ledger.cells import HELD, Cell, Proof, ledger
from storage.queries.holdings import Division, divisions, qualities
from storage.queries.organs import organ_at
from storage.queries.sources import places

KINDS = ("government", "office", "department", "township")
# So many pages of one listing are shown at once; the others stand folded.
_SHOWN_PAGES = 3


@dataclass(frozen=True, slots=True)
class Square:
    """A cell of the map: its state in the ledger, and how well its report was read, if any is."""

    state: str
    quality: str | None
    late_days: int | None


@dataclass(frozen=True, slots=True)
class Row:
    organ: str
    kind: str
    squares: dict[int, Square]


@dataclass(frozen=True, slots=True)
class Map:
    """A division's organs by year."""

    years: Sequence[int]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Looks:
    """The pages of one look at a listing, as proof; or a single look at an address."""

    kind: str
    first: Proof
    pages: Sequence[Proof]


def routes(site: Site) -> Iterator[Route]:
    def coverage(request: Request, connection: sa.Connection) -> Response:
        known = choices(connection)
        year, kind = number(request, "year"), one_of(request, "kind", KINDS)
        day = word(request, "as_of")
        as_of = moment_of(request, bases=("known",))
        code = division_asked(request, connection)
        if code is None and len(known) == 1:
            code = known[0]["division_code"]
        division = None if code is None else exactly(connection, code)
        if code is None or division is None:
            if day is not None:
                raise Unclear("undated", name="as_of")
            years, rows = site.keep(
                connection, ("by year", code), lambda: by_year(connection, code)
            )
            if code is not None and not rows:
                raise NotInArchive(f"the archive knows no division {code}")
            return site.page(
                request, "divisions.html.jinja", years=years, rows=rows, known=known, code=code
            )
        whole_map = site.keep(
            connection, ("map", code, as_of), lambda: map_of(connection, code, as_of)
        )
        shown = narrowed(whole_map, year, kind)
        return site.page(
            request,
            "coverage.html.jinja",
            known=known,
            division=division,
            map=shown,
            every_year=whole_map.years,
            counts=Counter(s.state for row in shown.rows for s in row.squares.values()),
            qualities=Counter(
                s.quality for row in shown.rows for s in row.squares.values() if s.quality
            ),
            year=year,
            kind=kind,
            kinds=KINDS,
            day=day,
        )

    def proof(request: Request, connection: sa.Connection) -> Response:
        path = request.path_params
        organ = organ_at(connection, path["division"], path["organ"])
        year = whole("year", path["year"])
        day = word(request, "as_of")
        as_of = moment_of(request, bases=("known",))
        at = as_of.at if as_of else datetime.now(UTC)
        cells = ledger(
            connection, at=at, division=organ.division_code, organ_id=organ.id, year=year
        )
        if not cells:
            raise NotInArchive(f"{organ.name} owed no report for {year}, and none is here")
        cell = cells[0]
        captures = {each["capture_id"] for each in cell["proof"] if each["capture_id"] is not None}
        return site.page(
            request,
            "proof.html.jinja",
            cell=cell,
            held=cell["state"] in HELD or cell["state"] == "removed",
            looks=looks_of(cell["proof"]),
            places=places(connection, captures),
            division=named(connection, organ.division_code),
            shown_pages=_SHOWN_PAGES,
            day=day,
        )

    yield Route("/coverage", site.answer(coverage, dated=True))
    yield Route("/ledger/{division}/{organ:path}/{year}", site.answer(proof, dated=True))


def named(connection: sa.Connection, code: str) -> Division:
    """The division of a code. Raises NotInArchive."""
    division = exactly(connection, code)
    if division is None:
        raise NotInArchive(f"the archive knows no division {code}")
    return division


def exactly(connection: sa.Connection, code: str) -> Division | None:
    """The division that has this code, if any; others may begin with it."""
    under = divisions(connection, division=code)
    return next((each for each in under if each["division_code"] == code), None)


def map_of(connection: sa.Connection, division: str, as_of: AsOf | None) -> Map:
    at = as_of.at if as_of else datetime.now(UTC)
    read = {
        (each["organ"], each["year"]): each["state"]
        for each in qualities(connection, division=division, as_of=as_of)
    }
    cells = ledger(connection, at=at, division=division)
    rows = [
        Row(
            organ,
            kind,
            {each["year"]: _square(each, read.get((organ, each["year"]))) for each in of},
        )
        for (organ, kind), of in groupby(cells, key=lambda each: (each["organ"], each["kind"]))
    ]
    return Map(years_of([each["year"] for each in cells]), rows)


def _square(cell: Cell, quality: str | None) -> Square:
    return Square(
        cell["state"], quality if cell["state"] != "withdrawn" else None, cell["late_days"]
    )


def narrowed(whole_map: Map, year: int | None, kind: str | None) -> Map:
    """Only one year, only one kind of organ."""
    years = [each for each in whole_map.years if year in (None, each)]
    rows = [
        Row(row.organ, row.kind, {each: row.squares[each] for each in years if each in row.squares})
        for row in whole_map.rows
        if kind in (None, row.kind)
    ]
    return Map(years, rows)


def looks_of(proofs: Sequence[Proof]) -> list[Looks]:
    """The pages of one look at a listing together, in the order of the proof."""

    def same(proof: Proof) -> tuple[object, ...]:
        look = proof["listing_read_id"]
        return (proof["kind"], look) if look else (proof["kind"], proof["capture_id"], proof["url"])

    groups = [list(of) for _, of in groupby(proofs, key=same)]
    return [Looks(of[0]["kind"], of[0], of) for of in groups]

"""`/organs/…`: an organ's life, its reports, and what they say over the years, as pictures."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.errors import BadQuestion, NotInArchive
from storage.explorer.charts import POLICY, STYLE, Year, draw
from storage.explorer.figures import name_of
from storage.explorer.pages.coverage import Row, map_of, named
from storage.explorer.site import HERE, Lang, Site, Words, language, words
from storage.queries.coverage import Field, coverage
from storage.queries.lives import OrganLife, organ_lives
from storage.queries.organs import Organ, organ_at
from storage.queries.series import Point, series

_PATH = "/organs/{division}/{organ:path}"
_NUMBERS = ("number", "zero")


@dataclass(frozen=True, slots=True)
class Series:
    """One cell over the years, of the years in which the archive has statutory tables."""

    cell: str
    label: str
    points: Sequence[Point]
    years: Sequence[Year]


@cache
def cells() -> Sequence[str]:
    """The cells that are shown over the years."""
    return tuple(tomllib.loads((HERE / "series.toml").read_text("utf-8"))["cells"])


def routes(site: Site) -> Iterator[Route]:
    def picture(request: Request, connection: sa.Connection) -> Response:
        path, lang = request.path_params, language(request)
        organ = organ_at(connection, path["division"], path["organ"])
        if path["cell"] not in cells():
            raise NotInArchive(f"no picture is drawn of {path['cell']}")
        told = _series(connection, organ, path["cell"], lang)
        if not told.years:
            raise NotInArchive(f"the archive has no statutory tables of {organ.name}")
        svg = site.templates.get_template("chart.svg.jinja").render(
            d=draw(told.years),
            title=f"{organ.name}: {told.label}",
            style=STYLE,
            broken=_say(lang)["broken"],
        )
        headers = {"Content-Security-Policy": POLICY}
        return Response(svg, media_type="image/svg+xml", headers=headers)

    def page(request: Request, connection: sa.Connection) -> Response:
        path, lang = request.path_params, language(request)
        organ = organ_at(connection, path["division"], path["organ"])
        code = organ.division_code
        whole_map = site.keep(
            connection, ("map", code, None), lambda: map_of(connection, code, None)
        )
        row = next((each for each in whole_map.rows if each.organ == organ.name), None)
        drawn = [_series(connection, organ, cell, lang) for cell in cells()]
        return site.page(
            request,
            "organ.html.jinja",
            organ=organ,
            division=named(connection, code),
            life=_life(connection, organ),
            years=_years(row),
            row=row,
            fields=_fields(connection, organ),
            series=[each for each in drawn if each.years],
        )

    yield Route(f"{_PATH}/series/{{cell}}.svg", site.answer(picture))
    yield Route(_PATH, site.answer(page))


def _life(connection: sa.Connection, organ: Organ) -> OrganLife:
    lives = organ_lives(connection, division=organ.division_code)
    return next(each for each in lives if each["organ"] == organ.name)


def _fields(connection: sa.Connection, organ: Organ) -> dict[int, Field]:
    return {each["year"]: each for each in coverage(connection, organ_id=organ.id)}


def _years(row: Row | None) -> list[int]:
    return sorted(row.squares, reverse=True) if row else []


def _series(connection: sa.Connection, organ: Organ, cell: str, lang: Lang) -> Series:
    try:
        points = series(connection, cell=cell, organ_id=organ.id)
    except BadQuestion:
        # No report of the archive was read by a form that has the cell, nor by any other.
        points = []
    with_tables = [each["year"] for each in points if each["state"] != "no_figures"]
    first = min(with_tables, default=None)
    shown = [each for each in points if first is not None and each["year"] >= first]
    return Series(cell, name_of(cell, lang), shown, list(_axis(shown, _say(lang))))


def _axis(points: Sequence[Point], say: Words) -> Iterator[Year]:
    """Every year from the first to the last; one without a number says why."""
    why = say["why"]
    assert isinstance(why, Words)
    known = {each["year"]: each for each in points}
    for year in range(min(known), max(known) + 1) if known else ():
        point = known.get(year)
        if point is None:
            yield Year(year, None, "", str(why["no_report"]), False)
        elif point["state"] in _NUMBERS and point["value"] is not None:
            value = point["value"]
            yield Year(year, float(value), f"{value:,}", "", point["breaks"])
        else:
            yield Year(year, None, "", str(why[point["state"]]), point["breaks"])


def _say(lang: Lang) -> Words:
    said = words(lang)["organ"]
    assert isinstance(said, Words)
    return said

"""`/cells/…`: where a figure comes from, what it must agree with, what it was in other years."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.errors import NotInArchive
from storage.explorer.figures import full_name_of, name_of, path_of, shown_as
from storage.explorer.pages.report import Asked, named
from storage.explorer.site import Lang, Site, language
from storage.queries.provenance import provenance
from storage.queries.report import Cell, Finding, Report, report
from storage.queries.series import series
from storage.queries.versions import ReadVersion, read_version

_PATH = "/cells/{division}/{organ:path}/{year}/{path}"
# How many of a relation's cells, from its end, stand on the right of the equals sign; else one.
_ON_THE_RIGHT = {"A2": 2}
# Relations between the cells of one table, whose sums can be written out.
_SUMS = ("A1", "A2", "A3", "R1", "R2", "R3")


@dataclass(frozen=True, slots=True)
class Sum:
    """One side of a relation: its terms as (path, name, cell), and what they come to.

    `total` is None where a term is neither a number nor blank; a blank adds nothing to it.
    """

    terms: Sequence[tuple[str, str, Cell]]
    total: str | None


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation with its verdict; the sums are missing where it is none within a table."""

    rule: str
    verdict: str
    sentence: str
    left: Sum | None
    right: Sum | None
    cells: tuple[str, ...]


def routes(site: Site) -> Iterator[Route]:
    def page(request: Request, connection: sa.Connection) -> Response:
        return site.page(request, "cell.html.jinja", **_told(request, connection))

    yield Route(_PATH, site.answer(page, dated=True))


def _told(request: Request, connection: sa.Connection) -> dict[str, Any]:
    asked, path, lang = named(request, connection), request.path_params["path"], language(request)
    chain = None
    if asked.version is None:
        chain = provenance(connection, asked.organ, asked.year, path, as_of=asked.as_of)
    read = read_version(
        connection, asked.organ, asked.year, version_id=asked.version, as_of=asked.as_of
    )
    cells, findings = _said(connection, asked, read)
    if path not in cells or read is None:
        raise NotInArchive(
            f"version {asked.version} of {asked.organ.name} for {asked.year} has no cell {path}"
        )
    cell, layout = cells[path], read["layout"]
    return {
        "asked_for": asked,
        "path_of_cell": path,
        "name": name_of(path, lang, layout),
        "full_name": full_name_of(path, lang, layout),
        "cell": cell,
        "written": shown_as(cell["state"], cell["raw"], cell["value"]),
        "beside": [
            cells[each] for each in cells if each.rsplit(".", 1)[0] == path.rsplit(".", 1)[0]
        ],
        "path_of": path_of,
        "name_of": lambda path: name_of(path, lang, layout),
        "column_of": lambda path: name_of(path, lang, layout).split(" · ")[-1],
        "relations": [
            _relation(each, cells, lang, layout) for each in findings if path in each["cells"]
        ],
        "points": series(connection, cell=path, organ_id=asked.organ.id, as_of=asked.as_of),
        "shown_as": shown_as,
        "read": read,
        "chain": chain,
    }


def _said(
    connection: sa.Connection, asked: Asked, read: ReadVersion | None
) -> tuple[dict[str, Cell], Sequence[Finding]]:
    """The cells by path, and what is said of them: of the version that stands, with corrections and
    what follows from other reports.
    """
    said: Report | ReadVersion | None = read
    if asked.version is None:
        said = report(connection, asked.organ, asked.year, as_of=asked.as_of)
    if said is None:
        return {}, ()
    return {path_of(cell): cell for cell in said["cells"]}, said["findings"]


def _relation(
    found: Finding, cells: Mapping[str, Cell], lang: Lang, layout: str | None
) -> Relation:
    left = right = None
    if found["rule"] in _SUMS and all(path in cells for path in found["cells"]):
        cut = len(found["cells"]) - _ON_THE_RIGHT.get(found["rule"], 1)
        left, right = (
            _sum([cells[path] for path in side], lang, layout)
            for side in (found["cells"][:cut], found["cells"][cut:])
        )
    sentence = found["message_zh"] if lang == "zh" else found["message"]
    return Relation(found["rule"], found["verdict"], sentence, left, right, tuple(found["cells"]))


def _sum(cells: Sequence[Cell], lang: Lang, layout: str | None) -> Sum:
    known = [cell["value"] for cell in cells if cell["value"] is not None]
    judged = all(cell["value"] is not None or cell["state"] == "blank" for cell in cells)
    total = sum((Decimal(str(value)) for value in known), Decimal(0))
    return Sum(
        [(path_of(cell), name_of(path_of(cell), lang, layout), cell) for cell in cells],
        format(total.normalize(), "f") if judged else None,
    )

"""`/export/…`: the report on the page as a file, its figures as CSV, all of it as JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from io import StringIO
from urllib.parse import quote

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.explorer.figures import full_name_of, path_of
from storage.explorer.pages.report import Asked, named
from storage.explorer.site import Site, language
from storage.exports.text import as_text
from storage.queries.report import Report, report
from storage.queries.versions import ReadVersion, read_version

_HEADS = ("cell", "name", "raw", "state", "value", "corrected_raw", "corrected_value")
_PATH = "/export/reports/{division}/{organ:path}/{year}"


def routes(site: Site) -> Iterator[Route]:
    def as_json(request: Request, connection: sa.Connection) -> Response:
        asked = named(request, connection)
        text = json.dumps(_asked(connection, asked), ensure_ascii=False, indent=1) + "\n"
        return _file(text.encode(), "application/json", asked, "json")

    def as_csv(request: Request, connection: sa.Connection) -> Response:
        asked, lang = named(request, connection), language(request)
        told = _asked(connection, asked)
        out = StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(_HEADS)
        for cell in told["cells"]:
            held = cell["correction"]
            row = (
                path_of(cell),
                full_name_of(path_of(cell), lang),
                *(cell["raw"], cell["state"], cell["value"]),
                *((held["raw"], held["value"]) if held else (None, None)),
            )
            writer.writerow([as_text(each) for each in row])
        # A spreadsheet takes UTF-8 for what it is only by its mark.
        return _file(out.getvalue().encode("utf-8-sig"), "text/csv; charset=utf-8", asked, "csv")

    yield Route(f"{_PATH}.json", site.answer(as_json, dated=True))
    yield Route(f"{_PATH}.csv", site.answer(as_csv, dated=True))


def _asked(connection: sa.Connection, asked: Asked) -> Report | ReadVersion:
    """What is on the page: the report, or the version of it that is asked for."""
    if asked.version is not None:
        read = read_version(connection, asked.organ, asked.year, version_id=asked.version)
        assert read is not None
        return read
    return report(connection, asked.organ, asked.year, as_of=asked.as_of)


def _file(body: bytes, kind: str, asked: Asked, ending: str) -> Response:
    version = "" if asked.version is None else f"-{asked.version}"
    name = quote(f"{asked.organ.name}-{asked.year}{version}.{ending}", safe="")
    plain = f"report-{asked.organ.division_code}-{asked.year}{version}.{ending}"
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{name}"
    return Response(body, media_type=kind, headers={"Content-Disposition": disposition})

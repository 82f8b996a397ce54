"""`/reports/…`: what a report says, as published and as read, and where its bytes lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.asof import AsOf
from storage.errors import NotInArchive, Withdrawn
from storage.explorer.asked import as_of as moment_of
from storage.explorer.asked import number, whole
from storage.explorer.figures import figures, name_of
from storage.explorer.site import Site, language
from storage.exports.citing import as_bibtex, in_chinese, in_english
from storage.exports.taking import version_of
from storage.queries.citation import citation
from storage.queries.history import Version, history
from storage.queries.organs import Organ, organ_at
from storage.queries.report import Report, report
from storage.queries.versions import ReadVersion, read_version

_PATH = "/reports/{division}/{organ:path}/{year}"
# Sights of one version that are listed one by one; the others are counted.
_MOST_SIGHTS = 12


@dataclass(frozen=True, slots=True)
class Asked:
    """The report that an address names."""

    organ: Organ
    year: int
    version: int | None
    as_of: AsOf | None


def routes(site: Site) -> Iterator[Route]:
    def page(request: Request, connection: sa.Connection) -> Response:
        try:
            asked = named(request, connection)
            told = _told(request, connection, asked)
            told["cited"] = _cited(connection, site, asked, told["shown"])
        except Withdrawn as stone:
            return _gone(site, request, 410, str(stone))
        except NotInArchive as error:
            return _gone(site, request, 404, str(error))
        return site.page(request, "report.html.jinja", **told)

    yield Route(_PATH, site.answer(page, dated=True))


def named(request: Request, connection: sa.Connection) -> Asked:
    """What the address asks for. Raises NotInArchive, Unclear and BadQuestion."""
    path = request.path_params
    return Asked(
        organ=organ_at(connection, path["division"], path["organ"]),
        year=whole("year", path["year"]),
        version=number(request, "version"),
        as_of=moment_of(request),
    )


def place(asked: Asked, version: int | None = None, part: str = "") -> str:
    """A report, or something of it, as /diff and `archive diff` write it."""
    at = "" if version is None else f"@{version}"
    return f"{asked.organ.name}/{asked.year}{at}{f'#{part}' if part else ''}"


def _told(request: Request, connection: sa.Connection, asked: Asked) -> dict[str, Any]:
    lang = language(request)
    told = report(connection, asked.organ, asked.year, as_of=asked.as_of)
    read = read_version(
        connection, asked.organ, asked.year, version_id=asked.version, as_of=asked.as_of
    )
    versions = history(connection, asked.organ, asked.year, as_of=asked.as_of)
    current = asked.version is None
    cells = told["cells"] if current else (read["cells"] if read else [])
    said = told["findings"] if current else (read["findings"] if read else [])
    layout = read["layout"] if read else None
    shown = _shown(versions, read)
    return {
        "report": told,
        "read": read,
        "asked_for": asked,
        "current": current,
        "state": state_of(read, versions),
        "figures": figures(cells, said, layout, lang),
        "verdicts": Counter(each["verdict"] for each in said if each["verdict"] != "finding"),
        "relations": [each for each in said if each["verdict"] != "finding"],
        "states": Counter(cell["state"] for cell in cells),
        "corrected": [cell for cell in cells if cell["correction"]],
        "versions": versions,
        "shown": shown,
        "sources": _sources(versions, shown),
        "files": _files(told, versions),
        "blocks": _blocks(read),
        "most_sights": _MOST_SIGHTS,
        "name_of": lambda path: name_of(path, lang, layout),
        "place": lambda version=None, part="": place(asked, version, part),
    }


def _cited(
    connection: sa.Connection, site: Site, asked: Asked, shown: Version | None
) -> dict[str, str] | None:
    """How the version on the page is cited; None where nothing was captured."""
    if shown is None:
        return None
    seal = site.keep(connection, "seal", lambda: version_of(site.settings)["sha256"])
    told = citation(connection, asked.organ, asked.year, version_id=shown["id"])
    return {
        "zh": in_chinese(told, seal),
        "en": in_english(told, seal),
        "bibtex": as_bibtex(told, seal),
    }


def state_of(read: ReadVersion | None, versions: Sequence[Version]) -> str:
    """As coverage says it."""
    if read is None or read["layout"] is None or read["layout"] == "unknown":
        pages = [each for each in versions if each["part"] == "page"]
        if not versions:
            return "unreachable"
        return "unread" if pages else "attachment_only"
    if read["layout"] == "old":
        return "old"
    return "partly_read" if any(c["state"] == "unread" for c in read["cells"]) else "read"


def _shown(versions: Sequence[Version], read: ReadVersion | None) -> Version | None:
    """The version on this page with its sights: the one that was read, else the newest page."""
    there = [each for each in versions if each["captures"]]
    if read is not None:
        return next((each for each in there if each["id"] == read["version_id"]), None)
    pages = [each for each in there if each["part"] == "page"] or there
    return max(pages, key=lambda each: (each["last_seen"], each["id"]), default=None)


def _sources(versions: Sequence[Version], shown: Version | None) -> list[Version]:
    """The version that is shown, then the newest of every other page and file."""
    newest: dict[tuple[str, str], Version] = {}
    for each in sorted(versions, key=lambda each: (each["last_seen"], each["id"])):
        if each["captures"]:
            newest[each["part"], each["name"]] = each
    if shown is None:
        return list(newest.values())
    newest.pop((shown["part"], shown["name"]), None)
    return [
        shown,
        *sorted(newest.values(), key=lambda each: (each["part"] != "page", each["name"])),
    ]


def _files(told: Report, versions: Sequence[Version]) -> list[dict[str, Any]]:
    """The attachments with the capture from which each can be had."""
    captured = {
        each["name"]: each["captures"][-1]["id"]
        for each in sorted(versions, key=lambda each: each["last_seen"])
        if each["part"] == "attachment" and each["captures"]
    }
    return [{**each, "capture_id": captured.get(each["name"])} for each in told["attachments"]]


def _blocks(read: ReadVersion | None) -> list[tuple[str, list[Any]]]:
    """The lines of the statistics of 2014 by block, in their order."""
    blocks: dict[str, list[Any]] = {}
    for line in read["indicators"] if read else []:
        blocks.setdefault(line["block"], []).append(line)
    return list(blocks.items())


def _gone(site: Site, request: Request, status: int, sentence: str) -> Response:
    """What stands where a report was withdrawn, or is not."""
    return site.page(
        request,
        "no_report.html.jinja",
        status=status,
        gone=status == 410,
        sentence=sentence,
        division=request.path_params["division"],
        organ=request.path_params["organ"],
        year=request.path_params["year"],
    )

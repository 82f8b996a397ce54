"""`archive schedule`, `archive crontab`: what is due and why, and the lines that have it done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from storage.cli.shared import Json, app, archive, print_json

if TYPE_CHECKING:
    from datetime import datetime

    from storage.schedule.due import Due

Portal = Annotated[str | None, typer.Option("--portal", metavar="KEY", help="Only this portal.")]


@app.command()
def schedule(portal: Portal = None, as_json: Json = False) -> None:
    """What is due now, since when and why, and when anything will be."""
    from datetime import UTC, datetime

    with archive("[]" if as_json else None, needs_reports=False) as connection:
        from storage.care.leaving import shown
        from storage.queries.spiders import spiders
        from storage.schedule.due import due

        promised = (pair for each in spiders(connection) for pair in each.portals.items())
        zones = {key: terms.timezone for key, terms in promised}
        if portal is not None and portal not in zones:
            from storage.errors import NotInArchive

            known = ", ".join(zones) or "none yet"
            raise NotInArchive(f"no portal {portal!r} was crawled: choose among {known}")
        now = datetime.now(UTC)
        asked = [portal] if portal is not None else list(zones)
        found = [
            (shown(connection, due(connection, key, now, zones[key])), zones[key]) for key in asked
        ]
    if as_json:
        print_json([as_record(each) for each, _ in found])
    else:
        from storage.terminal.running import show_schedule

        show_schedule([line for each, zone in found for line in _lines(each, zone)])


@app.command()
def crontab() -> None:
    """Lines for `crontab -e`, made for this checkout and this archive."""
    import sys
    from pathlib import Path

    with archive(None, needs_reports=False) as connection:
        from storage.queries.spiders import spiders

        found = spiders(connection)
    from storage.database import ROOT
    from storage.schedule.crontab import crontab as lines_of
    from storage.settings import Settings

    settings, programs = Settings(), Path(sys.executable).parent
    home, url = settings.home.absolute(), settings.database_url
    for line in lines_of(found, root=ROOT, programs=programs, home=home, database_url=url):
        print(line)


def as_record(due: Due) -> dict[str, Any]:
    """The shape that docs/schedule.md describes."""
    return {
        "portal": due.portal,
        "since": _iso(due.since),
        "next": _iso(due.next),
        "tree": due.tree and {"why": due.tree.why, "since": _iso(due.tree.at)},
        "listings": [
            {
                "url": each.url,
                "title": each.title,
                "scope": "whole" if each.whole else "head",
                "why": each.why,
                "since": _iso(each.since),
                "every_days": round(each.every, 1),
            }
            for each in due.listings
        ],
        "pages": [
            {
                "url": each.url,
                "title": each.title,
                "organ": each.organ,
                "year": each.year,
                "why": each.why,
                "since": _iso(each.since),
            }
            for each in due.pages
        ]
        + [
            {
                "url": each.url,
                "title": each.title,
                "organ": None,
                "year": None,
                "why": "listed",
                "since": _iso(each.since),
            }
            for each in due.entries
        ],
    }


def _lines(due: Due, timezone: str) -> Iterator[tuple[str, str, str, str]]:
    """Portal, what, since when, and why; the last line says what comes next."""
    from zoneinfo import ZoneInfo

    from storage.schedule.calendar import calendar

    def shown(at: datetime | None) -> str:
        return "" if at is None else f"{at.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"

    why = {key: said["en"] for key, said in calendar().why.items()}
    if due.tree is not None:
        yield due.portal, "its disclosure tree", shown(due.tree.at), why[due.tree.why]
    for each in due.listings:
        pages = "all pages of" if each.whole else "first pages of"
        rhythm = f" ({each.every:.0f} d)" if each.why == "rhythm" else ""
        what = f"{pages} {each.title or each.url}"
        yield due.portal, what, shown(each.since), why[each.why] + rhythm
    for page in due.pages:
        yield due.portal, page.title or page.url, shown(page.since), why[page.why]
    for entry in due.entries:
        yield due.portal, entry.title or entry.url, shown(entry.since), why["listed"]
    if due.since is None:
        yield due.portal, "nothing is due", "", f"next {shown(due.next)}" if due.next else ""


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()

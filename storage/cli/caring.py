"""`archive withdraw`, `restore`, `withdrawals`, `personal`, `impact`: the duty of care."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from storage.cli.shared import Json, app, archive, print_json, write
from storage.cli.shared import organ as find

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from storage.care.withdrawals import Thing

_Organ = Annotated[
    str | None, typer.Argument(help="Name, portal key or division code of the organ.")
]
_Year = Annotated[int | None, typer.Argument(help="The reporting year.")]
_Version = Annotated[
    int | None, typer.Option("--version", help="Only this version: its number in `history`.")
]
_Url = Annotated[str | None, typer.Option("--url", help="An address, wherever it was captured.")]
_By = Annotated[str, typer.Option("--by", help="Who says so.")]
_Reason = Annotated[str, typer.Option("--reason", help="Why; whoever asks for it reads this.")]


@app.command()
def withdraw(
    organ: _Organ = None,
    year: _Year = None,
    version: _Version = None,
    url: _Url = None,
    by: _By = "",
    reason: _Reason = "",
) -> None:
    """Show a report, one of its versions or an address to nobody any more; nothing is deleted."""
    from storage.care.withdrawals import withdraw as act

    _act(act, "withdrawn", (organ, year, version, url), by, reason)


@app.command()
def restore(
    organ: _Organ = None,
    year: _Year = None,
    version: _Version = None,
    url: _Url = None,
    by: _By = "",
    reason: _Reason = "",
) -> None:
    """Show again what was withdrawn."""
    from storage.care.withdrawals import restore as act

    _act(act, "shown again", (organ, year, version, url), by, reason)


def _act(
    act: Callable[[Connection, Thing, str, str, datetime], None],
    done: str,
    asked: tuple[str | None, int | None, int | None, str | None],
    by: str,
    reason: str,
) -> None:
    organ, year, version, url = asked
    if url is not None and (organ, year, version) != (None, None, None):
        raise typer.BadParameter("--url stands alone: an address may belong to several reports")
    if url is None and (organ is None or year is None):
        raise typer.BadParameter("give an organ and a year, or --url")

    def change(connection: Connection) -> str:
        from storage.care.withdrawals import find_thing

        organ_id = None if organ is None else find(connection, organ).id
        thing = find_thing(connection, organ_id, year, version, url)
        act(connection, thing, by, reason, datetime.now(UTC))
        what = url or f"{organ} {year}" + (f" version {version}" if version else "")
        return f"{what}: {done}"

    print(write(change, accept="a withdrawal"))
    _write_pages_again(url, organ)


def _write_pages_again(url: str | None, organ: str | None) -> None:
    """Pages of runs that lie there already name what was withdrawn, or do not yet again."""
    with archive(empty=None) as connection:
        from storage.alerts.feed import write_feed
        from storage.alerts.watch import FEED
        from storage.care.withdrawals import organs_at
        from storage.runpage import write_again
        from storage.settings import Settings

        home = Settings().home
        names = organs_at(connection, url) if url else [find(connection, organ or "").name]
        write_again(connection, home, names)
        if (home / FEED).is_file():
            write_feed(connection, home / FEED)


@app.command()
def withdrawals(as_json: Json = False) -> None:
    """What was withdrawn and restored, when, by whom and why."""
    with archive(empty="[]" if as_json else None) as connection:
        from storage.queries.withdrawals import acts

        found = acts(connection)
        if as_json:
            print_json(found)
        elif not found:
            print("Nothing was ever withdrawn.")
        else:
            from storage.terminal.caring import show_withdrawals

            show_withdrawals(found)


@app.command()
def personal(as_json: Json = False) -> None:
    """Where numbers of persons stand that every answer covers: report, place and kind."""
    with archive(empty="[]" if as_json else None) as connection:
        from storage.queries.personal import personal as ask

        found = ask(connection)
        if as_json:
            print_json(found)
        elif not found:
            print("No number of a person was found.")
        else:
            from storage.terminal.caring import show_personal

            show_personal(found)


@app.command()
def impact(
    host: Annotated[str | None, typer.Option("--host", help="Only this host.")] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the page for a host's operator there.")
    ] = None,
    as_json: Json = False,
) -> None:
    """What our visits cost a host, against what was promised; counted from the log of requests."""
    with archive(empty="[]" if as_json else None, needs_reports=False) as connection:
        from storage.queries.impact import impact as ask
        from storage.settings import Settings

        found = ask(connection, Settings().warc_directory, host=host)
        if html is not None:
            from storage.care.impact_page import write_page

            write_page(found, html)
        if as_json:
            print_json(found)
        elif not found:
            print("No host was ever asked.")
        elif html is None:
            from storage.terminal.caring import show_impact

            show_impact(found)

"""`archive alerts`, `alert`, `acknowledge`, `close`, `reopen`: what is wrong, and who knows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from storage.cli.shared import Json, app, archive, print_json, say_empty, write

if TYPE_CHECKING:
    from sqlalchemy import Connection

Number = Annotated[int, typer.Argument(metavar="N", help="The number of the alert.")]
By = Annotated[str, typer.Option("--by", help="Who says so.")]
Note = Annotated[str, typer.Option("--note", help="Why.")]


@app.command()
def alerts(
    every: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Only this class, e.g. report_missing.")
    ] = None,
    portal: Annotated[str | None, typer.Option("--portal", help="Only this portal.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Judge the archive first, as a run does at its end.")
    ] = False,
    as_json: Json = False,
) -> None:
    """What is wrong: one alert a cause, worst first, with what to do."""
    if kind is not None:
        from storage.alerts.record import kinds

        if kind not in kinds():
            raise typer.BadParameter(f"no class {kind}: there are {', '.join(kinds())}")
    if check:
        _check("[]" if as_json else None)
    with archive("[]" if as_json else None, needs_reports=False) as connection:
        from storage.alerts.record import open_alerts

        found = open_alerts(connection, kind=kind, portal=portal, closed=every)
        if as_json:
            print_json(found)
        elif not found:
            print("No alert." if every else "Nothing is wrong.")
        else:
            from storage.terminal.alerts import show_alerts

            show_alerts(found)


@app.command()
def alert(number: Number, as_json: Json = False) -> None:
    """One alert: what is wrong, what was good last, what to do, and all that became of it."""
    with archive("null" if as_json else None, needs_reports=False) as connection:
        from storage.alerts.record import find_alert, story

        found, told = find_alert(connection, number), story(connection, number)
        if as_json:
            print_json({**found, "story": told})
        else:
            from storage.terminal.alerts import show_alert

            show_alert(found, told)


@app.command()
def acknowledge(number: Number, by: By, note: Note = "") -> None:
    """Say that somebody knows: it stays on the list, and is not delivered again."""
    from storage.alerts.record import acknowledge as act

    _act(act, number, by, note)


@app.command()
def close(number: Number, by: By, note: Note = "") -> None:
    """Say that it is over. It opens again if it recurs."""
    from storage.alerts.record import close as act

    _act(act, number, by, note)


@app.command()
def reopen(number: Number, by: By, note: Note = "") -> None:
    """Say that it is not over, or in nobody's hands."""
    from storage.alerts.record import reopen as act

    _act(act, number, by, note)


def _act(act: Callable[..., Any], number: int, by: str, note: str) -> None:
    if not by.strip():
        raise typer.BadParameter("say who you are with --by")

    def change(connection: Connection) -> str:
        made = act(connection, number, by, note, datetime.now(UTC))
        return f"[{number}] {made['state']}: {made['message']}"

    print(write(change, accept=f"an alert, by {by}"))


def _check(empty: str | None) -> None:
    from storage.alerts.watch import watch
    from storage.database import open_for_writing
    from storage.evidence.seal import seal
    from storage.settings import Settings

    settings = Settings()
    if settings.sqlite_path is not None and not settings.sqlite_path.is_file():
        say_empty(empty)
    engine = open_for_writing(settings)
    at = datetime.now(UTC)
    try:
        watch(settings, engine, run_id=None, at=at)
        seal(settings, at, accept="alerts", only=())
    finally:
        engine.dispose()

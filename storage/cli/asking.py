"""`archive coverage`, `report`, `history`, `findings`, `changes`, `runs`: what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from storage.cli.shared import (
    AsOfOption,
    BasisOption,
    Division,
    Json,
    OrganOption,
    Year,
    app,
    archive,
    as_of,
    organ_id,
    print_json,
    say_empty,
)
from storage.cli.shared import organ as find


@app.command()
def coverage(
    division: Division = None,
    year: Year = None,
    organ: OrganOption = None,
    at: AsOfOption = None,
    basis: BasisOption = "known",
    as_json: Json = False,
    svg: Annotated[Path | None, typer.Option("--svg", help="Draw the map into this file.")] = None,
) -> None:
    """Which organ's report of which year is here, and how well it was read."""
    moment = as_of(at, basis)
    with archive(empty="[]" if as_json else None) as connection:
        from storage.queries.coverage import coverage as ask

        asked = organ_id(connection, organ)
        fields = ask(connection, division=division, year=year, organ_id=asked, as_of=moment)
        if as_json:
            print_json(fields)
        elif not fields:
            print("No report fits.")
        else:
            from storage.terminal.maps import draw_coverage, show_coverage

            if svg is None:
                show_coverage(fields)
            else:
                draw_coverage(fields, svg)


@app.command()
def report(
    organ: Annotated[
        str | None, typer.Argument(help="Name, portal key or division code of the organ.")
    ] = None,
    year: Annotated[int | None, typer.Argument(help="The reporting year.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every report, one JSON object a line (with --json).")
    ] = False,
    at: AsOfOption = None,
    basis: BasisOption = "known",
    as_json: Json = False,
) -> None:
    """One report: its cells, its checks, and where its bytes lie."""
    moment = as_of(at, basis)
    if every and not as_json:
        raise typer.BadParameter("--all prints JSON Lines: add --json")
    if every == (organ is not None) or every == (year is not None):
        raise typer.BadParameter("give an organ and a year, or --all --json")
    nothing = "" if every else "null"
    with archive(empty=nothing if as_json else None) as connection:
        from storage.queries import report as ask

        if every:
            for one in ask.all_reports(connection, as_of=moment):
                print_json(one)
            return
        assert organ is not None
        assert year is not None
        found = find(connection, organ)
        if as_json:
            print_json(ask.report(connection, found, year, as_of=moment))
        else:
            from storage.terminal.reports import show_report

            kept = ask.sources(connection, found, year, as_of=moment)
            show_report(ask.report(connection, found, year, as_of=moment), kept)


@app.command()
def history(
    organ: Annotated[str, typer.Argument(help="Name, portal key or division code of the organ.")],
    year: Annotated[int, typer.Argument(help="The reporting year.")],
    at: AsOfOption = None,
    basis: BasisOption = "known",
    as_json: Json = False,
) -> None:
    """The versions of a report, when each was seen, and which cells changed."""
    moment = as_of(at, basis)
    with archive(empty="[]" if as_json else None) as connection:
        from storage.queries.history import history as ask

        versions = ask(connection, find(connection, organ), year, as_of=moment)
        if as_json:
            print_json(versions)
        elif not versions:
            print("The report is known, but no version of it could be captured yet.")
        else:
            from storage.terminal.reports import show_history

            show_history(versions)


@app.command()
def findings(
    division: Division = None,
    year: Year = None,
    rule: Annotated[
        str | None, typer.Option("--rule", help="Only this rule, e.g. A1 or R3.")
    ] = None,
    organ: OrganOption = None,
    at: AsOfOption = None,
    basis: BasisOption = "known",
    as_json: Json = False,
) -> None:
    """What does not add up or wants saying in the reports as they stand, or stood."""
    moment = as_of(at, basis)
    with archive(empty="[]" if as_json else None) as connection:
        from storage.queries.findings import open_findings

        found = open_findings(
            connection,
            division=division,
            year=year,
            rule=rule,
            organ_id=organ_id(connection, organ),
            as_of=moment,
        )
        if as_json:
            print_json(found)
        elif not found:
            print("No finding fits.")
        else:
            from storage.terminal.reports import show_findings

            show_findings(found)


@app.command()
def runs(as_json: Json = False) -> None:
    """The runs that fed the archive, newest first."""
    empty = "[]" if as_json else None
    with archive(empty, needs_reports=False) as connection:
        from storage.queries.runs import recorded_runs

        found = recorded_runs(connection)
        if not found:
            say_empty(empty)
        elif as_json:
            print_json(found)
        else:
            from storage.terminal.running import show_runs

            show_runs(found)


@app.command()
def changes(
    since: Annotated[
        str, typer.Option("--since", metavar="DATE", help="After the end of this day in China.")
    ],
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="DATE", help="Up to the end of this day; else now."),
    ] = None,
    division: Division = None,
    organ: OrganOption = None,
    limit: Annotated[int | None, typer.Option("--limit", help="No more than so many.")] = None,
    as_json: Json = False,
) -> None:
    """What was published, edited, moved, removed, brought back or withdrawn, newest first."""
    from datetime import UTC, datetime

    from storage.asof import moment

    span = moment(since), datetime.now(UTC) if until is None else moment(until)
    with archive(empty="[]" if as_json else None) as connection:
        from storage.queries.changes import changes as ask

        asked = organ_id(connection, organ)
        found = ask(
            connection,
            since=span[0],
            until=span[1],
            division=division,
            organ_id=asked,
            limit=limit,
        )
        if as_json:
            print_json(found)
        elif not found:
            print("Nothing changed.")
        else:
            from storage.terminal.reports import show_changes

            show_changes(found)


@app.command()
def metadata() -> None:
    """Metadata for Datasette: what every view and column means, as JSON."""
    import json

    from storage.columns import datasette

    print(json.dumps(datasette(), ensure_ascii=False, indent=2))

"""The command `archive`: what the archive holds, asked from a terminal.

Exit codes: 0 answered, also when the archive is still empty; 2 the question could not be answered
(settings, database, unknown organ, wrong usage), with one line on stderr that names the cure.

SQLAlchemy and rich are imported inside the commands: `archive --help` needs neither.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from storage.errors import StorageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from storage.queries.organs import Organ

app = typer.Typer(
    help="Ask the archive of government disclosure reports.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

EMPTY = "The archive is empty: `scrapy crawl urumqi_districts` fills it."

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Division = Annotated[
    str | None, typer.Option("--division", metavar="CODE", help="Only this division, e.g. 650102.")
]
Year = Annotated[int | None, typer.Option("--year", help="Only this reporting year.")]
OrganOption = Annotated[
    str | None, typer.Option("--organ", help="Only this organ: name, portal key or division code.")
]


def main() -> None:
    """The entry point: our own failures as one line on stderr and exit code 2."""
    try:
        app()
    except StorageError as error:
        print(f"archive: {error}", file=sys.stderr)
        raise SystemExit(2) from None


@app.command()
def coverage(
    division: Division = None,
    year: Year = None,
    organ: OrganOption = None,
    as_json: Json = False,
    svg: Annotated[Path | None, typer.Option("--svg", help="Draw the map into this file.")] = None,
) -> None:
    """Which organ's report of which year is here, and how well it was read."""
    with _archive(empty="[]" if as_json else None) as connection:
        from storage.queries.coverage import coverage as ask

        fields = ask(
            connection, division=division, year=year, organ_id=_organ_id(connection, organ)
        )
        if as_json:
            _print_json(fields)
        elif not fields:
            print("No report fits.")
        else:
            from storage.terminal import draw_coverage, show_coverage

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
    as_json: Json = False,
) -> None:
    """One report: its cells, its checks, and where its bytes lie."""
    if every and not as_json:
        raise typer.BadParameter("--all prints JSON Lines: add --json")
    if every == (organ is not None) or every == (year is not None):
        raise typer.BadParameter("give an organ and a year, or --all --json")
    nothing = "" if every else "null"
    with _archive(empty=nothing if as_json else None) as connection:
        from storage.queries import report as ask

        if every:
            for one in ask.all_reports(connection):
                _print_json(one)
            return
        assert organ is not None
        assert year is not None
        found = _organ(connection, organ)
        if as_json:
            _print_json(ask.report(connection, found, year))
        else:
            from storage.terminal import show_report

            show_report(ask.report(connection, found, year), ask.sources(connection, found, year))


@app.command()
def history(
    organ: Annotated[str, typer.Argument(help="Name, portal key or division code of the organ.")],
    year: Annotated[int, typer.Argument(help="The reporting year.")],
    as_json: Json = False,
) -> None:
    """The versions of a report, when each was seen, and which cells changed."""
    with _archive(empty="[]" if as_json else None) as connection:
        from storage.queries.history import history as ask

        versions = ask(connection, _organ(connection, organ), year)
        if as_json:
            _print_json(versions)
        elif not versions:
            print("The report is known, but no version of it could be captured yet.")
        else:
            from storage.terminal import show_history

            show_history(versions)


@app.command()
def findings(
    division: Division = None,
    year: Year = None,
    rule: Annotated[
        str | None, typer.Option("--rule", help="Only this rule, e.g. A1 or R3.")
    ] = None,
    organ: OrganOption = None,
    as_json: Json = False,
) -> None:
    """What does not add up or wants saying in the reports as they stand today."""
    with _archive(empty="[]" if as_json else None) as connection:
        from storage.queries.findings import open_findings

        found = open_findings(
            connection,
            division=division,
            year=year,
            rule=rule,
            organ_id=_organ_id(connection, organ),
        )
        if as_json:
            _print_json(found)
        elif not found:
            print("No finding fits.")
        else:
            from storage.terminal import show_findings

            show_findings(found)


@app.command()
def runs(as_json: Json = False) -> None:
    """The runs that fed the archive, newest first."""
    empty = "[]" if as_json else None
    with _archive(empty, needs_reports=False) as connection:
        from storage.queries.runs import recorded_runs

        found = recorded_runs(connection)
        if not found:
            _say_empty(empty)
        elif as_json:
            _print_json(found)
        else:
            from storage.terminal import show_runs

            show_runs(found)


@contextmanager
def _archive(empty: str | None, *, needs_reports: bool = True) -> Iterator[Connection]:
    """A connection to the archive; where it is empty, a sentence and exit code 0.

    `empty` is what a program that asked for JSON reads then; the sentence goes to stderr.
    """
    from storage.settings import Settings

    settings = Settings()
    if settings.sqlite_path is not None and not settings.sqlite_path.is_file():
        _say_empty(empty)
    from storage.database import open_for_reading
    from storage.queries.report import holds_reports

    engine = open_for_reading(settings)
    if engine is None:
        _say_empty(empty)
    try:
        with engine.connect() as connection:
            if needs_reports and not holds_reports(connection):
                _say_empty(empty)
            yield connection
    finally:
        engine.dispose()


def _say_empty(empty: str | None) -> NoReturn:
    if empty:
        print(empty)
    print(EMPTY, file=sys.stdout if empty is None else sys.stderr)
    raise typer.Exit


def _organ(connection: Connection, asked: str) -> Organ:
    from storage.queries.organs import find_organ

    return find_organ(connection, asked)


def _organ_id(connection: Connection, asked: str | None) -> int | None:
    return None if asked is None else _organ(connection, asked).id


def _print_json(answer: Any) -> None:
    import json

    print(json.dumps(answer, ensure_ascii=False))


if __name__ == "__main__":
    main()

"""The command `archive`: what the archive holds, asked from a terminal.

Exit codes: 0 answered, also when the archive is still empty; 1 `verify` or `audit` found something
wrong; 2 the question could not be answered (settings, database, unknown organ, wrong usage), with
one line on stderr that names the cure.

SQLAlchemy and rich are imported inside the commands: `archive --help` needs neither.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from storage.errors import StorageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from storage.corrections import Entry
    from storage.queries.organs import Organ

app = typer.Typer(
    help="Ask the archive of government disclosure reports.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

audits = typer.Typer(help="Prove from the archive alone that a promise was kept.")
app.add_typer(audits, name="audit")

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
def correct(
    organ: Annotated[str, typer.Argument(help="Name, portal key or division code of the organ.")],
    year: Annotated[int, typer.Argument(help="The reporting year.")],
    cell: Annotated[
        str | None, typer.Argument(help="Its table, row and column: applications.granted.total.")
    ] = None,
    figure: Annotated[
        str | None, typer.Argument(help="What the cell says: 12, '' for a blank, - for a dash.")
    ] = None,
    is_organ: Annotated[
        str | None, typer.Option("--is-organ", help="The report is this organ's.")
    ] = None,
    is_year: Annotated[
        int | None, typer.Option("--is-year", help="The report is for this year.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="With --is-…: only what stands at this address.")
    ] = None,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Take the cell's correction back.")
    ] = False,
    by: Annotated[str, typer.Option("--by", help="Who says so.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    evidence: Annotated[str, typer.Option("--evidence", help="Where others can check it.")] = "",
) -> None:
    """Hold that a cell, or a report's identity, is another than was read; kept with who and why.

    The figure as published stays. The correction stands beside it, also after a re-parse.
    """
    from storage.corrections import Entry

    of_identity = is_organ is not None or is_year is not None
    if of_identity == (cell is not None):
        raise typer.BadParameter("name a cell, or --is-organ or --is-year")
    if cell is not None and withdraw == (figure is not None):
        raise typer.BadParameter("give the cell's figure, or --withdraw")
    entry = Entry(by, reason, evidence, datetime.now(UTC))
    if cell is not None:
        _correct_cell(organ, year, cell, figure, entry)
    else:
        _correct_identity(organ, year, (is_organ, is_year), url, entry)


def _correct_cell(organ: str, year: int, cell: str, figure: str | None, entry: Entry) -> None:
    from storage.corrections import correct_cell, withdraw
    from storage.queries.report import report_row

    def change(connection: Connection) -> str:
        found = _organ(connection, organ)
        report_id = report_row(connection, found, year).id
        name = f"{found.name} {year} {cell}"
        if figure is None:
            withdraw(connection, report_id, cell, entry)
            return f"{name}: correction taken back"
        before = correct_cell(connection, report_id, cell, figure, entry)
        return (
            f"{name}: read “{before['raw'].strip()}” ({before['state']}), corrected to “{figure}”"
        )

    print(_write(change))


def _correct_identity(
    organ: str, year: int, said: tuple[str | None, int | None], url: str | None, entry: Entry
) -> None:
    from storage.corrections import IDENTITY_TABLES, Identity, correct_identity
    from storage.queries.report import report_row

    def change(connection: Connection) -> str:
        found = _organ(connection, organ)
        report_id = report_row(connection, found, year).id
        owner = found if said[0] is None else _organ(connection, said[0])
        identity = Identity(owner.division_code, owner.name, said[1] or year)
        correct_identity(connection, report_id, identity, entry, url)
        return f"{found.name} {year}: is the report of {owner.name} for {identity.year}"

    print(
        _write(change, accept=f"corrected by {entry.author}: {entry.reason}", only=IDENTITY_TABLES)
    )


@app.command()
def corrections(
    review: Annotated[
        bool, typer.Option("--review", help="Only those whose source says something else by now.")
    ] = False,
    as_json: Json = False,
) -> None:
    """What persons hold against the machine, and which of it wants a second look."""
    with _archive(empty="[]" if as_json else None) as connection:
        from storage.queries.corrections import corrections as ask

        found = [each for each in ask(connection) if each["review"] or not review]
        if as_json:
            _print_json(found)
        elif not found:
            print("No correction fits.")
        else:
            from storage.terminal import show_corrections

            show_corrections(found)


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


@app.command()
def verify(
    quick: Annotated[
        bool, typer.Option("--quick", help="Digests of files and rows only, no record opened.")
    ] = False,
    head: Annotated[
        str | None,
        typer.Option("--head", metavar="SHA256", help="A head noted before: it must be there."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Whether everything is as it was sealed. Exit code 0: sound; 1: not, a line for each cause."""
    from storage.evidence.verify import verify as ask
    from storage.settings import Settings

    verdict = ask(Settings(), quick=quick, head=head and head.removeprefix("sha256:"))
    if verdict is None:
        _say_empty("null" if as_json else None)
    if as_json:
        from dataclasses import asdict

        _print_json({"sound": verdict.sound, **asdict(verdict)})
    else:
        for line in verdict.lines():
            print(line)
    raise typer.Exit(0 if verdict.sound else 1)


@app.command()
def seal(
    accept: Annotated[
        str | None,
        typer.Option(
            "--accept",
            metavar="REASON",
            help="Take over what was changed by hand since it was sealed; the reason is kept.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="TABLE", help="With --accept: only of this table, or of `files`."
        ),
    ] = None,
) -> None:
    """Add an entry to the manifest, as every run does at its end."""
    from storage.evidence.seal import EVERYTHING
    from storage.evidence.seal import seal as add
    from storage.settings import Settings

    if only and (accept is None or not EVERYTHING.issuperset(only)):
        raise typer.BadParameter(f"--only needs --accept, and one of {sorted(EVERYTHING)}")
    entry = add(Settings(), datetime.now(UTC), accept=accept, only=only)
    if entry is None:
        print("Nothing to seal: no run has been at work since the newest entry.")
    else:
        print(f"{entry.name} sealed, head sha256:{entry.digest}")


@audits.command()
def politeness(
    run: Annotated[int | None, typer.Option("--run", help="Only this run's requests.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--since", formats=["%Y-%m-%d"], help="Only requests since then, UTC."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Whether every request was a good guest's. Exit code 0: all; 1: not, a line for each."""
    with _archive(empty="null" if as_json else None, needs_reports=False) as connection:
        from storage.queries.politeness import audit
        from storage.settings import Settings

        begun = since and since.replace(tzinfo=UTC)
        found = audit(connection, Settings().warc_directory, run=run, since=begun)
        if as_json:
            _print_json(found)
        else:
            from storage.terminal import show_audit

            show_audit(found)
    raise typer.Exit(1 if found["violations"] else 0)


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


def _write(change: Callable[[Connection], str], accept: str = "", only: Sequence[str] = ()) -> str:
    """One change to the archive, whole or not at all; `accept`: what it changes was sealed."""
    from storage.database import open_for_writing, transact
    from storage.evidence.seal import seal
    from storage.settings import Settings

    settings = Settings()
    if settings.sqlite_path is not None and not settings.sqlite_path.is_file():
        _say_empty(None)
    engine = open_for_writing(settings)
    try:
        said = transact(engine, change)
        seal(
            settings,
            datetime.now(UTC),
            accept=accept or "a correction",
            only=only,
        )
    finally:
        engine.dispose()
    return said


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

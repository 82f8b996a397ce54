"""`archive verify`, `seal`, `reindex`, `audit`: what proves that the archive is what it says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from storage.cli.shared import Json, app, archive, print_json, say_empty

audits = typer.Typer(help="Prove from the archive alone that a promise was kept.")
app.add_typer(audits, name="audit")


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
        say_empty("null" if as_json else None)
    if as_json:
        from dataclasses import asdict

        # `asdict` makes a Counter anew, of its own items.
        counted = dict(verdict.unsealed)
        print_json({"sound": verdict.sound, **asdict(verdict), "unsealed": counted})
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


@app.command()
def reindex() -> None:
    """Make anew what follows from other rows; nothing else changes, and nothing sealed."""
    from storage.database import open_for_writing, transact
    from storage.readings.standing import rebuild
    from storage.settings import Settings
    from storage.text.search import reindex as index

    settings = Settings()
    if settings.sqlite_path is not None and not settings.sqlite_path.is_file():
        say_empty(None)
    engine = open_for_writing(settings)
    try:
        print(f"standing: {transact(engine, rebuild)} reports")
        print(f"search: {transact(engine, index)} texts")
    finally:
        engine.dispose()


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
    with archive(empty="null" if as_json else None, needs_reports=False) as connection:
        from storage.queries.politeness import audit
        from storage.settings import Settings

        begun = since and since.replace(tzinfo=UTC)
        found = audit(connection, Settings().warc_directory, run=run, since=begun)
        if as_json:
            print_json(found)
        else:
            from storage.terminal.examining import show_audit

            show_audit(found)
    raise typer.Exit(1 if found["violations"] else 0)

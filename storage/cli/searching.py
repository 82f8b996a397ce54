"""`archive search`: which reports say this, and where."""

from __future__ import annotations

from typing import Annotated

import typer

from storage.cli.shared import (
    Division,
    Json,
    OrganOption,
    Year,
    app,
    archive,
    organ_id,
    print_json,
)


@app.command()
def search(
    words: Annotated[
        list[str], typer.Argument(help="All of them must be there; a phrase in “quotes”.")
    ],
    division: Division = None,
    year: Year = None,
    organ: OrganOption = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Only organs of this kind, e.g. township.")
    ] = None,
    state: Annotated[
        str | None, typer.Option("--state", help="Only reports in this state of coverage.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", help="So many hits.", min=1, max=100)] = 20,
    as_json: Json = False,
) -> None:
    """Which reports hold all these words, newest first; one character is enough."""
    with archive(empty="null" if as_json else None) as connection:
        from storage.queries.search import search as ask

        found = ask(
            connection,
            words=" ".join(words),
            division=division,
            organ_id=organ_id(connection, organ),
            year=year,
            kind=kind,
            state=state,
            limit=limit,
        )
        if as_json:
            print_json(found)
        elif not found["hits"]:
            print("No report holds all these words.")
        else:
            from storage.terminal.searching import show_hits

            show_hits(found)

"""`archive ledger`, `organs`: what should exist, and who owed it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

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

if TYPE_CHECKING:
    from storage.ledger.cells import Cell


@app.command()
def ledger(
    division: Division = None,
    year: Year = None,
    organ: OrganOption = None,
    state: Annotated[
        str | None, typer.Option("--state", help="Only cells in this state, e.g. absent.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="DATE", help="As known at the end of this day in China."),
    ] = None,
    as_json: Json = False,
    svg: Annotated[Path | None, typer.Option("--svg", help="Draw the map into this file.")] = None,
) -> None:
    """Which report should exist, and what proves that it does or does not.

    One organ and one year (--organ, --year) come with their proof in full.
    """
    moment = _moment(at)
    with archive(empty="[]" if as_json else None, needs_reports=False) as connection:
        from storage.ledger.cells import State
        from storage.ledger.cells import ledger as ask

        if state not in (None, *get_args(State)):
            raise typer.BadParameter(f"--state is one of {', '.join(get_args(State))}")
        asked = organ_id(connection, organ)
        cells = ask(connection, at=moment, division=division, year=year, organ_id=asked)
        cells = [cell for cell in cells if state in (None, cell["state"])]
        if as_json:
            print_json(cells)
        elif not cells:
            print("No cell fits.")
        elif asked is not None and year is not None and svg is None:
            from storage.queries.sources import places
            from storage.terminal.ledger import show_cell

            for cell in cells:
                show_cell(cell, places(connection, _captures(cell)))
        else:
            from storage.terminal.maps import draw_ledger, show_ledger

            if svg is None:
                show_ledger(cells)
            else:
                draw_ledger(cells, svg)


@app.command()
def organs(division: Division = None, as_json: Json = False) -> None:
    """The organs with their dates, and who may have followed whom.

    A candidate is told by names and years alone: a person confirms it in a file of the registry.
    """
    with archive(empty="[]" if as_json else None, needs_reports=False) as connection:
        from storage.queries.lives import organ_lives

        found = organ_lives(connection, division=division)
        if as_json:
            print_json(found)
        elif not found:
            print("No organ fits.")
        else:
            from storage.terminal.ledger import show_organs

            show_organs(found)


def _moment(asked: str | None) -> datetime:
    """Now, the end of a day in China, or a moment with its time zone."""
    from storage.asof import moment
    from storage.errors import BadQuestion

    try:
        return datetime.now(UTC) if asked is None else moment(asked)
    except BadQuestion as error:
        raise typer.BadParameter(f"--at {error}") from error


def _captures(cell: Cell) -> set[int]:
    return {each["capture_id"] for each in cell["proof"] if each["capture_id"] is not None}

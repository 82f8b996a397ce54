"""`archive correct`, `corrections`: what persons hold against the machine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from storage.cli.shared import AsOfOption, BasisOption, Json, app, archive, as_of, print_json, write
from storage.cli.shared import organ as find

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from storage.readings.corrections import Entry


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
    from storage.readings.corrections import Entry

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
    from storage.queries.report import report_row
    from storage.readings.corrections import correct_cell, withdraw

    def change(connection: Connection) -> str:
        found = find(connection, organ)
        report_id = report_row(connection, found, year).id
        name = f"{found.name} {year} {cell}"
        if figure is None:
            withdraw(connection, report_id, cell, entry)
            return f"{name}: correction taken back"
        before = correct_cell(connection, report_id, cell, figure, entry)
        return (
            f"{name}: read “{before['raw'].strip()}” ({before['state']}), corrected to “{figure}”"
        )

    print(write(change))


def _correct_identity(
    organ: str, year: int, said: tuple[str | None, int | None], url: str | None, entry: Entry
) -> None:
    from storage.queries.report import report_row
    from storage.readings.corrections import IDENTITY_TABLES, Identity, correct_identity

    def change(connection: Connection) -> str:
        found = find(connection, organ)
        report_id = report_row(connection, found, year).id
        owner = found if said[0] is None else find(connection, said[0])
        identity = Identity(owner.division_code, owner.name, said[1] or year)
        correct_identity(connection, report_id, identity, entry, url)
        return f"{found.name} {year}: is the report of {owner.name} for {identity.year}"

    print(
        write(change, accept=f"corrected by {entry.author}: {entry.reason}", only=IDENTITY_TABLES)
    )


@app.command()
def corrections(
    review: Annotated[
        bool, typer.Option("--review", help="Only those whose source says something else by now.")
    ] = False,
    at: AsOfOption = None,
    basis: BasisOption = "known",
    as_json: Json = False,
) -> None:
    """What persons hold against the machine, and which of it wants a second look."""
    moment = as_of(at, basis)
    with archive(empty="[]" if as_json else None) as connection:
        from storage.queries.corrections import corrections as ask

        found = [each for each in ask(connection, as_of=moment) if each["review"] or not review]
        if as_json:
            print_json(found)
        elif not found:
            print("No correction fits.")
        else:
            from storage.terminal.reports import show_corrections

            show_corrections(found)

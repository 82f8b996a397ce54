"""`archive export`, `archive cite`: what people take away with them."""

from __future__ import annotations

import signal
import sys
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
    organ,
    print_json,
)


@app.command()
def export(
    form: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT", help="csv, jsonl, package, parquet, sqlite, wacz or xlsx."
        ),
    ],
    out: Annotated[Path, typer.Argument(help="A folder, empty or not there yet.")],
    division: Division = None,
    named: OrganOption = None,
    year: Year = None,
    portal: Annotated[
        str | None, typer.Option("--portal", metavar="KEY", help="Only this portal, e.g. tianshan.")
    ] = None,
    moment: AsOfOption = None,
    basis: BasisOption = "known",
    as_json: Json = False,
) -> None:
    """Write the archive, or a part of it, as files for other tools."""
    # Told to stop, it clears up behind itself.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with archive(empty="null" if as_json else None) as connection:
        from storage.exports.source import Selection
        from storage.exports.taking import export as write
        from storage.settings import Settings

        found = None if named is None else organ(connection, named)
        wanted = Selection(
            division=division,
            organ_id=found.id if found else None,
            organ=found.name if found else None,
            year=year,
            portal=portal,
            as_of=as_of(moment, basis),
        )
        about = write(connection, Settings(), form, out, wanted)
    if as_json:
        print_json(about)
        return
    for name, said in about["files"].items():
        print(f"{said['sha256']}  {name}  ({said['bytes']} bytes)")
    counted = ", ".join(f"{count} {name}" for name, count in about["rows"].items() if count)
    print(f"{out}: {counted or 'nothing fits'}")
    for why, count in about["left_out"].items():
        print(f"left out: {count} {why}")


@app.command()
def cite(
    named: Annotated[
        str, typer.Argument(metavar="ORGAN", help="Name, portal key or division code.")
    ],
    year: Annotated[int, typer.Argument(help="The reporting year.")],
    cell: Annotated[
        str | None,
        typer.Option("--cell", metavar="PATH", help="A figure, e.g. applications.granted.total."),
    ] = None,
    version: Annotated[
        int | None,
        typer.Option("--version", metavar="N", help="A version, by its number in the history."),
    ] = None,
    bibtex: Annotated[bool, typer.Option("--bibtex", help="Print BibTeX.")] = False,
    moment: AsOfOption = None,
    basis: BasisOption = "known",
    as_json: Json = False,
) -> None:
    """How to cite a report or one of its figures, so that others find the same bytes."""
    with archive(empty="null" if as_json else None) as connection:
        from storage.exports.citing import as_bibtex, in_chinese, in_english
        from storage.exports.taking import version_of
        from storage.queries.citation import citation
        from storage.settings import Settings

        told = citation(
            connection,
            organ(connection, named),
            year,
            cell=cell,
            version_id=version,
            as_of=as_of(moment, basis),
        )
        seal = version_of(Settings())["sha256"]
        if as_json:
            print_json({**told, "archive": seal})
        elif bibtex:
            print(as_bibtex(told, seal))
        else:
            print(in_chinese(told, seal))
            print(in_english(told, seal))

"""`archive diff`: two reports held against each other, in cells and in words."""

from __future__ import annotations

from typing import Annotated

import typer

from storage.cli.shared import Json, app, archive, print_json

_PLACE = "ORGAN/YEAR, with @VERSION or @DATE, with #page or #FILE: 天山区教育局/2019@12#附件.docx"


@app.command()
def diff(
    left: Annotated[str, typer.Argument(help=f"What was before: {_PLACE}.")],
    right: Annotated[str, typer.Argument(help="What is held against it, written alike.")],
    as_json: Json = False,
) -> None:
    """In which cells and words two versions, years, organs, or a page and a file differ."""
    with archive(empty="null" if as_json else None) as connection:
        from storage.queries.diff import diff as ask
        from storage.queries.diff import find_place

        found = ask(connection, find_place(connection, left), find_place(connection, right))
        if as_json:
            print_json(found)
        else:
            from storage.terminal.comparing import show_diff

            show_diff(found)

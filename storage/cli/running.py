"""`archive run`: the page of one run."""

from __future__ import annotations

from typing import Annotated

import typer

from storage.cli.shared import Json, app, archive, print_json, say_empty


@app.command()
def run(
    number: Annotated[
        int | None, typer.Argument(help="The run's number; the newest without one.")
    ] = None,
    lang: Annotated[str, typer.Option("--lang", help="`en` or `zh`.")] = "en",
    as_json: Json = False,
) -> None:
    """What a run found: new, changed, missing, odd, and what to do. As its page in runs/."""
    if lang not in ("en", "zh"):
        raise typer.BadParameter("choose en or zh", param_hint="--lang")
    empty = "null" if as_json else None
    with archive(empty, needs_reports=False) as connection:
        from storage.queries.run_report import newest_run, run_report

        wanted = newest_run(connection) if number is None else number
        if wanted is None:
            say_empty(empty)
        found = run_report(connection, wanted)
        if as_json:
            print_json(found)
        else:
            from storage.runpage import as_text

            print(as_text(found, "zh" if lang == "zh" else "en"), end="")

"""`archive doctor`: whether all is well for the archive to run unattended."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import typer

from storage.cli.shared import Json, app, print_json


@app.command()
def doctor(as_json: Json = False) -> None:
    """What wants attention, and what to do. Exit code 0: well; 1: attention; 2: cannot run."""
    from storage.doctor import examine
    from storage.settings import Settings

    found = examine(Settings(), os.environ, datetime.now(UTC))
    if as_json:
        print_json([note._asdict() for note in found.notes])
    else:
        from storage.terminal.examining import show_examination

        show_examination(found.notes)
    raise typer.Exit(found.exit_code)

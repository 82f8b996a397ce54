"""What `doctor` and `audit` found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.text import Text

from storage.terminal.drawing import new_table, open_console

if TYPE_CHECKING:
    from storage.doctor.model import Level, Note
    from storage.queries.politeness import Audit


_LEVELS: dict[Level, tuple[str, str]] = {
    "well": ("well", "green"),
    "attention": ("attention", "yellow"),
    "cannot_run": ("cannot run", "red"),
}


def show_examination(notes: Iterable[Note]) -> None:
    """One line a note, its cure under it."""
    console = open_console()
    for note in notes:
        word, style = _LEVELS[note.level]
        console.print(
            Text.assemble((f"{word:<12}", style), f"{note.check:<14}{note.says}"), soft_wrap=True
        )
        if note.cure:
            console.print(Text(f"{'':<26}→ {note.cure}"), soft_wrap=True)


def show_audit(found: Audit) -> None:
    """One row a broken rule, and how many requests were looked at."""
    console = open_console()
    if found["violations"]:
        table = new_table("rule", "attempt", "time", "address", "what was wrong")
        for each in found["violations"]:
            table.add_row(
                each["rule"],
                str(each["attempt"]),
                each["at"][:23].replace("T", " "),
                Text(each["url"]),
                Text(each["sentence"]),
            )
        console.print(table)
    console.print(f"{found['requests']} requests, {len(found['violations'])} violations")

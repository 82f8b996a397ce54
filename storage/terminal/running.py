"""Runs, and what is due."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.text import Text

from storage.terminal.drawing import minute, new_table, open_console

if TYPE_CHECKING:
    from storage.queries.runs import Run


def show_runs(runs: Iterable[Run]) -> None:
    """One row a run."""
    table = new_table(
        "run", "spider", "started", "ended", "state", "attempts", "captures", "MB", "why"
    )
    for run in runs:
        table.add_row(
            str(run["id"]),
            run["spider"],
            minute(run["started_at"]),
            minute(run["ended_at"] or ""),
            run["state"],
            str(run["attempts"]),
            str(run["captures"]),
            f"{run['bytes'] / 1e6:.1f}",
            Text(run["reason"] or ""),
        )
    open_console().print(table)


def show_schedule(lines: Iterable[tuple[str, str, str, str]]) -> None:
    """One row a thing that is due: portal, what, since when, why."""
    table = new_table("portal", "what is due", "since", "why")
    for portal, what, since, why in lines:
        table.add_row(portal, Text(what), since, why)
    open_console().print(table)

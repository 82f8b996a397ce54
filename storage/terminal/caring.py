"""Withdrawals, numbers of persons, what visits cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from storage.care.impact_page import kept, rows
from storage.terminal.drawing import minute, new_table, open_console, spoken

if TYPE_CHECKING:
    from storage.queries.impact import Impact
    from storage.queries.personal import Place as PersonalPlace
    from storage.queries.withdrawals import Act


def show_withdrawals(acts: Iterable[Act]) -> None:
    """One row an act."""
    table = new_table("when", "what", "act", "by", "why", "")
    for act in acts:
        what = act["url"] or f"{act['organ']} {act['year']}"
        if act["version"] is not None:
            what += f" version {act['version']}"
        table.add_row(
            minute(act["made_at"]),
            Text(what),
            act["action"],
            Text(act["author"]),
            Text(act["reason"]),
            "in force" if act["in_force"] else "",
        )
    open_console().print(table)


def show_personal(places: Sequence[PersonalPlace]) -> None:
    """One row a place, and how many numbers there are of each kind."""
    table = new_table("division", "organ", "year", "version", "place", "kind", "numbers")
    for place in places:
        table.add_row(
            place["division_code"],
            place["organ"],
            str(place["year"]),
            str(place["version"] or ""),
            Text(place["place"]),
            spoken(place["kind"]),
            str(place["count"]),
        )
    console = open_console()
    console.print(table)
    console.print("Every answer covers them; `archive withdraw` hides a whole document.")


def show_impact(hosts: Iterable[Impact]) -> None:
    """A table a host, its figures against the promises."""
    console = open_console()
    for told in hosts:
        console.print(Text(told["host"], style="bold"))
        table = new_table("what", "", "")
        for label, label_zh, value in rows(told):
            table.add_row(label, label_zh, Text(value))
        console.print(table)
        for sentence in kept(told):
            console.print(sentence)

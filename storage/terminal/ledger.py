"""One cell of the ledger with its proof, and the organs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from storage.terminal.drawing import minute, new_table, open_console
from storage.terminal.maps import LEDGER_LETTERS

if TYPE_CHECKING:
    from storage.ledger.cells import Cell as LedgerCell
    from storage.queries.lives import OrganLife
    from storage.queries.sources import Place


def show_cell(cell: LedgerCell, places: Mapping[int, Place]) -> None:
    """One organ and year: its state, why, and where each proof lies."""
    console = open_console()
    console.print(Text(f"{cell['organ']} ({cell['division_code']}) {cell['year']}", style="bold"))
    late = f", {cell['late_days']} days late" if cell["late_days"] else ""
    facts = {
        "state": f"{LEDGER_LETTERS[cell['state']][2]}{late}",
        "deadline": cell["deadline"] or "none",
        "published": cell["published"] or "-",
        "since": minute(cell["since"] or "-"),
        "proven to": minute(cell["as_of"] or "-"),
        "note": cell["note"],
        "说明": cell["note_zh"],
    }
    for label, value in facts.items():
        if value:
            console.print(Text(f"{label:<11}{value}"), soft_wrap=True)
    table = new_table("proof", "look", "capture", "at", "address", "WARC file", "offset")
    for each in cell["proof"]:
        place = places.get(each["capture_id"] or 0)
        table.add_row(
            each["kind"],
            str(each["listing_read_id"] or ""),
            str(each["capture_id"] or ""),
            minute(each["at"]),
            Text(each["url"]),
            place.warc_file if place else "",
            str(place.offset) if place else "",
        )
    if cell["proof"]:
        console.print(table)


def show_organs(organs: Sequence[OrganLife]) -> None:
    """One row an organ."""
    table = new_table(
        "division", "organ", "kind", "from", "to", "follows", "becomes", "reports", "?"
    )
    for each in organs:
        years = [each["first_report"], each["last_report"]]
        table.add_row(
            each["division_code"],
            each["organ"],
            each["kind"],
            each["begins"] or "",
            each["ends"] or "",
            "、".join(each["follows"]),
            "、".join(each["becomes"]),
            " to ".join(str(year) for year in years if year),
            f"becomes {'、'.join(each['candidates'])}?" if each["candidates"] else "",
        )
    open_console().print(table)

"""Where the cells of a report stand on worksheets, whichever writer writes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tests.replica.report_model import Report
from tests.replica.report_pages import anchored, blocks

WIDTH = 16  # the columns a title is merged over

Dialect = Literal["one", "many"]


@dataclass(frozen=True)
class Placed:
    """One cell: the sheet it is on (from 0), its corner, its size, and what is printed there."""

    sheet: int
    row: int
    column: int
    rows: int
    columns: int
    text: str
    in_table: bool


def placed(report: Report, dialect: Dialect = "one") -> Iterator[Placed]:
    """All of a report: on one sheet ("one"), or every table on a sheet of its own ("many")."""
    sheet = row = 0
    for block in blocks(report):
        if block.kind == "table":
            if dialect == "many":
                sheet, row = sheet + 1, 0
            anchors, _ = anchored(block)
            for (down, right), slot in anchors.items():
                yield Placed(sheet, row + down, right, slot.rows, slot.cols, slot.text, True)
            row += len(block.rows)
            if dialect == "many":
                sheet, row = sheet + 1, 0
        else:
            yield Placed(sheet, row, 0, 1, WIDTH, block.text, False)
            row += 1


def number_of(text: str) -> float | None:
    """The number to store for a text, where a worksheet shows that number as this text."""
    plain = text.isascii() and text.replace(".", "", 1).isdigit() and len(text) < 12
    if not plain or f"{float(text):.15g}" != text:
        return None
    return float(text)

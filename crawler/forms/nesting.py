"""Cells → the nested shape of the gold files."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from crawler.forms.model import Cell, Tables


def nested(cells: Iterable[Cell]) -> Tables:
    """`tables[art20][item1][row][column]` and `tables[applications][row][column]`: int where the
    number is whole, else float; None for whatever is no number. The procurement amount carries
    `amount_unit` and `amount_raw` beside it where the cell names its unit.
    """
    tables: Tables = {}
    for cell in cells:
        row = _descend(tables, (*cell.table.split("."), cell.row))
        row[cell.column] = None if cell.value is None else plain(cell.value)
        if cell.unit and cell.column == "amount":
            row["amount_unit"] = cell.unit
            row["amount_raw"] = cell.raw
    return tables


def plain(value: Decimal) -> int | float:
    """A number as JSON has it."""
    return int(value) if value == value.to_integral_value() else float(value)


def _descend(tables: Tables, path: tuple[str, ...]) -> Tables:
    for key in path:
        below = tables.setdefault(key, {})
        assert isinstance(below, dict)
        tables = below
    return tables

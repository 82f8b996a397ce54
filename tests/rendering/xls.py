"""Reports as xls (BIFF8), through xlwt."""

from __future__ import annotations

import io

import xlwt

from tests.rendering.sheets import Dialect, number_of, placed
from tests.rendering.xlsx import DASHES
from tests.replica.report_model import Report

RULED = "borders: left thin, right thin, top thin, bottom thin"


def render(report: Report, dialect: Dialect = "one", merged: bool = True) -> bytes:
    """The report as a workbook; `dialect` and `merged` as in tests/rendering/xlsx.py."""
    book = xlwt.Workbook(encoding="utf-8")
    ruled, plain = xlwt.easyxf(RULED), xlwt.easyxf("")
    dashes = {text: xlwt.easyxf(RULED, num_format_str=code) for text, code in DASHES.items()}
    sheets: dict[int, xlwt.Worksheet] = {}
    for cell in placed(report, dialect):
        if cell.sheet not in sheets:
            sheets[cell.sheet] = book.add_sheet(f"Sheet{cell.sheet}", cell_overwrite_ok=True)
        sheet = sheets[cell.sheet]
        area = (cell.row, cell.row + cell.rows - 1, cell.column, cell.column + cell.columns - 1)
        value: str | float = cell.text
        style = ruled if cell.in_table else plain
        if (number := number_of(cell.text)) is not None:
            value = number
        elif cell.in_table and cell.text in dashes:
            value, style = 0, dashes[cell.text]
        if cell.rows * cell.columns > 1 and merged:
            sheet.write_merge(*area, value, style)
            continue
        if cell.in_table:
            for row in range(area[0], area[1] + 1):
                for column in range(area[2], area[3] + 1):
                    sheet.write(row, column, None, ruled)
        if value != "":
            sheet.write(cell.row, cell.column, value, style)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()

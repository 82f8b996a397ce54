"""Reports as xlsx, through xlsxwriter."""

from __future__ import annotations

import io

import xlsxwriter

from tests.rendering.sheets import Dialect, number_of, placed
from tests.replica.report_model import Report

DASHES = {"-": '0;-0;"-"', "—": '0;-0;"—"', "--": '0;-0;"--"'}


def render(report: Report, dialect: Dialect = "one", merged: bool = True) -> bytes:
    """The report as a workbook. Not `merged`: a text stands in the first of its cells, the others
    stay blank. Numbers are stored as numbers, a dash as a zero whose format shows one.
    """
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        ruled = book.add_format({"border": 1, "text_wrap": True})
        dashes = {
            text: book.add_format({"border": 1, "num_format": code})
            for text, code in DASHES.items()
        }
        sheets: dict[int, xlsxwriter.worksheet.Worksheet] = {}
        for cell in placed(report, dialect):
            if cell.sheet not in sheets:
                sheets[cell.sheet] = book.add_worksheet()
            sheet = sheets[cell.sheet]
            area = (cell.row, cell.column, cell.row + cell.rows - 1, cell.column + cell.columns - 1)
            several = cell.rows * cell.columns > 1
            style = ruled if cell.in_table else None
            if several and merged:
                sheet.merge_range(*area, "", style)
            elif cell.in_table:
                for row in range(area[0], area[2] + 1):
                    for column in range(area[1], area[3] + 1):
                        sheet.write_blank(row, column, None, style)
            number = number_of(cell.text)
            if number is not None:
                sheet.write_number(cell.row, cell.column, number, style)
            elif cell.in_table and cell.text in dashes:
                sheet.write_number(cell.row, cell.column, 0, dashes[cell.text])
            elif cell.text:
                sheet.write_string(cell.row, cell.column, cell.text, style)
    return buffer.getvalue()

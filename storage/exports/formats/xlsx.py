"""XLSX: a sheet a statutory table, with the heads of the notice and a row an organ and year.

Beside each stands a sheet of the same shape with the states: blank, zero, dash and unread are
different things, and a spreadsheet shows two of them alike. Rows go to disk as they come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.exceptions import XlsxWriterException

from storage.errors import BadQuestion
from storage.exports.rows import Value, path_of, rows_of
from storage.exports.source import Source
from storage.exports.tables import tables, words
from storage.exports.text import DANGEROUS
from storage.queries.report import Cell
from storage.queries.taking import Taken
from storage.readings import printed

FILE = "gongkai.xlsx"
# Of the file format.
MOST_ROWS, _LONGEST = 1_048_576, 32_767
# A row an organ and year begins with these; the cells follow, then what persons hold against them.
LEADING = ("division_code", "organ", "year", "published", "version_id", "payload_digest",
           "record_id")  # fmt: skip
CORRECTIONS = "corrections"
OTHER = "other cells"
# Prose is not for a spreadsheet: a cell of one ends at 32,767 characters.
_LISTS = ("reports", "indicators", "findings", "corrections", "sources", "ledger")
_STATES = " 状态"


def sheet_of(table: printed.Sheet) -> str:
    """The name of the sheet of a statutory table; of its states with 状态 behind it."""
    return f"{table.layout} {table.title.zh}"


def states_of(table: printed.Sheet) -> str:
    """The name of the sheet with the states of a table's cells."""
    return sheet_of(table) + _STATES


def write(folder: Path, source: Source) -> None:
    """`gongkai.xlsx`. Raises BadQuestion for more rows than a sheet holds, OSError."""
    options = {
        "constant_memory": True,
        "tmpdir": str(folder),
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    workbook = xlsxwriter.Workbook(str(folder / FILE), options)
    try:
        workbook.set_properties({"title": "gongkai", "created": source.at.replace(tzinfo=None)})
        book = _Book(workbook, source)
        for one in source.reports():
            book.add(one)
        for row in source.ledger():
            book.lists["ledger"].add([row[name] for name in tables()["ledger"].names])
        workbook.close()
    except XlsxWriterException as error:
        raise OSError(str(error)) from error
    finally:
        # Else it would be written once more when it is collected.
        workbook.fileclosed = True
        for sheet in workbook.worksheets():
            # On a full disk closing them fails as well.
            with suppress(OSError):
                sheet.row_data_fh.close()


@dataclass(slots=True)
class _Sheet:
    """Rows one below the other."""

    book: Any
    name: str
    guard: Any
    sheet: Any = field(init=False)
    next: int = 0

    def __post_init__(self) -> None:
        self.sheet = self.book.add_worksheet(self.name)

    def add(self, values: Sequence[Value], looks: Sequence[Any] | None = None) -> None:
        if self.next == MOST_ROWS:
            raise BadQuestion(
                f"a sheet of XLSX holds {MOST_ROWS} rows and {self.name} has more: narrow it with "
                "--division, --portal or --year, or take csv"
            )
        for column, value in enumerate(values):
            self._put(column, value, looks[column] if looks else None)
        self.next += 1

    def _put(self, column: int, value: Value, look: Any) -> None:
        if isinstance(value, bool):
            self.sheet.write_boolean(self.next, column, value, look)
        elif isinstance(value, int | float):
            self.sheet.write_number(self.next, column, value, look)
        elif value:
            text = value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"
            look = self.guard if value.startswith(DANGEROUS) else look
            self.sheet.write_string(self.next, column, text, look)
        elif look is not None:
            self.sheet.write_blank(self.next, column, None, look)


class _Book:
    """The sheets, in their order: what they mean, the tables, their states, the lists."""

    def __init__(self, workbook: Any, source: Source) -> None:
        self._head = workbook.add_format({"bold": True, "align": "center", "border": 1})
        self._name = workbook.add_format({"font_color": "#666666", "font_size": 8})
        self._unread = workbook.add_format({"bg_color": "#F4CCCC"})
        self._corrected = workbook.add_format({"bg_color": "#FFF2CC"})
        self._workbook = workbook
        # The apostrophe of a spreadsheet: not part of the text, and it stays one when edited.
        self._guard = workbook.add_format({"quote_prefix": True})
        _explain(self._sheet("说明 about"), source)
        self._figures = {id(table): self._statutory(table) for table in printed.sheets()}
        self._states = {id(table): self._sheet(states_of(table)) for table in printed.sheets()}
        for table in printed.sheets():
            states = self._states[id(table)]
            states.add(_paths(table))
            states.sheet.freeze_panes(1, 3)
        self.lists = {name: self._sheet(name) for name in _LISTS}
        self._other = self._sheet(OTHER)
        for name, sheet in (*self.lists.items(), ("cells", self._other)):
            sheet.add(tables()[name].names)
            sheet.sheet.freeze_panes(1, 0)

    def add(self, one: Taken) -> None:
        """A report: a row in each of its tables, and whatever else it has."""
        report, read = one["report"], one["read"]
        lead: list[Value] = [report["division_code"], report["organ"], report["year"]]
        lead += [report["published"]]
        lead += [read["version_id"], read["payload_digest"], read["record_id"]] if read else [
            None, None, None,
        ]  # fmt: skip
        parts: dict[str, dict[str, Cell]] = defaultdict(dict)
        for cell in report["cells"]:
            parts[cell["table"]][path_of(cell)] = cell
        other = set()
        for key, cells in parts.items():
            table = _printed_in(key, cells, report["form"])
            if table is None:
                other.add(key)
            else:
                self._row(table, lead, cells)
        for name, row in rows_of(one):
            if name in self.lists:
                self.lists[name].add([row[column] for column in tables()[name].names])
            elif name == "cells" and row["table"] in other:
                self._other.add([row[column] for column in tables()[name].names])

    def _row(self, table: printed.Sheet, lead: list[Value], cells: dict[str, Cell]) -> None:
        mine = [cells.get(path) for path in table.paths()]
        looks = [None] * len(lead) + [self._look(cell) for cell in mine] + [None]
        held = "; ".join(_held(cell) for cell in mine if cell is not None and cell["correction"])
        figures = [None if cell is None else _figure(cell) for cell in mine]
        self._figures[id(table)].add([*lead, *figures, held], looks)
        states = [None if cell is None else cell["state"] for cell in mine]
        self._states[id(table)].add([*lead, *states, held])

    def _look(self, cell: Cell | None) -> Any:
        if cell is None:
            return None
        if cell["correction"] is not None:
            return self._corrected
        return self._unread if cell["state"] == "unread" else None

    def _sheet(self, name: str) -> _Sheet:
        return _Sheet(self._workbook, name, self._guard)

    def _statutory(self, table: printed.Sheet) -> _Sheet:
        """The heads as the notice prints them, then the paths."""
        made = self._sheet(sheet_of(table))
        notice = printed.notices()[table.layout]
        made.add([f"{table.title.zh} {table.title.en}（{notice}）"])
        for line in _heads(table):
            column = len(LEADING)
            for label, run in groupby(line):
                width = len(list(run))
                if width > 1 and label:
                    made.sheet.merge_range(
                        made.next, column, made.next, column + width - 1, label, self._head
                    )
                elif label:
                    made.sheet.write_string(made.next, column, label, self._head)
                column += width
            made.next += 1
        paths = _paths(table)
        made.add(paths, [self._name] * len(paths))
        made.sheet.freeze_panes(made.next, 3)
        return made


def _printed_in(key: str, paths: Collection[str], layout: str | None) -> printed.Sheet | None:
    """The notice's table in which these cells stand; that of `layout` first.

    A report may print one part by another notice than the rest; None where no notice has them.
    """
    tables = (table for table in printed.sheets() if table.key == key)
    fitting = (table for table in tables if set(table.paths()).issuperset(paths))
    return min(fitting, key=lambda table: table.layout != layout, default=None)


def _heads(table: printed.Sheet) -> Iterator[list[str]]:
    """The lines of the head over the cells, outermost first; empty where nothing stands."""
    cells = list(table.cells())
    for lines in ([row for _, row, _ in cells], [column for _, _, column in cells]):
        for depth in range(max(len(each.under) for each in lines)):
            yield [each.under[depth].zh if depth < len(each.under) else "" for each in lines]
        yield [each.label.zh for each in lines]


def _paths(table: printed.Sheet) -> list[Value]:
    return [*LEADING, *table.paths(), CORRECTIONS]


def _figure(cell: Cell) -> Value:
    """The number; a dash or words as published; nothing for a blank and what is unread."""
    if cell["value"] is not None:
        return cell["value"]
    return cell["raw"] if cell["state"] in ("dash", "text") else None


def _held(cell: Cell) -> str:
    correction = cell["correction"]
    assert correction is not None
    return f"{path_of(cell)}: {cell['raw']} → {correction['raw']} ({correction['state']})"


def _explain(sheet: _Sheet, source: Source) -> None:
    version: dict[str, Any] = {**source.version, "told_up_to": source.at.isoformat()}
    lines: list[list[Value]] = [
        ["gongkai", "政府信息公开工作年度报告档案", "an archive of annual disclosure reports"],
        *([name, said, said] for name, said in {**version, **source.wanted.told()}.items()),
        [],
        ["黄底 yellow", "有更正，见行末", "corrected by a person: see the end of the row"],
        ["红底 red", "未能确切读取", "unread: could not be read with certainty"],
        ["空格 empty", "空白；状态见“状态”表", "blank; the state stands in the sheet 状态"],
        [],
    ]
    lines += [[f"{word.kind}: {word.name}", word.zh, word.en] for word in words()]
    for table in tables().values():
        lines += [[], [table.name, table.zh, table.en]]
        lines += [[f"{table.name}.{c.name}", c.zh, c.en] for c in table.columns]
    for line in lines:
        sheet.add(line)
    sheet.sheet.set_column(0, 2, 44)

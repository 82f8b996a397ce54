"""Statutory tables as HTML from nested figures, in three ways of writing them.

Deliberately plain and independent of the replica's generator: what the tests of the reader change
(a row dropped, a label renamed) they change in these lists of rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from itertools import cycle
from typing import Any, Literal

from crawler.forms.definition import Form, Table, forms

Markup = Literal["plain", "word", "empty_cells"]
MARKUPS: tuple[Markup, ...] = ("plain", "word", "empty_cells")
GROUPS = {
    "granted": ("三、本年度办理结果",),
    "partial": ("三、本年度办理结果",),
    "denied": ("三、本年度办理结果", "（三）不予公开"),
    "unable": ("三、本年度办理结果", "（四）无法提供"),
    "refused": ("三、本年度办理结果", "（五）不予处理"),
    "other": ("三、本年度办理结果", "（六）其他处理"),
    "result": ("三、本年度办理结果",),
}


@dataclass
class Td:
    """A cell to be: text and spans."""

    text: str
    rows: int = 1
    cols: int = 1


Rows = list[list[Td]]


def form_of(gold: Mapping[str, Any]) -> Form:
    form = forms()[gold["format"]]
    if form.merged and "other_total" in gold["tables"]["applications"]:
        return form.merged
    return form


def values(table: Mapping[str, Any], row: str, columns: tuple[str, ...]) -> list[str]:
    """The row as printed: nothing for a blank, the raw text where gold has one."""
    printed = []
    for column in columns:
        figure = table[row].get(f"{column}_raw", table[row][column])
        printed.append("" if figure is None else str(figure))
    return printed


def item_rows(table: Table, figures: Mapping[str, Any]) -> Rows:
    item = figures[table.key.partition(".")[2]]
    head = [Td("信息内容"), *(Td(column.label) for column in table.columns)]
    lines = (
        [Td(row.label), *map(Td, values(item, row.key, table.column_keys))] for row in table.rows
    )
    return [[Td(table.corner[0], cols=len(head))], head, *lines]


def application_rows(table: Table, figures: Mapping[str, Any], empty_cells: bool = False) -> Rows:
    first, *legal, last = (column.label for column in table.columns)
    corner = table.corner[1]
    if empty_cells:
        rows = [
            [Td(corner, cols=3), Td("申请人情况"), *[Td("") for _ in range(6)]],
            [Td("", cols=3), Td(first), Td("法人或其他组织"), *map(Td, [""] * 4), Td(last)],
            [Td("", cols=3), Td(""), *map(Td, legal), Td("")],
        ]
    else:
        rows = [
            [Td(corner, rows=3, cols=3), Td("申请人情况", cols=7)],
            [Td(first, rows=2), Td("法人或其他组织", cols=5), Td(last, rows=2)],
            [Td(name) for name in legal],
        ]
    for row in table.rows:
        groups = GROUPS.get(row.key.partition("_")[0], ())
        if row.key == "other_total":
            groups = groups[:1]
        labels = [Td(group) for group in groups] + [Td(row.label, cols=3 - len(groups))]
        cells = values(figures, row.key, table.column_keys)
        rows.append([*labels, *map(Td, cells)])
    return rows if empty_cells else joined(rows)


def joined(rows: Rows) -> Rows:
    """Equal group labels under each other become one cell with a rowspan."""
    above: dict[int, Td] = {}
    for row in rows[3:]:
        for depth in range(2):
            cell = row[depth] if depth < len(row) - 8 else None
            opened = above.get(depth)
            if cell is not None and opened is not None and opened.text == cell.text:
                opened.rows += 1
                cell.rows = 0
            elif cell is not None:
                above[depth] = cell
            else:
                above.pop(depth, None)
    return [[cell for cell in row if cell.rows] for row in rows]


def review_rows(table: Table, figures: Mapping[str, Any], empty_cells: bool = False) -> Rows:
    outcomes = [column.label for column in table.columns]
    blocks = [row.label for row in table.rows]
    direct, after = (Td(block, cols=5) for block in blocks[1:])
    top = [Td(blocks[0], cols=5), Td("行政诉讼", cols=10)]
    if empty_cells:
        rows = [top, [*map(Td, outcomes), direct, after], [*map(Td, [""] * 5 + outcomes * 2)]]
    else:
        rows = [
            top,
            [*(Td(outcome, rows=2) for outcome in outcomes), direct, after],
            [*map(Td, outcomes * 2)],
        ]
    line = [cell for row in table.rows for cell in values(figures, row.key, table.column_keys)]
    return [*rows, [*map(Td, line)]]


def tables_of(gold: Mapping[str, Any], markup: Markup = "plain") -> list[Rows]:
    """The statutory tables of a gold file as rows of cells, one table an item."""
    form, figures = form_of(gold), gold["tables"]
    *items, applications, review = form.tables
    empty = markup == "empty_cells"
    return [
        *(item_rows(table, figures["art20"]) for table in items),
        application_rows(applications, figures["applications"], empty),
        review_rows(review, figures["review_litigation"], empty),
    ]


def page(gold: Mapping[str, Any], markup: Markup = "plain") -> str:
    return body(gold["title"], tables_of(gold, markup), markup)


def body(title: str, tables: list[Rows], markup: Markup = "plain") -> str:
    """An article body of invented prose around the tables."""
    parts = [f"<p>{title}</p><p>一、总体情况</p><p>按要求编制本报告。</p>"]
    for number, rows in zip(cycle("二三四五六七八九十"), tables, strict=False):
        parts.append(f"<p>{number}、主动公开政府信息情况</p>{html_table(rows, markup)}")
    return "\n".join(parts)


def html_table(rows: Rows, markup: Markup = "plain") -> str:
    cell = word_cell if markup == "word" else plain_cell
    lines = ("<tr>" + "".join(map(cell, row)) + "</tr>" for row in rows)
    return "<table border='1'>" + "\n".join(lines) + "</table>"


def spans(cell: Td) -> str:
    rows = f' rowspan="{cell.rows}"' if cell.rows > 1 else ""
    return rows + (f' colspan="{cell.cols}"' if cell.cols > 1 else "")


def plain_cell(cell: Td) -> str:
    return f"<td{spans(cell)}>{escape(cell.text)}</td>"


def word_cell(cell: Td) -> str:
    """As pasted from Word: a paragraph, spans in the middle of words, a blank as &nbsp;."""
    style = 'class="MsoNormal" style="mso-para-margin:0;text-align:center"'
    if not cell.text:
        return f"<td{spans(cell)}><p {style}><o:p>&nbsp;</o:p></p></td>"
    cut = len(cell.text) // 2
    runs = "".join(
        f'<span lang="EN-US" style="font-family:宋体">{escape(run)}</span>'
        for run in (cell.text[:cut], cell.text[cut:])
        if run
    )
    return f"<td{spans(cell)}>\n  <p {style}>{runs}<o:p></o:p></p>\n</td>"

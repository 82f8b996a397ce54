"""Grids nobody would print, flattened text of any words: read without a crash, all accounted."""

from __future__ import annotations

import time
from functools import cache

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler import forms
from crawler.documents import html
from crawler.documents.model import Block, Document, Grid, GridCell
from crawler.forms.account import account
from crawler.forms.labels import squeeze
from crawler.forms.model import State
from tests.pages import body, tables_of
from tests.replica.report_model import statutory
from tests.test_mutated_templates import figures
from tests.test_statistics import merged_blocks, side_by_side, two_columns

FORMS = forms.forms().values()
LABELS = sorted(
    {
        label
        for form in FORMS
        for table in form.tables
        for named in (table.rows, table.columns)
        for item in named
        for label in (item.label, *item.variants)
    }
    | {label for form in FORMS for table in form.tables for label in (*table.corner, *table.groups)}
    | {"法人或其他组织", "行政诉讼", "行政复议", "未经复议直接起诉", "复议后起诉"}
)
OLD = [*statutory()["statistics"]["head"], "序号", "类别"] + [
    text
    for block, lines in statutory()["statistics"]["blocks"].items()
    for text in (block, *(word for line in lines for word in line))
]
VALUES = ["0", "1", "22", "-1", "5446.75万元", "", "\u3000", "-", "无", "1 2", "7（其中1件）", "９"]
OTHER = [
    "",
    "备注",
    "注：略",
    "第二十条第（一）项",
    "索引号",
    "公开日期",
    "申请人",
    "\ufffd",
    "一、",
]
TEXTS = st.one_of(
    st.sampled_from(LABELS), st.sampled_from(OLD), st.sampled_from(VALUES), st.sampled_from(OTHER)
)
SPANS = st.sampled_from([1, 1, 1, 1, 2, 3, 7])


@st.composite
def grids(draw: st.DrawFn, ordinal: int = 0) -> Grid:
    rows = []
    for number in range(draw(st.integers(1, 9))):
        column, row = 0, []
        for text in draw(st.lists(TEXTS, max_size=10)):
            spans = draw(SPANS), draw(SPANS)
            row.append(GridCell(text, number, column, *spans))
            column += spans[1]
        rows.append(tuple(row))
    page = draw(st.sampled_from([None, ordinal + 1]))
    width = max((c.column + c.colspan for row in rows for c in row), default=0)
    xs = tuple(float(x) for x in range(width + 1)) if page else ()
    ys = tuple(float(y) for y in range(len(rows) + 8)) if page else ()
    return Grid(ordinal, tuple(rows), page, "", xs, ys)


@cache
def templates() -> list[Grid]:
    """Every table of both layouts with a number of its own in each cell, and some of indicators."""
    tables = [rows for layout in ("2019", "2021") for rows in tables_of(figures(layout))]
    tables += [*side_by_side(), *merged_blocks(), *two_columns()]
    document = html.read(body("某区政府信息公开工作年度报告", tables))
    return [block.grid for block in document.blocks if block.grid]


@st.composite
def damaged(draw: st.DrawFn, ordinal: int = 0) -> Grid:
    """A template with up to four of its cells changed, widened or lost, or a row lost."""
    grid = draw(st.sampled_from(templates()))
    rows = [list(row) for row in grid.rows]
    for _ in range(draw(st.integers(0, 4))):
        row = draw(st.sampled_from([row for row in rows if row] or [[]]))
        if not row:
            break
        at = draw(st.integers(0, len(row) - 1))
        change = draw(st.sampled_from(["text", "text", "rowspan", "colspan", "drop", "empty"]))
        if change == "text":
            row[at] = row[at]._replace(text=draw(TEXTS))
        elif change == "drop":
            del row[at]
        elif change == "empty":
            row.clear()
        elif change == "rowspan":
            row[at] = row[at]._replace(rowspan=draw(SPANS))
        else:
            row[at] = row[at]._replace(colspan=draw(SPANS))
    return Grid(ordinal, tuple(map(tuple, rows)))


@st.composite
def documents(draw: st.DrawFn) -> Document:
    found = [
        draw(st.one_of(damaged(ordinal), damaged(ordinal), grids(ordinal)))
        for ordinal in range(draw(st.integers(0, 4)))
    ]
    blocks = [Block("paragraph", "某区政府信息公开工作年度报告")]
    for grid in found:
        blocks += [Block("heading", "二、主动公开政府信息情况"), Block("table", grid=grid)]
    tokens = tuple(block.text for block in blocks if block.grid is None)
    return Document("html", tuple(blocks), tokens)


@st.composite
def flattened(draw: st.DrawFn) -> Document:
    tokens = tuple(draw(st.lists(TEXTS, max_size=60)))
    return Document("text", tuple(Block("paragraph", t) for t in tokens if t.strip()), tokens)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(documents(), flattened()))
def test_any_document_is_read_and_accounted(document: Document) -> None:
    reading = forms.read(document)
    found = account(document, reading)
    have = "".join(squeeze(one.text) for one in found)
    want = "".join(
        squeeze(text)
        for block in document.blocks
        for text in (
            [cell.text for row in block.grid.rows for cell in row] if block.grid else [block.text]
        )
    )
    assert sorted(have) == sorted(want)
    assert [one for one in found if one.kind == "unaccounted"] == []
    told = {path for finding in reading.findings for path in finding.cells}
    assert {cell.path for cell in reading.cells if cell.state is State.UNREAD} <= told
    assert all(finding.message and finding.message_zh for finding in reading.findings)
    for cell in reading.cells:
        if cell.value is not None and cell.place and cell.place[0] >= 0:
            row = reading.grids[cell.place[0]].rows[cell.place[1]]
            assert any(c.column == cell.place[2] and c.text in cell.raw for c in row)


def test_tables_no_report_prints_are_kept_unread_in_bounded_time() -> None:
    rows = tuple(
        (GridCell("2.重复申请", number, 0), *(GridCell("1", number, i, 900) for i in range(1, 8)))
        for number in range(2000)
    )
    small = templates()[:6]
    large = Grid(len(small), rows)
    blocks = [Block("paragraph", "年报"), *(Block("table", grid=grid) for grid in (*small, large))]
    start = time.process_time()
    reading = forms.read(Document("html", tuple(blocks)))
    assert time.process_time() - start < 5
    assert large.ordinal in reading.unclaimed
    assert "unclaimed_table" in {finding.rule for finding in reading.findings}
    assert reading.cells[0].value == 101

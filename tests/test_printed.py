"""The tables as they are shown against the forms as they are read, and how their heads span."""

from __future__ import annotations

import re

import pytest

from crawler.forms import definition
from storage.readings.printed import Drawn, drawn, label_of, sheets

FORMS = definition.forms()


def _bare(label: str) -> str:
    """Without notes in brackets, which forms fold away."""
    return re.sub(r"（单位[^）]*）", "", label)


@pytest.mark.parametrize("layout", ["2019", "2021"])
def test_the_tables_are_those_of_the_form_with_its_labels_and_order(layout: str) -> None:
    form = FORMS[layout]
    shown = {sheet.key: sheet for sheet in sheets() if sheet.layout == layout}
    assert list(shown) == [table.key for table in form.tables]
    for table in form.tables:
        sheet = shown[table.key]
        assert sheet.title.zh == table.title
        assert sheet.across == table.across
        columns = [
            (c.key, _bare(c.label.zh), c.under[0].zh if c.under else None) for c in sheet.columns
        ]
        assert columns == [(c.key, c.label, c.under) for c in table.columns]
        mine = [row for row in sheet.rows if row.key in table.row_keys]
        assert [(r.key, r.label.zh) for r in mine] == [(r.key, r.label) for r in table.rows]
        groups = {label.zh for row in sheet.rows for label in row.under}
        assert set(table.groups) <= groups
        merged = {table.merged.key: table.merged.label} if table.merged else {}
        others = {r.key: r.label.zh for r in sheet.rows if r not in mine}
        assert others == merged


def _widths(table: Drawn) -> list[int]:
    """Of each line, how many columns it fills with what reaches down from lines above it."""
    lines = [*table.heads, *([*heads] for heads, _ in table.rows)]
    figures = [0] * len(table.heads) + [len(paths) for _, paths in table.rows]
    filled = figures
    for at, line in enumerate(lines):
        for head in line:
            for below in range(head.rows):
                filled[at + below] += head.columns
    return filled


@pytest.mark.parametrize("layout", ["2019", "2021"])
@pytest.mark.parametrize("dropped", ["other_total", "other_(overdue|misc)"])
def test_every_line_of_a_table_is_as_wide_as_the_others(layout: str, dropped: str) -> None:
    # The rows of 其他处理 that one notice has are met in reports by the other as well.
    of = [sheet for sheet in sheets() if sheet.layout == layout or sheet.key == "applications"]
    paths = dict.fromkeys(path for sheet in of for path in sheet.paths())
    tables, left = drawn([path for path in paths if not re.search(dropped, path)])
    assert not left
    for table in tables:
        assert len(set(_widths(table))) == 1, table.title


def test_a_table_is_drawn_as_the_notice_whose_cells_it_has() -> None:
    tables, left = drawn(
        ["art20.item5.licensing.decisions", "art20.item1.regulations.published_total", "x.y.z"]
    )
    assert [head.label.zh for head in tables[0].heads[0]][1:] == [
        "本年新制作数量",
        "本年新公开数量",
        "对外公开总数量",
    ]
    assert [head.label.zh for head in tables[1].heads[0]][1:] == ["本年处理决定数量"]
    assert left == ["x.y.z"]


def test_a_cell_is_told_by_what_stands_over_and_beside_it() -> None:
    told = label_of("applications.denied_process.research")
    assert [label.zh for label in told] == [
        "收到和处理政府信息公开申请情况",
        "三、本年度办理结果",
        "（三）不予公开",
        "6.属于四类过程性信息",
        "法人或其他组织",
        "科研机构",
    ]
    assert label_of("nothing.at.all") == ()
    fees = label_of("art20.item5.licensing.decisions", "2019")[-1]
    assert fees.zh == "处理决定数量"


def test_every_label_has_both_languages() -> None:
    for sheet in sheets():
        for line in (*sheet.columns, *sheet.rows):
            assert all(label.zh and label.en for label in line.labels)

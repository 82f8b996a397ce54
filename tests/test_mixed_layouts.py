"""Reports that print tables of two layouts: each read by its own labels, nothing forced."""

from __future__ import annotations

import pytest

from crawler import forms
from crawler.documents import html
from crawler.documents.model import Block, Document
from crawler.forms.account import account
from crawler.forms.model import Reading, State
from crawler.words import Remark
from tests.pages import Rows, Td, body, tables_of
from tests.test_mutated_templates import APPLICATIONS, figures, truth
from tests.test_statistics import LINES, heading_lines

TITLE = "某区2021年政府信息公开工作年度报告"


def read(tables: list[Rows]) -> Reading:
    document = html.read(body(TITLE, tables))
    reading = forms.read(document)
    assert [one for one in account(document, reading) if one.kind == "unaccounted"] == []
    return reading


def said(reading: Reading) -> list[str]:
    return [finding.rule for finding in reading.findings]


def values(reading: Reading) -> dict[str, int]:
    return {cell.path: int(cell.value) for cell in reading.cells if cell.value is not None}


def part(layout: str, *prefixes: str) -> dict[str, int]:
    return {path: value for path, value in truth(layout).items() if path.startswith(prefixes)}


def test_items_of_2019_beside_applications_of_2021() -> None:
    old, new = tables_of(figures("2019")), tables_of(figures("2021"))
    reading = read([*old[:-2], *new[-2:]])
    assert reading.layout == "2019"
    assert said(reading) == ["mixed_layout"]
    assert "2021" in reading.findings[0].message_zh
    expected = part("2019", "art20") | part("2021", "applications", "review")
    assert values(reading) == expected
    assert len(reading.cells) == 212
    assert [c.rule for c in reading.checks].count("A3") == 25


def test_items_of_2021_beside_applications_of_2019_are_the_form_with_one_row() -> None:
    old, new = tables_of(figures("2019")), tables_of(figures("2021"))
    reading = read([*new[:-2], *old[-2:]])
    assert reading.layout == "2021"
    assert values(reading) == part("2021", "art20") | part("2019", "applications", "review")
    assert len(reading.cells) == 186


def test_item_one_of_2021_beside_the_other_items_of_2019() -> None:
    old, new = tables_of(figures("2019")), tables_of(figures("2021"))
    reading = read([new[0], *old[1:]])
    assert said(reading) == ["mixed_layout"]
    assert values(reading) == part("2021", "art20.item1") | {
        path: value for path, value in truth("2019").items() if "item1" not in path
    }
    assert not any(cell.column == "newly_made" for cell in reading.cells)


def test_item_one_of_2019_beside_all_else_of_2021() -> None:
    old, new = tables_of(figures("2019")), tables_of(figures("2021"))
    reading = read([old[0], *new[1:]])
    assert said(reading) == ["mixed_layout"]
    assert values(reading) == part("2019", "art20.item1") | {
        path: value for path, value in truth("2021").items() if "item1" not in path
    }


def test_one_item_in_both_layouts_is_forced_into_neither() -> None:
    old, new = tables_of(figures("2019")), tables_of(figures("2021"))
    reading = read([old[0], *new])
    known = truth("2021")
    assert all(known[path] == value for path, value in values(reading).items())
    told = {path for finding in reading.findings for path in finding.cells}
    assert {c.path for c in reading.cells if c.state is State.UNREAD} <= told
    assert reading.findings


@pytest.mark.parametrize("layout", ["2019", "2021"])
def test_a_pure_report_mixes_nothing(layout: str) -> None:
    assert said(read(tables_of(figures(layout)))) == []


def test_old_statistics_beside_statutory_tables_are_read_too() -> None:
    reading = read([*tables_of(figures("2019")), *heading_lines()])
    assert values(reading) == truth("2019")
    assert len(reading.indicators) == len(LINES)
    assert said(reading) == ["mixed_layout"]
    assert reading.unclaimed == frozenset()


def test_every_grid_is_kept_and_the_unclaimed_are_named() -> None:
    other: Rows = [[Td("科室"), Td("电话")], [Td("办公室"), Td("0991")]]
    tables = tables_of(figures("2021"))
    reading = read([other, *tables, other])
    assert len(reading.grids) == len(tables) + 2
    assert reading.unclaimed == {0, len(tables) + 1}
    assert said(reading) == ["unclaimed_table", "unclaimed_table"]


def test_rows_of_the_reports_own_stay_out_of_the_form() -> None:
    tables = tables_of(figures("2021"))
    tables[APPLICATIONS].append([Td("五、电话咨询", cols=3), *(Td(str(n)) for n in range(7))])
    reading = read(tables)
    assert values(reading) == truth("2021")
    assert said(reading) == ["unclaimed_row"]


def test_what_the_source_gave_reason_to_say_is_a_finding() -> None:
    document = Document(
        "pdf",
        (Block("paragraph", TITLE),),
        engine="engine 1.0",
        remarks=(Remark("no_text", {"page": "3"}),),
    )
    reading = forms.read(document)
    assert reading.engine == "engine 1.0"
    assert said(reading) == ["no_text"]
    assert "3" in reading.findings[0].message_zh

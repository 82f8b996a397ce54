"""政府信息公开情况统计表 in the ways it is laid out: every line, nothing guessed."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from crawler import forms
from crawler.documents import html, text
from crawler.forms.model import Indicator, Reading, State
from tests.pages import Rows, Td, body
from tests.replica.report_model import statutory
from tests.replica.report_pages import Markup
from tests.replica.reports import body_html, flattened, generate

TITLE = "某区2015年政府信息公开工作年度报告"
# Block, label, unit and value as printed; figures invented.
LINES = [
    (block, label, unit, str((7 * number) % 31) if number % 5 else "")
    for number, (block, label, unit) in enumerate(
        (block, label, unit)
        for block, lines in statutory()["statistics"]["blocks"].items()
        for label, unit in lines
    )
]
HEAD = ["统计指标", "单位", "统计数"]
Layout = Callable[[], list[Rows]]


def row(*texts: str) -> list[Td]:
    return [Td(text) for text in texts]


def blocks() -> dict[str, list[tuple[str, str, str]]]:
    found: dict[str, list[tuple[str, str, str]]] = {}
    for block, *line in LINES:
        label, unit, value = line
        found.setdefault(block, []).append((label, unit, value))
    return found


def heading_lines() -> list[Rows]:
    rows = [row(*HEAD)]
    for block, lines in blocks().items():
        rows += [[Td(block, cols=3)], *(row(*line) for line in lines)]
    return [rows]


def dashed_heading_lines() -> list[Rows]:
    rows = [row(*HEAD)]
    for block, lines in blocks().items():
        rows += [row(block, "——", ""), *(row(*line) for line in lines)]
    return [rows]


def number_column() -> list[Rows]:
    rows = [row("序号", *HEAD)]
    for block, lines in blocks().items():
        rows.append([Td(""), Td(block, cols=3)])
        rows += [row(str(len(rows)), *line) for line in lines]
    return [rows]


def merged_blocks() -> list[Rows]:
    rows = [[Td("统计指标", cols=2), Td("单位"), Td("统计数")]]
    for block, lines in blocks().items():
        first, *rest = (row(*line) for line in lines)
        rows += [[Td(block, rows=len(lines)), *first], *rest]
    return [rows]


def named_blocks() -> list[Rows]:
    (rows,) = merged_blocks()
    return [[row("类别", *HEAD), *rows[1:]]]


def indented() -> list[Rows]:
    (rows,) = heading_lines()
    for line in rows[1:]:
        line[0].text = ("　　" if line[0].text[0].isdigit() else "") + line[0].text
    return [rows]


def side_by_side() -> list[Rows]:
    (rows,) = dashed_heading_lines()
    lines = rows[1:]
    half = (len(lines) + 1) // 2
    right = [*lines[half:], row("", "", "")]
    pairs = zip(lines[:half], right, strict=False)
    return [[row(*HEAD, *HEAD), *(one + other for one, other in pairs)]]


def two_columns() -> list[Rows]:
    rows = [row("指标", "数量")]
    for block, lines in blocks().items():
        rows.append([Td(block, cols=2)])
        rows += [row(f"{label}（{unit}）", value) for label, unit, value in lines]
    return [rows]


def cut_by_a_page() -> list[Rows]:
    (rows,) = dashed_heading_lines()
    return [rows[:17], rows[17:]]


def cut_with_its_head() -> list[Rows]:
    (rows,) = dashed_heading_lines()
    return [rows[:17], [row(*HEAD), *rows[17:]]]


def titled() -> list[Rows]:
    (rows,) = heading_lines()
    return [[[Td("政府信息公开情况统计表", cols=3)], [Td("（2015年度）", cols=3)], *rows]]


def without_head() -> list[Rows]:
    (rows,) = heading_lines()
    return [rows[1:]]


LAYOUTS: list[Layout] = [
    heading_lines, dashed_heading_lines, number_column, merged_blocks, named_blocks, indented,
    side_by_side, two_columns, cut_by_a_page, cut_with_its_head, titled, without_head,
]  # fmt: skip


def read(tables: list[Rows]) -> Reading:
    return forms.read(html.read(body(TITLE, tables)))


def said(reading: Reading) -> list[str]:
    return [finding.rule for finding in reading.findings]


def found(reading: Reading, label: str) -> Indicator:
    (one,) = [one for one in reading.indicators if label in one.label]
    return one


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_every_line_is_kept_with_block_label_unit_and_value(layout: Layout) -> None:
    reading = read(layout())
    assert reading.layout == "old"
    assert [(i.block, i.raw) for i in reading.indicators] == [
        (block, value) for block, _, _, value in LINES
    ]
    for one, (_, label, unit, value) in zip(reading.indicators, LINES, strict=True):
        assert one.label.startswith(label)
        assert one.unit == unit
        assert one.key is not None
        assert one.state is (State.BLANK if not value else State(state_of(value)))
        assert one.value == (Decimal(value) if value else None)
    assert len({one.key for one in reading.indicators}) == len(LINES)
    assert (reading.unclaimed, said(reading)) == (frozenset(), [])


def state_of(value: str) -> str:
    return "number" if int(value) else "zero"


def test_places_lead_back_to_the_grid() -> None:
    reading = read(merged_blocks())
    for one in reading.indicators:
        assert one.place is not None
        ordinal, number, column = one.place
        (cell,) = [c for c in reading.grids[ordinal].rows[number] if c.column == column]
        assert cell.text == one.raw


def test_labels_nobody_knows_are_kept_without_a_key() -> None:
    (rows,) = heading_lines()
    rows.insert(5, row("8.村务公开栏公开信息数", "条", "12"))
    one = found(read([rows]), "村务公开栏")
    assert (one.key, one.block, one.value) == (None, "一、主动公开情况", Decimal(12))


def test_the_same_label_in_two_blocks_has_two_keys() -> None:
    keys = [one.key for one in read(heading_lines()).indicators if "被依法纠错数" in one.label]
    assert keys == ["review.corrected", "litigation.corrected"]


def test_without_its_block_a_label_of_two_blocks_has_no_key() -> None:
    (rows,) = heading_lines()
    bare = [line for line in rows if len(line) == 3]
    keys = {one.label: one.key for one in read([bare]).indicators}
    assert keys["（二）被依法纠错数"] is None
    assert keys["（一）收到申请数"] == "requests.received"


def test_a_block_may_bear_a_value_of_its_own() -> None:
    (rows,) = heading_lines()
    at = next(i for i, line in enumerate(rows) if line[0].text == "四、行政复议数量")
    rows[at] = row("四、行政复议数量", "件", "3")
    one = found(read([rows]), "行政复议数量")
    assert (one.key, one.value) == ("review.total", Decimal(3))


@pytest.mark.parametrize(
    ("printed", "state", "rule"),
    [
        ("约12", State.TEXT, "text_value"),
        ("——", State.DASH, None),
        ("12（含街道）", State.NUMBER, "note_in_cell"),
        ("12件", State.NUMBER, "foreign_unit"),
        ("１２", State.NUMBER, None),
        ("1,200", State.NUMBER, None),
    ],
)
def test_values_are_judged_as_everywhere(printed: str, state: State, rule: str | None) -> None:
    (rows,) = heading_lines()
    rows[2][2].text = printed
    reading = read([rows])
    one = reading.indicators[0]
    assert (one.raw, one.state) == (printed, state)
    assert said(reading) == ([rule] if rule else [])


def test_one_value_over_two_lines_or_over_the_unit_is_unread() -> None:
    (rows,) = heading_lines()
    rows[2][2].rows = 2
    del rows[3][2]
    rows[5][1:] = [Td("12", cols=2)]
    reading = read([rows])
    unread = [one.label for one in reading.indicators if one.state is State.UNREAD]
    assert unread == [LINES[0][1], LINES[1][1], LINES[3][1]]
    assert said(reading) == ["unread"] * 3
    assert all(LINES[0][1] in f.message_zh for f in reading.findings[:1])


def test_a_short_line_is_unread() -> None:
    (rows,) = heading_lines()
    del rows[2][2]
    reading = read([rows])
    assert reading.indicators[0].state is State.UNREAD
    assert said(reading) == ["unread"]


def test_two_lines_of_one_key_that_differ_have_none() -> None:
    (rows,) = heading_lines()
    rows.insert(3, row("（一）主动公开政府信息数", "条", "99"))
    reading = read([rows])
    assert [one.key for one in reading.indicators[:2]] == [None, None]
    assert said(reading) == ["duplicate_row"]


def test_a_column_of_the_reports_own_is_said() -> None:
    (rows,) = dashed_heading_lines()
    for number, line in enumerate(rows):
        line.append(Td("备注" if not number else "见附件" if number == 3 else ""))
    reading = read([rows])
    assert len(reading.indicators) == len(LINES)
    assert "见附件" in " ".join(f.message for f in reading.findings)


def test_any_other_table_of_an_old_report_stays_a_grid() -> None:
    other = [row("名称", "数量"), row("公开栏", "3"), row("查阅点", "1")]
    reading = read([other, *heading_lines()])
    assert reading.unclaimed == {0}
    assert said(reading) == ["unclaimed_table"]
    assert len(reading.grids) == 2


@pytest.mark.parametrize("markup", ["clean", "word", "ueditor", "flat"])
def test_generated_reports_are_read_from_any_markup(markup: Markup) -> None:
    for year in (2014, 2016):
        report = generate(year, "米东区教育局", year, "old")
        assert report.statistics
        truth = [line for line in report.statistics if line[1] != "——"]
        for reading in (
            forms.read(html.read(body_html(report, markup))),
            forms.read(text.read(flattened(report))),
        ):
            assert [(i.label, i.unit, i.raw.strip()) for i in reading.indicators] == truth
            assert said(reading) == []


def test_flattened_text_that_lost_its_blanks_is_said() -> None:
    lines = [TITLE, "一、概述", "做了工作。", "二、主动公开情况", "见下表。", *HEAD]
    for _, label, unit, value in LINES:
        lines += [label, unit, value] if value else [label, unit]
    reading = forms.read(text.read("\n\n".join(lines)))
    truth = {label: value for _, label, _, value in LINES}
    assert all(one.raw == truth[one.label] for one in reading.indicators)
    assert "not_recoverable" in said(reading)


@pytest.mark.parametrize("heads", [["统计数", "统计数"], ["统计数"]])
def test_two_values_for_a_line_are_not_told_apart(heads: list[str]) -> None:
    rows = [row(*HEAD[:2], *heads)]
    rows[0][-1].cols = 3 - len(heads)
    rows += [row(label, unit, "7", value or "0") for _, label, unit, value in LINES]
    found = forms.read(html.read(body(TITLE, [rows])))
    assert len(found.indicators) == len(LINES)
    assert {(one.state, one.value) for one in found.indicators} == {(State.UNREAD, None)}
    assert sum(f.rule == "unread" for f in found.findings) == len(LINES)

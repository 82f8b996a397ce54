"""Labels and numbers torn apart: put together where the arithmetic proves it, else unread."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest

import pytest

from crawler import forms
from crawler.documents import text
from crawler.forms.account import account
from crawler.forms.model import Reading
from tests.replica.report_model import Report, statutory
from tests.replica.reports import generate

ORGAN = "乌鲁木齐市人民政府"
YEARS = {"2019": 2019, "2021": 2023}
HEAD = [
    "（本列数据的勾稽关系为：第一项加第二项之和，等于第三项加第四项之和）",
    "申请人情况",
    "自然人 法人或其他组织 总计",
    "商业企业 科研机构 社会公益组织 法律服务机构 其他",
]
Rows = list[tuple[str, list[str]]]
Way = Callable[[Rows], list[str]]


def busy(layout: str, wrong: tuple[str, ...] = ()) -> Report:
    """A report whose applications are many and of several kinds."""
    made = (generate(seed, ORGAN, YEARS[layout], layout, (), wrong) for seed in range(300))
    for report in made:
        rows = {row: values for row, (_, values) in table(report).items()}
        if len({*map(tuple, rows.values())}) > 12:
            return report
    raise AssertionError("no busy report among the first")


def table(report: Report) -> dict[str, tuple[str, list[str]]]:
    return {
        row: (
            statutory()["applications"]["rows"][row][-1],
            [report.cells[f"applications.{row}.{column}"].raw for column in report.columns],
        )
        for row in report.application_rows
    }


def one_line_a_row(rows: Rows) -> list[str]:
    return [" ".join((label, *values)) for label, values in rows]


def numbers_on_the_next_line(rows: Rows) -> list[str]:
    return [line for label, values in rows for line in (label, " ".join(values))]


def labels_first(rows: Rows) -> list[str]:
    return [*(label for label, _ in rows), *(" ".join(values) for _, values in rows)]


def labels_first_in_groups(rows: Rows) -> list[str]:
    lines: list[str] = []
    for at in range(0, len(rows), 5):
        lines += labels_first(rows[at : at + 5])
    return lines


def numbers_one_a_line(rows: Rows) -> list[str]:
    lines: list[str] = []
    for at in range(0, len(rows), 5):
        some = rows[at : at + 5]
        lines += [label for label, _ in some] + [n for _, values in some for n in values]
    return lines


def columns_one_after_the_other(rows: Rows) -> list[str]:
    lines: list[str] = []
    for at in range(0, len(rows), 6):
        some = rows[at : at + 6]
        lines += [label for label, _ in some]
        columns = zip_longest(*(values for _, values in some), fillvalue="")
        lines += [" ".join(column) for column in columns]
    return lines


def label_broken_around_its_numbers(rows: Rows) -> list[str]:
    lines: list[str] = []
    for label, values in rows:
        cut = len(label) // 2 if len(label) > 8 else len(label)
        lines += [" ".join((label[:cut], *values)), label[cut:]]
    return [line for line in lines if line]


WAYS: list[Way] = [
    one_line_a_row, numbers_on_the_next_line, labels_first, labels_first_in_groups,
    numbers_one_a_line, columns_one_after_the_other, label_broken_around_its_numbers,
]  # fmt: skip


def read(report: Report, lines: list[str]) -> Reading:
    body = [report.body_title, "一、总体情况", "按要求编制。", "二、主动公开政府信息情况"]
    body += ["信息内容 本年制发件数 本年废止件数 现行有效件数"] if report.layout == "2021" else []
    body += ["三、收到和处理政府信息公开申请情况", *HEAD, *lines]
    body += ["五、存在的主要问题及改进情况", "没有问题。", "六、其他需要报告的事项", "没有。"]
    document = text.read("\n".join(body))
    reading = forms.read(document)
    assert [one for one in account(document, reading) if one.kind == "unaccounted"] == []
    return reading


def wrong(report: Report, reading: Reading) -> list[str]:
    return [
        cell.path
        for cell in reading.cells
        if cell.value is not None and cell.value != report.cells[cell.path].value
    ]


def right(report: Report, reading: Reading) -> set[str]:
    return {cell.path for cell in reading.cells if cell.value is not None} - {
        *wrong(report, reading)
    }


def said(reading: Reading) -> set[str]:
    return {finding.rule for finding in reading.findings}


@pytest.mark.parametrize("layout", YEARS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_torn_rows_are_put_together_where_the_sums_prove_it(way: Way, layout: str) -> None:
    report = busy(layout)
    reading = read(report, way(list(table(report).values())))
    assert wrong(report, reading) == []
    assert len(right(report, reading)) == 7 * len(report.application_rows)
    assert "put_together" in said(reading)
    (finding,) = [finding for finding in reading.findings if finding.rule == "put_together"]
    assert {*finding.cells} <= {path for path in report.cells if path.startswith("applications")}
    assert "勾稽" in finding.message_zh


@pytest.mark.parametrize("rule", ["A1", "A2", "A3"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_where_a_sum_fails_torn_rows_are_unread(way: Way, rule: str) -> None:
    report = busy("2021", (rule,))
    reading = read(report, way(list(table(report).values())))
    assert "put_together" not in said(reading)
    assert wrong(report, reading) == []


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("at", [0, 2, 9, -1])
def test_a_number_or_a_label_too_few_or_too_many_leaves_them_unread(way: Way, at: int) -> None:
    report = busy("2021")
    rows = list(table(report).values())
    label, values = rows[at]
    for damaged in (
        (label, values[:-1]),
        (label, [*values, "3"]),
        ("地方自定事项", values),
    ):
        changed = list(rows)
        changed[at] = damaged
        reading = read(report, way(changed))
        assert "put_together" not in said(reading)
        assert wrong(report, reading) == []


def test_without_its_heads_no_column_has_a_name() -> None:
    report = busy("2021")
    lines = labels_first(list(table(report).values()))
    for lost in ("总计", "科研机构 ", "商业企业 科研机构 社会公益组织"):
        heads = [line.replace(lost, "") for line in HEAD]
        body = [report.body_title, "信息内容 本年制发件数 本年废止件数", *heads, *lines]
        reading = forms.read(text.read("\n".join(body)))
        assert "put_together" not in said(reading)
        assert right(report, reading) == set()


def test_rows_exchanged_columns_or_two_solutions_prove_nothing() -> None:
    report = busy("2021")
    rows = list(table(report).values())
    rows[2], rows[3] = rows[3], rows[2]
    assert "put_together" not in said(read(report, labels_first(rows)))

"""Every visible character of a document has an account, and none is left out in silence."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import lxml.html
import pytest

from crawler import forms
from crawler.documents import html, text
from crawler.documents.model import Document
from crawler.forms.account import Account, account
from crawler.forms.labels import squeeze
from crawler.forms.model import Reading
from tests.pages import Rows, Td, body, tables_of
from tests.replica.report_pages import Markup
from tests.replica.reports import body_html, flattened, generate
from tests.test_generated_reports import MARKUPS, mixed_report
from tests.test_mutated_reports import LAYOUTS, MUTATIONS, ORGAN, mutated
from tests.test_mutated_templates import MUTATIONS as TEMPLATES
from tests.test_mutated_templates import TITLES, Mutation, figures
from tests.test_statistics import LAYOUTS as STATISTICS
from tests.test_statistics import TITLE, Layout


def characters(document: Document) -> Iterator[str]:
    for block in document.blocks:
        if block.grid is None:
            yield squeeze(block.text)
        else:
            yield from (squeeze(cell.text) for row in block.grid.rows for cell in row)


def accounted(document: Document) -> tuple[Reading, tuple[Account, ...]]:
    """The reading and the account, whose characters are those of the document."""
    reading = forms.read(document)
    found = account(document, reading)
    have = "".join(squeeze(one.text) for one in found)
    want = "".join(characters(document))
    # Flattened tables stand among the prose of the page, its grids behind them.
    assert sorted(have) == sorted(want) if reading.used else have == want
    assert [one for one in found if one.kind == "unaccounted"] == []
    rules = {finding.rule for finding in reading.findings}
    paths = {path for finding in reading.findings for path in finding.cells}
    assert all(finding.message and finding.message_zh for finding in reading.findings)
    for one in found:
        told = one.what in rules | paths or bool(reading.indicators)
        assert one.kind != "finding" or told, one
    return reading, found


@pytest.mark.parametrize("number", range(40))
def test_generated_reports(number: int) -> None:
    report = mixed_report(number)
    markup: Markup = MARKUPS[number % 4]
    reading, found = accounted(html.read(body_html(report, markup)))
    cells = {one.what for one in found if one.kind == "cell"}
    assert cells <= {cell.path for cell in reading.cells}
    if markup != "flat":
        printed = {path for path, cell in report.cells.items() if squeeze(cell.raw)}
        assert len(printed - cells) <= 0.05 * len(report.cells) + 7
    assert ("title", squeeze(report.body_title)) in {(i.kind, squeeze(i.text)) for i in found}
    accounted(text.read(flattened(report)))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_mutated_reports(mutate: Callable[..., None], layout: str) -> None:
    rng = random.Random(f"account {mutate.__name__} {layout}")
    for number in range(8):
        report = generate(number, ORGAN, LAYOUTS[layout], layout)
        accounted(html.read(lxml.html.tostring(mutated(report, mutate, rng), encoding="unicode")))


@pytest.mark.parametrize("layout", TITLES)
@pytest.mark.parametrize("mutate", TEMPLATES, ids=lambda mutate: mutate.__name__)
def test_mutated_templates(mutate: Mutation, layout: str) -> None:
    tables = tables_of(figures(layout))
    mutate(tables)
    accounted(html.read(body(TITLES[layout], tables)))


@pytest.mark.parametrize("layout", STATISTICS, ids=lambda layout: layout.__name__)
def test_tables_of_indicators(layout: Layout) -> None:
    reading, found = accounted(html.read(body(TITLE, layout())))
    read = [one for one in found if one.kind == "cell"]
    assert len(read) == sum(bool(one.raw) for one in reading.indicators)


def test_each_kind_of_text_is_named() -> None:
    tables = tables_of(figures("2021"))
    index: Rows = [[Td("索引号"), Td("6501/17"), Td("公开日期"), Td("2024-01-20")]]
    tables[0].append([Td("注：规章由市政府制发", cols=4)])
    tables[0].append([Td("公开指南"), Td("7"), Td("8"), Td("9")])
    tables[-2][0][0].text = "办理一览"
    foreign: Rows = [[Td("热线"), Td("来电")], [Td("12345"), Td("9001")]]
    reading, found = accounted(html.read(body(TITLES["2021"], [index, *tables, foreign])))
    by_text = {squeeze(one.text): (one.kind, one.what) for one in found}
    assert by_text[squeeze(TITLES["2021"])] == ("title", "")
    assert by_text["一、总体情况"] == ("heading", "")
    assert by_text["按要求编制本报告。"] == ("text", "")
    assert by_text["6501/17"] == ("ignored", "index table")
    assert by_text[squeeze("注：规章由市政府制发")] == ("ignored", "note in a table")
    assert by_text["规章"] == ("label", "")
    assert by_text["101"] == ("cell", "art20.item1.regulations.made")
    assert by_text["公开指南"][1] == by_text["7"][1] == "unclaimed_row"
    assert by_text["办理一览"] == ("finding", "unaccounted")
    assert by_text["9001"] == ("finding", "unclaimed_table")
    assert len(reading.unclaimed) == 1


def test_a_reading_that_lost_a_line_is_found_out() -> None:
    document = html.read(body(TITLES["2021"], tables_of(figures("2021"))))
    reading = forms.read(document)
    assert {one.kind for one in account(document, reading)} == {
        "title", "heading", "text", "label", "cell",
    }  # fmt: skip
    shorter = Document("html", document.blocks[:2] + document.blocks[3:])
    lost = account(document, forms.read(shorter))
    assert [one.text for one in lost if one.kind == "unaccounted"] == ["按要求编制本报告。"]

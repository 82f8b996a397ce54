"""Tables that lost, doubled or exchanged something: doubt is unread, never a wrong number."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable

import lxml.html
import pytest
from lxml.html import HtmlElement

from crawler.documents import html
from crawler.forms.model import State
from crawler.forms.reading import read
from tests.replica.reports import Report, body_html, generate

ORGAN = "天山区教育局"
LAYOUTS = {"2019": 2019, "2021": 2022}
OTHER_WORDS = ["甲乙丙", "其他", "总计", "本年数", "结果维持", "自然人", "规章"]


def cells(rows: list[HtmlElement]) -> list[HtmlElement]:
    return [cell for row in rows for cell in row if cell.tag in {"td", "th"}]


def take_out(element: HtmlElement) -> None:
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)


def put(old: HtmlElement, new: HtmlElement) -> None:
    parent = old.getparent()
    assert parent is not None
    parent.replace(old, new)


def drop_cell(rows: list[HtmlElement], rng: random.Random) -> None:
    cell = rng.choice(cells(rows))
    take_out(cell)


def double_cell(rows: list[HtmlElement], rng: random.Random) -> None:
    cell = rng.choice(cells(rows))
    cell.addnext(copy.deepcopy(cell))


def rename_cell(rows: list[HtmlElement], rng: random.Random) -> None:
    cell = rng.choice([cell for cell in cells(rows) if len(cell.text_content().strip()) > 2])
    for child in list(cell):
        cell.remove(child)
    cell.text = rng.choice(OTHER_WORDS)


def widen_cell(rows: list[HtmlElement], rng: random.Random) -> None:
    rng.choice(cells(rows)).set("colspan", str(rng.choice([2, 3, 7])))


def lengthen_cell(rows: list[HtmlElement], rng: random.Random) -> None:
    rng.choice(cells(rows)).set("rowspan", str(rng.choice([2, 3])))


def drop_column(rows: list[HtmlElement], rng: random.Random) -> None:
    number = rng.randrange(1, 7)
    for row in rows:
        own = cells([row])
        if len(own) > number:
            row.remove(own[-number])


def drop_row(rows: list[HtmlElement], rng: random.Random) -> None:
    row = rng.choice(rows)
    take_out(row)


def double_row(rows: list[HtmlElement], rng: random.Random) -> None:
    row = rng.choice(rows)
    row.addnext(copy.deepcopy(row))


def exchange_rows(rows: list[HtmlElement], rng: random.Random) -> None:
    if len(rows) > 3:
        one, other = rng.sample(rows[1:], 2)
        first, second = copy.deepcopy(one), copy.deepcopy(other)
        put(one, second)
        put(other, first)


MUTATIONS: list[Callable[[list[HtmlElement], random.Random], None]] = [
    drop_cell, double_cell, rename_cell, widen_cell, lengthen_cell,
    drop_column, drop_row, double_row, exchange_rows,
]  # fmt: skip


def mutated(report: Report, mutate: Callable[..., None], rng: random.Random) -> HtmlElement:
    markup = rng.choice(["clean", "word", "ueditor"])
    body = lxml.html.fragment_fromstring(body_html(report, markup), create_parent="div")  # type: ignore[arg-type]
    table = rng.choice(body.xpath(".//table"))
    mutate(table.xpath(".//tr"), rng)
    return body


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_no_value_is_invented(mutate: Callable[..., None], layout: str) -> None:
    rng = random.Random(f"{mutate.__name__} {layout}")
    right = 0
    for number in range(20):
        report = generate(number, ORGAN, LAYOUTS[layout], layout)
        reading = read(html.read(mutated(report, mutate, rng)))
        told = {path for f in reading.findings for path in f.cells}
        for cell in reading.cells:
            if cell.state in {State.NUMBER, State.ZERO}:
                truth = report.cells.get(cell.path)
                assert truth is not None, (number, cell)
                assert truth.value == cell.value, (number, cell)
                right += 1
            elif cell.state is State.UNREAD:
                assert cell.path in told, (number, cell)
    assert right > 20 * 60  # doubt does not spread to the tables that are whole

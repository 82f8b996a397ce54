"""Published reports, transcribed by hand: every cell, from every way the page may be written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crawler import forms
from crawler.documents import html, text
from crawler.forms.model import Reading, State, Verdict
from tests.pages import MARKUPS, Markup, page

GOLD = Path(__file__).parent / "gold"
SEED = Path(__file__).parents[2] / "shared" / "seed" / "tianshan-2019.txt"
SLUGS = ("tianshan-2019", "hangzhou-2025", "hongze-2024")


def gold(slug: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLD / f"{slug}.json").read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def seed() -> str:
    if not SEED.exists():
        pytest.skip("the seed text is not beside this checkout")
    return SEED.read_text("utf-8")


def verdicts(reading: Reading) -> list[str]:
    return [check.verdict.value for check in reading.checks]


@pytest.mark.gold
def test_the_seed_text_is_read_whole(seed: str) -> None:
    reading = forms.read(text.read(seed))
    assert len(reading.cells) == 198
    assert forms.nested(reading.cells) == gold("tianshan-2019")["tables"]
    assert sum(cell.state is State.BLANK for cell in reading.cells) == 150
    assert reading.body_title == gold("tianshan-2019")["body_title"]
    assert reading.findings == ()


@pytest.mark.gold
def test_the_seed_text_has_its_fifteen_assessable_relations(seed: str) -> None:
    found = verdicts(forms.read(text.read(seed)))
    assert len(found) == 40
    assert len(found) - found.count("not_assessable") == 15
    assert "fail" not in found


@pytest.mark.gold
def test_the_seed_text_keeps_its_prose_and_its_repeated_heading(seed: str) -> None:
    sections = forms.read(text.read(seed)).sections
    headings = [section.heading for section in sections]
    assert headings[1:4] == ["一、总体情况", "二、主动公开政府信息情况", "三、主动公开政府信息情况"]
    assert "110条" in sections[2].text
    assert "未收取信息公开处理费" in sections[-1].text
    assert not any("结果维持" in section.text for section in sections)


@pytest.mark.gold
@pytest.mark.parametrize(
    "write",
    [
        lambda line: f"<p>{line}</p>",
        lambda line: f"<p><span>{line or '&nbsp;'}</span></p>",
        lambda line: f"<div>{line or '<br>'}</div>",
    ],
)
def test_the_seed_as_a_flattened_page_is_read_whole(seed: str, write: Any) -> None:
    lines = [line.replace("\xa0", "&nbsp;") for line in text.read(seed).tokens]
    reading = forms.read(html.read("\n".join(map(write, lines))))
    assert forms.nested(reading.cells) == gold("tianshan-2019")["tables"]
    assert reading.body_title == gold("tianshan-2019")["body_title"]


@pytest.mark.gold
@pytest.mark.parametrize("wrap", ["<pre>{}</pre>", "<div>{}</div>"])
@pytest.mark.parametrize("line_end", ["\n", "<br>"])
def test_the_seed_verbatim_in_a_page_is_read_whole(seed: str, wrap: str, line_end: str) -> None:
    page = wrap.format(seed.replace("\n", line_end))
    assert forms.nested(forms.read(html.read(page)).cells) == gold("tianshan-2019")["tables"]


@pytest.mark.gold
@pytest.mark.parametrize("collapsed", ["\n\n", "\n"])
def test_a_text_that_lost_its_blanks_is_not_recoverable(seed: str, collapsed: str) -> None:
    lossy = collapsed.join(line for line in seed.split("\n") if line)
    reading = forms.read(text.read(lossy))
    truth = {cell.path: cell.value for cell in forms.read(text.read(seed)).cells}
    assert all(cell.state is State.UNREAD for cell in reading.cells if "applications" in cell.path)
    assert all(c.value == truth[c.path] for c in reading.cells if c.state is not State.UNREAD)
    rules = [finding.rule for finding in reading.findings]
    assert rules.count("not_recoverable") == 1
    assert {*rules} <= {"not_recoverable", "unread"}


@pytest.mark.gold
def test_a_text_without_its_repeated_lines_yields_no_wrong_value(seed: str) -> None:
    kept: list[str] = []
    for line in seed.split("\n"):
        if line not in kept or not line:
            kept.append(line)
    truth = {cell.path: cell.value for cell in forms.read(text.read(seed)).cells}
    reading = forms.read(text.read("\n".join(kept)))
    assert all(c.value in (None, truth[c.path]) for c in reading.cells)
    assert not any(c.state is State.BLANK and truth[c.path] is not None for c in reading.cells)


@pytest.mark.parametrize("markup", MARKUPS)
@pytest.mark.parametrize("slug", SLUGS)
def test_a_transcribed_report_is_read_whole_from_html(slug: str, markup: Markup) -> None:
    expected = gold(slug)
    reading = forms.read(html.read(page(expected, markup)))
    assert reading.layout == expected["format"]
    assert forms.nested(reading.cells) == expected["tables"]
    assert reading.body_title == expected["title"]
    assert reading.findings == ()
    found = verdicts(reading)
    assert Verdict.FAIL.value not in found
    assert len(found) - found.count("not_assessable") == expected["arithmetic"]["checks"]


@pytest.mark.parametrize(("slug", "cells"), [*zip(SLUGS, (198, 200, 186), strict=True)])
def test_a_form_has_as_many_cells_as_its_notice_prescribes(slug: str, cells: int) -> None:
    assert len(forms.read(html.read(page(gold(slug)))).cells) == cells

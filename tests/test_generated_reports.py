"""Generated reports with known truth, read by the product: every cell right or reported unread."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import get_args

import docx
import lxml.etree
import lxml.html
import pytest

from crawler.documents import html, text
from crawler.forms import reading
from crawler.forms.model import Cell, Reading
from tests.replica import reports
from tests.replica.report_model import Published, Report, checks, failing
from tests.replica.report_pages import Markup, anchored, blocks
from tests.replica.reports import DEFECTS, RULES, body_html, flattened, generate

MARKUPS: tuple[Markup, ...] = get_args(Markup)
RULED: tuple[Markup, ...] = ("clean", "word", "ueditor")
ORGANS = ("乌鲁木齐市天山区人民政府", "乌鲁木齐市人民政府", "乌鲁木齐市审计局", "米东区教育局")
LAYOUTS = {"2019": 2019, "2021": 2023}
TRANSCRIBED = ("tianshan-2019", "hangzhou-2025", "hongze-2024")
SEED_TEXT = Path(__file__).parents[2] / "shared" / "seed" / "tianshan-2019.txt"

# Defects that live in the ruling, which flattening loses: there a cell may stay unread.
IN_RULING = frozenset({"merged_zero", "vertical_letters", "colspans", "empty_header_cells"})
# Of the cells whose truth is plain, how many a reader may leave unread where defects are mixed.
MOST_UNREAD = 0.02


def fold(written: str) -> str:
    return "".join(unicodedata.normalize("NFKC", written).split())


def read_page(report: Report, markup: Markup) -> Reading:
    body = lxml.html.fragment_fromstring(body_html(report, markup), create_parent="div")
    return reading.read(html.read(body))


def read_text(report: Report) -> Reading:
    return reading.read(text.read(flattened(report)))


def is_right(cell: Cell, truth: Published) -> bool:
    same = (cell.state.value, cell.value) == (truth.state, truth.value)
    return same and (truth.state == "unread" or fold(cell.raw) == fold(truth.raw))


def unread_paths(report: Report, answer: Reading) -> set[str]:
    """The cells left unread although plain; fails on any other difference from the truth."""
    assert answer.layout == report.layout
    assert [cell.path for cell in answer.cells] == list(report.cells)
    wrong = [cell for cell in answer.cells if not is_right(cell, report.cells[cell.path])]
    invented = [
        (cell.path, cell.raw, cell.state.value, cell.value, report.cells[cell.path])
        for cell in wrong
        if cell.state.value != "unread" and not is_unread_note(cell, report.cells[cell.path])
    ]
    assert not invented
    said = {path for finding in answer.findings for path in finding.cells}
    silent = {cell.path for cell in answer.cells if cell.state.value == "unread"} - said
    assert not silent
    return {cell.path for cell in wrong if not is_unread_note(cell, report.cells[cell.path])}


def is_unread_note(cell: Cell, truth: Published) -> bool:
    """A number with a note in its cell may be left to a person."""
    return "（" in truth.raw and cell.value is None


def assert_checked(report: Report, answer: Reading) -> None:
    """Exactly the planted errors fail, and every verdict follows from the cells as read."""
    lost = {cell.path for cell in answer.cells if cell.state.value == "unread"}
    cells = {
        path: Published(cell.raw, "unread") if path in lost else cell
        for path, cell in report.cells.items()
    }
    expected = checks(replace(report, cells=cells))
    assert [(check.rule, check.verdict.value) for check in answer.checks] == [
        (rule, verdict) for rule, _, verdict in expected
    ]
    found = [(rule, key) for rule, key, verdict in expected if verdict == "fail"]
    assert tuple(found) == report.wrong


def assert_prose_kept(report: Report, answer: Reading) -> None:
    kept = fold("".join(section.heading + section.text for section in answer.sections))
    for heading, paragraphs in report.sections:
        for written in (heading, *paragraphs):
            assert fold(written) in kept


def assert_local_rows_reported(report: Report, answer: Reading) -> None:
    said = fold("".join(finding.message for finding in answer.findings))
    for row in report.local_rows:
        assert fold(row.label) in said


def assert_read(report: Report, answer: Reading, unread: float) -> None:
    assert len(unread_paths(report, answer)) <= unread * len(report.cells)
    assert_checked(report, answer)
    assert_local_rows_reported(report, answer)
    assert_prose_kept(report, answer)


def single_reports() -> Iterable[tuple[str, str, Report]]:
    for layout, year in LAYOUTS.items():
        for number, defect in enumerate(DEFECTS):
            report = generate(number, ORGANS[number % 4], year, layout, [defect])
            if defect in report.defects:
                yield layout, defect, report


SINGLE = [pytest.param(report, id=f"{lay}-{defect}") for lay, defect, report in single_reports()]


def mixed_report(number: int, names: tuple[str, ...] = DEFECTS) -> Report:
    """Two to six defects and, in half of the reports, one or two broken rules."""
    rng = Random(f"mixed/{number}")
    layout = ("2019", "2021")[number % 2]
    defects = rng.sample(names, rng.randint(2, 6))
    wrong = rng.sample(RULES, rng.randint(1, 2)) if rng.random() < 0.5 else []
    return generate(number, ORGANS[number % 4], LAYOUTS[layout], layout, defects, wrong)


# --- the generator itself -----------------------------------------------------------------------


@pytest.mark.parametrize("number", range(60))
def test_generated_figures_break_exactly_the_planted_relations(number: int) -> None:
    rng = Random(number)
    wrong = rng.sample(RULES, number % 4)
    layout = ("2019", "2021")[number % 2]
    report = generate(number, ORGANS[number % 4], LAYOUTS[layout], layout, (), wrong)
    assert {rule for rule, _ in report.wrong} == {*wrong}
    assert report == generate(number, ORGANS[number % 4], LAYOUTS[layout], layout, (), wrong)
    assert all(cell.value is not None and cell.value >= 0 for cell in report.cells.values())


@pytest.mark.parametrize(
    ("layout", "defects", "wrong", "named"),
    [
        ("2019", ["nonsense"], [], "nonsense"),
        ("2021", [], ["A9"], "A9"),
        ("1949", [], [], "1949"),
        ("old", [], ["A1"], "old"),
    ],
)
def test_unknown_defects_rules_and_layouts_are_refused(
    layout: str, defects: list[str], wrong: list[str], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        generate(1, ORGANS[0], 2020, layout, defects, wrong)


def test_what_a_year_carries_over_the_next_begins_with() -> None:
    years = [generate(7, ORGANS[0], year, "2021") for year in range(2021, 2026)]
    for one, following in pairwise(years):
        for column in one.columns:
            left = one.cells[f"applications.carried_out.{column}"].value
            assert following.cells[f"applications.carried_in.{column}"].value == left


@pytest.mark.parametrize("number", range(40))
def test_tables_have_no_hole_and_html_is_well_formed(number: int) -> None:
    report = mixed_report(number)
    for block in blocks(report):
        if block.kind == "table":
            anchors, width = anchored(block)
            area = sum(slot.rows * slot.cols for slot in anchors.values())
            assert area == width * len(block.rows)
    for markup in MARKUPS:
        page = body_html(report, markup).replace("&nbsp;", "\u00a0")
        lxml.etree.fromstring(f'<div xmlns:o="urn:o" xmlns:w="urn:w">{page}</div>')


def test_a_docx_holds_the_cells_and_is_the_same_each_time() -> None:
    report = reports.seed_report()
    archive = reports.docx_bytes(report)
    assert archive == reports.docx_bytes(reports.seed_report())
    document = docx.Document(io.BytesIO(archive))
    last = document.tables[-1].rows[-1]
    expected = [c.raw for path, c in report.cells.items() if path.startswith("review")]
    assert [cell.text for cell in last.cells] == expected
    assert document.paragraphs[0].text == report.body_title


def test_an_edit_changes_one_cell_and_its_relations() -> None:
    report = generate(1, ORGANS[0], 2023, "2021")
    path = "review_litigation.review.total"
    changed = reports.edited(report, path, "999")
    assert changed.cells[path] == Published("999", "number", Decimal(999))
    assert {p for p in report.cells if report.cells[p] != changed.cells[p]} == {path}
    assert changed.wrong == (("R1", "review"),)
    assert not failing(report.application_rows, report.cells)
    with pytest.raises(KeyError):
        reports.edited(report, "applications.nobody.total", "1")


def test_the_seed_report_has_the_published_checks() -> None:
    verdicts = [verdict for *_, verdict in checks(reports.seed_report())]
    assert len(verdicts) - verdicts.count("not_assessable") == 15
    assert "fail" not in verdicts


@pytest.mark.gold
def test_the_seed_report_flattens_as_the_seed() -> None:
    if not SEED_TEXT.exists():
        pytest.skip("the seed is not beside this checkout")
    ours, theirs = (
        page[page.index("三、主动公开政府信息情况") : page.index("六、存在的主要问题")]
        for page in (flattened(reports.seed_report()), SEED_TEXT.read_text("utf-8"))
    )
    assert ours == theirs


# --- the reader ---------------------------------------------------------------------------------


@pytest.mark.parametrize("markup", MARKUPS)
@pytest.mark.parametrize("slug", TRANSCRIBED)
def test_transcribed_reports_are_read_whole_from_any_page(slug: str, markup: Markup) -> None:
    report = reports.gold_report(slug)
    answer = read_page(report, markup)
    assert_read(report, answer, unread=0)
    assert answer.body_title == report.body_title


@pytest.mark.parametrize("slug", TRANSCRIBED)
def test_transcribed_reports_are_read_whole_from_flattened_text(slug: str) -> None:
    report = reports.gold_report(slug)
    answer = read_text(report)
    assert_read(report, answer, unread=0)
    assert answer.body_title == report.body_title


@pytest.mark.parametrize("report", SINGLE)
@pytest.mark.parametrize("markup", RULED)
def test_a_page_with_one_defect_is_read_whole(report: Report, markup: Markup) -> None:
    answer = read_page(report, markup)
    assert_read(report, answer, unread=0)
    assert answer.body_title == report.body_title


@pytest.mark.parametrize("report", SINGLE)
def test_flattened_text_with_one_defect_is_read_or_reported(report: Report) -> None:
    for answer in (read_text(report), read_page(report, "flat")):
        assert_read(report, answer, unread=1 if report.defects & IN_RULING else 0)


@pytest.mark.parametrize("number", range(150))
def test_pages_with_mixed_defects_invent_nothing(number: int) -> None:
    report = mixed_report(number)
    assert_read(report, read_page(report, RULED[number % 3]), MOST_UNREAD)


@pytest.mark.parametrize("number", range(40))
def test_flattened_text_with_mixed_defects_invents_nothing(number: int) -> None:
    report = mixed_report(1000 + number, tuple(name for name in DEFECTS if name not in IN_RULING))
    assert_read(report, read_text(report), MOST_UNREAD)


@pytest.mark.parametrize("number", range(24))
@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_every_planted_error_is_found_and_none_on_clean_reports(layout: str, number: int) -> None:
    wrong = RULES[number % 6 : number % 6 + 1 + number // 8]
    report = generate(number, ORGANS[number % 4], LAYOUTS[layout], layout, (), wrong)
    assert report.wrong
    assert_read(report, read_page(report, "ueditor"), unread=0)
    clean = generate(number, ORGANS[number % 4], LAYOUTS[layout], layout)
    answer = read_page(clean, "word")
    assert_read(clean, answer, unread=0)
    assert {check.verdict.value for check in answer.checks} == {"pass"}


@pytest.mark.parametrize("markup", MARKUPS)
@pytest.mark.parametrize("year", range(2008, 2019))
def test_old_reports_keep_their_prose_by_section(year: int, markup: Markup) -> None:
    report = generate(year, ORGANS[year % 4], year, "old")
    answer = read_page(report, markup)
    assert (answer.layout, answer.cells, answer.checks) == ("old", (), ())
    assert_prose_kept(report, answer)
    prose: Mapping[str, str] = {section.heading: section.text for section in answer.sections}
    for heading, paragraphs in report.sections:
        assert all(fold(written) in fold(prose[heading]) for written in paragraphs)

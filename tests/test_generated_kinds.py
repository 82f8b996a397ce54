"""A few generated reports in every kind of file; `python -m tests.generated` reads a thousand."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from crawler.forms.model import Cell, Reading, State
from tests.generated import KINDS, Score, planted, renderer, score
from tests.replica.reports import DEFECTS


@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_is_right_and_none_is_invented(kind: str) -> None:
    render = renderer(kind)
    if render is None:
        pytest.skip(f"no renderer or no reader of {kind} here")
    result = score(kind, render, range(2, 8))
    # Markdown has no merged cells: a head repeated over three columns names none of them.
    assert result.is_good or kind == "md", str(result)
    assert not result.cells["invented"] + result.cells["silent"] + result.cells["false"]
    assert result.cells["readable"] > 1000


def test_a_thousand_reports_have_every_defect_and_every_rule() -> None:
    seen: Counter[str] = Counter()
    for number in range(0, 1000, 7):
        report = planted(number, "html")
        seen.update(report.defects)
        seen.update(rule for rule, _ in report.wrong)
    assert set(DEFECTS) <= set(seen)
    assert {"A1", "A2", "A3", "R1", "R2", "R3"} <= set(seen)


def test_the_score_sees_what_is_wrong() -> None:
    report = planted(3, "html")
    truth = [
        Cell(table, row, column, cell.raw, State(cell.state), cell.value)
        for path, cell in report.cells.items()
        for table, row, column in (path.rsplit(".", 2),)
    ]

    def judged(cells: list[Cell]) -> Score:
        result = Score("html")
        result.add(3, report, Reading(report.layout, None, tuple(cells), (), (), ()))  # type: ignore[arg-type]
        return result

    assert judged(truth).is_good
    changed = [truth[0]._replace(value=Decimal(987654), state=State.NUMBER), *truth[1:]]
    assert judged(changed).cells["invented"] == 1
    silent = [truth[0]._replace(value=None, state=State.UNREAD), *truth[1:]]
    assert judged(silent).cells["silent"] == 1
    assert judged(truth[1:]).cells["silent"] == 1
    assert not judged(silent).is_good

"""The relations a form prints in its own head, checked on the cells as published."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from crawler.forms.definition import Form, Relation, Table
from crawler.forms.model import Cell, Finding, State, Verdict

_ZERO = Decimal(0)
_NUMBERS = frozenset((State.NUMBER, State.ZERO))


def check(form: Form, cells: Iterable[Cell]) -> tuple[Finding, ...]:
    """One finding per relation and line, in the form's order. A failed one says what the report
    prints and what it would have to be; it never changes a cell.
    """
    known = {(cell.table, cell.row, cell.column): cell for cell in cells}
    return tuple(
        _assess(relation, label, left, right)
        for relation in form.relations
        for label, left, right in _lines(relation, form.table(relation.table), known)
    )


def _lines(
    relation: Relation, table: Table, known: dict[tuple[str, str, str], Cell]
) -> Iterator[tuple[str, list[Cell], list[Cell]]]:
    """The line's label, the cells to be summed, and those that hold the total."""
    key = table.key
    if relation.each == "column":
        for column in table.columns:
            yield (
                column.label,
                [known[key, row, column.key] for row in relation.sum],
                [known[key, row, column.key] for row in relation.equals],
            )
        return
    for line in table.rows:
        if relation.only in (None, line.key):
            yield (
                line.label,
                [known[key, line.key, column] for column in relation.sum],
                [known[key, line.key, column] for column in relation.equals],
            )


def _assess(relation: Relation, label: str, left: Sequence[Cell], right: Sequence[Cell]) -> Finding:
    cells = [*left, *right]
    numbers = blanks = 0
    for cell in cells:
        if cell.state in _NUMBERS:
            numbers += 1
        elif cell.state is State.BLANK:
            blanks += 1
    verdict, words, facts = Verdict.NOT_ASSESSABLE, "sum.blank", {"label": label}
    if numbers + blanks < len(cells):
        words = "sum.no_number"
        facts |= {"count": str(len(cells) - numbers - blanks), "of": str(len(cells))}
    elif numbers:
        have, want = _total(left), _total(right)
        facts |= {"have": str(have), "want": str(want)}
        if have != want:
            verdict, words = Verdict.FAIL, "sum.fail"
        else:
            verdict, words = (Verdict.BLANK_AS_ZERO if blanks else Verdict.PASS), "sum.holds"
    return Finding(relation.rule, verdict, tuple([cell.path for cell in cells]), facts, words)


def _total(cells: Sequence[Cell]) -> Decimal:
    return sum([cell.value for cell in cells if cell.value is not None], _ZERO)

"""What does not add up, and what persons hold against the machine."""

from __future__ import annotations

from storage.explorer.api.cursors import Page, cut
from storage.explorer.api.declare import DIVISION, ORGAN, YEAR, Endpoint, Question, text
from storage.explorer.api.resources.holdings import its_report, report_key
from storage.queries import corrections, findings

RULE = text("rule", "A1", pattern=r"^[A-Za-z0-9_.]+$", longest=40)


def _findings(question: Question) -> Page:
    rows = findings.open_findings(
        question.connection,
        division=question["division"],
        year=question["year"],
        rule=question["rule"],
        organ_id=question.organ_id,
        **question.then,
    )
    return Page(
        *cut(
            rows,
            lambda row: (*report_key(row), row["rule"], ",".join(row["cells"]), row["message"]),
            question.after,
            question.limit,
        )
    )


def _corrections(question: Question) -> Page:
    rows = corrections.corrections(question.connection, **question.then)
    return question.page(rows, "made_at", "division_code", "organ", "year")


ENDPOINTS = (
    Endpoint(
        key="findings",
        path="/findings",
        shape=findings.OpenFinding,
        ask=_findings,
        parameters=(DIVISION, ORGAN, YEAR, RULE),
        cursor=(str, str, int, str, str, str, int),
        links={
            "report": its_report,
            "page": lambda row, ways: ways.page("reports", *report_key(row)),
        },
    ),
    Endpoint(
        key="corrections",
        path="/corrections",
        shape=corrections.Correction,
        ask=_corrections,
        cursor=(str, str, str, int, int),
        links={
            "report": its_report,
            "figure": lambda row, ways: (
                None if row["cell"] is None else ways.api("cells", *report_key(row), row["cell"])
            ),
        },
    ),
)

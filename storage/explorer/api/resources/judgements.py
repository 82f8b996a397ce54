"""What does not add up, and what persons hold against the machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict, cast, get_args

from storage.explorer.api.cursors import Page
from storage.explorer.api.declare import DIVISION, ORGAN, YEAR, Endpoint, Question, choice, text
from storage.explorer.api.leads import its_page, its_report, its_version, report_key
from storage.explorer.api.resources.figures import CELL_FILTER, known
from storage.queries import carry_over, checks, copies, corrections, findings, outliers

# Of a question that would compare the whole archive with itself.
OF_DIVISION = replace(DIVISION, required=True)
RULE = text("rule", "A1", pattern=r"^[A-Za-z0-9_.]+$", longest=40)


def _findings(question: Question) -> Page:
    rows = findings.open_findings(
        question.connection,
        division=question["division"],
        year=question["year"],
        rule=question["rule"],
        organ_id=question.organ_id,
        as_of=question.as_of,
        limit=question.limit + 1,
        after=cast("findings.Cursor | None", question.after),
    )
    return question.fetched(rows, "division_code", "organ", "year", "number")


def _corrections(question: Question) -> Page:
    rows = corrections.corrections(question.connection, as_of=question.as_of)
    return question.page(rows, "made_at", "division_code", "organ", "year")


def _checks(question: Question) -> Page:
    organ_id = question.organ_id
    rows = known(
        lambda: checks.checks(
            question.connection,
            division=question["division"],
            year=question["year"],
            organ_id=organ_id,
            rule=question["rule"],
            by=question["by"],
            as_of=question.as_of,
        )
    )
    return question.ordered(
        rows,
        lambda row: (
            row["division_code"] or "",
            row["organ"] or "",
            row["year"] or 0,
            row["rule"],
        ),
    )


class CarriedOver(TypedDict):
    """An organ's years in one chain."""

    chain: carry_over.Chain


def _carry_over(question: Question) -> Page:
    rows = carry_over.carry_over(
        question.connection,
        organ_id=question.organ_id,
        division=question["division"],
        as_of=question.as_of,
    )
    return question.ordered(
        [CarriedOver(chain=row) for row in rows],
        lambda row: (
            row["chain"]["division_code"],
            row["chain"]["organ"],
            row["chain"]["first_year"],
        ),
    )


def _outliers(question: Question) -> Page:
    organ_id = question.organ_id
    rows = known(
        lambda: outliers.outliers(
            question.connection,
            cell=question["cell"],
            division=question["division"],
            organ_id=organ_id,
            year=question["year"],
            as_of=question.as_of,
        )
    )
    return question.ordered(
        rows, lambda row: (_falling(row["score"]), *report_key(row), row["against"])
    )


def _copies(question: Question) -> Page:
    rows = copies.copies(
        question.connection,
        division=question["division"],
        year=question["year"],
        organ_id=question.organ_id,
        limit=_MOST_COPIES,
        as_of=question.as_of,
    )
    return question.ordered(
        rows,
        lambda row: (
            _falling(row["share"]),
            *report_key(row["one"]),
            *report_key(row["other"]),
        ),
    )


# Pairs that are told of a division at all; of those beyond nobody would look at the page.
_MOST_COPIES = 1000


def _falling(score: float) -> str:
    """The greatest first, as a part of a cursor."""
    return f"{10**9 - score:020.6f}"


ENDPOINTS = (
    Endpoint(
        key="checks",
        path="/checks",
        shape=checks.Check,
        ask=_checks,
        parameters=(
            DIVISION, ORGAN, YEAR, RULE, choice("by", get_args(checks.By), default="rule"),
        ),
        cursor=(str, str, int, str, int),
        links={
            "findings": lambda row, ways: ways.api(
                "findings",
                rule=row["rule"],
                division=row["division_code"] or ways.asked.get("division"),
                organ=row["organ"] or ways.asked.get("organ"),
                year=row["year"] or ways.asked.get("year"),
            )
        },
    ),
    Endpoint(
        key="carry_over",
        path="/carry-over",
        shape=CarriedOver,
        ask=_carry_over,
        parameters=(DIVISION, ORGAN),
        cursor=(str, str, int, int),
        links={
            "organ": lambda row, ways: ways.still(
                "organs", row["chain"]["division_code"], row["chain"]["organ"]
            )
        },
    ),
    Endpoint(
        key="outliers",
        path="/outliers",
        shape=outliers.Outlier,
        ask=_outliers,
        parameters=(CELL_FILTER, OF_DIVISION, ORGAN, YEAR),
        cursor=(str, str, str, int, str, int),
        links={
            "provenance": lambda row, ways: ways.api("cells", *report_key(row), row["cell"]),
            "report": its_report,
            "version": its_version,
            "page": lambda row, ways: ways.page("cells", *report_key(row), row["cell"]),
        },
    ),
    Endpoint(
        key="copies",
        path="/copies",
        shape=copies.Copies,
        ask=_copies,
        parameters=(OF_DIVISION, ORGAN, YEAR),
        cursor=(str, str, str, int, str, str, int, int),
        links={
            "one": lambda row, ways: its_report(row["one"], ways),
            "other": lambda row, ways: its_report(row["other"], ways),
        },
    ),
    Endpoint(
        key="findings",
        path="/findings",
        shape=findings.OpenFinding,
        ask=_findings,
        parameters=(DIVISION, ORGAN, YEAR, RULE),
        cursor=(str, str, int, int),
        links={
            "report": its_report,
            "page": its_page,
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
)  # fmt: skip

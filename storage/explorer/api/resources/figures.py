"""Single figures: over the years, added up, and where each comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args

from storage.errors import BadQuestion, NotInArchive
from storage.explorer.api.cursors import Page
from storage.explorer.api.declare import (
    CELL,
    DIVISION,
    ITS_CELL,
    ITS_REPORT,
    ORGAN,
    YEAR,
    Endpoint,
    Link,
    Question,
    choice,
    text,
)
from storage.explorer.api.leads import OF_CAPTURES, its_report, its_version, report_key
from storage.queries import provenance, series, sums

CELL_FILTER = text(
    "cell", "applications.new_received.total", pattern=CELL, longest=200, required=True
)
T = TypeVar("T")


def known(ask: Callable[[], T]) -> T:
    """A cell that no form has, or a rule that nothing is held to, is something that is not here."""
    try:
        return ask()
    except BadQuestion as error:
        raise NotInArchive(str(error)) from error


def _series(question: Question) -> Page:
    organ_id = question.organ_id
    points = known(
        lambda: series.series(
            question.connection,
            cell=question["cell"],
            division=question["division"],
            organ_id=organ_id,
            year=question["year"],
            as_of=question.as_of,
        )
    )
    return question.page(points, "division_code", "organ", "year")


def _sums(question: Question) -> Page:
    rows = known(
        lambda: sums.sums(
            question.connection,
            cell=question["cell"],
            division=question["division"],
            year=question["year"],
            by=question["by"],
            as_of=question.as_of,
        )
    )
    return question.ordered(
        rows, lambda row: (row["year"], row["division_code"] or "", row["kind"] or "")
    )


def _cell(question: Question) -> provenance.Provenance:
    organ = question.organ
    return known(
        lambda: provenance.provenance(
            question.connection, organ, question["year"], question["path"], as_of=question.as_of
        )
    )


def _has_figure(row: Mapping[str, Any]) -> bool:
    return row["state"] not in ("no_cell", "no_figures", "withdrawn")


_OF_POINT: Mapping[str, Link] = {
    "report": lambda row, ways: None if row["withdrawn"] else its_report(row, ways),
    "provenance": lambda row, ways: (
        ways.api("cells", *report_key(row), ways.asked["cell"]) if _has_figure(row) else None
    ),
    "version": its_version,
    "page": lambda row, ways: (
        ways.page("cells", *report_key(row), ways.asked["cell"]) if _has_figure(row) else None
    ),
}

ENDPOINTS = (
    Endpoint(
        key="series",
        path="/series",
        shape=series.Point,
        ask=_series,
        parameters=(CELL_FILTER, DIVISION, ORGAN, YEAR),
        cursor=(str, str, int, int),
        links=_OF_POINT,
    ),
    Endpoint(
        key="sums",
        path="/sums",
        shape=sums.Sum,
        ask=_sums,
        parameters=(
            CELL_FILTER, DIVISION, YEAR, choice("by", get_args(sums.By), default="division"),
        ),
        cursor=(int, str, str, int),
        links={
            "series": lambda row, ways: ways.api(
                "series",
                cell=ways.asked["cell"],
                division=row["division_code"] or ways.asked.get("division"),
                year=row["year"],
            )
        },
    ),
    Endpoint(
        key="cell",
        path="/cells/{division_code}/{organ}/{year}/{path}",
        shape=provenance.Provenance,
        ask=_cell,
        parameters=(*ITS_REPORT, ITS_CELL),
        links={
            "report": its_report,
            "version": lambda row, ways: ways.still(
                "reports", *report_key(row), "versions", row["version"]["id"]
            ),
            "series": lambda row, ways: ways.api(
                "series",
                cell=row["cell"]["path"],
                division=row["division_code"],
                organ=row["organ"],
            ),
            "page": lambda row, ways: ways.page("cells", *report_key(row), row["cell"]["path"]),
        },
        inner=OF_CAPTURES,
    ),
)  # fmt: skip

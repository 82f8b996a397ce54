"""A report: what it says, its versions, and where its bytes lie."""

from __future__ import annotations

from collections.abc import Mapping

from storage.explorer.api.cursors import Page
from storage.explorer.api.declare import ITS_REPORT, Endpoint, InnerLink, Link, Question, Row
from storage.explorer.api.resources.holdings import its_report, report_key
from storage.explorer.api.ways import Ways
from storage.queries import history, report


def _report(question: Question) -> report.Report:
    return report.report(question.connection, question.organ, question["year"], **question.then)


def _versions(question: Question) -> Page:
    told = history.history(question.connection, question.organ, question["year"], **question.then)
    return question.page(told, "part", "name", "first_seen", "id")


def _figure(row: Row, cell: Row) -> tuple[str | int, ...]:
    return *report_key(row), f"{cell['table']}.{cell['row']}.{cell['column']}"


_OF_REPORT: Mapping[str, Link] = {
    "self": its_report,
    "versions": lambda row, ways: ways.api("reports", *report_key(row), "versions"),
    "ledger": lambda row, ways: ways.api("ledger", *report_key(row)),
    "organ": lambda row, ways: ways.still("organs", row["division_code"], row["organ"]),
    "page": lambda row, ways: ways.page("reports", *report_key(row)),
}
_IN_REPORT: Mapping[str, Mapping[str, InnerLink]] = {
    "cells": {
        "provenance": lambda row, cell, ways: ways.api("cells", *_figure(row, cell)),
        "page": lambda row, cell, ways: ways.page("cells", *_figure(row, cell)),
    }
}


def _first(row: Row) -> int | None:
    """The capture that showed a version first."""
    return row["captures"][0]["id"] if row["captures"] else None


def _capture_of(row: Row, ways: Ways) -> str | None:
    first = _first(row)
    return None if first is None else ways.still("captures", first)


ENDPOINTS = (
    Endpoint(
        key="report",
        path="/reports/{division_code}/{organ}/{year}",
        shape=report.Report,
        ask=_report,
        parameters=ITS_REPORT,
        links=_OF_REPORT,
        inner=_IN_REPORT,
    ),
    Endpoint(
        key="versions",
        path="/reports/{division_code}/{organ}/{year}/versions",
        shape=history.Version,
        ask=_versions,
        parameters=ITS_REPORT,
        cursor=(str, str, str, int, int),
        links={
            "capture": _capture_of,
            "replay": lambda row, ways: ways.replay(_first(row)),
        },
        inner={
            "captures": {
                "capture": lambda _row, each, ways: ways.still("captures", each["id"]),
                "replay": lambda _row, each, ways: ways.replay(each["id"]),
                "page": lambda _row, each, ways: ways.page("captures", each["id"]),
            }
        },
    ),
)

"""A report: what it says, its versions, and where its bytes lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from storage.errors import NotInArchive
from storage.explorer.api.cursors import Page
from storage.explorer.api.declare import (
    DIVISION,
    ITS_REPORT,
    ORGAN,
    YEAR,
    Endpoint,
    InnerLink,
    Link,
    Question,
    Row,
    choice,
    number_of,
)
from storage.explorer.api.leads import (
    OF_CAPTURES,
    capture_at,
    its_organ,
    its_page,
    its_report,
    its_version,
    report_key,
)
from storage.explorer.api.ways import Ways
from storage.queries import coverage, history, listed, report, versions

# Of a report that is there.
STATE = choice(
    "state", [each for each in get_args(coverage.State) if each not in ("missing", "withdrawn")]
)


def _reports(question: Question) -> Page:
    after = None if question.after is None else int(question.after[0])
    rows = listed.listed_reports(
        question.connection,
        division=question["division"],
        organ_id=question.organ_id,
        year=question["year"],
        state=question["state"],
        as_of=question.as_of,
        limit=question.limit + 1,
        after=after,
    )
    return question.fetched(rows, "report_id")


def _version(question: Question) -> versions.ReadVersion:
    found = versions.read_version(
        question.connection, question.organ, question["year"], version_id=question["version"]
    )
    if found is None:
        raise NotInArchive(f"nothing stands for the report of {question['year']}")
    return found


def _report(question: Question) -> report.Report:
    return report.report(
        question.connection, question.organ, question["year"], as_of=question.as_of
    )


def _versions(question: Question) -> Page:
    told = history.history(
        question.connection, question.organ, question["year"], as_of=question.as_of
    )
    return question.page(told, "part", "name", "first_seen", "id")


def _asked_for(ways: Ways) -> tuple[str | int, ...]:
    return tuple(ways.asked[name] for name in ("division_code", "organ", "year"))


def _figure(row: Row, cell: Row) -> tuple[str | int, ...]:
    return *report_key(row), f"{cell['table']}.{cell['row']}.{cell['column']}"


_OF_REPORT: Mapping[str, Link] = {
    "self": its_report,
    "versions": lambda row, ways: ways.api("reports", *report_key(row), "versions"),
    "ledger": lambda row, ways: ways.api("ledger", *report_key(row)),
    "organ": its_organ,
    "page": its_page,
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
    return capture_at(_first(row), ways)


ENDPOINTS = (
    Endpoint(
        key="reports",
        path="/reports",
        shape=listed.ListedReport,
        ask=_reports,
        parameters=(DIVISION, ORGAN, YEAR, STATE),
        cursor=(int,),
        links={
            "report": its_report,
            "version": its_version,
            "versions": lambda row, ways: ways.api("reports", *report_key(row), "versions"),
            "page": its_page,
        },
    ),
    Endpoint(
        key="version",
        path="/reports/{division_code}/{organ}/{year}/versions/{version}",
        shape=versions.ReadVersion,
        ask=_version,
        parameters=(*ITS_REPORT, number_of("version")),
        links={
            "capture": lambda row, ways: ways.still("captures", row["capture_id"]),
            "replay": lambda row, ways: ways.replay(row["capture_id"]),
            "report": lambda _row, ways: ways.still("reports", *_asked_for(ways)),
            "page": lambda row, ways: ways.page(
                "reports", *_asked_for(ways), version=row["version_id"]
            ),
        },
        records=False,
    ),
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
            "version": lambda row, ways: (
                None
                if row["withdrawn"]
                else ways.still("reports", *_asked_for(ways), "versions", row["id"])
            ),
            "capture": _capture_of,
            "replay": lambda row, ways: ways.replay(_first(row)),
        },
        inner=OF_CAPTURES,
    ),
)

"""What differs between two reports, versions or dates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from storage.asof import AsOf
from storage.errors import BadQuestion
from storage.explorer.api.cursors import Page
from storage.explorer.api.declare import (
    DAY,
    DIVISION,
    ORGAN,
    TIME,
    Endpoint,
    Parameter,
    Question,
    moment,
    text,
)
from storage.explorer.api.leads import capture_at, its_page, its_version, report_key
from storage.explorer.api.ways import Ways
from storage.queries import changes, diff

# As storage.queries.diff writes a place; of one that fits, only whether it is there is open.
_PLACE = (
    rf"^[^/@#\u0000-\u001f\u007f]{{1,60}}/20[0-9]{{2}}(@([0-9]{{1,9}}|{DAY}(T{TIME})?))?"
    r"(#[^\u0000-\u001f\u007f]{1,100})?$"
)


def _place(name: str) -> Parameter:
    return text(name, "乌鲁木齐市天山区人民政府/2019", pattern=_PLACE, longest=200, required=True)


def _diff(question: Question) -> diff.Diff:
    left, right = (diff.find_place(question.connection, question[n]) for n in ("left", "right"))
    return diff.diff(question.connection, left, right)


def _side(row: Mapping[str, Any], name: str, ways: Ways) -> str:
    side = row[name]
    key = side["division_code"], side["organ"], side["year"]
    return ways.still("reports", *key, "versions", side["version_id"])


def _changes(question: Question) -> Page:
    since, until = (point(question, name) for name in ("since", "until"))
    rows = changes.changes(
        question.connection,
        since=since,
        until=until,
        division=question["division"],
        organ_id=question.organ_id,
        limit=question.limit + 1,
        after=cast("changes.Cursor | None", question.after),
    )
    return question.fetched(rows, "at", "kind", "number")


def point(question: Question, name: str) -> datetime:
    """A moment that a parameter names. Raises Refusal."""
    try:
        return AsOf.parse(question[name]).at
    except BadQuestion as error:
        raise moment(name).refusal(question[name], "moment") from error


ENDPOINTS = (
    Endpoint(
        key="changes",
        path="/changes",
        shape=changes.Event,
        ask=_changes,
        parameters=(
            moment("since", required=True),
            moment("until", "2026-12-31", required=True),
            DIVISION,
            ORGAN,
        ),
        cursor=(str, str, int),
        links={
            "report": lambda row, ways: ways.still("reports", *report_key(row)),
            "version": its_version,
            "before": lambda row, ways: (
                None
                if row["before_version_id"] is None
                else ways.still("reports", *report_key(row), "versions", row["before_version_id"])
            ),
            "capture": lambda row, ways: capture_at(row["capture_id"], ways),
            "replay": lambda row, ways: ways.replay(row["capture_id"]),
            "page": its_page,
        },
        records=False,
    ),
    Endpoint(
        key="diff",
        path="/diff",
        shape=diff.Diff,
        ask=_diff,
        parameters=(_place("left"), _place("right")),
        links={
            "left": lambda row, ways: _side(row, "left", ways),
            "right": lambda row, ways: _side(row, "right", ways),
            "page": lambda row, ways: ways.page(
                "diff", left=row["left"]["place"], right=row["right"]["place"]
            ),
        },
        records=False,
    ),
)

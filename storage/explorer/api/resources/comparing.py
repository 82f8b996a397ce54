"""What differs between two reports, versions or dates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.explorer.api.declare import DAY, TIME, Endpoint, Parameter, Question, text
from storage.explorer.api.ways import Ways
from storage.queries import diff

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


ENDPOINTS = (
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

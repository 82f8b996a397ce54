"""Where words stand."""

from __future__ import annotations

from typing import cast, get_args

from storage.explorer.api.cursors import Page
from storage.explorer.api.declare import (
    DIVISION,
    ORGAN,
    YEAR,
    Endpoint,
    Question,
    choice,
    text,
    whole,
)
from storage.explorer.api.leads import its_page, its_report, its_version
from storage.queries import coverage, search


def _search(question: Question) -> Page:
    found = search.search(
        question.connection,
        words=question["words"],
        division=question["division"],
        organ_id=question.organ_id,
        year=question["year"],
        state=question["state"],
        limit=question.limit,
        after=cast("tuple[int, int] | None", question.after),
    )
    return Page(found["hits"], found["after"])


ENDPOINTS = (
    Endpoint(
        key="search",
        path="/search",
        shape=search.SearchHit,
        ask=_search,
        parameters=(
            text("words", "公开", required=True),
            DIVISION,
            ORGAN,
            YEAR,
            choice("state", get_args(coverage.State)),
            whole("limit", 1, 100, 20, default=20),
        ),
        cursor=(int, int),
        links={
            "report": its_report,
            "version": its_version,
            "page": its_page,
        },
        records=False,
    ),
)

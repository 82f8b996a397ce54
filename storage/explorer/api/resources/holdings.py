"""What there is, and what there should be: divisions, organs, coverage, the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_args

from storage.errors import NotInArchive
from storage.explorer.api.cursors import Page
from storage.explorer.api.declare import (
    DIVISION,
    ITS_CODE,
    ITS_ORGAN,
    ITS_REPORT,
    ORGAN,
    YEAR,
    Endpoint,
    InnerLink,
    Link,
    Question,
    choice,
)
from storage.explorer.api.leads import capture_at, its_organ, its_report, report_key
from storage.ledger import cells as book
from storage.queries import coverage, holdings, lives, missing


def _divisions(question: Question) -> Page:
    return question.page(holdings.divisions(question.connection), "division_code")


def _organs(question: Question) -> Page:
    rows = lives.organ_lives(question.connection, division=question["division"])
    return question.page(rows, "division_code", "organ")


def _organ(question: Question) -> lives.OrganLife:
    asked = question.organ
    for life in lives.organ_lives(question.connection, division=asked.division_code):
        if life["organ"] == asked.name:
            return life
    raise NotInArchive(f"the archive knows no organ {asked.name} in {asked.division_code}")


def _coverage(question: Question) -> Page:
    rows = coverage.coverage(
        question.connection,
        division=question["division"],
        year=question["year"],
        organ_id=question.organ_id,
        as_of=question.as_of,
    )
    return question.page(
        [row for row in rows if question["state"] in (None, row["state"])],
        "division_code", "organ", "year",
    )  # fmt: skip


def _cells(question: Question, **asked: Any) -> list[book.Cell]:
    at = datetime.now(UTC) if question.as_of is None else question.as_of.at
    return book.ledger(question.connection, at=at, **asked)


def _ledger(question: Question) -> Page:
    rows = _cells(
        question,
        division=question["division"],
        year=question["year"],
        organ_id=question.organ_id,
    )
    return question.page(
        [row for row in rows if question["state"] in (None, row["state"])],
        "division_code", "organ", "year",
    )  # fmt: skip


def _missing(question: Question) -> Page:
    at = datetime.now(UTC) if question.as_of is None else question.as_of.at
    rows = missing.missing(
        question.connection,
        at=at,
        division=question["division"],
        year=question["year"],
        organ_id=question.organ_id,
        state=question["state"],
    )
    return question.page(rows, "division_code", "organ", "year")


def _ledger_cell(question: Question) -> book.Cell:
    organ, year = question.organ, question["year"]
    for cell in _cells(question, year=year, organ_id=organ.id):
        return cell
    raise NotInArchive(
        f"the ledger has no cell of {organ.name} for {year}: it owed no report, or the year is "
        "not over"
    )


_OF_ORGAN: Mapping[str, Link] = {
    "self": its_organ,
    "coverage": lambda row, ways: ways.api(
        "coverage", division=row["division_code"], organ=row["organ"]
    ),
    "ledger": lambda row, ways: ways.api(
        "ledger", division=row["division_code"], organ=row["organ"]
    ),
    "page": lambda row, ways: ways.page("organs", row["division_code"], row["organ"]),
}
_OF_FIELD: Mapping[str, Link] = {
    "report": lambda row, ways: None if row["state"] == "missing" else its_report(row, ways),
    "ledger": lambda row, ways: ways.api("ledger", *report_key(row)),
    "organ": its_organ,
    "page": lambda row, ways: (
        ways.page("ledger", *report_key(row))
        if row["state"] == "missing"
        else ways.page("reports", *report_key(row))
    ),
}
_OF_CELL: Mapping[str, Link] = {
    "self": lambda row, ways: ways.api("ledger", *report_key(row)),
    "report": lambda row, ways: its_report(row, ways) if row["state"] in book.HELD else None,
    "organ": its_organ,
    "page": lambda row, ways: ways.page("ledger", *report_key(row)),
}
_OF_PROOF: Mapping[str, Mapping[str, InnerLink]] = {
    "proof": {
        "capture": lambda _row, proof, ways: capture_at(proof["capture_id"], ways),
        "replay": lambda _row, proof, ways: ways.replay(proof["capture_id"]),
    }
}

ENDPOINTS = (
    Endpoint(
        key="divisions",
        path="/divisions",
        shape=holdings.Division,
        ask=_divisions,
        cursor=(str, int),
        links={
            "organs": lambda row, ways: ways.still("organs", division=row["division_code"]),
            "coverage": lambda row, ways: ways.still("coverage", division=row["division_code"]),
            "page": lambda row, ways: ways.page("coverage", division=row["division_code"]),
        },
        records=False,
    ),
    Endpoint(
        key="organs",
        path="/organs",
        shape=lives.OrganLife,
        ask=_organs,
        parameters=(DIVISION,),
        cursor=(str, str, int),
        links=_OF_ORGAN,
        records=False,
    ),
    Endpoint(
        key="organ",
        path="/organs/{division_code}/{organ}",
        shape=lives.OrganLife,
        ask=_organ,
        parameters=(ITS_CODE, ITS_ORGAN),
        links=_OF_ORGAN,
        records=False,
    ),
    Endpoint(
        key="coverage",
        path="/coverage",
        shape=coverage.Field,
        ask=_coverage,
        parameters=(DIVISION, ORGAN, YEAR, choice("state", get_args(coverage.State))),
        cursor=(str, str, int, int),
        links=_OF_FIELD,
    ),
    Endpoint(
        key="ledger",
        path="/ledger",
        shape=book.Cell,
        ask=_ledger,
        parameters=(DIVISION, ORGAN, YEAR, choice("state", get_args(book.State), "absent")),
        cursor=(str, str, int, int),
        links=_OF_CELL,
        inner=_OF_PROOF,
    ),
    Endpoint(
        key="missing",
        path="/missing",
        shape=book.Cell,
        ask=_missing,
        parameters=(DIVISION, ORGAN, YEAR, choice("state", missing.MISSING)),
        cursor=(str, str, int, int),
        links=_OF_CELL,
        inner=_OF_PROOF,
    ),
    Endpoint(
        key="ledger_cell",
        path="/ledger/{division_code}/{organ}/{year}",
        shape=book.Cell,
        ask=_ledger_cell,
        parameters=ITS_REPORT,
        links=_OF_CELL,
        inner=_OF_PROOF,
    ),
)

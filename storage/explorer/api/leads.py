"""Where the rows of resources lead, said once: to their report, organ, version and captures."""

from __future__ import annotations

from collections.abc import Mapping

from storage.explorer.api.declare import InnerLink, Row
from storage.explorer.api.ways import Ways


def report_key(row: Row) -> tuple[str, str, int]:
    """The natural key of whose report of which year a row is."""
    return row["division_code"], row["organ"], row["year"]


def its_report(row: Row, ways: Ways) -> str:
    return ways.api("reports", *report_key(row))


def its_page(row: Row, ways: Ways) -> str:
    """The explorer's page of the report."""
    return ways.page("reports", *report_key(row))


def its_organ(row: Row, ways: Ways) -> str:
    return ways.still("organs", row["division_code"], row["organ"])


def its_version(row: Row, ways: Ways) -> str | None:
    """The version that a row names."""
    if row["version_id"] is None:
        return None
    return ways.still("reports", *report_key(row), "versions", row["version_id"])


def capture_at(capture_id: int | None, ways: Ways) -> str | None:
    return None if capture_id is None else ways.still("captures", capture_id)


# From each of the captures that a row holds.
OF_CAPTURES: Mapping[str, Mapping[str, InnerLink]] = {
    "captures": {
        "capture": lambda _row, each, ways: capture_at(each["id"], ways),
        "replay": lambda _row, each, ways: ways.replay(each["id"]),
        "page": lambda _row, each, ways: ways.page("captures", each["id"]),
    }
}

"""A report as rows of the tables that leave."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias, cast

from storage.ledger.cells import Cell as Owed
from storage.queries.report import Cell, Report
from storage.queries.taking import Taken

Value: TypeAlias = str | int | float | bool | None
Row: TypeAlias = dict[str, Value]

_SAID = ("author", "reason", "evidence", "made_at", "review")
_LEADING = ("version_id", "payload_digest", "record_id")
_BYTES = ("capture_id", "captured_at", "payload_digest", "record_id")
_PLACE = ("warc_file", "warc_offset", "warc_length")
# The verdicts of what is an open finding; the others say that all is well, or nothing.
_OPEN = ("fail", "finding")
_KEYS: tuple[Literal["organ_kind", "portal", "kind", "reading_id", "parser"], ...]
_KEYS = ("organ_kind", "portal", "kind", "reading_id", "parser")
_STATES = {
    "number": "numbers",
    "zero": "zeros",
    "blank": "blanks",
    "dash": "dashes",
    "text": "texts",
    "unread": "unread",
}


def rows_of(one: Taken) -> Iterator[tuple[str, Row]]:
    """Every row of a report with the name of its table; keys are those of the table's columns."""
    report = one["report"]
    who: Row = {"report_id": one["report_id"], "division_code": report["division_code"]}
    who |= {"organ": report["organ"], "year": report["year"]}
    read: Mapping[str, Any] = one["read"] or {}
    lead: Row = {name: read.get(name) for name in _LEADING}
    yield "reports", who | lead | _report(one, read)
    for position, cell in enumerate(report["cells"]):
        row = who | lead | _cell(cell, report)
        row |= {"position": position, "reading_id": one["reading_id"], "layout": report["form"]}
        yield "cells", row
    for cell in report["cells"]:
        if cell["correction"] is not None:
            held = _plain(cell["correction"])
            said = {name: held[name] for name in _SAID}
            yield "corrections", who | lead | _cell(cell, report) | said
    for position, line in enumerate(report["indicators"]):
        yield "indicators", who | lead | _plain(line) | {"position": position}
    for position, section in enumerate(one["sections"]):
        yield "sections", who | lead | _plain(section) | {"position": position}
    found = (each for each in report["findings"] if each["verdict"] in _OPEN)
    for position, finding in enumerate(found):
        cells = " ".join(finding["cells"])
        yield "findings", who | lead | _plain(finding) | {"position": position, "cells": cells}
    for origin in one["origins"]:
        yield "sources", who | _plain(origin)


def owed(cell: Owed) -> Row:
    """A cell of the ledger."""
    proof = json.dumps(cell["proof"], ensure_ascii=False, sort_keys=True)
    return _plain(cell) | {"proof": proof}


def path_of(cell: Cell) -> str:
    """The name of a cell across forms."""
    return f"{cell['table']}.{cell['row']}.{cell['column']}"


def _report(one: Taken, read: Mapping[str, Any]) -> Row:
    report = one["report"]
    states = Counter(cell["state"] for cell in report["cells"])
    row: Row = {name: one[name] for name in _KEYS}
    row |= {name: read.get(name) for name in (*_BYTES, *_PLACE, "url", "canonical_digest")}
    row |= {
        name: report[name]
        for name in ("title", "body_title", "published", "source", "read_from", "engine")
    }
    row |= {column: states[state] for state, column in _STATES.items()}
    row |= {"layout": report["form"], "urls": " ".join(report["urls"])}
    return row | {"masked": sum(report["masked"].values())}


def _cell(cell: Cell, report: Report) -> Row:
    correction = cell["correction"]
    row: Row = {"cell": path_of(cell), "unit": _unit(cell, report)}
    row |= {name: cell[name] for name in ("table", "row", "column", "raw", "state", "value")}
    row |= {"corrected_raw": None, "corrected_state": None, "corrected_value": None}
    if correction is not None:
        row |= {f"corrected_{name}": correction[name] for name in ("raw", "state", "value")}
    return row


def _plain(said: Mapping[str, object]) -> Row:
    return cast(Row, dict(said))


def _unit(cell: Cell, report: Report) -> str | None:
    tables: Any = report["tables"]
    for key in (*cell["table"].split("."), cell["row"]):
        tables = tables[key]
    unit: str | None = tables.get(f"{cell['column']}_unit")
    return unit

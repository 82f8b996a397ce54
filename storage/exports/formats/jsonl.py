"""JSON Lines: one report a line, the shape of `archive report --json`; the ledger beside it."""

from __future__ import annotations

import json
from pathlib import Path

from storage.exports.source import Source


def write(folder: Path, source: Source) -> None:
    """`reports.jsonl`; with `keys`, which lead to version, capture and record."""
    with (folder / "reports.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        for one in source.reports():
            read = one["read"]
            keys = {
                "report_id": one["report_id"],
                "reading_id": one["reading_id"],
                "parser": one["parser"],
                "version_id": read["version_id"] if read else None,
                "payload_digest": read["payload_digest"] if read else None,
                "record_id": read["record_id"] if read else None,
            }
            told = {**one["report"], "sections": one["sections"], "keys": keys}
            told["sources"] = one["origins"]
            file.write(json.dumps(told, ensure_ascii=False) + "\n")
    with (folder / "ledger.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        for row in source.ledger():
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

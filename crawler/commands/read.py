"""`scrapy read FILE [--json]`: read one report file as the archive would, without any archive.

Exit codes: 0 read, nothing to report; 1 read, with findings; 2 unreadable.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from scrapy.commands import ScrapyCommand
from scrapy.exceptions import UsageError

from crawler.cms import cms_by_key, parse_page
from crawler.commands.terminal import terminal
from crawler.documents import html, text
from crawler.documents.charset import decode
from crawler.documents.model import Document
from crawler.errors import SourceError
from crawler.forms import nested
from crawler.forms.model import Cell, Reading, State, Verdict
from crawler.forms.reading import read

_HTML, _TEXT = frozenset({".html", ".htm", ".shtml"}), frozenset({".txt"})


@dataclass(frozen=True, slots=True)
class Source:
    """A file opened: the document, and the title its page gives it (empty for plain text)."""

    document: Document
    title: str = ""


class Command(ScrapyCommand):
    requires_project = True
    requires_crawler_process = False

    def syntax(self) -> str:
        return "FILE [--json]"

    def short_desc(self) -> str:
        return "Read one report file (html, txt) into cells, checks and findings"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        if len(args) != 1:
            raise UsageError("name one file to read", print_help=False)
        try:
            source = open_source(Path(args[0]))
        except SourceError as error:
            print(f"SourceError: {error}", file=sys.stderr)
            self.exitcode = 2
            return
        reading = read(source.document)
        self.exitcode = 1 if _concerns(reading) else 0
        if opts.json:
            print(json.dumps(as_json(source, reading), ensure_ascii=False, indent=1))
        else:
            _show(source, reading)


def open_source(path: Path) -> Source:
    """Open an html or txt file. Raises SourceError."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}: name a file that can be read") from error
    suffix = path.suffix.lower()
    if suffix in _TEXT:
        return Source(text.read(decode(body, None).text))
    if suffix in _HTML:
        return _open_page(decode(body, None).text)
    known = ", ".join(sorted(_HTML | _TEXT))
    raise SourceError(f"{path}: no reader for {suffix or 'a file without ending'!r}: use {known}")


def _open_page(page_text: str) -> Source:
    """A saved page: its article if a dialect knows it, else everything that is on it."""
    page = parse_page("", page_text)
    known = (cms for cms in cms_by_key().values() if cms.fingerprint(page))
    article = next((article for cms in known if (article := cms.article(page))), None)
    if article is None:
        return Source(html.read(page.tree))
    return Source(html.read(article.body), article.title)


def as_json(source: Source, reading: Reading) -> dict[str, Any]:
    """The shape that docs/forms.md describes."""
    return {
        "form": None if reading.layout == "unknown" else reading.layout,
        "title": source.title or None,
        "body_title": reading.body_title,
        "tables": nested(reading.cells),
        "cells": [_cell(cell) for cell in reading.cells],
        "findings": [
            {
                "rule": finding.rule,
                "verdict": str(finding.verdict),
                "message": finding.message,
                "message_zh": finding.message_zh,
                "cells": list(finding.cells),
            }
            for finding in (*reading.checks, *reading.findings)
        ],
        "sections": [
            {"heading": section.heading, "text": section.text} for section in reading.sections
        ],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    value: int | float | None = None
    if cell.value is not None:
        value = int(cell.value) if cell.value == int(cell.value) else float(cell.value)
    return {
        "table": cell.table,
        "row": cell.row,
        "column": cell.column,
        "raw": cell.raw,
        "state": str(cell.state),
        "value": value,
    }


def _concerns(reading: Reading) -> bool:
    failed = any(check.verdict is Verdict.FAIL for check in reading.checks)
    return failed or bool(reading.findings) or reading.layout == "unknown"


def _show(source: Source, reading: Reading) -> None:
    console = terminal()
    console.print(f"form {reading.layout}  {reading.body_title or source.title}", highlight=False)
    states = Counter(str(cell.state) for cell in reading.cells)
    console.print("cells " + ", ".join(f"{state} {count}" for state, count in states.items()))
    for name in dict.fromkeys(cell.table for cell in reading.cells):
        console.print(_grid(name, [cell for cell in reading.cells if cell.table == name]))
    verdicts = Counter(str(check.verdict) for check in reading.checks)
    console.print("checks " + ", ".join(f"{word} {count}" for word, count in verdicts.items()))
    for finding in (*reading.checks, *reading.findings):
        if finding.verdict in {Verdict.FAIL, Verdict.FINDING}:
            console.print(f"{finding.verdict} {finding.rule}: {finding.message}", highlight=False)


def _grid(name: str, cells: list[Cell]) -> Table:
    columns = list(dict.fromkeys(cell.column for cell in cells))
    table = Table(name, *columns, box=None)
    for row in dict.fromkeys(cell.row for cell in cells):
        shown = {cell.column: _shown(cell) for cell in cells if cell.row == row}
        table.add_row(row, *(shown.get(column, "") for column in columns))
    return table


def _shown(cell: Cell) -> str:
    return "unread" if cell.state is State.UNREAD else cell.raw.strip()

"""`scrapy read FILE… [--last FILE] [--json]`: read report files as the archive would, without one.

A file may be of any kind the archive reads, a bundle of several, a folder, or `-` for stdin. With
last year's report beside it a draft is held against that, too.

Exit codes: 0 read, nothing to report; 1 read, with findings; 2 something could not be read.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from scrapy.commands import ScrapyCommand
from scrapy.exceptions import UsageError

from crawler.cms import cms_by_key, parse_page
from crawler.commands.terminal import terminal
from crawler.documents import html
from crawler.documents.charset import decode
from crawler.documents.model import Document
from crawler.documents.opening import open_file
from crawler.errors import SourceError, Unreadable
from crawler.forms import nested
from crawler.forms.across import Copy, Organ, Subject, assess
from crawler.forms.model import Cell, Finding, Reading, State, Verdict
from crawler.forms.nesting import plain
from crawler.forms.reading import read
from crawler.portals.titles import year_of

_STDIN = "-"
_TOLD = frozenset((Verdict.FAIL, Verdict.FINDING))


@dataclass(frozen=True, slots=True)
class Source:
    """A file opened: the document, and the title its page gives it (else empty)."""

    name: str
    document: Document
    title: str = ""


class Command(ScrapyCommand):
    requires_project = True
    requires_crawler_process = False

    def syntax(self) -> str:
        return "FILE… [--last FILE] [--json]"

    def short_desc(self) -> str:
        return "Read report files of any kind into cells, checks and findings"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.add_argument("--json", action="store_true", help="print a JSON object a report")
        parser.add_argument("--last", metavar="FILE", help="the report of the year before")

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        if not args:
            raise UsageError("name a file, a folder, or - for stdin", print_help=False)
        # A reader that has seen enough (`| head`) ends this as it ends any other filter.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        self.exitcode = 0
        last = next(self._sources([opts.last]), None) if opts.last else None
        before = read(last.document) if last else None
        many = len(args) > 1 or Path(args[0]).is_dir()
        for source in self._sources(args):
            reading = read(source.document)
            said = across(source, reading, before)
            if opts.json:
                told = as_json(source, reading, said)
                print(json.dumps(told, ensure_ascii=False, indent=None if many else 1))
            else:
                _show(source, reading, said)
            self._ended(1 if _concerns(reading, said) else 0)

    def _ended(self, code: int) -> None:
        """The worst of all files."""
        self.exitcode = max(self.exitcode or 0, code)

    def _sources(self, names: Sequence[str]) -> Iterator[Source]:
        """What opens; a line on stderr for what does not."""
        for name in _files(names):
            try:
                yield from open_source(name)
            except SourceError as error:
                print(f"{type(error).__name__}: {name}: {error}", file=sys.stderr)
                self._ended(2)


def _files(names: Sequence[str]) -> Iterator[str]:
    """The files named, those of a folder in the order of their paths."""
    for name in names:
        if name != _STDIN and Path(name).is_dir():
            yield from (str(path) for path in sorted(Path(name).rglob("*")) if path.is_file())
        else:
            yield name


def open_source(name: str) -> Iterator[Source]:
    """Open a file, or stdin as `-`: one source, or of a bundle each that opens.

    Raises SourceError: cannot be had, or (Unreadable) opens as no document.
    """
    try:
        body = sys.stdin.buffer.read() if name == _STDIN else Path(name).read_bytes()
    except OSError as error:
        raise SourceError(f"{error.strerror}: name a file that can be read") from error
    documents = open_file(body, Path(name).name)
    if len(documents) == 1 and documents[0].kind == "html":
        yield _open_page(name, decode(body).text, documents[0])
        return
    for document in documents:
        if document.blocks or document.remarks:
            shown = f"{name}/{document.member}" if document.member else name
            yield Source(shown, document)
        else:
            raise Unreadable("empty")


def _open_page(name: str, page_text: str, whole: Document) -> Source:
    """A saved page: its article if a dialect knows it, else everything that is on it."""
    page = parse_page("", page_text)
    known = (cms for cms in cms_by_key().values() if cms.fingerprint(page))
    article = next((article for cms in known if (article := cms.article(page))), None)
    if article is None:
        return Source(name, whole)
    return Source(name, html.read(article.body), article.title)


def across(source: Source, reading: Reading, before: Reading | None) -> tuple[Finding, ...]:
    """What the prose, the signs of the numbers and last year's report say of it. Whose it is and
    when it was published is nobody's business yet.
    """
    year = year_of(source.title or reading.body_title or "") or 0
    last = None if before is None else Copy(before, year - 1, None, "last")
    copy = Copy(reading, year, None, source.name)
    return assess(Subject(Organ("", "", ""), year, (copy,), last))


def as_json(source: Source, reading: Reading, said: Sequence[Finding] = ()) -> dict[str, Any]:
    """The shape that docs/forms.md describes."""
    return {
        "file": source.name,
        "form": None if reading.layout == "unknown" else reading.layout,
        "title": source.title or None,
        "body_title": reading.body_title,
        "engine": reading.engine or None,
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
            for finding in (*reading.checks, *reading.findings, *said)
        ],
        "sections": [
            {"heading": section.heading, "text": section.text} for section in reading.sections
        ],
        "indicators": [
            {
                **{name: getattr(each, name) for name in ("key", "block", "label", "unit", "raw")},
                "state": str(each.state),
                "value": None if each.value is None else plain(each.value),
            }
            for each in reading.indicators
        ],
        "unclaimed": [
            [[cell.text for cell in row] for row in grid.rows]
            for grid in reading.grids
            if grid.ordinal in reading.unclaimed
        ],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "table": cell.table,
        "row": cell.row,
        "column": cell.column,
        "raw": cell.raw,
        "state": str(cell.state),
        "value": None if cell.value is None else plain(cell.value),
    }


def _concerns(reading: Reading, said: Sequence[Finding]) -> bool:
    told = any(each.verdict in _TOLD for each in (*reading.checks, *reading.findings, *said))
    return told or reading.layout == "unknown"


def _show(source: Source, reading: Reading, said: Sequence[Finding]) -> None:
    console = terminal()
    title = reading.body_title or source.title
    console.print(f"{source.name}: form {reading.layout}  {title}", highlight=False)
    states = Counter(str(cell.state) for cell in reading.cells)
    console.print("cells " + ", ".join(f"{state} {count}" for state, count in states.items()))
    for name in dict.fromkeys(cell.table for cell in reading.cells):
        console.print(_grid(name, [cell for cell in reading.cells if cell.table == name]))
    for each in reading.indicators:
        console.print(f"{each.block} {each.label} ({each.unit}): {each.raw}", highlight=False)
    verdicts = Counter(str(check.verdict) for check in reading.checks)
    console.print("checks " + ", ".join(f"{word} {count}" for word, count in verdicts.items()))
    _show_findings(console, (*reading.checks, *reading.findings, *said))


def _show_findings(console: Console, findings: Sequence[Finding]) -> None:
    for finding in findings:
        if finding.verdict in _TOLD:
            console.print(f"{finding.verdict} {finding.rule}: {finding.message}", highlight=False)
            console.print(f"    {finding.message_zh}", highlight=False)


def _grid(name: str, cells: list[Cell]) -> Table:
    columns = list(dict.fromkeys(cell.column for cell in cells))
    table = Table(name, *columns, box=None)
    for row in dict.fromkeys(cell.row for cell in cells):
        shown = {cell.column: _shown(cell) for cell in cells if cell.row == row}
        table.add_row(row, *(shown.get(column, "") for column in columns))
    return table


def _shown(cell: Cell) -> str:
    return "unread" if cell.state is State.UNREAD else cell.raw.strip()

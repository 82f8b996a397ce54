"""Reports, their versions, what does not add up in them, and corrections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from storage.terminal.drawing import minute, new_table, open_console, spoken

if TYPE_CHECKING:
    from storage.queries.changes import Event
    from storage.queries.corrections import Correction
    from storage.queries.findings import OpenFinding
    from storage.queries.history import Capture, Side, Version
    from storage.queries.report import Cell, Finding, Report, Source


def show_report(report: Report, sources: Iterable[Source]) -> None:
    """Head, sources, tables, checks."""
    console = open_console()
    console.print(Text(report["title"] or "(never captured)", style="bold"))
    for label, value in _head(report):
        console.print(Text(f"{label:<11}{value}"), soft_wrap=True)
    console.print(_sources(sources))
    for name, cells in groupby(report["cells"], key=lambda cell: cell["table"]):
        console.print(_cells(name, list(cells)))
    for line in report["indicators"]:
        console.print(Text(f"{line['block']} {line['label']} ({line['unit']}): {line['raw']}"))
    if report["masked"]:
        told = ", ".join(f"{count} {spoken(kind)}" for kind, count in report["masked"].items())
        console.print(f"covered: {told}; `archive personal` says where")
    if report["unclaimed"]:
        console.print(f"{len(report['unclaimed'])} tables that nobody claimed: see --json")
    _show_checks(console, report["findings"])


def _head(report: Report) -> Iterable[tuple[str, str]]:
    yield "organ", f"{report['organ']} ({report['division_code']})"
    yield "year", str(report["year"])
    yield "body title", report["body_title"] or "-"
    yield "published", report["published"] or "-"
    yield "source", report["source"] or "-"
    yield "form", report["form"] or "not recognised"
    if report["read_from"]:
        yield "read from", report["read_from"]
    if report["engine"]:
        yield "engine", report["engine"]
    for url in report["urls"]:
        yield "page", url
    for attachment in report["attachments"]:
        yield "attachment", f"{attachment['name']} ({attachment['kind']}) {attachment['url']}"


def _sources(sources: Iterable[Source]) -> Table:
    table = new_table("part", "fetched", "WARC file", "offset", "digest")
    for source in sources:
        table.add_row(
            Text(f"{source['part']} {source['name']}".strip()),
            minute(source["fetched_at"]),
            source["warc_file"],
            str(source["offset"]),
            source["payload_digest"],
        )
    return table


def _cells(name: str, cells: list[Cell]) -> Table:
    """A statutory table, a row by its row key, as published; `?` for a cell that was not read."""
    columns = list(dict.fromkeys(cell["column"] for cell in cells))
    table = new_table(name, *columns)
    for row, members in groupby(cells, key=lambda cell: cell["row"]):
        raws = {cell["column"]: _raw(cell) for cell in members}
        table.add_row(row, *(raws.get(column, Text("")) for column in columns))
    return table


def _raw(cell: Cell) -> Text:
    read = Text("?", style="red") if cell["state"] == "unread" else Text(cell["raw"].strip())
    if (correction := cell["correction"]) is None:
        return read
    doubt = " (review)" if correction["review"] else ""
    return Text.assemble(read, (f" corrected to {correction['raw'] or 'blank'}{doubt}", "yellow"))


def _show_checks(console: Console, findings: Iterable[Finding]) -> None:
    relations = [each for each in findings if each["verdict"] != "finding"]
    counts = Counter(each["verdict"] for each in relations)
    tally = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    console.print(f"{len(relations)} relations: {tally or 'none to assess'}")
    for each in findings:
        if each["verdict"] in ("fail", "finding"):
            console.print(Text(f"{each['rule']} {each['verdict']}: {each['message']}"))


def show_history(versions: Iterable[Version]) -> None:
    """Each version with its captures, and both sides of every cell that changed."""
    console = open_console()
    for version in versions:
        if version["withdrawn"] is not None:
            told = f"version {version['id']}: {version['part']} {version['withdrawn']}"
            console.print(Text(told, style="bold"))
            continue
        title = f"version {version['id']}: {version['part']} {version['name'] or version['title']}"
        console.print(Text(title, style="bold"))
        seen = f"{minute(version['first_seen'])} to {minute(version['last_seen'])}"
        console.print(f"  seen {seen}, {version['canonical_rule']} {version['canonical_digest']}")
        for capture in version["captures"]:
            console.print(Text(f"  capture {capture['id']}  {_where(capture)}"), soft_wrap=True)
        if version["changed"]:
            table = new_table("cell", "before", "after")
            for change in version["changed"]:
                table.add_row(change["path"], _side(change["before"]), _side(change["after"]))
            console.print(table)
        for passage in version["rewritten"]:
            console.print(Text(f"  rewritten: {passage['heading']}", style="bold"))
            console.print(Text(f"  - {passage['before']}", style="red"), soft_wrap=True)
            console.print(Text(f"  + {passage['after']}", style="green"), soft_wrap=True)


def _side(side: Side | None) -> Text:
    if side is None:
        return Text("no such cell", style="bright_black")
    return Text(f"{side['raw'].strip()} ({side['state']})".strip())


def _where(capture: Capture) -> str:
    again = " (revisit)" if capture["revisit"] else ""
    place = f"{capture['warc_file']}:{capture['offset']}"
    return f"{minute(capture['fetched_at'])}  {place}{again}  {capture['payload_digest']}"


def show_findings(findings: Sequence[OpenFinding]) -> None:
    """One row a finding."""
    table = new_table("division", "organ", "year", "rule", "verdict", "finding")
    for each in findings:
        table.add_row(
            each["division_code"],
            each["organ"],
            str(each["year"]),
            each["rule"],
            each["verdict"],
            Text(each["message"]),
        )
    console = open_console()
    console.print(table)
    console.print(f"{len(findings)} findings")


def show_changes(events: Sequence[Event]) -> None:
    """One row a change."""
    table = new_table("seen", "change", "division", "organ", "year", "cells", "prose", "where")
    for each in events:
        counts = ("" if each[name] is None else str(each[name]) for name in ("cells", "prose"))
        table.add_row(
            minute(each["at"]),
            each["kind"],
            each["division_code"],
            each["organ"],
            str(each["year"]),
            *counts,
            Text(each["url"] or each["title"] or ""),
        )
    console = open_console()
    console.print(table)
    console.print(f"{len(events)} changes")


def show_corrections(corrections: Sequence[Correction]) -> None:
    """One row a correction."""
    table = new_table(
        "organ", "year", "what", "read as", "corrected to", "by", "why", "evidence", ""
    )
    for each in corrections:
        table.add_row(
            each["organ"],
            str(each["year"]),
            each["cell"] or "identity",
            Text(each["before"]),
            Text(each["after"]),
            Text(each["author"]),
            Text(each["reason"]),
            Text(each["evidence"]),
            "review" if each["review"] else "",
        )
    open_console().print(table)

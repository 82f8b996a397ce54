"""The answers of `archive` as a person reads them."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from storage.alerts import Alert, Severity, Step
from storage.doctor.model import Level, Note
from storage.errors import DirectoryError
from storage.impact_page import kept, rows
from storage.ledger import Cell as LedgerCell
from storage.ledger import State as LedgerState
from storage.queries.corrections import Correction
from storage.queries.coverage import Field, State
from storage.queries.findings import OpenFinding
from storage.queries.history import Capture, Side, Version
from storage.queries.impact import Impact
from storage.queries.lives import OrganLife
from storage.queries.personal import Place as PersonalPlace
from storage.queries.politeness import Audit
from storage.queries.report import Cell, Finding, Report, Source
from storage.queries.runs import Run
from storage.queries.sources import Place
from storage.queries.withdrawals import Act

# One letter a state, readable without colour.
LETTERS: dict[State, tuple[str, str, str]] = {
    "read": ("R", "green", "read: every cell"),
    "partly_read": ("P", "yellow", "partly read"),
    "old": ("o", "cyan", "old layout, prose kept"),
    "attachment_only": ("A", "magenta", "attachment only"),
    "unread": ("U", "magenta", "captured, no form recognised"),
    "unreachable": ("!", "red", "known, every attempt failed"),
    "missing": (".", "bright_black", "nothing known"),
    "withdrawn": ("W", "bright_black", "withdrawn: `archive withdrawals` says why"),
}

_LEVELS: dict[Level, tuple[str, str]] = {
    "well": ("well", "green"),
    "attention": ("attention", "yellow"),
    "cannot_run": ("cannot run", "red"),
}

LEDGER_LETTERS: dict[LedgerState, tuple[str, str, str]] = {
    "captured": ("C", "green", "captured, in time"),
    "captured_late": ("L", "yellow", "captured, published late"),
    "moved": ("M", "cyan", "captured, found at another address"),
    "attachment_only": ("A", "magenta", "attachment only"),
    "unreadable": ("U", "magenta", "captured, not readable"),
    "removed": ("R", "red", "removed after publication"),
    "absent": ("X", "red", "listing proves absence"),
    "blocked": ("B", "red", "blocked"),
    "portal_down": ("D", "red", "portal down"),
    "not_due": (".", "bright_black", "not yet due"),
    "unproven": ("?", "red", "not proven yet"),
    "withdrawn": ("W", "bright_black", "withdrawn: `archive withdrawals` says why"),
}

# In a pipe or a log there is no terminal to fit into: do not fold a table at 80.
_PIPE_WIDTH = 160
_PICTURE_WIDTH = 100

# rich's pictures load a font from elsewhere; ours load nothing.
_LOADED_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def show_coverage(fields: Sequence[Field]) -> None:
    """One row an organ, one column a year, and the legend."""
    _coverage(_console(), fields)


def draw_coverage(fields: Sequence[Field], file: Path) -> None:
    """The same as an SVG that asks nobody for a font. Raises DirectoryError."""
    console = _picture()
    _coverage(console, fields)
    _draw(console, "archive coverage", file)


def show_ledger(cells: Sequence[LedgerCell]) -> None:
    """One row an organ, one column a year, and the legend."""
    _ledger(_console(), cells)


def draw_ledger(cells: Sequence[LedgerCell], file: Path) -> None:
    """The same as an SVG that asks nobody for a font. Raises DirectoryError."""
    console = _picture()
    _ledger(console, cells)
    _draw(console, "archive ledger", file)


def show_cell(cell: LedgerCell, places: Mapping[int, Place]) -> None:
    """One organ and year: its state, why, and where each proof lies."""
    console = _console()
    console.print(Text(f"{cell['organ']} ({cell['division_code']}) {cell['year']}", style="bold"))
    late = f", {cell['late_days']} days late" if cell["late_days"] else ""
    facts = {
        "state": f"{LEDGER_LETTERS[cell['state']][2]}{late}",
        "deadline": cell["deadline"] or "none",
        "published": cell["published"] or "-",
        "since": _minute(cell["since"] or "-"),
        "proven to": _minute(cell["as_of"] or "-"),
        "note": cell["note"],
        "说明": cell["note_zh"],
    }
    for label, value in facts.items():
        if value:
            console.print(Text(f"{label:<11}{value}"), soft_wrap=True)
    table = _table("proof", "look", "capture", "at", "address", "WARC file", "offset")
    for each in cell["proof"]:
        place = places.get(each["capture_id"] or 0)
        table.add_row(
            each["kind"],
            str(each["listing_read_id"] or ""),
            str(each["capture_id"] or ""),
            _minute(each["at"]),
            Text(each["url"]),
            place.warc_file if place else "",
            str(place.offset) if place else "",
        )
    if cell["proof"]:
        console.print(table)


def show_organs(organs: Sequence[OrganLife]) -> None:
    """One row an organ."""
    table = _table("division", "organ", "kind", "from", "to", "follows", "becomes", "reports", "?")
    for each in organs:
        years = [each["first_report"], each["last_report"]]
        table.add_row(
            each["division_code"],
            each["organ"],
            each["kind"],
            each["begins"] or "",
            each["ends"] or "",
            "、".join(each["follows"]),
            "、".join(each["becomes"]),
            " to ".join(str(year) for year in years if year),
            f"becomes {'、'.join(each['candidates'])}?" if each["candidates"] else "",
        )
    _console().print(table)


def _picture() -> Console:
    return Console(record=True, width=_PICTURE_WIDTH, file=StringIO(), highlight=False)


def _draw(console: Console, title: str, file: Path) -> None:
    try:
        svg = console.export_svg(title=title)
        file.write_text(_LOADED_FONT.sub("", svg), encoding="utf-8")
    except OSError as error:
        raise DirectoryError(
            f"cannot write {file} ({error.strerror}): name a file in a writable folder"
        ) from error


def _coverage(console: Console, fields: Sequence[Field]) -> None:
    _map(console, [_Square(f["division_code"], f["organ"], f["year"], f["state"]) for f in fields])
    _legend(console, LETTERS, Counter(field["state"] for field in fields))


def _ledger(console: Console, cells: Sequence[LedgerCell]) -> None:
    _map(console, [_Square(c["division_code"], c["organ"], c["year"], c["state"]) for c in cells])
    _legend(console, LEDGER_LETTERS, Counter(cell["state"] for cell in cells))


class _Square(NamedTuple):
    division: str
    organ: str
    year: int
    state: State | LedgerState


def _map(console: Console, squares: Sequence[_Square]) -> None:
    """One row an organ, one column a year."""
    styles = LETTERS | LEDGER_LETTERS
    years = sorted({square.year for square in squares})
    table = _table("division", "organ", *(f"{year % 100:02}" for year in years), narrow=True)
    for (division, organ), known in groupby(squares, key=lambda each: (each.division, each.organ)):
        letters = {each.year: Text(*styles[each.state][:2]) for each in known}
        table.add_row(division, organ, *(letters.get(year, Text(" ")) for year in years))
    console.print(table)


def _legend(
    console: Console,
    letters: Mapping[Any, tuple[str, str, str]],
    counts: Counter[Any],
) -> None:
    for state, (letter, style, meaning) in letters.items():
        if counts[state]:
            console.print(Text.assemble((letter, style), f" {meaning} ({counts[state]})"))


def show_report(report: Report, sources: Iterable[Source]) -> None:
    """Head, sources, tables, checks."""
    console = _console()
    console.print(Text(report["title"] or "(never captured)", style="bold"))
    for label, value in _head(report):
        console.print(Text(f"{label:<11}{value}"), soft_wrap=True)
    console.print(_sources(sources))
    for name, cells in groupby(report["cells"], key=lambda cell: cell["table"]):
        console.print(_cells(name, list(cells)))
    for line in report["indicators"]:
        console.print(Text(f"{line['block']} {line['label']} ({line['unit']}): {line['raw']}"))
    if report["masked"]:
        told = ", ".join(f"{count} {_kind(kind)}" for kind, count in report["masked"].items())
        console.print(f"covered: {told}; `archive personal` says where")
    if report["unclaimed"]:
        console.print(f"{len(report['unclaimed'])} tables that nobody claimed: see --json")
    _show_checks(console, report["findings"])


def show_history(versions: Iterable[Version]) -> None:
    """Each version with its captures, and both sides of every cell that changed."""
    console = _console()
    for version in versions:
        if version["withdrawn"] is not None:
            told = f"version {version['id']}: {version['part']} {version['withdrawn']}"
            console.print(Text(told, style="bold"))
            continue
        title = f"version {version['id']}: {version['part']} {version['name'] or version['title']}"
        console.print(Text(title, style="bold"))
        seen = f"{_minute(version['first_seen'])} to {_minute(version['last_seen'])}"
        console.print(f"  seen {seen}, {version['canonical_rule']} {version['canonical_digest']}")
        for capture in version["captures"]:
            console.print(Text(f"  capture {capture['id']}  {_where(capture)}"), soft_wrap=True)
        if version["changed"]:
            table = _table("cell", "before", "after")
            for change in version["changed"]:
                table.add_row(change["path"], _side(change["before"]), _side(change["after"]))
            console.print(table)
        for passage in version["rewritten"]:
            console.print(Text(f"  rewritten: {passage['heading']}", style="bold"))
            console.print(Text(f"  - {passage['before']}", style="red"), soft_wrap=True)
            console.print(Text(f"  + {passage['after']}", style="green"), soft_wrap=True)


def show_findings(findings: Sequence[OpenFinding]) -> None:
    """One row a finding."""
    table = _table("division", "organ", "year", "rule", "verdict", "finding")
    for each in findings:
        table.add_row(
            each["division_code"],
            each["organ"],
            str(each["year"]),
            each["rule"],
            each["verdict"],
            Text(each["message"]),
        )
    console = _console()
    console.print(table)
    console.print(f"{len(findings)} findings")


def show_corrections(corrections: Sequence[Correction]) -> None:
    """One row a correction."""
    table = _table("organ", "year", "what", "read as", "corrected to", "by", "why", "evidence", "")
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
    _console().print(table)


def show_runs(runs: Iterable[Run]) -> None:
    """One row a run."""
    table = _table(
        "run", "spider", "started", "ended", "state", "attempts", "captures", "MB", "why"
    )
    for run in runs:
        table.add_row(
            str(run["id"]),
            run["spider"],
            _minute(run["started_at"]),
            _minute(run["ended_at"] or ""),
            run["state"],
            str(run["attempts"]),
            str(run["captures"]),
            f"{run['bytes'] / 1e6:.1f}",
            Text(run["reason"] or ""),
        )
    _console().print(table)


def show_schedule(lines: Iterable[tuple[str, str, str, str]]) -> None:
    """One row a thing that is due: portal, what, since when, why."""
    table = _table("portal", "what is due", "since", "why")
    for portal, what, since, why in lines:
        table.add_row(portal, Text(what), since, why)
    _console().print(table)


SEVERITIES: dict[Severity, str] = {"critical": "red", "warning": "yellow", "info": "cyan"}


def show_alerts(found: Iterable[Alert]) -> None:
    """One row an alert; its Chinese words under the English ones."""
    table = _table("alert", "severity", "class", "state", "since", "what")
    for alert in found:
        table.add_row(
            str(alert["id"]),
            Text(alert["severity"], SEVERITIES[alert["severity"]]),
            alert["kind"],
            alert["state"],
            alert["since"][:10],
            Text(f"{alert['message']}\n{alert['message_zh']}"),
        )
    console = _console()
    console.print(table)
    console.print("archive alert N tells all about one, and what to do.", highlight=False)


def show_alert(alert: Alert, story: Iterable[Step]) -> None:
    """Head, difference, act, story."""
    console = _console()
    console.print(
        Text(f"[{alert['id']}] {alert['title']} {alert['title_zh']}", "bold"),
        Text(f"{alert['severity']}, {alert['state']} since {_minute(alert['since'])}"),
        Text(f"{alert['message']}\n{alert['message_zh']}"),
        sep="\n",
    )
    where = [alert["portal"] or "", alert["host"] or ""]
    console.print(Text(f"where: {' '.join(where).strip() or 'this machine'}"))
    console.print(Text(f"first seen: {_minute(alert['first_seen'])}"))
    for name in ("last_good", "before", "after"):
        if alert[name] is not None:
            console.print(Text(f"{name.replace('_', ' ')}: {_compact(alert[name])}"))
    console.print(Text(f"→ {alert['act']}\n→ {alert['act_zh']}"))
    table = _table("when", "run", "event", "who", "note")
    for step in story:
        run = "" if step["run"] is None else str(step["run"])
        note = step["note"] or step["message"] or ""
        who = Text(step["author"] or "")
        table.add_row(_minute(step["at"]), run, step["event"], who, Text(note))
    console.print(table)


def _compact(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def show_impact(hosts: Iterable[Impact]) -> None:
    """A table a host, its figures against the promises."""
    console = _console()
    for told in hosts:
        console.print(Text(told["host"], style="bold"))
        table = _table("what", "", "")
        for label, label_zh, value in rows(told):
            table.add_row(label, label_zh, Text(value))
        console.print(table)
        for sentence in kept(told):
            console.print(sentence)


def show_examination(notes: Iterable[Note]) -> None:
    """One line a note, its cure under it."""
    console = _console()
    for note in notes:
        word, style = _LEVELS[note.level]
        console.print(
            Text.assemble((f"{word:<10}", style), f"{note.check:<14}{note.says}"), soft_wrap=True
        )
        if note.cure:
            console.print(Text(f"{'':<24}→ {note.cure}"), soft_wrap=True)


def show_withdrawals(acts: Iterable[Act]) -> None:
    """One row an act."""
    table = _table("when", "what", "act", "by", "why", "")
    for act in acts:
        what = act["url"] or f"{act['organ']} {act['year']}"
        if act["version"] is not None:
            what += f" version {act['version']}"
        table.add_row(
            _minute(act["made_at"]),
            Text(what),
            act["action"],
            Text(act["author"]),
            Text(act["reason"]),
            "in force" if act["in_force"] else "",
        )
    _console().print(table)


def show_personal(places: Sequence[PersonalPlace]) -> None:
    """One row a place, and how many numbers there are of each kind."""
    table = _table("division", "organ", "year", "version", "place", "kind", "numbers")
    for place in places:
        table.add_row(
            place["division_code"],
            place["organ"],
            str(place["year"]),
            str(place["version"] or ""),
            Text(place["place"]),
            _kind(place["kind"]),
            str(place["count"]),
        )
    console = _console()
    console.print(table)
    console.print("Every answer covers them; `archive withdraw` hides a whole document.")


def show_audit(found: Audit) -> None:
    """One row a broken rule, and how many requests were looked at."""
    console = _console()
    if found["violations"]:
        table = _table("rule", "attempt", "time", "address", "what was wrong")
        for each in found["violations"]:
            table.add_row(
                each["rule"],
                str(each["attempt"]),
                each["at"][:23].replace("T", " "),
                Text(each["url"]),
                Text(each["sentence"]),
            )
        console.print(table)
    console.print(f"{found['requests']} requests, {len(found['violations'])} violations")


def _kind(kind: str) -> str:
    return kind.replace("_", " ")


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)


def _table(*headers: str, narrow: bool = False) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 0) if narrow else (0, 1), show_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    return table


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
    table = _table("part", "fetched", "WARC file", "offset", "digest")
    for source in sources:
        table.add_row(
            Text(f"{source['part']} {source['name']}".strip()),
            _minute(source["fetched_at"]),
            source["warc_file"],
            str(source["offset"]),
            source["payload_digest"],
        )
    return table


def _cells(name: str, cells: list[Cell]) -> Table:
    """A statutory table, a row by its row key, as published; `?` for a cell that was not read."""
    columns = list(dict.fromkeys(cell["column"] for cell in cells))
    table = _table(name, *columns)
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


def _side(side: Side | None) -> Text:
    if side is None:
        return Text("no such cell", style="bright_black")
    return Text(f"{side['raw'].strip()} ({side['state']})".strip())


def _where(capture: Capture) -> str:
    again = " (revisit)" if capture["revisit"] else ""
    place = f"{capture['warc_file']}:{capture['offset']}"
    return f"{_minute(capture['fetched_at'])}  {place}{again}  {capture['payload_digest']}"


def _minute(moment: str) -> str:
    """`2020-03-06 06:38`, UTC."""
    return moment[:16].replace("T", " ")

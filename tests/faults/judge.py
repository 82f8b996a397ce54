"""Holds an archive against what the faulty portal heard and sent: every request, to the byte."""

from __future__ import annotations

import subprocess
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import sqlalchemy as sa

from storage.capture.captures import payload
from storage.capture.warc import read_record, records
from storage.database import open_for_reading
from storage.schema import attempts, captures, runs, warc_files
from storage.settings import Settings
from tests.crawling import BIN
from tests.faults.modes import TUNNEL_MODES, TunnelMode
from tests.faults.server import Entry
from tests.faults.site import Answer, Site

_NEVER_SENT = {
    "robots_refused",
    "out_of_scope",
    "retry_later",
    "private_address",
    "circuit_open",
    "budget_spent",
}
OWN, DISALLOWED = "(own pages)", "disallowed"
# What a run may be incomplete for although the portal did nothing wrong: faults of ours.
_FAULTS_OF_OURS = ("spider error", "item error", "archive cannot be written")

Row: TypeAlias = sa.Row[*tuple[Any, ...]]


@dataclass
class Line:
    """What came of the attempts that met one mode."""

    attempts: int = 0
    rows_right: int = 0
    bytes_equal: int = 0


@dataclass
class Verdict:
    """`lines` by mode; `misses` say what is wrong, a line each."""

    lines: defaultdict[str, Line] = field(default_factory=lambda: defaultdict(Line))
    misses: list[str] = field(default_factory=list)


def judge(settings: Settings, site: Site, log: Sequence[Entry]) -> Verdict:
    """The newest run of the archive against the log of the portal it crawled."""
    engine = open_for_reading(settings)
    assert engine is not None, f"{settings.home} holds no archive"
    try:
        return _Judge(settings, engine, site).judge(log)
    finally:
        engine.dispose()


class _Judge:
    def __init__(self, settings: Settings, engine: sa.Engine, site: Site) -> None:
        self.warcs = settings.warc_directory
        self.engine = engine
        self.site = site
        self.verdict = Verdict()

    def judge(self, log: Sequence[Entry]) -> Verdict:
        rows = self._rows()
        sent = deque(row for row in rows if row.outcome not in _NEVER_SENT)
        self._pair(log, sent)
        self._never_sent(log, [row for row in rows if row.outcome in _NEVER_SENT])
        self._enough()
        self._faults_of_ours()
        files = sorted(self.warcs.glob("*.warc.gz*"))
        self._strays(files)
        self.verdict.misses += check_warcs(files)
        return self.verdict

    def _rows(self) -> list[Row]:
        a, c = attempts.c, captures.c
        query = (
            sa.select(
                a.id, a.url, a.outcome, a.status, a.size,
                c.id.label("capture_id"), c.size.label("kept"), c.status.label("answered"),
                warc_files.c.name, c.warc_offset, c.warc_length,
            )
            .outerjoin(captures, c.attempt_id == a.id)
            .outerjoin(warc_files, warc_files.c.id == c.warc_file_id)
            .where(a.run_id == sa.select(sa.func.max(runs.c.id)).scalar_subquery())
            .order_by(a.id)
        )  # fmt: skip
        with self.engine.connect() as connection:
            return list(connection.execute(query))

    def _pair(self, log: Sequence[Entry], sent: Sequence[Row]) -> None:
        """By address and order; through tunnels by order alone, for a CONNECT names no address."""
        waiting: defaultdict[str, deque[Row]] = defaultdict(deque)
        for row in sent:
            waiting[self._key(row.url, row.url)].append(row)
        for entry in log:
            rows = waiting[self._key(f"https://{entry.host}/", entry.url)]
            line = self.verdict.lines[_mode(entry)]
            line.attempts += 1
            if not rows:
                self._miss(entry, "has no row")
                continue
            self._exchange(entry, rows.popleft(), line)
        for rows in waiting.values():
            for row in rows:
                self.verdict.misses.append(f"attempt {row.id} of {row.url} was never heard of")

    def _key(self, origin: str, url: str) -> str:
        tunnelled = f"https://{self.site.tunnelled_host}/"
        return tunnelled if origin.startswith(tunnelled) else url

    def _exchange(self, entry: Entry, row: Row, line: Line) -> None:
        expected = entry.answer.outcome
        if row.outcome != expected or entry.url not in {"", row.url}:
            self._miss(entry, f"is {row.outcome} (attempt {row.id}, {row.url}), not {expected}")
        else:
            line.rows_right += 1
        difference = self._difference(entry, row)
        if difference:
            self._miss(entry, f"{difference} (attempt {row.id})")
        else:
            line.bytes_equal += 1

    def _difference(self, entry: Entry, row: Row) -> str:
        """How the WARC differs from what was sent; empty when it does not."""
        answer = entry.answer
        if isinstance(answer, TunnelMode) or answer.kept == "nothing":
            nothing = (row.capture_id, row.status, row.size) == (None, None, 0)
            return "" if nothing else "has a capture, a status or a size of no answer"
        if row.capture_id is None:
            return "has no capture"
        path = self.warcs / row.name
        headers, kept_head, _ = read_record(path, row.warc_offset)
        _, asked, _ = read_record(path, row.warc_offset + row.warc_length)
        act, status = answer.act, int(answer.act.head.split(b" ", 2)[1][:3])
        if asked != entry.heard:
            return "has another request"
        if kept_head != act.head:
            return "has another head"
        if (row.status, row.answered) != (status, status):
            return f"has status {row.status} and in its capture {row.answered}, not {status}"
        body = payload(self.engine, self.warcs, row.capture_id)
        if answer.kept == "whole" and body != (act.confirmed or act.body):
            return "has another body"
        if not (act.confirmed or act.body).startswith(body):
            return "has bytes that were never sent"
        size = 0 if act.confirmed else len(body)
        if (row.size, row.kept) != (size, size):
            return f"has size {row.size} and in its capture {row.kept}, not {size}"
        flag = "" if answer.kept == "whole" else answer.kept
        truncated = headers.get("WARC-Truncated", "")
        return "" if truncated == flag else f"is flagged {truncated!r}, not {flag!r}"

    def _never_sent(self, log: Sequence[Entry], rows: Sequence[Row]) -> None:
        disallowed = self.site.disallowed()
        expected = Counter(("robots_refused", url) for url in disallowed)
        expected.update(
            (entry.answer.refused, entry.answer.act.leads_to)
            for entry in log
            if isinstance(entry.answer, Answer) and entry.answer.act.leads_to
        )
        found = Counter((row.outcome, row.url) for row in rows)
        for outcome, url in (expected - found).elements():
            self.verdict.misses.append(f"{url} has no row {outcome}")
        for outcome, url in (found - expected).elements():
            self.verdict.misses.append(f"{url} has a row {outcome} too many")
        right = sum((expected & found)["robots_refused", url] for url in disallowed)
        self.verdict.lines[DISALLOWED] = Line(len(disallowed), right, right)

    def _enough(self) -> None:
        for mode in (*self.site.modes, *TUNNEL_MODES):
            met = self.verdict.lines[mode].attempts
            if met < self.site.each:
                self.verdict.misses.append(f"{mode} was met {met} times, not {self.site.each}")

    def _faults_of_ours(self) -> None:
        with self.engine.connect() as connection:
            run = connection.execute(sa.select(runs).order_by(runs.c.id.desc()).limit(1)).one()
        told = [fault for fault in _FAULTS_OF_OURS if fault in (run.reason or "")]
        self.verdict.misses += [f"run {run.id} ended with: {fault}" for fault in told]
        if run.state == "running":
            self.verdict.misses.append(f"run {run.id} did not end")

    def _strays(self, files: Sequence[Path]) -> None:
        """Answers in the WARC files that no row points to."""
        place = sa.select(warc_files.c.name, captures.c.warc_offset)
        query = place.join(warc_files, warc_files.c.id == captures.c.warc_file_id)
        with self.engine.connect() as connection:
            known = {(row.name, row.warc_offset) for row in connection.execute(query)}
        for path in files:
            for offset, _, headers, _ in records(path):
                answered = headers["WARC-Type"] in {"response", "revisit"}
                if answered and (path.name, offset) not in known:
                    self.verdict.misses.append(f"no row points to {path.name} at {offset}")

    def _miss(self, entry: Entry, what: str) -> None:
        asked = entry.url or f"CONNECT {entry.host}"
        self.verdict.misses.append(f"{_mode(entry)}: {asked} {what}")


def check_warcs(paths: Sequence[Path]) -> list[str]:
    """What `warcio check` has to say; it is silent about files that are in order."""
    done = subprocess.run(
        [BIN / "warcio", "check", *paths], capture_output=True, text=True, check=False
    )
    said = (done.stdout + done.stderr).strip().splitlines()
    if done.returncode and not said:
        said = [f"warcio check ended with {done.returncode}"]
    return [f"warcio check: {line.strip()}" for line in said]


def _mode(entry: Entry) -> str:
    if isinstance(entry.answer, TunnelMode):
        return entry.answer.name
    return entry.answer.mode or OWN

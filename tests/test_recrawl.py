"""The second crawl: what the archive has is asked about, what a run has is not asked again."""

from __future__ import annotations

import subprocess
import threading
from itertools import count
from pathlib import Path
from zlib import crc32

import sqlalchemy as sa

from crawler.fetching.run import READ_WHOLE_EVERY
from storage.capture.captures import payload
from storage.database import make_engine
from storage.schema import attempts, captures, observations, versions
from tests.crawling import BIN, ROOT, Operator
from tests.scripted import GONE, Answer, Scripted, page, scripted

YEARS = range(2008, 2026)
PATHS = {year: f"/nb/nb/{year}.htm" for year in YEARS}


def title(year: int) -> str:
    return f"水磨沟区{year}年政府信息公开工作年度报告"


def report(year: int, words: str = "", **headers: str) -> Answer:
    html = f'<h1 id="title">{title(year)}</h1><div id="text"><p>总体情况{words}</p></div>'
    return Answer(html.encode(), headers={"Content-Type": "text/html; charset=utf-8", **headers})


HOME = page(*((path, title(year)) for year, path in PATHS.items()))


def year_of(target: str) -> int | None:
    return next((year for year, path in PATHS.items() if path == target), None)


def crawl(tmp_path: Path, url: str, database_url: str) -> tuple[Operator, str]:
    operator = Operator(tmp_path, url, database_url)
    return operator, operator.crawl("urumqi_districts", portals="shuimogou").stderr


def validated(asked: Scripted, since: int) -> list[str]:
    return [
        one.target
        for one in asked.asked[since:]
        if one.headers.get("If-None-Match") and one.headers.get("If-Modified-Since")
    ]


def test_an_unchanged_page_is_a_304_and_stands_for_the_answer_it_confirms(
    tmp_path: Path, database_url: str
) -> None:
    dated = {"ETag": '"a"', "Last-Modified": "Fri, 06 Mar 2020 06:38:00 GMT"}

    def answer(_host: str, target: str) -> Answer:
        year = year_of(target)
        if year is None:
            return HOME if target == "/" else GONE
        if host.asked[-1].headers.get("If-None-Match") == '"a"':
            return Answer(b"", 304, dated)
        return report(year, **dated)

    with scripted(answer) as host:
        operator, first = crawl(tmp_path, host.url, database_url)
        since = len(host.asked)
        _, second = crawl(tmp_path, host.url, database_url)
        conditional = validated(host, since)
    assert (first, second) == ("", "")
    assert set(conditional) < set(PATHS.values())
    assert len(conditional) >= len(PATHS) - 3  # a thirtieth is read whole
    engine = make_engine(database_url, writing=False)
    with engine.connect() as connection:
        told = sa.select(attempts.c.outcome).where(attempts.c.run_id == 2)
        assert list(connection.execute(told).scalars()).count("not_modified") == len(conditional)
        assert connection.scalar(sa.select(sa.func.count()).select_from(versions)) == len(PATHS)
        seen = sa.select(sa.func.count()).select_from(observations)
        assert connection.scalar(seen) == 2 * len(PATHS)
        revisits = sa.select(captures).where(captures.c.status == 304)
        for row in connection.execute(revisits).all():
            body = payload(engine, operator.home / "warc", row.id)
            assert body == report(year_of(row.url[len("http://www.xjsmgq.gov.cn") :]) or 0).body
    engine.dispose()


def test_a_server_whose_validators_lie_is_caught_and_read_whole_from_then_on(
    tmp_path: Path, database_url: str
) -> None:
    words = [""]
    origin = "http://www.xjsmgq.gov.cn"
    # An address that the second run reads whole, whatever the server says.
    paths = (f"/nb/nb/{number}.htm" for number in count(10_000))
    sampled = next(p for p in paths if crc32(f"{origin}{p}".encode()) % READ_WHOLE_EVERY == 2)
    home = page((sampled, title(2020)), *((PATHS[year], title(year)) for year in (2021, 2022)))

    def answer(_host: str, target: str) -> Answer:
        year = 2020 if target == sampled else year_of(target)
        if year is None:
            return home if target == "/" else GONE
        if host.asked[-1].headers.get("If-None-Match"):
            return Answer(b"", 304)
        return report(year, words[0], ETag='"for ever"')

    with scripted(answer) as host:
        operator, _ = crawl(tmp_path, host.url, database_url)
        words[0] = ",后来改过"
        _, second = crawl(tmp_path, host.url, database_url)
        since = len(host.asked)
        crawl(tmp_path, host.url, database_url)
    assert "shuimogou changes pages and not their validators" in second
    assert not [one for one in host.asked[since:] if one.headers.get("If-None-Match")]
    for year in (2020, 2021, 2022):
        assert len(operator.ask("history", "shuimogou", str(year))) == 2


def test_a_run_that_was_stopped_is_gone_on_with_and_asks_for_nothing_twice(
    tmp_path: Path, database_url: str
) -> None:
    half = threading.Event()

    def answer(_host: str, target: str) -> Answer:
        year = year_of(target)
        if year == 2016:
            half.set()
        return report(year) if year else HOME if target == "/" else GONE

    with scripted(answer) as host:
        operator = Operator(tmp_path, host.url, database_url, pace="0.02")
        first = subprocess.Popen(
            [BIN / "scrapy", "crawl", "urumqi_districts", "-a", "portals=shuimogou"],
            cwd=ROOT,
            env=operator.environment(),
            stderr=subprocess.PIPE,
        )
        assert half.wait(30)
        first.terminate()
        _, stderr = first.communicate(timeout=30)
        assert b"run 1 stopped: shutdown" in stderr
        assert operator.ask("runs")[0]["state"] == "stopped"
        _, told = crawl(tmp_path, host.url, database_url)
    assert told == ""
    assert len(host.targets()) == len(set(host.targets()))
    assert set(host.targets()) >= set(PATHS.values())
    (run,) = operator.ask("runs")
    assert (run["id"], run["state"], run["attempts"]) == (1, "complete", len(host.asked))
    assert len(operator.ask("coverage", "--organ", "shuimogou")) == len(PATHS)


def test_what_is_no_report_page_is_kept_and_never_a_version(
    tmp_path: Path, database_url: str
) -> None:
    wall = "<title>访问验证</title><p>请完成下方滑块验证后继续访问</p>"
    gone = "<title>提示</title><p>您访问的页面不存在或已被删除!</p>"
    pages = {
        PATHS[2020]: (Answer(wall.encode(), 521), "blocked"),
        PATHS[2021]: (Answer(gone.encode(), headers={"Content-Type": "text/html"}), "soft_404"),
        PATHS[2022]: (Answer(b"", headers={"Content-Type": "text/html"}), "empty"),
        PATHS[2023]: (Answer(b"", 302, {"Location": PATHS[2023]}), "redirect_loop"),
    }

    def answer(_host: str, target: str) -> Answer:
        if target in pages:
            return pages[target][0]
        year = year_of(target)
        return report(year) if year else HOME if target == "/" else GONE

    with scripted(answer) as host:
        operator, stderr = crawl(tmp_path, host.url, database_url)
    assert "report blocked" in stderr
    assert "report redirect_loop" in stderr
    states = {field["year"]: field["state"] for field in operator.ask("coverage")}
    assert {states[year] for year in (2020, 2021, 2022, 2023)} == {"unreachable"}
    assert states[2019] == "unread"
    engine = make_engine(database_url, writing=False)
    with engine.connect() as connection:
        for path, (sent, outcome) in pages.items():
            query = sa.select(attempts.c.outcome, captures.c.id).join(captures)
            query = query.where(attempts.c.url == f"http://www.xjsmgq.gov.cn{path}")
            ((said, capture_id),) = connection.execute(query).all()
            assert said == outcome
            assert payload(engine, operator.home / "warc", capture_id) == sent.body
            assert not connection.execute(
                sa.select(observations).where(observations.c.capture_id == capture_id)
            ).all()
    engine.dispose()

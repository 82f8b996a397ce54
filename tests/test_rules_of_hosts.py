"""What hosts ask of their guests, each in its own way, judged by what they then were asked for."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from subprocess import CompletedProcess
from time import monotonic

import pytest
import sqlalchemy as sa

from storage.schema import attempts
from tests.crawling import Operator
from tests.scripted import GONE, Answer, Scripted, page, scripted

HOSTS = {
    "midong": "www.xjmd.gov.cn",
    "shayibake": "www.sayibak.gov.cn",
    "shuimogou": "www.xjsmgq.gov.cn",
    "tianshan": "www.xjtsq.gov.cn",
    "toutunhe": "www.uetd.gov.cn",
    "wulumuqixian": "www.wlmqx.gov.cn",
    "xinshi": "www.uhdz.gov.cn",
}
LONG = "/" + "a" * 2000
HOME = page(
    ("/hidden/nb", "政府信息公开年报"),
    ("/open/nb", "政府信息公开年报"),
    ("/to-city", "政府信息公开年报"),
    (LONG, "政府信息公开年报"),
)


def hours(begin: timedelta, end: timedelta) -> str:
    now = datetime.now(UTC)
    return f"{now + begin:%H%M}-{now + end:%H%M}"


def rules(*lines: str) -> Answer:
    return Answer("\n".join(["User-agent: *", *lines]).encode())


def to(location: str) -> Answer:
    return Answer(b"", 302, {"Location": location})


OPEN_NOW = hours(timedelta(hours=-1), timedelta(hours=1))
CLOSED_NOW = hours(timedelta(hours=1), timedelta(hours=2))
HIDDEN = rules("Disallow: /hidden/")
ROBOTS: dict[str, dict[str, Answer]] = {
    "shuimogou": {"/robots.txt": rules(f"Visit-time: {CLOSED_NOW}")},
    "xinshi": {"/robots.txt": rules(f"Visit-time: {OPEN_NOW}", "Request-rate: 1/100")},
    "midong": {
        "/robots.txt": to("/1"),
        **{f"/{hop}": to(f"/{hop + 1}") for hop in range(1, 5)},
        "/5": HIDDEN,
    },
    "wulumuqixian": {
        "/robots.txt": to("/1"),
        **{f"/{hop}": to(f"/{hop + 1}") for hop in range(1, 6)},
        "/6": HIDDEN,
    },
    "shayibake": {"/robots.txt": to("http://mirror.example/robots.txt")},
    "tianshan": {"/robots.txt": Answer(b"<html><title>WAF</title>", 412)},
    "toutunhe": {"/robots.txt": page(("/", "返回首页"), title="首页")},
}


@dataclass(frozen=True)
class Crawled:
    operator: Operator
    host: Scripted
    done: CompletedProcess[str]

    def asked(self, portal: str) -> list[str]:
        """What a portal was asked for, but the probe."""
        return _asked(self.host, portal)

    def outcomes(self, portal: str) -> Counter[str]:
        with database(self.operator) as connection:
            words = sa.select(attempts.c.outcome).where(attempts.c.portal == portal)
            return Counter(connection.execute(words).scalars())


def _asked(host: Scripted, portal: str) -> list[str]:
    ours = [asked for asked in host.asked if asked.host == HOSTS[portal]]
    return [asked.target for asked in ours if "gongkai-probe" not in asked.target]


@contextmanager
def database(operator: Operator) -> Iterator[sa.Connection]:
    engine = sa.create_engine(f"sqlite:///{operator.home / 'archive.sqlite'}")
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def operator_at(home: Path, template: Path, host: Scripted, pace: str = "0.002") -> Operator:
    home.mkdir()
    shutil.copy(template, home / "archive.sqlite")
    return Operator(home, host.url, pace=pace)


def _as_if_asked(operator: Operator, times: int) -> None:
    """Rows as another run would have left them this very moment."""
    row = {"run_id": 0, "portal": "midong", "url": "http://www.xjmd.gov.cn/x", "purpose": "page"}
    row |= {"started_at": datetime.now(UTC), "duration_ms": 1, "outcome": "ok", "retry": 0}
    with database(operator) as connection:
        connection.execute(attempts.insert(), [{**row, "size": 0} for _ in range(times)])


def _quiet(host: str, target: str) -> Answer:
    return HOME if target == "/" else GONE


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Crawled:
    """One crawl of seven hosts, each with a robots.txt of its own kind."""
    portals = {host: key for key, host in HOSTS.items()}

    def answer(host: str, target: str) -> Answer:
        if target == "/to-city":
            return to("http://www.wlmq.gov.cn/")
        special = ROBOTS.get(portals.get(host, ""), {})
        return special.get(target, HOME if target == "/" else GONE)

    home = tmp_path_factory.mktemp("rules") / "home"
    with scripted(answer) as host:
        operator = operator_at(home, sqlite_template, host)
        done = operator.crawl("urumqi_districts", portals=",".join(HOSTS))
    return Crawled(operator, host, done)


def test_outside_its_visit_time_a_host_is_asked_for_robots_only(crawled: Crawled) -> None:
    assert crawled.asked("shuimogou") == ["/robots.txt"]
    assert crawled.outcomes("shuimogou") == {"ok": 1, "retry_later": 1}
    assert f"{HOSTS['shuimogou']}: robots.txt lets us in from" in crawled.done.stderr


def test_within_its_visit_time_a_host_is_asked_at_its_request_rate(crawled: Crawled) -> None:
    ours = [asked for asked in crawled.host.asked if asked.host.endswith("uhdz.gov.cn")]
    assert len(ours) > 5
    # 100 s at a pace of 0.002 are 0.2 s; the portal's own delay were 0.006 s.
    known = next(place for place, asked in enumerate(ours) if asked.host == HOSTS["xinshi"])
    gaps = [later.started - earlier.started for earlier, later in pairwise(ours[known:])]
    assert min(gaps) >= 0.1


def test_robots_at_the_end_of_five_redirects_speaks_for_its_host(crawled: Crawled) -> None:
    asked = crawled.asked("midong")
    assert asked[:6] == ["/robots.txt", "/1", "/2", "/3", "/4", "/5"]
    assert "/open/nb" in asked
    assert "/hidden/nb" not in asked


@pytest.mark.parametrize("portal", ["wulumuqixian", "shayibake", "tianshan"])
def test_robots_that_cannot_be_had_means_stay_out(crawled: Crawled, portal: str) -> None:
    """A sixth redirect, one to nobody's host, and a wall."""
    assert "/" not in crawled.asked(portal)
    assert f"robots.txt of http://{HOSTS[portal]} could not be had" in crawled.done.stderr
    assert crawled.outcomes(portal)["robots_refused"] > 0


def test_a_page_in_place_of_robots_holds_no_rules(crawled: Crawled) -> None:
    assert "/hidden/nb" in crawled.asked("toutunhe")


def test_an_address_of_two_thousand_characters_is_not_asked(crawled: Crawled) -> None:
    assert LONG not in crawled.asked("toutunhe")
    with database(crawled.operator) as connection:
        row = connection.execute(
            sa.select(attempts.c.outcome, attempts.c.error).where(
                attempts.c.url.endswith("a" * 2000), attempts.c.portal == "toutunhe"
            )
        ).one()
    assert row == ("out_of_scope", "it is longer than 2000 characters")


def test_a_portal_that_the_run_does_not_crawl_is_not_asked(crawled: Crawled) -> None:
    assert "/to-city" in crawled.asked("toutunhe")
    assert not [asked for asked in crawled.host.asked if asked.host == "www.wlmq.gov.cn"]


def test_the_audit_finds_nothing_in_all_that(crawled: Crawled) -> None:
    done = crawled.operator.archive("audit", "politeness")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_a_portal_in_trouble_is_left_alone_by_the_next_start_too(
    tmp_path: Path, sqlite_template: Path
) -> None:
    channels = [(f"/{number}", "政府信息公开年报") for number in range(9)]

    def answer(host: str, target: str) -> Answer:
        if target in {"/robots.txt", "/"}:
            return GONE if target == "/robots.txt" else page(*channels)
        if "gongkai-probe" in target:
            return GONE
        return Answer(b"no", 500 if host == HOSTS["midong"] else 412)

    with scripted(answer) as host:
        operator = operator_at(tmp_path / "home", sqlite_template, host)
        first = operator.crawl("urumqi_districts", portals="midong,shuimogou")
        walled, failed = _asked(host, "shuimogou"), _asked(host, "midong")
        second = operator.crawl("urumqi_districts", portals="midong,shuimogou")
        assert (_asked(host, "shuimogou"), _asked(host, "midong")) == (walled, failed)
    assert walled == ["/robots.txt", "/", "/0", "/1", "/2"]
    assert set(failed) == {"/robots.txt", "/", "/0", "/1", "/2", "/3", "/4"}
    for done in (first, second):
        assert "shuimogou is left alone: 3 answers in a row were a wall" in done.stderr
        assert "midong is left alone: 5 requests in a row failed" in done.stderr
    assert operator.archive("audit", "politeness").returncode == 0


def test_a_spent_budget_stops_the_run_till_another_day(
    tmp_path: Path, sqlite_template: Path
) -> None:
    with scripted(_quiet) as host:
        operator = operator_at(tmp_path / "home", sqlite_template, host)
        assert operator.crawl("urumqi_districts", portals="midong").returncode == 3
        before = len(host.asked)
        _as_if_asked(operator, times=5000 - before - 2)
        done = operator.crawl("urumqi_districts", portals="midong")
    assert len(host.asked) == before + 2
    assert done.returncode == 3
    assert "stopped: the day's budget is spent" in done.stderr
    assert operator.ask("runs")[0]["stats"]["outcome/budget_spent"] > 0


def test_a_start_waits_out_the_delay_that_another_began(
    tmp_path: Path, sqlite_template: Path
) -> None:
    with scripted(lambda host, target: rules("Disallow: /")) as host:
        operator = operator_at(tmp_path / "home", sqlite_template, host, pace="2")
        began = monotonic()
        _as_if_asked(operator, times=1)
        operator.crawl("urumqi_districts", portals="midong")
    assert host.targets() == ["/robots.txt"]
    assert host.asked[0].started - began >= 6


def test_a_start_keeps_to_the_retry_after_that_another_heard(
    tmp_path: Path, sqlite_template: Path
) -> None:
    busy = Answer(b"", 503, {"Retry-After": "7200"})
    with scripted(lambda host, target: busy) as host:
        operator = operator_at(tmp_path / "home", sqlite_template, host)
        for _ in range(2):
            done = operator.crawl("urumqi_districts", portals="midong")
            assert "told to come back later" in done.stderr
    assert host.targets() == ["/robots.txt"]
    assert operator.archive("audit", "politeness").returncode == 0

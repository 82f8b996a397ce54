"""The audit of politeness: a clean night passes, every planted rudeness is found by its name."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.capture.captures import Attempt, Ending, Exchange, Recorder
from storage.capture.runs import Start, Terms, begin_run, end_run
from storage.errors import NotInArchive, WarcNotReadable
from storage.queries.politeness import audit
from storage.schema import attempts, starts
from storage.settings import Settings
from tests.crawling import Operator
from tests.databases import PORTAL, TERMS
from tests.replica import Replica, World

HOST = "http://www.xjtsq.gov.cn"
# 22:05 in Beijing.
EVENING = datetime(2026, 1, 5, 14, 5, tzinfo=UTC)
AGENT = "gongkai/0.1 (archive of public disclosure; contact me@example.org)"
ROBOTS = b"User-agent: *\nDisallow: /hidden/\n"


@dataclass
class Night:
    """One start of a run after another, each with the requests a test tells it to make."""

    engine: sa.Engine
    directory: Path
    now: datetime = EVENING
    terms: Terms = TERMS
    rehearsal: bool = False
    pace: float = 1.0

    def start(self) -> None:
        start = Start("x", "gongkai/0", "me@example.org", "c0", self.rehearsal, self.pace)
        self.run = begin_run(self.engine, start, [(PORTAL, self.terms)]).run_id
        self.recorder = Recorder(self.engine, self.directory, self.run, {})
        newest = sa.select(sa.func.max(starts.c.id)).scalar_subquery()
        with self.engine.begin() as connection:
            connection.execute(
                starts.update().where(starts.c.id == newest).values(started_at=self.now)
            )

    def end(self, state: str) -> None:
        self.recorder.close()
        end_run(self.engine, self.run, state, "", {})

    def ask(
        self,
        target: str = "/",
        *,
        after: float = 3.0,
        took: float = 0.2,
        outcome: str = "ok",
        status: int | None = 200,
        head: str = "",
        body: bytes = b"page",
        agent: str = AGENT,
        ip: str = "202.100.1.1",
        portal: str | None = "tianshan",
        host: str = HOST,
        purpose: str = "page",
    ) -> int:
        """A request so many seconds after the start of the one before; the id of its attempt."""
        self.now += timedelta(seconds=after)
        url = host + target
        asked = self.recorder.ask(Attempt(self.run, portal, url, purpose, self.now))
        exchange = status and Exchange(
            url=url,
            request_head=f"GET {target} HTTP/1.1\r\nUser-Agent: {agent}\r\n\r\n".encode(),
            request_body=b"",
            response_head=f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode(),
            body=body,
            status=status,
            ip=ip,
            protocol="http/1.1",
            reconstructed=False,
        )
        ending = Ending(outcome, round(took * 1000), status, len(body))
        self.recorder.answer(asked, ending, exchange or None)
        return asked.id

    def robots(self, body: bytes = ROBOTS, **options: str | float | int) -> int:
        return self.ask("/robots.txt", body=body, purpose="robots", **options)  # type: ignore[arg-type]

    def refused(self, outcome: str) -> None:
        """A request that was never sent, right after the one before."""
        attempt = Attempt(self.run, "tianshan", f"{HOST}/hidden/1", "page", self.now)
        self.recorder.refuse(attempt, outcome, "")

    def broken(self, **scope: int | datetime) -> dict[int, set[str]]:
        """Attempt → the rules it broke."""
        found: dict[int, set[str]] = {}
        with self.engine.connect() as connection:
            for each in audit(connection, self.directory, **scope)["violations"]:  # type: ignore[arg-type]
                found.setdefault(each["attempt"], set()).add(each["rule"])
        return found


@pytest.fixture
def night(engine: sa.Engine, settings: Settings) -> Iterator[Night]:
    night = Night(engine, settings.warc_directory)
    night.start()
    yield night
    night.recorder.close()


def test_a_night_of_a_good_guest(night: Night) -> None:
    night.robots()
    for number in range(5):
        night.ask(f"/info/{number}.htm")
    night.refused("robots_refused")
    night.ask("/gone.htm", outcome="client_error", status=404)
    night.ask("/slow.htm", took=8)
    night.ask("/next.htm", after=8.01, outcome="timeout", status=None)
    assert night.broken() == {}
    with night.engine.connect() as connection:
        assert audit(connection, night.directory)["requests"] == 9


Plant = Callable[[Night], int]
PLANTS: dict[str, tuple[str, Plant]] = {}


def planted(rule: str) -> Callable[[Plant], Plant]:
    """Registers a rudeness; it returns the attempt that broke the rule."""

    def register(plant: Plant) -> Plant:
        PLANTS[plant.__name__] = rule, plant
        return plant

    return register


@planted("robots")
def a_disallowed_page(night: Night) -> int:
    night.robots()
    return night.ask("/hidden/1.htm")


@planted("robots")
def a_page_disallowed_in_a_compressed_robots(night: Night) -> int:
    night.robots(gzip.compress(ROBOTS), head="Content-Encoding: gzip\r\n")
    return night.ask("/hidden/1.htm")


@planted("robots")
def a_page_disallowed_where_robots_redirects_to(night: Night) -> int:
    night.robots(outcome="redirect", status=302, head="Location: /all%20rules\r\n")
    night.ask("/all rules", body=ROBOTS, purpose="robots")
    return night.ask("/hidden/1.htm")


@planted("robots")
def a_page_after_a_robots_that_failed(night: Night) -> int:
    night.robots(outcome="server_error", status=503)
    return night.ask()


@planted("robots")
def a_page_after_a_robots_that_is_a_wall(night: Night) -> int:
    night.robots(outcome="blocked")
    return night.ask()


@planted("robots-first")
def a_page_before_robots(night: Night) -> int:
    return night.ask()


@planted("robots-first")
def a_page_of_another_host_whose_robots_nobody_asked_for(night: Night) -> int:
    night.robots()
    return night.ask(host="http://old.xjtsq.gov.cn")


@planted("robots-first")
def a_page_by_the_robots_of_yesterday(night: Night) -> int:
    night.robots()
    return night.ask(after=24 * 3600 + 60)


@planted("robots-delay")
def a_page_before_the_crawl_delay_is_over(night: Night) -> int:
    night.robots(b"User-agent: gongkai\nCrawl-delay: 10\n")
    night.ask(after=10)
    return night.ask(after=9.8)


@planted("robots-delay")
def a_page_faster_than_the_request_rate(night: Night) -> int:
    night.robots(b"User-agent: *\nRequest-rate: 2/30s 1400-1500\n")
    night.ask(after=15)
    return night.ask(after=14)


@planted("delay")
def two_requests_in_two_seconds(night: Night) -> int:
    night.robots()
    night.ask()
    return night.ask(after=2.9)


@planted("delay")
def a_request_right_after_a_crash(night: Night) -> int:
    night.robots()
    night.ask()
    night.end("stopped")
    night.start()
    return night.ask(after=1)


@planted("overlap")
def a_request_during_another(night: Night) -> int:
    night.robots()
    night.ask(took=6)
    return night.ask(after=5)


@planted("window")
def a_request_after_nine(night: Night) -> int:
    night.robots()
    night.ask()
    return night.ask(after=10 * 3600 + 55 * 60)


@planted("visit-time")
def a_request_outside_the_visiting_hours(night: Night) -> int:
    night.robots(b"User-agent: *\nVisit-time: 1300-1406\n")
    night.ask()
    return night.ask(after=60)


@planted("retry-after")
def a_request_in_spite_of_retry_after(night: Night) -> int:
    night.robots()
    night.ask("/busy", outcome="server_error", status=503, head="Retry-After: 60\r\n")
    return night.ask(after=59)


@planted("retry-after")
def a_start_in_spite_of_retry_after(night: Night) -> int:
    night.robots()
    night.ask("/", outcome="client_error", status=429, head="retry-after: 7200\r\n")
    night.end("incomplete")
    night.start()
    return night.robots(after=3700)


@planted("budget")
def one_request_too_many(night: Night) -> int:
    night.end("complete")
    night.terms = replace(TERMS, budget=3)
    night.start()
    night.robots()
    night.ask()
    night.ask()
    return night.ask()


@planted("contact")
def a_request_that_names_nobody(night: Night) -> int:
    night.robots()
    return night.ask(agent="Mozilla/5.0")


@planted("scope")
def a_request_to_a_host_of_no_portal(night: Night) -> int:
    return night.ask(host="http://mirror.example", portal=None)


@planted("address")
def an_answer_from_a_private_address(night: Night) -> int:
    night.robots()
    return night.ask(ip="10.0.0.8")


@planted("circuit")
def a_request_after_three_walls(night: Night) -> int:
    night.robots()
    for number in range(3):
        night.ask(f"/{number}", outcome="blocked", status=412)
    return night.ask("/4")


@planted("circuit")
def a_start_right_after_five_failures(night: Night) -> int:
    night.robots()
    for number in range(5):
        night.ask(f"/{number}", outcome="timeout", status=None)
    night.end("incomplete")
    night.start()
    return night.robots(after=600)


@planted("terms")
def a_request_before_anything_was_promised(night: Night) -> int:
    night.now -= timedelta(seconds=10)
    return night.robots()


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_rudeness_is_found_and_nothing_else(night: Night, name: str) -> None:
    rule, plant = PLANTS[name]
    wrong = plant(night)
    assert night.broken() == {wrong: {rule}}


def test_every_rule_has_its_plant() -> None:
    rules = {rule for rule, _ in PLANTS.values()}
    text = (Path(__file__).parents[1] / "docs/politeness.md").read_text(encoding="utf-8")
    assert rules == {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}


def test_what_is_allowed_is_not_found(night: Night) -> None:
    """Midnight begins a new budget, the rate has its hours, a wall is not five, an hour is rest."""
    night.end("complete")
    night.terms = replace(TERMS, budget=8)
    night.start()
    night.robots(b"User-agent: *\nRequest-rate: 1/30 1500-1600\nVisit-time: 1400-0100\n")
    night.ask("/1", outcome="blocked", status=412)
    night.ask("/2", outcome="blocked", status=412)
    night.ask("/2", outcome="blocked", status=412)
    night.ask("/2", outcome="server_error", status=500)
    night.ask("/3", outcome="ok")
    night.ask("/4", outcome="blocked", status=412)
    night.ask("/5", outcome="server_error", status=503, head="Retry-After: soon\r\n")
    night.ask("/6", after=2 * 3600)
    for number in range(7):
        night.ask(f"/7/{number}")
    night.end("complete")
    assert night.broken() == {}


def test_an_hour_after_a_circuit_opened_a_new_start_may_try(night: Night) -> None:
    night.robots()
    for number in range(3):
        night.ask(f"/{number}", outcome="blocked", status=412)
    night.end("complete")
    night.now += timedelta(hours=1)
    night.start()
    night.robots()
    night.ask("/0", outcome="blocked", status=412)
    night.ask("/1", outcome="blocked", status=412)
    assert night.broken() == {}


def test_robots_that_is_not_there_lets_in_and_an_open_one_replaces_a_closed_one(
    night: Night,
) -> None:
    night.robots(outcome="client_error", status=404)
    night.ask("/hidden/1.htm")
    night.robots(host="http://b.xjtsq.gov.cn", outcome="server_error", status=500)
    night.robots(host="http://b.xjtsq.gov.cn")
    night.ask("/1.htm", host="http://b.xjtsq.gov.cn")
    assert night.broken() == {}


def test_a_rehearsal_scales_delays_and_may_run_by_day_on_loopback(night: Night) -> None:
    night.end("complete")
    night.rehearsal, night.pace = True, 0.01
    night.terms = replace(TERMS, delay_s=0.03)
    night.start()
    night.now += timedelta(hours=12)
    night.robots(b"User-agent: *\nCrawl-delay: 100\n", ip="127.0.0.1")
    night.ask(after=1, ip="127.0.0.1")
    assert night.broken() == {}
    late = night.ask(after=0.5, ip="127.0.0.1")
    assert night.broken() == {late: {"robots-delay"}}


def test_one_run_or_one_night_is_judged_with_what_came_before(night: Night) -> None:
    night.robots()
    early = night.ask(after=1)
    night.end("complete")
    first, night.now = night.run, night.now + timedelta(days=1)
    night.start()
    night.robots()
    late = night.ask(after=1)
    assert set(night.broken()) == {early, late}
    assert set(night.broken(run=first)) == {early}
    assert set(night.broken(run=night.run)) == {late}
    assert set(night.broken(since=EVENING + timedelta(hours=12))) == {late}
    with night.engine.connect() as connection:
        assert audit(connection, night.directory, run=night.run)["requests"] == 2
        with pytest.raises(NotInArchive, match="no run 77"):
            audit(connection, night.directory, run=77)


def test_without_its_evidence_nothing_is_proved(night: Night) -> None:
    night.robots()
    night.end("complete")
    for path in night.directory.iterdir():
        path.unlink()
    with pytest.raises(WarcNotReadable, match="missing"):
        night.broken()


def test_a_real_crawl_passes_and_a_moved_request_does_not(tmp_path: Path) -> None:
    with Replica(World.base()) as replica:
        operator = Operator(tmp_path / "home", replica.url)
        assert operator.crawl("urumqi_districts", portals="shuimogou").returncode == 0
    clean = operator.archive("audit", "politeness")
    assert (clean.returncode, clean.stderr) == (0, "")
    assert clean.stdout.endswith(" requests, 0 violations\n")

    engine = sa.create_engine(f"sqlite:///{operator.home / 'archive.sqlite'}")
    with engine.begin() as connection:
        fifth = connection.execute(sa.select(attempts).where(attempts.c.id == 5)).one()
        moved = fifth.started_at - timedelta(minutes=1)
        connection.execute(
            attempts.update().where(attempts.c.id == 5).values(started_at=moved, portal=None)
        )
    engine.dispose()
    found = operator.archive("audit", "politeness", "--run", "1", "--json")
    assert found.returncode == 1
    (violation,) = json.loads(found.stdout)["violations"]
    assert (violation["rule"], violation["attempt"]) == ("scope", 5)
    assert violation["at"] == moved.isoformat()
    told = operator.archive("audit", "politeness")
    assert told.returncode == 1
    assert fifth.url in told.stdout
    assert operator.archive("audit", "politeness", "--since", "2099-01-01").returncode == 0
    unknown = operator.archive("audit", "politeness", "--run", "99")
    assert unknown.returncode == 2
    assert unknown.stderr.count("\n") == 1


def test_an_archive_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = Operator(tmp_path).archive("audit", "politeness")
    assert (done.returncode, done.stdout.strip()[:9]) == (0, "The archi")

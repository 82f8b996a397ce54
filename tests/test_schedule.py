"""What is due when: from what was last done, whatever nights were missed. All rows synthetic."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from storage.capture.listings import Entry, Look, Scope, Verdict, keep_look
from storage.capture.runs import PortalRecord, Start, Terms, begin_run
from storage.database import transact
from storage.queries.spiders import spiders
from storage.readings.observing import ReportKey, sight
from storage.rows import add
from storage.schedule.calendar import Rhythm, Season, calendar
from storage.schedule.crontab import crontab
from storage.schedule.due import Due, due
from storage.schema import attempts, runs
from tests.crawling import ROOT
from tests.databases import PORTAL, START, TERMS, TIANSHAN

ZONE = "Asia/Shanghai"
SITE = "http://www.xjtsq.gov.cn"
LISTING = f"{SITE}/nb.htm"
GONE = "http_404"
SEASONS = (calendar().dense, calendar().sparse)


def night(year: int, month: int, day: int, hour: int = 0, minute: int = 10) -> datetime:
    """A moment of Beijing's clock."""
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


@dataclass
class Diary:
    """An archive whose past is written by hand."""

    engine: sa.Engine
    run_id: int = 0
    entries: dict[str, Entry] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.run_id = begin_run(self.engine, START, [(PORTAL, TERMS)]).run_id

    def due(self, now: datetime) -> Due:
        return transact(self.engine, lambda connection: due(connection, "tianshan", now, ZONE))

    def walk(self, at: datetime, outcome: str = "ok", url: str = f"{SITE}/") -> None:
        self.ask(url, at, "entry", outcome)

    def ask(self, url: str, at: datetime, purpose: str = "report", outcome: str = "ok") -> None:
        row = {"run_id": self.run_id, "portal": "tianshan", "url": url, "purpose": purpose}
        row |= {"started_at": at, "duration_ms": 1, "outcome": outcome, "size": 0, "retry": 0}
        transact(self.engine, lambda connection: connection.execute(attempts.insert(), [row]))

    def look(
        self,
        at: datetime,
        verdict: Verdict = "complete",
        scope: Scope = "whole",
        url: str = LISTING,
        show: tuple[str, ...] = (),
    ) -> None:
        for path in show:
            self.entries[path] = Entry(f"{SITE}{path}", f"{path}政府信息公开年报", None, True)
        # Each in a run of its own: the same look twice in one run is one.
        run = {"spider": START.spider, "state": "complete", "started_at": at}
        run |= {"software": START.software, "contact": START.contact, "config_digest": ""}
        run_id = transact(self.engine, lambda connection: add(connection, runs, run))
        look = Look(
            portal="tianshan",
            url=url,
            title="政府信息公开年报",
            annual=True,
            trail=("政府信息公开年报",),
            depth=1,
            run_id=run_id,
            read_at=at,
            scope=scope,
            verdict=verdict,
            rule=None,
            reason=None,
            pages=1,
            declared_total=None,
            declared_pages=None,
            captures=(),
            entries=tuple(self.entries.values()) if verdict == "complete" else (),
        )
        transact(self.engine, lambda connection: keep_look(connection, look))

    def report(self, path: str, at: datetime, outcome: str = "ok", year: int = 2025) -> None:
        """A report's page seen, or not had, at a moment; asked for, too."""
        key = ReportKey("tianshan", "650102", TIANSHAN, "government", year)
        url = f"{SITE}{path}"
        transact(self.engine, lambda conn: sight(conn, key, url, "年报", at, outcome))
        self.ask(url, at)

    def count(self, path: str) -> int:
        """How often an address was asked for."""
        query = sa.select(sa.func.count()).where(attempts.c.url == f"{SITE}{path}")
        return transact(self.engine, lambda connection: connection.execute(query).scalar_one())


@pytest.fixture
def diary(engine: sa.Engine) -> Diary:
    return Diary(engine)


@given(
    st.sampled_from([r for s in SEASONS for r in (s.listing, s.tree)]),
    st.integers(0, 500),
    st.integers(0, 500),
    st.integers(0, 400),
    st.integers(0, 400),
)
def test_a_rhythm_keeps_its_bounds_and_denser_history_never_slows_it(
    rhythm: Rhythm, some: int, more: int, days: int, longer: int
) -> None:
    prior, at_least = calendar().prior
    every = rhythm.days(some + prior, days + at_least)
    assert rhythm.shortest <= every <= rhythm.longest
    assert rhythm.days(some + more + prior, days + at_least) <= every
    assert rhythm.days(some + prior, days + longer + at_least) >= every


@given(
    st.sampled_from(SEASONS),
    st.text(max_size=40),
    st.dates(date(2020, 1, 1), date(2040, 1, 1)),
)
def test_every_older_page_has_its_turn_within_its_days(
    season: Season, url: str, after: date
) -> None:
    turn = calendar().turn("tianshan", url, after, season.turn, season.step)
    assert after < turn <= after + timedelta(days=season.turn + season.step)
    again = calendar().turn("tianshan", url, turn, season.turn, season.step)
    assert (again - turn).days == season.turn // season.step * season.step


@given(st.dates(date(2020, 1, 1), date(2035, 1, 1)), st.integers(0, 800))
def test_days_of_the_season_are_counted(since: date, days: int) -> None:
    every = [since + timedelta(days=number) for number in range(days + 1)]
    assert calendar().dense_days(since, every[-1]) == sum(map(calendar().is_dense, every))
    begins = calendar().begins(since)
    assert begins <= since
    assert calendar().is_dense(begins) == calendar().is_dense(since)
    assert calendar().is_dense(begins - timedelta(days=1)) != calendar().is_dense(since)


def test_a_portal_nobody_has_crawled_is_walked(diary: Diary) -> None:
    found = diary.due(night(2026, 2, 1))
    assert found.tree is not None
    assert found.tree.why == "new"
    assert (found.listings, found.pages, found.entries) == ((), (), ())


def test_a_listing_is_due_every_night_of_the_season_and_seldom_else(diary: Diary) -> None:
    diary.walk(night(2026, 2, 3))
    diary.look(night(2026, 2, 3, 4))
    assert diary.due(night(2026, 2, 3, 6)).since is None
    (listing,) = diary.due(night(2026, 2, 4)).listings
    assert (listing.why, listing.whole, listing.every) == ("rhythm", False, 1)
    diary.walk(night(2026, 6, 3))
    diary.look(night(2026, 6, 3))
    assert diary.due(night(2026, 6, 4)).listings == ()
    assert diary.due(night(2026, 6, 13)).listings != ()


def test_a_listing_that_shows_new_reports_is_read_more_often(diary: Diary) -> None:
    quiet = f"{SITE}/old.htm"
    for number in range(0, 118, 7):
        at = night(2026, 1, 1) + timedelta(days=number)
        diary.look(at, url=quiet)
    for number in range(0, 118, 7):
        at = night(2026, 1, 1) + timedelta(days=number)
        diary.look(at, show=(f"/info/{number}.htm",))
    rhythms = {each.url: each.every for each in diary.due(night(2026, 4, 29, 1)).listings}
    assert rhythms[LISTING] == 1
    assert rhythms[quiet] > 3


@pytest.mark.parametrize(("month", "day"), [(2, 1), (4, 1)])
def test_the_morning_after_a_deadline_every_listing_is_read_whole(
    diary: Diary, month: int, day: int
) -> None:
    morning = night(2026, month, day)
    before = morning - timedelta(hours=1)
    diary.walk(before)
    diary.look(before)
    assert diary.due(morning - timedelta(minutes=15)).since is None
    found = diary.due(morning)
    assert found.tree is not None
    assert found.tree.why == "deadline"
    (listing,) = found.listings
    assert (listing.why, listing.whole) == ("deadline", True)
    assert listing.since == night(2026, month, day, 0, 0)
    # Its first pages alone prove nothing of what stands behind them.
    diary.look(morning, scope="head")
    assert diary.due(morning + timedelta(minutes=1)).listings[0].whole
    diary.look(morning + timedelta(minutes=2))
    assert diary.due(morning + timedelta(minutes=3)).listings == ()


def test_a_look_that_failed_is_tried_the_next_night_and_then_ever_later(diary: Diary) -> None:
    at = night(2026, 6, 1)
    diary.look(at)
    gaps = []
    at = night(2026, 6, 12)
    for _ in range(8):
        diary.look(at, "down")
        assert diary.due(at + timedelta(minutes=59)).listings == ()
        for later in range(1, 10):
            (listing,) = diary.due(at + timedelta(days=later)).listings or (None,)
            if listing is not None:
                assert listing.why == "failed"
                gaps.append(later)
                at += timedelta(days=later)
                break
    assert gaps == sorted(gaps)
    assert gaps[0] == 1
    assert max(gaps) == calendar().sparse.failed[-1]


def test_an_incomplete_read_is_followed_by_a_whole_one(diary: Diary) -> None:
    diary.look(night(2026, 2, 3))
    diary.look(night(2026, 2, 4), "incomplete", "head")
    (listing,) = diary.due(night(2026, 2, 5)).listings
    assert (listing.why, listing.whole) == ("incomplete", True)


def test_a_report_that_cannot_be_had_is_asked_for_without_end(diary: Diary) -> None:
    diary.look(night(2026, 3, 1), show=("/info/1.htm",))
    asked = [night(2026, 3, 1)]
    diary.report("/info/1.htm", asked[0], "timeout")
    for days in range(1, 800):
        now = night(2026, 3, 1) + timedelta(days=days)
        pages = diary.due(now).pages
        if pages:
            assert pages[0].why == "unreachable"
            asked.append(now)
            diary.report("/info/1.htm", now, "timeout")
    gaps = [(later - earlier).days for earlier, later in pairwise(asked)]
    assert gaps[0] == 1
    assert max(gaps) <= 30
    assert (asked[-1] - asked[0]).days > 760
    assert len(asked) < 60


def test_a_young_report_is_looked_at_again_and_an_old_one_takes_its_turn(diary: Diary) -> None:
    diary.report("/info/1.htm", night(2025, 3, 1), year=2019)
    diary.report("/info/2.htm", night(2026, 2, 10))
    found = {page.url: page.why for page in diary.due(night(2026, 2, 11)).pages}
    assert found[f"{SITE}/info/2.htm"] == "lookback"
    diary.report("/info/1.htm", night(2026, 2, 11), year=2019)
    diary.report("/info/2.htm", night(2026, 2, 11))
    nights = [night(2026, 2, 11) + timedelta(days=days) for days in range(1, 100)]
    old = f"{SITE}/info/1.htm"
    looked = [at for at in nights if old in {page.url for page in diary.due(at).pages}]
    assert looked
    assert looked[0] <= night(2026, 2, 11) + timedelta(days=calendar().dense.turn)


def test_a_page_that_was_taken_along_before_its_turn_has_had_it(diary: Diary) -> None:
    """A visit that is made anyway must not read the same page twice within days."""
    first, url = night(2026, 6, 1), f"{SITE}/info/1.htm"
    diary.report("/info/1.htm", first, year=2019)
    asked = [first]
    for days in range(1, 150):
        at = first + timedelta(days=days)
        diary.look(at, "incomplete")  # something is always due
        if url in {page.url for page in diary.due(at + timedelta(days=0.9)).pages}:
            diary.report("/info/1.htm", at + timedelta(days=0.9), year=2019)
            asked.append(at)
    gaps = [(later - earlier).days for earlier, later in pairwise(asked[1:])]
    turn, together = calendar().sparse.turn, calendar().sparse.together
    assert len(gaps) >= 4
    assert turn - together <= min(gaps)
    assert max(gaps) <= turn + together


def test_where_nothing_is_of_a_report_that_lives_elsewhere_is_asked_seldom(diary: Diary) -> None:
    first = night(2026, 5, 10)
    for days in range(400):
        now = first + timedelta(days=days)
        for page in diary.due(now).pages if days else ():
            diary.report(page.url.removeprefix(SITE), now, "ok" if page.lives else GONE, year=2019)
        if not days:
            diary.report("/info/1.htm", now, GONE, year=2019)
            diary.report("/info/2.htm", now, year=2019)
    assert 2 <= diary.count("/info/1.htm") - 1 <= 5
    assert diary.count("/info/2.htm") > 12
    # When it is no longer there either, what is gone may hold it again.
    diary.report("/info/2.htm", now, GONE, year=2019)
    due_soon = {page.url for page in diary.due(now + timedelta(days=1)).pages}
    assert f"{SITE}/info/1.htm" in due_soon


def test_a_first_crawl_is_no_reason_to_look_again_at_everything(diary: Diary) -> None:
    """What stood there when the portal was first seen is as old as it says."""
    at = night(2026, 6, 1)
    for number in range(40):
        diary.report(f"/info/{number}.htm", at, year=2008 + number % 10)
    later = at + timedelta(days=2)
    assert len(diary.due(later).pages) <= 10


def test_a_file_rests_until_its_page_is_asked_for(diary: Diary) -> None:
    at = night(2026, 2, 10)
    diary.report("/info/1.htm", night(2025, 2, 1))
    diary.report("/info/1.htm", at)
    key = ReportKey("tianshan", "650102", TIANSHAN, "government", 2025)
    file = f"{SITE}/files/1.pdf"

    def keep(connection: sa.Connection) -> None:
        sight(connection, key, file, "1.pdf", at, "ok")
        connection.exec_driver_sql(f"UPDATE aliases SET part = 'attachment' WHERE url = '{file}'")

    transact(diary.engine, keep)
    assert file in diary.due(at + timedelta(hours=1)).resting
    due_nights = (diary.due(at + timedelta(days=days)) for days in range(1, 60))
    first = next(found for found in due_nights if found.pages)
    assert [page.url for page in first.pages] == [f"{SITE}/info/1.htm"]
    assert file not in first.resting


def test_what_a_listing_shows_and_nobody_asked_for_is_due(diary: Diary) -> None:
    at = night(2026, 2, 10)
    diary.walk(at)
    diary.look(at, show=("/info/1.htm", "/info/2.htm"))
    diary.report("/info/1.htm", at)
    assert diary.due(at + timedelta(minutes=30)).entries == ()
    (entry,) = diary.due(at + timedelta(hours=2)).entries
    assert (entry.url, entry.trail) == (f"{SITE}/info/2.htm", ("政府信息公开年报",))
    diary.ask(f"{SITE}/info/2.htm", at + timedelta(hours=3), outcome="client_error")
    later = diary.due(at + timedelta(hours=4))
    assert later.entries == ()
    assert f"{SITE}/info/2.htm" in later.resting


def test_an_entry_that_is_called_otherwise_is_no_longer_due(diary: Diary) -> None:
    at = night(2026, 6, 1)
    diary.walk(at)
    diary.look(at, show=("/info/1.htm",))
    assert diary.due(at + timedelta(hours=4)).entries != ()
    diary.entries["/info/1.htm"] = Entry(f"{SITE}/info/1.htm", "通知", None, False)
    diary.look(at + timedelta(hours=1))
    assert diary.due(at + timedelta(hours=4)).entries == ()


def test_five_missed_nights_are_one_nights_work(diary: Diary) -> None:
    at = night(2026, 2, 10)
    diary.walk(at)
    diary.look(at, show=("/info/1.htm",))
    diary.report("/info/old.htm", night(2026, 1, 1), year=2019)
    diary.report("/info/old.htm", at, year=2019)
    diary.report("/info/1.htm", at)
    found = diary.due(night(2026, 2, 16))
    assert len(found.listings) == 1
    assert [page.url for page in found.pages if page.why == "lookback"] == [f"{SITE}/info/1.htm"]
    assert found.since is not None
    assert found.since < night(2026, 2, 11)


def test_a_tree_that_met_trouble_is_walked_the_next_night(diary: Diary) -> None:
    at = night(2026, 6, 1)
    diary.walk(at)
    assert diary.due(at + timedelta(days=3)).tree is None
    diary.ask(f"{SITE}/list.htm", at, "listing", "server_error")
    tree = diary.due(at + timedelta(days=1)).tree
    assert tree is not None
    assert tree.why == "failed"


def test_listings_that_came_years_ago_make_no_dense_walks(diary: Diary) -> None:
    """A portal that moved brought many at once."""
    diary.walk(night(2022, 6, 1))
    diary.look(night(2022, 6, 1))
    for number in range(8):
        diary.look(night(2023, 6, 12), url=f"{SITE}/nb{number}.htm")
    diary.walk(night(2023, 6, 12))
    assert diary.due(night(2023, 6, 20)).tree, "they came now"
    diary.walk(night(2026, 5, 10))
    quiet = [diary.due(night(2026, 5, 10) + timedelta(days=days)).tree for days in range(1, 21)]
    assert quiet == [None] * 20


def test_the_season_wakes_what_the_rest_of_the_year_let_sleep(diary: Diary) -> None:
    at = night(2026, 12, 30)
    diary.walk(at)
    diary.look(at)
    assert diary.due(night(2026, 12, 31)).since is None
    assert diary.due(night(2026, 12, 31)).next == night(2027, 1, 1, 0, 0)
    assert diary.due(night(2027, 1, 1)).listings != ()


def test_what_comes_next_is_told_and_nothing_comes_before(diary: Diary) -> None:
    at = night(2026, 6, 1)
    diary.walk(at)
    diary.look(at, show=("/info/1.htm",))
    diary.report("/info/1.htm", at)
    later = diary.due(at + timedelta(hours=2)).next
    assert later is not None
    assert diary.due(later - timedelta(minutes=1)).since is None
    assert diary.due(later).since is not None


def test_the_crontab_starts_after_midnight_within_the_window(engine: sa.Engine) -> None:
    terms = Terms(3.0, "22:00", "09:00", ZONE, 5000)
    other = Terms(3.0, "12:30", "15:00", "Asia/Urumqi", 5000)
    away = PortalRecord("away", "659001", "某市", "Away", "vsb", "某市人民政府")
    begin_run(engine, START, [(PORTAL, terms)])
    begin_run(engine, Start("others", *_after_spider()), [(PORTAL, terms), (away, other)])
    with engine.connect() as connection:
        found = spiders(connection)
    lines = list(
        crontab(found, root=ROOT, programs=ROOT / "bin", home=ROOT / "a b%", database_url=None)
    )
    starts = {line.split(" *")[0] for line in lines if " crawl " in line}
    assert starts == {"10 0", "40 12", "15 0"}
    crawls = [line for line in lines if " crawl " in line]
    assert all("-a scope=due" in line for line in crawls)
    assert sum("portals=" in line for line in crawls) == 2
    assert all(r"a b\%/log" in line for line in crawls)
    assert "%" not in "".join(lines[7:]).replace(r"\%", "")


def _after_spider() -> tuple[str, str, str, bool, float]:
    return START.software, START.contact, START.config_digest, START.rehearsal, START.pace

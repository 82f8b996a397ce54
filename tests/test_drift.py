"""Drift: planted changes are told, clean histories are silent, whatever a run happened to see.

The histories are synthetic. A portal is a pool of pages with what each shows, in skins; a run by
schedule reads a few of them, a whole one all.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from crawler.cms.skeleton import SIZE
from storage.database import make_engine
from storage.drift.drifts import Drift, Share, drifts, fallen
from storage.drift.measures import PATHS, alike, keep_measures, rows_of, rules
from storage.schema import attempts, portals, runs, starts
from tests.databases import NOW

ARTICLE, LISTING = "vsb article", "vsb listing"
FULL = frozenset({"pages", "title", "date", "source", "text", "body", "body:0", "heading"})


@dataclass(frozen=True)
class Shown:
    """A page: its frame, and what is counted of it."""

    frame: str
    has: frozenset[str]
    rows: int = 0


@dataclass
class Archive:
    """Runs over one portal, without a crawl."""

    connection: sa.Connection
    runs: int = 0
    outcomes: Sequence[str] = ("ok",)  # of the one address that each run asks for

    def run(
        self,
        templates: Mapping[str, Sequence[Shown]],
        *,
        scope: str = "due",
        expect: Mapping[str, Sequence[int | None]] | None = None,
        asked: Mapping[str, Mapping[str, int]] | None = None,
    ) -> list[Drift]:
        """One run that saw these pages; what it says, and keeps in its stats as a crawl does."""
        self.runs += 1
        at = NOW + timedelta(days=self.runs)
        told = {"software": "test", "contact": "test", "config_digest": "0"}
        row = {"id": self.runs, "spider": "test", "state": "running", "started_at": at, **told}
        self.connection.execute(runs.insert().values(**row))
        start = {"run_id": self.runs, "started_at": at, "rehearsal": False, "pace": 1.0, **told}
        self.connection.execute(starts.insert().values(**start, scope=scope))
        for outcome in self.outcomes:
            row = {"run_id": self.runs, "portal": "tianshan", "url": "http://h/", "size": 0}
            row |= {"started_at": at, "duration_ms": 1, "retry": 0, "purpose": "entry"}
            self.connection.execute(attempts.insert().values(**row, outcome=outcome))
        totals: dict[str, Any] = {
            "reports": len(templates.get(ARTICLE, ())),
            "expect": expect or {},
        }
        counted: list[tuple[str, str, dict[str, Any]]] = [
            ("tianshan", "portal", {"asked": asked or {}, **totals})
        ]
        for template, pages in templates.items():
            if pages:
                counted.append(("tianshan", template, {"skins": list(skins(pages))}))
        keep_measures(self.connection, self.runs, counted)
        found = drifts(self.connection, self.runs)
        ended = runs.update().where(runs.c.id == self.runs)
        self.connection.execute(
            ended.values(state="complete", stats={drift.key: 1 for drift in found})
        )
        return found


def skins(pages: Sequence[Shown]) -> Iterator[dict[str, Any]]:
    """Pages as the spider counts them."""
    for number, frame in enumerate(dict.fromkeys(page.frame for page in pages), 1):
        mine = [page for page in pages if page.frame == frame]
        counts = Counter(word for page in mine for word in page.has)
        rows = sum(page.rows for page in mine)
        yield {"sketch": frame, "capture": number, **counts, **({"rows": rows} if rows else {})}


def frame(name: str, odd: int = 0) -> str:
    """A frame of 30 paths, `odd` of them not those of the others of its name."""
    chance = random.Random(name)
    paths = [chance.getrandbits(32) for _ in range(30)]
    other = random.Random(f"{name} {odd}")
    paths[:odd] = [other.getrandbits(32) for _ in range(odd)]
    return "".join(f"{path:08x}" for path in sorted(paths))


def articles(count: int, name: str = "plain", without: str = "", also: str = "") -> list[Shown]:
    has = (FULL - set(without.split())) | set(also.split())
    return [Shown(frame(name, number % 4), has) for number in range(count)]


def listings(count: int, rows: int = 15, name: str = "list", without: str = "") -> list[Shown]:
    has = frozenset({"pages", "filled", "dated", "row", "row:0"}) - set(without.split())
    return [Shown(frame(name), has, rows) for _ in range(count)]


@pytest.fixture
def archive(engine: sa.Engine) -> Iterator[Archive]:
    with engine.connect() as connection:
        yield _with_portal(connection)


def _with_portal(connection: sa.Connection) -> Archive:
    names = {"name_zh": "天山区", "name_en": "Tianshan", "government": "天山区人民政府"}
    row = {"key": "tianshan", "division_code": "650102", "cms": "vsb", **names}
    connection.execute(portals.insert().values(**row))
    return Archive(connection)


def told(found: Sequence[Drift]) -> list[tuple[str, str, str]]:
    return [(drift.template, drift.rule, drift.measure) for drift in found]


# --- planted changes ------------------------------------------------------------------------------


def test_a_first_run_has_nothing_to_be_held_against(archive: Archive) -> None:
    assert archive.run({ARTICLE: articles(40, without="date source body")}) == []


@pytest.mark.parametrize("measure", ["title", "date", "source", "text", "body", "heading"])
def test_a_fill_rate_that_collapses_is_told_with_what_was_before(
    archive: Archive, measure: str
) -> None:
    for _ in range(3):
        assert archive.run({ARTICLE: articles(40)}, scope="all") == []
    (drift,) = archive.run({ARTICLE: articles(38, without=measure) + articles(2)}, scope="all")
    assert (drift.rule, drift.measure) == ("fill", measure)
    assert drift.before == {"share": 1.0, "count": 120, "pages": 120, "runs": 3}
    assert drift.now["count"] == 2
    assert drift.last_good_run == 3
    assert drift.last_good_capture is not None
    assert drift.message.startswith("tianshan, vsb article: 2 of 40 pages have ")
    assert drift.message_zh.startswith("tianshan vsb article：40 页中的 2 页 有")
    assert drift.key == f"drift/tianshan vsb article {measure}"


def test_a_run_by_schedule_needs_few_pages_and_not_one(archive: Archive) -> None:
    for _ in range(3):
        archive.run({ARTICLE: articles(60)}, scope="all")
    assert archive.run({ARTICLE: articles(1, without="date")}) == []
    assert archive.run({ARTICLE: articles(2, without="date")}) == []
    assert told(archive.run({ARTICLE: articles(4, without="date")})) == [(ARTICLE, "fill", "date")]


def test_what_only_some_pages_had_is_not_judged_on_a_few_others(archive: Archive) -> None:
    mixed = articles(30, also="files") + articles(30)
    for _ in range(3):
        archive.run({ARTICLE: mixed}, scope="all")
    assert archive.run({ARTICLE: articles(20)}) == []
    assert told(archive.run({ARTICLE: articles(60)}, scope="all")) == [(ARTICLE, "fill", "files")]


def test_tables_are_missed_only_where_the_law_has_them(archive: Archive) -> None:
    for _ in range(3):
        archive.run({ARTICLE: articles(30, also="statutory figures") + articles(30)}, scope="all")
    assert archive.run({ARTICLE: articles(20)}) == []  # all of them older than the forms
    assert told(archive.run({ARTICLE: articles(6, also="statutory")})) == [
        (ARTICLE, "fill", "figures")
    ]


def test_a_fill_rate_stays_told_until_it_is_mended(archive: Archive) -> None:
    archive.run({ARTICLE: articles(40)})
    for _ in range(25):
        assert told(archive.run({ARTICLE: articles(40, without="date")})) != []
    assert archive.run({ARTICLE: articles(40)}) == []


def test_a_person_may_hold_that_a_history_begins_anew(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.run({ARTICLE: articles(40)})
    bare = {ARTICLE: articles(40, without="source")}
    assert archive.run(bare) != []
    since = NOW + timedelta(days=1, hours=12)
    anew = {"portal": "tianshan", "template": ARTICLE, "since": since, "reason": "told by phone"}
    monkeypatch.setitem(rules(), "anew", [anew])
    assert archive.run(bare) == []
    assert told(archive.run({ARTICLE: articles(40, without="source date")})) == [
        (ARTICLE, "fill", "date")
    ]


def test_another_xpath_that_takes_over_is_told(archive: Archive) -> None:
    for _ in range(2):
        archive.run({ARTICLE: articles(30)})
    moved = articles(30, without="body:0", also="body:2")
    assert told(archive.run({ARTICLE: moved})) == [(ARTICLE, "selector", "body:0")]


def test_xpaths_that_share_the_pages_are_not_told(archive: Archive) -> None:
    mixed = articles(10) + articles(20, without="body:0", also="body:1")
    for _ in range(3):
        assert archive.run({ARTICLE: mixed}, scope="all") == []
    assert archive.run({ARTICLE: articles(5, without="body:0", also="body:1")}) == []


def test_a_redesign_that_is_read_well_is_told_three_times_and_is_then_the_new_normal(
    archive: Archive,
) -> None:
    for _ in range(2):
        archive.run({ARTICLE: articles(40)})
    new = {ARTICLE: articles(40, "new")}
    for _ in range(3):
        (drift,) = archive.run(new)
        assert (drift.rule, drift.measure) == ("template", "template")
        assert "are still read" in drift.message
    assert archive.run(new) == []
    assert archive.run({ARTICLE: articles(40)}) == []  # the old one is known as well
    assert archive.run(new) == []


def test_a_redesign_that_is_read_badly_says_what_is_missing(archive: Archive) -> None:
    for _ in range(2):
        archive.run({ARTICLE: articles(40)})
    found = told(archive.run({ARTICLE: articles(40, "new", without="source body body:0")}))
    assert found == [
        (ARTICLE, "template", "template"),
        (ARTICLE, "fill", "source"),
        (ARTICLE, "fill", "body"),
    ]


def test_a_new_frame_on_a_few_pages_is_taken_as_it_comes(archive: Archive) -> None:
    for _ in range(2):
        archive.run({ARTICLE: articles(40)})
    assert archive.run({ARTICLE: articles(40) + articles(6, "new")}) == []
    assert archive.run({ARTICLE: articles(40, "new")}) == []


def test_rows_that_are_no_longer_found_are_told(archive: Archive) -> None:
    for _ in range(2):
        archive.run({LISTING: listings(20)}, scope="all")
    found = archive.run({LISTING: listings(20, rows=3)}, scope="all")
    assert told(found) == [(LISTING, "rows", "rows")]
    assert found[0].now["mean"] == 3
    assert found[0].before == {"mean": 15.0, "pages": 20, "runs": 2}


def test_short_listings_of_a_run_by_schedule_are_no_collapse(archive: Archive) -> None:
    for _ in range(2):
        archive.run({LISTING: listings(20)}, scope="all")
    assert archive.run({LISTING: listings(4, rows=1)}) == []


def test_rows_by_the_general_rule_alone_are_told(archive: Archive) -> None:
    for _ in range(2):
        archive.run({LISTING: listings(20)})
    assert told(archive.run({LISTING: listings(20, without="row row:0")})) == [
        (LISTING, "fill", "row")
    ]


def test_articles_where_listings_stood_are_told(archive: Archive) -> None:
    usual = {"page": {"pages": 30, "listing": 30}, "report": {"pages": 30, "article": 30}}
    for _ in range(2):
        archive.run({}, asked=usual)
    shifted = {"page": {"pages": 30, "article": 30}, "report": {"pages": 3, "article": 3}}
    found = archive.run({}, asked=shifted)
    assert told(found) == [("portal", "kind", "page listing")]
    assert found[0].message == (
        "tianshan: of the pages asked for as a listing, 0 of 30 pages were one, "
        "before 60 of 60 (runs: 2)"
    )


def test_another_dialect_is_told_and_becomes_the_new_normal(archive: Archive) -> None:
    for _ in range(2):
        archive.run({ARTICLE: articles(40)})
    moved = {"ucap article": articles(40, "ucap")}
    for _ in range(3):
        found = archive.run(moved)
        assert told(found) == [("ucap article", "dialect", "dialect")]
    assert archive.run(moved) == []


def test_counts_outside_of_the_portals_file_are_told_of_a_whole_run_only(archive: Archive) -> None:
    expect = {"reports": [10, 50], "rows": [1, 20]}
    assert archive.run({ARTICLE: articles(40), LISTING: listings(3)}, expect=expect) == []
    few = {ARTICLE: articles(9), LISTING: listings(3, rows=30)}
    assert archive.run(few, expect=expect) == []
    found = archive.run(few, expect=expect, scope="all")
    assert told(found) == [("portal", "counts", "reports"), ("portal", "counts", "rows")]
    assert found[0].message == "tianshan: reports 9, expected 10 to 50"
    assert found[0].message_zh == "tianshan：年报数 9，预期 10 至 50"


def test_few_reports_of_a_portal_that_does_not_answer_are_not_its_layouts_fault(
    archive: Archive,
) -> None:
    few, expect = {ARTICLE: articles(4)}, {"reports": [10, None]}
    archive.outcomes = ("timeout", "ok")
    found = archive.run(few, expect=expect, scope="all")
    assert found[0].message == "tianshan: reports 4, expected at least 10"
    archive.outcomes = ("timeout", "timeout")
    assert archive.run(few, expect=expect, scope="all") == []


def test_measures_are_kept_once_a_run(archive: Archive) -> None:
    archive.run({ARTICLE: articles(4)})
    kept = rows_of(archive.connection, 1)
    keep_measures(archive.connection, 1, [("tianshan", ARTICLE, {"skins": []})])
    assert rows_of(archive.connection, 1) == kept


# --- the test itself ------------------------------------------------------------------------------


def test_no_result_of_fewer_than_three_pages_is_a_fall() -> None:
    for largest in (5, 50, 5000):
        before = Share(largest * 20, largest * 20, largest, 20)
        assert not any(fallen(before, Share(0, pages, pages)) for pages in (0, 1, 2))
        assert fallen(before, Share(0, 40, 40)) == (largest >= 5)


def test_pages_that_are_read_again_and_again_prove_no_more_than_once() -> None:
    now = Share(0, 4, 4)
    assert not fallen(Share(5 * 20, 5 * 20, 5, 20), now)
    assert fallen(Share(100, 100, 100, 1), now)


def test_two_frames_are_alike_when_they_share_most_paths() -> None:
    assert PATHS == SIZE
    assert alike(frame("plain"), frame("plain", 3))
    assert not alike(frame("plain"), frame("plain", 12))
    assert not alike(frame("plain"), frame("new"))


# --- clean histories ------------------------------------------------------------------------------

EVERY = ("title", "date", "source", "text", "files", "statutory", "figures", "heading")


@dataclass
class Pool:
    """A portal that grows: pages of one to three skins, each page with what it has for good."""

    chance: random.Random
    pages: list[Shown] = field(default_factory=list)

    def __post_init__(self) -> None:
        usual = (1.0, 1.0, 1.0, 0.97, 0.7, 0.3, 0.0)
        self.shares = {
            f"skin {number}": {what: self.chance.choice(usual) for what in EVERY}
            for number in range(self.chance.randint(1, 3))
        }
        self.grow(self.chance.randint(5, 80))

    def grow(self, count: int) -> None:
        for _ in range(count):
            skin, shares = self.chance.choice(list(self.shares.items()))
            has = {what for what, share in shares.items() if self.chance.random() < share}
            has -= set() if "statutory" in has else {"figures"}
            has -= {"files"} if len(self.pages) < 30 else set()  # an old page has none
            body = self.chance.choice(("body:0", "body:1"))
            worn = frame(skin, self.chance.randrange(4))
            self.pages.append(Shown(worn, frozenset(has | {"pages", "body", body})))

    def some(self) -> list[Shown]:
        """What a run by schedule sees: the newest, the oldest, or a few of one skin."""
        few = self.chance.randint(0, 30)
        one = self.chance.choice(self.pages).frame
        alike = [page for page in self.pages if page.frame == one]
        return self.chance.choice((self.pages[-few:], self.pages[:few], alike[:few]))


def _clean(archive: Archive, chance: random.Random) -> Iterator[list[Drift]]:
    pool = Pool(chance)
    lists = [chance.randint(1, 15) for _ in range(chance.randint(1, 12))]
    yield archive.run(_whole(pool, lists), scope="all")
    for _ in range(9):
        pool.grow(chance.choice((0, 0, 1, 3)))
        if chance.random() < 0.2:
            yield archive.run(_whole(pool, lists), scope="all")
        else:
            heads = [listings(1, rows)[0] for rows in chance.sample(lists, min(2, len(lists)))]
            yield archive.run({ARTICLE: pool.some(), LISTING: heads})


def _whole(pool: Pool, lists: Sequence[int]) -> dict[str, Sequence[Shown]]:
    rows = [listings(1, rows)[0] for rows in lists]
    return {ARTICLE: pool.pages, LISTING: [*rows, *listings(3)]}


def test_a_hundred_random_clean_histories_say_nothing(sqlite_template: Path) -> None:
    engine = make_engine(f"sqlite:///{sqlite_template}")
    said = []
    for seed in range(100):
        with engine.connect() as connection:  # rolled back: each begins with an empty archive
            archive = _with_portal(connection)
            said += [(seed, told(found)) for found in _clean(archive, random.Random(seed)) if found]
    engine.dispose()
    assert said == []

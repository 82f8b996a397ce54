"""Whatever happened at a portal: each organ and year is in one state, and that has its proof."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler.forms import relations
from storage.database import make_engine
from storage.ledger.cells import HELD, Cell, ledger, span
from storage.ledger.deadlines import due
from storage.queries.coverage import Field, coverage
from storage.schema import listing_reads
from tests.databases import reading
from tests.histories import GOVERNMENT, History, figures, unknown

BUREAU = "天山区教育局"
FIRST = datetime(2020, 12, 20, tzinfo=UTC)
URLS = [f"http://www.xjtsq.gov.cn/info/{n}.htm" for n in range(4)]
LISTINGS = ["http://www.xjtsq.gov.cn/nb.htm", "http://www.xjtsq.gov.cn/bm.htm"]
ENDINGS = [("client_error", 404), ("soft_404", 200), ("timeout", None), ("blocked", 412)]
READINGS = [figures(), unknown(), reading(layout="old"), None]

Event = tuple[Any, ...]

days = st.integers(0, 500)
looks = st.tuples(
    st.just("look"),
    days,
    st.sampled_from(LISTINGS),
    st.sampled_from(["complete", "complete", "incomplete", "blocked", "down", "gone", "not_asked"]),
    st.sampled_from(["whole", "head"]),
    st.sets(st.sampled_from(URLS)),
)
pages = st.tuples(
    st.just("page"),
    days,
    st.sampled_from(URLS),
    st.sampled_from([GOVERNMENT, BUREAU]),
    st.sampled_from([None, "2020-12-31", "2021-01-20", "2021-02-20", "2021-06", "soon"]),
    st.integers(0, len(READINGS) - 1),
    st.booleans(),
)
failures = st.tuples(
    st.just("fails"),
    days,
    st.sampled_from(URLS),
    st.sampled_from([GOVERNMENT, BUREAU]),
    st.sampled_from(ENDINGS),
)
walks = st.tuples(st.just("run"), days, st.booleans())
histories = st.lists(st.one_of(looks, pages, failures, walks), max_size=14)


@pytest.fixture(scope="module")
def archive(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    path = tmp_path_factory.mktemp("ledger") / "archive.sqlite"
    shutil.copy(sqlite_template, path)
    engine = make_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


def happen(history: History, events: list[Event]) -> None:
    """Put the events into the archive in the order of their days."""
    for minute, (kind, day, *told) in enumerate(sorted(events, key=lambda each: each[1])):
        when = FIRST.replace(tzinfo=None) + timedelta(days=day, hours=9, minutes=minute)
        at = when.isoformat(" ", "minutes")
        if kind == "run":
            history.run(at, walks=told[0])
        elif kind == "look":
            url, verdict, scope, entries = told
            shown = {each: f"报告{each[-5]}" for each in sorted(entries)}
            history.look(at, shown, verdict, scope, url)
        elif kind == "page":
            url, organ, published, read, is_file = told
            where = f"{url}.docx" if is_file else url
            history.page(
                at,
                2020,
                organ,
                url=where,
                published=published,
                read=READINGS[read],
                file=where if is_file else "",
                page=f"{published}",
            )
        else:
            url, organ, (outcome, status) = told
            history.fails(at, 2020, organ, url=url, outcome=outcome, status=status)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events=histories, asked=st.integers(0, 520))
def test_every_cell_is_in_one_state_that_has_its_proof(
    archive: sa.Engine, events: list[Event], asked: int
) -> None:
    at = FIRST + timedelta(days=asked)
    with archive.connect() as connection:
        history = History(connection)
        history.run("2020-12-19")
        happen(history, [event for event in events if event[1] < asked])
        cells = ledger(connection, at=at)
        check(connection, cells, at)
        for division in {cell["division_code"] for cell in cells}:
            alone = ledger(connection, at=at, division=division)
            assert alone == [cell for cell in cells if cell["division_code"] == division]
        happen(history, [event for event in events if event[1] >= asked])
        assert ledger(connection, at=at) == cells, "what became known later changes nothing"
        later = at + timedelta(days=2000)
        cells = ledger(connection, at=later)
        check(connection, cells, later)
        agree(cells, coverage(connection))
        connection.rollback()


def check(connection: sa.Connection, cells: list[Cell], at: datetime) -> None:
    counted = Counter((cell["organ"], cell["year"]) for cell in cells)
    assert set(counted.values()) <= {1}
    for cell in cells:
        ends = due(cell["kind"], cell["year"]).day + timedelta(days=1)
        midnight = datetime(ends.year, ends.month, ends.day, tzinfo=UTC) - timedelta(hours=8)
        state, kinds = cell["state"], {proof["kind"] for proof in cell["proof"]}
        assert (state == "not_due") <= (at < midnight)
        assert state not in ("blocked", "portal_down", "absent", "unproven") or at >= midnight
        assert bool(cell["note"]) == bool(cell["note_zh"])
        assert "{" not in cell["note"] + cell["note_zh"]
        assert all(datetime.fromisoformat(proof["at"]) <= at for proof in cell["proof"])
        if state == "absent":
            assert proven(connection, midnight, at), cell
            assert datetime.fromisoformat(cell["as_of"] or "") >= midnight
        if state in HELD - {"unreadable"}:
            assert "first_sight" in kinds
        assert state not in HELD or any(proof["capture_id"] for proof in cell["proof"])
        assert (state == "captured_late") <= bool(cell["late_days"])
        assert state != "unproven" or cell["note"]


# What the map of what was read may say where the ledger says this.
HELD_AND_READ = {"captured", "captured_late", "moved", "attachment_only", "removed"}
AGREE: dict[str, set[str]] = {
    "read": HELD_AND_READ,
    "partly_read": HELD_AND_READ,
    "old": HELD_AND_READ,
    "unread": {"unreadable", "removed"},
    "attachment_only": {"attachment_only", "unreadable", "removed"},
    "unreachable": {"removed", "unreadable", "blocked", "portal_down", "unproven", "absent"},
    "missing": {"absent", "blocked", "portal_down", "unproven", "not_due"},
}


def agree(cells: list[Cell], fields: list[Field]) -> None:
    """The ledger and `archive coverage` tell two things of one report, never two stories."""
    states = {(cell["organ"], cell["year"]): cell["state"] for cell in cells}
    for each in fields:
        assert states[each["organ"], each["year"]] in AGREE[each["state"]], each


def proven(connection: sa.Connection, midnight: datetime, at: datetime) -> bool:
    """Whether some complete look was made after the deadline, and a whole one at all."""
    r = listing_reads.c
    complete = sa.select(r.listing_id, r.scope, r.read_at).where(
        r.verdict == "complete", r.read_at <= at
    )
    rows = connection.execute(complete).all()
    whole = {row.listing_id for row in rows if row.scope == "whole"}
    return any(row.read_at >= midnight and row.listing_id in whole for row in rows)


@given(
    st.one_of(
        st.from_regex(r"(19|20|00)[0-9]{2}(-[0-9]{2}(-[0-9]{2}(T[0-9:]{5})?)?)?", fullmatch=True),
        st.dates().map(date.isoformat),
        st.text(max_size=12),
    )
)
def test_ledger_and_relations_understand_the_same_dates(published: str) -> None:
    """Neither may import the other: the reader needs no archive, the archive no reader."""
    assert span(published) == relations.span(published)

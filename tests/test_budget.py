"""How many requests a portal may still get today, and what earlier starts left of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from crawler.fetching.budget import Budget
from crawler.portals import load
from storage.capture.captures import Attempt, Ending
from storage.queries.visits import past
from storage.settings import Settings
from tests.databases import Crawl, exchange

ALL = load({"vsb", "ucap", "cicro", "content_n"}).portals
TIANSHAN, MIDONG = (replace(ALL[key], budget=3) for key in ("tianshan", "midong"))
# 23:00 in Beijing, where the day ends at 16:00 UTC.
NIGHT = datetime(2026, 1, 5, 15, tzinfo=UTC)


def test_a_budget_is_spent_by_portal() -> None:
    budget = Budget((TIANSHAN, MIDONG))
    for _ in range(2):
        budget.spend("tianshan", NIGHT)
    assert not budget.is_spent("tianshan", NIGHT)
    budget.spend("tianshan", NIGHT)
    assert budget.is_spent("tianshan", NIGHT)
    assert not budget.is_spent("midong", NIGHT)
    assert not budget.all_spent(NIGHT)
    budget.spend("midong", NIGHT, 3)
    assert budget.all_spent(NIGHT)


def test_the_portals_own_midnight_begins_a_new_one() -> None:
    budget = Budget((TIANSHAN,))
    budget.spend("tianshan", NIGHT, 3)
    assert budget.is_spent("tianshan", NIGHT + timedelta(minutes=59))
    assert not budget.is_spent("tianshan", NIGHT + timedelta(hours=1))
    budget.spend("tianshan", NIGHT + timedelta(hours=1), 2)
    assert not budget.is_spent("tianshan", NIGHT + timedelta(hours=1))


def test_the_archive_knows_what_a_portal_has_been_asked(
    engine: sa.Engine, settings: Settings
) -> None:
    directory = settings.warc_directory

    def ago(hours: float) -> datetime:
        return NIGHT - timedelta(hours=hours)

    with Crawl(engine, directory) as crawl:

        def ask(at: datetime, outcome: str, head: bytes = b"", url: str = "http://a/") -> None:
            asked = crawl.recorder.ask(Attempt(crawl.run_id, "tianshan", url, "page", at))
            if head:
                status = int(head.split()[1])
                answer = exchange(b"", url, status, head + b"\r\n\r\n")
                crawl.recorder.answer(asked, Ending(outcome, 2000, status), answer)
            else:
                crawl.recorder.answer(asked, Ending(outcome))

        ask(ago(24), "ok")  # yesterday
        ask(ago(22.5), "timeout", url="http://a/2")
        ask(ago(3), "server_error", b"HTTP/1.1 503 No\r\nRetry-After: 14400")
        ask(ago(2), "client_error", b"HTTP/1.1 429 No\r\nretry-after: 60")
        ask(ago(1.5), "not_modified", b"HTTP/1.1 304 Same\r\nRetry-After: 86400")
        refused = Attempt(crawl.run_id, "tianshan", "http://a/x", "page", ago(1))
        crawl.recorder.refuse(refused, "robots_refused", "")
        with engine.connect() as connection:
            known = past(connection, directory, "tianshan", "Asia/Shanghai", NIGHT)
            other = past(connection, directory, "midong", "Asia/Shanghai", NIGHT)
    assert known.last == ago(1.5)
    assert known.today == 4
    assert known.wanted_back == ago(-1) + timedelta(seconds=2)
    assert known.recent[:2] == (("http://a/", "ok"), ("http://a/2", "timeout"))
    assert len(known.recent) == 5
    assert (other.last, other.today, other.wanted_back, other.recent) == (None, 0, None, ())

"""The guest's word before a request goes out, on a live crawl: nothing here is sent anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest
import sqlalchemy as sa
from scrapy import Request
from scrapy.exceptions import IgnoreRequest
from scrapy.http import TextResponse

from crawler.fetching import guest as guest_module
from crawler.fetching.addresses import PrivateAddress
from crawler.fetching.guest import Guest
from crawler.fetching.pace import Pace
from crawler.items import Refused
from crawler.portals import load
from storage.settings import Settings

WINDOW = ("00:00", "00:00")  # the whole day
PORTALS = load({"vsb", "ucap", "cicro", "content_n"}).portals
TIANSHAN = replace(PORTALS["tianshan"], window=WINDOW, delay=1.0)
HOME = "http://www.xjtsq.gov.cn/"


class Run:
    """As much of a run as a guest needs; it writes down what it is told."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.leaving = False
        self.refused: list[tuple[str, str]] = []
        self.gaps: list[str] = []
        self.left: list[str] = []

    def purpose(self, request: Request) -> str:
        return str(request.meta["purpose"])

    def refuse(self, request: Request, outcome: str, error: str) -> None:
        self.refused.append((outcome, error))

    def incomplete(self, reason: str) -> None:
        self.gaps.append(reason)

    def leave(self, reason: str) -> None:
        self.left.append(reason)
        self.leaving = True


@pytest.fixture
def run(engine: sa.Engine) -> Run:
    return Run(engine)


@pytest.fixture
def make(run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Guest]:
    async def found(host: str) -> None:
        assert host == "www.xjtsq.gov.cn"

    monkeypatch.setattr(guest_module, "look_up", found)

    def guest(portal: Any = TIANSHAN, pace: Pace = Pace(contact="me@example.org")) -> Guest:  # noqa: B008  # frozen
        return Guest(run, (portal,), pace, settings.warc_directory)  # type: ignore[arg-type]

    return guest


def request(target: str = "", purpose: str = "page") -> Request:
    return Request(HOME + target, meta={"portal": "tianshan", "purpose": purpose})


def teach(guest: Guest, *lines: str) -> None:
    asked = request("robots.txt", "robots")
    body = "\n".join(["User-agent: *", *lines]).encode()
    guest.learn(asked, "ok", TextResponse(asked.url, body=body))


def test_a_host_that_leads_into_a_private_network_is_not_asked(
    run: Run, make: Callable[..., Guest], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def private(host: str) -> None:
        raise PrivateAddress(f"{host} leads to 10.0.0.1, which is no public address")

    guest = make()
    teach(guest)
    monkeypatch.setattr(guest_module, "look_up", private)
    with pytest.raises(Refused):
        asyncio.run(guest.admit(request()))
    assert run.refused[0][0] == "private_address"
    assert "10.0.0.1" in run.refused[0][1]
    assert run.gaps == ["www.xjtsq.gov.cn has a private address"]
    # A proxy looks names up itself, and may have names that nobody else has.
    proxied = make(pace=Pace(proxy="http://proxy.example:3128", contact="me@example.org"))
    teach(proxied)
    asyncio.run(proxied.admit(request()))


def test_the_window_is_looked_at_before_every_request(run: Run, make: Callable[..., Guest]) -> None:
    before = (datetime.now(UTC) - timedelta(hours=2)).strftime("%H:%M")
    now = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%H:%M")
    guest = make(replace(TIANSHAN, window=(before, now), timezone="UTC"))
    teach(guest)
    with pytest.raises(IgnoreRequest):
        asyncio.run(guest.admit(request()))
    assert run.left == ["window closed"]
    assert run.refused == []


def test_each_request_waits_for_the_delay_since_the_last(
    run: Run, make: Callable[..., Guest]
) -> None:
    guest = make()
    teach(guest)
    asyncio.run(guest.admit(request()))
    guest.sent(request(), datetime.now(UTC))
    began = monotonic()
    asyncio.run(guest.admit(request("2")))
    assert monotonic() - began >= 0.99


def test_a_rule_that_changed_holds_for_a_request_that_was_let_in(
    run: Run, make: Callable[..., Guest]
) -> None:
    guest = make()
    teach(guest)
    guest.check(request("hidden/1"))
    teach(guest, "Disallow: /hidden/")
    with pytest.raises(Refused):
        asyncio.run(guest.admit(request("hidden/1")))
    assert run.refused == [("robots_refused", "robots.txt disallows it")]
    assert run.gaps == []


def test_whoever_waits_leaves_when_told(run: Run, make: Callable[..., Guest]) -> None:
    guest = make()
    teach(guest)
    guest.told(request(), "server_error", b"HTTP/1.1 503 No\r\nRetry-After: 3000\r\n\r\n")

    async def told_to_leave() -> float:
        began = monotonic()
        asyncio.get_running_loop().call_later(0.1, run.leave, "shutdown")
        with pytest.raises(IgnoreRequest):
            await guest.admit(request())
        return monotonic() - began

    assert asyncio.run(told_to_leave()) < 2
    assert run.refused == []


def test_a_torn_answer_may_ask_to_wait_too(run: Run, make: Callable[..., Guest]) -> None:
    guest = make()
    teach(guest)
    guest.told(request(), "truncated", b"HTTP/1.1 503 No\r\nretry-after: 7200\r\n\r\n")
    with pytest.raises(Refused):
        guest.check(request())
    assert run.refused[0][0] == "retry_later"
    assert run.gaps == ["told to come back later"]


def test_a_spent_budget_makes_the_crawl_leave(run: Run, make: Callable[..., Guest]) -> None:
    guest = make(replace(TIANSHAN, budget=1))
    teach(guest)
    guest.check(request())
    guest.sent(request(), datetime.now(UTC))
    with pytest.raises(Refused):
        guest.check(request())
    assert run.refused == [("budget_spent", "the day's budget of 1 requests is spent")]
    assert run.left == ["the day's budget is spent"]
    with pytest.raises(IgnoreRequest):
        guest.check(request())
    assert len(run.refused) == 1

"""The crawl as a guest: asked before every request whether it may go, told after how it went.

Here stand all the rules that forbid or delay a request to a registered host, with what is known of
each portal from the runs before: a start after a crash keeps to what was promised before it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.http import Response
from sqlalchemy import Connection

from crawler.fetching import outcomes
from crawler.fetching.addresses import PrivateAddress, look_up
from crawler.fetching.answers import status_of
from crawler.fetching.breaker import Breaker
from crawler.fetching.budget import Budget
from crawler.fetching.pace import Pace, in_window
from crawler.fetching.patience import Patience
from crawler.items import Leaving, Refused
from crawler.portals import Portal, host_of
from storage.capture.captures import header
from storage.database import transact
from storage.queries.visits import Past, past
from storage.schedule.manners import REST, Robots, origin_of

if TYPE_CHECKING:
    from crawler.fetching.run import Run

_NAP = 0.5  # seconds; who is told to stop stops


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is not sent: the word and the reason of its row, and what the run lacks."""

    outcome: str
    reason: str
    gap: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What an origin's robots.txt said, and when it was asked."""

    portal: str
    rules: Robots
    at: datetime


class Guest:
    """One a run. `directory` holds the WARC files of the runs before."""

    def __init__(self, run: Run, portals: tuple[Portal, ...], pace: Pace, directory: Path) -> None:
        self.robots: dict[str, Told] = {}
        self._run, self._pace = run, pace
        self._portals = {portal.key: portal for portal in portals}
        self._patience, self._breaker, self._budget = Patience(), Breaker(), Budget(portals)
        self._last: dict[str, float] = {}
        self._recall(directory, datetime.now(UTC))

    @property
    def walled(self) -> frozenset[str]:
        """The portals that are left alone because they showed one wall after another."""
        return frozenset(self._breaker.walled)

    def check(self, request: Request) -> None:
        """Raises Refused for a request that may not be sent, after leaving its row.

        Raises Leaving, and leaves none, when the crawl is leaving.
        """
        if self._run.leaving:
            raise Leaving("the crawl is leaving")
        refusal = self._refusal(request, datetime.now(UTC))
        if refusal is not None:
            self._refuse(request, refusal)

    async def admit(self, request: Request) -> None:
        """Come back when this request may go out; the next thing is to send it. Raises as `check`.

        The portal's slot is held meanwhile, so nobody else of this portal goes.
        """
        if not self._pace.proxy:  # a proxy looks names up itself
            await self._look_up(request)
        self.check(request)
        while (left := self._seconds_left(request)) > 0:
            await asyncio.sleep(min(left, _NAP))
            self.check(request)

    def sent(self, request: Request, at: datetime) -> None:
        """A request with this row's time goes out now."""
        portal = request.meta["portal"]
        self._last[portal] = monotonic()
        self._budget.spend(portal, at)

    def told(self, request: Request, outcome: str, head: bytes | None) -> None:
        """Hear how a request ended; `head` is that of its answer, whole or not, if one came."""
        portal = request.meta["portal"]
        self._breaker.note(portal, request.url, outcome)
        if head is not None:
            self._patience.listen(portal, status_of(head), header(head, b"retry-after"))

    def learn(self, request: Request, outcome: str, response: Response | None) -> None:
        """Go by this answer, if it is one to the question for robots.txt.

        To be called before the portal's slot is free: its next request may be waiting, on another
        host, for which this one's delay holds too.
        """
        if self._run.purpose(request) != "robots" or outcome == outcomes.REDIRECT:
            return
        first = request.meta.get("redirect_urls", [request.url])[0]
        status, body = (response.status, response.body) if response else (None, b"")
        rules = Robots.of_answer(outcome, status, body)
        at = request.meta.get("at") or datetime.now(UTC)
        self.robots[origin_of(first)] = Told(request.meta["portal"], rules, at)

    def _refusal(self, request: Request, now: datetime) -> Refusal | None:
        key = request.meta["portal"]
        if not self._pace.rehearsal and not in_window(self._portals[key], now):
            self._run.leave("window closed")
            raise Leaving("the window is closed")
        if reason := self._breaker.is_open(key):
            return Refusal(outcomes.CIRCUIT_OPEN, reason, f"{key} is left alone: {reason}")
        if self._budget.is_spent(key, now):
            return self._spent(key, now)
        if (left := self._patience.seconds(key)) > Patience.LONGEST:
            reason = f"asked to come back in {left:.0f} s"
            return Refusal(outcomes.RETRY_LATER, reason, "told to come back later")
        if self._run.purpose(request) == "robots":
            return None
        return _forbidden(self.robots[origin_of(request.url)].rules, request.url, now)

    def _spent(self, key: str, now: datetime) -> Refusal:
        reason = f"the day's budget of {self._portals[key].budget} requests is spent"
        if self._budget.all_spent(now):
            self._run.leave("the day's budget is spent")
        return Refusal(outcomes.BUDGET_SPENT, reason, f"{key}: {reason}")

    def _refuse(self, request: Request, refusal: Refusal) -> NoReturn:
        self._run.refuse(request, refusal.outcome, refusal.reason)
        if refusal.gap:
            self._run.incomplete(refusal.gap)
        raise Refused(f"{request.url}: {refusal.reason}", refusal.outcome)

    def _seconds_left(self, request: Request) -> float:
        """Until both the delay since the portal's last request and its Retry-After are over."""
        key, now = request.meta["portal"], datetime.now(UTC)
        asked = [told.rules.delay(now) for told in self.robots.values() if told.portal == key]
        delay = self._pace.seconds(max(self._portals[key].delay, *asked, 0.0))
        since = monotonic() - self._last.get(key, float("-inf"))
        return max(delay - since, self._patience.seconds(key))

    async def _look_up(self, request: Request) -> None:
        try:
            await look_up(urlsplit(request.url).hostname or "")
        except PrivateAddress as error:
            gap = f"{host_of(request.url)} has a private address"
            self._refuse(request, Refusal(outcomes.PRIVATE_ADDRESS, str(error), gap))

    def _recall(self, directory: Path, now: datetime) -> None:
        """Take up from the archive what earlier starts knew of each portal."""

        def work(connection: Connection) -> dict[str, Past]:
            return {
                key: past(connection, directory, key, portal.timezone, now)
                for key, portal in self._portals.items()
            }

        for key, known in transact(self._run.engine, work).items():
            self._budget.spend(key, now, known.today)
            if known.wanted_back is not None:
                self._patience.keep(key, (known.wanted_back - now).total_seconds())
            if known.last is None:
                continue
            self._last[key] = monotonic() - max((now - known.last).total_seconds(), 0.0)
            if now - known.last < REST:
                for url, outcome in known.recent:
                    self._breaker.note(key, url, outcome)


def _forbidden(rules: Robots, url: str, now: datetime) -> Refusal | None:
    """What a robots.txt has against a request at this moment; that it is closed was told before."""
    if rules.closed:
        return Refusal(outcomes.ROBOTS_REFUSED, f"robots.txt {rules.closed}")
    if not rules.allows(url):
        return Refusal(outcomes.ROBOTS_REFUSED, "robots.txt disallows it")
    if rules.hours is not None and not rules.is_visited_at(now):
        opens, closes = rules.hours
        reason = f"robots.txt lets us in from {opens:%H:%M} to {closes:%H:%M} UTC only"
        return Refusal(outcomes.RETRY_LATER, reason, f"{host_of(url)}: {reason}")
    return None

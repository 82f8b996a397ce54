"""How many requests a portal may still get today: no more a day than its file allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from crawler.portals import Portal


class Budget:
    """Counts requests by portal and the portal's own day. `now` and `at` are aware."""

    def __init__(self, portals: Iterable[Portal]) -> None:
        self._portals = {portal.key: portal for portal in portals}
        self._spent: Counter[tuple[str, date]] = Counter()

    def spend(self, portal: str, at: datetime, requests: int = 1) -> None:
        """Count requests that started at this moment."""
        self._spent[portal, self._day(portal, at)] += requests

    def is_spent(self, portal: str, now: datetime) -> bool:
        return self._spent[portal, self._day(portal, now)] >= self._portals[portal].budget

    def all_spent(self, now: datetime) -> bool:
        return all(self.is_spent(key, now) for key in self._portals)

    def _day(self, portal: str, at: datetime) -> date:
        return at.astimezone(ZoneInfo(self._portals[portal].timezone)).date()

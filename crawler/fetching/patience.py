"""Retry-After, which Scrapy never reads: per portal, kept whatever the pace."""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic

from storage.schedule.manners import may_ask_to_wait, retry_after


class Patience:
    """Until when each portal asked to be left alone."""

    LONGEST = 3600.0  # seconds a crawl waits; who asks for more is left to a later start

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def seconds(self, portal: str) -> float:
        """How long this portal wants to be left alone; 0 or less when it may be asked."""
        return self._until.get(portal, 0.0) - monotonic()

    def listen(self, portal: str, status: int, value: str | None) -> None:
        """Remember what an answer asks for; `value` is its Retry-After."""
        if may_ask_to_wait(status):
            self.keep(portal, retry_after(value, datetime.now(UTC)))

    def keep(self, portal: str, seconds: float) -> None:
        """Leave a portal alone from now on for so long."""
        if seconds > 0:
            self._until[portal] = max(self._until.get(portal, 0.0), monotonic() + seconds)

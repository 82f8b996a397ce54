"""Retry-After, which Scrapy never reads: per portal, kept whatever the pace."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic

from scrapy import Request
from scrapy.http import Response


class Patience:
    """Until when each portal asked to be left alone."""

    LONGEST = 3600.0  # seconds; who asks for longer is asked again in the next run

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def seconds(self, request: Request) -> float:
        """How long this request has to wait; 0 or less when it may go."""
        return self._until.get(request.meta["download_slot"], 0.0) - monotonic()

    def listen(self, request: Request, response: Response) -> None:
        """Remember what the answer asks for (RFC 9110: 503, 429 and redirects may)."""
        seconds = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
        if seconds > 0:
            slot = request.meta["download_slot"]
            self._until[slot] = max(self._until.get(slot, 0.0), monotonic() + seconds)


def retry_after(value: bytes | None, now: datetime) -> float:
    """Seconds to wait, from delta-seconds or an HTTP date; 0 when absent or unreadable.

    >>> retry_after(b"120", datetime(2026, 1, 1, tzinfo=UTC))
    120.0
    >>> retry_after(b"Thu, 01 Jan 2026 00:00:30 GMT", datetime(2026, 1, 1, tzinfo=UTC))
    30.0
    """
    text = (value or b"").decode("latin-1").strip()
    if text.isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max((when - now).total_seconds(), 0.0)

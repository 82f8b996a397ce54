"""What a portal may ask of its guests, and how that is read: robots.txt, Retry-After, its hours.

The crawler goes by these readings and the audit of its politeness goes by the same ones: there is
one understanding of what a rule says. Whether a rule was kept, the audit finds out by itself.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from protego import Protego

AGENT = "gongkai"  # the word by which a robots.txt names us

# Who asks for a longer wait between two requests is left alone instead.
LONGEST_DELAY = 3600.0
# Who asks to be left alone for longer is asked again after a day.
LONGEST_ABSENCE = timedelta(days=1)
# RFC 9309: "SHOULD NOT use the cached version for more than 24 hours".
ROBOTS_LAST = timedelta(hours=24)
ROBOTS_LIMIT = 500 * 1024  # bytes that are read of a robots.txt; RFC 9309 wants no less

# Outcomes of requests that never left this machine.
NEVER_SENT = frozenset(
    {
        "robots_refused",
        "out_of_scope",
        "retry_later",
        "private_address",
        "circuit_open",
        "budget_spent",
    }
)
# Outcomes of a portal in trouble; `blocked` is worse: it does not want us.
TROUBLE = frozenset(
    {
        "server_error",
        "maintenance",
        "shell",
        "truncated",
        "dns",
        "refused",
        "reset",
        "timeout",
        "tls",
        "proxy",
        "failed",
    }
)
BLOCKED = "blocked"
# Outcomes that tell nothing about the portal: under way, or cut off by our own death.
UNTOLD = frozenset({"asked", "interrupted"})
# So many addresses in a row without a good answer, and the portal is left alone; of walls fewer.
TROUBLES, WALLS = 5, 3
# A later start may try such a portal again after this.
REST = timedelta(hours=1)


class Hours(NamedTuple):
    """From `opens` on, until `closes`; over midnight when that is the earlier one."""

    opens: time
    closes: time

    def hold(self, moment: time) -> bool:
        """Equal ends mean the whole day: who wanted nobody would have said so in another way.

        >>> Hours(time(22), time(9)).hold(time(3)), Hours(time(9), time(22)).hold(time(22))
        (True, False)
        """
        if self.opens == self.closes:
            return True
        if self.opens < self.closes:
            return self.opens <= moment < self.closes
        return moment >= self.opens or moment < self.closes


class Robots:
    """What one robots.txt asks of us. `closed` says why nobody may enter at all; mostly empty."""

    def __init__(self, text: str, closed: str = "") -> None:
        self._rules = Protego.parse(text)
        self.closed = closed
        rate = self._rules.request_rate(AGENT)
        visit = self._rules.visit_time(AGENT)
        self._rate = rate.seconds / rate.requests if rate else 0.0
        self._rated = None
        if rate and rate.start_time is not None and rate.end_time is not None:
            self._rated = Hours(rate.start_time, rate.end_time)
        self._crawl_delay = self._rules.crawl_delay(AGENT) or 0.0
        # UTC, as is the period of a Request-rate.
        self.hours = Hours(*visit) if visit else None
        longest = max(self._rate, self._crawl_delay)
        if longest > LONGEST_DELAY:
            self.closed = f"asks for a delay of {longest:.0f} s"

    @classmethod
    def of_answer(cls, outcome: str, status: int | None, body: bytes = b"") -> Self:
        """The rules that an answer to the question for robots.txt sets (RFC 9309, 2.3.1).

        Not there (4xx) is leave to enter. Too busy to say (429), in trouble, a wall, or no whole
        answer: stay out. `body` without its Content-Encoding.
        """
        if outcome == "ok":
            return cls(_text(body))
        if outcome == "client_error" and status != 429:
            return cls("")
        if outcome in ("client_error", "server_error"):
            return cls("", f"answered {status}")
        return cls("", f"could not be had ({outcome})")

    def allows(self, url: str) -> bool:
        return not self.closed and self._rules.can_fetch(url, AGENT)

    def delay(self, at: datetime) -> float:
        """Seconds between two requests: its Crawl-delay or its Request-rate, the longer one."""
        rated = self._rated is None or self._rated.hold(at.astimezone(UTC).time())
        return max(self._crawl_delay, self._rate if rated else 0.0)

    def is_visited_at(self, at: datetime) -> bool:
        """Whether its Visit-time lets us in at this moment."""
        return self.hours is None or self.hours.hold(at.astimezone(UTC).time())


def within(opens: str, closes: str, timezone: str, at: datetime) -> bool:
    """Whether `at` (aware) lies between two times (HH:MM) of a time zone.

    >>> within("22:00", "09:00", "Asia/Shanghai", datetime(2026, 1, 5, 16, tzinfo=UTC))
    True
    """
    return within_hours(opens, closes, at.astimezone(ZoneInfo(timezone)).time())


def within_hours(opens: str, closes: str, at: time) -> bool:
    """The same of a time of the clock."""
    return Hours(time.fromisoformat(opens), time.fromisoformat(closes)).hold(at)


def retry_after(value: str | None, now: datetime) -> float:
    """Seconds to wait, from delta-seconds or an HTTP date; 0 when absent or unreadable.

    >>> retry_after("120", datetime(2026, 1, 1, tzinfo=UTC))
    120.0
    >>> retry_after("Thu, 01 Jan 2026 00:00:30 GMT", datetime(2026, 1, 1, tzinfo=UTC))
    30.0
    >>> retry_after("soon", datetime(2026, 1, 1, tzinfo=UTC))
    0.0
    """
    text = (value or "").strip()
    if text.isascii() and text.isdecimal():
        seconds = float(text)
    else:
        try:
            when = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return 0.0
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        seconds = (when - now).total_seconds()
    return min(max(seconds, 0.0), LONGEST_ABSENCE.total_seconds())


def may_ask_to_wait(status: int) -> bool:
    """Whether a Retry-After counts in an answer of this status.

    RFC 9110 has it for 503 and redirects, RFC 6585 for 429; whoever else refuses us means it too.
    """
    return 300 <= status != 304


@lru_cache(maxsize=1024)
def is_public(address: str) -> bool:
    """Whether an IP address is one of the open net: not private, loopback, link-local, multicast …

    >>> is_public("10.0.0.1"), is_public("224.0.0.1"), is_public("::ffff:127.0.0.1")
    (False, False, False)
    >>> is_public("202.100.1.1")
    True
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped is not None:
        found = mapped
    return found.is_global and not found.is_multicast


def origin_of(url: str) -> str:
    """Scheme, host and port: whom a robots.txt speaks for.

    >>> origin_of("HTTP://A.cn:80/x"), origin_of("http://a.cn:8080/")
    ('http://a.cn', 'http://a.cn:8080')
    """
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), parts.netloc.rpartition("@")[2].lower()
    own = {"http": ":80", "https": ":443"}.get(scheme, "")
    return f"{scheme}://{host.removesuffix(own) if own else host}"


def _text(body: bytes) -> str:
    """As much of it as is read, up to a whole line."""
    if len(body) > ROBOTS_LIMIT:
        kept = body[:ROBOTS_LIMIT]
        body = kept[: max(kept.rfind(b"\n"), kept.rfind(b"\r")) + 1] or kept
    # RFC 9309 knows UTF-8 only; an editor on Windows may know better, and says so.
    encoding = "utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return body.decode(encoding, errors="ignore")

"""How fast, when and through whom we ask: read once from the environment.

A *rehearsal* is a crawl whose proxy is on this machine (the replica). Only there may the pace be
changed; there, too, nothing may leave by another way, whatever its scheme.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from crawler.errors import ConfigurationError, ContactError, PaceError, ReplicaError
from crawler.portals import Portal
from storage.schedule.manners import within


@dataclass(frozen=True, slots=True)
class Pace:
    """`factor` scales our own delays and Crawl-delay, never Retry-After. `proxy` may be empty."""

    factor: float = 1.0
    proxy: str = ""
    rehearsal: bool = False
    contact: str = ""
    problem: str = ""  # why this pace may not be used; the crawl is refused with it

    def seconds(self, delay: float) -> float:
        """The delay to keep. Never 0: Scrapy holds to one request at a time only with a delay."""
        return max(delay * self.factor, 0.001)


def from_environment(environ: Mapping[str, str] = os.environ) -> Pace:
    """Read HTTP_PROXY, GONGKAI_PACE and GONGKAI_CONTACT. Never raises: see `Pace.problem`."""
    proxy = environ.get("http_proxy") or environ.get("HTTP_PROXY") or ""
    rehearsal = bool(proxy) and _is_loopback(urlsplit(proxy).hostname or "")
    contact = environ.get("GONGKAI_CONTACT", "").strip()
    if rehearsal:
        contact = contact or "rehearsal@localhost"
    factor, problem = _factor(environ.get("GONGKAI_PACE", ""), rehearsal)
    if proxy and "://" not in proxy:
        problem = f"HTTP_PROXY={proxy!r} has no scheme: write http://{proxy}"
    return Pace(factor, proxy, rehearsal, contact, problem)


def check_start(pace: Pace, portals: tuple[Portal, ...], now: datetime) -> None:
    """Refuse a crawl that were a bad guest or could reach nothing. Raises ConfigurationError."""
    if pace.problem:
        raise PaceError(pace.problem)
    if not pace.contact:
        raise ContactError(
            "a live crawl names whom to write to: set GONGKAI_CONTACT to an e-mail address"
        )
    if not (pace.contact.isascii() and pace.contact.isprintable()):
        raise ContactError(
            f"GONGKAI_CONTACT={pace.contact!r} does not fit a header: use plain ASCII on one line"
        )
    if pace.rehearsal:
        _check_replica(pace.proxy)
        return
    closed = [portal for portal in portals if not in_window(portal, now)]
    if closed:
        opens, closes = closed[0].window
        raise ConfigurationError(
            f"{closed[0].key} is crawled only from {opens} to {closes} {closed[0].timezone}: "
            "start then (cron), or change `window` in its portal file"
        )


def in_window(portal: Portal, now: datetime) -> bool:
    """Whether `now` (aware) lies in the portal's nightly window, in the portal's own time."""
    return within(*portal.window, portal.timezone, now)


def _factor(text: str, rehearsal: bool) -> tuple[float, str]:
    """The factor and, where it cannot be used, why."""
    if not text:
        return 1.0, ""
    if not re.fullmatch(r"\d{1,3}(\.\d+)?", text) or not float(text):
        return 1.0, f"GONGKAI_PACE={text!r} is no number above 0: use one such as 0.05"
    if not rehearsal:
        return 1.0, (
            "GONGKAI_PACE is for a replica only: unset it, or set HTTP_PROXY to a loopback address"
        )
    return float(text), ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_replica(proxy: str) -> None:
    parts = urlsplit(proxy)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=5):
            pass
    except OSError as error:
        raise ReplicaError(
            f"no replica answers at {proxy} ({error.strerror or error}): start it with "
            "`python -m tests.replica`, or unset HTTP_PROXY"
        ) from error

"""Ends a run that makes no progress: one that hangs must not hold its portals for ever.

The timer is the C library's: it fires whatever Python waits for, says on stderr where every thread
stood, and ends the process with exit code 1. The kernel then lets go of the portals' locks, and the
next start goes on with the run.
"""

from __future__ import annotations

import faulthandler
import sys
from time import monotonic
from typing import Self

from scrapy import signals
from scrapy.crawler import Crawler

_PROGRESS = (
    signals.spider_opened,
    signals.request_reached_downloader,
    signals.request_left_downloader,
    signals.item_scraped,
    signals.item_dropped,
)


class Watchdog:
    """Scrapy extension: the timer begins anew with whatever the run does."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._begun = 0.0

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        watchdog = cls(crawler.settings.getfloat("WATCHDOG_SILENCE"))
        for signal in _PROGRESS:
            crawler.signals.connect(watchdog._alive, signal=signal)
        crawler.signals.connect(watchdog._stopped, signal=signals.engine_stopped)
        return watchdog

    def _alive(self) -> None:
        # Each beginning starts a thread: a thousandth of the silence more or less is not worth one.
        if monotonic() - self._begun < self._seconds / 1000:
            return
        self._begun = monotonic()
        # Not sys.stderr, which may stand for something without a file.
        out = sys.__stderr__
        faulthandler.dump_traceback_later(
            self._seconds, exit=True, file=2 if out is None else out.fileno()
        )

    def _stopped(self) -> None:
        faulthandler.cancel_dump_traceback_later()

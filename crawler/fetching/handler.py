"""The one way onto the wire: fetch, hold back when told, and record before anyone sees the answer.

Scrapy's own HTTP handler does the work. Redirects, errors, retries and robots.txt all pass here,
so nothing that was asked or answered can miss the archive.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from scrapy import Request, signals
from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler
from scrapy.crawler import Crawler
from scrapy.exceptions import ResponseDataLossError, StopDownload
from scrapy.http import Response
from scrapy.utils._download_handlers import wrap_twisted_exceptions
from scrapy.utils.defer import maybe_deferred_to_future

from crawler.fetching import outcomes
from crawler.fetching.answers import Opened, open_answer, status_of
from crawler.fetching.run import Run
from crawler.fetching.wire import RecordingAgent, RecordingFactory, Wire
from crawler.items import Unusable
from storage.capture.captures import Asked, Ending, Exchange, Validated
from storage.errors import StorageError


class RecordingHandler(HTTP11DownloadHandler):
    """Scrapy's HTTP/1.1 handler, with every exchange durable before it is handed on."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._pool._factory = RecordingFactory
        # Twisted would ask again by itself when a kept connection drops, behind our back.
        self._pool.retryAutomatically = False
        self._limit = crawler.settings.getint("DOWNLOAD_MAXSIZE")
        crawler.signals.connect(self._head_came, signals.headers_received)
        crawler.signals.connect(self._bytes_came, signals.bytes_received)

    async def download_request(self, request: Request) -> Response:
        run = self._crawler.get_extension(Run)
        assert run is not None, "only portal spiders are crawled"
        known = await self._durably(run, run.validators, request)
        _ask_conditionally(request, known if known and run.may_trust(request) else None)
        await run.guest.admit(request)
        asked = await self._durably(run, run.ask, request)
        run.guest.sent(request, asked.attempt.started_at)
        began = monotonic()
        try:
            answered = await self._fetch(request)
        except Exception as error:  # whatever it is: its attempt gets its ending, and it goes on up
            outcome = outcomes.of_error(error)
            wire: Wire | None = request.meta.setdefault(
                "wire", getattr(error.__cause__, "gongkai_wire", None)
            )
            ending = Ending(
                outcome,
                _milliseconds(began),
                status_of(wire.response_head) if wire else None,
                len(wire.body) if wire else 0,
                str(error),
            )
            cut: str | None = "time" if outcome == outcomes.TIMEOUT else "disconnect"
            await self._end(run, request, asked, ending, cut)
            raise
        opened, cut = await self._open(run, request, answered)
        ending = Ending(opened.outcome, _milliseconds(began), answered.status, len(answered.body))
        await self._end(run, request, asked, ending, cut, known)
        run.guest.learn(request, opened.outcome, opened.response)
        return await self._hand_on(run, request, opened, known)

    async def _fetch(self, request: Request) -> Response:
        agent = RecordingAgent(
            contextFactory=self._contextFactory,
            bindAddress=self._bind_address,
            pool=self._pool,
            maxsize=0,  # what came before the limit is kept; see _bytes_came
            fail_on_dataloss=False,  # what came of a broken answer is kept; see _open
            crawler=self._crawler,
        )
        with wrap_twisted_exceptions():
            return await maybe_deferred_to_future(agent.download_request(request))

    def _head_came(self, body_length: int | str, request: Request) -> None:
        # Twisted's word for a length that nobody declared is a string.
        if isinstance(body_length, int) and body_length > self._limit:
            raise StopDownload(fail=False)

    def _bytes_came(self, request: Request) -> None:
        wire: Wire = request.meta["wire"]
        if wire.received > self._limit:
            raise StopDownload(fail=False)

    async def _open(
        self, run: Run, request: Request, answered: Response
    ) -> tuple[Opened, str | None]:
        """The answer without its compression, judged; and why it was cut short, if it was."""
        wire: Wire = request.meta["wire"]
        purpose = run.purpose(request)
        head, body, missing = wire.response_head, answered.body, run.missing_of(request)
        opened = await asyncio.to_thread(
            open_answer, request, purpose, head, body, self._limit, missing
        )
        if "download_stopped" in answered.flags:
            return Opened(opened.response, outcomes.TOO_LARGE), "length"
        if "dataloss" in answered.flags:
            return Opened(opened.response, outcomes.TRUNCATED), "disconnect"
        return opened, None

    async def _end(
        self,
        run: Run,
        request: Request,
        asked: Asked,
        ending: Ending,
        cut: str | None,
        known: Validated | None = None,
    ) -> None:
        """Keep the attempt's end, and whatever came of an answer with a whole head."""
        wire: Wire | None = request.meta.pop("wire", None)
        exchange = None if wire is None else _exchange(request, wire, cut)
        await self._durably(run, run.answer, request, asked, ending, exchange, known)
        run.guest.told(request, ending.outcome, wire.response_head if wire else None)

    async def _hand_on(
        self, run: Run, request: Request, opened: Opened, known: Validated | None
    ) -> Response:
        """What the spider may see of an answer; whatever it may not read is raised."""
        request.meta["outcome"] = opened.outcome
        if opened.outcome == outcomes.TRUNCATED:
            raise ResponseDataLossError(f"{request.url} ended before its end")
        if opened.outcome == outcomes.NOT_MODIFIED and known is not None:
            return await run.recorded(request)
        unusable = outcomes.is_unusable(opened.outcome, run.purpose(request))
        if unusable or opened.outcome == outcomes.NOT_MODIFIED:
            raise Unusable(request.url, opened.outcome)
        return opened.response

    async def _durably(self, run: Run, work: Any, *arguments: Any) -> Any:
        """Compress, digest, sync and commit beside the reactor; the crawl ends where it fails."""
        try:
            return await asyncio.to_thread(work, *arguments)
        except StorageError as error:
            run.abandon(error)
            raise


def _ask_conditionally(request: Request, known: Validated | None) -> None:
    """Set the archive's validators; a redirect or retry brings along those of the try before."""
    etag, last_modified = (known.etag, known.last_modified) if known else (None, None)
    for name, value in (("If-None-Match", etag), ("If-Modified-Since", last_modified)):
        request.headers.pop(name, None)
        if value:
            request.headers[name] = value.encode("latin-1")


def _exchange(request: Request, wire: Wire, cut: str | None) -> Exchange:
    return Exchange(
        url=request.url,
        request_head=wire.request_head,
        request_body=request.body,
        response_head=wire.response_head,
        body=wire.body,
        status=status_of(wire.response_head),
        # Through a proxy the address is the proxy's, which proves nothing about the portal.
        ip=None if request.meta.get("proxy") else wire.ip,
        protocol=wire.response_head.split(None, 1)[0].decode("latin-1").lower(),
        reconstructed=False,
        tls=wire.tls,
        truncated=cut,
    )


def _milliseconds(began: float) -> int:
    return round((monotonic() - began) * 1000)

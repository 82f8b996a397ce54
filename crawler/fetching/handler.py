"""The one way onto the wire: fetch, hold back when told, and record before anyone sees the answer.

Scrapy's own HTTP handler does the work. Redirects, errors, retries and robots.txt all pass here,
so nothing that was asked or answered can miss the archive.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from time import monotonic

from scrapy import Request
from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest, ResponseDataLossError
from scrapy.http import Response
from scrapy.utils._download_handlers import wrap_twisted_exceptions
from scrapy.utils.defer import maybe_deferred_to_future

from crawler.fetching import outcomes
from crawler.fetching.patience import Patience
from crawler.fetching.run import Run
from crawler.fetching.wire import RecordingAgent, RecordingFactory, Wire
from storage.captures import Attempt, Exchange
from storage.errors import StorageError


class RecordingHandler(HTTP11DownloadHandler):
    """Scrapy's HTTP/1.1 handler, with every exchange durable before it is handed on."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._pool._factory = RecordingFactory
        # Twisted would ask again by itself when a kept connection drops, behind our back.
        self._pool.retryAutomatically = False
        self._patience = Patience()

    async def download_request(self, request: Request) -> Response:
        run = self._crawler.get_extension(Run)
        assert run is not None, "only portal spiders are crawled"
        await self._wait(request, run)
        request.meta.pop("wire", None)  # a retry carries the meta of the try before
        started_at = datetime.now(UTC)
        try:
            response = await self._fetch(request)
        except Exception as error:
            word = outcomes.of_error(error)
            attempt = run.attempt(request, started_at, word, error=str(error))
            await self._keep(run, request, attempt, None)
            raise
        whole = "dataloss" not in response.flags
        attempt = run.attempt(
            request,
            started_at,
            outcomes.of_status(response.status) if whole else outcomes.TRUNCATED,
            status=response.status,
            size=len(response.body),
        )
        await self._keep(run, request, attempt, _exchange(request, response))
        self._patience.listen(request, response)
        if not whole:
            raise ResponseDataLossError(f"{request.url} ended before its end")
        return response

    async def _fetch(self, request: Request) -> Response:
        agent = RecordingAgent(
            contextFactory=self._contextFactory,
            bindAddress=self._bind_address,
            pool=self._pool,
            maxsize=self._default_maxsize,
            warnsize=self._default_warnsize,
            fail_on_dataloss=False,  # what came of a broken answer is kept; see above
            crawler=self._crawler,
        )
        with wrap_twisted_exceptions():
            return await maybe_deferred_to_future(agent.download_request(request))

    async def _keep(
        self, run: Run, request: Request, attempt: Attempt, exchange: Exchange | None
    ) -> None:
        """Compress, digest and sync beside the reactor; the answer waits until it is durable."""
        try:
            await asyncio.to_thread(run.keep, request, attempt, exchange)
        except StorageError as error:
            run.abandon(error)
            raise

    async def _wait(self, request: Request, run: Run) -> None:
        """Keep to Retry-After. The slot is held meanwhile, so nobody else of this portal goes."""
        seconds = self._patience.seconds(request)
        if run.leaving:
            raise IgnoreRequest("the crawl is leaving")
        if seconds <= 0:
            return
        if seconds > Patience.LONGEST:
            run.refuse(request, outcomes.RETRY_LATER, f"asked to come back in {seconds:.0f} s")
            run.incomplete("told to come back later")
            raise IgnoreRequest("told to come back later")
        while not run.leaving and (left := self._patience.seconds(request)) > 0:
            await asyncio.sleep(min(left, 0.5))  # short naps: who is told to stop stops
        if run.leaving:
            raise IgnoreRequest("the crawl is leaving")
        slot = self._crawler.engine.downloader.slots[request.meta["download_slot"]]
        slot.lastseen = monotonic()


def _exchange(request: Request, response: Response) -> Exchange:
    wire: Wire = request.meta["wire"]
    return Exchange(
        url=request.url,
        request_head=wire.request_head,
        request_body=request.body,
        response_head=wire.response_head,
        body=response.body,
        status=response.status,
        content_type=_text(response.headers.get("Content-Type")),
        # Through a proxy the address is the proxy's, which proves nothing about the portal.
        ip=None if request.meta.get("proxy") else str(response.ip_address or "") or None,
        protocol=(response.protocol or "").lower(),
        reconstructed=False,
    )


def _text(value: bytes | None) -> str | None:
    return value.decode("latin-1") if value else None

"""The one way onto the wire: fetch, hold back when told, and record before anyone sees the answer.

Scrapy's own HTTP handler does the work. Redirects, errors, retries and robots.txt all pass here,
so nothing that was asked or answered can miss the archive.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from http import HTTPStatus
from time import monotonic
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Headers, Response

from crawler.fetching import outcomes
from crawler.fetching.patience import Patience
from crawler.fetching.run import Run
from storage.captures import Attempt, Exchange
from storage.errors import StorageError


class RecordingHandler(HTTP11DownloadHandler):
    """Scrapy's HTTP/1.1 handler, with every exchange durable before it is handed on."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        # Twisted would ask again by itself when a kept connection drops, behind our back.
        self._pool.retryAutomatically = False
        self._patience = Patience()

    async def download_request(self, request: Request) -> Response:
        run = self._crawler.get_extension(Run)
        assert run is not None, "only portal spiders are crawled"
        await self._wait(request, run)
        started_at = datetime.now(UTC)
        try:
            response = await super().download_request(request)
        except Exception as error:
            word = outcomes.of_error(error)
            attempt = run.attempt(request, started_at, word, error=str(error))
            await self._keep(run, request, attempt, None)
            raise
        attempt = run.attempt(
            request,
            started_at,
            outcomes.of_status(response.status),
            status=response.status,
            size=len(response.body),
        )
        await self._keep(run, request, attempt, _exchange(request, response))
        self._patience.listen(request, response)
        return response

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
        if seconds <= 0:
            return
        if seconds > Patience.LONGEST:
            run.refuse(request, outcomes.RETRY_LATER, f"asked to come back in {seconds:.0f} s")
            run.incomplete("told to come back later")
            raise IgnoreRequest("told to come back later")
        await asyncio.sleep(seconds)
        slot = self._crawler.engine.downloader.slots[request.meta["download_slot"]]
        slot.lastseen = monotonic()


def _exchange(request: Request, response: Response) -> Exchange:
    """The heads as far as Scrapy knows them: it keeps neither case, order nor reason phrase."""
    parts = urlsplit(request.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request_headers = Headers(request.headers)
    request_headers.setdefault("Host", parts.netloc)
    request_headers.pop("Proxy-Authorization", None)
    protocol = response.protocol or "HTTP/1.1"
    return Exchange(
        url=request.url,
        request_head=f"{request.method} {target} HTTP/1.1\r\n".encode() + _block(request_headers),
        request_body=request.body,
        response_head=_status_line(protocol, response.status) + _block(response.headers),
        body=response.body,
        status=response.status,
        content_type=_text(response.headers.get("Content-Type")),
        # Through a proxy the address is the proxy's, which proves nothing about the portal.
        ip=None if request.meta.get("proxy") else str(response.ip_address or "") or None,
        protocol=protocol,
        reconstructed=True,
    )


def _status_line(protocol: str, status: int) -> bytes:
    known = status in HTTPStatus._value2member_map_
    phrase = HTTPStatus(status).phrase if known else ""
    return f"{protocol} {status} {phrase}\r\n".encode()


def _block(headers: Headers) -> bytes:
    lines = [
        bytes(name) + b": " + bytes(value) for name, values in headers.items() for value in values
    ]
    return b"\r\n".join([*lines, b"", b""])


def _text(value: bytes | None) -> str | None:
    return value.decode("latin-1") if value else None

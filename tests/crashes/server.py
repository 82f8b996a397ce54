"""The portals' server: a forward proxy on loopback that outlives crawlers and logs all requests."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from storage.capture.warc import digest
from tests.crashes.world import Page, World

_CONDITION = re.compile(rb"\r\nIf-None-Match:[ \t]*([^\r]*)\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class Heard:
    """One request as it came in, at `at` monotonic seconds; `digest` is that of its answer's body,
    or of the body that a 304 confirmed.
    """

    url: str
    at: float
    digest: str

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc


class Server:
    """Serves from `with` to its end on a free port; `log` in the order of arrival."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.log: list[Heard] = []
        self._server = _Threads(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="portals"
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Threads(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64
    owner: Server


class _Handler(socketserver.BaseRequestHandler):
    """The requests of one connection; a client that was killed is no error."""

    server: _Threads
    request: socket.socket

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError):
            while heard := self._read():
                if not self._answer(heard):
                    return

    def _read(self) -> bytes:
        heard = b""
        while not heard.endswith(b"\r\n\r\n"):
            more = self.request.recv(65536)
            if not more:
                return b""
            heard += more
        return heard

    def _answer(self, heard: bytes) -> bool:
        """Whether the connection may be used again."""
        at, url = time.monotonic(), heard.split(b" ", 2)[1].decode("latin-1")
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        page = self.server.owner.world.page(parts.netloc, target)
        self.server.owner.log.append(Heard(url, at, digest(page.body)))
        condition = _CONDITION.search(heard)
        if page.etag and condition and condition[1].decode("latin-1") == page.etag:
            page = Page("304 Not Modified", b"", etag=page.etag)
        self.request.sendall(_head(page) + page.body)
        return not page.torn


def _head(page: Page) -> bytes:
    lines = [f"HTTP/1.1 {page.status}", f"Content-Type: {page.kind}"]
    lines.append(f"Content-Length: {len(page.body) + (100 if page.torn else 0)}")
    if page.etag:
        lines.append(f"ETag: {page.etag}")
    if page.location:
        lines.append(f"Location: {page.location}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")

"""A forward proxy on loopback that answers as a test tells it, and remembers what was asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """What to send; `body=None` drops the connection without a word."""

    body: bytes | None = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """One request as it came in; times are monotonic seconds."""

    method: str
    host: str
    target: str
    headers: Mapping[str, str]
    started: float
    ended: float = 0.0


@dataclass
class Scripted:
    """A running proxy: `url` for HTTP_PROXY, `asked` in the order of arrival."""

    url: str
    asked: list[Asked]

    def targets(self) -> list[str]:
        return [asked.target for asked in self.asked]


@contextmanager
def scripted(answer: Callable[[str, str], Answer]) -> Iterator[Scripted]:
    """Serve `answer(host, target)` until the block ends."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            entry = Asked("GET", parts.netloc, target, dict(self.headers), time.monotonic())
            asked.append(entry)
            self._send(answer(parts.netloc, target))
            entry.ended = time.monotonic()

        def do_CONNECT(self) -> None:
            asked.append(Asked("CONNECT", self.path, "", dict(self.headers), time.monotonic()))
            self._send(Answer(b"no tunnel here", 502))

        def _send(self, told: Answer) -> None:
            if told.body is None:
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

        def log_message(self, format: str, *args: object) -> None:
            """Silence: the test reads `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Scripted(f"http://127.0.0.1:{server.server_address[1]}", asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def page(*links: tuple[str, str], title: str = "政府信息公开") -> Answer:
    """A bare page of links (address, text)."""
    anchors = "".join(f'<li><a href="{href}">{text}</a></li>' for href, text in links)
    html = f"<html><head><title>{title}</title></head><body><ul>{anchors}</ul></body></html>"
    return Answer(html.encode(), headers={"Content-Type": "text/html; charset=utf-8"})


GONE = Answer(b"not here", 404, {"Content-Type": "text/plain"})

"""A forward proxy on loopback that answers for the portals of a world and for nobody else.

Plain http comes as absolute-form requests; https by CONNECT, answered with a certificate made for
the asked host. Every request leaves an entry in `Replica.log`.
"""

from __future__ import annotations

import json
import socket
import ssl
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.replica.dialects.base import MARK
from tests.replica.model import Answer
from tests.replica.world import World

IDLE = 30.0
RETRY_AFTER = 2


@dataclass(frozen=True)
class Entry:
    """One request as the replica saw it; `started` and `ended` are monotonic seconds.

    `ended` is taken before the answer is sent, so a client that waits never seems to overlap.
    """

    host: str
    method: str
    path: str
    scheme: str
    user_agent: str
    started: float
    ended: float
    status: int
    connection: int


class Replica:
    """The proxy, serving from `with` to its end; `port` 0 takes a free one.

    Answers take under a millisecond, too short to catch two requests at once: a `latency` in
    seconds makes overlaps visible in the log.

    >>> from tests.replica import Replica, World
    >>> with Replica(World.base()) as replica:
    ...     replica.url.startswith("http://127.0.0.1:"), replica.log
    (True, [])
    """

    def __init__(
        self, world: World, port: int = 0, log_file: Path | None = None, latency: float = 0.0
    ) -> None:
        self.world = world
        self.latency = latency
        self.log: list[Entry] = []
        self._lock = threading.Lock()
        self._numbers = count()
        self._connections = count(1)
        self._live: set[socket.socket] = set()
        self._closing = False
        self._answered_busy: set[tuple[str, str]] = set()
        self._log_file = log_file.open("a", encoding="utf-8") if log_file else None
        self._server = Server(("127.0.0.1", port), Handler, self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="replica"
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
        with self._lock:
            self._closing = True
            live = list(self._live)
        for connection in live:
            hang_up(connection)
        self._server.server_close()
        self._thread.join()
        if self._log_file:
            self._log_file.close()

    def answer(self, host: str, scheme: str, target: str) -> Answer:
        """The world's answer, or 502 for a host (or an https) that it does not have."""
        world = self.world
        with self._lock:
            number = next(self._numbers)
            first = (host, target) not in self._answered_busy
            self._answered_busy.add((host, target))
        if first and world.is_busy_once(host, target):
            return Answer(503, (MARK, ("Retry-After", str(RETRY_AFTER))), b"")
        answer = world.answer(host, target, number)
        if answer is None or (scheme == "https" and not world.serves_https(host)):
            return Answer(502, (MARK,), b"the replica knows no such host\n")
        return answer

    def note(self, entry: Entry) -> None:
        with self._lock:
            self.log.append(entry)
            if self._log_file:
                self._log_file.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")
                self._log_file.flush()

    def opened(self, connection: socket.socket) -> int:
        with self._lock:
            self._live.add(connection)
            closing = self._closing
        if closing:
            hang_up(connection)
        return next(self._connections)

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._live.discard(connection)


def hang_up(connection: socket.socket) -> None:
    # A client that has gone already leaves nothing to shut.
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class Server(ThreadingHTTPServer):
    """One thread a connection; all are joined when the server closes."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], replica: Replica
    ) -> None:
        self.replica = replica
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle is no error of the replica."""


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection, plain or (after CONNECT) through TLS."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE
    tunnel: str | None = None

    def setup(self) -> None:
        super().setup()
        self.number = self.server.replica.opened(self.connection)

    def finish(self) -> None:
        self.server.replica.closed(self.connection)
        super().finish()
        if self.tunnel:
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr: the log is `Replica.log`."""

    def do_GET(self) -> None:
        started = time.monotonic()
        parts = urlsplit(self.path)
        host, scheme = parts.hostname or "", parts.scheme
        if self.tunnel:
            host, scheme = self.tunnel, "https"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if host:
            answer = self.server.replica.answer(host, scheme, target)
        else:
            answer = Answer(400, (MARK,), b"this is a forward proxy: set HTTP_PROXY to it\n")
        time.sleep(self.server.replica.latency)
        self.note(host, scheme, target, started, answer.status)
        self.send(answer)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_CONNECT(self) -> None:
        started = time.monotonic()
        host = self.path.rsplit(":", 1)[0]
        known = host in self.server.replica.world.hosts
        if not known or not self.server.replica.world.serves_https(host):
            self.note(host, "https", "", started, 502)
            self.send(Answer(502, (MARK,), b"the replica knows no such host\n"))
            return
        self.note(host, "https", "", started, 200)
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.server.replica.closed(self.connection)
        try:
            self.connection = certified(host).wrap_socket(self.connection, server_side=True)
        except OSError:
            self.close_connection = True
            return
        self.tunnel = host
        self.server.replica.opened(self.connection)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def send(self, answer: Answer) -> None:
        """One write for head and body, so that a client never waits for the second half."""
        # Walls answer with numbers that no standard names.
        phrase = responses.get(answer.status, "Unnamed")
        lines = [f"{self.protocol_version} {answer.status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        lines += [f"Date: {self.date_time_string()}", f"Content-Length: {len(answer.body)}", "", ""]
        body = b"" if self.command == "HEAD" else answer.body
        self.wfile.write("\r\n".join(lines).encode("latin-1") + body)

    def note(self, host: str, scheme: str, target: str, started: float, status: int) -> None:
        self.server.replica.note(
            Entry(
                host=host,
                method=self.command,
                path=target,
                scheme=scheme,
                user_agent=self.headers.get("User-Agent", ""),
                started=started,
                ended=time.monotonic(),
                status=status,
                connection=self.number,
            )
        )


@cache
def certified(host: str) -> ssl.SSLContext:
    """TLS with a certificate for `host`, signed by itself and forgotten with the process."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context

"""The wire of the faulty portal: a forward proxy of raw sockets that plays one act a request."""

from __future__ import annotations

import re
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.faults.modes import Act, TunnelMode, head
from tests.faults.site import Answer, Site
from tests.replica.proxy import certified, hang_up

_PAUSE = 0.002  # seconds between two pieces, so that they are two packets
_BEFORE_RESET = 0.02  # seconds for what was sent to arrive
_DRIP = 0.1  # seconds between two bytes
_LONGEST = 60.0  # seconds that a stalled connection waits for a client that never gives up
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST
_CONDITION = re.compile(rb"\r\nIf-None-Match:[ \t]*([^\r]*)\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One request as it came in, `heard` to the byte, and how it was answered.

    A CONNECT has an entry only when it failed; `url` is then empty, for nobody said what it is.
    """

    host: str
    url: str
    heard: bytes
    answer: Answer | TunnelMode


class FaultReplica:
    """The proxy, serving from `with` to its end on a free port; `log` in the order of arrival."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.log: list[Entry] = []
        self._lock = threading.Lock()
        self._live: set[socket.socket] = set()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.replica = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="faults"
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
            live = list(self._live)
        for connection in live:
            hang_up(connection)
        self._server.server_close()
        self._thread.join()

    def hear(self, heard: bytes, tunnelled: str) -> Act:
        """Write a GET down, and say what is played for it."""
        asked = heard.split(b" ", 2)[1].decode("latin-1")
        parts = urlsplit(asked)
        host = tunnelled or parts.netloc
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        condition = _CONDITION.search(heard)
        answer = self.site.answer(host, target, condition[1].decode() if condition else "")
        url = f"https://{host}{target}" if tunnelled else asked
        self.note(Entry(host, url, heard, answer))
        return answer.act

    def note(self, entry: Entry) -> None:
        with self._lock:
            self.log.append(entry)

    @contextmanager
    def alive(self, connection: socket.socket) -> Iterator[None]:
        with self._lock:
            self._live.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._live.discard(connection)


class _Server(socketserver.ThreadingTCPServer):
    """One thread a connection; all are joined when the server closes."""

    request_queue_size = 128
    replica: FaultReplica


class _Handler(socketserver.BaseRequestHandler):
    """The requests of one connection; a client that hangs up is no error."""

    server: _Server
    request: socket.socket

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError):
            self._converse(self.request)

    def _converse(self, connection: socket.socket, tunnelled: str = "") -> None:
        replica = self.server.replica
        with replica.alive(connection):
            while heard := _read_head(connection):
                if heard.startswith(b"CONNECT "):
                    self._tunnel(connection, heard)
                    return
                if not _play(connection, replica.hear(heard, tunnelled)):
                    return

    def _tunnel(self, connection: socket.socket, heard: bytes) -> None:
        host = heard.split(b" ", 2)[1].decode("latin-1").rpartition(":")[0]
        failure = self.server.replica.site.tunnel()
        if failure is not None:
            self.server.replica.note(Entry(host, "", heard, failure))
            connection.sendall(failure.answer)
            if failure.handshake:
                connection.recv(65536)  # the client's hello
                connection.sendall(failure.handshake)
            return
        connection.sendall(head("200 Connection established"))
        with certified(host).wrap_socket(connection, server_side=True) as secured:
            self._converse(secured, host)


def _read_head(connection: socket.socket) -> bytes:
    """A request up to its blank line; nothing when the client has gone."""
    heard = b""
    while not heard.endswith(b"\r\n\r\n"):
        more = connection.recv(65536)
        if not more:
            return b""
        heard += more
    return heard


def _play(connection: socket.socket, act: Act) -> bool:
    """Whether the connection may be used again."""
    first, *rest = (act.body,) if act.wire is None else act.wire
    connection.sendall(act.before + act.head + first + (b"" if rest else act.after))
    for piece in rest:
        time.sleep(_PAUSE)
        connection.sendall(piece)
    match act.end:
        case "stall":
            connection.settimeout(_LONGEST)
            connection.recv(1)
        case "drip":
            for _ in range(round(_LONGEST / _DRIP)):
                time.sleep(_DRIP)
                connection.sendall(b"x")
        case "reset":
            time.sleep(_BEFORE_RESET)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            connection.close()
    return act.end == "open"

"""The heads as they went over the wire: Scrapy keeps neither case, order, nor reason phrase.

Twisted's parser sees every line of a response head before it takes it apart, and writes a request
head in one go; both are copied there. The classes derived from are Scrapy's own and private: they
are pinned with it, and tests/test_wire.py fails when one changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL.SSL import Connection
from scrapy import Request
from scrapy.core.downloader.handlers.http11 import (
    _LenientHTTP11ClientProtocol,
    _LenientHTTPClientParser,
    _ResponseReader,
    _ScrapyAgent,
)
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure
from twisted.web._newclient import HEADER, STATUS
from twisted.web._newclient import Request as TxRequest
from twisted.web.client import Response as TxResponse
from twisted.web.client import _HTTP11ClientFactory
from twisted.web.iweb import IResponse

from crawler.fetching.outcomes import OverlongHead
from storage.capture.captures import Tls
from storage.capture.warc import digest

_LONGEST_HEAD = 256 * 1024


@dataclass(slots=True)
class Wire:
    """First line, headers and blank line of a request and of its answer, to the byte; who answered
    (an IP address), and how it was secured.
    """

    request_head: bytes
    response_head: bytes
    ip: str
    tls: Tls | None
    _body: BytesIO | None = None

    @property
    def received(self) -> int:
        """How many bytes of the body have come so far."""
        return self._body.tell() if self._body else 0

    @property
    def body(self) -> bytes:
        """What has come of the body so far."""
        return self._body.getvalue() if self._body else b""


class RecordingAgent(_ScrapyAgent):
    """Leaves what went over the wire in the request's `meta["wire"]`, whole answer or not."""

    def _cb_bodyready(self, txresponse: TxResponse, request: Request) -> Any:
        wire: Wire = getattr(txresponse, "gongkai_wire")  # noqa: B009  # attached below
        request.meta["wire"] = wire
        deliver = txresponse.deliverBody

        def observed(reader: _ResponseReader) -> None:
            # When a timeout or the limit ends the download, the reader has what came till then.
            wire._body = reader._bodybuf
            deliver(reader)  # type: ignore[no-untyped-call]

        txresponse.deliverBody = observed  # type: ignore[method-assign]
        return super()._cb_bodyready(txresponse, request)


class RecordingFactory(_HTTP11ClientFactory):
    """Makes the protocols of a connection pool."""

    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> _RecordingProtocol:
        return _RecordingProtocol(self._quiescentCallback)  # type: ignore[no-untyped-call]


class _RecordingProtocol(_LenientHTTP11ClientProtocol):
    def request(self, request: TxRequest) -> Deferred[IResponse]:
        sent = _Sheet()
        answered = super().request(request)
        request._writeHeaders(sent, None)  # type: ignore[no-untyped-call]
        parser = self._parser
        assert parser is not None
        parser.__class__ = _RecordingParser

        def wire() -> Wire:
            head = b"".join(getattr(parser, "head"))  # noqa: B009  # its class was changed
            transport: Any = self.transport
            return Wire(sent.text, head, transport.getPeer().host, _tls(transport))

        def attach(response: IResponse) -> IResponse:
            response.gongkai_wire = wire()
            return response

        def keep_head(failure: Failure) -> Failure:
            """A whole head that contradicts itself has no response; it is evidence all the same."""
            head = getattr(parser, "head", [])
            if parser.state == HEADER and head[-1:] in ([b"\r\n"], [b"\n"]):
                setattr(failure.value, "gongkai_wire", wire())  # noqa: B010
            return failure

        answered.addCallbacks(attach, keep_head)
        return answered


class _RecordingParser(_LenientHTTPClientParser):
    """Keeps the lines of the last head: a 100 Continue before it is no part of the answer."""

    head: list[bytes]
    _left: int

    def lineReceived(self, line: bytes) -> None:
        if self.state == STATUS:
            self.head, self._left = [], _LONGEST_HEAD
        self._left -= len(line)
        if self._left < 0:
            raise OverlongHead(f"a head of more than {_LONGEST_HEAD} bytes")
        self.head.append(line + self.delimiter)
        super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        raise OverlongHead(f"a line of {len(line)} bytes in the head")


def _tls(transport: Any) -> Tls | None:
    connection = transport.getHandle()
    if not isinstance(connection, Connection):
        return None  # a plain socket
    certificate = connection.get_peer_certificate(as_cryptography=True)
    return Tls(
        # As the WARC proposal spells it: tls/1.3 for what OpenSSL calls TLSv1.3.
        (connection.get_protocol_version_name() or "").lower().replace("v", "/"),
        connection.get_cipher_name() or "",
        digest(certificate.public_bytes(Encoding.DER)) if certificate else "",
    )


class _Sheet:
    """Stands in for a transport where a head is written a second time."""

    text = b""

    def writeSequence(self, lines: Sequence[bytes]) -> None:
        self.text = b"".join(lines)

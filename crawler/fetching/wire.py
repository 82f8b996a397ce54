"""The heads as they went over the wire: Scrapy keeps neither case, order, nor reason phrase.

Twisted's parser sees every line of a response head before it takes it apart, and writes a request
head in one go; both are copied there. The classes derived from are Scrapy's own and private: they
are pinned with it, and tests/test_wire.py fails when one changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scrapy import Request
from scrapy.core.downloader.handlers.http11 import (
    _LenientHTTP11ClientProtocol,
    _LenientHTTPClientParser,
    _ScrapyAgent,
)
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.web._newclient import STATUS
from twisted.web._newclient import Request as TxRequest
from twisted.web.client import Response as TxResponse
from twisted.web.client import _HTTP11ClientFactory
from twisted.web.iweb import IResponse


@dataclass(frozen=True, slots=True)
class Wire:
    """First line, headers and blank line of a request and of its answer, to the byte."""

    request_head: bytes
    response_head: bytes


class RecordingAgent(_ScrapyAgent):
    """Leaves the heads of an exchange in the request's `meta["wire"]`."""

    def _cb_bodyready(self, txresponse: TxResponse, request: Request) -> Any:
        request.meta["wire"] = getattr(txresponse, "gongkai_wire", None)
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

        def attach(response: IResponse) -> IResponse:
            response.gongkai_wire = Wire(sent.text, b"".join(parser.head))  # type: ignore[attr-defined]
            return response

        answered.addCallback(attach)
        return answered


class _RecordingParser(_LenientHTTPClientParser):
    """Keeps the lines of the last head: a 100 Continue before it is no part of the answer."""

    head: list[bytes]

    def lineReceived(self, line: bytes) -> None:
        if self.state == STATUS:
            self.head = []
        self.head.append(line + self.delimiter)
        super().lineReceived(line)


class _Sheet:
    """Stands in for a transport where a head is written a second time."""

    text = b""

    def writeSequence(self, lines: Sequence[bytes]) -> None:
        self.text = b"".join(lines)

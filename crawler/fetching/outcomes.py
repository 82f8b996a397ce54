"""How an attempt ended, in one word: the `outcome` of its row."""

from __future__ import annotations

from scrapy.core.downloader.handlers.http11 import TunnelError
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    ResponseDataLossError,
    UnsupportedURLSchemeError,
)
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost

OK = "ok"
REDIRECT = "redirect"
NOT_MODIFIED = "not_modified"
HTTP_ERROR = "http_error"
ROBOTS_REFUSED = "robots_refused"
OUT_OF_SCOPE = "out_of_scope"
RETRY_LATER = "retry_later"
TRUNCATED = "truncated"
FAILED = "failed"

_BY_ERROR: dict[type[Exception], str] = {
    CannotResolveHostError: "dns",
    DownloadConnectionRefusedError: "refused",
    DownloadTimeoutError: "timeout",
    DownloadCancelledError: "too_large",
    ResponseDataLossError: TRUNCATED,
    UnsupportedURLSchemeError: OUT_OF_SCOPE,
    ConnectionLost: "reset",
    ConnectionDone: "reset",
    ConnectError: "refused",
    TunnelError: "proxy",
    DownloadFailedError: FAILED,
}
# What a download may end with; anything else is a fault of ours.
DOWNLOAD_ERRORS = tuple(_BY_ERROR)


def of_status(status: int) -> str:
    """The outcome of an answered attempt."""
    if status == 304:
        return NOT_MODIFIED
    if 300 <= status < 400:
        return REDIRECT
    return OK if status < 300 else HTTP_ERROR


def of_error(error: BaseException) -> str:
    """The outcome of an attempt that got no whole answer."""
    if isinstance(error, DownloadFailedError) and "SSL" in str(error):
        return "tls"
    return next((word for kind, word in _BY_ERROR.items() if isinstance(error, kind)), FAILED)

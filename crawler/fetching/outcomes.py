"""How an attempt ended, in one word: the `outcome` of its row."""

from __future__ import annotations

from OpenSSL.SSL import Error as SSLError
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
from twisted.web.client import ResponseFailed


class OverlongHead(Exception):
    """Raised while a response head is read that is longer than any honest one."""


OK = "ok"
REDIRECT = "redirect"
REDIRECT_LOOP = "redirect_loop"
NOT_MODIFIED = "not_modified"
CLIENT_ERROR = "client_error"
SERVER_ERROR = "server_error"
BLOCKED = "blocked"
MAINTENANCE = "maintenance"
SOFT_404 = "soft_404"
SHELL = "shell"
EMPTY = "empty"
BAD_ENCODING = "bad_encoding"
TRUNCATED = "truncated"
TOO_LARGE = "too_large"
RESET = "reset"
TIMEOUT = "timeout"
TLS = "tls"
FAILED = "failed"
# Never sent.
ROBOTS_REFUSED = "robots_refused"
OUT_OF_SCOPE = "out_of_scope"
RETRY_LATER = "retry_later"
PRIVATE_ADDRESS = "private_address"
CIRCUIT_OPEN = "circuit_open"
BUDGET_SPENT = "budget_spent"

# Answers that are kept as evidence and never read: what they show is not what was asked for.
_UNUSABLE = frozenset(
    {REDIRECT_LOOP, BLOCKED, MAINTENANCE, SOFT_404, SHELL, EMPTY, BAD_ENCODING, TOO_LARGE}
)
_REPORTS = frozenset({"report", "seed", "attachment"})
LONGEST_REDIRECT = 5

_BY_ERROR: dict[type[Exception], str] = {
    CannotResolveHostError: "dns",
    DownloadConnectionRefusedError: "refused",
    DownloadTimeoutError: TIMEOUT,
    DownloadCancelledError: TOO_LARGE,
    ResponseDataLossError: TRUNCATED,
    UnsupportedURLSchemeError: OUT_OF_SCOPE,
    ConnectionLost: RESET,
    ConnectionDone: RESET,
    ConnectError: "refused",
    TunnelError: "proxy",
    DownloadFailedError: FAILED,
}
# What a download may end with; anything else is a fault of ours.
DOWNLOAD_ERRORS = tuple(_BY_ERROR)


def is_unusable(outcome: str, purpose: str) -> bool:
    """Whether nobody may read an answer. A listing that is only script has its rows elsewhere."""
    return outcome in _UNUSABLE and (outcome != SHELL or purpose in _REPORTS)


def of_error(error: BaseException) -> str:
    """The outcome of an attempt that got no whole answer."""
    for reason in _reasons(error):
        if isinstance(reason, OverlongHead):
            return TOO_LARGE
        if isinstance(reason, SSLError):
            return TLS
        if isinstance(reason, ConnectionLost | ConnectionDone):
            return RESET
    return next((word for kind, word in _BY_ERROR.items() if isinstance(error, kind)), FAILED)


def _reasons(error: BaseException) -> list[BaseException]:
    """What Twisted says was wrong with the connection, beneath Scrapy's own words."""
    cause = error.__cause__
    return [failure.value for failure in cause.reasons] if isinstance(cause, ResponseFailed) else []

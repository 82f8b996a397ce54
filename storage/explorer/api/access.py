"""Who may ask, and how often.

A bucket a client in this process, and no package: those that do it bring storages, strategies and a
decorator a route, of which one server with one process needs none. Several processes each count for
themselves; who needs one count in front of them sets it in the proxy that is there then.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storage.errors import SettingsError
from storage.explorer.api.problems import Refusal, problem_response

_MINUTE = 60
# A bucket is some hundred bytes; whoever was silent for a minute has a full one anyway.
_MOST_CLIENTS = 50_000
_POLICY = "per-address"


def _rate() -> int:
    said = os.environ.get("GONGKAI_API_RATE") or "600"
    if not said.isascii() or not said.isdigit():
        raise SettingsError(
            f"GONGKAI_API_RATE is {said!r}: give requests a minute and client, or 0 for no limit"
        )
    return int(said)


@dataclass(frozen=True, slots=True)
class Access:
    """`Access()` reads the environment; arguments win over it.

    `token` (GONGKAI_API_TOKEN): who has it may ask; without it everybody. `rate` (GONGKAI_API_RATE,
    default 600): requests a minute and client; 0 is no limit. Raises SettingsError.
    """

    token: str | None = field(default_factory=lambda: os.environ.get("GONGKAI_API_TOKEN") or None)
    rate: int = field(default_factory=_rate)


@dataclass
class Buckets:
    """What each client may still ask: a minute's worth at once, refilled evenly."""

    rate: int
    clock: Callable[[], float] = time.monotonic
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, client: str) -> tuple[int, int]:
        """Requests left, -1 where this one was too many; and seconds until there is one more."""
        now = self.clock()
        left, then = self._left.pop(client, (float(self.rate), now))
        left = min(float(self.rate), left + (now - then) * self.rate / _MINUTE) - 1
        refused = left < 0
        self._left[client] = (left + 1 if refused else left, now)
        if len(self._left) > _MOST_CLIENTS:
            self._left.popitem(last=False)
        wait = ceil((-left if refused else max(0.0, 1 - left)) * _MINUTE / self.rate)
        return (-1 if refused else int(left)), wait


class Gate:
    """Counts, asks for the token, and says to browsers that everybody may read the answers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.token = None if access.token is None else access.token.encode()
        self.buckets = Buckets(access.rate) if access.rate else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        told = {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Expose-Headers": (
                "ETag, Link, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate"
            ),
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
            "Vary": "Accept" if self.token is None else "Accept, Authorization",
        }

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(told)
                if self.token is not None and headers.get("cache-control") == "no-cache":
                    headers["Cache-Control"] = "private, no-cache"
            await send(message)

        refusal = self._refuses(scope, told)
        to = self.app if refusal is None else problem_response(refusal)
        await to(scope, receive, answer)

    def _refuses(self, scope: Scope, told: dict[str, str]) -> Refusal | None:
        if self.buckets is not None:
            quota = self.buckets.rate
            left, wait = self.buckets.take(_client(scope))
            told["RateLimit-Policy"] = f'"{_POLICY}";q={quota};w={_MINUTE}'
            told["RateLimit"] = f'"{_POLICY}";r={max(left, 0)};t={wait}'
            if left < 0:
                retry = {"Retry-After": str(wait)}
                return Refusal("too-many-requests", quota=quota, wait=wait, headers=retry)
        # A browser asks without it whether it may ask with it.
        if self.token is None or scope["method"] == "OPTIONS" or self._knows(scope):
            return None
        challenge = {"WWW-Authenticate": 'Bearer realm="gongkai"'}
        return Refusal("token-required", headers=challenge)

    def _knows(self, scope: Scope) -> bool:
        scheme, _, said = Headers(scope=scope).get("authorization", "").partition(" ")
        known = compare_digest(said.strip().encode("latin-1"), self.token or b"")
        return scheme.lower() == "bearer" and known


def _client(scope: Scope) -> str:
    """The address; of IPv6 the network, all of which is one customer's."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ip_address(host)
    except ValueError:
        return str(host)
    if isinstance(address, IPv6Address):
        return str(ip_network(f"{address}/64", strict=False))
    return str(address)

"""What stands before both applications: what no browser asks is refused, and every answer says what
a browser may do with it.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# In bytes, of path and question. No page asks for more; an answer may say again what was asked.
LONGEST_ADDRESS = 8_000


class Guard:
    """Every answer has `headers`, unless it says more for itself."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self.app, self.headers = app, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                add(message, self.headers)
            await send(message)

        await (_refused(scope) or self.app)(scope, receive, guarded)


def add(message: MutableMapping[str, Any], headers: Mapping[str, str]) -> None:
    """Give an answer the headers that it does not have."""
    known = MutableHeaders(scope=message)
    for name, value in headers.items():
        known.setdefault(name, value)


def _refused(scope: Scope) -> PlainTextResponse | None:
    asked: bytes = scope["query_string"]
    if len(asked) + len(scope["path"].encode()) > LONGEST_ADDRESS:
        return PlainTextResponse("地址过长 The address is too long.\n", 414)
    if not asked.isascii():
        return PlainTextResponse("地址有误 The address is not written as one.\n", 400)
    return None

"""An answer as bytes, opened: its fields, its content without compression, and what it is.

The same calls serve an answer from the wire, one that the archive holds, and one that a start after
a crash finds in a WARC file: all three are judged alike.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from scrapy import Request
from scrapy.http import Headers, Response
from scrapy.responsetypes import responsetypes

from crawler.fetching import outcomes
from crawler.fetching.triage import Answer, Expects, Missing, triage

# gzip packs a run of zeros 1,032 times smaller and a page of markup ten times; a hundredfold gain
# on more than this many bytes is no page.
_RATIO, _SUSPICIOUS = 100, 8 * 1024 * 1024
_PIECE = 1 << 16
_GZIP = b"\x1f\x8b"
_EXPECTS: dict[str, Expects] = {
    "entry": "home",
    "attachment": "file",
    "robots": "robots",
    "data": "data",
}


class Content(NamedTuple):
    """A body without its Content-Encoding; `trouble` is the outcome word of what stood against."""

    body: bytes
    trouble: str = ""


class Opened(NamedTuple):
    """The answer as Scrapy shows it, and its outcome in a word."""

    response: Response
    outcome: str


def open_answer(
    request: Request, purpose: str, head: bytes, body: bytes, limit: int, missing: Missing | None
) -> Opened:
    """Take the compression off an answer and judge it. `request.meta` tells where it came from.

    `limit`: bytes that the content may have; `missing`: what this host answers for nothing.
    """
    status, found = status_of(head), list(fields(head))
    content = decode(body, _encodings(found), limit)
    headers = Headers()
    for name, value in found:
        if name.lower() not in {b"content-encoding", b"transfer-encoding"}:
            headers.appendlist(name, value)
    kind = responsetypes.from_args(headers=headers, url=request.url, body=content.body)
    response = kind(url=request.url, status=status, headers=headers, body=content.body)
    outcome = content.trouble or triage(
        as_answer(request, response), _EXPECTS.get(purpose, "page"), missing
    )
    if outcome == outcomes.OK and status == 206:
        outcome = outcomes.TRUNCATED  # a part that nobody asked for
    if outcome == outcomes.REDIRECT and _is_loop(request, response):
        outcome = outcomes.REDIRECT_LOOP
    return Opened(response, outcome)


def as_answer(request: Request, response: Response) -> Answer:
    """A response as the triage takes it."""
    led = request.meta.get("redirect_urls", ())
    return Answer(
        url=response.url,
        asked=led[0] if led else request.url,
        status=response.status,
        headers=tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, values in response.headers.items()
            for value in values
        ),
        body=response.body,
    )


def status_of(head: bytes) -> int:
    """The status code of a response head, which has one: HTTP/1.1 200 OK."""
    return int(head.split(None, 2)[1])


def fields(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The fields of an HTTP head in their order, folded ones joined; what has no colon is none.

    >>> list(fields(b"HTTP/1.1 200 OK\\r\\nA: 1\\r\\n 2\\r\\nodd\\r\\nb:3\\r\\n\\r\\n"))
    [(b'A', b'1 2'), (b'b', b'3')]
    """
    unfolded = re.sub(rb"\r?\n[ \t]+", b" ", head)
    for line in re.split(rb"\r?\n", unfolded)[1:]:
        name, colon, value = line.partition(b":")
        if colon and name.strip():
            yield name.strip(), value.strip()


def decode(body: bytes, encodings: list[bytes], limit: int) -> Content:
    """Undo the encodings, last applied first. An encoding we never asked for is left as it is.

    Stops at `limit` bytes, and where so few bytes become so many that they mean harm.
    """
    for encoding in reversed(encodings):
        if encoding not in {b"gzip", b"x-gzip", b"deflate"} or not body:
            continue
        body, trouble = _inflate(body, encoding, limit)
        if trouble:
            return Content(body, trouble)
    return Content(body)


def _inflate(body: bytes, encoding: bytes, limit: int) -> Content:
    wbits = 16 + zlib.MAX_WBITS
    if encoding == b"deflate":
        # Servers send both what the standard says (zlib) and what they think it says (raw).
        wbits = zlib.MAX_WBITS if body[0] & 0x0F == 8 else -zlib.MAX_WBITS
    elif body[:2] != _GZIP:
        return Content(body)  # only called compressed
    most = min(limit, max(_SUSPICIOUS, _RATIO * len(body)))
    parts: list[bytes] = []
    size, member = 0, zlib.decompressobj(wbits)
    for start in range(0, len(body), _PIECE):
        rest = body[start : start + _PIECE]
        while rest:
            if member.eof:
                if rest[:2] != _GZIP:
                    return Content(b"".join(parts))  # padding behind the last member
                member = zlib.decompressobj(wbits)
            try:
                part = member.decompress(rest, most - size + 1)
            except zlib.error:
                return Content(b"".join(parts), outcomes.TRUNCATED)
            parts.append(part)
            size += len(part)
            if size > most:
                return Content(b"", outcomes.TOO_LARGE)
            rest = member.unused_data
    return Content(b"".join(parts), "" if member.eof else outcomes.TRUNCATED)


def _encodings(found: list[tuple[bytes, bytes]]) -> list[bytes]:
    values = [value for name, value in found if name.lower() == b"content-encoding"]
    return [word.strip().lower() for value in values for word in value.split(b",")]


def _is_loop(request: Request, response: Response) -> bool:
    """Whether the redirect leads to where it came from, or goes on for too long."""
    led = [*request.meta.get("redirect_urls", ()), request.url]
    target = (response.headers.get("Location") or b"").decode("latin-1")
    return response.urljoin(target) in led or len(led) > outcomes.LONGEST_REDIRECT

"""An archive of hostile pages and names, made through the product's own calls: synthetic."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

from storage.settings import Settings
from tests.databases import Crawl, exchange, key, reading

_CASES = tomllib.loads(Path(__file__).with_name("cases.toml").read_text("utf-8"))
HOST = "http://www.xjtsq.gov.cn"
PDF = b"%PDF-1.4\n% nothing\n"


@dataclass(frozen=True, slots=True)
class Case:
    """A capture that wants to act; `name` of a file, else empty. `clicks`: it wants to be clicked.

    The number of its capture is what the listener and the console hear of it.
    """

    capture_id: int
    kind: str
    label: str
    name: str = ""
    clicks: bool = False


@dataclass(frozen=True, slots=True)
class Bytes:
    """A page before it is captured."""

    kind: str
    label: str
    body: bytes
    content_type: str = "text/html; charset=utf-8"


def pages(beacon: str) -> Iterator[Bytes]:
    """Every page; what it does tells the listener at `beacon` (an origin), with the number that its
    capture will have: the first is the report's.
    """
    number = 1
    for kind, each in _CASES["pages"].items():
        for label, html in each.items():
            number += 1
            text = f"<!DOCTYPE html><p>synthetic</p>{_armed(html, beacon, number)}"
            yield Bytes(kind, label, text.encode())
    for label, each in _CASES["coded"].items():
        number += 1
        body = _armed(each["html"], beacon, number).encode(each["as"], "replace")
        yield Bytes("charset and kind", label, body, each["type"])


def names() -> dict[str, str]:
    """Label → name of a file."""
    return {
        label: name.replace("LONG", "长" * 3000).replace("RUN", "alert(1)")
        for label, name in _CASES["names"].items()
    }


def build(engine: sa.Engine, settings: Settings, beacon: str) -> list[Case]:
    """Fill an empty archive; a report with a hostile title is the first of it."""
    cases = []
    with Crawl(engine, settings.warc_directory) as crawl:
        title = _armed("<script>RUN</script><img src='OUT'>", beacon, 1)
        crawl.page(b"<p>synthetic</p>", reading("1", "1", "1", "1"), title=title)
        cases.append(Case(1, "address", "title of a report"))
        for number, page in enumerate(pages(beacon)):
            # An address may hold anything but a line's end.
            url = f'{HOST}/{number}.htm?"><script>{quote(page.label)}</script>'
            head = f"HTTP/1.1 200 OK\r\nContent-Type: {page.content_type}\r\n{_ODD}\r\n\r\n"
            answered = exchange(page.body, url, head=head.encode())
            clicks = b"id=click" in page.body
            cases.append(Case(crawl.capture(answered).id, page.kind, page.label, clicks=clicks))
        for number, (label, name) in enumerate(names().items()):
            _file(crawl, PDF + str(number).encode(), name)
            cases.append(Case(cases[-1].capture_id + 1, "name of a file", label, name))
    return cases


# Of every answer: what a replay that copies headers would hand on.
_ODD = "\r\n".join(
    (
        "Set-Cookie: sid=1; Path=/",
        "Refresh: 0; url=http://outside.invalid/",
        "Link: <http://outside.invalid/x>; rel=preload; as=script",
        'Content-Disposition: inline; filename="x.html"',
        "Access-Control-Allow-Origin: *",
        "Content-Security-Policy: script-src *",
        "Location: http://outside.invalid/\r\n folded",
        "X-Markup: <script>alert(1)</script>",
    )
)


def _file(crawl: Crawl, body: bytes, name: str) -> None:
    """An address cannot hold every name: there it is escaped, as a portal's link would have it."""
    url = f"{HOST}/files/{quote(name[:200], safe='')}"
    seen = crawl._observation(
        crawl.capture(exchange(body, url)), body, key(), url, name, None, name
    )
    crawl._keep(seen, None)


def _armed(html: str, beacon: str, number: int) -> str:
    told = (
        f"document.title=`ran`;console.log(`ran {number}`);"
        f"new Image().src=`{beacon}/ran/{number}`;alert(`ran`)"
    )
    host = beacon.removeprefix("http://")
    return (
        html.replace("OUTHOST", f"{host}/out/{number}")
        .replace("OUT", f"{beacon}/out/{number}")
        .replace("DEEP", "<div>" * 600)
        .replace("RUN", told)
    )

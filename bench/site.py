"""`python -m bench.site PAGES`: a fast forward proxy on loopback with one portal of many reports.

Prints its address and serves until its standard input closes. Report pages have the size and shape
of real ones (about 93 kB: furniture, markup as pasted from Word, the statutory tables); every
tenth has a docx. Answers are made by one replacement in a prepared page, so that the server is not
what is measured.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.pages import body

GOLD = Path(__file__).parents[1] / "tests" / "gold"
ROWS = 20  # reports on a listing
_HEAD = "HTTP/1.1 {} OK\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n"
_ORGAN = "第{}号机关"


def title(number: int) -> str:
    """Of report `number`, counted from 0."""
    return f"水磨沟区{_ORGAN.format(number // 18)}{2008 + number % 18}年政府信息公开工作年度报告"


class Site:
    """Answers by path and query."""

    def __init__(self, pages: int) -> None:
        self._pages = pages
        self._article = _article().split(b"@@")
        self._docx = _docx()

    def answer(self, target: str) -> bytes:
        parts = urlsplit(target)
        if parts.path == "/":
            link = '<a href="/info/iList.jsp?cat_id=1">政府信息公开年报</a>'
            return _page(f"<ul><li>{link}</li></ul>")
        if parts.path == "/info/iList.jsp":
            return _page(self._listing(int(parse_qs(parts.query).get("cur_page", ["1"])[0])))
        if parts.path.startswith("/nb/nb/"):
            return self._report(int(parts.path[7:-4]))
        if parts.path.endswith(".docx"):
            content = self._docx + parts.path.encode()
            return _HEAD.format(200, "application/msword", len(content)).encode() + content
        return _HEAD.format(404, "text/plain", 0).encode()

    def _listing(self, page: int) -> str:
        numbers = range((page - 1) * ROWS, min(page * ROWS, self._pages))
        rows = "".join(
            f'<li class="am-list-item-dated"><a href="/nb/nb/{n}.htm">{title(n)}</a>'
            "<span>2026-01-20</span></li>"
            for n in numbers
        )
        last = -(-self._pages // ROWS)
        onward = f"/info/iList.jsp?cat_id=1&cur_page={page + 1}"
        more = f'<li><a href="{onward}">下一页</a></li>' if page < last else ""
        pager = f'<ul class="am-pagination-centered"><li>共有{self._pages}条</li>{more}</ul>'
        return f"<ul>{rows}</ul>{pager}"

    def _report(self, number: int) -> bytes:
        file = f'<p><a href="/files/{number}.docx">附件.docx</a></p>' if number % 10 == 0 else ""
        head, middle, tail = self._article
        content = head + title(number).encode() + middle + file.encode() + tail
        return _HEAD.format(200, "text/html; charset=utf-8", len(content)).encode() + content


def _page(main: str) -> bytes:
    content = f"<html><head><title>年报</title></head><body>{main}</body></html>".encode()
    return _HEAD.format(200, "text/html; charset=utf-8", len(content)).encode() + content


def _article() -> bytes:
    """A report page with two holes: its title, and a file."""
    gold = json.loads((GOLD / "hongze-2024.json").read_text("utf-8"))
    from tests.pages import tables_of

    text = body("@@", tables_of(gold), "word").replace("@@", "年度报告")
    menu = "".join(f'<li><a href="/c/{n}">栏目 {n}</a></li>' for n in range(400))
    script = "var a=" + json.dumps([n * n for n in range(1500)]) + ";"
    return (
        f"<html><head><title>年报</title><script>{script}</script></head><body><ul>{menu}</ul>"
        f'<h1 id="title">@@</h1><p class="info">发布时间:2026-01-20</p>'
        f'<div id="text">{text}@@</div></body></html>'
    ).encode()


def _docx() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("word/document.xml", random.Random(1).randbytes(24_000))
    return file.getvalue()


async def serve(pages: int) -> None:
    site = Site(pages)

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            while await reader.readline() not in (b"\r\n", b""):
                pass
            parts = urlsplit(head.split()[1].decode())
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            writer.write(site.answer(target))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))

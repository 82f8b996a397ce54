"""Two portals with some hundred reports, and everything on them that a crash could get wrong.

Besides plain reports: old addresses that redirect, one page under two addresses, files with a
validator, a file of two reports, a report that breaks off once, one that is refused once, dead
links, links to what is not there and answers 200 all the same, and a disallowed one.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from threading import Lock
from urllib.parse import parse_qs, urlsplit

from crawler.cms import cms_by_key
from crawler.portals import Portal, host_of, load

PORTALS = ("shuimogou", "midong")
ROBOTS = b"User-agent: *\nDisallow: /hidden/\nCrawl-delay: 1\n"
_LISTING = "/info/iList.jsp"
_ROWS = 60  # a listing page
_ORGANS, _YEARS = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥", 10
_MOVED, _TWINS = range(0, 4), range(4, 8)
_TORN, _BUSY = 8, 9  # asked for the first time
_WITH_FILE, _SHARING = 10, 15  # remainders by 20
_PATH = re.compile(r"/(nb|old|copy)/\1/(\d+)\.htm")


@dataclass(frozen=True)
class Page:
    """An answer of the world; `torn` announces more than it sends."""

    status: str
    body: bytes
    kind: str = "text/html; charset=utf-8"
    etag: str = ""
    location: str = ""
    torn: bool = False


GONE = Page("404 Not Found", b"not here", "text/plain")


class World:
    """`reports` reports, half on each portal. Thread safe; remembers what was asked for once."""

    def __init__(self, reports: int) -> None:
        registry = load(cms_by_key()).portals
        each = reports // len(PORTALS)
        self._sites = {host_of(registry[key].home): _Site(registry[key], each) for key in PORTALS}
        self._lock = Lock()

    def page(self, host: str, target: str) -> Page:
        """What this address answers now. Raises KeyError for a host that is none of ours."""
        with self._lock:
            return self._sites[host].page(target)


class _Site:
    def __init__(self, portal: Portal, reports: int) -> None:
        self._division, self._reports = portal.name_zh, reports
        self._asked: Counter[int] = Counter()

    def page(self, target: str) -> Page:
        if target == "/robots.txt":
            return Page("200 OK", ROBOTS, "text/plain")
        if target == "/":
            return _html("home", rows=self._rows(self._home()))
        if target.startswith(_LISTING):
            return self._listing(int(parse_qs(urlsplit(target).query).get("cur_page", ["1"])[0]))
        if target.startswith("/f/"):
            body = f"PK {self._division} {target}".encode()
            return Page("200 OK", body, "application/msword", f'"{sha256(body).hexdigest()[:12]}"')
        if target.startswith("/gone/"):
            return GONE
        if (found := _PATH.fullmatch(target)) is not None:
            return self._report(found[1], int(found[2]))
        return _html("missing")

    def _report(self, tree: str, number: int) -> Page:
        if tree == "old":
            return Page("301 Moved Permanently", b"", location=f"/nb/nb/{number}.htm")
        page = _html(
            "report", title=self._title(number), number=str(number), files=self._files(number)
        )
        self._asked[number] += 1
        if self._asked[number] == 1 and number == _TORN:
            return Page(page.status, page.body[:-200], torn=True)
        if self._asked[number] == 1 and number == _BUSY:
            return Page("503 Service Unavailable", b"busy", "text/plain")
        return page

    def _listing(self, number: int) -> Page:
        listed = [("nb", n) for n in range(self._reports)] + [("copy", n) for n in _TWINS]
        shown = listed[(number - 1) * _ROWS : number * _ROWS]
        rows = ((f"/{tree}/{tree}/{n}.htm", self._title(n)) for tree, n in shown)
        more = number * _ROWS < len(listed)
        # Without the count nothing would prove that a full page is the last one.
        pager = _template("total", count=str(len(listed)))
        pager += _template("next", page=str(number + 1)) if more else ""
        return _html("listing", rows=self._rows(rows), pager=pager)

    def _home(self) -> Iterator[tuple[str, str]]:
        """Reports that only the home page names: nobody waits for them where they are dead."""
        for number in _MOVED:
            yield f"/old/old/{number}.htm", self._title(number)
        for year in range(3):
            for tree in ("gone", "lost", "hidden"):
                title = f"{self._division}虚构{tree}局{2010 + year}年政府信息公开工作年度报告"
                yield f"/{tree}/{tree}/{year}.htm", title

    def _files(self, number: int) -> str:
        links = []
        if number % 20 == _WITH_FILE:
            links.append((f"/f/{number}.doc", f"附件{number}.doc"))
        if number % 20 in {_WITH_FILE, _SHARING}:
            links.append((f"/f/{number // 20}-shared.doc", "共用附件.doc"))
        return "".join(_template("file", path=path, name=name) for path, name in links)

    def _rows(self, links: Iterator[tuple[str, str]]) -> str:
        return "".join(_template("row", path=path, title=title) for path, title in links)

    def _title(self, number: int) -> str:
        """Organ and year of the first 4,840 numbers differ."""
        organ, year = divmod(number, _YEARS)
        second, first = divmod(organ, len(_ORGANS))
        name = _ORGANS[first] + _ORGANS[second]
        return f"{self._division}虚构{name}局{2012 + year}年政府信息公开工作年度报告"


@cache
def _templates() -> dict[str, str]:
    return tomllib.loads(Path(__file__).with_name("pages.toml").read_text("utf-8"))


def _template(name: str, /, **fields: str) -> str:
    plain = {key: value if "<" in value else escape(value) for key, value in fields.items()}
    return _templates()[name].strip().format(**plain)


def _html(name: str, /, **fields: str) -> Page:
    return Page("200 OK", _template(name, **fields).encode())

"""One listing of a small synthetic site in one of the dialects, and the faults it can have."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

SIZE = 10
# Dialect → portal whose CMS it is, and the address of the listing.
PLACES = {
    "vsb": ("tianshan", "http://www.xjtsq.gov.cn/open/nb.htm"),
    "ucap": ("toutunhe", "http://www.uetd.gov.cn/jjjskfq/c119930/zfxxgk_gknbz.shtml"),
    "json": ("toutunhe", "http://www.uetd.gov.cn/jjjskfq/c119931/zfxxgk_gknbz.shtml"),
    "cicro": ("midong", "http://www.xjmd.gov.cn/info/iList.jsp?cat_id=10120"),
    "content_n": ("xinshi", "http://www.uhdz.gov.cn/zfxxgk/nb"),
}
_MARKS = {
    "vsb": "<!--Announced by Visual SiteBuilder 9-->",
    "ucap": '<meta name="ColumnName" content="年报">',
    "json": '<meta name="ColumnName" content="年报">',
    "cicro": '<link href="amazeui.css"><p class="am-list-item-dated"></p>',
    "content_n": "",
}


@dataclass
class Site:
    """A listing of `entries` (their numbers, newest first).

    `counted`: it declares its total. What a fault changes: `said_pages` and `said_total` are what
    the pager says, `has_pager` whether there is one; `instead` gives the rows of a page, `broken`
    the answer in its place; `then` happens once, behind the answer with that number.
    """

    dialect: str
    entries: list[int]
    counted: bool = True
    size: int = SIZE
    said_pages: int | None = None
    said_total: int | None = None
    has_pager: bool = True
    instead: dict[int, Callable[[], list[int]]] = field(default_factory=dict)
    broken: dict[int, Callable[[str], tuple[int, str]]] = field(default_factory=dict)
    then: tuple[int, Callable[[], None]] | None = None
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return PLACES[self.dialect][1]

    @property
    def pages(self) -> int:
        return max(-(-len(self.entries) // self.size), 1)

    def entry_url(self, entry: int) -> str:
        origin = re.match("http://[^/]+", self.url)
        assert origin is not None
        path = {
            "vsb": f"/info/3168/{entry}.htm",
            "ucap": f"/jjjskfq/c119930/202401/{entry:032x}.shtml",
            "json": f"/jjjskfq/c119931/202401/{entry:032x}.shtml",
            "cicro": f"/nb/nb/{entry}.htm",
            "content_n": f"/zfxxgk/nb/content_{entry}",
        }[self.dialect]
        return origin[0] + path

    def truth(self) -> set[str]:
        return set(map(self.entry_url, self.entries))

    def answer(self, url: str) -> tuple[int, str]:
        """Status and text; 404 for a page that there is not."""
        self.asked.append(url)
        answer = self._answer(url)
        if self.then is not None and len(self.asked) == self.then[0]:
            happens, self.then = self.then[1], None
            happens()
        return answer

    def _answer(self, url: str) -> tuple[int, str]:
        number = self._number(url)
        if number is None or not 1 <= number <= self.pages:
            return 404, "<html><body>not here</body></html>"
        if url == self.url and self.dialect == "json":
            return 200, self._shell()
        text = self._page(number)
        return self.broken[number](text) if number in self.broken else (200, text)

    def _number(self, url: str) -> int | None:
        if url == self.url:
            return 1
        stem = self.url.removesuffix(".htm").removesuffix(".shtml")
        forms = {
            "vsb": re.escape(stem) + r"/(\d+)\.htm",
            "ucap": re.escape(stem) + r"_(\d+)\.shtml",
            "json": r".*/common/search/[0-9a-f]+\?.*page=(\d+)(?=&|$).*",
            "cicro": re.escape(stem) + r"&cur_page=(\d+)",
            "content_n": re.escape(stem) + r"\?page=(\d+)",
        }
        found = re.fullmatch(forms[self.dialect], url)
        if not found:
            return None
        number = int(found[1])
        return self.pages - number + 1 if self.dialect == "vsb" else number

    def _address(self, number: int) -> str:
        """Where a page stands."""
        if number == 1:
            return self.url
        return {
            "vsb": f"/open/nb/{self.pages - number + 1}.htm",
            "ucap": f"/jjjskfq/c119930/zfxxgk_gknbz_{number}.shtml",
            "cicro": f"/info/iList.jsp?cat_id=10120&amp;cur_page={number}",
            "content_n": f"/zfxxgk/nb?page={number}",
        }[self.dialect]

    def _rows(self, number: int) -> list[int]:
        if number in self.instead:
            return self.instead[number]()
        return self.entries[(number - 1) * self.size : number * self.size]

    def _total(self) -> int | None:
        if self.said_total is not None:
            return self.said_total
        return len(self.entries) if self.counted else None

    def _page(self, number: int) -> str:
        rows = self._rows(number)
        if self.dialect == "json":
            return self._results(rows)
        lines = [self._row(entry) for entry in rows]
        holder = {
            "vsb": "<form></form><form><table>{}</table></form>",
            "ucap": '<div class="gknr_list"><dl>{}</dl></div>',
            "cicro": '<ul class="am-list">{}</ul>',
            "content_n": '<ul class="list">{}</ul>',
        }[self.dialect]
        pager = self._pager(number) if self.has_pager else ""
        return (
            f"<html><head><title>年报</title>{_MARKS[self.dialect]}</head>"
            f"<body>{holder.format(''.join(lines))}{pager}<p>主办：区政府</p></body></html>"
        )

    def _row(self, entry: int) -> str:
        link = f'<a href="{self.entry_url(entry)}">{title(entry)}</a>'
        if self.dialect == "vsb":
            return (
                f"<tr><td></td><td>{link}</td><td></td><td></td><td>2024-01-{day(entry)}</td></tr>"
            )
        tag = "dd" if self.dialect == "ucap" else "li"
        mark = ' class="am-list-item-dated"' if self.dialect == "cicro" else ""
        return f"<{tag}{mark}>{link}<span>2024-01-{day(entry)}</span></{tag}>"

    def _pager(self, number: int) -> str:
        pages = self.pages if self.said_pages is None else self.said_pages
        total = self._total()
        if self.dialect == "ucap":
            said = "" if total is None else f", {total}"
            call = f"createPageHTML('page-div', {pages}, {number}, 'zfxxgk_gknbz','shtml'{said});"
            return f"<script>{call}</script>"
        near = {1, number - 1, number + 1, pages} - {number}
        shown = sorted(each for each in near if 1 <= each <= pages)
        if self.dialect == "vsb" and self.said_pages is not None:
            # Its pages count down: a pager that leaves one out leaves out one behind the first.
            shown = [each if each == 1 else each + self.pages - pages for each in shown]
            shown = [each for each in shown if each != number]
        links = "".join(f'<a href="{self._address(each)}">{each}</a>' for each in shown)
        said = "" if total is None else f"共{total}条 "
        counts = "" if self.dialect == "cicro" else f"共{pages}页"
        return f"<div>{links}<span>{said}{counts}</span></div>"

    def _shell(self) -> str:
        source = "/common/search/0123456789abcdef?page=1&_pageSize=10&_isAgg=true&_isJson=true"
        return (
            f"<html><head>{_MARKS['json']}</head><body><div class='gknr_list'></div>"
            f"<script>$.getJSON('{source}')</script></body></html>"
        )

    def _results(self, rows: list[int]) -> str:
        results = [
            {"title": title(row), "url": self.entry_url(row), "publishedTimeStr": "2024-01-01"}
            for row in rows
        ]
        return json.dumps({"data": {"rows": self.size, "total": self._total(), "results": results}})


def title(entry: int) -> str:
    return f"第{entry}局2023年政府信息公开工作年度报告"


def day(entry: int) -> str:
    return f"{entry % 28 + 1:02}"

"""开普云 UCAP: `/<site>/<channel>/<YYYYMM>/<32hex>.shtml`, pages counted by a script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from html import escape
from urllib.parse import quote

from tests.replica.dialects.base import MARK, Dialect, link
from tests.replica.model import Answer, Attachment, Channel, Placed, Route, chance


def with_seconds(published: str) -> str:
    """As the listing's JSON writes it.

    >>> with_seconds("2025-01-20 12:30"), with_seconds("2025-01-20")
    ('2025-01-20 12:30:00', '2025-01-20 00:00:00')
    """
    return published + " 00:00:00"[len(published) - 10 :]


class Ucap(Dialect):
    """Options: `skin` "top" (达坂城), "plain" or "split" (the two of the city), `metas`."""

    charset_header = False

    def skin(self, channel: Channel) -> str:
        name: str = channel.options.get("skin", self.options.get("skin", "top"))
        return name

    def shows_source(self, channel: Channel) -> bool:
        return self.skin(channel) != "plain"

    def page_path(self, channel: Channel, number: int) -> str:
        stem = channel.path.removesuffix(".shtml")
        return channel.path if number == 1 else f"{stem}_{number}.shtml"

    def file_path(self, placed: Placed, attachment: Attachment) -> str:
        return f"{placed.path.removesuffix('.shtml')}/files/{quote(attachment.name)}"

    def frame(
        self, channel: Channel, title: str, main: str, *, at: str, metas: str = "", tail: str = ""
    ) -> str:
        masthead = escape(self.portal.masthead)
        return (
            f"<!DOCTYPE html><html><head><title>{escape(title)}_{masthead}</title>"
            f'<meta name="SiteName" content="{masthead}">{metas}'
            '<script src="/interface-cms/js/jquery.js"></script>'
            '<script src="/interface-cms/js/page.js"></script></head><body>'
            f'<div class="header"><div class="nav">'
            f"{self.top(at)}</div></div>"
            f'<div class="position">当前位置： {self.crumbs(at, channel, " &gt; ")}{tail}</div>'
            f'<div class="zfxxgk_left">{self.side(at, channel)}</div>'
            f'<div class="zfxxgk_right">{main}</div>{self.footer()}</body></html>'
        )

    def listing_routes(self, channel: Channel) -> Iterator[tuple[str, Route]]:
        yield from super().listing_routes(channel)
        if channel.kind == "json":
            for number in range(1, channel.pages + 1):
                page = f"?page={number}" if number > 1 else ""
                path = f"/common/search/{self.channel_id(channel)}{page}"
                yield path, partial(self.search, channel, number)

    def channel_id(self, channel: Channel) -> str:
        return "".join(f"{chance(channel.path + salt):08x}" for salt in "abcd")

    def rows(self, channel: Channel, number: int) -> str:
        if channel.kind == "json":
            url = (
                f"/common/search/{self.channel_id(channel)}?_isAgg=true&_isJson=true"
                f"&_pageSize={channel.per_page}&page=1"
            )
            return (
                '<div class="gknr_list"><dl id="list"></dl></div><div id="page-div"></div>'
                f"<script>var channelId = '{self.channel_id(channel)}';"
                f"$.getJSON('{url}', function (answer) {{ showList(answer.data); }});</script>"
            )
        template = channel.path.rsplit("/", 1)[-1]
        at = self.page_path(channel, number)
        items = [
            (
                link(
                    self.placed_address(at, channel, one),
                    one.document.title,
                    title=not template.startswith("common_list"),
                ),
                f"<span>{one.document.published[:10]}</span>",
            )
            for one in channel.page(number)
        ]
        if template.startswith("common_list"):
            rows = "".join(f"<li>{span}{anchor}</li>" for anchor, span in items)
            return f'<div class="common_list"><ul class="list">{rows}</ul></div>'
        rows = "".join(f"<dd>{anchor}{span}</dd>" for anchor, span in items)
        hidden = '<dd style="display:none"><a title="" href="#"></a><span></span></dd>'
        return f'<div class="gknr_list"><dl><dt>标题 发布日期</dt>{rows}{hidden}</dl></div>'

    def pager(self, channel: Channel, number: int) -> str:
        if channel.kind == "json":
            return ""
        template = channel.path.rsplit("/", 1)[-1].removesuffix(".shtml")
        call = (
            f"createPageHTML('page-div', {channel.pages}, {number}, '{template}','shtml', "
            f"{len(channel.placed)});"
        )
        return f'<div id="page-div"></div><script>{call}</script>'

    def search(self, channel: Channel, number: int) -> Answer:
        """The listing as JSON."""
        results = [
            {
                "title": one.document.title,
                "url": one.path,
                "publishedTimeStr": with_seconds(one.document.published),
                "channelName": channel.title,
                "resList": [
                    {"fileName": file.name, "filePath": self.file_path(one, file)}
                    for file in self.attachments(one)
                ],
            }
            for one in channel.page(number)
        ]
        data = {
            "page": number,
            "rows": channel.per_page,
            "total": len(channel.placed),
            "results": results,
        }
        body = json.dumps({"code": 200, "synthetic": True, "data": data}, ensure_ascii=False)
        kind = ("Content-Type", "application/json;charset=UTF-8")
        return Answer(200, (MARK, kind), body.encode())

    def metas(self, channel: Channel, placed: Placed) -> str:
        if self.skin(channel) == "split":
            return ""
        document = placed.document
        pairs = {
            "ArticleTitle": document.title,
            "PubDate": document.published,
            "ColumnName": channel.title,
            "channelid": self.channel_id(channel),
        }
        if document.source and self.shows_source(channel):
            pairs["ContentSource"] = document.source
        return "".join(
            f'<meta name="{name}" content="{escape(value)}">' for name, value in pairs.items()
        )

    def article(self, channel: Channel, placed: Placed) -> str:
        document = placed.document
        skins = {"top": self.headed, "plain": self.plain, "split": self.split}
        body = f"<UCAPCONTENT>{self.broken(placed)}</UCAPCONTENT>{self.file_links(placed)}"
        main = skins[self.skin(channel)](placed, body)
        metas = self.metas(channel, placed)
        return self.frame(channel, document.title, main, at=placed.path, metas=metas)

    def broken(self, placed: Placed) -> str:
        """The body, in some articles with a page break after its first paragraph."""
        body = self.body(placed.document)
        if chance(placed.path) % 4:
            return body
        return body.replace("</p>", "</p><pagebreak></pagebreak>", 1)

    def headed(self, placed: Placed, body: str) -> str:
        document = placed.document
        line = f"发布时间:{document.published}&nbsp;&nbsp;&nbsp;&nbsp;信息来源:{document.source}"
        return (
            f'<div class="gknbxq_top"><h2><UCAPTITLE>{escape(document.title)}</UCAPTITLE></h2>'
            f"<p>{line}&nbsp;&nbsp;&nbsp;&nbsp;【字体:大 中 小】</p></div>"
            f'<div class="gknbxq_detail" id="UCAP-CONTENT">{body}</div>'
        )

    def plain(self, placed: Placed, body: str) -> str:
        document = placed.document
        return (
            f"<h1><UCAPTITLE>{escape(document.title)}</UCAPTITLE></h1><div class='info'>"
            f"<span>发布时间:{document.published}</span>&nbsp;&nbsp;&nbsp;"
            "<span>浏览次数:4234次</span>&nbsp;&nbsp;&nbsp;<span>【字体:大 中 小】</span></div>"
            f'<div id="zoomcon">{body}</div>'
        )

    def split(self, placed: Placed, body: str) -> str:
        document = placed.document
        year, month, day = document.published[:10].split("-")
        time = document.published[11:]
        return (
            f'<div class="title"><UCAPTITLE>{escape(document.title)}</UCAPTITLE></div>'
            f'<div class="date"><b>{year}</b><i>{month}/{day}</i><em>{time}</em></div>'
            f'<div class="from"><span>来源:</span><span>{escape(document.source)}</span></div>'
            f'<div id="NewsContent">{body}</div>'
        )

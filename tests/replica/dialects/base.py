"""What the four CMSs share: a tree of channels, menus, breadcrumbs, noise, and an encoding."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from html import escape
from typing import Any

from tests.replica.contents import Contents
from tests.replica.model import (
    CLICKS,
    CLOCK,
    Answer,
    Attachment,
    Channel,
    Document,
    Placed,
    Route,
    address_key,
)
from tests.replica.portal import Portal

MARK = ("X-Synthetic", "gongkai replica")
COMMENT = "<!-- synthetic: gongkai replica, not a page of any government -->"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def link(address: str, text: str, *, title: bool = False) -> str:
    """An anchor; `title` repeats the text where the visible one may be cut."""
    extra = f' title="{escape(text)}"' if title else ""
    shown = text[:24] + "..." if title and len(text) > 26 else text
    return f'<a href="{escape(address)}"{extra} target="_blank">{escape(shown)}</a>'


def relative(origin: str, target: str) -> str:
    """`target` as seen from the page `origin`, with `../`.

    >>> relative("/open/guard/catalog.htm", "/info/3168/1.htm")
    '../../info/3168/1.htm'
    """
    return posixpath.relpath(target, posixpath.dirname(origin))


class Dialect:
    """One CMS on one portal. Subclasses write `article`, `rows`, `pager` and `frame`."""

    charset_header = True

    def __init__(
        self, portal: Portal, key: str, options: Mapping[str, Any], contents: Contents
    ) -> None:
        self.portal = portal
        self.key = key
        self.options = options
        self.contents = contents
        self.charset: str = options.get("charset", "utf-8")

    # What a CMS writes in its own way.

    def article(self, channel: Channel, placed: Placed) -> str:
        raise NotImplementedError

    def rows(self, channel: Channel, number: int) -> str:
        raise NotImplementedError

    def pager(self, channel: Channel, number: int) -> str:
        raise NotImplementedError

    def frame(
        self, channel: Channel, title: str, main: str, *, at: str, metas: str = "", tail: str = ""
    ) -> str:
        """A whole page at the address `at`; `tail` ends the breadcrumb of an article."""
        raise NotImplementedError

    def page_path(self, channel: Channel, number: int) -> str:
        raise NotImplementedError

    def file_path(self, placed: Placed, attachment: Attachment) -> str:
        raise NotImplementedError

    def shows_source(self, channel: Channel) -> bool:
        """Whether this channel's articles name who issued them."""
        del channel
        return True

    def address(self, at: str, target: str) -> str:
        """How the page at `at` writes a link to the path `target`."""
        del at
        return target

    # What all of them do.

    def routes(self) -> Iterator[tuple[str, Route]]:
        """Every address of this site with the call that renders it."""
        for channel in self.portal.channels:
            if channel.site == self.key:
                yield from self.channel_routes(channel)

    def channel_routes(self, channel: Channel) -> Iterator[tuple[str, Route]]:
        if channel.kind == "redirect":
            yield address_key(channel.path), partial(self.redirect, channel)
        elif channel.kind == "single":
            if channel.placed:
                yield address_key(channel.path), partial(self.single, channel)
        elif channel.kind != "hidden":
            yield from self.listing_routes(channel)
        for placed in channel.placed:
            if not placed.document.dead:
                yield from self.document_routes(channel, placed)

    def listing_routes(self, channel: Channel) -> Iterator[tuple[str, Route]]:
        for number in range(1, channel.pages + 1):
            path = address_key(self.page_path(channel, number))
            yield path, partial(self.listing, channel, number)

    def document_routes(self, channel: Channel, placed: Placed) -> Iterator[tuple[str, Route]]:
        if channel.kind != "single":
            yield address_key(placed.path), partial(self.page, channel, placed)
        for attachment in self.contents.attachments(placed.document):
            path = address_key(self.file_path(placed, attachment))
            yield path, partial(self.file, attachment)

    def redirect(self, channel: Channel) -> Answer:
        target = self.portal.children(channel.key)[0].path
        return Answer(302, (MARK, ("Location", target)), b"")

    def single(self, channel: Channel) -> Answer:
        return self.page(channel, channel.placed[0])

    def page(self, channel: Channel, placed: Placed) -> Answer:
        return self.html(self.article(channel, placed), placed)

    def listing(self, channel: Channel, number: int) -> Answer:
        at = self.page_path(channel, number)
        main = self.rows(channel, number) + self.pager(channel, number) if channel.placed else ""
        text = channel.options.get("text", "")
        main = f'<div class="intro"><p>{text}</p></div>{main}' if text else main
        return self.html(self.frame(channel, channel.title, main, at=at))

    def html(self, text: str, placed: Placed | None = None) -> Answer:
        """The page's bytes; the declared charset is wrong where the data says so."""
        declared = self.declared
        if placed and placed.document.key in self.portal.miscoded:
            declared = self.portal.miscoded[placed.document.key]
        head, _, rest = text.partition("<head>")
        meta = f'<meta http-equiv="Content-Type" content="text/html; charset={declared}">'
        page = f"{head}<head>{COMMENT}{meta}{rest}"
        kind = f"text/html; charset={declared}" if self.charset_header else "text/html"
        codec = "gb18030" if self.charset.startswith("gb") else self.charset
        return Answer(200, (MARK, ("Content-Type", kind)), page.encode(codec))

    @property
    def declared(self) -> str:
        return self.charset.upper() if self.charset == "utf-8" else self.charset

    def file(self, attachment: Attachment) -> Answer:
        return Answer(200, (MARK, ("Content-Type", DOCX)), self.contents.docx(attachment))

    def channel_link(self, at: str, channel: Channel) -> str:
        """An anchor to a channel; some stand on another host of the portal."""
        host = channel.options.get("host")
        target = f"http://{host}{channel.path}" if host else self.address(at, channel.path)
        return link(target, channel.title)

    def placed_address(self, at: str, channel: Channel, placed: Placed) -> str:
        host = channel.options.get("host")
        return f"http://{host}{placed.path}" if host else self.address(at, placed.path)

    def menu(self, at: str, channels: Iterable[Channel]) -> str:
        items = "".join(f"<li>{self.channel_link(at, child)}</li>" for child in channels)
        return f"<ul>{items}</ul>"

    def crumbs(self, at: str, channel: Channel, joint: str) -> str:
        """首页 and the channels above and including this one, joined as the CMS does."""
        return joint.join(self.channel_link(at, above) for above in self.portal.line(channel))

    def top(self, at: str) -> str:
        """The main menu; a page on a guest host has none."""
        return self.menu(at, () if "hosts" in self.options else self.portal.children("home"))

    def side(self, at: str, channel: Channel) -> str:
        """The branch of the tree beside a page: its children, else its siblings."""
        if channel.kind == "hidden":
            return ""
        children = self.portal.children(channel.key) or self.portal.children(channel.under)
        return self.menu(at, children)

    def footer(self) -> str:
        """Friends, baits, the site's number, a clock and a counter."""
        portal = self.portal
        strangers = "".join(link(one["url"], one["text"]) for one in portal.strangers)
        baits = "".join(f'<a href="{escape(one)}">站内检索</a>' for one in portal.baits)
        return (
            f'<div class="footer"><div class="links">友情链接：{strangers}{baits}'
            '<a href="javascript:void(0)">设为首页</a>'
            '<a href="mailto:web@mail.example">联系我们</a>'
            '<a href="http://www.gov.cn/">中国政府网</a></div>'
            f"<p>主办：{escape(portal.masthead)} 网站标识码：{portal.identifier}</p>"
            f'<p>现在时间 <span id="clock">{CLOCK}</span> 您是第 <span id="visits">{CLICKS}</span>'
            " 位访问者</p></div>"
        )

    def attachments(self, placed: Placed) -> list[Attachment]:
        return list(self.contents.attachments(placed.document))

    def file_links(self, placed: Placed) -> str:
        """Plain links to the files of a document."""
        return "".join(
            f"<p>附件：{link(self.file_path(placed, one), one.name)}</p>"
            for one in self.attachments(placed)
        )

    def body(self, document: Document) -> str:
        return self.contents.body(document)

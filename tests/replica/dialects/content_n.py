"""The extension-less CMS of 新市区: a list is a bare path, an article `content_<id>` below it."""

from __future__ import annotations

from html import escape

from tests.replica.dialects.base import Dialect, link
from tests.replica.model import Attachment, Channel, Placed


class ContentN(Dialect):
    """How its lists look and page is not known: the plainest markup is written here."""

    def shows_source(self, channel: Channel) -> bool:
        del channel
        return False

    def page_path(self, channel: Channel, number: int) -> str:
        return channel.path if number == 1 else f"{channel.path}?page={number}"

    def file_path(self, placed: Placed, attachment: Attachment) -> str:
        return f"/upload/{attachment.number}.docx"

    def frame(
        self, channel: Channel, title: str, main: str, *, at: str, metas: str = "", tail: str = ""
    ) -> str:
        masthead = escape(self.portal.masthead)
        return (
            f"<!DOCTYPE html><html><head><title>{escape(title)} - {masthead}</title>{metas}</head>"
            "<body>"
            f'<div class="nav">{self.top(at)}</div>'
            f'<div class="position">您的位置: {self.crumbs(at, channel, "&gt;")}{tail}</div>'
            f'<div class="sidebar">{self.side(at, channel)}</div>'
            f'<div class="main">{main}</div>{self.footer()}</body></html>'
        )

    def rows(self, channel: Channel, number: int) -> str:
        at = self.page_path(channel, number)
        rows = "".join(
            f"<li>{link(self.placed_address(at, channel, one), one.document.title)}"
            f"<span>{one.document.published[:10]}</span></li>"
            for one in channel.page(number)
        )
        return f'<ul class="list">{rows}</ul>'

    def pager(self, channel: Channel, number: int) -> str:
        links = []
        if number > 1:
            links.append(link(self.page_path(channel, number - 1), "上一页"))
        if number < channel.pages:
            links.append(link(self.page_path(channel, number + 1), "下一页"))
        return f'<div class="page">{"".join(links)}<span>共 {channel.pages} 页</span></div>'

    def article(self, channel: Channel, placed: Placed) -> str:
        document = placed.document
        main = (
            f'<h1 class="title">{escape(document.title)}</h1>'
            f'<div class="info">来源: 发布时间:{document.published} '
            "浏览次数:<script>hits()</script> 【字体:大 中 小】</div>"
            f'<div class="content">{self.body(document)}{self.file_links(placed)}</div>'
        )
        return self.frame(channel, document.title, main, at=placed.path, tail="&gt;详细内容")

"""德雅 Cicro: `/info/iList.jsp?cat_id=&cur_page=`, AmazeUI, `/<en>/<en>/<id>.htm`."""

from __future__ import annotations

from html import escape

from tests.replica.dialects.base import Dialect, link
from tests.replica.model import CLICKS, SESSION, Attachment, Channel, Placed


class Cicro(Dialect):
    """Options: `list` "gk" (#gk_list_table), "dated" or "plain"; `skin` "title" or "am"; `line`."""

    def shows_source(self, channel: Channel) -> bool:
        return self.options.get("line") == "colonless" or bool(self.options.get("head_table"))

    def page_path(self, channel: Channel, number: int) -> str:
        return channel.path if number == 1 else f"{channel.path}&cur_page={number}"

    def file_path(self, placed: Placed, attachment: Attachment) -> str:
        return f"/upload/attach/{attachment.number[:12]}.docx"

    def frame(
        self, channel: Channel, title: str, main: str, *, at: str, metas: str = "", tail: str = ""
    ) -> str:
        masthead = escape(self.portal.masthead)
        tree = self.side(at, channel).replace("<ul>", '<ul id="node-items">', 1)
        return (
            f"<!DOCTYPE html><html><head><title>{escape(title)}-{masthead}</title>{metas}"
            '<link rel="stylesheet" href="/assets/css/amazeui.min.css"></head><body>'
            '<header class="am-topbar"><div class="am-container">'
            f"{self.top(at)}</div></header>"
            f'<ol class="am-breadcrumb"><li>{self.crumbs(at, channel, "</li><li>")}{tail}</li></ol>'
            f'<div class="am-g"><div class="am-u-md-3">{tree}</div>'
            f'<div class="am-u-md-9">{main}</div></div>{self.footer()}</body></html>'
        )

    def rows(self, channel: Channel, number: int) -> str:
        at = self.page_path(channel, number)
        items = [
            (
                link(self.placed_address(at, channel, one), one.document.title),
                f"<span>{one.document.published[:10]}</span>",
            )
            for one in channel.page(number)
        ]
        style = channel.options.get("list", self.options.get("list", "dated"))
        if style == "gk":
            rows = "".join(f"<tr><td>{anchor}</td><td>{span}</td></tr>" for anchor, span in items)
            head = "<tr><th>名称</th><th>生成日期</th></tr>"
            return f'<table id="gk_list_table"><thead>{head}</thead><tbody>{rows}</tbody></table>'
        mark = ' class="am-list-item-dated"' if style == "dated" else ""
        rows = "".join(f"<li{mark}>{anchor}{span}</li>" for anchor, span in items)
        return f'<ul class="am-list">{rows}</ul>'

    def pager(self, channel: Channel, number: int) -> str:
        def to(page: int, text: str) -> str:
            if page < 1 or page > channel.pages or page == number:
                return f'<li class="am-disabled"><a href="#">{text}</a></li>'
            path = self.page_path(channel, page)
            if self.options.get("sessions"):
                path = path.replace(".jsp?", f".jsp;jsessionid={SESSION}?", 1)
            return f'<li><a href="{escape(path)}">{text}</a></li>'

        return (
            '<ul class="am-pagination am-pagination-centered">'
            f"{to(1, '首页')}{to(number - 1, '上一页')}{to(number + 1, '下一页')}"
            f"{to(channel.pages, '末页')}<li>共有{len(channel.placed)}条 "
            f"第{number}/{channel.pages}页</li></ul>"
        )

    def article(self, channel: Channel, placed: Placed) -> str:
        document = placed.document
        body = self.body(document) + self.file_links(placed)
        if self.options.get("skin") == "am":
            main = (
                f'<h2 class="am-article-title">{escape(document.title)}</h2>'
                f'<p class="am-article-meta">{self.line(placed)}</p>'
                f'<div id="info_content">{body}</div>'
            )
        else:
            main = (
                f'{self.head_table(placed)}<h1 id="title">{escape(document.title)}</h1>'
                f'<p class="info">{self.line(placed)}</p><div id="text">{body}</div>'
            )
        return self.frame(channel, document.title, main, at=placed.path)

    def line(self, placed: Placed) -> str:
        """The line under the title; the count of clicks changes with every answer."""
        document = placed.document
        if self.options.get("line") == "colonless":
            return (
                f"来源 {escape(document.source)} 发布时间 {document.published} 阅读 "
                f'<span id="reads">{CLICKS}</span>'
            )
        return f"发表时间:{document.published} 点击次数:<span>{CLICKS}</span>"

    def head_table(self, placed: Placed) -> str:
        name = self.options.get("head_table")
        if not name:
            return ""
        document = placed.document
        return (
            f'<table id="{name}"><tr><td>索引号</td><td>{placed.path[-9:-4]}</td>'
            f"<td>发布机构</td><td>{escape(document.source)}</td></tr>"
            f"<tr><td>名称</td><td>{escape(document.title)}</td>"
            f"<td>发布日期</td><td>{document.published[:10]}</td></tr></table>"
        )

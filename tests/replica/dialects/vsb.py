"""博达 Visual SiteBuilder: `/info/<tree>/<news>.htm`, pages that count down to 1."""

from __future__ import annotations

from html import escape

from tests.replica.dialects.base import Dialect, link, relative
from tests.replica.model import Attachment, Channel, Placed


class Vsb(Dialect):
    """Options: `head` "labels" (时间、来源、点击), "bare" (no labels) or "table" by year."""

    def address(self, at: str, target: str) -> str:
        return relative(at, target)

    def page_path(self, channel: Channel, number: int) -> str:
        if number == 1:
            return channel.path
        return f"{channel.path.removesuffix('.htm')}/{channel.pages - number + 1}.htm"

    def file_path(self, placed: Placed, attachment: Attachment) -> str:
        return f"/system/_content/download.jsp?wbfileid={attachment.number}"

    def frame(
        self, channel: Channel, title: str, main: str, *, at: str, metas: str = "", tail: str = ""
    ) -> str:
        root = relative(at, "/")
        masthead = escape(self.portal.masthead)
        return (
            "<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0 Transitional//EN'><html><head>"
            f"<title>{escape(title)}-{masthead}</title>"
            f"{metas}<!--Announced by Visual SiteBuilder 9-->"
            f'<link rel="stylesheet" href="{root}/_sitegray/_sitegray_d.css">'
            f'<link rel="stylesheet" href="{root}/style/list.vsb.css">'
            f'<script src="{root}/system/resource/js/counter.js"></script></head><body>'
            f'<div class="masthead"><p>{masthead}</p><p>政府信息公开</p></div>'
            f'<form action="{root}/search.jsp" method="post" name="_search_form">'
            '<table><tr><td><input name="q"></td><td>检索</td></tr></table></form>'
            f'<div class="nav">{self.top(at)}</div>'
            f'<div class="wz">当前位置: {self.crumbs(at, channel, "&gt;&gt;")}{tail}</div>'
            f'<div class="left">{self.side(at, channel)}</div>{main}{self.footer()}</body></html>'
        )

    def rows(self, channel: Channel, number: int) -> str:
        at = self.page_path(channel, number)
        rows = "".join(
            f'<tr height="20" id="line_u7_{index}"><td><img src="/images/dot.gif"></td><td>'
            f"{link(self.placed_address(at, channel, placed), placed.document.title)}</td>"
            f"<td>&nbsp;</td><td>{index + 1}</td><td>{placed.document.published[:10]}</td></tr>"
            for index, placed in enumerate(channel.page(number))
        )
        hidden = '<tr style="display:none"><td></td><td></td><td></td><td></td><td></td></tr>'
        return f'<form name="a123456f"><table class="winstyle">{rows}{hidden}</table></form>'

    def pager(self, channel: Channel, number: int) -> str:
        at = self.page_path(channel, number)

        def to(page: int, text: str) -> str:
            if page < 1 or page > channel.pages or page == number:
                return f'<span class="p_no_d">{text}</span>'
            return (
                f'<span><a href="{relative(at, self.page_path(channel, page))}">{text}</a></span>'
            )

        window = range(max(1, number - 2), min(channel.pages, number + 2) + 1)
        numbers = "".join(to(page, str(page)) for page in window)
        return (
            f'<div class="pb_sys_common pb_sys_normal"><span>共{len(channel.placed)}条</span>'
            f"<span>{number}/{channel.pages}</span>{to(1, '首页')}{to(number - 1, '上页')}"
            f"{numbers}{to(number + 1, '下页')}{to(channel.pages, '尾页')}</div>"
        )

    def article(self, channel: Channel, placed: Placed) -> str:
        document = placed.document
        news = placed.path.rsplit("/", 1)[-1].removesuffix(".htm")
        suffix = ("", "_2", "_1001")[int(news) % 3]
        main = (
            f'<form name="_newscontent_fromname"><div id="_vsbscreen"></div>{self.head(placed)}'
            f'<div id="vsb_content{suffix}"><div class="v_news_content">{self.body(document)}'
            f"</div></div>{self.downloads(placed)}"
            '<p>[<a href="javascript:window.close()">关闭窗口</a>]</p></form>'
        )
        return self.frame(channel, document.title, main, at=placed.path, tail="&gt;&gt;正文")

    def head(self, placed: Placed) -> str:
        document = placed.document
        news = placed.path.rsplit("/", 1)[-1].removesuffix(".htm")
        if document.year in self.options.get("head_tables", ()):
            return self.head_table(placed)
        title = (
            '<table class="winstyle1400"><tr><td class="titlestyle1400" align="center">'
            f"{escape(document.title)}</td></tr>"
        )
        if self.options.get("head") == "bare":
            line = f"{document.published}&nbsp;&nbsp;&nbsp;{escape(document.source)}"
        else:
            count = f'<script>_showDynClicks("wbnews", 1305, {news})</script>'
            line = (
                f'<span class="timestyle1400">{document.published}</span>&nbsp;&nbsp;&nbsp;'
                f"来源:{escape(document.source)}&nbsp;&nbsp;&nbsp;(点击: {count})"
            )
        return f'{title}<tr><td align="center">{line}</td></tr></table>'

    def head_table(self, placed: Placed) -> str:
        document = placed.document
        year, month, day = document.published[:10].split("-")
        long = f"{year}年{int(month)}月{int(day)}日"
        cells = [
            ("索引号", f"SQ001-{document.year}-0007", "发文机关", document.source),
            ("发布日期", document.published, "发文字号", ""),
            ("体裁分类", "报告", "有效性", "有效"),
            ("成文日期", long, "标题", document.title),
        ]
        rows = "".join(
            f"<tr><th>{a}</th><td>{escape(b)}</td><th>{c}</th><td>{escape(d)}</td></tr>"
            for a, b, c, d in cells
        )
        return f'<table class="xxgk_head">{rows}</table>'

    def downloads(self, placed: Placed) -> str:
        def item(attachment: Attachment) -> str:
            owner, file = "owner=1214471393", f"wbfileid={attachment.number}"
            # Arguments come in any order.
            first, second = (owner, file) if int(attachment.number, 16) % 2 else (file, owner)
            href = f"/system/_content/download.jsp?urltype=news.DownloadAttachUrl&{first}&{second}"
            count = f'<script>getClickTimes("{attachment.number}",1214471393,"wbnewsfile")</script>'
            return (
                f'<li>附件【<a href="{escape(href)}" target="_blank">{escape(attachment.name)}</a>'
                f'】已下载<span id="nattach{attachment.number[:7]}">{count}</span>次</li>'
            )

        items = "".join(item(one) for one in self.attachments(placed))
        return f'<ul style="list-style-type:none;">{items}</ul>' if items else ""

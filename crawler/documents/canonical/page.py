"""A page: what its article says, block by block. Mark-up, links and the page around are not read.

Only what stands for itself between spaces, or as a whole line, can be a counter or a clock: a
report may well say how often a site was visited, or name a day.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from crawler.documents.model import Block, Document

RULE = "page/2"

_DAY = r"\d{4}\s?[年./-]\s?\d{1,2}\s?[月./-]\s?\d{1,2}\s?日?"
_CLOCK = r"\d{1,2}(?::\d{1,2}){1,2}|\d{1,2}[时点]\d{1,2}分(?:\d{1,2}秒)?"
_WEEKDAY = r"[(（]?(?:星期|周|礼拜)[一二三四五六日天][)）]?"
_NUMBER = r"\d[\d,，]*"
_OPEN, _CLOSE = r"(?<!\S)[\[【(（]?(?:本页|本文)?", r"[\]】)）]?[。!！]?(?!\S)"
_TIMES = rf"\s?[:：]\s?(?:{_NUMBER})?\s?[次人]?"
# What a page writes anew for every visitor. VSB leaves its number to a script: `(点击: )`.
_NOISE = re.compile(
    rf"{_OPEN}(?:"
    rf"(?:点击|浏览|阅读)(?:次数|人次|数)?{_TIMES}"
    rf"|已下载\s?{_NUMBER}\s?次"
    rf"|您是(?:本[站页网]|本网站)?的?第\s?{_NUMBER}\s?位(?:访客|访问者|浏览者|来访者|读者|网友)"
    r"|(?:您好[,，!！]?\s?)?"
    r"(?:今天是|现在是|(?:当前|现在|系统|服务器|北京|打印|页面生成)(?:时间|日期)\s?[:：])\s?"
    rf"(?=[\d星周礼])(?:{_DAY})?\s?(?:{_WEEKDAY})?\s?(?:{_CLOCK})?\s?(?:{_WEEKDAY})?"
    rf"){_CLOSE}"
)
# These words are a report's own as well. Beside the words of a byline they are the page's.
_BYLINE = re.compile(r"来\s*源|作\s*者|编辑|发布|发表|字体|字号|打印|关闭|收藏|分享")
_ON_BYLINE = re.compile(
    rf"{_OPEN}(?:(?:点击|浏览|阅读)量|(?:访问|下载)(?:次数|人次|数|量)?){_TIMES}{_CLOSE}"
)
# An address that is written out may carry the visit it was written in.
_SESSION = re.compile(
    r";jsessionid=[\w.!~-]+|(?<=[?&])(?:jsessionid|phpsessid|aspsessionid\w*)=[\w.!~-]+&?",
    re.IGNORECASE | re.ASCII,
)

# A line that only names a file: some skins show it inside the body, some below; the file itself is
# a part of the report with versions of its own.
_FILE_LINE = re.compile(
    r"附件\s*\d*\s*[:：【.、]?.{0,200}\.(?:docx?|wps|pdf|xlsx?|zip|rar)\s*】?(?:已下载\s*\d*\s*次?)?",
    re.IGNORECASE,
)


def digest(document: Document, *head: str | None) -> str:
    """sha256 (hex) over what the page says: `head` (title, date, source), then every block."""
    lines = [_fold(text or "") for text in head]
    lines += [_line(block) for block in document.blocks]
    text = "\n".join(line for line in lines if line)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _line(block: Block) -> str:
    if block.grid is None:
        text = _fold(block.text)
        return "" if _FILE_LINE.fullmatch(text) else text
    # Cells keep their borders: a figure that moves one cell on is another content.
    return "\n".join("\t".join(_plain(cell.text) for cell in row) for row in block.grid.rows)


def _fold(text: str) -> str:
    """One line without counters and clocks. A cell keeps them: there a number is a figure."""
    text = _SESSION.sub("", _NOISE.sub("", _plain(text)))
    if _BYLINE.search(text):
        text = _ON_BYLINE.sub("", text)
    return " ".join(text.split())


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())

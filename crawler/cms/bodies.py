"""The text of an article: whether an element holds one, and where it stands when unnamed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sized

from lxml.html import HtmlElement

from crawler.cms.text import enclosing, normal, text_of
from crawler.viewer import shown_files
from crawler.words import Remark

# Where neither XPath nor address knows the body: the first longer text below the head line.
BODY_LENGTH = 60
LOOSE = frozenset({"p", "h3", "h4"})
HEAD_LINE = re.compile(r"发布时间|发表时间|发布日期")


def has_content(element: HtmlElement) -> bool:
    """Has it text, a picture, a frame or a file to show?"""
    if text_of(element) or any(True for _ in element.iter("img", "iframe", "embed")):
        return True
    return any(True for _ in shown_files(element))


def body_by_place(tree: HtmlElement) -> HtmlElement | None:
    """The element that follows the head line: where no XPath is known.

    Paragraphs that stand beside the head line without an element of their own are given with the
    element that holds both.
    """
    for node in tree.xpath("//text()"):
        if not (HEAD_LINE.search(normal(node)) and node.is_text):
            continue
        line = node.getparent()
        for level in [line, *enclosing(line, 5)]:
            later: list[HtmlElement] = [i for i in level.itersiblings() if is_text_block(i)]
            if later:
                parent: HtmlElement | None = level.getparent()
                return parent if later[0].tag in LOOSE else later[0]
    return None


def is_text_block(element: object) -> bool:
    """Is it long enough to be a report, and no second head line?"""
    if not isinstance(element, HtmlElement) or element.tag in ("script", "style"):
        return False
    text = normal(text_of(element))
    return len(text) >= BODY_LENGTH and not HEAD_LINE.search(text[:BODY_LENGTH])


def body_warnings(body: HtmlElement, attachments: Sized) -> Iterator[Remark]:
    """What makes a body unreadable as text."""
    if text_of(body):
        return
    if any(True for _ in body.iter("img")):
        yield Remark("page.images")
    elif not attachments:
        yield Remark("page.empty")

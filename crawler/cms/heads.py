"""What stands above an article: the table of labels and values, and the breadcrumb."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lxml.html import HtmlElement

from crawler.cms.text import elements, enclosing, fold, normal, pieces, text_of

TABLE_LABEL = re.compile(
    r"(索引号|(?:发文|发布|公开)(?:机关|机构|单位)|(?:发布|公开|成文|生成|有效|失效)(?:日期|时间)"
    r"|(?:发文)?(?:字|文)号|(?:体裁|主题)(?:分类)?|有效性|(?:信息)?(?:标题|名称|来源)"
    r"|公开(?:方式|形式|时限|范围|类别)|关键词|主题词|内容概述):?"
)
# A head table is recognised by one of these; a page's layout tables hold whole paragraphs.
HEAD_MARK = re.compile(r"索\s*引\s*号|发文机关|发布机构|成文日期")
HEAD_LENGTH = 800
MARKED = "//*[@id='gk-info' or @id='tableinfo']"
TRAIL_WORD = re.compile(r"(?:当前|您的|你的|您当前的?|您?现在的|所在)\s*位置(?:是|为)?\s*:?")
TRAIL_SPLIT = re.compile(r"[\n>»›→|]+|::|--+")
TRAIL_LENGTH = 300
TRAIL_CLASS = ".//*[contains(@class, 'readcrumb') or contains(@class, 'BreadcrumbNav')]"


def compact(text: str) -> str:
    return re.sub(r"\s+", "", normal(text))


def is_label(text: str) -> bool:
    return bool(TABLE_LABEL.fullmatch(compact(text)))


def head_table(tree: HtmlElement, body: HtmlElement) -> tuple[list[str], dict[str, str]]:
    """The head table as lines `label:value` and as a mapping of its labels.

    Labels stand left of their values or in a row above them; a cell may hold both. An index table
    inside the body is the report's own and says nothing of the page, unless its id marks it.
    """
    apart = {*body.iterancestors(), *body.iterdescendants("table")}
    lines: list[str] = []
    for table in elements(tree, f"//table | {MARKED}"):
        marked = table.get("id") in ("gk-info", "tableinfo")
        if (table in apart and not marked) or any(True for _ in table.iterdescendants("table")):
            continue
        if len(text_of(table)) <= HEAD_LENGTH and HEAD_MARK.search(normal(text_of(table))):
            rows = [elements(row, "./td | ./th") for row in elements(table, ".//tr")]
            lines += table_lines([[text_of(cell) for cell in row] for row in rows])
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return lines, {compact(name): value for name, value in pairs if value}


def table_lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    above: Sequence[str] = ()
    for row in rows:
        if len(row) > 1 and all(map(is_label, row)):
            above = row
        elif len(above) == len(row):
            yield from map(pair, above, row)
            above = ()
        else:
            yield from row_lines(row)


def row_lines(row: Sequence[str]) -> Iterator[str]:
    cells = list(row)
    while cells:
        cell = cells.pop(0)
        if is_label(cell):
            yield pair(cell, cells.pop(0) if cells and not is_label(cells[0]) else "")
        elif cell:
            yield fold(normal(cell))


def pair(name: str, value: str) -> str:
    return f"{compact(name).rstrip(':')}:{fold(normal(value))}"


def trail(tree: HtmlElement) -> tuple[str, ...]:
    """The steps of a breadcrumb, by its opening words, else by the usual class."""
    for node in tree.xpath("//text()[contains(., '位置')]"):
        word = TRAIL_WORD.search(normal(node))
        holder = node.getparent() if word else None
        if holder is None:
            continue
        for level in [holder, *enclosing(holder, 3)]:
            text = "\n".join(fold(normal(piece)) for piece in pieces(level))
            found = steps(TRAIL_WORD.split(text, 1)[-1])
            if len(text) <= TRAIL_LENGTH and len(found) > 1:
                return found
    marked = (steps("\n".join(map(fold, pieces(item)))) for item in elements(tree, TRAIL_CLASS))
    return next(filter(None, marked), ())


def steps(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip(" :·/") for part in TRAIL_SPLIT.split(text))))

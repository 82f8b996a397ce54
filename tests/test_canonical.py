"""What makes a new version of a page, and what is only seen again."""

from __future__ import annotations

import pytest

from crawler.documents import html
from crawler.documents.canonical import digest

HEAD = ("标题", "2020-03-06", "天山区人民政府")


def of(body: str, head: tuple[str, str, str | None] = HEAD) -> str:
    return digest(html.read(f"<div>{body}</div>"), *head)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<p>收到申请6件 浏览次数：12次</p>", "<p>收到申请6件 浏览次数：4234次</p>"),
        ("<p>收到申请6件</p>", "<p> 收到申请6件&nbsp;</p><p></p>"),
        ("<p>甲</p>", "<p>甲</p><p>附件：年报.docx</p>"),
        ("<p>甲</p>", "<p>甲</p><p>附件【年报.pdf】已下载7次</p>"),
    ],
)
def test_counters_spaces_and_file_names_make_no_version(one: str, other: str) -> None:
    assert of(one) == of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<p>收到申请6件</p>", "<p>收到申请7件</p>"),
        ("<p>附件材料6件</p>", "<p>附件材料7件</p>"),
        (
            "<table><tr><td>规章</td><td>1</td><td></td></tr></table>",
            "<table><tr><td>规章</td><td></td><td>1</td></tr></table>",
        ),
        ("<p>甲</p><p>乙</p>", "<p>乙</p><p>甲</p>"),
    ],
)
def test_a_figure_a_place_or_an_order_makes_one(one: str, other: str) -> None:
    assert of(one) != of(other)


@pytest.mark.parametrize("field", [0, 1, 2])
def test_title_date_and_source_are_content(field: int) -> None:
    head = list(HEAD)
    head[field] = "另一个"
    assert of("<p>甲</p>") != of("<p>甲</p>", (head[0], head[1], head[2]))

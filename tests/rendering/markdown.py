"""Reports as markdown, the way converters write them: every table a pipe table."""

from __future__ import annotations

from typing import Literal

from tests.replica.report_model import Report
from tests.replica.report_pages import Block, anchored, blocks

Merged = Literal["blank", "repeated", "dropped"]


def render(report: Report, merged: Merged = "blank") -> bytes:
    """`merged` says what stands in cells another reaches over: nothing, its text again, or
    ("dropped") every blank cell of the table is left out, which no reader can undo.
    """
    parts: list[str] = []
    for block in blocks(report):
        if block.kind == "table":
            parts.append("\n".join(table(block, merged)))
        elif block.kind == "paragraph":
            parts.append(block.text)
        else:
            parts.append(f"{'#' if block.kind == 'title' else '##'} {block.text}")
    return "\n\n".join(parts).encode()


def table(block: Block, merged: Merged) -> list[str]:
    anchors, width = anchored(block)
    rows = [[""] * width for _ in block.rows]
    for (top, left), slot in anchors.items():
        text = slot.text.replace("|", "\\|").replace("\n", "<br>")
        rows[top][left] = text
        if merged == "repeated":
            for row in range(top, top + slot.rows):
                for column in range(left, left + slot.cols):
                    rows[row][column] = text
    if merged == "dropped":
        rows = [[text for text in row if text.strip()] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return [lines[0], "|" + " --- |" * width, *lines[1:]]

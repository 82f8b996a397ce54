"""What every reader returns: prose blocks and grids, in reading order, each with its place.

Source of the shapes: published 政府信息公开工作年度报告; see docs/forms.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple


class GridCell(NamedTuple):
    """One cell as the source wrote it. A tuple: a report has hundreds of them.

    `text` keeps the raw text (inner white space included); `row` and `column` are the grid position
    of its upper left corner, 0-based; a merged cell stands once and carries its spans.
    """

    text: str
    row: int
    column: int
    rowspan: int = 1
    colspan: int = 1


@dataclass(frozen=True, slots=True)
class Grid:
    """One table: `ordinal` is its number within the document, from 0, in reading order."""

    ordinal: int
    rows: tuple[tuple[GridCell, ...], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a heading or a table."""

    kind: Literal["paragraph", "heading", "table"]
    text: str = ""
    grid: Grid | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A source opened by a reader. `kind` names the reader: html, text.

    `tokens` is kept by readers whose tables come without ruling (flattened text): the lossless
    sequence of texts, where an empty string stands for one blank cell.
    """

    kind: str
    blocks: tuple[Block, ...]
    tokens: tuple[str, ...] = field(default=())

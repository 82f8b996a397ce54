"""What every reader returns: prose blocks and grids, in reading order, each with its place.

Source of the shapes: published 政府信息公开工作年度报告; see docs/forms.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from crawler.words import Remark as Remark


class Box(NamedTuple):
    """A rectangle on a page, from the page's upper left corner; points, or pixels of an image."""

    left: float
    top: float
    right: float
    bottom: float


class GridCell(NamedTuple):
    """One cell as the source wrote it. A tuple: a report has hundreds of them.

    `text` keeps the raw text (inner white space included); `row` and `column` are the grid position
    of its upper left corner, 0-based; a merged cell stands once and carries its spans.
    `confidence` (0 to 1) is that of the engine which recognised the text in an image, None for
    text the source holds as text.
    """

    text: str
    row: int
    column: int
    rowspan: int = 1
    colspan: int = 1
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """One table, or the part of one that stands on one page.

    `ordinal` is its number within the document, from 0, in reading order. `page` is the page or
    worksheet it stands on, from 1; `sheet` the worksheet's name. `xs` and `ys` are the edges of its
    columns and rows where the source has a geometry: one more than columns and rows.
    """

    ordinal: int
    rows: tuple[tuple[GridCell, ...], ...]
    page: int | None = None
    sheet: str = ""
    xs: tuple[float, ...] = ()
    ys: tuple[float, ...] = ()

    def box(self, cell: GridCell) -> Box | None:
        """Where a cell stands on its page; None for sources without a geometry."""
        if not self.xs or not self.ys:
            return None
        right, bottom = cell.column + cell.colspan, cell.row + cell.rowspan
        return Box(self.xs[cell.column], self.ys[cell.row], self.xs[right], self.ys[bottom])


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a heading or a table. `page` is the page it begins on, from 1, where known."""

    kind: Literal["paragraph", "heading", "table"]
    text: str = ""
    grid: Grid | None = None
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A source opened by a reader. `kind` names the reader: html, text, docx, pdf, image …

    `tokens` is kept by readers whose tables come without ruling (flattened text): the lossless
    sequence of texts, where an empty string stands for one blank cell. `member` is the file within
    a bundle, empty for a file of its own. `engine` names what recognised the text of an image, with
    its version and model; empty where the source holds text. `remarks` are what was lost or left
    out on the way: a page without text, a member that is no report.
    """

    kind: str
    blocks: tuple[Block, ...]
    tokens: tuple[str, ...] = ()
    member: str = ""
    engine: str = ""
    remarks: tuple[Remark, ...] = ()

"""Printing a generated report as a PDF: drawn on reportlab's canvas, whose Chinese font needs no
file, and from its docx through soffice where that is installed.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reportlab import rl_config
from reportlab.lib.pagesizes import A4, A5
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from tests.replica.report_model import Report
from tests.replica.report_pages import Block, Slot, anchored, blocks, docx_bytes

FONT = "STSong-Light"
PAD = 2.0

Border = Literal["lines", "boxes", "double", "dashed", "thick"]
SIZES: dict[str, tuple[float, float]] = {"A4": A4, "A5": A5}


@dataclass(frozen=True)
class Style:
    """How a report is set, in points. `page` is width and height, which cuts every table somewhere
    if it is chosen so. `cut_rows` lets a page end within a row, `values` says in which of its
    halves the numbers stand then. `header` repeats the uppermost rows of a table on every page.
    `vertical` sets labels of groups downwards in columns from right to left, `bold` draws
    every letter twice, `numbers` prints page numbers, `turned` is the page's /Rotate.
    """

    page: tuple[float, float] = A4
    margin: float = 36.0
    size: float = 9.0
    cut_rows: bool = False
    values: Literal["first", "last"] = "first"
    header: bool = False
    border: Border = "lines"
    vertical: bool = False
    bold: bool = False
    shaded: bool = False
    numbers: bool = True
    turned: int = 0

    @property
    def leading(self) -> float:
        return self.size * 1.25


@dataclass(frozen=True)
class Strip:
    """A row of a table, or the part of one that stands on one page: `lines` of its letters from
    `first` on.
    """

    row: int
    height: float
    first: int = 0
    lines: int = 10_000
    is_half: bool = False


def render(report: Report, style: Style | None = None) -> bytes:
    """The report's pages; the same arguments give the same bytes."""
    look = style or Style()
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    rl_config.useA85 = 0
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=look.page, invariant=1, pageCompression=1)
    canvas.setTitle("synthetic")
    press = Press(canvas, look)
    for block in blocks(report):
        if block.kind == "table":
            press.table(block)
        elif block.text.strip():
            press.paragraph(block.text, is_title=block.kind == "title")
    press.end_page()
    canvas.save()
    return buffer.getvalue()


class Press:
    """Sets blocks one below the other and turns the page where one is full."""

    def __init__(self, canvas: Canvas, look: Style) -> None:
        self.canvas = canvas
        self.look = look
        self.width, self.height = look.page
        self.number = 0
        self.left_over: dict[tuple[int, int], list[str]] = {}  # lines of tall cells, cut by a page
        self.new_page()

    def new_page(self) -> None:
        self.number += 1
        self.y = self.look.margin
        if self.look.turned:
            self.canvas.setPageRotation(self.look.turned)
            self.canvas.rotate(self.look.turned)
            move = {90: (0, -self.height), 180: (-self.width, -self.height), 270: (-self.width, 0)}
            self.canvas.translate(*move[self.look.turned])

    def end_page(self) -> None:
        if self.look.numbers:
            self.letters(f"— {self.number} —", self.width / 2 - 12, self.height - 20, 8)
        self.canvas.showPage()

    @property
    def room(self) -> float:
        return self.height - self.look.margin - self.y

    def turn_page(self) -> None:
        self.end_page()
        self.new_page()

    def letters(self, text: str, x: float, y: float, size: float) -> None:
        """Text from its upper left corner."""
        self.canvas.setFont(FONT, size)
        for shift in (0, 0.25) if self.look.bold else (0,):
            self.canvas.drawString(x + shift, self.height - y - size * 0.88, text)

    def paragraph(self, text: str, is_title: bool) -> None:
        size = self.look.size * (1.8 if is_title else 1.3)
        wide = self.width - 2 * self.look.margin
        indent = 0 if is_title else 2 * size
        for part in text.split("\n"):
            for number, line in enumerate(wrapped(part, wide, size, indent)):
                if self.room < size * 1.6:
                    self.turn_page()
                x = self.look.margin + (0 if number or is_title else indent)
                if is_title:
                    x += (wide - measured(line, size)) / 2
                self.letters(line, x, self.y, size)
                self.y += size * 1.6

    def table(self, block: Block) -> None:
        cells, columns = anchored(block)
        xs = column_edges(cells, columns, self.look)
        texts = {}
        for (row, column), slot in cells.items():
            wide = xs[column + slot.cols] - xs[column] - 2 * PAD
            texts[row, column] = [
                line
                for part in slot.text.split("\n")
                for line in wrapped(part, wide, self.look.size)
            ]
        heights = row_heights(block, cells, texts, self.look)
        head = [Strip(row, heights[row]) for row in range(head_rows(block))]
        self.y += 6
        waiting = [Strip(row, height) for row, height in enumerate(heights)]
        parts: list[list[Strip]] = [[]]
        room = self.room
        full = self.height - 2 * self.look.margin
        while waiting:
            strip = waiting.pop(0)
            if strip.height <= room:
                parts[-1].append(strip)
                room -= strip.height
                continue
            lines = int((room - 2 * PAD) / self.look.leading)
            if self.look.cut_rows and lines > 0:
                above = lines * self.look.leading + 2 * PAD
                below = max(strip.height - lines * self.look.leading, self.look.leading + 2 * PAD)
                parts[-1].append(Strip(strip.row, above, strip.first, lines, True))
                waiting.insert(0, Strip(strip.row, below, strip.first + lines, is_half=True))
            else:
                waiting.insert(0, strip)
            parts.append(list(head) if self.look.header and strip.row >= len(head) else [])
            room = full - sum(strip.height for strip in parts[-1])
        for number, strips in enumerate(parts):
            if number:
                self.turn_page()
            if strips:
                self.strips(strips, cells, xs, texts)
        self.y += 6

    def strips(
        self,
        strips: list[Strip],
        cells: dict[tuple[int, int], Slot],
        xs: list[float],
        texts: dict[tuple[int, int], list[str]],
    ) -> None:
        """One page's part of a table."""
        ys = [self.y]
        for strip in strips:
            ys.append(ys[-1] + strip.height)
        for (row, column), slot in cells.items():
            held = [at for at, strip in enumerate(strips) if row <= strip.row < row + slot.rows]
            if held:
                box = (xs[column], ys[held[0]], xs[column + slot.cols], ys[held[-1] + 1])
                self.cell_border(box, shaded=self.look.shaded and row == 0)
                shown = [strips[at] for at in held]
                self.cell_text(texts[row, column], slot, shown, (row, column), box)
        self.y = ys[-1]

    def cell_text(
        self,
        lines: list[str],
        slot: Slot,
        strips: list[Strip],
        place: tuple[int, int],
        box: tuple[float, float, float, float],
    ) -> None:
        left, top, right, bottom = box
        leading, size = self.look.leading, self.look.size
        halves = [strip for strip in strips if strip.is_half]
        if slot.rows > 1:
            lines = self.part_of_group(lines, strips, place, slot)
            is_tall = bottom - top > 4 * size
            if self.look.vertical and slot.cols == 1 and slot.rows > 2 and is_tall:
                self.set_downwards("".join(lines), box)
                return
        elif halves:
            (half,) = halves
            if len(lines) > 1:
                lines = lines[half.first : half.first + half.lines]
            elif (self.look.values == "first") != (half.first == 0):
                lines = []
        y = (top + bottom - len(lines) * leading) / 2
        for line in lines:
            self.letters(line, (left + right - measured(line, size)) / 2, y, size)
            y += leading

    def part_of_group(
        self, lines: list[str], strips: list[Strip], place: tuple[int, int], slot: Slot
    ) -> list[str]:
        """The lines of a tall cell that stand on this page: as many as find room, the rest on the
        next page; nothing there if they all did.
        """
        row, _ = place
        begins = strips[0].row == row and strips[0].first == 0
        ends = strips[-1].row == row + slot.rows - 1 and not (
            strips[-1].is_half and strips[-1].first == 0
        )
        if begins and ends:
            return lines
        room = int((sum(strip.height for strip in strips) - 2 * PAD) / self.look.leading)
        if begins:
            self.left_over[place] = lines[room:]
            return lines[:room]
        rest = self.left_over[place]
        self.left_over[place] = rest[room:]
        return rest[:room]

    def set_downwards(self, text: str, box: tuple[float, float, float, float]) -> None:
        left, top, right, bottom = box
        size = self.look.size
        fit = max(int((bottom - top - 2 * PAD) / size), 1)
        columns = [text[at : at + fit] for at in range(0, len(text), fit)]
        x = (left + right + len(columns) * size) / 2 - size
        for column in columns:
            y = (top + bottom - len(column) * size) / 2
            for letter in column:
                self.letters(letter, x, y, size)
                y += size
            x -= size

    def cell_border(self, box: tuple[float, float, float, float], shaded: bool) -> None:
        left, top, right, bottom = box
        canvas, up = self.canvas, self.height
        if shaded:
            canvas.setFillGray(0.8)
            canvas.rect(left, up - bottom, right - left, bottom - top, stroke=0, fill=1)
            canvas.setFillGray(0)
        canvas.setLineWidth(3.5 if self.look.border == "thick" else 0.5)
        canvas.setDash([2, 2] if self.look.border == "dashed" else [])
        sides = [
            (left, up - top, right, up - top),
            (left, up - bottom, right, up - bottom),
            (left, up - bottom, left, up - top),
            (right, up - bottom, right, up - top),
        ]
        for x0, y0, x1, y1 in sides:
            if self.look.border == "boxes":
                canvas.rect(x0 - 0.25, y0 - 0.25, x1 - x0 + 0.5, y1 - y0 + 0.5, stroke=0, fill=1)
                continue
            shifts = (-0.8, 0.8) if self.look.border == "double" else (0.0,)
            for shift in shifts:
                across = y0 == y1
                dx, dy = (0.0, shift) if across else (shift, 0.0)
                canvas.line(x0 + dx, y0 + dy, x1 + dx, y1 + dy)


def measured(text: str, size: float) -> float:
    width: float = pdfmetrics.stringWidth(text, FONT, size)
    return width


def wrapped(text: str, wide: float, size: float, indent: float = 0.0) -> list[str]:
    """Lines that fit; a number is not broken."""
    lines: list[str] = []
    line, room = "", wide - indent
    for letter in text:
        breakable = not (line[-1:].isascii() and letter.isascii() and line)
        if line and breakable and measured(line + letter, size) > room:
            lines.append(line)
            line, room = "", wide
        line += letter
    return [*lines, line] if line.strip() else lines


def column_edges(cells: dict[tuple[int, int], Slot], columns: int, look: Style) -> list[float]:
    """Columns with labels are wider, and so are those whose numbers need it."""
    wide = look.page[0] - 2 * look.margin
    least = [look.size * 1.4 + 2 * PAD] * columns
    for (_, column), slot in cells.items():
        if slot.cols == 1 and slot.text.isascii():
            need = max(measured(part, look.size) for part in slot.text.split("\n")) + 2 * PAD + 1
            least[column] = max(least[column], need)
    long = {column for (_, column), slot in cells.items() if len(slot.text) > 6}
    wishes = [2.0 if column in long else 1.0 for column in range(columns)]
    spare = max(wide - sum(least), 0.0)
    edges = [look.margin]
    for need, wish in zip(least, wishes, strict=True):
        edges.append(edges[-1] + need + spare * wish / sum(wishes))
    return edges


def row_heights(
    block: Block,
    cells: dict[tuple[int, int], Slot],
    texts: dict[tuple[int, int], list[str]],
    look: Style,
) -> list[float]:
    heights = [look.leading + 2 * PAD] * len(block.rows)
    for (row, column), slot in cells.items():
        need = len(texts[row, column]) * look.leading + 2 * PAD
        if slot.rows == 1:
            heights[row] = max(heights[row], need)
    for (row, column), slot in cells.items():
        need = len(texts[row, column]) * look.leading + 2 * PAD
        missing = need - sum(heights[row : row + slot.rows])
        if missing > 0:
            heights[row + slot.rows - 1] += missing
    return heights


def head_rows(block: Block) -> int:
    """The rows that the cells of the first row reach down to."""
    return max(slot.rows for slot in block.rows[0])


def office_pdfs(reports: Iterable[Report], folder: Path) -> Iterator[bytes]:
    """The reports' docx printed by soffice, all in one start of it, its profile in `folder`."""
    program = shutil.which("soffice")
    if program is None:
        raise FileNotFoundError("soffice")
    sources = []
    for number, report in enumerate(reports):
        sources.append(folder / f"{number}.docx")
        sources[-1].write_bytes(docx_bytes(report))
    command = [program, f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless"]
    command += ["--convert-to", "pdf", "--outdir", str(folder), *map(str, sources)]
    subprocess.run(command, check=True, capture_output=True, timeout=110)
    for source in sources:
        yield source.with_suffix(".pdf").read_bytes()

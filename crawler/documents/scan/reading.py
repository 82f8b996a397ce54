"""Page images → blocks: tables cell by cell with confidence, prose line by line."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

import cv2
import numpy as np

from crawler.documents.model import Block
from crawler.documents.ruling import Lattice
from crawler.documents.scan.glyphs import Sight, compared
from crawler.documents.scan.ink import Content, Mark, content, slant, strip
from crawler.documents.scan.lines import tables
from crawler.documents.scan.recognition import HEIGHT, Said, recognise, text_boxes
from crawler.documents.scan.sheet import Bitmap, Sheet, prepare

# How much of a strip the print fills, and how much it is smoothed first: what is read alike in
# all of these ways is no accident of scale or grain.
_FIRST = (0.70, 0.0)
_AGAIN = ((0.60, 0.6), (0.80, 0.9))
# A page of small print has a hundred lines.
_MOST_LINES = 300
_NUMBER = re.compile(r"\d+")
# What all readings but one say, the one being no number; likeness to other digits may settle it.
_BUT_ONE = 0.6
# The lean of a slash; a 7, the most like it among the digits, has -0.2.
_SLASH = -0.75
_HAN = re.compile("[\u4e00-\u9fff]")
_GAP = re.compile(r"(?<=[\d.,])\s+(?=[\d.,])")
# No number ends with a point: what stands there is a speck.
_SPECK = re.compile(r"(\d[\d.,]*?)\s*[.,:;'`·。、]+")
_ORDINAL = re.compile(r"\d{1,2}[.、,，]?\s*[\u4e00-\u9fff]")


class Read(NamedTuple):
    """What a cell says, and how sure that is (0 to 1)."""

    text: str
    confidence: float


def read_page(image: Bitmap, dpi: int, number: int, ordinal: int) -> list[Block]:
    """The blocks of one page; `ordinal` is that of its first grid."""
    sheet = prepare(image, dpi)
    found = tables(sheet)
    placed: list[tuple[float, Block]] = []
    for count, (lattice, cells) in enumerate(zip(found, _read_tables(sheet, found), strict=True)):
        grid = lattice.grid(
            [cell.text for cell in cells],
            ordinal + count,
            number,
            [cell.confidence for cell in cells],
        )
        placed.append((lattice.ys[0], Block("table", grid=grid, page=number)))
    placed += [(top, Block("paragraph", text, page=number)) for top, text in _prose(sheet, found)]
    return [block for _, block in sorted(placed, key=lambda item: item[0])]


def _read_tables(sheet: Sheet, found: list[Lattice]) -> Iterator[list[Read]]:
    """The cells of each table in the lattice's order."""
    contents = [content(sheet, lattice.box(cell)) for lattice in found for cell in lattice.cells]
    read = read_cells(contents, sheet.dpi)
    sure = compared([Sight(one, *cell) for one, cell in zip(contents, read, strict=True)])
    start = 0
    for lattice in found:
        stop = start + len(lattice.cells)
        yield [Read(read[n].text, sure[n]) for n in range(start, stop)]
        start = stop


def read_cells(contents: Sequence[Content], dpi: float) -> list[Read]:
    """What cells say, without a look at each other."""
    filled = [number for number, cell in enumerate(contents) if cell.lines]
    first = recognise([strip(contents[number], *_FIRST) for number in filled])
    read = [Read("", 1.0 if cell.clear else 0.0) for cell in contents]
    said: dict[int, list[Said]] = {n: [one] for n, one in zip(filled, first, strict=True)}
    values = [number for number in filled if is_value(said[number][0].text)]
    for fill, blur in _AGAIN:
        again = recognise([strip(contents[number], fill, blur) for number in values])
        for number, one in zip(values, again, strict=True):
            said[number].append(one)
    for number, readings in said.items():
        read[number] = judged(contents[number], readings, dpi)
    return read


def is_value(text: str) -> bool:
    """May a number or a sign for none stand here? Labels are words."""
    if len(_HAN.findall(text)) < 3:
        return True
    return text[:1].isdigit() and not _ORDINAL.match(text)


def judged(cell: Content, readings: list[Said], dpi: float) -> Read:
    """One text out of several readings; without doubt only where they and the ink agree."""
    if sign := _dash(cell.lines, dpi) or ("/" if slant(cell) < _SLASH else ""):
        return Read(sign, 1.0 if cell.whole else 0.0)
    texts = [_folded(one.text, cell.is_close) for one in readings]
    text = max(texts, key=texts.count)
    if len(readings) == 1:
        return Read(text, readings[0].confidence)
    if not cell.whole or len(cell.lines) > 1:
        return Read(text, 0.0)
    sure = median(one.confidence for one in readings)
    numbers = [one for one in texts if _NUMBER.fullmatch(one)]
    if len(numbers) == len(texts) - 1 and len(set(numbers)) == 1:
        return Read(numbers[0], min(sure, _BUT_ONE))  # a speck made a letter of it, once
    return Read(text, sure if len(set(texts)) == 1 else 0.0)


def _folded(text: str, close: bool) -> str:
    """In half width. Full-width digits and commas leave gaps, which are none between numbers."""
    folded = unicodedata.normalize("NFKC", text).strip()
    folded = _GAP.sub("", folded) if close else folded
    return found[1] if (found := _SPECK.fullmatch(folded)) else folded


def _dash(lines: tuple[tuple[Mark, ...], ...], dpi: float) -> str:
    """A dash told by its shape, since a dash and the numeral 一 look alike."""
    if len(lines) != 1 or len(lines[0]) > 2:
        return ""
    flat = all(
        mark.right - mark.left >= 2.2 * (mark.bottom - mark.top)
        and mark.bottom - mark.top <= 0.04 * dpi
        for mark in lines[0]
    )
    tops = [mark.top for mark in lines[0]]
    if not flat or max(tops) - min(tops) > 0.02 * dpi:
        return ""
    width = lines[0][-1].right - lines[0][0].left
    long = max(mark.right - mark.left for mark in lines[0]) >= 0.085 * dpi
    if len(lines[0]) == 2:
        return "——" if long else "--"
    return "——" if width >= 0.2 * dpi else "—" if long else "-"


# --- prose ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Line:
    left: int
    top: int
    right: int
    bottom: int
    text: str = ""


def _prose(sheet: Sheet, found: list[Lattice]) -> Iterator[tuple[float, str]]:
    """Paragraphs outside the tables, each with its top."""
    paper = np.asarray(255 - sheet.darkness, dtype=np.uint8).copy()
    edge = round(0.03 * sheet.dpi)
    for lattice in found:
        left, top, right, bottom = (round(v) for v in lattice.bounds)
        paper[max(0, top - edge) : bottom + edge, max(0, left - edge) : right + edge] = 255
    lines = _merged(text_boxes(paper), sheet)[:_MOST_LINES]
    strips = [_line_strip(paper, line) for line in lines]
    for line, one in zip(lines, recognise(strips), strict=True):
        line.text = unicodedata.normalize("NFC", one.text).strip()
    yield from _paragraphs([line for line in lines if line.text], [t.ys[0] for t in found])


def _merged(boxes: list[tuple[int, int, int, int]], sheet: Sheet) -> list[_Line]:
    """Boxes side by side as one line, drawn out to what print the detection left at its ends."""
    lines: list[_Line] = []
    for left, top, right, bottom in sorted(boxes, key=lambda box: box[1]):
        for line in lines:
            shared = min(bottom, line.bottom) - max(top, line.top)
            if shared > 0.5 * min(bottom - top, line.bottom - line.top):
                line.left, line.right = min(left, line.left), max(right, line.right)
                line.top, line.bottom = min(top, line.top), max(bottom, line.bottom)
                break
        else:
            lines.append(_Line(left, top, right, bottom))
    for line in lines:
        _draw_out(line, sheet)
    return lines


def _draw_out(line: _Line, sheet: Sheet) -> None:
    height = line.bottom - line.top
    inset = height // 6
    columns = np.asarray(sheet.ink[line.top + inset : line.bottom - inset].max(axis=0))
    reach = round(1.6 * height)
    while (before := np.nonzero(columns[max(0, line.left - reach) : line.left])[0]).size:
        line.left = max(0, line.left - reach) + int(before[0])
    while (after := np.nonzero(columns[line.right : line.right + reach])[0]).size:
        line.right += int(after[-1]) + 1


def _line_strip(paper: Bitmap, line: _Line) -> Bitmap:
    pad = (line.bottom - line.top) // 6
    part = paper[line.top : line.bottom, max(0, line.left - pad) : line.right + pad]
    width = max(8, round(part.shape[1] * HEIGHT / part.shape[0]))
    return np.asarray(cv2.resize(part, (width, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def _paragraphs(lines: list[_Line], breaks: list[float]) -> Iterator[tuple[float, str]]:
    """Lines put together: a paragraph goes on while its lines are full and the next begins at the
    margin. Lines set in the middle (a title in two lines) go together.
    """
    lines.sort(key=lambda line: line.top)
    if not lines:
        return
    margin = min(line.left for line in lines)
    edge = max(line.right for line in lines)
    open_lines: list[_Line] = []
    for line in lines:
        if open_lines and not _goes_on(open_lines[-1], line, margin, edge, breaks):
            yield open_lines[0].top, _text(open_lines)
            open_lines = []
        open_lines.append(line)
    yield open_lines[0].top, _text(open_lines)


def _text(lines: list[_Line]) -> str:
    return "".join(line.text for line in lines)


def _goes_on(last: _Line, line: _Line, margin: int, edge: int, breaks: list[float]) -> bool:
    size = last.bottom - last.top
    if any(last.top < at < line.top for at in breaks) or line.top - last.bottom > 1.5 * size:
        return False
    full = edge - last.right < 1.5 * size
    centred = [abs((one.left - margin) - (edge - one.right)) < size for one in (last, line)]
    if all(centred) and last.left - margin > 2 * size and line.left - margin > 2 * size:
        return True
    return full and line.left - margin < 0.8 * size

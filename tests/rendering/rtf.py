"""A report as rich text: every row with the edges of its cells, letters in three spellings."""

from __future__ import annotations

from random import Random

from tests.rendering.doc import rows
from tests.rendering.word_file import FIRST_DOWN, MORE_DOWN, Cell
from tests.replica.report_model import Report
from tests.replica.report_pages import blocks

HEAD = (
    r"{\rtf1\ansi\ansicpg936\deff0\uc1{\fonttbl{\f0\fnil\fcharset0 Arial;}"
    r"{\f1\fnil\fcharset134{\*\falt SimSun}\'cb\'ce\'cc\'e5;}{\f2\fnil\fcharset136 MingLiU;}}"
    r"{\colortbl;\red0\green0\blue0;}{\stylesheet{\s0 Normal;}{\s1\b heading 1;}}"
    r"{\info{\author synthetic}}{\header\pard 9999\par}"
    "\n"
)


def render(report: Report, seed: int = 0) -> bytes:
    """The report's body; `seed` varies how letters are written and cells are merged."""
    random = Random(f"{report.shape}/{seed}")
    parts = [HEAD]
    for block in blocks(report):
        if block.kind == "table":
            parts += [row(cells, left, random) for cells, left in rows(block, random)]
            parts.append("\\pard\\par\n")
        else:
            parts.append(f"\\pard\\plain{{{spelt(block.text, random)}}}\\par\n")
    return "".join([*parts, "}\n"]).encode("ascii")


def row(cells: list[Cell], left: int, random: Random) -> str:
    """One row, its cells told of before them and, as Word does, sometimes behind them again."""
    told, edge = f"\\trowd\\trleft{left}", left
    for cell in cells:
        edge += cell.width
        down = {FIRST_DOWN: "\\clvmgf", MORE_DOWN: "\\clvmrg"}.get(cell.flags & 0x60, "")
        across = ("", "\\clmgf", "\\clmrg")[cell.flags & 3]
        told += f"{across}{down}\\clbrdrt\\brdrs\\cellx{edge}"
    content = "".join(
        "\\par\n".join(spelt(line, random) for line in cell.paragraphs) + "\\cell\n"
        for cell in cells
    )
    again = random.random() < 0.5
    return f"{told}\n\\pard\\intbl{{{content}}}{{{told if again else ''}\\row}}\n"


def spelt(text: str, random: Random) -> str:
    """By number with a letter for older readers, or by the bytes of a Chinese font."""
    parts = []
    for letter in text:
        if letter in "\\{}":
            parts.append("\\" + letter)
        elif letter == "\x0b":
            parts.append("\\line ")
        elif letter.isascii():
            parts.append(letter)
        elif random.random() < 0.5 and ord(letter) < 0x10000:
            parts.append("{\\f1 " + "".join(f"\\'{b:02x}" for b in letter.encode("gb18030")) + "}")
        else:
            data = letter.encode("utf-16-le")
            for at in range(0, len(data), 2):
                number = int.from_bytes(data[at : at + 2], "little", signed=True)
                parts.append(f"\\u{number}?")
    return "".join(parts)

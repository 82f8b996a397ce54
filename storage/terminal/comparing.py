"""Two reports held against each other; what was struck out and put in reads without colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from storage.terminal.drawing import new_table, open_console

if TYPE_CHECKING:
    from storage.queries.diff import Compared, Diff, DiffCell, DiffLine, DiffSide
    from storage.text.rewording import Piece

_MARKS = {"delete": ("[-", "-]", "red strike"), "insert": ("{+", "+}", "green underline")}
# So much of what both sides say stands on either side of an edit.
_AROUND = 24


def show_diff(found: Diff) -> None:
    """Which two, what a reader must know, cells and lines as tables, then the prose."""
    console = open_console()
    for sign, side in (("-", found["left"]), ("+", found["right"])):
        console.print(Text(f"{sign} {_named(side)}", style="bold"), soft_wrap=True)
    if found["note"] is not None:
        console.print(f"note: {found['note']}", soft_wrap=True)
    console.print(f"{len(found['cells'])} cells differ, {found['same']} are the same")
    if found["cells"]:
        table = new_table("cell", "change", "before", "after")
        for cell in found["cells"]:
            table.add_row(cell["path"], cell["change"], *_sides(cell))
        console.print(table)
    if found["lines"]:
        table = new_table("line", "change", "before", "after")
        for line in found["lines"]:
            label = Text(f"{line['block']} {line['label']}".strip())
            table.add_row(label, line["change"], *_sides(line))
        console.print(table)
    console.print(f"{len(found['prose'])} sections differ, {found['same_prose']} are the same")
    for passage in found["prose"]:
        was = passage["heading_before"]
        heading = passage["heading"] or "(before the first heading)"
        told = f"{heading} ({passage['change']}{'' if was is None else f', was {was}'})"
        console.print(Text(told, style="bold"), soft_wrap=True)
        console.print(marked(passage["pieces"]), soft_wrap=True)


def marked(pieces: Sequence[Piece]) -> Text:
    """`信息不存在的[-2-]{+12+}件`; of what both sides say only what is next to an edit."""
    text = Text()
    for number, piece in enumerate(pieces):
        if piece["op"] == "equal":
            text.append(_shortened(piece["text"], number > 0, number < len(pieces) - 1))
        else:
            opening, closing, style = _MARKS[piece["op"]]
            text.append(f"{opening}{piece['text']}{closing}", style)
    return text


def _shortened(text: str, follows: bool, leads: bool) -> str:
    kept = _AROUND * (follows + leads)
    if len(text) <= kept + 1:
        return text
    return (text[:_AROUND] if follows else "") + "…" + (text[-_AROUND:] if leads else "")


def _named(side: Compared) -> str:
    what = side["name"] or side["part"]
    return f"{side['place']} ({what}, form {side['layout']}, {side['published'] or 'undated'})"


def _sides(pair: DiffCell | DiffLine) -> tuple[Text, Text]:
    return _side(pair["before"]), _side(pair["after"])


def _side(side: DiffSide | None) -> Text:
    if side is None:
        return Text("no such cell", style="bright_black")
    told = Text(f"{side['raw'].strip()} ({side['state']})".strip())
    if (held := side["correction"]) is not None:
        doubt = " (review)" if held["review"] else ""
        told.append(f" corrected to {held['raw'] or 'blank'}{doubt}", "yellow")
    return told

"""The maps of organ × year: coverage and ledger, on the terminal and as a picture."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from io import StringIO
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console
from rich.text import Text

from storage.errors import DirectoryError
from storage.terminal.drawing import new_table, open_console

if TYPE_CHECKING:
    from storage.ledger.cells import Cell as LedgerCell
    from storage.ledger.cells import State as LedgerState
    from storage.queries.coverage import Field, State


# One letter a state, readable without colour.
LETTERS: dict[State, tuple[str, str, str]] = {
    "read": ("R", "green", "read: every cell"),
    "partly_read": ("P", "yellow", "partly read"),
    "old": ("o", "cyan", "old layout, prose kept"),
    "attachment_only": ("A", "magenta", "attachment only"),
    "unread": ("U", "magenta", "captured, no form recognised"),
    "unreachable": ("!", "red", "known, every attempt failed"),
    "missing": (".", "bright_black", "nothing known"),
    "withdrawn": ("W", "bright_black", "withdrawn: `archive withdrawals` says why"),
}


LEDGER_LETTERS: dict[LedgerState, tuple[str, str, str]] = {
    "captured": ("C", "green", "captured, in time"),
    "captured_late": ("L", "yellow", "captured, published late"),
    "moved": ("M", "cyan", "captured, found at another address"),
    "attachment_only": ("A", "magenta", "attachment only"),
    "unreadable": ("U", "magenta", "captured, not readable"),
    "removed": ("R", "red", "removed after publication"),
    "absent": ("X", "red", "listing proves absence"),
    "blocked": ("B", "red", "blocked"),
    "portal_down": ("D", "red", "portal down"),
    "not_due": (".", "bright_black", "not yet due"),
    "unproven": ("?", "red", "not proven yet"),
    "withdrawn": ("W", "bright_black", "withdrawn: `archive withdrawals` says why"),
}


_PICTURE_WIDTH = 100


# rich's pictures load a font from elsewhere; ours load nothing.
_LOADED_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def show_coverage(fields: Sequence[Field]) -> None:
    """One row an organ, one column a year, and the legend."""
    _coverage(open_console(), fields)


def draw_coverage(fields: Sequence[Field], file: Path) -> None:
    """The same as an SVG that asks nobody for a font. Raises DirectoryError."""
    console = _picture()
    _coverage(console, fields)
    _draw(console, "archive coverage", file)


def show_ledger(cells: Sequence[LedgerCell]) -> None:
    """One row an organ, one column a year, and the legend."""
    _ledger(open_console(), cells)


def draw_ledger(cells: Sequence[LedgerCell], file: Path) -> None:
    """The same as an SVG that asks nobody for a font. Raises DirectoryError."""
    console = _picture()
    _ledger(console, cells)
    _draw(console, "archive ledger", file)


def _picture() -> Console:
    return Console(record=True, width=_PICTURE_WIDTH, file=StringIO(), highlight=False)


def _draw(console: Console, title: str, file: Path) -> None:
    try:
        svg = console.export_svg(title=title)
        file.write_text(_LOADED_FONT.sub("", svg), encoding="utf-8")
    except OSError as error:
        raise DirectoryError(
            f"cannot write {file} ({error.strerror}): name a file in a writable folder"
        ) from error


def _coverage(console: Console, fields: Sequence[Field]) -> None:
    _map(console, [_Square(f["division_code"], f["organ"], f["year"], f["state"]) for f in fields])
    _legend(console, LETTERS, Counter(field["state"] for field in fields))


def _ledger(console: Console, cells: Sequence[LedgerCell]) -> None:
    _map(console, [_Square(c["division_code"], c["organ"], c["year"], c["state"]) for c in cells])
    _legend(console, LEDGER_LETTERS, Counter(cell["state"] for cell in cells))


class _Square(NamedTuple):
    division: str
    organ: str
    year: int
    state: State | LedgerState


def _map(console: Console, squares: Sequence[_Square]) -> None:
    """One row an organ, one column a year."""
    styles = LETTERS | LEDGER_LETTERS
    years = sorted({square.year for square in squares})
    table = new_table("division", "organ", *(f"{year % 100:02}" for year in years), narrow=True)
    for (division, organ), known in groupby(squares, key=lambda each: (each.division, each.organ)):
        letters = {each.year: Text(*styles[each.state][:2]) for each in known}
        table.add_row(division, organ, *(letters.get(year, Text(" ")) for year in years))
    console.print(table)


def _legend(
    console: Console,
    letters: Mapping[Any, tuple[str, str, str]],
    counts: Counter[Any],
) -> None:
    for state, (letter, style, meaning) in letters.items():
        if counts[state]:
            console.print(Text.assemble((letter, style), f" {meaning} ({counts[state]})"))

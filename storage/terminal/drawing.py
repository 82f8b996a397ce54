"""What the answers share: the console, a table, a moment."""

from __future__ import annotations

import sys

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

# In a pipe or a log there is no terminal to fit into: do not fold a table at 80.
_PIPE_WIDTH = 160


def open_console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)


def new_table(*headers: str, narrow: bool = False) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 0) if narrow else (0, 1), show_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    return table


def minute(moment: str) -> str:
    """`2020-03-06 06:38`, UTC."""
    return moment[:16].replace("T", " ")


def spoken(kind: str) -> str:
    return kind.replace("_", " ")

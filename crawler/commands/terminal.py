"""Where the commands print."""

from __future__ import annotations

from rich.console import Console

_NARROWEST = 120  # the applications table; a narrower terminal wraps lines rather than losing cells


def terminal() -> Console:
    """The terminal, or the pipe, never narrower than our widest table."""
    console = Console()
    return Console(width=max(console.width, _NARROWEST))

"""The command `archive`: what the archive holds, asked from a terminal.

One module a group of commands. Exit codes: 0 answered, also when the archive is still empty; 1
`verify` or `audit` found something wrong; 2 the question could not be answered (settings, database,
unknown organ, wrong usage), with one line on stderr that names the cure.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from typer.main import get_command

from storage.cli.shared import app
from storage.errors import StorageError

# A module of commands is found by standing here.
for _module in sorted(module.name for module in iter_modules(__path__)):
    if not _module.startswith("_"):
        import_module(f"{__name__}.{_module}")


def main() -> None:
    """The entry point: our own failures as one line on stderr and exit code 2."""
    try:
        _command()()
    except StorageError as error:
        print(f"archive: {error}", file=sys.stderr)
        raise SystemExit(2) from None


@cache
def _command() -> Callable[[], object]:
    """All commands with their options; to put them together costs more than most answers."""
    return get_command(app)

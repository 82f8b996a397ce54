"""What the commands share: the application, options of one meaning, the archive they ask.

SQLAlchemy and rich are imported inside the commands: `archive --help` needs neither.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from storage.asof import AsOf
    from storage.queries.organs import Organ

app = typer.Typer(
    help="Ask the archive of government disclosure reports.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

EMPTY = "The archive is empty: `scrapy crawl urumqi_districts` fills it."

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Division = Annotated[
    str | None, typer.Option("--division", metavar="CODE", help="Only this division, e.g. 650102.")
]
Year = Annotated[int | None, typer.Option("--year", help="Only this reporting year.")]
OrganOption = Annotated[
    str | None, typer.Option("--organ", help="Only this organ: name, portal key or division code.")
]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of", metavar="DATE", help="As of the end of this day in China; see --basis."
    ),
]
BasisOption = Annotated[
    str,
    typer.Option(
        "--basis",
        metavar="known|published",
        help="Of --as-of: what the archive had known, or what had been published.",
    ),
]


@contextmanager
def archive(empty: str | None, *, needs_reports: bool = True) -> Iterator[Connection]:
    """A connection to the archive; where it is empty, a sentence and exit code 0.

    `empty` is what a program that asked for JSON reads then; the sentence goes to stderr.
    """
    from storage.settings import Settings

    settings = Settings()
    if settings.sqlite_path is not None and not settings.sqlite_path.is_file():
        say_empty(empty)
    from storage.database import consistent, open_for_reading
    from storage.queries.report import holds_reports

    engine = open_for_reading(settings)
    if engine is None:
        say_empty(empty)
    try:
        # One answer tells of one moment, also while a crawl writes.
        with consistent(engine).connect() as connection:
            if needs_reports and not holds_reports(connection):
                say_empty(empty)
            yield connection
    finally:
        engine.dispose()


def write(change: Callable[[Connection], str], accept: str = "", only: Sequence[str] = ()) -> str:
    """One change to the archive, whole or not at all; `accept`: what it changes was sealed."""
    from storage.database import open_for_writing, transact
    from storage.evidence.seal import seal
    from storage.settings import Settings

    settings = Settings()
    if settings.sqlite_path is not None and not settings.sqlite_path.is_file():
        say_empty(None)
    engine = open_for_writing(settings)
    try:
        said = transact(engine, change)
        seal(
            settings,
            datetime.now(UTC),
            accept=accept or "a correction",
            only=only,
        )
    finally:
        engine.dispose()
    return said


def say_empty(empty: str | None) -> NoReturn:
    if empty:
        print(empty)
    print(EMPTY, file=sys.stdout if empty is None else sys.stderr)
    raise typer.Exit


def organ(connection: Connection, asked: str) -> Organ:
    from storage.queries.organs import find_organ

    return find_organ(connection, asked)


def organ_id(connection: Connection, asked: str | None) -> int | None:
    return None if asked is None else organ(connection, asked).id


def as_of(asked: str | None, basis: str) -> AsOf | None:
    """The moment that --as-of and --basis name; None for today. Raises BadQuestion."""
    from storage.asof import AsOf
    from storage.errors import BadQuestion

    if asked is not None:
        return AsOf.parse(asked, basis)
    if basis != "known":
        raise BadQuestion("--basis says what --as-of means: give --as-of as well")
    return None


def print_json(answer: Any) -> None:
    import json

    print(json.dumps(answer, ensure_ascii=False))

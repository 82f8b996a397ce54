"""What an address asks for: its parameters, checked; a bad one is told in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from starlette.requests import Request

from storage.asof import AsOf
from storage.errors import BadQuestion, StorageError

# The parameters that `as_of` reads.
MOMENT = ("as_of", "basis")
# Longer than any year, and still an integer of PostgreSQL.
_MOST_DIGITS = 9


class Unclear(StorageError):
    """Raised when an address asks for something in a way that means nothing.

    `key` is a sentence of words/error.toml, `facts` what it names.
    """

    def __init__(self, key: str, **facts: str) -> None:
        super().__init__(f"{key}: {facts}")
        self.key, self.facts = key, facts


def word(request: Request, name: str) -> str | None:
    """A parameter as text; None where it is not given or empty."""
    return request.query_params.get(name, "").strip() or None


def number(request: Request, name: str) -> int | None:
    """A parameter as a whole number. Raises Unclear."""
    value = word(request, name)
    return None if value is None else whole(name, value)


def whole(name: str, value: str) -> int:
    """A whole number of a parameter or of a part of the path. Raises Unclear."""
    if value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS:
        return int(value)
    raise Unclear("number", name=name, value=value)


def one_of(request: Request, name: str, choices: Sequence[str]) -> str | None:
    """A parameter that is one of these. Raises Unclear."""
    value = word(request, name)
    if value is None or value in choices:
        return value
    raise Unclear("choice", name=name, value=value, choices=", ".join(choices))


def as_of(request: Request, bases: Sequence[str] = ("known", "published")) -> AsOf | None:
    """The moment that `as_of` and `basis`, one of `bases`, name. Raises Unclear.

    Not beyond today in China: nobody knows what will be due in the year 9999, and the ledger would
    lay out every year up to it.
    """
    day, basis = word(request, "as_of"), one_of(request, "basis", bases) or "known"
    if day is None:
        return None
    try:
        asked = AsOf.parse(day, basis)
    except BadQuestion as error:
        raise Unclear("date", name="as_of", value=day) from error
    if asked.at > datetime.now(UTC) + timedelta(days=1):
        raise Unclear("future", name="as_of", value=day)
    return asked

"""Where a list goes on: the key of the last row that was given, and which question it belongs to.

A key and no count of rows, so that what comes or goes meanwhile moves nothing. A cursor is checked
and not signed: who forges one begins elsewhere in a list that everybody may read, and a secret
would have to be shared by every process that serves the archive.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, TypeAlias, TypeVar

from storage.explorer.api.problems import Refusal

Key: TypeAlias = tuple[str | int, ...]
Row = TypeVar("Row")

_CHECK = 8
# PostgreSQL's integers; SQLite's are longer.
_LARGEST = 2**31 - 1


class Page(NamedTuple):
    """Rows of a list, and the key to go on from; None at the end."""

    rows: Sequence[Mapping[str, Any]]
    after: Key | None


def write_cursor(question: str, key: Key) -> str:
    """Opaque text for an address; `question` is all that was asked but the page."""
    body = json.dumps(key, ensure_ascii=False, separators=(",", ":")).encode()
    return urlsafe_b64encode(_check(question, body) + body).decode().rstrip("=")


def read_cursor(question: str, cursor: str, types: Sequence[type]) -> Key:
    """The key. Raises Refusal for whatever `write_cursor` did not make of this question."""
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        body = raw[_CHECK:]
        key = json.loads(body)
        known = raw[:_CHECK] == _check(question, body)
    except (ValueError, RecursionError):
        known = False
    if not known or not _fits(key, types):
        raise Refusal("invalid-cursor", parameter="cursor")
    return tuple(key)


def cut(
    rows: Sequence[Row], key: Callable[[Row], Key], after: Key | None, limit: int
) -> tuple[list[Row], Key | None]:
    """A page of rows that came all at once; the key of its last row where more follow.

    Rows of one key are told apart by their number among them: it is the last part of the cursor.
    """
    ordered = sorted(((key(row), row) for row in rows), key=lambda each: each[0])
    seen: Counter[Key] = Counter()
    rest = []
    for name, row in ordered:
        seen[name] += 1
        whole = (*name, seen[name])
        if after is None or whole > after:
            rest.append((whole, row))
    page = rest[:limit]
    return [row for _, row in page], page[-1][0] if len(rest) > limit else None


def _fits(key: object, types: Sequence[type]) -> bool:
    return (
        isinstance(key, list)
        and [type(each) for each in key] == list(types)
        and all(not isinstance(each, int) or abs(each) <= _LARGEST for each in key)
    )


def _check(question: str, body: bytes) -> bytes:
    return sha256(question.encode() + b"\0" + body).digest()[:_CHECK]

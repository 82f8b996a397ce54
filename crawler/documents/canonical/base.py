"""What the rules for files share: how content is hashed, what is too much, and how to give up."""

from __future__ import annotations

import hashlib

# Beyond these a file is not opened. Reports are a few hundred kB, scans of them a few MB.
MAX_BODY = 32 << 20
MAX_INFLATED = 64 << 20
MAX_PARTS = 4096


class NotUnderstood(Exception):
    """Damaged, encrypted, too large, or not what it seemed: such a file counts as its bytes."""


class Content:
    """The hash of a file's content, piece by piece.

    Each piece goes in behind its length, so that no two different sequences hash alike.
    """

    def __init__(self, rule: str) -> None:
        self._hash = hashlib.sha256(rule.encode())

    def put(self, *pieces: str | bytes | bytearray) -> None:
        for piece in pieces:
            data = piece.encode("utf-8", "surrogatepass") if isinstance(piece, str) else piece
            self._hash.update(b"%d:" % len(data))
            self._hash.update(data)

    def digest(self) -> str:
        """sha256, hex."""
        return self._hash.hexdigest()

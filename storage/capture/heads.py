"""The heads of WARC records, without their bodies: what a look at every answer can afford."""

from __future__ import annotations

import os
import re
import zlib
from collections import OrderedDict
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from storage.capture.warc import locate
from storage.errors import WarcNotReadable

_GZIP = 16 + zlib.MAX_WBITS
_PIECE, _LONGEST = 1024, 1 << 20  # bytes read at a time, bytes that two heads may have
_BLANK = re.compile(rb"\n\r?\n")
_KEPT_OPEN = 16


class Heads(NamedTuple):
    """The head of a record and the HTTP head in it, each as it stands there."""

    record: bytes
    http: bytes


class HeadReader:
    """Reads heads by file and offset. `directory` holds the WARC files; close it, or use `with`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._open: OrderedDict[str, int] = OrderedDict()

    def read(self, name: str, offset: int) -> Heads:
        """Raises WarcNotReadable."""
        handle = self._handle(name)
        member, text = zlib.decompressobj(_GZIP), b""
        try:
            while len(text) < _LONGEST and not member.eof:
                piece = os.pread(handle, _PIECE, offset)
                if not piece:
                    break
                offset += len(piece)
                text += member.decompress(piece)
                found = _BLANK.search(text)
                if found and (second := _BLANK.search(text, found.end())):
                    return Heads(text[: found.end()], text[found.end() : second.end()])
        except (OSError, zlib.error) as error:
            raise _unreadable(self._directory / name, offset, str(error)) from error
        raise _unreadable(self._directory / name, offset, "no two heads")

    def close(self) -> None:
        while self._open:
            os.close(self._open.popitem()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _handle(self, name: str) -> int:
        if name not in self._open:
            path = locate(self._directory, name)
            try:
                self._open[name] = os.open(path, os.O_RDONLY)
            except OSError as error:
                raise _unreadable(path, 0, error.strerror or "") from error
            if len(self._open) > _KEPT_OPEN:
                os.close(self._open.popitem(last=False)[1])
        return self._open[name]


def _unreadable(path: Path, offset: int, why: str) -> WarcNotReadable:
    return WarcNotReadable(
        f"{path} has no whole exchange at {offset} ({why}): bring the file back from a copy"
    )

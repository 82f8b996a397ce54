"""Plain PDFs are opened here, all others in a process of their own that may hang or die.

pdfium is a C library: what it does with hostile bytes cannot be interrupted from Python. A file is
plain where every stream unpacks whole and small and no form calls another, so that its size bounds
time and memory; nearly every published report is. The rest costs a fifth of a second more.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from threading import Event, Timer
from typing import IO, TYPE_CHECKING, Any, Final

from crawler.documents.ruling import Line
from crawler.documents.typeset.page import MAX_SECONDS, Char, Page, read_pages
from crawler.errors import Unreadable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MAX_BYTES: Final = 256 << 20
# Of unpacked content this much makes at most some hundred MB of objects, in a second.
_MOST_UNPACKED = 3 << 20
_MOST_STREAMS = 3000
_LARGEST_PLAIN = 32 << 20
_LONGEST_HEAD = 4096  # bytes between `obj` and `stream`
_STREAM = re.compile(rb"stream\r?\n")
_FILTERS = re.compile(rb"/(?:LZW|ASCII85|ASCIIHex|RunLength|A85|AHx|Fl|RL)(?:Decode)?\b")
_IMAGE = re.compile(rb"/Subtype\s*/Image\b")
_FORM = re.compile(rb"/Subtype\s*/Form\b")
_CALL = re.compile(rb"\bDo\b")
_DANGEROUS = (b"/Type3", b"/JavaScript", b"/XFA")
_XREF = re.compile(rb"startxref\s+(\d+)\s+%%EOF\s*\Z")
_TABLE = re.compile(rb"\s*(?:xref\b|\d+\s+\d+\s+obj\b)")
_CHILD = "crawler.documents.typeset.child"


def pages_of(body: bytes) -> list[Page]:
    """Every page. Raises Unreadable."""
    if len(body) > MAX_BYTES:
        raise Unreadable("bomb", kind="pdf", limit=f"{MAX_BYTES >> 20} MB")
    return read_pages(body) if is_plain(body) else _pages_apart(body)


def is_plain(body: bytes) -> bool:
    """Does the size of this file bound what opening it costs?"""
    if len(body) > _LARGEST_PLAIN or any(word in body for word in _DANGEROUS):
        return False
    end = _XREF.search(body, max(len(body) - _LONGEST_HEAD, 0))
    if end is None or not _TABLE.match(body, int(end[1])):
        return False
    left, streams, calls, forms = _MOST_UNPACKED, 0, False, False
    view = memoryview(body)
    for found in _STREAM.finditer(body):
        if body[found.start() - 3 : found.start()] == b"end":
            continue
        streams += 1
        start = found.end()
        begin = body.rfind(b"obj", max(start - _LONGEST_HEAD, 0), start)
        head = body[begin:start]
        if begin < 0 or b"#" in head or streams > _MOST_STREAMS or _FILTERS.search(head):
            return False
        forms = forms or bool(_FORM.search(head))
        if b"/FlateDecode" not in head:
            if not _IMAGE.search(head):
                left -= max(body.find(b"endstream", start) - start, 0)
                calls = calls or bool(_FORM.search(head))
            continue
        if head.count(b"/FlateDecode") > 1:
            return False
        if _IMAGE.search(head):
            continue  # unpacked only where a page is drawn
        packed = zlib.decompressobj()
        try:
            content = packed.decompress(view[start:], left + 1)
        except zlib.error:
            return False
        left -= len(content)
        if left < 0 or not packed.eof or any(word in content for word in _DANGEROUS):
            return False
        calls = calls or bool(_FORM.search(head) and _CALL.search(content))
    return left >= 0 and not (forms and calls)


def _pages_apart(body: bytes) -> list[Page]:
    """Every page, read by a process of its own. Raises Unreadable."""
    command = [sys.executable, "-m", _CHILD, "pages"]
    try:
        ran = subprocess.run(
            command,
            input=body,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=MAX_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _too_slow() from None
    if ran.returncode:
        raise _died()
    answer = json.loads(ran.stdout)
    if "rule" in answer:
        raise Unreadable(answer["rule"], **answer["facts"])
    return [_page(*fields) for fields in answer["pages"]]


def _page(
    width: float,
    height: float,
    chars: list[Any],
    across: list[Any],
    down: list[Any],
    *rest: Any,
) -> Page:
    return Page(
        width,
        height,
        [Char(*char) for char in chars],
        [Line(*line) for line in across],
        [Line(*line) for line in down],
        *rest,
    )


def images_of(body: bytes, dpi: int) -> Iterator[tuple[int, npt.NDArray[np.uint8], int]]:
    """Each page drawn, one at a time, by a process of its own: its number from 1, grey pixels and
    their number an inch: `dpi`, or less on a page too large for it. Raises Unreadable.
    """
    import numpy as np

    child = subprocess.Popen(
        [sys.executable, "-m", _CHILD, "images", str(dpi)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdin
    assert child.stdout
    try:
        _send(child.stdin, body)
        while line := _in_time(child, child.stdout.readline):
            frame = json.loads(line)
            if "rule" in frame:
                raise Unreadable(frame["rule"], **frame["facts"])
            wide, high = frame["width"], frame["height"]
            pixels = _in_time(child, partial(child.stdout.read, wide * high))
            if len(pixels) < wide * high:
                break
            yield frame["number"], np.frombuffer(pixels, np.uint8).reshape(high, wide), frame["dpi"]
        if child.wait():
            raise _died()
    finally:
        child.kill()
        child.stdin.close()
        child.stdout.close()
        child.wait()


def _send(stdin: IO[bytes], body: bytes) -> None:
    try:
        stdin.write(body)
        stdin.close()
    except BrokenPipeError:
        return  # it died: its return code says so


def _in_time(child: subprocess.Popen[bytes], read: Callable[[], bytes]) -> bytes:
    """What the child sends, unless it takes too long about it."""
    late = Event()

    def stop() -> None:
        late.set()
        child.kill()

    timer = Timer(MAX_SECONDS, stop)
    timer.start()
    try:
        data = read()
    finally:
        timer.cancel()
    if late.is_set():
        raise _too_slow()
    return data


def _too_slow() -> Unreadable:
    return Unreadable("too_slow", kind="pdf", limit=f"{MAX_SECONDS:.0f} s")


def _died() -> Unreadable:
    return Unreadable("damaged", kind="pdf", why="opening it needs more than it can be given")

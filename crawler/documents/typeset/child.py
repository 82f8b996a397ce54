"""Opens one PDF from its standard input within fixed limits: `python -m … pages | images DPI`."""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

import pypdfium2 as pdfium

from crawler.documents.typeset.page import MAX_SECONDS, opened, read_pages
from crawler.errors import Unreadable

_MOST_MEMORY = 900 << 20
_MOST_PIXELS = 40_000_000


def main() -> None:
    """Writes JSON: the pages; or for each image a line and its pixels."""
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    body = sys.stdin.buffer.read()
    try:
        if sys.argv[1] == "pages":
            resource.setrlimit(resource.RLIMIT_CPU, (int(MAX_SECONDS) + 1, int(MAX_SECONDS) + 1))
            _say({"pages": read_pages(body)})
        else:
            _draw(body, int(sys.argv[2]))
    except Unreadable as refused:
        _say({"rule": refused.rule, "facts": refused.facts})


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    sys.stdout.buffer.flush()


def _draw(body: bytes, dpi: int) -> None:
    document = opened(body)
    for number in range(len(document)):
        try:
            page = document[number]
        except pdfium.PdfiumError:
            continue
        wide, high = page.get_size()
        most = (_MOST_PIXELS / max(wide * high, 1.0)) ** 0.5
        scale = min(dpi / 72, most)
        if min(wide, high) * scale < 1:
            continue
        bitmap = page.render(scale=scale, grayscale=True)
        row, stride = bitmap.width, bitmap.stride
        pixels = memoryview(bitmap.buffer).cast("B")
        frame = {"number": number + 1, "width": row, "height": bitmap.height}
        _say({**frame, "dpi": round(scale * 72)})
        for at in range(bitmap.height):
            sys.stdout.buffer.write(pixels[at * stride : at * stride + row])
        sys.stdout.buffer.flush()
        bitmap.close()
        page.close()


if __name__ == "__main__":
    main()

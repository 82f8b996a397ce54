"""Files that a page shows in a frame of its own, or hands to a script that does.

Readers and dialects both ask for them, and dialects know no documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl

from lxml.html import HtmlElement

HOLDERS: Final = {"iframe": "src", "embed": "src", "object": "data", "param": "value"}
SCRIPT: Final = "script"
_KINDS = r"\.(?:pdf|ofd|docx?|wps|xlsx?)"
_FILE = re.compile(rf"{_KINDS}(?![A-Za-z0-9])", re.IGNORECASE)
_WHOLE = re.compile(rf"\S*[^\s/.]{_KINDS}", re.IGNORECASE)
_QUOTED = re.compile(rf"[\"']([^\"'\s<>]{{1,500}}{_KINDS}(?:[?#][^\"'\s<>]{{0,500}})?)[\"']", re.I)
# Script libraries quote their own help and samples; the call that shows a file is short.
_LONGEST_SCRIPT: Final = 20_000


def shown_files(element: HtmlElement) -> Iterator[str]:
    """The addresses of files shown within an element, as written, in page order."""
    for node in element.iter(*HOLDERS, SCRIPT):
        yield from files_of(node)


def files_of(node: HtmlElement) -> Iterator[str]:
    """The addresses one frame, object or script names.

    >>> from lxml.html import fromstring
    >>> list(files_of(fromstring("<iframe src='/pdf/web/?url=%2Ffiles%2Fa.pdf'></iframe>")))
    ['/files/a.pdf']
    """
    if node.tag == SCRIPT:
        code = node.text or ""
        if len(code) <= _LONGEST_SCRIPT:
            for found in _QUOTED.finditer(code):
                yield found[1].replace("\\/", "/")
        return
    address = node.get(HOLDERS[str(node.tag)]) or ""
    if _FILE.search(address):
        path, _, query = address.partition("?")
        within = [value for _, value in parse_qsl(query) if _WHOLE.fullmatch(value)]
        # A viewer is a page that is told which file to show.
        yield within[0] if within and not _FILE.search(path) else address

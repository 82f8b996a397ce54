"""Which links are files of an article, and what the files are called: the same for all dialects."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from lxml.html import HtmlElement

from crawler import viewer
from crawler.cms.text import absolute, enclosing, file_name, fold, label, path_of, query

# Page images are part of the text, not files beside it.
EXTENSION = re.compile(
    r"\.(?:docx?|wps|pdf|xlsx?|et|ofd|zip|rar|txt)(?![A-Za-z0-9])", re.IGNORECASE
)
HOLDERS = {"a": "href", "area": "href", "iframe": "src", "embed": "src", "object": "data"}
# What shows a file in the page names it in its own way, a script within the body as well.
SHOWING = (*viewer.HOLDERS, viewer.SCRIPT)
# Files linked from these places belong to the site, not to the article.
SURROUNDINGS = re.compile(r"\b(?:foot|footer|copyright|sidebar|nav|menu)\b", re.IGNORECASE)


def has_file_extension(url: str) -> bool:
    """Does the address end in the extension of a document file?

    >>> has_file_extension("http://h.cn/a/%E6%8A%A5.PDF?v=1"), has_file_extension("http://h.cn/a.jpg")
    (True, False)
    """
    path = path_of(url)
    return any(match.end() == len(path) for match in EXTENSION.finditer(path))


def is_vsb_file(url: str) -> bool:
    """Is it one of VSB's two download addresses, their arguments in any order?"""
    path, arguments = path_of(url), query(url)
    if path.endswith("/virtual_attach_file.vsb"):
        return bool(EXTENSION.search(arguments.get("e", ".pdf")))
    return path.endswith("/download.jsp") and "wbfileid" in arguments


def name_of(element: HtmlElement, url: str) -> str:
    """What a reader would call the file: link text, else title attribute, else the address."""
    text = "" if element.tag == viewer.SCRIPT else label(element)
    title, file = fold(element.get("title") or ""), file_name(url)
    if EXTENSION.search(text):
        return text
    return title or (file if EXTENSION.search(file) else text or file)


def files(
    tree: HtmlElement,
    base: str,
    title: HtmlElement | None,
    body: HtmlElement,
    by_address: Callable[[str], bool],
) -> Iterator[tuple[str, str]]:
    """(address, name) of the article's files, in page order, each address once.

    An address of the CMS's own form counts wherever it stands; a mere extension counts inside the
    body, and between the title and the end of what encloses both.
    """
    inside = set(body.iter(*HOLDERS, *SHOWING))
    around = set(region(title, body).iter(*HOLDERS))
    found: dict[str, str] = {}
    passed = title is None
    for element in tree.iter():
        passed = passed or element is title
        for address in addresses(element, element in inside):
            url = absolute(base, address)
            if url is None:
                continue
            near = passed and element in around and not in_surroundings(element)
            if by_address(url) or (has_file_extension(url) and (element in inside or near)):
                found[url] = found.get(url) or name_of(element, url)
    yield from found.items()


def addresses(element: HtmlElement, inside: bool) -> Iterator[str]:
    """What an element may refer to: as a link, as the page it frames, as the file behind that."""
    if element.tag in HOLDERS:
        yield element.get(HOLDERS[element.tag]) or ""
    if inside and element.tag in SHOWING:
        yield from viewer.files_of(element)


def region(title: HtmlElement | None, body: HtmlElement) -> HtmlElement:
    """The parent of the innermost element that holds both: attachment lists stand beside it."""
    holders = set() if title is None else {title, *title.iterancestors()}
    shared = next((item for item in body.iterancestors() if item in holders), None)
    if shared is None:
        shared = body
    parent = shared.getparent()
    return shared if parent is None else parent


def in_surroundings(element: HtmlElement) -> bool:
    return any(
        parent.tag in ("footer", "nav", "aside")
        or SURROUNDINGS.search(f"{parent.get('class')} {parent.get('id')}")
        for parent in enclosing(element, 12)
    )

"""A capture opened and read: the same two calls in the crawl and in a re-parse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from crawler.cms.base import Article
from crawler.documents import bundle, html, image
from crawler.documents.model import Document, Remark
from crawler.documents.opening import open_file
from crawler.errors import SourceError, Unreadable
from crawler.forms.model import Finding, Reading
from crawler.forms.reading import read


class File(NamedTuple):
    """A file as served, or one within a bundle, whose name is `bundle.zip/member.docx`."""

    name: str
    body: bytes


def files_of(name: str, body: bytes) -> Iterator[File]:
    """The file itself, and what it holds where it is a bundle."""
    yield File(name, body)
    if not bundle.is_mine(body):
        return
    try:
        for member in bundle.members(body):
            if not member.why:
                yield File(f"{name}/{member.name}", member.body)
    except Unreadable:
        return  # said in the reading of the bundle


def find_file(root: str, body: bytes, name: str) -> File:
    """The file `name` of a capture whose own name is `root`. Raises SourceError."""
    found = next((file for file in files_of(root, body) if file.name == name), None)
    if found is None:
        raise SourceError(f"{name} is no member of {root} any more: read it with the older release")
    return found


def read_article(article: Article, document: Document | None = None) -> Reading:
    """The page's article, with what the page itself gives reason to say."""
    reading = read(document or html.read(article.body))
    said = tuple(map(Finding.remark, article.warnings))
    return replace(reading, findings=(*reading.findings, *said))


def read_file(file: File) -> Reading:
    """A file that opens as no report says why in its findings; it never fails.

    Of a bundle only what is said of its members: those that open are files of their own.
    """
    try:
        documents = open_file(file.body, file.name)
    except Unreadable as error:
        return unread(error)
    if bundle.is_mine(file.body):
        remarks = tuple(remark for each in documents for remark in each.remarks)
        return read(Document("bundle", (), remarks=remarks))
    (document,) = documents
    return read(document)


def cured() -> tuple[str, ...]:
    """Rules of findings that a tool would spare today which was missing when they were found."""
    return ("needs_ocr",) if image.can_read() else ()


def unread(error: Unreadable) -> Reading:
    """Of bytes that open as no document."""
    said = Finding.remark(Remark(error.rule, error.facts))
    return Reading("unknown", None, (), (), (said,), ())

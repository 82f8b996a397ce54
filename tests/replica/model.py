"""What the synthetic world is made of: organs, documents, channels, answers, edits."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.replica.reports import Report

CLICKS, CLOCK, SESSION = "@@clicks@@", "@@clock@@", "@@session@@"

# Which query arguments choose the page; all others (tm_id, site_id, …) are decoration there.
SIGNIFICANT = {
    "iList.jsp": ("cat_id", "cur_page"),
    "iIndex.jsp": ("cat_id",),
    "nIndex.jsp": ("node_id",),
    "content.jsp": ("info_id",),
    "download.jsp": ("wbfileid",),
}


def chance(key: str) -> int:
    """A number that is the same in every run for the same words."""
    return zlib.crc32(key.encode())


def address_key(target: str) -> str:
    """The part of a path and query that chooses the page.

    >>> address_key("/info/iList.jsp;jsessionid=4F?tm_id=1&cur_page=2&cat_id=7")
    '/info/iList.jsp?cat_id=7&cur_page=2'
    >>> address_key("/nb?page=1")
    '/nb'
    """
    parts = urlsplit(target)
    path = unquote(parts.path.split(";", 1)[0]) or "/"
    given = parse_qs(parts.query)
    names = SIGNIFICANT.get(path.rsplit("/", 1)[-1], ("page",))
    chosen = [
        f"{name}={given[name][0]}"
        for name in names
        if name in given and not (name.endswith("page") and given[name][0] == "1")
    ]
    return path + ("?" + "&".join(chosen) if chosen else "")


@dataclass(frozen=True)
class Organ:
    """An organ that reports: a government, a department, a township or a 街道.

    `known` maps a reporting year to what is already settled about that year's report.
    """

    key: str
    name: str
    title_name: str
    kind: str
    years: tuple[int, ...]
    source: str
    known: Mapping[int, Mapping[str, Any]]
    dates: Mapping[int, str]
    layouts: Mapping[int, str]
    docx: tuple[int, ...]


@dataclass(frozen=True)
class Document:
    """Anything with a page: an annual report (`organ` and `year` are set) or another notice.

    `published` is what its pages show: "2020-03-06", "2020-03-06 14:38" or with seconds.
    """

    key: str
    title: str
    published: str
    source: str
    organ: Organ | None = None
    year: int | None = None
    dead: bool = False


@dataclass(frozen=True)
class Attachment:
    """A file a page links to, generated when asked for."""

    name: str
    document: Document

    @property
    def number(self) -> str:
        """Its 32 hexadecimal digits in the addresses of VSB."""
        return "".join(f"{chance(self.name + salt):08x}" for salt in "abcd")


@dataclass(frozen=True)
class Placed:
    """A document at one address of one site."""

    document: Document
    path: str


@dataclass(frozen=True)
class Channel:
    """A page of a site's tree: a menu, a list, a single document or a redirect."""

    key: str
    title: str
    path: str
    under: str
    kind: str
    site: str
    placed: tuple[Placed, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def per_page(self) -> int:
        size: int = self.options.get("per_page", 15)
        return size

    @property
    def pages(self) -> int:
        return max(1, -(-len(self.placed) // self.per_page))

    def page(self, number: int) -> tuple[Placed, ...]:
        """The rows of page `number`, counted from 1 at the newest."""
        return self.placed[(number - 1) * self.per_page : number * self.per_page]


@dataclass(frozen=True)
class Answer:
    """A response without its noise."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def with_noise(self, number: int) -> Answer:
        """Clicks, clock and session of the answer with that running number."""
        if b"@@" not in self.body:
            return self
        body = self.body.replace(CLICKS.encode(), str(1000 + number * 7).encode())
        clock = f"{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
        body = body.replace(CLOCK.encode(), clock.encode())
        session = f"{chance(str(number)):08X}{number:08X}"
        return replace(self, body=body.replace(SESSION.encode(), session.encode()))


Route = Callable[[], Answer]


@dataclass(frozen=True)
class Edit:
    """One change of an edited world, to a page or (where `attachment` is named) to a file alone.

    `key` is the document's ("tianshan/gov/2021"), `path` a cell's ("art20.item5.licensing.made")
    or a paragraph's ("sections.3.0").
    """

    key: str
    portal: str
    organ: str
    year: int
    path: str
    before: str
    after: str
    attachment: str | None = None


@dataclass(frozen=True)
class ExpectedAttachment:
    name: str
    sha256: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Expected:
    """A report that a complete crawl of the world has found."""

    division_code: str
    portal: str
    organ: str
    year: int
    title: str
    published: str
    source: str
    urls: tuple[str, ...]
    attachments: tuple[ExpectedAttachment, ...]
    layout: str
    report: Report

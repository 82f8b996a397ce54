"""What travels from the spiders to the pipelines, and with every request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from scrapy.exceptions import IgnoreRequest

from crawler.cms.base import Article
from crawler.portals.titles import Identity
from crawler.words import Remark

# `page` is a further page of a listing; `again`: one of its pages, not for the first time.
Purpose = Literal["entry", "channel", "seed", "listing", "page", "again", "report", "attachment"]


class Refused(IgnoreRequest):
    """Raised in place of a request that a rule of ours forbids; its attempt has a row.

    `outcome` is that of its attempt: robots_refused, circuit_open …
    """

    def __init__(self, message: str, outcome: str = "") -> None:
        super().__init__(message)
        self.outcome = outcome


class Leaving(IgnoreRequest):
    """Raised in place of a request when the crawl is leaving: nothing has become known of it."""


class Unusable(IgnoreRequest):
    """Raised in place of an answer that is kept as evidence and must not be read as a page.

    `outcome` is that of its attempt: blocked, soft_404, redirect_loop …
    """

    def __init__(self, url: str, outcome: str) -> None:
        super().__init__(f"{url}: {outcome}")
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Visit:
    """Why a request is made. `trail` are the texts of the links that led here, entry first."""

    portal: str
    purpose: Purpose
    depth: int = 0
    trail: tuple[str, ...] = ()
    title: str = ""  # of the report or attachment, as the listing or page shows it
    identity: Identity | None = None
    page: str = ""  # the address of the report page that led to an attachment
    listing: str = ""  # of a listing's further page: the address of its first
    place: int = 0  # and which page it is (crawler/spiders/paging.py)
    known: bool = False  # a report that is asked for again: `identity` is what the archive says


@dataclass(frozen=True, slots=True)
class Sight:
    """Where and when an answer was seen, and the capture that holds its bytes."""

    portal: str
    url: str
    capture_id: int
    at: datetime
    redirected: tuple[str, ...] = ()  # addresses that led here by redirect, first asked first


@dataclass(frozen=True, slots=True)
class ReportPage:
    """A page taken for an annual report.

    `listed_as` is the title a listing gave it; `certain` is False where only that listing, or a
    seed, calls it a report: then its content decides. `told`: a seed, or a title that is surely a
    report's, led here, so that a page that shows none is a gap.
    """

    sight: Sight
    identity: Identity
    article: Article
    listed_as: str
    certain: bool
    told: bool


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that belongs to a report, as served; `of_page` unless a listing leads to the file.
    `page` is the address of that page.
    """

    sight: Sight
    identity: Identity
    name: str
    body: bytes
    of_page: bool
    page: str = ""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A report that is known and could not be had; `outcome` says in a word why."""

    portal: str
    url: str
    identity: Identity
    title: str
    outcome: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of a listing; `shown` is the date beside it, as written."""

    url: str
    title: str
    shown: str | None
    is_report: bool


@dataclass(frozen=True, slots=True)
class ListingRead:
    """What became of a listing of annual reports in this run: see storage.capture.listings.Look.

    `why` is the rule that failed; of a complete one, what is odd about it.
    """

    portal: str
    url: str
    title: str
    annual: bool
    trail: tuple[str, ...]
    depth: int
    read_at: datetime
    scope: Literal["whole", "head"]
    verdict: Literal["complete", "incomplete", "blocked", "down", "gone", "not_asked"]
    why: Remark | None
    pages: int = 0
    declared_total: int | None = None
    declared_pages: int | None = None
    captures: tuple[int, ...] = ()
    entries: tuple[Listed, ...] = ()

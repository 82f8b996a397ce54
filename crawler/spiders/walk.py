"""The walk every portal spider shares: from the disclosure entries to the reports.

A page is asked in its CMS's dialect whether it is an article or a listing. Links that lead towards
annual reports are followed to a bounded depth, listings are paged to their end, and whatever looks
like a report is fetched, with its attachments. No selector and no writing here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from scrapy import Request, Spider
from scrapy.exceptions import IgnoreRequest
from scrapy.http import HtmlResponse, Response, TextResponse
from scrapy.settings import BaseSettings
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from crawler.cms import cms_by_key, parse_page, recognise
from crawler.cms.base import Article, Cms, Link, Listing, Page
from crawler.errors import ConfigurationError
from crawler.items import (
    Attachment,
    Leaving,
    Refused,
    ReportPage,
    Sight,
    Unreachable,
    Unusable,
    Visit,
)
from crawler.portals import Life, Portal, Registry, host_of, load, load_lives
from crawler.portals.titles import Identity, identify, is_annual, is_report, known, leads_on, rules
from crawler.spiders.measuring import Measures
from crawler.spiders.plan import EVERYTHING, Round

Found = ReportPage | Attachment | Unreachable | Request

# What a start may be for: everything, or what the schedule says is due.
SCOPES = ("all", "due")
_GONE = frozenset({404, 410})  # definite answers: the run is complete without these pages
_NEEDED = frozenset({"entry", "channel", "page"})  # without these, more may be missing
_TOLD = frozenset({"report", "seed"})  # purposes of pages that somebody calls a report
_REPORT, _SEED, _LISTING = 30, 20, 10  # priorities: what is known goes before what is looked for


class PortalSpider(Spider):
    """A spider over the portals that `choose` names."""

    registry: Registry
    lives: Mapping[str, tuple[Life, ...]]
    portals: tuple[Portal, ...]
    # What each portal is asked for; the run fills it before the spider starts.
    rounds: Mapping[str, Round]

    @classmethod
    def choose(cls, portal: Portal) -> bool:
        """Whether this spider crawls the portal when none are named."""
        raise NotImplementedError

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        super().update_settings(settings)
        cls.registry = load(cms_by_key())
        cls.lives = load_lives(cls.registry)
        pace = settings["PACE"]
        slots = {
            portal.key: {"concurrency": 1, "delay": pace.seconds(portal.delay), "jitter": 0}
            for portal in cls.registry
        }
        settings.set("DOWNLOAD_SLOTS", slots, priority="spider")

    def __init__(self, portals: str = "", scope: str = "all", **kwargs: Any) -> None:
        """`portals`: keys separated by commas; all of the spider's own when empty. `scope`: all,
        or `due` for what the schedule says.
        """
        super().__init__(**kwargs)
        self.portals = self.chosen(portals)
        if scope not in SCOPES:
            raise ConfigurationError(f"no scope {scope!r}: choose among {', '.join(SCOPES)}")
        self.scope = scope
        self.rounds = dict.fromkeys((portal.key for portal in self.portals), EVERYTHING)
        self._pages: Counter[str] = Counter()
        self._reports: Counter[str] = Counter()
        self._files: dict[str, set[Identity]] = {}
        self.measures = Measures()

    @classmethod
    def chosen(cls, portals: str = "") -> tuple[Portal, ...]:
        """The portals that `portals` names. Raises RegistryError."""
        keys = [key.strip() for key in portals.split(",") if key.strip()]
        if keys:
            return cls.registry.select(keys)
        return tuple(portal for portal in cls.registry if cls.choose(portal))

    def silent(self) -> tuple[str, ...]:
        """Keys of the portals that have shown no report at all: never a quiet day."""
        return tuple(portal.key for portal in self.portals if not self._reports[portal.key])

    async def start(self) -> AsyncIterator[Any]:
        for portal in self.portals:
            for seed in portal.seeds:
                visit = Visit(portal.key, "seed", identity=known(portal, seed.organ, seed.year))
                yield self._request(seed.url, visit, _SEED)
            for url in portal.channels:
                yield self._request(url, Visit(portal.key, "channel"), _LISTING)
            for url in (*portal.disclosure, portal.home):
                yield self._request(url, Visit(portal.key, "entry"), _LISTING)

    # --- one answer ---------------------------------------------------------------------------

    def parse(self, response: Response, **kwargs: Any) -> Iterator[Found]:
        visit: Visit = response.meta["visit"]
        if visit.purpose == "attachment":
            yield from self._attachment(response, visit)
        elif isinstance(response, TextResponse) and not _is_file(response):
            yield from self._page(response, visit)
        elif visit.purpose in _TOLD:
            yield from self._attachment(response, visit)  # the report is a file
        else:
            self._incomplete(f"{visit.purpose} is no page")

    def _page(self, response: TextResponse, visit: Visit) -> Iterator[Found]:
        portal = self.registry.portals[visit.portal]
        page = parse_page(response.url, response.text)
        cms = recognise(page, (portal.cms, *portal.former_cms))
        article = cms.article(page)
        self.measures.page(response, page, cms, article)
        if article is not None and self._is_report(visit, article):
            report = self._report(response, visit, portal, article)
            self._reports[portal.key] += 1
            yield report
            yield from self._attachments(visit, report)
            onward = visit.purpose not in _TOLD and not cms.is_article(response.url)
        else:
            # A channel may be called like a report: its listing is what it shows.
            onward = visit.purpose not in _TOLD or cms.listing(page) is not None
            if not onward:
                yield from self._unreachable(response.url, visit, "no_article")
        if onward:
            yield from self._explore(response, visit, portal, page, cms)

    def _is_report(self, visit: Visit, article: Article) -> bool:
        """By its own title; a page that a listing or a seed calls a report is taken on trial."""
        return is_report(article.title) or visit.purpose in _TOLD

    def _report(
        self, response: Response, visit: Visit, portal: Portal, article: Article
    ) -> ReportPage:
        identity = identify(
            portal,
            (article.title, visit.title),
            (*visit.trail, *article.breadcrumb),
            article.source,
            article.published,
            self.registry,
        )
        seed = visit.identity if visit.purpose == "seed" else None
        if seed is not None and (identity.inferred or identity.year in {None, seed.year}):
            identity = seed
        certain = is_report(article.title)
        told = visit.purpose == "seed" or is_report(visit.title)
        return ReportPage(_sight(response, visit), identity, article, visit.title, certain, told)

    def _attachments(self, visit: Visit, report: ReportPage) -> Iterator[Request]:
        names: Counter[str] = Counter()
        for link in report.article.attachments:
            names[link.text] += 1
            # Two files of one name on one page are two parts.
            name = f"{link.text} ({names[link.text]})" if names[link.text] > 1 else link.text
            onward = replace(
                visit,
                purpose="attachment",
                title=name,
                identity=report.identity,
                page=report.sight.url,
            )
            request = self._request(link.url, onward, _REPORT)
            owners = self._files.setdefault(link.url, set())
            # A file of two reports is asked for by each. Noted before it is yielded: pages from the
            # archive are walked at the same time.
            shared = bool(owners - {report.identity})
            owners.add(report.identity)
            yield request.replace(dont_filter=shared)

    def _attachment(self, response: Response, visit: Visit) -> Iterator[Found]:
        assert visit.identity is not None, "an attachment is asked for with its report's identity"
        if isinstance(response, HtmlResponse) or not response.body:
            self._incomplete("a page, or nothing, in place of an attachment")
            return
        of_page = visit.purpose == "attachment"
        sight = _sight(response, visit)
        yield Attachment(sight, visit.identity, visit.title, response.body, of_page, visit.page)

    # --- onward -------------------------------------------------------------------------------

    def _explore(
        self, response: Response, visit: Visit, portal: Portal, page: Page, cms: Cms
    ) -> Iterator[Request]:
        self._pages[portal.key] += 1
        if self._pages[portal.key] > rules()["bounds"]["pages"]:
            self._incomplete(f"more than {rules()['bounds']['pages']} pages")
            return
        here = (*cms.breadcrumb(page), cms.channel_title(page))
        annual = visit.purpose == "channel" or is_annual(visit.trail, here)
        listing = cms.listing(page)
        self.measures.listing(response, page, cms, listing)
        found = [*self._listed(visit, portal, listing, annual)]
        for link in cms.links(page):
            if is_report(link.text):
                found += self._report_request(visit, portal, link)
            elif self._leads_on(visit, link, cms, here):
                trail = (*visit.trail, link.text)
                onward = replace(visit, purpose="listing", depth=visit.depth + 1, trail=trail)
                found += self._follow(portal, link.url, onward, _LISTING - onward.depth)
        if not found and (annual or visit.purpose in _NEEDED):
            self._incomplete(f"{visit.purpose} shows nothing")
        yield from found

    def _listed(
        self, visit: Visit, portal: Portal, listing: Listing | None, annual: bool
    ) -> Iterator[Request]:
        """What a listing names: its reports and its further pages."""
        if listing is None:
            return
        for link in listing.entries:
            if is_report(link.text, annual):
                yield from self._report_request(visit, portal, link)
        for url in listing.pages:
            yield from self._follow(portal, url, replace(visit, purpose="page"), _LISTING)
        declared = max((listing.declared_pages or 1) - 1, 0)
        rows_left = (listing.declared_total or 0) - len(listing.entries)
        if visit.purpose != "page" and not listing.pages and (declared or rows_left > 0):
            self._incomplete("a listing declares more than it shows")

    def _leads_on(self, visit: Visit, link: Link, cms: Cms, here: tuple[str, ...]) -> bool:
        return (
            visit.depth < rules()["bounds"]["depth"]
            and leads_on(link.text, (*here, *visit.trail))
            and not cms.is_article(link.url)
            and not cms.is_attachment(link.url)
        )

    def _report_request(self, visit: Visit, portal: Portal, link: Link) -> Iterator[Request]:
        identity = identify(portal, (link.text,), visit.trail, others=self.registry)
        onward = replace(visit, purpose="report", title=link.text, identity=identity)
        yield from self._follow(portal, link.url, onward, _REPORT)

    def _follow(self, portal: Portal, url: str, visit: Visit, priority: int) -> Iterator[Request]:
        """Only on the portal's own hosts: mirrors elsewhere copy whole paths."""
        if host_of(url) in portal.site_hosts:
            yield self._request(portal.canonical(url), visit, priority, original=url)

    def _request(self, url: str, visit: Visit, priority: int, original: str = "") -> Request:
        return Request(
            url,
            callback=self.parse,
            errback=self.failed,
            priority=priority,
            meta={"visit": visit, "original": original or url},
        )

    # --- no answer ----------------------------------------------------------------------------

    def failed(self, failure: Failure) -> Iterator[Found]:
        """A request that got no usable answer, after all its retries."""
        if isinstance(failure.value, Leaving):
            return  # the next start asks for it
        request: Request = failure.request  # type: ignore[attr-defined]  # set by Scrapy
        visit: Visit = request.meta["visit"]
        original = request.meta["original"]
        status = failure.value.response.status if isinstance(failure.value, HttpError) else None
        ignored = isinstance(failure.value, IgnoreRequest)
        redirected = "redirect_urls" in request.meta
        if original != request.url and status is None and not ignored and not redirected:
            # The canonical host does not answer: the alias the link named may.
            yield self._request(original, visit, request.priority)
            return
        unusable = failure.value.outcome if isinstance(failure.value, Unusable) else None
        refused = isinstance(failure.value, Refused)
        needed = visit.purpose in _NEEDED or is_annual(visit.trail)
        gone = status in _GONE or unusable == "soft_404"
        if not refused and (not gone or needed):
            self._incomplete(f"{visit.purpose} {unusable or 'not answered'}")
        if visit.purpose in _TOLD:
            word = f"http_{status}" if status else unusable or type(failure.value).__name__
            yield from self._unreachable(request.url, visit, word, told=True)

    def _unreachable(
        self, url: str, visit: Visit, outcome: str, told: bool = False
    ) -> Iterator[Unreachable]:
        """Only what is surely a report: a bare title in an annual channel may be something else.

        A page that came and shows no report makes the run incomplete, unless that was `told`.
        """
        sure = visit.purpose == "seed" or is_report(visit.title)
        if sure and not told:
            self._incomplete("a report's page shows none")
        if sure and visit.identity is not None and visit.identity.year is not None:
            yield Unreachable(visit.portal, url, visit.identity, visit.title, outcome, _now())

    def _incomplete(self, reason: str) -> None:
        self.crawler.stats.inc_value(f"incomplete/{reason}")


def _is_file(response: TextResponse) -> bool:
    """Whether it is called a document: Scrapy takes a PDF of plain letters for text."""
    kind = (response.headers.get("Content-Type") or b"").partition(b";")[0].strip().lower()
    return kind.startswith(b"application/") and not kind.endswith((b"json", b"xml", b"javascript"))


def _sight(response: Response, visit: Visit) -> Sight:
    led = tuple(response.meta.get("redirect_urls", ()))
    meta = response.meta
    return Sight(visit.portal, response.url, meta["capture_id"], meta["at"], led)


def _now() -> datetime:
    return datetime.now(UTC)

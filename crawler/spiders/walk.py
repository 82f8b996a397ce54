"""The walk every portal spider shares: from the disclosure entries to the reports.

A page is asked in its CMS's dialect whether it is an article or a listing. Links that lead towards
annual reports are followed to a bounded depth, listings are paged to their end, and whatever looks
like a report is fetched, with its attachments. No selector and no writing here.

A plan (plan.py) may ask for less: single listings, down to what is known of them, single reports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

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
    Listed,
    ListingRead,
    Purpose,
    Refused,
    ReportPage,
    Sight,
    Unreachable,
    Unusable,
    Visit,
)
from crawler.portals import Life, Portal, Registry, host_of, load, load_lives
from crawler.portals.titles import Identity, identify, is_annual, is_report, known, leads_on, rules
from crawler.spiders.fates import Fate, fate_of
from crawler.spiders.measuring import Measures
from crawler.spiders.paging import Reading, Shown, is_cut
from crawler.spiders.plan import EVERYTHING, Recheck, Round, Watched
from crawler.words import Remark

Found = ReportPage | Attachment | Unreachable | ListingRead | Request

# What a start may be for: everything, or what the schedule says is due.
SCOPES = ("all", "due")
_NEEDED = frozenset({"entry", "channel", "page", "again"})  # without these, more may be missing
_TOLD = frozenset({"report", "seed"})  # purposes of pages that somebody calls a report
_REPORT, _SEED, _LISTING = 30, 20, 10  # priorities: what is known goes before what is looked for


class _Menu(NamedTuple):
    """Whereto a page leads on, and the names of the pages above it."""

    leads: set[str]
    above: set[str]


class PortalSpider(Spider):
    """A spider over the portals that `choose` names."""

    registry: Registry
    lives: Mapping[str, tuple[Life, ...]]
    portals: tuple[Portal, ...]
    # What each portal is asked for, by its key; all of a portal that has none.
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
        self.rounds = {}
        self._lost: dict[tuple[str, str], Fate] = {}  # first pages of listings that did not come
        self._troubles: dict[str, Fate] = {}  # of each portal the last of its failures
        self._readings: dict[tuple[str, str], Reading] = {}
        self._visits: dict[Reading, tuple[Visit, str]] = {}
        self._menus: dict[str, _Menu] = {}
        self._looked_around: set[str] = set()  # portals where something known was gone
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
        asked = (portal.key for portal in self.portals if self.round(portal.key).tree)
        return tuple(key for key in asked if not self._reports[key])

    def round(self, portal: str) -> Round:
        """What a portal is asked for."""
        return self.rounds.get(portal, EVERYTHING)

    def fate(self, portal: str, url: str) -> Fate | None:
        """Why a listing of the archive was not read; None for one that was, or need not have been.

        One that nothing led to shares the fate of the entries that should have.
        """
        plan = self.round(portal)
        due = any(watched.url == url for watched in plan.listings)
        if (portal, url) in self._readings or not (due or (plan.tree and url not in plan.rests)):
            return None
        of_portal = [fate for (key, _), fate in self._lost.items() if key == portal]
        entries = (fate for fate in of_portal if fate.verdict != "gone")
        return self._lost.get((portal, url)) or next(entries, Fate("not_asked", ""))

    def unanswered(self) -> Iterator[ListingRead]:
        """Listings of which the run's end finds pages still under way."""
        for (portal, url), reading in self._readings.items():
            if not reading.done and reading.kept:
                visit, title = self._visits[reading]
                why = Remark("listing.unanswered")
                self._incomplete(f"{portal}: listing {url}: {why}")
                yield ListingRead(
                    portal,
                    url,
                    title,
                    reading.annual,
                    visit.trail,
                    visit.depth,
                    _now(),
                    "whole",
                    "incomplete",
                    why,
                )

    async def start(self) -> AsyncIterator[Any]:
        for portal in self.portals:
            plan = self.round(portal.key)
            for recheck in plan.rechecks:
                yield self._request(
                    recheck.url, _again(portal, recheck), _SEED, lives=recheck.lives
                )
            for watched in plan.listings:
                yield self._watched_request(portal, watched)
            if plan.tree:
                for request in self._tree(portal, plan):
                    yield request

    def _watched_request(self, portal: Portal, watched: Watched) -> Request:
        visit = Visit(portal.key, "listing", watched.depth, watched.trail)
        return self._request(watched.url, visit, _LISTING, lives=watched.lives)

    def _look_around(self, portal: Portal) -> Iterator[Request]:
        """What was there is gone: it may stand elsewhere, so that every listing that is known is
        read, to its last page, and new ones are looked for. Once a run.
        """
        plan = self.round(portal.key)
        if portal.key in self._looked_around:
            return
        self._looked_around.add(portal.key)
        # A report moves within its listing: its row stays where it was, pages deep.
        known = {url: replace(watched, whole=True) for url, watched in plan.known.items()}
        self.rounds = {
            **self.rounds,
            portal.key: replace(
                plan,
                tree=True,
                rests=plan.rests - known.keys(),
                known=known,
                listings=tuple(replace(watched, whole=True) for watched in plan.listings),
            ),
        }
        for watched in known.values():
            yield self._watched_request(portal, watched)
        if not plan.tree:
            yield from self._tree(portal, plan)

    def _tree(self, portal: Portal, plan: Round) -> Iterator[Request]:
        for seed in portal.seeds:
            if seed.url not in plan.rests:
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
            yield from self._page_failed(response.request, visit, "no_page", gone=False)

    def _page(self, response: TextResponse, visit: Visit) -> Iterator[Found]:
        portal = self.registry.portals[visit.portal]
        page = parse_page(response.url, response.text)
        cms = recognise(page, (portal.cms, *portal.former_cms))
        if visit.listing:
            yield from self._further(response, visit, portal, page, cms)
            return
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
            yield from self._explore(response, visit, portal, page, cms, article is not None)

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
        seed = visit.identity if visit.purpose == "seed" or visit.known else None
        if seed is not None and (identity.inferred or identity.year in {None, seed.year}):
            identity = seed
        certain = is_report(article.title)
        told = visit.purpose == "seed" or is_report(visit.title)
        return ReportPage(_sight(response, visit), identity, article, visit.title, certain, told)

    def _attachments(self, visit: Visit, report: ReportPage) -> Iterator[Request]:
        names: Counter[str] = Counter()
        rests = self.round(visit.portal).rests
        for link in report.article.attachments:
            names[link.text] += 1
            # Two files of one name on one page are two parts.
            name = f"{link.text} ({names[link.text]})" if names[link.text] > 1 else link.text
            if link.url in rests:
                continue
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
        self,
        response: TextResponse,
        visit: Visit,
        portal: Portal,
        page: Page,
        cms: Cms,
        is_text: bool,
    ) -> Iterator[Found]:
        if self._is_bound(portal):
            return
        here = (*cms.breadcrumb(page), cms.channel_title(page))
        annual = visit.purpose == "channel" or is_annual(visit.trail, here)
        named, onward = self._links(visit, portal, page, cms, here)
        watched = self._watched(portal, response)
        annual = annual or (watched is not None and watched.annual)
        listing = cms.listing(page)
        self.measures.listing(response, page, cms, listing)
        if listing is None or not (listing.entries or listing.pages):
            # A page that leads no further than the one before it is no menu: rows are missing.
            is_menu = is_text or named or self._leads_further(response, visit, onward)
            is_shell = annual and visit.purpose != "entry" and not is_menu
            listing = Listing(()) if watched or (is_shell and onward) else None
        self._menus[response.url] = _Menu({request.url for request in onward}, set(here[:-1]))
        if not (named or onward or listing) and (annual or visit.purpose in _NEEDED):
            self._incomplete(f"{visit.purpose} shows nothing")
        if listing is not None:
            yield from self._begin(response, visit, portal, cms, page, listing, annual, watched)
        yield from self._walk_on(portal, [*named, *onward])

    def _begin(
        self,
        response: TextResponse,
        visit: Visit,
        portal: Portal,
        cms: Cms,
        page: Page,
        listing: Listing,
        annual: bool,
        watched: Watched | None,
    ) -> Iterator[Found]:
        """Read a listing from its first page on, unless it is being read already."""
        shown = _shown(response, portal, listing)
        url = watched.url if watched else shown.url
        if (portal.key, url) in self._readings:
            return
        reading = Reading(cms, url, shown, annual, watched)
        self._readings[portal.key, url] = reading
        self._visits[reading] = (visit, cms.channel_title(page))
        yield from self._listed(visit, portal, reading, listing)
        yield from self._read_on(portal, reading)

    def _walk_on(self, portal: Portal, requests: Iterable[Request]) -> Iterator[Request]:
        plan = self.round(portal.key)
        if plan.tree:
            yield from (request for request in requests if request.url not in plan.rests)

    def _links(
        self, visit: Visit, portal: Portal, page: Page, cms: Cms, here: tuple[str, ...]
    ) -> tuple[list[Request], list[Request]]:
        """Requests for the reports a page links to, and for what leads on to others."""
        named: list[Request] = []
        onward: list[Request] = []
        for link in cms.links(page):
            if is_report(link.text):
                named += self._report_request(visit, portal, link)
            elif self._leads_on(visit, link, cms, here):
                trail = (*visit.trail, link.text)
                further = replace(visit, purpose="listing", depth=visit.depth + 1, trail=trail)
                onward += self._follow(portal, link.url, further, _LISTING - further.depth)
        return named, onward

    def _is_bound(self, portal: Portal) -> bool:
        """Whether so many pages were seen that something must be wrong with them."""
        self._pages[portal.key] += 1
        if self._pages[portal.key] > rules()["bounds"]["pages"]:
            self._incomplete(f"more than {rules()['bounds']['pages']} pages")
            return True
        return False

    def _leads_further(
        self, response: TextResponse, visit: Visit, onward: Sequence[Request]
    ) -> bool:
        """Whether a page is a menu: of what lies below it, or above the page that led to it."""
        assert response.request is not None
        referrer = response.request.headers.get("Referer") or b""
        before = self._menus.get(referrer.decode("latin-1"))
        if before is None:
            return bool(onward)
        above = visit.trail[-1] in before.above if visit.trail else False
        return above or any(request.url not in before.leads for request in onward)

    def _watched(self, portal: Portal, response: TextResponse) -> Watched | None:
        """What is known of the listing that a page begins, by the address that was asked for."""
        plan = self.round(portal.key)
        listings = {**plan.known, **{each.url: each for each in plan.listings}}
        urls = (*response.meta.get("redirect_urls", ())[:1], response.url)
        return next(filter(None, (listings.get(portal.canonical(url)) for url in urls)), None)

    def _further(
        self, response: TextResponse, visit: Visit, portal: Portal, page: Page, cms: Cms
    ) -> Iterator[Found]:
        """A further page of a listing, or one of its pages once more."""
        reading = self._readings[portal.key, visit.listing]
        if self._is_bound(portal):
            yield from self._page_failed(response.request, visit, "too_many", gone=False)
            return
        listing = cms.listing(page) or Listing(())
        is_first_sight = not response.meta.get("again") and not reading.is_probe(visit.place)
        if is_first_sight:
            self.measures.page(response, page, cms, None)
            self.measures.listing(response, page, cms, listing)
        reading.took(visit.place, _shown(response, portal, listing))
        yield from self._listed(visit, portal, reading, listing)
        yield from self._read_on(portal, reading)
        if is_first_sight:
            here = (*cms.breadcrumb(page), cms.channel_title(page))
            first = replace(visit, listing="", place=0)
            for requests in self._links(first, portal, page, cms, here):
                yield from self._walk_on(portal, requests)

    def _listed(
        self, visit: Visit, portal: Portal, reading: Reading, listing: Listing
    ) -> Iterator[Request]:
        """The reports that a page of a listing names, but for those that rest."""
        rests = self.round(portal.key).rests
        for link in listing.entries:
            if not reading.is_report(link):
                continue
            self._reports[portal.key] += 1
            url = portal.canonical(link.url)
            if url not in rests or reading.is_retitled(url, link.text):
                yield from self._report_request(visit, portal, link)

    def _read_on(self, portal: Portal, reading: Reading) -> Iterator[Found]:
        """Ask for what a listing still lacks; say what became of it when that is nothing."""
        was_done = reading.done
        visit, title = self._visits[reading]
        for ask in reading.asks():
            purpose: Purpose = "again" if ask.again else "page"
            further = replace(visit, purpose=purpose, listing=reading.url, place=ask.place)
            request = self._request(portal.canonical(ask.url), further, _LISTING, ask.url)
            # Whoever else asked for it: the reading waits for this one.
            yield request.replace(dont_filter=True, meta={**request.meta, "again": ask.again})
        if not reading.done or was_done:
            return
        judged = reading.judgement
        if judged is None:
            if reading.declares_more:
                self._incomplete("a listing declares more than it shows")
            return
        if judged.verdict == "incomplete":
            self._incomplete(f"{portal.key}: listing {reading.url}: {judged.why}")
        entries = tuple(
            Listed(row.url, row.text, row.date, reading.is_report(row)) for row in judged.rows
        )
        yield ListingRead(
            portal=portal.key,
            url=reading.url,
            title=title,
            annual=reading.annual,
            trail=visit.trail,
            depth=visit.depth,
            read_at=judged.since,
            scope=judged.scope,
            verdict=judged.verdict,
            why=judged.why,
            pages=judged.pages,
            declared_total=judged.total,
            declared_pages=judged.count,
            captures=judged.captures,
            entries=entries,
        )
        for url, text in judged.gone.items():
            # What it showed before and shows no more: is the page gone, too?
            if is_report(text, reading.annual):
                yield from self._report_request(visit, portal, Link(url, text))

    def _leads_on(self, visit: Visit, link: Link, cms: Cms, here: tuple[str, ...]) -> bool:
        return (
            visit.depth < rules()["bounds"]["depth"]
            and leads_on(link.text, (*here, *visit.trail))
            and not cms.is_article(link.url)
            and not cms.is_attachment(link.url)
        )

    def _report_request(self, visit: Visit, portal: Portal, link: Link) -> Iterator[Request]:
        identity = identify(portal, (link.text,), visit.trail, others=self.registry)
        onward = replace(
            visit, purpose="report", title=link.text, identity=identity, listing="", place=0
        )
        yield from self._follow(portal, link.url, onward, _REPORT)

    def _follow(self, portal: Portal, url: str, visit: Visit, priority: int) -> Iterator[Request]:
        """Only on the portal's own hosts: mirrors elsewhere copy whole paths."""
        if host_of(url) in portal.site_hosts:
            yield self._request(portal.canonical(url), visit, priority, original=url)

    def _request(
        self, url: str, visit: Visit, priority: int, original: str = "", *, lives: bool = False
    ) -> Request:
        """`lives`: it was there the last time."""
        return Request(
            url,
            callback=self.parse,
            errback=self.failed,
            priority=priority,
            meta={"visit": visit, "original": original or url, "lives": lives},
        )

    # --- no answer ----------------------------------------------------------------------------

    def failed(self, failure: Failure) -> Iterator[Found]:
        """A request that got no usable answer, after all its retries."""
        error = failure.value
        assert error is not None, "a failure is one of something"
        if isinstance(error, Leaving):
            return  # the next start asks for it
        request: Request = failure.request  # type: ignore[attr-defined]  # set by Scrapy
        visit: Visit = request.meta["visit"]
        original = request.meta["original"]
        status = error.response.status if isinstance(error, HttpError) else None
        ignored = isinstance(error, IgnoreRequest)
        redirected = "redirect_urls" in request.meta
        if original != request.url and status is None and not ignored and not redirected:
            # The canonical host does not answer: the alias the link named may.
            yield self._request(original, visit, request.priority)
            return
        fate = fate_of(error, status, self._troubles.get(visit.portal))
        if fate.verdict in {"blocked", "down"} and not isinstance(error, Refused):
            self._troubles[visit.portal] = fate
        gone = fate.verdict == "gone"
        probe = visit.listing and self._readings[visit.portal, visit.listing].is_probe(visit.place)
        needed = visit.purpose in _NEEDED or is_annual(visit.trail)
        if not isinstance(error, Refused) and not probe and (not gone or needed):
            said = fate.word if isinstance(error, Unusable) else "not answered"
            self._incomplete(f"{visit.purpose} {said}")
        if visit.listing:
            yield from self._page_failed(request, visit, fate.word, gone)
        elif visit.purpose in {"listing", "channel", "entry"}:
            first = request.meta.get("redirect_urls", [request.url])[0]
            url = self.registry.portals[visit.portal].canonical(first)
            self._lost[visit.portal, url] = fate
        if visit.purpose in _TOLD:
            yield from self._unreachable(request.url, visit, fate.word, told=True)
        if gone and request.meta.get("lives"):
            yield from self._look_around(self.registry.portals[visit.portal])

    def _page_failed(
        self, request: Request | None, visit: Visit, word: str, gone: bool
    ) -> Iterator[Found]:
        """A further page of a listing did not come."""
        if visit.listing and request is not None:
            reading = self._readings[visit.portal, visit.listing]
            reading.failed(visit.place, word, gone, request.meta.get("capture_id"))
            yield from self._read_on(self.registry.portals[visit.portal], reading)

    def _unreachable(
        self, url: str, visit: Visit, outcome: str, told: bool = False
    ) -> Iterator[Unreachable]:
        """Only what is surely a report: a bare title in an annual channel may be something else.

        A page that came and shows no report makes the run incomplete, unless that was `told`.
        """
        sure = visit.purpose == "seed" or visit.known or is_report(visit.title)
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


def _again(portal: Portal, recheck: Recheck) -> Visit:
    purpose: Purpose = "attachment" if recheck.page else "report"
    return Visit(
        portal.key,
        purpose,
        title=recheck.title,
        identity=recheck.identity,
        page=recheck.page,
        known=True,
    )


def _shown(response: TextResponse, portal: Portal, listing: Listing) -> Shown:
    """A page of a listing with its rows under their canonical addresses."""
    return Shown(
        url=portal.canonical(response.url),
        rows=tuple(replace(row, url=portal.canonical(row.url)) for row in listing.entries),
        named=tuple(url for url in listing.pages if host_of(url) in portal.site_hosts),
        total=listing.declared_total,
        count=listing.declared_pages,
        capture_id=response.meta["capture_id"],
        at=response.meta["at"],
        cut=is_cut(response.text),
    )


def _sight(response: Response, visit: Visit) -> Sight:
    led = tuple(response.meta.get("redirect_urls", ()))
    meta = response.meta
    return Sight(visit.portal, response.url, meta["capture_id"], meta["at"], led)


def _now() -> datetime:
    return datetime.now(UTC)

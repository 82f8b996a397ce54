"""The synthetic world: nine portals from data, on one day, edited or not.

`World.base()` reads world.toml and portals/*.toml. Nothing is rendered until it is asked for, and
what was rendered is kept, so an answer takes well under a millisecond after the first.
"""

from __future__ import annotations

import random
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from functools import cached_property
from pathlib import Path
from urllib.parse import urljoin

from tests.replica.contents import Contents
from tests.replica.dialects import DIALECTS
from tests.replica.dialects.base import MARK, Dialect
from tests.replica.loading import load_portal
from tests.replica.model import (
    Answer,
    Channel,
    Document,
    Edit,
    Expected,
    ExpectedAttachment,
    Placed,
    Route,
    address_key,
)
from tests.replica.portal import Portal

HERE = Path(__file__).parent
TODAY = date(2026, 4, 1)


class World:
    """What the portals publish on the day `today`."""

    def __init__(
        self, portals: tuple[Portal, ...], contents: Contents, today: date, edits: tuple[Edit, ...]
    ) -> None:
        self.portals = portals
        self.contents = contents
        self.today = today
        self.edits = edits
        self._answers: dict[tuple[str, str], Answer] = {}

    @classmethod
    def base(cls, today: date = TODAY, edits: tuple[Edit, ...] = ()) -> World:
        """The world as the TOML files describe it; what is published after `today` is not there."""
        rules = tomllib.loads((HERE / "world.toml").read_text("utf-8"))
        files = sorted((HERE / "portals").glob("*.toml"))
        portals = tuple(load_portal(file, rules, today) for file in files)
        return cls(portals, Contents(rules, edits), today, edits)

    def with_edits(self, seed: int = 1, reports: int = 5, attachments: int = 1) -> World:
        """The same world after `reports` of its reports and `attachments` of its files changed.

        What changed, and how, is in `edits` of the new world.
        """
        rng = random.Random(seed)
        every = list(self._reports())
        rng.shuffle(every)
        plain = [one for one in every if not self.contents.attachments(one[1])]
        filed = [one for one in every if self.contents.attachments(one[1])]
        plan = self.contents.plan_edit
        edits = [plan(portal.key, document, rng) for portal, document in plain[:reports]]
        for portal, document in filed[:attachments]:
            (attachment,) = self.contents.attachments(document)
            edits.append(plan(portal.key, document, rng, attachment.name))
        return World.base(self.today, (*self.edits, *edits))

    @cached_property
    def sites(self) -> dict[str, tuple[Portal, Dialect]]:
        """Every site by "portal/site"."""
        return {
            f"{portal.key}/{key}": (
                portal,
                DIALECTS[options["cms"]](portal, key, options, self.contents),
            )
            for portal in self.portals
            for key, options in portal.sites.items()
        }

    @cached_property
    def hosts(self) -> dict[str, tuple[str, ...]]:
        """The sites that a host answers for, by host."""
        found: dict[str, list[str]] = {}
        for name, (portal, dialect) in self.sites.items():
            for host in dialect.options.get("hosts", portal.hosts):
                found.setdefault(host, []).append(name)
        return {host: tuple(names) for host, names in found.items()}

    @cached_property
    def routes(self) -> dict[str, dict[str, Route]]:
        """Address key to the call that renders it, by site."""
        return {name: dict(dialect.routes()) for name, (_, dialect) in self.sites.items()}

    def portal_of(self, host: str) -> Portal:
        """The portal a host belongs to. KeyError for a host outside the world."""
        return self.sites[self.hosts[host][0]][0]

    def serves_https(self, host: str) -> bool:
        name = self.hosts[host][0]
        portal, dialect = self.sites[name]
        return bool(dialect.options.get("https", portal.https))

    def robots(self, host: str) -> str | None:
        """The text of a host's robots.txt; None where it answers 404."""
        name = self.hosts[host][0]
        portal, dialect = self.sites[name]
        text: str | None = dialect.options.get("robots", portal.robots)
        return text

    def answer(self, host: str, target: str, noise: int = 0) -> Answer | None:
        """What `host` answers for a path and query; None where there is no such host."""
        if host not in self.hosts:
            return None
        if address_key(target) == "/robots.txt":
            return self._robots_answer(host)
        portal = self.portal_of(host)
        key = address_key(target)
        moved = portal.redirects.get(host + key) or portal.redirects.get(key)
        if moved and host in portal.hosts:
            return Answer(301, (MARK, ("Location", moved)), b"")
        return self._page(host, key).with_noise(noise)

    def _robots_answer(self, host: str) -> Answer:
        text = self.robots(host)
        if text is None:
            return not_found()
        return Answer(200, (MARK, ("Content-Type", "text/plain")), text.encode())

    def _page(self, host: str, key: str) -> Answer:
        for site in self.hosts[host]:
            if (site, key) in self._answers:
                return self._answers[site, key]
            if key in self.routes[site]:
                self._answers[site, key] = answer = self.routes[site][key]()
                return answer
        return not_found()

    def is_busy_once(self, host: str, target: str) -> bool:
        """Whether the first request for this page answers 503 with Retry-After."""
        return host in self.hosts and address_key(target) in self.portal_of(host).busy

    def _reports(self) -> Iterator[tuple[Portal, Document]]:
        for portal in self.portals:
            documents = {
                placed.document.key: placed.document
                for channel in portal.channels
                for placed in channel.placed
                if placed.document.year is not None
            }
            yield from ((portal, documents[key]) for key in sorted(documents))

    def expected(self) -> tuple[Expected, ...]:
        """Every report of the world with all its addresses, sorted by portal, organ and year."""
        return tuple(self._expected(portal, document) for portal, document in self._reports())

    def _expected(self, portal: Portal, document: Document) -> Expected:
        organ, year = document.organ, document.year
        assert organ is not None
        assert year is not None
        report = self.contents.report(document)
        return Expected(
            division_code=portal.code,
            portal=portal.key,
            organ=organ.name,
            year=year,
            title=document.title,
            published=document.published,
            source=document.source if self._shows_source(portal, document) else "",
            urls=tuple(self._urls(portal, document)),
            attachments=tuple(self._expected_attachments(portal, document)),
            layout=report.layout,
            report=report,
        )

    def addresses(self) -> dict[str, tuple[Portal, Document]]:
        """Host and address key of every page that is a report, with the report."""
        return {
            host + address_key(path): (portal, document)
            for portal, document in self._reports()
            for host, path, _ in self._places(portal, document)
        }

    def _shows_source(self, portal: Portal, document: Document) -> bool:
        return any(
            self.sites[f"{portal.key}/{channel.site}"][1].shows_source(channel)
            for channel, _ in self._placements[document.key]
        )

    @cached_property
    def _placements(self) -> dict[str, list[tuple[Channel, Placed]]]:
        """Where each document stands; a channel that is one document shows its newest alone."""
        found: dict[str, list[tuple[Channel, Placed]]] = defaultdict(list)
        for portal in self.portals:
            for channel in portal.channels:
                shown = channel.placed[:1] if channel.kind == "single" else channel.placed
                for placed in shown:
                    found[placed.document.key].append((channel, placed))
        return found

    def _places(self, portal: Portal, document: Document) -> Iterator[tuple[str, str, Placed]]:
        """Host, path and placing of every address at which a document answers."""
        seen = set()
        for channel, placed in self._placements[document.key]:
            for host in portal.sites[channel.site].get("hosts", portal.hosts):
                if (host, placed.path) not in seen:
                    seen.add((host, placed.path))
                    yield host, placed.path, placed

    def _absolute(self, host: str, path: str) -> Iterator[str]:
        yield urljoin(f"http://{host}/", path)
        if self.serves_https(host):
            yield urljoin(f"https://{host}/", path)

    def _urls(self, portal: Portal, document: Document) -> Iterator[str]:
        for host, path, _ in self._places(portal, document):
            yield from self._absolute(host, path)

    def _expected_attachments(
        self, portal: Portal, document: Document
    ) -> Iterator[ExpectedAttachment]:
        for attachment in self.contents.attachments(document):
            urls: dict[str, None] = {}
            for channel, placed in self._placements[document.key]:
                dialect = self.sites[f"{portal.key}/{channel.site}"][1]
                path = dialect.file_path(placed, attachment)
                for host in portal.sites[channel.site].get("hosts", portal.hosts):
                    urls |= dict.fromkeys(self._absolute(host, path))
            digest = self.contents.digest(attachment)
            yield ExpectedAttachment(attachment.name, digest, tuple(urls))


def not_found() -> Answer:
    """The page of an address that does not exist."""
    body = "<html><head><title>404</title></head><body>您访问的页面不存在</body></html>"
    return Answer(404, (MARK, ("Content-Type", "text/html; charset=utf-8")), body.encode())

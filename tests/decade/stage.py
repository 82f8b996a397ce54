"""The portals as they stand at a moment: what a history has made of them so far, as a replica."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, cached_property
from html import escape
from random import Random
from typing import Any

from tests.decade.events import LOCAL, REPLICA, Event, History, Report, data, moment, site_data
from tests.replica.contents import Contents
from tests.replica.dialects import DIALECTS
from tests.replica.dialects.base import MARK, Dialect, link
from tests.replica.model import Answer, Channel, Document, Organ, Placed, address_key, chance
from tests.replica.portal import Portal
from tests.replica.world import World

PAGES = tomllib.loads((REPLICA.parent / "faults" / "pages.toml").read_text("utf-8"))
HTML = ("Content-Type", "text/html; charset=utf-8")
MAINTENANCE = (
    "<html><head><title>系统维护中</title></head><body><h1>网站正在维护</h1></body></html>"
)


class Bodies(Contents):
    """Contents that grow edits with time, and print each state of a report once."""

    def __init__(self) -> None:
        super().__init__(tomllib.loads((REPLICA / "world.toml").read_text("utf-8")), ())
        self._printed: dict[tuple[str, int], str] = {}

    def body(self, document: Document) -> str:
        key = (document.key, len(self._edits_of(document, None)))
        if key not in self._printed:
            self._printed[key] = super().body(document)
        return self._printed[key]

    def edit(self, portal: str, document: Document) -> None:
        rng = Random(f"{document.key}/{len(self.edits)}")
        self.edits = [*self.edits, self.plan_edit(portal, document, rng)]


def redesigned(dialect: type[Dialect], how: str) -> type[Dialect]:
    """The dialect with rows in another skin: `tiles` anybody can read, `script` nobody can."""

    def tiles(self: Dialect, channel: Channel, number: int) -> str:
        at = self.page_path(channel, number)
        links = (
            (link(self.placed_address(at, channel, one), one.document.title), one.document)
            for one in channel.page(number)
        )
        rows = "".join(
            f'<section class="tile"><p>{anchor}</p><em>{document.published[:10]}</em></section>'
            for anchor, document in links
        )
        return f'<div class="tiles">{rows}</div>'

    def script(self: Dialect, channel: Channel, number: int) -> str:
        rows = ",".join(f'"{escape(one.document.title)}"' for one in channel.page(number))
        return f'<div id="app"></div><script>mount("#app", [{rows}])</script>'

    rows = tiles if how == "tiles" else script
    return type(f"{dialect.__name__}_{how}", (dialect,), {"rows": rows})


class Skinned(World):
    """One portal on one day, perhaps redesigned."""

    markup = ""

    @cached_property
    def sites(self) -> dict[str, tuple[Portal, Dialect]]:
        (portal,) = self.portals
        options = portal.sites["now"]
        dialect = DIALECTS[options["cms"]]
        kind = redesigned(dialect, self.markup) if self.markup else dialect
        return {f"{portal.key}/now": (portal, kind(portal, "now", options, self.contents))}


@dataclass
class Stage:
    """One portal. `play` takes it through its history; `world` is how it stands then."""

    history: History
    began: datetime
    contents: Bodies
    era: int = 0
    markup: str = ""
    weather: str = ""
    notices: list[str] = field(default_factory=list)
    there: dict[str, int] = field(default_factory=dict)  # report → how often it was moved
    _moves: dict[str, int] = field(default_factory=dict)
    _played: int = 0
    _world: Skinned | None = None

    def __post_init__(self) -> None:
        for report in self.history.reports.values():
            if report.appears is not None and report.appears < self.began:
                self.there[report.key] = 0

    def play(self, until: datetime) -> list[Event]:
        """Everything that happens up to a moment, and was not played yet."""
        events = self.history.events
        new = []
        while self._played < len(events) and events[self._played].at <= until:
            event = events[self._played]
            self._played += 1
            if self._apply(event):
                new.append(event)
        return new

    def _apply(self, event: Event) -> bool:
        key, kind = event.subject, event.kind
        if kind in ("edit", "move", "remove") and key not in self.there:
            return False
        if kind in ("publish", "restore"):
            self.there[key] = self._moves.get(key, 0)
        elif kind == "edit":
            self.contents.edit(self.history.portal, self.document(self.history.reports[key]))
        elif kind == "remove":
            del self.there[key]
        elif kind == "move":
            self.there[key] = self._moves[key] = self._moves.get(key, 0) + 1
        elif kind == "notice":
            self.notices.append(event.how)
        elif kind == "migrate":
            self.era += 1
        elif kind == "redesign":
            self.markup = event.how
        elif kind == "end" and event.how == "redesign":
            self.markup = ""
        else:
            self.weather = "" if kind == "end" else event.how
        if kind not in ("wall", "down") and event.how not in ("wall", "down"):
            self._world = None
        return True

    def answer(self, host: str, target: str, noise: int) -> Answer | None:
        if self.weather == "reset":
            raise ConnectionResetError
        if self.weather == "503":
            return Answer(503, (MARK, HTML), MAINTENANCE.encode())
        if self.weather:
            return Answer(int(self.weather), (MARK, HTML), PAGES[f"script_{self.weather}"].encode())
        return self.world.answer(host, target, noise)

    @property
    def world(self) -> Skinned:
        if self._world is None:
            self._world = Skinned((self._portal(),), self.contents, self.began.date(), ())
            self._world.markup = self.markup
        return self._world

    def report_at(self, host: str, target: str) -> str | None:
        """The key of the report whose page has an address now."""
        return self._addresses.get(address_key(target))

    def is_listing(self, target: str) -> bool:
        """Whether a listing of reports begins at an address now."""
        key = address_key(target)
        return any(
            address_key(each.path) == key for each in self.world.portals[0].channels if each.placed
        )

    @property
    def _addresses(self) -> dict[str, str]:
        world = self.world
        if "addresses_" not in world.__dict__:
            world.__dict__["addresses_"] = {
                address_key(placed.path): placed.document.key
                for channel in world.portals[0].channels
                for placed in channel.placed
                if placed.document.year is not None
            }
        found: dict[str, str] = world.__dict__["addresses_"]
        return found

    # --- building -----------------------------------------------------------------------------

    @property
    def _era(self) -> dict[str, Any]:
        found: dict[str, Any] = data()["portals"][self.history.portal]["eras"][self.era]
        return found

    def _portal(self) -> Portal:
        site, era = site_data(self.history.portal), self._era
        return Portal(
            key=self.history.portal,
            code=site["code"],
            name=site["name"],
            hosts=tuple(site["hosts"]),
            https=site.get("https", False),
            robots=site.get("robots"),
            masthead=site["masthead"],
            identifier=site["identifier"],
            sites={"now": era["site"]},
            organs=(),
            channels=tuple(self._channels(era)),
            redirects=era.get("redirects", {}),
            busy=(),
            miscoded={},
            baits=tuple(site.get("baits", ())),
            strangers=tuple(site.get("strangers", ())),
        )

    def _channels(self, era: Mapping[str, Any]) -> Iterator[Channel]:
        paths: dict[str, str] = {}
        for entry in era["channels"]:
            if not entry.get("each_year"):
                yield self._channel(entry, self._documents(entry), paths)
                continue
            documents = self._documents(entry)
            for year in sorted({one.year or 0 for one in documents}, reverse=True):
                names = {name: entry[name].format(year=year) for name in ("title", "path")}
                own = {**entry, **names, "key": f"{entry['key']}{year}"}
                yield self._channel(own, [one for one in documents if one.year == year], paths)

    def _channel(
        self, entry: Mapping[str, Any], documents: list[Document], paths: dict[str, str]
    ) -> Channel:
        documents.sort(key=lambda one: (one.published, one.key), reverse=True)
        placed = []
        for one in documents:
            path = self._path(entry, one)
            if entry.get("reuse"):
                path = paths.get(one.key, path)
            paths.setdefault(one.key, path)
            placed.append(Placed(one, path))
        return Channel(
            key=entry["key"],
            title=entry["title"],
            path=entry["path"],
            under=entry.get("under", ""),
            kind=entry.get("kind", "list"),
            site="now",
            placed=tuple(placed),
            options=entry,
        )

    def _path(self, entry: Mapping[str, Any], document: Document) -> str:
        key = f"{document.key}/{self.there.get(document.key, 0) or ''}"
        default = entry["path"].rsplit("/", 1)[0] + "/{month}/{hex}.shtml"
        return str(entry.get("article", default)).format(
            month=document.published[:7].replace("-", ""),
            hex="".join(f"{chance(entry['key'] + key + salt):08x}" for salt in "abcd"),
            id=20000 + chance(key) % 9000000,
        )

    def _documents(self, entry: Mapping[str, Any]) -> list[Document]:
        wanted = entry.get("reports")
        reports = [
            self.document(self.history.reports[key])
            for key in self.there
            if wanted and (key.split("/")[1] == "gov") == (wanted == "gov")
        ]
        return [*reports, *self._notices(entry)]

    def _notices(self, entry: Mapping[str, Any]) -> Iterator[Document]:
        """Documents that are no reports, older ones and those of these years."""
        if "notices" not in entry:
            return
        site, titles = site_data(self.history.portal), self.contents.rules["notices"]["disclosure"]
        spans = (timedelta(days=20 + 53 * number) for number in range(entry["notices"]))
        older = [(self.began - span).date().isoformat() for span in spans]
        for number, day in enumerate([*reversed(older), *self.notices]):
            key, year = f"{self.history.portal}/{entry['key']}/n{number}", int(day[:4])
            title = titles[number % len(titles)].format(
                name=site["name"], year=year, last=year - 1, area=site["name"]
            )
            yield Document(key, title, day, site["name"])

    def document(self, report: Report) -> Document:
        assert report.shown is not None
        patterns = self.contents.rules["titles"]["old" if report.year < 2019 else "new"]
        organ = report.organ
        title = patterns[chance(report.key) % len(patterns)]
        return Document(
            key=report.key,
            title=title.format(name=organ.title_name, year=report.year),
            published=report.shown.isoformat() + " 10:30",
            source="",
            organ=_organ(organ.key, organ.name, organ.title_name, organ.kind, report.year),
            year=report.year,
        )


@cache
def _organ(key: str, name: str, title_name: str, kind: str, year: int) -> Organ:
    """With a file beside the page of a government every tenth year."""
    files = (year,) if kind == "government" and year % 10 == 0 else ()
    return Organ(key, name, title_name, kind, (), title_name, {}, {}, {}, files)


class Scene(World):
    """All portals at the moment up to which they were played."""

    def __init__(self, histories: tuple[History, ...], began: datetime) -> None:
        contents = Bodies()
        super().__init__((), contents, began.astimezone(LOCAL).date(), ())
        self.stages = {one.portal: Stage(one, began, contents) for one in histories}
        self._by_host = {
            host: self.stages[one.portal]
            for one in histories
            for host in site_data(one.portal)["hosts"]
        }

    def play(self, until: datetime) -> list[Event]:
        return [event for stage in self.stages.values() for event in stage.play(until)]

    @cached_property
    def hosts(self) -> dict[str, tuple[str, ...]]:
        return {host: (stage.history.portal,) for host, stage in self._by_host.items()}

    def serves_https(self, host: str) -> bool:
        return bool(site_data(self._by_host[host].history.portal).get("https", False))

    def is_busy_once(self, host: str, target: str) -> bool:
        return False

    def answer(self, host: str, target: str, noise: int = 0) -> Answer | None:
        stage = self._by_host.get(host)
        return None if stage is None else stage.answer(host, target, noise)


def night_of(day: Any) -> datetime:
    """When the crawl of a day begins."""
    begins = data()["night"]
    return moment(day, begins.hour, begins.minute)

"""Reads a portal's TOML file: organs and years become documents, channels get what they show."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.replica.model import Channel, Document, Organ, Placed, chance
from tests.replica.portal import Portal

Data = Mapping[str, Any]

FIRST_NOTICE = date(2009, 1, 12)
LAST_NOTICE = date(2026, 3, 20)


def years_of(text: str) -> tuple[int, ...]:
    """The years of "2008-2011,2013".

    >>> years_of("2008-2010,2013")
    (2008, 2009, 2010, 2013)
    """
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def by_year(table: Data) -> dict[int, str]:
    """A table keyed by ranges of years, spread out."""
    return {year: str(value) for years, value in table.items() for year in years_of(years)}


def load_portal(file: Path, rules: Data, today: date) -> Portal:
    """The portal of one file with everything it has published by `today`.

    Raises ValueError where two documents claim one address of a site.
    """
    data = tomllib.loads(file.read_text("utf-8"))
    organs = tuple(load_organ(entry) for entry in data["organs"])
    builder = Builder(file.stem, data, rules, organs, today)
    channels = tuple(builder.channel(entry) for entry in data["channels"])
    return Portal(
        key=file.stem,
        code=data["code"],
        name=data["name"],
        hosts=tuple(data["hosts"]),
        https=data.get("https", False),
        robots=data.get("robots"),
        masthead=data["masthead"],
        identifier=data["identifier"],
        sites=data["sites"],
        organs=organs,
        channels=channels,
        redirects=data.get("redirects", {}),
        busy=tuple(data.get("busy", ())),
        miscoded=data.get("miscoded", {}),
        baits=tuple(data.get("baits", ())),
        strangers=tuple(data.get("strangers", ())),
    )


def load_organ(entry: Data) -> Organ:
    """An organ; its `known` list becomes a table by year."""
    title_name = entry.get("title_name", entry["name"])
    return Organ(
        key=entry["key"],
        name=entry["name"],
        title_name=title_name,
        kind=entry.get("kind", "department"),
        years=years_of(entry["years"]),
        source=entry.get("source", title_name),
        known={known["year"]: known for known in entry.get("known", ())},
        dates=by_year(entry.get("dates", {})),
        layouts=by_year(entry.get("layouts", {})),
        docx=years_of(entry["docx"]) if "docx" in entry else (),
    )


@dataclass
class Builder:
    """Turns the channels of one file into channels with documents."""

    portal: str
    data: Data
    rules: Data
    organs: Sequence[Organ]
    today: date
    addresses: dict[tuple[str, str], str] = field(default_factory=dict)
    placed: dict[tuple[str, str], str] = field(default_factory=dict)

    def channel(self, entry: Data) -> Channel:
        """A channel and what it shows, newest first."""
        documents = [*self.reports(entry), *self.notices(entry)]
        shown = [one for one in documents if one.published[:10] <= self.today.isoformat()]
        shown.sort(key=lambda one: (one.published, one.key), reverse=True)
        site = entry.get("site", "now")
        return Channel(
            key=entry["key"],
            title=entry["title"],
            path=entry["path"],
            under=entry.get("under", ""),
            kind=entry.get("kind", "list"),
            site=site,
            placed=tuple(self.place(entry, site, one) for one in shown),
            options=entry,
        )

    def place(self, entry: Data, site: str, document: Document) -> Placed:
        """The address of a document in a channel.

        A channel that reuses links to where the document already is on that site.
        """
        if entry.get("kind") == "single":
            return Placed(document, entry["path"])
        earlier = self.placed.get((site, document.key))
        if earlier and entry.get("reuse"):
            return Placed(document, earlier)
        path = self.path(entry, document)
        owner = self.addresses.setdefault((site, path), document.key)
        if owner != document.key:
            raise ValueError(f"{self.portal}: {path} is claimed by {owner} and {document.key}")
        self.placed.setdefault((site, document.key), path)
        return Placed(document, path)

    def path(self, entry: Data, document: Document) -> str:
        known = self.known(document)
        if known.get("channel") == entry["key"]:
            path: str = known["path"]
            return path
        return self.pattern(entry, document).format(
            month=document.published[:7].replace("-", ""),
            year=document.year or document.published[:4],
            hex="".join(f"{chance(entry['key'] + document.key + salt):08x}" for salt in "abcd"),
            id=self.number(entry, document),
        )

    def pattern(self, entry: Data, document: Document) -> str:
        """The channel's own pattern for articles, else the one its CMS follows."""
        if document.year is None and "notice_article" in entry:
            name = "notice_article"
        else:
            name = "article"
        default = entry["path"].rsplit("/", 1)[0] + "/{month}/{hex}.shtml"
        return str(entry.get(name, default))

    @staticmethod
    def number(entry: Data, document: Document) -> int:
        """An article's number: a series by year where one is known, else five or six digits."""
        ids = entry.get("ids")
        if ids and document.organ and document.year:
            return int(ids["first"]) + int(ids["step"]) * (document.year - 2008)
        return 20000 + chance(document.key) % 900000

    def known(self, document: Document) -> Data:
        if document.organ is None or document.year is None:
            return {}
        return document.organ.known.get(document.year, {})

    def reports(self, entry: Data) -> Iterator[Document]:
        """The reports that selectors name: "gov", "edu:2019-2023", "*:2019" (all but gov)."""
        for selector in entry.get("reports", ()):
            key, _, span = selector.partition(":")
            for organ in self.organs:
                if organ.key == key or (key == "*" and organ.kind != "government"):
                    years = years_of(span) if span else organ.years
                    for year in sorted(set(years) & set(organ.years)):
                        yield self.report(organ, year)

    def report(self, organ: Organ, year: int) -> Document:
        known = organ.known.get(year, {})
        key = f"{self.portal}/{organ.key}/{year}"
        patterns = self.rules["titles"]["old" if year < 2019 else "new"]
        pattern = patterns[chance(key) % len(patterns)]
        return Document(
            key=key,
            title=known.get("title") or pattern.format(name=organ.title_name, year=year),
            published=self.published(organ, year, key),
            source=known.get("source", organ.source),
            organ=organ,
            year=year,
        )

    def published(self, organ: Organ, year: int, key: str) -> str:
        """The day settled for a report, else one within the law, now and then a late one."""
        settled = str(organ.known.get(year, {}).get("published") or organ.dates.get(year, ""))
        if len(settled) == len("2009-03"):
            return self.stamp(
                date.fromisoformat(settled + "-01") + timedelta(chance(key) % 27), key
            )
        if settled:
            return settled
        law = self.rules["dates"]["old" if year < 2019 else organ.kind]
        first = date(year + 1, 1, 1) + timedelta(law["first"])
        day = first + timedelta(chance(key) % law["span"])
        if year < 2025 and chance(key + "late") % self.rules["dates"]["late_in"] == 0:
            day += timedelta(self.rules["dates"]["late_by"])
        return self.stamp(day, key)

    def stamp(self, day: date, key: str) -> str:
        """The day as this portal shows it: alone, with minutes or with seconds."""
        number = chance(key + "clock")
        time = f" {9 + number % 9:02}:{number // 9 % 60:02}"
        seconds = f":{number // 540 % 60:02}"
        shown = {"date": "", "minute": time, "second": time + seconds}
        return day.isoformat() + shown[self.data.get("clock", "minute")]

    def notices(self, entry: Data) -> Iterator[Document]:
        """Documents that are no annual reports, spread evenly over the years."""
        count = entry.get("notices", 0)
        titles = self.rules["notices"][entry.get("pool", "disclosure")]
        days = (LAST_NOTICE - FIRST_NOTICE).days
        for index in range(count):
            key = f"{self.portal}/{entry['key']}/n{index:03}"
            day = FIRST_NOTICE + timedelta(days * (index + 1) // count)
            organ = self.organs[chance(key) % len(self.organs)]
            title = titles[(index + chance(entry["key"])) % len(titles)].format(
                name=organ.title_name, year=day.year, last=day.year - 1, area=self.data["name"]
            )
            dead = index in entry.get("dead", ())
            yield Document(key, title, self.stamp(day, key), organ.source, dead=dead)

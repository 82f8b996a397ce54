"""Read the portal files and check them: a wrong file is refused, naming file and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crawler.errors import RegistryError

ROOT = Path(__file__).parent
OrganKind = Literal["city", "district", "county"]


def host_of(url: str) -> str:
    """Host, and the port where it is not the scheme's own.

    >>> host_of("http://www.xjtsq.gov.cn:80/info/"), host_of("http://127.0.0.1:8650/")
    ('www.xjtsq.gov.cn', '127.0.0.1:8650')
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:  # no number: nobody's host
        return parts.netloc.lower()
    own = {"http": 80, "https": 443}.get(parts.scheme)
    return (parts.hostname or "") + (f":{port}" if port not in {None, own} else "")


@dataclass(frozen=True, slots=True)
class Seed:
    """An address known from evidence: fetched even if no listing leads there."""

    url: str
    organ: str
    year: int


@dataclass(frozen=True, slots=True)
class Bound:
    """How much a crawl of everything finds at least and at most; `what` is one of EXPECTED."""

    what: str
    least: int
    most: int | None


# What a portal's file may expect: of the whole portal, and rows a listing page on average.
EXPECTED = ("reports", "listings", "entries", "rows")


@dataclass(frozen=True)
class Portal:
    """One portal. `hosts` beyond the home's own fall in three kinds: see the fields' comments."""

    key: str
    division_code: str  # GB/T 2260, six digits
    organ_kind: OrganKind
    name_zh: str
    name_en: str
    government: str  # canonical name of the organ whose portal this is
    short_names: tuple[str, ...]  # how organs of this division begin; the first is canonical
    cms: str
    home: str
    disclosure: tuple[str, ...]  # entries of the disclosure tree
    government_aliases: tuple[str, ...] = ()
    former_cms: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()  # hosts that answer the same site: rewritten to the home's host
    old_hosts: tuple[str, ...] = ()  # hosts of an earlier site: followed as they are
    guest_hosts: tuple[str, ...] = ()  # hosts of others: only seeds are fetched there
    channels: tuple[str, ...] = ()  # known report channels, as hints
    delay: float = 3.0  # seconds between the starts of two requests
    budget: int = 5000  # requests a day, robots.txt included
    window: tuple[str, str] = ("22:00", "09:00")  # when this portal is crawled, in `timezone`
    timezone: str = "Asia/Shanghai"
    seeds: tuple[Seed, ...] = ()
    expect: tuple[Bound, ...] = ()  # TOML: [expect] with `reports = [10, 500]`, or `[10]`

    @cached_property
    def _origin(self) -> tuple[str, str]:
        home = urlsplit(self.home)
        return home.scheme, home.netloc

    @cached_property
    def site_hosts(self) -> frozenset[str]:
        """Hosts whose links are followed."""
        return frozenset({self._origin[1], *self.aliases, *self.old_hosts})

    def canonical(self, url: str) -> str:
        """The same address on the home's scheme and host, if its host answers the same site."""
        if host_of(url) not in {self._origin[1], *self.aliases}:
            return url
        parts = urlsplit(url)
        return urlunsplit((*self._origin, parts.path or "/", parts.query, ""))


@dataclass(frozen=True)
class Registry:
    """All portals of one folder, by key."""

    portals: Mapping[str, Portal]

    def __iter__(self) -> Iterator[Portal]:
        return iter(self.portals.values())

    def select(self, keys: Collection[str]) -> tuple[Portal, ...]:
        unknown = sorted(set(keys) - set(self.portals))
        if unknown:
            raise RegistryError(
                f"no portal has the key {unknown[0]!r}: choose among {', '.join(self.portals)}"
            )
        return tuple(portal for key, portal in self.portals.items() if key in keys)

    @cached_property
    def by_host(self) -> Mapping[str, Portal]:
        """Portal of every host that may be asked for anything; a site's own portal wins."""
        guests = {host: portal for portal in self for host in portal.guest_hosts}
        return guests | {host: portal for portal in self for host in portal.site_hosts}


def load(cms: Collection[str], folder: Path = ROOT) -> Registry:
    """Every portal below `folder`, in the order of their division codes.

    `cms` are the keys of the dialects there are. Raises RegistryError.
    """
    portals = [_read(path, cms) for path in sorted(folder.glob("*/*.toml"))]
    if not portals:
        raise RegistryError(f"{folder}: no portal file (<city>/<key>.toml) is there: add one")
    _refuse_twins(portals)
    portals.sort(key=lambda portal: portal.division_code)
    return Registry({portal.key: portal for portal in portals})


def _read(path: Path, cms: Collection[str]) -> Portal:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RegistryError(f"{path}: not TOML: {error}: mend the file") from error
    _check_keys(path, data)
    seeds = tuple(_seed(path, number, seed) for number, seed in enumerate(data.pop("seeds", ())))
    expect = tuple(_bound(path, *item) for item in data.pop("expect", {}).items())
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
    }
    portal = Portal(key=path.stem, seeds=seeds, expect=expect, **values)
    _check_values(path, portal, cms)
    return portal


def _check_keys(path: Path, data: Mapping[str, Any]) -> None:
    known = {f.name: f for f in fields(Portal) if f.name != "key"}
    for key, value in data.items():
        if key not in known:
            raise RegistryError(
                f"{path}: unknown key {key!r}: remove it, or use one of {', '.join(known)}"
            )
        wanted = _TOML_TYPES.get(str(known[key].type).split("[")[0], (str,))
        if key == "expect":
            wanted = (dict,)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise RegistryError(f"{path}: {key} = {value!r} is no {wanted[-1].__name__}: mend it")
    for name, known_field in known.items():
        if known_field.default is MISSING and name not in data:
            raise RegistryError(f"{path}: key {name!r} is missing: add it")


_TOML_TYPES: Mapping[str, tuple[type, ...]] = {
    "tuple": (list,),
    "float": (int, float),
    "int": (int,),
}


def _seed(path: Path, number: int, data: object) -> Seed:
    if not isinstance(data, dict) or set(data) != {"url", "organ", "year"}:
        raise RegistryError(f"{path}: seeds[{number}] needs exactly url, organ and year: mend it")
    return Seed(**data)


def _bound(path: Path, what: str, value: object) -> Bound:
    if what not in EXPECTED:
        raise RegistryError(
            f"{path}: expect.{what} is nothing that is counted: use {', '.join(EXPECTED)}"
        )
    numbers = value if isinstance(value, list) and all(type(n) is int for n in value) else []
    match numbers:
        case [least] if least >= 0:
            return Bound(what, least, None)
        case [least, most] if 0 <= least <= most:
            return Bound(what, least, most)
    raise RegistryError(
        f"{path}: expect.{what} = {value!r} is no least, or least and most: write [10] or [10, 500]"
    )


def _check_values(path: Path, portal: Portal, cms: Collection[str]) -> None:
    def refuse(key: str, value: object, cure: str) -> RegistryError:
        return RegistryError(f"{path}: {key} = {value!r} {cure}")

    kinds = get_args(OrganKind)
    if portal.organ_kind not in kinds:
        raise refuse("organ_kind", portal.organ_kind, f"is unknown: use one of {', '.join(kinds)}")
    if not re.fullmatch(r"\d{6}", portal.division_code) or (
        portal.division_code[:2] not in _provinces()
    ):
        raise refuse("division_code", portal.division_code, "is no GB/T 2260 code: look it up")
    for key, name in [("cms", portal.cms), *(("former_cms", name) for name in portal.former_cms)]:
        if name not in cms:
            raise refuse(key, name, f"is no known CMS: use one of {', '.join(sorted(cms))}")
    for key, urls in _addresses(portal):
        for url in urls:
            if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
                raise refuse(key, url, "is no http address: write scheme and host")
            if key != "home" and urlsplit(url).netloc not in portal.site_hosts | set(
                portal.guest_hosts if key == "seeds" else ()
            ):
                raise refuse(key, url, "is on no host of this portal: add the host, or move it")
    if not 1 <= portal.delay <= 3600:
        raise refuse("delay", portal.delay, "is no delay from a second to an hour: a guest waits")
    if portal.budget < 1:
        raise refuse("budget", portal.budget, "lets nobody ask for anything: write 1 or more")
    if len(portal.window) != 2 or any(
        not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", time) for time in portal.window
    ):
        raise refuse("window", portal.window, "is no pair of HH:MM: write two times")
    try:
        ZoneInfo(portal.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        cure = "is no time zone: write one such as Asia/Shanghai"
        raise refuse("timezone", portal.timezone, cure) from None


def _addresses(portal: Portal) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "home", (portal.home,)
    yield "disclosure", portal.disclosure
    yield "channels", portal.channels
    yield "seeds", tuple(seed.url for seed in portal.seeds)


def _provinces() -> frozenset[str]:
    data = tomllib.loads((ROOT / "divisions.toml").read_text(encoding="utf-8"))
    return frozenset(data["provinces"])


def _refuse_twins(portals: Collection[Portal]) -> None:
    for what in ("key", "division_code"):
        seen: dict[str, Portal] = {}
        for portal in portals:
            value = getattr(portal, what)
            if value in seen:
                raise RegistryError(
                    f"{portal.key}.toml: {what} {value!r} is also that of {seen[value].key}.toml: "
                    "a portal stands in one file"
                )
            seen[value] = portal


__all__ = ["EXPECTED", "ROOT", "Bound", "OrganKind", "Portal", "Registry", "Seed", "load"]

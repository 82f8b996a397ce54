"""Judges a crawl by the replica's request log and the world alone, never by the crawler's word.

`python -m tests.replica.judge LOG` prints the verdict and ends with 1 where a report of the asked
portals was not fetched or a rule was broken.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from urllib.robotparser import RobotFileParser

from tests.replica.model import address_key
from tests.replica.proxy import Entry
from tests.replica.world import TODAY, World


@dataclass(frozen=True)
class PortalVerdict:
    """Reports of one portal: those the world has, and those it answered with 200."""

    expected: int
    fetched: int
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What a crawl did. `violations` are sentences; `smallest_gap` is in seconds by host."""

    portals: Mapping[str, PortalVerdict]
    strangers: tuple[str, ...]
    robots: tuple[str, ...]
    overlaps: Mapping[str, int]
    smallest_gap: Mapping[str, float]
    anonymous: int
    requests: int

    @property
    def violations(self) -> tuple[str, ...]:
        """Every broken rule as a sentence; a report not found is no violation."""
        return (
            *(f"request to a host outside the registry: {one}" for one in self.strangers),
            *(f"robots.txt: {one}" for one in self.robots),
            *(f"{n} requests at once to {host}" for host, n in self.overlaps.items() if n),
            *([f"{self.anonymous} requests without the contact"] if self.anonymous else []),
        )

    def complete(self, portals: Collection[str] | None = None) -> bool:
        """Whether every report of these portals (all without an argument) was fetched."""
        return not any(self.portals[key].missing for key in portals or self.portals)


def judge(world: World, log: Iterable[Entry], contact: str) -> Verdict:
    """The verdict on a crawl of `world`; `contact` must stand in every User-Agent."""
    # A tunnel to a known host is no request: what goes through it has entries of its own.
    entries = [entry for entry in log if entry.method != "CONNECT" or entry.host not in world.hosts]
    entries.sort(key=lambda entry: entry.started)
    known = [entry for entry in entries if entry.host in world.hosts]
    by_host: dict[str, list[Entry]] = defaultdict(list)
    for entry in known:
        by_host[entry.host].append(entry)
    return Verdict(
        portals=portals(world, known),
        strangers=tuple(f"{e.host}{e.path}" for e in entries if e.host not in world.hosts),
        robots=tuple(
            broken for host, some in by_host.items() for broken in robots(world, host, some)
        ),
        overlaps={host: overlaps(some) for host, some in by_host.items()},
        smallest_gap={host: gap(some) for host, some in by_host.items() if len(some) > 1},
        anonymous=sum(contact not in entry.user_agent or not entry.user_agent for entry in entries),
        requests=len(entries),
    )


def portals(world: World, entries: Sequence[Entry]) -> dict[str, PortalVerdict]:
    """By portal: a report counts where any of its addresses was answered with 200."""
    answered = {entry.host + address_key(entry.path) for entry in entries if entry.status == 200}
    fetched: dict[str, bool] = {}
    owners: dict[str, str] = {}
    for address, (portal, document) in world.addresses().items():
        fetched[document.key] = fetched.get(document.key, False) or address in answered
        owners[document.key] = portal.key
    return {
        portal.key: tally([key for key in fetched if owners[key] == portal.key], fetched)
        for portal in world.portals
    }


def tally(keys: Sequence[str], fetched: Mapping[str, bool]) -> PortalVerdict:
    missing = tuple(sorted(key for key in keys if not fetched[key]))
    return PortalVerdict(len(keys), len(keys) - len(missing), missing)


def robots(world: World, host: str, entries: Sequence[Entry]) -> Iterator[str]:
    """Disallowed pages that were asked for, and a robots.txt that was not asked for first."""
    if address_key(entries[0].path) != "/robots.txt":
        yield f"not the first request to {host}"
    text = world.robots(host)
    if text is None:
        return
    rules = RobotFileParser()
    rules.parse(text.splitlines())
    for entry in entries:
        if entry.path != "/robots.txt" and not rules.can_fetch(entry.user_agent, entry.path):
            yield f"{host}{entry.path} is disallowed"


def overlaps(entries: Sequence[Entry]) -> int:
    """How many requests of one host began before an earlier one had ended."""
    latest, found = 0.0, 0
    for entry in entries:
        found += entry.started < latest
        latest = max(latest, entry.ended)
    return found


def gap(entries: Sequence[Entry]) -> float:
    """The smallest time between the starts of two requests, in seconds."""
    return min(b.started - a.started for a, b in pairwise(entries))


def lines(verdict: Verdict) -> Iterator[str]:
    """The verdict for people."""
    yield f"{'portal':<14}{'expected':>9}{'fetched':>9}{'missing':>9}"
    for key, portal in verdict.portals.items():
        yield f"{key:<14}{portal.expected:>9}{portal.fetched:>9}{len(portal.missing):>9}"
    for portal in verdict.portals.values():
        yield from (f"missing: {key}" for key in portal.missing)
    for host, seconds in verdict.smallest_gap.items():
        yield f"smallest gap at {host}: {seconds:.3f} s"
    yield from (f"violation: {one}" for one in verdict.violations)
    yield f"{verdict.requests} requests, {len(verdict.violations)} violations"


def read_log(file: Path) -> list[Entry]:
    """The entries of a log written by `python -m tests.replica --log`."""
    return [Entry(**json.loads(line)) for line in file.read_text("utf-8").splitlines()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.replica.judge", description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--contact", default="", help="must stand in every User-Agent")
    parser.add_argument("--today", type=date.fromisoformat, default=TODAY, help="YYYY-MM-DD")
    parser.add_argument("--portals", nargs="+", help="only these must be complete (default: all)")
    options = parser.parse_args()
    verdict = judge(World.base(options.today), read_log(options.log), options.contact)
    print("\n".join(lines(verdict)))
    return 0 if verdict.complete(options.portals) and not verdict.violations else 1


if __name__ == "__main__":
    sys.exit(main())

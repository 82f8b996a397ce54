"""What a crawl is to ask for: everything, or what the schedule says is due.

The spider walks by its plan and knows nothing of the archive that it was made from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crawler.portals.titles import Identity


@dataclass(frozen=True, slots=True)
class Watched:
    """A listing that is known, as its visit needs it, and what it showed the last time.

    `url` is the address of its first page; `known` its entries, address → title, as they stood
    after the last good read; `whole` when every page is to be read, not only down to what is known;
    `lives` unless it was gone the last time.
    """

    url: str
    title: str
    annual: bool
    trail: tuple[str, ...]
    depth: int
    known: Mapping[str, str]
    whole: bool = True
    lives: bool = True


@dataclass(frozen=True, slots=True)
class Recheck:
    """A report's page or file that is asked for again; `page` is the page a file belongs to, and
    `lives` tells one that was there the last time.
    """

    url: str
    title: str
    identity: Identity
    page: str = ""
    lives: bool = False


@dataclass(frozen=True, slots=True)
class Round:
    """What one portal is asked for.

    `tree`: walk from the entries, to find listings nobody knows. `listings` are asked for by
    themselves. `rests` are addresses that need no asking now, wherever the walk meets them:
    listings (by their first page), report pages and files.
    """

    tree: bool = True
    listings: tuple[Watched, ...] = ()
    rechecks: tuple[Recheck, ...] = ()
    rests: frozenset[str] = frozenset()
    # Every listing that is known, due or not: what a walk that meets one holds it against.
    known: Mapping[str, Watched] = field(default_factory=dict)


# Everything, as if nothing were known.
EVERYTHING = Round()

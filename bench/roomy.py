"""`scrapy` for benchmarks: a day's budget that holds more pages than a portal may be asked for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from scrapy.cmdline import execute

from crawler import portals
from crawler.portals import Registry
from crawler.spiders import walk


def load(cms: Collection[str]) -> Registry:
    registry = portals.load(cms)
    return Registry({key: replace(p, budget=10**6) for key, p in registry.portals.items()})


if __name__ == "__main__":
    setattr(walk, "load", load)  # noqa: B010
    execute()

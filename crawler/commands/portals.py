"""`scrapy portals`: list the registry, after every file in it has been checked."""

from __future__ import annotations

import argparse
import sys

from rich.table import Table
from scrapy.commands import ScrapyCommand

from crawler.cms import cms_by_key
from crawler.commands.terminal import terminal
from crawler.errors import RegistryError
from crawler.portals import Registry, load, load_lives


class Command(ScrapyCommand):
    requires_project = True
    requires_crawler_process = False

    def short_desc(self) -> str:
        return "List the portals of the registry and check their files and their organs"

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        try:
            registry = load(cms_by_key())
            load_lives(registry)
        except RegistryError as error:
            print(f"RegistryError: {error}", file=sys.stderr)
            self.exitcode = 2
            return
        terminal().print(_table(registry))


def _table(registry: Registry) -> Table:
    table = Table("code", "key", "portal", "CMS", "home", "seeds", box=None)
    for portal in registry:
        cms = " < ".join((portal.cms, *portal.former_cms))
        table.add_row(
            portal.division_code,
            portal.key,
            portal.name_zh,
            cms,
            portal.home,
            str(len(portal.seeds)),
        )
    return table

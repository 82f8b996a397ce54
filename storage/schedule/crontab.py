"""The lines of a crontab that keep an archive: made of what has fed it so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import time
from pathlib import Path
from shlex import quote

from storage.queries.spiders import Spider
from storage.schedule.manners import within_hours

# Minutes between the starts of two spiders: they may overlap, and need not begin at once.
_APART = 5
_MINUTES = 24 * 60
# By day, when no crawl writes; cron counts Sunday as 0.
_WEEKLY = (("30 10 * * 0", "verify --quick"), ("45 10 * * 0", "doctor"))


def crontab(
    spiders: Sequence[Spider], *, root: Path, programs: Path, home: Path, database_url: str | None
) -> Iterator[str]:
    """`root` is the checkout, `programs` the folder of its commands; every path is absolute."""
    contact = next((spider.contact for spider in spiders), "")
    yield f"# Made by `archive crontab` for {root}. Asks for what is due, and mails what needs you."
    yield "# Where cron does not know CRON_TZ (cronie does), give the machine this time zone."
    yield "SHELL=/bin/sh"
    yield f"MAILTO={contact}"
    yield f"GONGKAI_CONTACT={contact}"
    yield f"GONGKAI_HOME={home}"
    if database_url:
        yield f"GONGKAI_DATABASE_URL={database_url}"
    for number, spider in enumerate(spiders):
        for zone in sorted({terms.timezone for terms in spider.portals.values()}):
            yield f"CRON_TZ={zone}"
            minute = _first_minute(spider, zone) + 10 + number * _APART
            hour, minute = divmod(minute % _MINUTES, 60)
            portals = _of_zone(spider, zone)
            crawl = f"{quote(str(programs / 'scrapy'))} crawl {spider.name}{portals} -a scope=due"
            yield f"{minute} {hour} * * * {_logged(crawl, root, home, spider.name)}"
    for when, asked in _WEEKLY:
        command = f"{quote(str(programs / 'archive'))} {asked}"
        yield f"{when} {_logged(command, root, home, 'archive')}"


def _first_minute(spider: Spider, zone: str) -> int:
    """The first minute of the local day at which every portal may be asked.

    The first of the day and not of the window: the morning after a deadline begins at midnight.
    """
    promised = [terms for terms in spider.portals.values() if terms.timezone == zone]
    for minute in range(_MINUTES):
        at = time(*divmod(minute, 60))
        if all(within_hours(terms.opens, terms.closes, at) for terms in promised):
            return minute
    return 0


def _of_zone(spider: Spider, zone: str) -> str:
    """The argument that names a spider's portals where not all are of one time zone."""
    chosen = [key for key, terms in spider.portals.items() if terms.timezone == zone]
    return "" if len(chosen) == len(spider.portals) else f" -a portals={','.join(chosen)}"


def _logged(command: str, root: Path, home: Path, name: str) -> str:
    """What a command says goes into a log and into cron's mail, with its exit code if it failed."""
    folder, log = quote(str(home / "log")), quote(str(home / "log" / f"{name}.log"))
    said = f'{{ {command} || echo "{name}: exit code $?"; }} 2>&1 | tee -a {log}'
    # Cron takes a bare % for the end of the line.
    return f"mkdir -p {folder} && cd {quote(str(root))} && {said}".replace("%", r"\%")

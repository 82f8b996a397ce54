"""Checks of the machine: settings, permissions, time zones, cron, what is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa

from storage.database import ROOT
from storage.doctor.model import Patient, Said

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_OTHERS = 0o077
_ZONES = ("Asia/Shanghai", "Asia/Urumqi")
# What an extra is for, and a module of it. Without one its part is switched off.
_EXTRAS = {
    "ocr": ("rapidocr", "reports that are only scanned images stay unread"),
    "postgresql": ("psycopg", "the archive can only lie in SQLite"),
}
_PATIENCE_S = 60


def configuration(patient: Patient, _: sa.Connection | None) -> Iterator[Said]:
    """Whom portals may write to, the proxy, whom alerts go to, where the archive lies."""
    environ = patient.environ
    contact = environ.get("GONGKAI_CONTACT", "").strip()
    if not contact:
        yield (
            "cannot_run",
            "GONGKAI_CONTACT is not set",
            ("set it to an e-mail address: a live crawl names whom a portal may write to"),
        )
    elif not (_ADDRESS.fullmatch(contact) and contact.isascii()):
        yield (
            "attention",
            f"GONGKAI_CONTACT={contact!r} is no plain e-mail address",
            ("set it to one that somebody reads"),
        )
    else:
        yield "well", f"portals may write to {contact}", ""
    proxy = environ.get("http_proxy") or environ.get("HTTP_PROXY") or ""
    if proxy and "://" not in proxy:
        yield "cannot_run", f"HTTP_PROXY={proxy!r} has no scheme", f"write http://{proxy}"
    elif proxy and (urlsplit(proxy).hostname or "") in ("localhost", "127.0.0.1", "::1"):
        yield (
            "attention",
            f"HTTP_PROXY={proxy} is on this machine: every crawl is a rehearsal",
            ("unset it, and GONGKAI_PACE, for live crawls"),
        )
    elif environ.get("GONGKAI_PACE"):
        yield "cannot_run", "GONGKAI_PACE is set for a live crawl", "unset it"
    if not environ.get("GONGKAI_NOTIFY"):
        yield (
            "attention",
            "GONGKAI_NOTIFY is not set: alerts wait until somebody asks",
            ("set it to where alerts are to be sent"),
        )
    if not patient.settings.home.is_absolute():
        yield (
            "attention",
            (f"GONGKAI_HOME={patient.settings.home} depends on the folder a command starts in"),
            "give the whole path",
        )


def permissions(patient: Patient, _: sa.Connection | None) -> Iterator[Said]:
    """The raw bytes and the database are the restricted tier: nobody else's to read."""
    settings = patient.settings
    kept = [settings.warc_directory, *([settings.sqlite_path] if settings.sqlite_path else [])]
    there = [path for path in kept if path.exists()]
    for path in there:
        if path.stat().st_mode & _OTHERS:
            mode = "700" if path.is_dir() else "600"
            yield (
                "attention",
                f"other accounts of this machine may read {path}",
                (f"chmod {mode} {path}"),
            )
        if not os.access(path, os.R_OK | os.W_OK):
            yield (
                "cannot_run",
                f"{path} cannot be read and written by this account",
                (f"give it to the account that crawls: chown it, then chmod u+rw {path}"),
            )
    if settings.home.exists() and not os.access(settings.home, os.W_OK | os.X_OK):
        yield (
            "cannot_run",
            f"{settings.home} cannot be written by this account",
            ("give it to the account that crawls, or name another with GONGKAI_HOME"),
        )
    if there:
        yield "well", f"looked at {', '.join(map(str, there))}", ""


def time_zones(patient: Patient, _: sa.Connection | None) -> Iterator[Said]:
    """The hours of a portal are read in its zone; without its data no crawl starts."""
    for name in _ZONES:
        try:
            ZoneInfo(name)
        except ZoneInfoNotFoundError:
            yield (
                "cannot_run",
                f"this machine knows no time zone {name}",
                ("install its time zone data (the system's package tzdata)"),
            )
        else:
            yield "well", f"{patient.now.astimezone(ZoneInfo(name)):%Y-%m-%d %H:%M} {name}", ""


def schedule(patient: Patient, _: sa.Connection | None) -> Iterator[Said]:
    """Whether cron starts the crawls; where there is no cron, something else must."""
    try:
        listed = subprocess.run(
            ["crontab", "-l"], capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except FileNotFoundError:
        yield (
            "attention",
            "this machine has no crontab: nothing here starts a crawl",
            ("install cron, or start `scrapy crawl` by what this machine has instead"),
        )
        return
    lines = [line for line in listed.stdout.splitlines() if not line.lstrip().startswith("#")]
    crawls = [line for line in lines if "scrapy crawl" in line or "scrapy' crawl" in line]
    if not crawls:
        yield (
            "attention",
            "no line of this account's crontab starts a crawl",
            ("`archive crontab` prints the lines; install them with `crontab -e`"),
        )
    else:
        yield "well", f"cron starts {len(crawls)} crawls", ""


def extras(patient: Patient, _: sa.Connection | None) -> Iterator[Said]:
    """What is installed; an extra that is missing switches its part off, which may be meant so."""
    for name, (module, loss) in _EXTRAS.items():
        if find_spec(module) is not None:
            yield "well", f"extra {name} is installed", ""
        elif name == "postgresql" and patient.settings.sqlite_path is None:
            yield (
                "cannot_run",
                f"extra {name} is missing, and the archive lies in PostgreSQL",
                (f"pip install -e '.[{name}]'"),
            )
        else:
            yield "well", f"extra {name} is not installed: {loss}", ""


def portals(patient: Patient, _: sa.Connection | None) -> Iterator[Said]:
    """Whether the registry's files load: asked of the crawler in a process of its own, since what
    answers questions does without it.
    """
    if find_spec("crawler") is None or not (ROOT / "scrapy.cfg").is_file():
        yield "well", "the crawler is not installed here: the archive is only read", ""
        return
    listed = subprocess.run(
        [Path(sys.executable), "-m", "scrapy", "portals"],
        cwd=ROOT,
        env=dict(os.environ) | dict(patient.environ),
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    if listed.returncode == 0:
        yield "well", "every portal's file loads", ""
        return
    said = listed.stderr.strip().splitlines() or ["no reason given"]
    yield "cannot_run", said[-1], "mend the file it names; `scrapy portals` checks it again"

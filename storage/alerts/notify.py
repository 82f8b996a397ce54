"""Telling people what became of alerts: one message a run, through the addresses of apprise.

GONGKAI_NOTIFY names them, parted by spaces or commas: `mailto://…`, `json://…`, `dingtalk://…`,
`wecombot://…`. They hold passwords: none is ever printed, kept or logged, only its first word.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Thread
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from warnings import catch_warnings, simplefilter

import sqlalchemy as sa

from storage.alerts.record import Event, note_delivery, rank, undelivered
from storage.database import transact

logger = logging.getLogger(__name__)

# An opening older than this that nobody tried to tell is no news any more.
_NEWS = timedelta(days=2)
# All addresses together; a run must not wait longer for a mail server.
_PATIENCE_S = 30.0
_SHOWN = 30
_HEADS = {
    "opened": ("New", "新增"),
    "reopened": ("Again", "再次出现"),
    "seen": ("Changed", "有变化"),
    "closed": ("Over", "已恢复"),
}


@dataclass(frozen=True, slots=True)
class Message:
    """What people are told."""

    title: str
    body: str


def tell(engine: sa.Engine, *, run_id: int | None, at: datetime) -> None:
    """Tell what nobody was told yet; what could not be told is tried again the next time.

    Nothing where no address is set, or where a rehearsal has none on this machine. Raises
    DatabaseUnavailable.
    """
    addresses = _addresses(os.environ)
    if not addresses:
        return
    told = transact(engine, lambda connection: undelivered(connection, at - _NEWS))
    if not told:
        return
    failure = deliver(addresses, message(told))
    if failure is not None:
        logger.warning("%d alerts could not be delivered: %s", len(told), failure)
    transact(
        engine,
        lambda connection: note_delivery(connection, told, run_id=run_id, at=at, failure=failure),
    )


def message(told: Sequence[Event]) -> Message:
    """One message of all that became of alerts, in English and Chinese, worst first.

    >>> message([]).body
    ''
    """
    inorder = sorted(told, key=lambda e: (e.event == "closed", rank(e.alert["kind"]), e.id))
    opened = [each for each in told if each.event != "closed"]
    title = f"gongkai: {len(opened)} alerts, {len(told) - len(opened)} over"
    parts = ("\n".join(_lines(inorder, language)) for language in (0, 1))
    return Message(title, "\n\n".join(parts).strip())


def deliver(addresses: Sequence[str], said: Message) -> str | None:
    """Send a message to each address; None when one of them took it, else why none did."""
    failures: list[str | None] = ["no answer in time"] * len(addresses)

    def send(position: int, sender: Any) -> None:
        # The format is given: else what portals wrote would be the markup of a mail.
        taken = sender.notify(title=said.title, body=said.body, body_format="text")
        failures[position] = None if taken else "did not take the message"

    with _directly(), catch_warnings():
        # apprise loads what Python has deprecated.
        simplefilter("ignore")
        threads = []
        for position, address in enumerate(addresses):
            sender = _sender(address)
            if isinstance(sender, str):
                failures[position] = sender
                continue
            # One that hangs must hold up neither the other addresses nor the end of the crawl.
            threads.append(Thread(target=send, args=(position, sender), daemon=True))
            threads[-1].start()
        until = monotonic() + _PATIENCE_S
        for thread in threads:
            thread.join(max(until - monotonic(), 0))
    whys = [
        f"{_named(address)} {why}"
        for address, why in zip(addresses, failures, strict=True)
        if why is not None
    ]
    if len(whys) == len(addresses):
        return "; ".join(whys)
    for why in whys:
        logger.warning("alerts went to other addresses only: %s", why)
    return None


def _sender(address: str) -> Any:
    """apprise for one address, or why there is none. Imported here: it takes longer than most
    commands.
    """
    # It tells of failures in its log, addresses included.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    try:
        import apprise
    except ModuleNotFoundError:
        return "needs the extra `notify`: pip install -e '.[notify]'"
    sender = apprise.Apprise()
    return sender if sender.add(address) else "is no address that apprise knows"


def _lines(told: Iterable[Event], language: int) -> Iterator[str]:
    names = (("message", "act"), ("message_zh", "act_zh"))[language]
    events = list(told)
    acts: list[str] = []
    for each in events[:_SHOWN]:
        alert: Mapping[str, Any] = each.alert
        yield f"[{alert['id']}] {_HEADS[each.event][language]}: {alert[names[0]]}"
        if each.event != "closed" and alert[names[1]] not in acts:
            acts.append(alert[names[1]])
    if len(events) > _SHOWN:
        left = len(events) - _SHOWN
        yield (f"and {left} more: `archive alerts`", f"另有 {left} 条：`archive alerts`")[language]
    yield from (f"→ {act}" for act in acts)


def _addresses(environ: Mapping[str, str]) -> list[str]:
    """Where to; in a rehearsal only what is on this machine."""
    # A comma may also stand within an address, between several who get the same mail.
    parts = re.split(r"\s+|,(?=[A-Za-z][\w+.-]*://)", environ.get("GONGKAI_NOTIFY", ""))
    every = [part.strip(",") for part in parts if part.strip(",")]
    return [each for each in every if _is_here(each)] if _is_rehearsal(environ) else every


def _is_rehearsal(environ: Mapping[str, str]) -> bool:
    """Whether the proxy is on this machine: then it is the replica, and no way to people."""
    return _is_here(environ.get("http_proxy") or environ.get("HTTP_PROXY") or "")


def _is_here(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def _directly() -> Iterator[None]:
    """Without the proxy of a rehearsal, which would take the message for a request to a portal."""
    if not _is_rehearsal(os.environ):
        yield
        return
    before = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
    os.environ.update(dict.fromkeys(before, "*"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _named(address: str) -> str:
    """An address without what is secret in it.

    >>> _named("mailto://me:secret@example.org")
    'mailto://…'
    """
    scheme, found, _ = address.partition("://")
    return f"{scheme}://…" if found and scheme.isalnum() else "an address"

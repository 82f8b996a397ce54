"""The alerts as an Atom feed (RFC 4287): what opened, changed, was acknowledged and closed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from sqlalchemy import Connection

from storage.alerts.record import Event, latest_events
from storage.errors import DirectoryError
from storage.whole import write_whole

# More than anybody reads; a feed is for news.
_ENTRIES = 100
_ATOM = "http://www.w3.org/2005/Atom"
# Stable names for what is no web page: RFC 4151, dated when they were first given.
_TAG = "tag:gongkai,2026:alerts"
_NOT_XML = re.compile("[^\\t\\n\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_HEADS = {
    "opened": ("", ""),
    "reopened": ("Again: ", "再次出现："),
    "seen": ("Changed: ", "有变化："),
    "acknowledged": ("Acknowledged: ", "已知悉："),
    "closed": ("Over: ", "已关闭："),
}


def feed(connection: Connection) -> bytes:
    """The newest events as an Atom document, newest first."""
    events = latest_events(connection, _ENTRIES)
    ElementTree.register_namespace("", _ATOM)
    root = ElementTree.Element(f"{{{_ATOM}}}feed")
    _add(root, "id", _TAG)
    _add(root, "title", "gongkai: alerts 告警")
    _add(root, "updated", max((event.at for event in events), default=_BEGINNING).isoformat())
    _add(_add(root, "author"), "name", "gongkai")
    for event in events:
        _entry(root, event)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def write_feed(connection: Connection, path: Path) -> None:
    """Put the feed into a file, whole or not at all. Raises DirectoryError."""
    try:
        write_whole(path, feed(connection))
    except OSError as error:
        raise DirectoryError(
            f"cannot write {path} ({error.strerror}): make its folder writable"
        ) from error


def _entry(root: ElementTree.Element, event: Event) -> None:
    alert = event.alert
    english, chinese = _HEADS[event.event]
    entry = _add(root, "entry")
    _add(entry, "id", f"{_TAG}:{alert['id']}:{event.id}")
    _add(entry, "title", f"{english}{alert['title']} {chinese}{alert['title_zh']}")
    _add(entry, "updated", event.at.isoformat())
    _add(entry, "category").set("term", alert["kind"])
    _add(entry, "content", "\n".join(_text(event)))


def _text(event: Event) -> Sequence[str]:
    alert = event.alert
    lines = [alert["message"], alert["message_zh"]]
    if alert["last_good"]:
        lines.append(f"last good 最近一次正常: {alert['last_good']}")
    lines += [f"→ {alert['act']}", f"→ {alert['act_zh']}"]
    return [*lines, f"archive alert {alert['id']}"]


def _add(parent: ElementTree.Element, name: str, text: str | None = None) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, f"{{{_ATOM}}}{name}")
    if text is not None:
        child.text = _printable(text)
    return child


def _printable(text: str) -> str:
    """Without the characters that no XML 1.0 may hold: titles come from outside."""
    return _NOT_XML.sub("\ufffd", text)

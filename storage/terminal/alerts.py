"""The alerts, and the story of one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.text import Text

from storage.terminal.drawing import minute, new_table, open_console

if TYPE_CHECKING:
    from storage.alerts.record import Alert, Severity, Step


SEVERITIES: dict[Severity, str] = {"critical": "red", "warning": "yellow", "info": "cyan"}


def show_alerts(found: Iterable[Alert]) -> None:
    """One row an alert; its Chinese words under the English ones."""
    table = new_table("alert", "severity", "class", "state", "since", "what")
    for alert in found:
        table.add_row(
            str(alert["id"]),
            Text(alert["severity"], SEVERITIES[alert["severity"]]),
            alert["kind"],
            alert["state"],
            alert["since"][:10],
            Text(f"{alert['message']}\n{alert['message_zh']}"),
        )
    console = open_console()
    console.print(table)
    console.print("archive alert N tells all about one, and what to do.", highlight=False)


def show_alert(alert: Alert, story: Iterable[Step]) -> None:
    """Head, difference, act, story."""
    console = open_console()
    console.print(
        Text(f"[{alert['id']}] {alert['title']} {alert['title_zh']}", "bold"),
        Text(f"{alert['severity']}, {alert['state']} since {minute(alert['since'])}"),
        Text(f"{alert['message']}\n{alert['message_zh']}"),
        sep="\n",
    )
    where = [alert["portal"] or "", alert["host"] or ""]
    console.print(Text(f"where: {' '.join(where).strip() or 'this machine'}"))
    console.print(Text(f"first seen: {minute(alert['first_seen'])}"))
    for name in ("last_good", "before", "after"):
        if alert[name] is not None:
            console.print(Text(f"{name.replace('_', ' ')}: {_compact(alert[name])}"))
    console.print(Text(f"→ {alert['act']}\n→ {alert['act_zh']}"))
    table = new_table("when", "run", "event", "who", "note")
    for step in story:
        run = "" if step["run"] is None else str(step["run"])
        note = step["note"] or step["message"] or ""
        who = Text(step["author"] or "")
        table.add_row(minute(step["at"]), run, step["event"], who, Text(note))
    console.print(table)


def _compact(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)

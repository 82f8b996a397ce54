"""A run's findings as lines of text, in one language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from storage.queries.history import Change, Side
from storage.queries.run_report import ChangedReport, RunReport
from storage.text.plain import plain

# A line is cut here, and a title long before it: a portal may write a whole page into one.
LONGEST, TITLE = 240, 60
# Cells of one changed report that are shown.
CELLS = 3


class Words:
    """The words of one language."""

    def __init__(self, data: Mapping[str, Any], lang: str) -> None:
        self.data, self.lang = data, lang

    def say(self, key: str, **facts: Any) -> str:
        """A sentence with its facts put in, as one line of plain text."""
        sentence = self.data
        for step in key.split("."):
            sentence = sentence[step]
        return plain(sentence[self.lang].format(**facts), LONGEST)

    def part(self, key: str, **facts: Any) -> str:
        """A part of a sentence: its blanks stay."""
        return str(self.data["parts"][key][self.lang]).format(**facts)

    def title(self, key: str) -> str:
        section = self.data["sections"][key]
        return str(section[self.lang])

    def name(self, word: str) -> str:
        """A state or another word of the archive as people of this language say it."""
        names = self.data["names"] if self.lang == "zh" else {}
        return str(names.get(word, word.replace("_", " ")))

    def state(self, state: str) -> Mapping[str, Any]:
        return cast(Mapping[str, Any], self.data["state"][state])


def head(report: RunReport, words: Words) -> list[str]:
    """The title, what the state means, when and what; and last what to do."""
    state = words.state(report["state"])
    begun, ended = report["started_at"], report["ended_at"]
    told = [
        words.say(
            "head.run",
            id=report["id"],
            spider=report["spider"],
            state=words.name(report["state"]),
            code=state["code"],
        ),
        str(state[words.lang]),
        words.say(
            "head.time",
            begun=_minute(begun),
            ended=_minute(ended) if ended else words.say("head.none"),
            scope=words.name(report["scope"]),
            portals=", ".join(report["portals"]),
        ),
    ]
    if report["reason"] not in (None, "finished"):
        told.append(words.say("head.reason", reason=report["reason"]))
    return [*told, f"{words.say('head.do')}: {_act(report, words)}"]


def _act(report: RunReport, words: Words) -> str:
    """A run may itself be complete and what it found want somebody."""
    goes_on = any(alert["event"] != "closed" for alert in report["alerts"])
    if report["state"] == "complete" and goes_on:
        return words.say("head.alerted")
    return str(words.state(report["state"])["act" if words.lang == "en" else "act_zh"])


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")


def lines(report: RunReport, section: str, words: Words) -> list[str]:
    """The lines of a section of words.toml, most important first."""
    facts = _FACTS[section](report, words)
    return [words.say(f"sections.{section}.line", **each) for each in facts]


Facts = list[dict[str, Any]]


def _drift(report: RunReport, words: Words) -> Facts:
    return [{**each, "good": _good(each, words)} for each in report["drift"]]


def _good(drift: Mapping[str, Any], words: Words) -> str:
    run, before, now = (drift[k] for k in ("last_good_run", "last_good_capture", "capture"))
    if run is None:
        return ""
    if before is None or now is None:
        return words.part("good_run", run=run)
    return words.part("good", run=run, before=before, now=now)


def _walls(report: RunReport, words: Words) -> Facts:
    return [{**each, **_evidence(each["capture_id"], words)} for each in report["walls"]]


def _listings(report: RunReport, words: Words) -> Facts:
    return [
        {
            **each,
            "title": _title(each["title"]),
            "verdict": words.name(each["verdict"]),
            "rule": each["rule"] or "",
            "reason": (words.lang == "zh" and each["reason_zh"]) or each["reason"] or "",
            **_evidence(next(iter(each["captures"]), None), words),
        }
        for each in report["listings"]
    ]


def _missing(report: RunReport, words: Words) -> Facts:
    return [
        {**cell, "state": words.name(cell["state"]), "deadline": cell["deadline"] or "-"}
        for cell in report["ledger"]["missing"]
    ]


def _late(report: RunReport, words: Words) -> Facts:
    del words
    cells = report["ledger"]["late"]
    return [{**cell, "days": cell["late_days"], "deadline": cell["deadline"]} for cell in cells]


def _reports(key: str) -> Callable[[RunReport, Words], Facts]:
    def facts(report: RunReport, words: Words) -> Facts:
        found = cast(list[dict[str, Any]], report[key])  # type: ignore[literal-required]
        return [
            {
                **each,
                "title": _title(each["title"]),
                "published": each["published"] or words.part("undated"),
                **_evidence(each["capture_id"], words),
            }
            for each in found
        ]

    return facts


def _changed(report: RunReport, words: Words) -> Facts:
    return [
        {
            **each,
            "part": words.name(each["part"]),
            "changes": _changes(each, words),
            **_evidence(each["capture_id"], words),
        }
        for each in report["changed"]
    ]


def _changes(report: ChangedReport, words: Words) -> str:
    told = [_cell(change, words) for change in report["cells"][:CELLS]]
    if len(report["cells"]) > CELLS:
        told.append(words.part("cells", count=len(report["cells"]) - CELLS))
    if report["rewritten"]:
        told.append(words.part("prose", count=report["rewritten"]))
    return ", ".join(told) or words.part("title")


def _cell(change: Change, words: Words) -> str:
    before, after = _side(change["before"]), _side(change["after"])
    return words.part("cell", path=change["path"], before=before, after=after)


def _side(side: Side | None) -> str:
    return "-" if side is None else plain(side["raw"], 20) or side["state"]


def _alerts(report: RunReport, words: Words) -> Facts:
    return [{**each, "event": words.name(each["event"])} for each in report["alerts"]]


def _odd(report: RunReport, words: Words) -> Facts:
    del words
    return [{"what": what, "count": count} for what, count in report["odd"].items()]


def _ledger(report: RunReport, words: Words) -> Facts:
    states = report["ledger"]["states"]
    told = ", ".join(f"{words.name(state)} {count}" for state, count in states.items())
    return [{"states": told}] if told else []


def _traffic(report: RunReport, words: Words) -> Facts:
    found = []
    for each in report["traffic"]:
        before = each["before"] or {}
        facts = {**each, "size": _size(each["bytes"]), "requests_before": "", "size_before": ""}
        if before:
            facts["requests_before"] = words.part("before", before=before["requests"])
            facts["size_before"] = words.part("before", before=_size(before["bytes"]))
        found.append(facts)
    return found


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def _title(text: str) -> str:
    return plain(text, TITLE)


def _evidence(capture: int | None, words: Words) -> dict[str, str]:
    return {"evidence": "" if capture is None else words.part("evidence", id=capture)}


_FACTS: Mapping[str, Callable[[RunReport, Words], Facts]] = {
    "drift": _drift,
    "walls": _walls,
    "listings": _listings,
    "missing": _missing,
    "late": _late,
    "removed": _reports("removed"),
    "alerts": _alerts,
    "changed": _changed,
    "new": _reports("new"),
    "moved": _reports("moved"),
    "odd": _odd,
    "ledger": _ledger,
    "traffic": _traffic,
}

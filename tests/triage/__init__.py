"""Labelled answers, one a TOML file: what a host said, and what that is.

Keys: status, headers, url, asked, expects, label, group, note and the body as `body` (text, in
`encoding`, utf-8 unless said) or `body_hex`; `[missing]` holds the same of a probe to learn from.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crawler.fetching.triage import Answer, Expects, learn, triage

TUNE = Path(__file__).parent / "tune"
HELD_OUT = Path(__file__).parent / "held_out"


@dataclass(frozen=True)
class Labelled:
    """One labelled answer; `group` is what kind of answer it is: wall, real, …"""

    name: str
    answer: Answer
    expects: Expects
    label: str
    group: str
    probe: Answer | None

    def got(self) -> str:
        return triage(self.answer, self.expects, learn(self.probe) if self.probe else None)


def labelled(folder: Path) -> list[Labelled]:
    """Every labelled answer of a folder, by file name."""
    return [_labelled(path) for path in sorted(folder.glob("*.toml"))]


def _labelled(path: Path) -> Labelled:
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    probe = told.get("missing")
    return Labelled(
        path.stem,
        _answer(told),
        told["expects"],
        told["label"],
        told["group"],
        _answer(probe) if probe else None,
    )


def _answer(told: Mapping[str, Any]) -> Answer:
    body = told.get("body_hex")
    return Answer(
        url=told["url"],
        asked=told["asked"],
        status=told["status"],
        headers=tuple((name, value) for name, value in told["headers"]),
        body=bytes.fromhex(body)
        if body is not None
        else told["body"].encode(told.get("encoding", "utf-8")),
    )

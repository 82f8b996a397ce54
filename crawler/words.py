"""What a finding says, in English and Chinese: words.toml, and listings.toml of listings."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple


class Said(NamedTuple):
    """One statement in both languages."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Remark:
    """What a reader or a portal's page gives reason to say: a rule of words.toml, and its facts."""

    rule: str
    facts: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return said(self.rule, self.facts).en


def said(rule: str, facts: Mapping[str, str]) -> Said:
    """The sentence of a rule with its facts put in. `rule` may name a case: `unread.table`.

    Raises:
        KeyError: no such rule, or a fact its sentence needs is not given.
    """
    sentence = sentences()[rule]
    return Said(sentence.en.format_map(facts), sentence.zh.format_map(facts))


@cache
def sentences() -> dict[str, Said]:
    """Every sentence by `rule` or `rule.case`."""
    data: dict[str, Any] = {}
    for name in ("words.toml", "listings.toml"):
        data |= tomllib.loads((Path(__file__).parent / name).read_text("utf-8"))
    return dict(_sentences(data, ""))


def _sentences(data: Mapping[str, Any], above: str) -> Iterator[tuple[str, Said]]:
    """A table with `en` and `zh` is a sentence; the tables within it are cases of the rule."""
    for key, item in data.items():
        if "en" in item:
            yield above + key, Said(item["en"], item["zh"])
        cases = {name: case for name, case in item.items() if isinstance(case, dict)}
        yield from _sentences(cases, f"{above}{key}.")

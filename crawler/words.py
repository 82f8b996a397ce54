"""What a finding says, in English and Chinese. The sentences stand in words.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Said(NamedTuple):
    """One statement in both languages."""

    en: str
    zh: str


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
    data = tomllib.loads((Path(__file__).parent / "words.toml").read_text("utf-8"))
    return {key: Said(**item) for key, item in _flat(data, "")}


def _flat(data: Mapping[str, Mapping[str, str]], above: str) -> list[tuple[str, Mapping[str, str]]]:
    found: list[tuple[str, Mapping[str, str]]] = []
    for key, item in data.items():
        if "en" in item:
            found.append((above + key, item))
        else:
            found += _flat(item, f"{above}{key}.")  # type: ignore[arg-type]
    return found

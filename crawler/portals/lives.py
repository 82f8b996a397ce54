"""Organs whose dates are known: `<city>/organs/<portal>.toml`, written by hand.

An organ begins, ends and becomes others (机构改革); what it owed follows from its dates. A wrong
file is refused, naming file and key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from crawler.errors import RegistryError
from crawler.portals.registry import ROOT, Portal, Registry
from crawler.portals.titles import canonical_organ, organ_kind

KINDS = ("government", "office", "department", "township")
_KEYS: Mapping[str, type] = {
    "name": str,
    "kind": str,
    "begins": date,
    "ends": date,
    "becomes": list,
    "evidence": str,
}


@dataclass(frozen=True, slots=True)
class Life:
    """An organ by its canonical name: its first and its last day, and who goes on with its work."""

    portal: str
    organ: str
    kind: str
    begins: date | None
    ends: date | None
    becomes: tuple[str, ...]
    evidence: str


def load_lives(registry: Registry, folder: Path = ROOT) -> Mapping[str, tuple[Life, ...]]:
    """Portal key → its organs, of every file below `folder`. Raises RegistryError."""
    found: dict[str, tuple[Life, ...]] = {}
    for path in sorted(folder.glob("*/organs/*.toml")):
        if path.stem not in registry.portals:
            raise RegistryError(
                f"{path}: no portal has the key {path.stem!r}: name the file after one of "
                f"{', '.join(registry.portals)}"
            )
        found[path.stem] = tuple(_read(path, registry.portals[path.stem]))
    return found


def _read(path: Path, portal: Portal) -> Iterator[Life]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RegistryError(f"{path}: not TOML: {error}: mend the file") from error
    entries = data.pop("organs", [])
    if data or not isinstance(entries, list):
        unknown = next(iter(data), "organs")
        raise RegistryError(f"{path}: unknown key {unknown!r}: write only [[organs]] tables")
    lives = [_life(path, portal, number, each) for number, each in enumerate(entries)]
    _refuse_strangers(path, portal, lives)
    yield from lives


def _life(path: Path, portal: Portal, number: int, data: Any) -> Life:
    where = f"{path}: organs[{number}]"
    if not isinstance(data, dict):
        raise RegistryError(f"{where} is no table: write [[organs]]")
    for key, value in data.items():
        if key not in _KEYS:
            raise RegistryError(f"{where}: unknown key {key!r}: use one of {', '.join(_KEYS)}")
        _check_type(f"{where}.{key}", _KEYS[key], value)
    for key in ("name", "evidence"):
        if not data.get(key, "").strip():
            raise RegistryError(f"{where}: {key!r} is missing: add it")
    organ = canonical_organ(portal, data["name"])
    life = Life(
        portal=portal.key,
        organ=organ,
        kind=data.get("kind", organ_kind(portal, organ)),
        begins=data.get("begins"),
        ends=data.get("ends"),
        becomes=tuple(canonical_organ(portal, name) for name in data.get("becomes", ())),
        evidence=data["evidence"].strip(),
    )
    _check_life(where, life)
    return life


def _check_type(where: str, wanted: type, value: Any) -> None:
    if wanted is date:
        if not isinstance(value, date) or isinstance(value, datetime):
            raise RegistryError(f"{where} = {value!r} is no date: write one such as 2019-01-20")
        return
    names = value if isinstance(value, list) else [value]
    if not isinstance(value, wanted) or not all(isinstance(name, str) for name in names):
        named = "a list of names" if wanted is list else "a text"
        raise RegistryError(f"{where} = {value!r} is not {named}: mend it")


def _check_life(where: str, life: Life) -> None:
    if life.kind not in KINDS:
        raise RegistryError(
            f"{where}.kind = {life.kind!r} is unknown: use one of {', '.join(KINDS)}"
        )
    if life.begins and life.ends and life.ends < life.begins:
        raise RegistryError(
            f"{where}.ends = {life.ends} is before it begins ({life.begins}): mend one of them"
        )
    if life.becomes and life.ends is None:
        raise RegistryError(
            f"{where}: 'ends' is missing, and it becomes {life.becomes[0]}: add its last day"
        )


def _refuse_strangers(path: Path, portal: Portal, lives: Sequence[Life]) -> None:
    named: Collection[str] = {life.organ for life in lives} | {portal.government}
    met: dict[str, int] = {}
    for number, life in enumerate(lives):
        if life.organ in met:
            raise RegistryError(
                f"{path}: organs[{number}].name: {life.organ} is organs[{met[life.organ]}] "
                "already: an organ stands once"
            )
        met[life.organ] = number
    for number, life in enumerate(lives):
        for heir in life.becomes:
            if heir == life.organ or heir not in named:
                why = "is the organ itself" if heir == life.organ else "is an organ nobody knows"
                raise RegistryError(
                    f"{path}: organs[{number}].becomes: {heir} {why}: "
                    "name another, or add it to this file"
                )


__all__ = ["KINDS", "Life", "load_lives"]

"""Which organ is meant by a name, a portal's key or a division code?"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import sqlalchemy as sa

from storage.errors import NotInArchive
from storage.schema import is_government, organs, portals


@dataclass(frozen=True, slots=True)
class Organ:
    """An organ of the archive."""

    id: int
    division_code: str
    name: str


def find_organ(connection: sa.Connection, asked: str) -> Organ:
    """The one organ with this name, with or without its city (天山区人民政府), or the government of
    this portal's name, key or division code; of a name that divisions share, with the code behind
    it, as the refusal lists them: 审计局 (650102). Raises NotInArchive, which lists the near ones.
    """
    for condition in (
        organs.c.name == asked,
        sa.and_(is_government, portals.c.key == asked),
        sa.and_(is_government, portals.c.division_code == asked),
        sa.and_(is_government, portals.c.name_zh == asked),
        organs.c.name.endswith("市" + asked, autoescape=True),
        organs.c.name == asked.partition("市")[2],
        organs.c.name + " (" + organs.c.division_code + ")" == asked,
    ):
        found = _where(connection, condition)
        if len(found) == 1:
            return found[0]
        if found:
            raise NotInArchive(f"{asked} is several organs: ask for one of {_listed(found)}")
    raise NotInArchive(f"the archive knows no organ {asked}: {_near(connection, asked)}")


def organ_at(connection: sa.Connection, division: str, name: str) -> Organ:
    """The organ of an address: its division code and its whole name. Raises NotInArchive."""
    found = _where(connection, (organs.c.division_code == division) & (organs.c.name == name))
    if not found:
        raise NotInArchive(f"the archive knows no organ {name} in {division}")
    return found[0]


def in_division(column: sa.ColumnElement[Any], division: str) -> sa.ColumnElement[bool]:
    """Whether a code is this division's or begins with it; a range, so that an index serves."""
    return sa.and_(column >= division, column <= division + "999999")


def _where(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Organ]:
    o = organs.c
    query = sa.select(o.id, o.division_code, o.name).join(portals, portals.c.key == o.portal)
    return [Organ(*row) for row in connection.execute(query.where(condition).order_by(o.id))]


def _near(connection: sa.Connection, asked: str) -> str:
    everyone = [organ.name for organ in _where(connection, sa.true())]
    near = [name for name in everyone if asked in name]
    near += get_close_matches(asked, everyone, n=5, cutoff=0.3)
    if not near:
        return "`archive coverage` lists them"
    return "did you mean " + ", ".join(list(dict.fromkeys(near))[:5]) + "?"


def _listed(found: list[Organ]) -> str:
    return ", ".join(f"{organ.name} ({organ.division_code})" for organ in found)

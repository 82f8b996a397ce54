"""Asks the archive at every date between the acts of a history, and holds it to the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random

import sqlalchemy as sa

from storage.asof import AsOf, Basis
from storage.errors import NotInArchive
from storage.queries.coverage import coverage
from storage.queries.history import history
from storage.queries.organs import Organ, find_organ
from storage.queries.report import report, sources
from tests.asof.world import CELL, YEARS, Answer, Told, World, raws, truth
from tests.databases import Crawl

BASES: tuple[Basis, Basis] = ("known", "published")


@dataclass
class Proof:
    """What was asked how often, and what was answered wrongly."""

    acts: dict[str, int]
    asked: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def hold(self, what: str, place: str, found: object, expected: object) -> None:
        self.asked[what] += 1
        if found != expected:
            self.wrong.append(f"{what}, {place}: {found!r} and not {expected!r}")


def prove(
    engine: sa.Engine,
    directory: Path,
    edits: int,
    seed: int,
    years: tuple[int, ...] = YEARS,
    part: tuple[int, int] = (1, 1),
) -> Proof:
    """Make the history and ask: at every moment the map of all reports, which names the version of
    each, and all there is to ask of the report that changed last. `part`: from which moment on, and
    every how many.
    """
    with Crawl(engine, directory / "warc") as crawl:
        world = World(engine, crawl, Random(seed), years=years)
        world.go_on(edits)
    proof = Proof(dict(world.counts))
    with engine.connect() as connection:
        organs = {each.key.organ: find_organ(connection, each.key.organ) for each in world.reports}
        for at, told in islice(moments(world), part[0] - 1, None, part[1]):
            proof.acts["dates"] = proof.acts.get("dates", 0) + 1
            for basis in BASES:
                as_of = AsOf(at, basis)
                _map(connection, proof, world, as_of)
                _report(connection, proof, organs[told.key.organ], told, as_of)
    return proof


def moments(world: World) -> Iterator[tuple[datetime, Told]]:
    """Before all, between any two, and after all, with the report that changed just before."""
    when = sorted(world.moments, key=lambda each: each[0])
    yield when[0][0] - timedelta(days=400), when[0][1]
    later = [*(at for at, _ in when[1:]), when[-1][0] + timedelta(days=9)]
    for (at, told), following in zip(when, later, strict=True):
        if at < following:
            yield at + (following - at) / 2, told


def _map(connection: sa.Connection, proof: Proof, world: World, as_of: AsOf) -> None:
    expected = set()
    for told in world.reports:
        answer = truth(told, as_of)
        if answer is not None:
            state = "unread" if answer.parser is None else "read"
            expected.add((told.key.organ, told.key.year, state, f"content {answer.content}"))
    found = {
        (field["organ"], field["year"], field["state"], field["title"])
        for field in coverage(connection, as_of=as_of)
        if field["state"] != "missing"
    }
    proof.hold(f"coverage, {as_of.basis}", str(as_of), found, expected)


def _report(connection: sa.Connection, proof: Proof, organ: Organ, told: Told, as_of: AsOf) -> None:
    answer, year, basis = truth(told, as_of), told.key.year, as_of.basis
    place = f"{organ.name} {year} {as_of}"
    try:
        found = report(connection, organ, year, as_of=as_of)
    except NotInArchive:
        proof.hold(f"report, {basis}", place, None, answer and answer.content)
        return
    if answer is None:
        proof.hold(f"report, {basis}", place, found["title"], None)
        return
    shown = (found["title"], set(found["urls"]))
    proof.hold(f"report, {basis}", place, shown, (f"content {answer.content}", answer.urls))
    cells = {f"{c['table']}.{c['row']}.{c['column']}": c for c in found["cells"]}
    read = () if answer.parser is None else raws(answer.content, answer.parser)
    proof.hold(f"cells, {basis}", place, tuple(c["raw"] for c in cells.values()), read)
    if answer.parser is not None:
        beside = cells[CELL]["correction"]
        raw = beside and beside["raw"]
        proof.hold(f"correction, {basis}", place, raw, answer.corrected)
    _history(connection, proof, organ, told, as_of, answer)


def _history(
    connection: sa.Connection,
    proof: Proof,
    organ: Organ,
    told: Told,
    as_of: AsOf,
    answer: Answer,
) -> None:
    place = f"{organ.name} {told.key.year} {as_of}"
    versions = history(connection, organ, told.key.year, as_of=as_of)
    expected = {told.versions[content] for content in answer.seen}
    found = {version["id"] for version in versions}
    proof.hold(f"history, {as_of.basis}", place, found, expected)
    (page,) = sources(connection, organ, told.key.year, as_of=as_of)
    first = next(each for each in told.sights if each.content == answer.content)
    proof.hold(f"sources, {as_of.basis}", place, page["url"], first.url)

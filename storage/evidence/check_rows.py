"""Every row against the manifest, and every reference against the row it leads to."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from storage.database import is_passing
from storage.evidence.changes import Change, Runs, state_now, unexplained
from storage.evidence.dependants import resting_on
from storage.evidence.ledger import Strand, compared
from storage.evidence.manifest import Chain, Segment
from storage.evidence.rows import BY_RUN, GROWING, key_of, lines, plain
from storage.evidence.verdict import FROM_A_COPY, OR_ACCEPT, Verdict
from storage.readings import standing
from storage.schema import metadata, observations, versions

_CURE = f"{FROM_A_COPY}; {OR_ACCEPT}"
_NAMED = 3


def check_rows(connection: sa.Connection, chain: Chain, now: Runs, verdict: Verdict) -> None:
    """Every row of every table against what was sealed; newer rows are counted as such."""
    verdict.rows += len(now.digests)
    _runs(chain, now, verdict)
    for name in (*GROWING, *BY_RUN):
        try:
            held = compared(lines(connection, metadata.tables[name]), chain, name)
        except DatabaseError as error:
            if is_passing(error):
                raise
            verdict.wrong(name, f"cannot be read ({str(error.orig).strip()})", FROM_A_COPY)
            continue
        for run, strand in held.items():
            verdict.rows += strand.total
            _strand(connection, chain, now, verdict, name, run, strand)
    _state(connection, chain, now, verdict)
    _sightings(connection, verdict)
    _derived(connection, verdict)


def check_tables(connection: sa.Connection, verdict: Verdict) -> None:
    """Every foreign key of every row leads to a row; and SQLite's own look at its file: pages,
    indexes, what must be unique or not NULL.
    """
    if connection.dialect.name == "sqlite":
        for (said,) in connection.exec_driver_sql("PRAGMA integrity_check(10)"):
            if said != "ok":
                verdict.wrong("the database file", said, FROM_A_COPY)
    for table in metadata.sorted_tables:
        for reference in sorted(table.foreign_keys, key=lambda key: key.parent.name):
            _reference(connection, table, reference, verdict)


def _runs(chain: Chain, now: Runs, verdict: Verdict) -> None:
    for run, sealed in chain.runs.items():
        if run not in now.digests:
            verdict.wrong(f"runs {run}", "the row is gone", _CURE)
        elif now.digests[run] != sealed and run not in now.resumed:
            verdict.wrong(f"runs {run}", "the row is not what was sealed", _CURE)
    if now.open:
        verdict.unsealed["runs"] += len(now.open)


def _strand(
    connection: sa.Connection,
    chain: Chain,
    now: Runs,
    verdict: Verdict,
    name: str,
    run: int | None,
    strand: Strand,
) -> None:
    """One table, or what one run has in it."""
    whose = f" of run {run}" if name in BY_RUN else ""
    if strand.uncovered:
        what = f"{strand.uncovered} rows were sealed by an entry of the manifest that is missing"
        verdict.wrong(name + whose, what, "bring the manifest back from a copy")
    for sealed, found in strand.differing:
        more = found.rows - sealed.rows
        # A run that goes on may read again what it had captured.
        if name == "observations" and run in now.open and more > 0:
            verdict.unsealed[name] += more
            continue
        verdict.wrong(
            _span(name, sealed) + whose,
            _difference(sealed, found),
            _CURE,
            resting_on(connection, name, sealed.after, sealed.last),
        )
    added = sum(segment.rows for segment in strand.fresh)
    if not added:
        return
    if (run in now.open) if name in BY_RUN else now.at_work:
        verdict.unsealed[name] += added
    elif chain.head is not None:
        fresh = Segment(strand.fresh[0].after, strand.fresh[-1].last, added, "")
        why = "which is sealed" if whose else "and no run has been at work since the newest seal"
        verdict.wrong(
            _span(name, fresh) + whose,
            f"{_rows(added)} added{whose and ' to it'}, {why}",
            _CURE,
            resting_on(connection, name, fresh.after, fresh.last),
        )


def _span(name: str, segment: Segment) -> str:
    key = key_of(metadata.tables[name]).name
    if segment.after is None:
        return f"{name} ({key} up to {segment.last})"
    return f"{name} ({key} {segment.after + 1} to {segment.last})"


def _difference(sealed: Segment, found: Segment) -> str:
    if found.rows != sealed.rows:
        return f"{_rows(sealed.rows)} sealed and {found.rows} are there"
    return "not what was sealed" if found.rows == 1 else f"one of {found.rows} was changed"


def _rows(count: int) -> str:
    return "1 row was" if count == 1 else f"{count} rows were"


def _state(connection: sa.Connection, chain: Chain, now: Runs, verdict: Verdict) -> None:
    state = state_now(connection)
    verdict.rows += len(state["portals"])
    damage, done = unexplained(connection, chain, now, state)
    for change in done:
        verdict.unsealed[change.table] += 1
    for change in damage:
        verdict.wrong(f"{change.table} {change.key}", _change(change), _CURE)


def _change(change: Change) -> str:
    if change.after is None:
        return "the row is gone"
    if change.before is None:
        return "the row was added, and by no run since the newest seal"
    return "; ".join(
        f"{name} was sealed as {before!r} and is {change.after[name]!r}"
        for name, before in change.before.items()
        if before != change.after[name]
    )


def _sightings(connection: sa.Connection, verdict: Verdict) -> None:
    """A version was first and last seen when its observations say."""
    seen = (
        sa.select(
            observations.c.version_id,
            sa.func.min(observations.c.seen_at).label("first"),
            sa.func.max(observations.c.seen_at).label("last"),
        )
        .group_by(observations.c.version_id)
        .subquery()
    )
    first, last = versions.c.first_seen, versions.c.last_seen
    query = (
        sa.select(versions.c.id)
        .outerjoin(seen, seen.c.version_id == versions.c.id)
        .where(sa.or_(first.is_distinct_from(seen.c.first), last.is_distinct_from(seen.c.last)))
        .order_by(versions.c.id)
    )
    for version in connection.execute(query).scalars():
        verdict.wrong(
            f"versions {version}",
            "first_seen and last_seen are not those of its observations",
            FROM_A_COPY,
            resting_on(connection, "versions", version - 1, version),
        )


def _derived(connection: sa.Connection, verdict: Verdict) -> None:
    """What follows from the rows is what it was made from them."""
    wrong = standing.differing(connection)
    if wrong:
        named = ", ".join(map(str, wrong[:_NAMED])) + (", …" if len(wrong) > _NAMED else "")
        what = f"not what the other tables say, of {len(wrong)} reports ({named})"
        verdict.wrong("standing", what, "`archive reindex` makes it anew")


def _reference(
    connection: sa.Connection, table: sa.Table, reference: sa.ForeignKey, verdict: Verdict
) -> None:
    own, target = reference.parent, reference.column
    there = target.table.alias("there")
    query = (
        sa.select(plain(own, connection.dialect.name))
        .select_from(table.outerjoin(there, there.c[target.name] == own))
        .where(own.is_not(None), there.c[target.name].is_(None))
    )
    lost = list(connection.execute(query).scalars())
    if lost:
        named = ", ".join(map(str, lost[:_NAMED])) + (", …" if len(lost) > _NAMED else "")
        what = f"{_rows(len(lost))} left pointing at {target.table.name} that are not there"
        verdict.wrong(f"{table.name}.{own.name}", f"{what} ({named})", FROM_A_COPY)

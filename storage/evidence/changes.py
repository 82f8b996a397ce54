"""What may change between two seals, and which change a run explains.

A run that has been at work since the newest seal explains rows behind those that are sealed, and
changes to rows of its portals. A change that nothing explains is damage: no seal takes it over
silently.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from storage.capture.captures import ASKED
from storage.evidence.manifest import Chain, State, sha256
from storage.evidence.rows import CHANGING, lines, values
from storage.schema import aliases, attempts, metadata, organs, reports, runs, starts, terms

# The tables whose changing columns lie in the state.
STATEFUL = ("aliases", "portals")


class Change(NamedTuple):
    """A row whose changing columns are not as they were sealed; None: there is, or was, no row."""

    table: str
    key: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of the archive against the manifest.

    `digests` of their rows as they are now; `resumed`: sealed, and started again since;
    `open`: not sealed, or resumed; `settled`: those of the open ones that can be sealed.
    """

    digests: dict[int, str]
    resumed: frozenset[int]
    open: frozenset[int]
    settled: frozenset[int]

    @property
    def at_work(self) -> bool:
        """Whether any run has been at work since the newest seal."""
        return bool(self.open)


def runs_now(connection: sa.Connection, chain: Chain) -> Runs:
    """The runs as a connection sees them."""
    digests = {key: sha256(line) for _, key, line in lines(connection, runs)}
    behind = chain.horizon("starts")
    started = sa.select(starts.c.run_id).distinct()
    if behind is not None:
        started = started.where(starts.c.id > behind)
    resumed = frozenset(connection.execute(started).scalars()) & chain.runs.keys()
    unsealed = frozenset(digests.keys() - chain.runs.keys()) | resumed
    return Runs(digests, resumed, unsealed, unsealed - _unsettled(connection))


def state_now(connection: sa.Connection) -> State:
    """The changing columns of every row that has some, but for those that follow from others."""
    return {name: values(connection, metadata.tables[name], CHANGING[name]) for name in STATEFUL}


def changes(before: State, after: State) -> Iterator[Change]:
    """The rows that differ, by table and key."""
    for table in STATEFUL:
        was, now = before[table], after[table]
        for key in sorted(was.keys() | now.keys()):
            if was.get(key) != now.get(key):
                yield Change(table, key, was.get(key), now.get(key))


def unexplained(
    connection: sa.Connection, chain: Chain, now: Runs, state: State
) -> tuple[list[Change], list[Change]]:
    """What changed since the newest seal: what no run can have done, and what one may have."""
    damage: list[Change] = []
    done: list[Change] = []
    if chain.state is None:
        return damage, done
    touched = _at_portals(connection, now)
    for change in changes(chain.state, state):
        explained = change.key in touched[change.table] and _is_done_by_a_run(change, chain)
        (done if explained else damage).append(change)
    return damage, done


def _at_portals(connection: sa.Connection, now: Runs) -> dict[str, set[str]]:
    """The keys of the rows that belong to the portals of the open runs."""
    promised = sa.select(terms.c.portal).join(starts).where(starts.c.run_id.in_(sorted(now.open)))
    theirs = aliases.join(reports).join(organs, organs.c.id == reports.c.organ_id)
    known = sa.select(aliases.c.id).select_from(theirs).where(organs.c.portal.in_(promised))
    return {
        "portals": set(connection.execute(promised).scalars()),
        "aliases": {str(key) for key in connection.execute(known).scalars()},
    }


def _is_done_by_a_run(change: Change, chain: Chain) -> bool:
    before, after = change.before, change.after
    if after is None:
        return False
    if change.table == "portals":
        return True
    if before is None:
        return int(change.key) > (chain.horizon(change.table) or 0)
    # A run that changes an alias has seen it later than anyone before; or, when it reads what
    # was captured long ago, earlier.
    if after["last_seen"] == before["last_seen"]:
        return bool(after["first_seen"] < before["first_seen"]) and after == before | {
            "first_seen": after["first_seen"]
        }
    return bool(after["last_seen"] > before["last_seen"])


def _unsettled(connection: sa.Connection) -> frozenset[int]:
    """Runs whose rows may still be completed: under way or dead, or stopped amid a request."""
    waiting = sa.exists().where(attempts.c.run_id == runs.c.id, attempts.c.outcome == ASKED)
    query = sa.select(runs.c.id).where(
        sa.or_(runs.c.state == "running", sa.and_(runs.c.state == "stopped", waiting))
    )
    return frozenset(connection.execute(query).scalars())

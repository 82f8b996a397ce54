"""Rows held against the segments of the manifest that cover them; the rest in new segments."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from storage.evidence.manifest import Chain, Segment
from storage.evidence.rows import Line

# One row that was changed is told from the others of its segment only; a night has some thousand.
_ROWS = 100


@dataclass(slots=True)
class Strand:
    """The rows of a table, or of a run in a table, in the order of their keys, behind `after`.

    `differing`: what was sealed and what is there now; `fresh`: what lies behind the last segment;
    `uncovered`: how many rows lie between segments, where an entry is missing.
    """

    sealed: Sequence[Segment] = ()
    after: int | None = None
    differing: list[tuple[Segment, Segment]] = field(default_factory=list)
    fresh: list[Segment] = field(default_factory=list)
    uncovered: int = 0
    total: int = 0
    _index: int = 0
    _rows: int = 0
    _key: int | None = None
    _sha256: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, key: int, line: bytes) -> None:
        """The next row."""
        while self._index < len(self.sealed) and key > self.sealed[self._index].last:
            self._compare()
        self.total += 1
        if self._index < len(self.sealed):
            after = self.sealed[self._index].after
            if after is not None and key <= after:
                self.uncovered += 1
                return
        elif self._rows >= _ROWS and key != self._key:
            self._cut(self._key)
        self._rows += 1
        self._key = key
        self._sha256.update(line)

    def finish(self, horizon: int | None) -> None:
        """No more rows. The new segments reach to `horizon`, where it is known."""
        while self._index < len(self.sealed):
            self._compare()
        last = self._key if horizon is None else horizon
        if self._rows or (last is not None and last > (self._end() or 0)):
            self._cut(last)

    def _compare(self) -> None:
        sealed = self.sealed[self._index]
        found = Segment(sealed.after, sealed.last, self._rows, self._sha256.hexdigest())
        if found != sealed:
            self.differing.append((sealed, found))
        self._index += 1
        self._begin()

    def _cut(self, last: int | None) -> None:
        assert last is not None
        self.fresh.append(Segment(self._end(), last, self._rows, self._sha256.hexdigest()))
        self._begin()

    def _end(self) -> int | None:
        segments = self.fresh or self.sealed
        return segments[-1].last if segments else self.after

    def _begin(self) -> None:
        self._rows, self._key, self._sha256 = 0, None, hashlib.sha256()


def compared(
    rows: Iterable[Line], chain: Chain, table: str, runs: Container[int] | None = None
) -> dict[int | None, Strand]:
    """A table held against the manifest: its strands by run, or one under None.

    `runs`: those the rows are of, where they are not all.
    """
    found = {
        run: Strand(sorted(segments.values(), key=lambda segment: segment.last))
        for (name, run), segments in chain.segments.items()
        if name == table and (runs is None or run in runs)
    }
    for run, key, line in rows:
        if run not in found:
            found[run] = Strand()
        found[run].add(key, line)
    for strand in found.values():
        strand.finish(None)
    return found


def new_segments(rows: Iterable[Line], after: int | None, horizon: int | None) -> list[Segment]:
    """Segments of rows behind `after`, up to `horizon`."""
    strand = Strand(after=after)
    for _, key, line in rows:
        strand.add(key, line)
    strand.finish(horizon)
    return strand.fresh

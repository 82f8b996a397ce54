"""What `archive verify` has to say: one line for everything that is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

FROM_A_COPY = "bring the database back from a copy"
OR_ACCEPT = "if you changed it on purpose, `archive seal --accept REASON` says so in the manifest"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong: where, what, the reports that rest on it ("" if none do), and the cure."""

    where: str
    what: str
    depends: str
    cure: str

    def __str__(self) -> str:
        depends = f"; depends on it: {self.depends}" if self.depends else ""
        return f"{self.where}: {self.what}{depends}; cure: {self.cure}"


@dataclass(slots=True)
class Verdict:
    """The answer: sound without problems; notes are no damage.

    `head` is the digest of the newest manifest entry, worth noting elsewhere; `unsealed` counts
    rows by table, and files, that are newer than it.
    """

    head: str | None = None
    entries: int = 0
    files: int = 0
    bytes: int = 0
    records: int = 0
    rows: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unsealed: Counter[str] = field(default_factory=Counter)

    @property
    def sound(self) -> bool:
        return not self.problems

    def __iadd__(self, other: Verdict) -> Verdict:
        """Add what another check of the same archive found."""
        self.files += other.files
        self.bytes += other.bytes
        self.records += other.records
        self.rows += other.rows
        self.problems += [each for each in other.problems if each not in self.problems]
        self.notes += other.notes
        self.unsealed += other.unsealed
        return self

    def wrong(self, where: str, what: str, cure: str, depends: str = "") -> None:
        self.problems.append(Problem(where, what, depends, cure))

    def lines(self) -> Iterator[str]:
        """A line for everything wrong, then the notes, then what was looked at."""
        yield from map(str, self.problems)
        for said in self.notes:
            yield f"note: {said}"
        if self.unsealed:
            newer = ", ".join(f"{name} {count}" for name, count in sorted(self.unsealed.items()))
            yield f"note: not sealed yet: {newer}"
        looked = f"{self.rows} rows, {self.files} WARC files ({self.bytes / 1e6:.1f} MB"
        looked += f", {self.records} records)" if self.records else ")"
        yield f"{'sound' if self.sound else 'NOT SOUND'}: {looked}, {self.entries} manifest entries"
        if self.head:
            yield f"head sha256:{self.head}"

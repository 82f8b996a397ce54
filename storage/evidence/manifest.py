"""The manifest: one entry a seal, each naming the digest of the one before.

An entry lists what is new since the entry before it and is never written again; the whole follows
from walking the chain. Beside the newest entry lies the state: the columns that change, as they
were at that seal. docs/evidence.md describes both files.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from storage.errors import DirectoryError

# In GONGKAI_HOME.
FOLDER = "manifests"
FORMAT = "gongkai-manifest/1"
_ENTRY, _STATE, _PART = ".json", ".state.json", ".part"
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_KEYS = {"format", "sealed_at", "previous", "state", "files", "runs", "rows"}
_CHANGED = "is not what was written: its digest differs"

# table, and the run where the table is sealed run by run
Ledger: TypeAlias = tuple[str, int | None]
State: TypeAlias = dict[str, dict[str, dict[str, Any]]]


class Segment(NamedTuple):
    """The rows with `after` < key <= `last`: how many, and the SHA-256 of their lines.

    `after` is None for the first segment of its table or run: it begins before every key.
    """

    after: int | None
    last: int
    rows: int
    sha256: str


class Sealed(NamedTuple):
    """A WARC file as it was sealed."""

    size: int
    sha256: str


class Break(NamedTuple):
    """Where the chain cannot be followed, and why."""

    name: str
    what: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A manifest entry as it lies in its file; `digest` is the SHA-256 of the file's bytes."""

    name: str
    body: Mapping[str, Any]
    digest: str


@dataclass(slots=True)
class Chain:
    """What the entries say together; of what is said twice, the last word counts.

    `state` is that of the newest entry, None before there is one or where it is damaged.
    """

    entries: list[Entry] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    files: dict[str, Sealed] = field(default_factory=dict)
    runs: dict[int, str] = field(default_factory=dict)
    segments: dict[Ledger, dict[int, Segment]] = field(default_factory=dict)
    state: State | None = None

    @property
    def head(self) -> Entry | None:
        """The newest entry."""
        return self.entries[-1] if self.entries else None

    def horizon(self, table: str, run: int | None = None) -> int | None:
        """The newest key that is sealed; None where nothing is."""
        return max(self.segments.get((table, run), ()), default=None)

    def follow(self, entry: Entry) -> None:
        """Add what an entry says."""
        body = entry.body
        self.entries.append(entry)
        self.files.update({name: Sealed(*sealed) for name, sealed in body["files"].items()})
        for run, sha256 in body["runs"].items():
            if sha256 is None:
                self.runs.pop(int(run), None)
            else:
                self.runs[int(run)] = sha256
        for table, segments in body["rows"].items():
            for run, *rest in segments:
                segment = Segment(*rest)
                self.segments.setdefault((table, run), {})[segment.last] = segment


@contextmanager
def locked(directory: Path, how: int) -> Iterator[None]:
    """Hold the folder of the manifest, LOCK_EX to add to it, LOCK_SH to read it whole."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)


def read_chain(directory: Path) -> Chain:
    """Walk the chain from its first entry on; the folder must be locked, or missing.

    What cannot be trusted is named in `breaks`; an entry that was changed is left out.
    """
    chain = Chain()
    previous: str | None = None
    for path in _entries(directory):
        data = path.read_bytes()
        digest = sha256(data)
        try:
            body = _opened(data, path.name)
        except ValueError as error:
            chain.breaks.append(Break(path.name, str(error)))
        else:
            if body["previous"] != previous:
                what = "does not follow the entry before it: that was changed, moved or taken away"
                chain.breaks.append(Break(path.name, what))
            chain.follow(Entry(path.name, body, digest))
        previous = digest
    if chain.head is not None:
        try:
            chain.state = _state(directory / state_of(chain.head.name), chain.head)
        except ValueError as error:
            chain.breaks.append(Break(state_of(chain.head.name), str(error)))
    return chain


def add_entry(
    directory: Path, chain: Chain, at: datetime, said: Mapping[str, Any], state: State
) -> Entry:
    """Write an entry that says this behind the chain, and the state beside it.

    The folder must be locked. The entry counts from the moment it bears its name; whatever
    stops this before leaves the chain as it was. Raises DirectoryError.
    """
    if chain.head is not None:
        # A clock that was set back does not bring the entries out of order.
        at = max(at, _moment(chain.head.body["sealed_at"]) + timedelta(microseconds=1))
    sealed_at = at.astimezone(UTC).strftime(_TIME)
    kept = _dump(state)
    body = {
        "format": FORMAT,
        "sealed_at": sealed_at,
        "previous": chain.head.digest if chain.head else None,
        "state": sha256(kept),
        **said,
    }
    data = _dump({**body, "digest": sha256(_dump(body))})
    name = _name(sealed_at)
    try:
        _write(directory / state_of(name), kept)
        _write(directory / name, data)
        for path in strays(directory, name):
            path.unlink()
    except OSError as error:
        raise DirectoryError(
            f"cannot write {directory / name} ({error.strerror}): make room or make the folder "
            "writable, then run `archive seal`"
        ) from error
    return Entry(name, body, sha256(data))


def strays(directory: Path, head: str | None) -> list[Path]:
    """What a seal that was interrupted left: half-written files, and states of other entries."""
    kept = state_of(head) if head else None
    states = [path for path in directory.glob("*" + _STATE) if path.name != kept]
    return sorted([*directory.glob("*" + _PART), *states])


def state_of(name: str) -> str:
    """The name of the state that belongs to an entry."""
    return name.removesuffix(_ENTRY) + _STATE


def sha256(data: bytes) -> str:
    """In hex."""
    return hashlib.sha256(data).hexdigest()


def _entries(directory: Path) -> list[Path]:
    return sorted(p for p in directory.glob("*" + _ENTRY) if not p.name.endswith(_STATE))


def _opened(data: bytes, name: str) -> dict[str, Any]:
    """The body of an entry. Raises ValueError where a byte of it is not as it was written."""
    body = _load(data)
    digest = body.pop("digest", None)
    if digest != sha256(_dump(body)) or not body.keys() >= _KEYS:
        raise ValueError(_CHANGED)
    if _name(body["sealed_at"]) != name:
        raise ValueError(f"was sealed at {body['sealed_at']} and does not bear that name")
    if body["format"] != FORMAT:
        raise ValueError(f"has the format {body['format']}: this checkout reads {FORMAT}")
    return body


def _state(path: Path, head: Entry) -> State:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ValueError("is missing: an entry after it was taken away, or the file was") from None
    if sha256(data) != head.body["state"]:
        raise ValueError(_CHANGED)
    state: State = _load(data)
    return state


def _write(path: Path, data: bytes) -> None:
    """Whole and durable, or not at all."""
    part = path.with_name(path.name + _PART)
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _dump(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogateescape") + b"\n"


def _load(data: bytes) -> dict[str, Any]:
    """Raises ValueError for bytes that `_dump` does not write."""
    try:
        value = json.loads(data.decode("utf-8", "surrogateescape"))
    except ValueError:
        raise ValueError(_CHANGED) from None
    if not isinstance(value, dict) or _dump(value) != data:
        raise ValueError(_CHANGED)
    return value


def _name(sealed_at: str) -> str:
    """`20260306T063800000000Z.json`, so that names sort by time."""
    return sealed_at.replace("-", "").replace(":", "").replace(".", "") + _ENTRY


def _moment(sealed_at: str) -> datetime:
    return datetime.strptime(sealed_at, _TIME).replace(tzinfo=UTC)

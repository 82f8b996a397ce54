"""A WARC file read once: its SHA-256, every record in it, and what the rows say of them.

One pass feeds both the digest of the file and the inflater, member by member. Where a member is
damaged, reading goes on at the next record that a row knows of.
"""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from storage.capture.warc import ATTEMPT, digest, split

OPEN = ".open"
_BLOCK = 1 << 20
# Most members are small, and what was fed beyond a member's end is copied back.
_FIRST_BITE, _LARGEST_BITE = 1 << 12, 1 << 17
_GZIP = 16 + zlib.MAX_WBITS
_BREAK = b"\r\n\r\n"
_NEEDED = {"WARC-Type", "WARC-Record-ID", "WARC-Date", "WARC-Block-Digest", "Content-Length"}
_STATUS = re.compile(rb"\S+ +(\d+)")


class Claim(NamedTuple):
    """What the row of a capture says of its record.

    `headers` by name. `size` is that of the payload, None where it lies in another record.
    """

    capture_id: int
    attempt_id: int
    offset: int
    length: int
    status: int
    size: int | None
    headers: Mapping[str, str]


class Fault(NamedTuple):
    """What is wrong at an offset; the capture it makes doubtful, if a row claims the record."""

    offset: int
    what: str
    capture_id: int | None


@dataclass(slots=True)
class Examined:
    """A WARC file after the pass. `ids` of its records are kept where no row claims them.

    `torn`: where the last whole record ends, if anything lies behind it; `open`: it is not sealed.
    """

    name: str
    open: bool
    size: int
    sha256: str = ""
    records: int = 0
    faults: list[Fault] = field(default_factory=list)
    unclaimed: list[tuple[int, str]] = field(default_factory=list)
    torn: int | None = None


class Job(NamedTuple):
    """A file to be read, by its (sealed) name; with `whole` every record, else for its digest only.

    `claims` in the order of their offsets.
    """

    directory: Path
    name: str
    claims: Sequence[Claim]
    whole: bool


def examine(job: Job) -> Examined | None:
    """Read a file as long as it is when it is opened; None where it is missing. Raises OSError."""
    # In this order: a file that is sealed meanwhile is found under its other name.
    for path in (job.directory / (job.name + OPEN), job.directory / job.name):
        with suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
            return _read(file.fileno(), job, path.name != job.name)
    return None


def _read(handle: int, job: Job, is_open: bool) -> Examined:
    found = Examined(job.name, is_open, os.fstat(handle).st_size)
    hashed = hashlib.sha256()
    blocks = _blocks(handle, found.size, hashed)
    if job.whole:
        _examine(blocks, job.claims, found)
    else:
        for _ in blocks:
            pass
    found.sha256 = hashed.hexdigest()
    return found


def _examine(blocks: Iterator[bytes], claims: Sequence[Claim], found: Examined) -> None:
    waiting: dict[int, Claim] = {}
    for each in claims:
        if waiting.setdefault(each.offset, each) is not each:
            what = f"is claimed by capture {waiting[each.offset].capture_id} too"
            found.faults.append(Fault(each.offset, what, each.capture_id))
    offsets = sorted(waiting)
    for start, end, record in _members(blocks, found.size, offsets):
        claim = waiting.pop(start) if start in waiting else None
        capture = claim.capture_id if claim else None
        if isinstance(record, str):
            found.faults.append(Fault(start, record, capture))
            found.torn = start if end == found.size else None
            continue
        found.records += 1
        try:
            headers, status, size = _record(record)
        except ValueError as error:
            found.faults.append(Fault(start, str(error), capture))
            continue
        if claim is not None:
            said = ", ".join(_contradictions(claim, headers, end - start, status, size))
            if said:
                found.faults.append(Fault(start, said, capture))
        elif headers["WARC-Type"] in {"response", "revisit"}:
            found.unclaimed.append((start, headers.get("WARC-Target-URI", "")))
    for each in waiting.values():
        found.faults.append(Fault(each.offset, "does not begin here", each.capture_id))


def _blocks(handle: int, size: int, hashed: hashlib._Hash) -> Iterator[bytes]:
    """The first `size` bytes, hashed on the way."""
    while size and (block := os.read(handle, min(size, _BLOCK))):
        hashed.update(block)
        size -= len(block)
        yield block


def _members(
    blocks: Iterator[bytes], size: int, known: Sequence[int]
) -> Iterator[tuple[int, int, bytes | str]]:
    """Begin, end and content of each gzip member, or why it has none.

    `known`: where members begin for certain, ascending; after damage the next of them is tried.
    """
    inflater, parts, bite = zlib.decompressobj(_GZIP), [], _FIRST_BITE
    start = position = skip = 0
    for block in blocks:
        view, at = memoryview(block), max(0, skip - position)
        while at < len(view):
            piece = view[at : at + bite]
            try:
                parts.append(inflater.decompress(piece))
            except zlib.error as error:
                # What was read is gone: damage may be noticed behind a member that is whole.
                skip = next(iter(known[bisect_left(known, max(start + 1, position)) :]), size)
                yield start, skip, f"cannot be inflated ({error})"
                at, start = skip - position, skip
                inflater, parts, bite = zlib.decompressobj(_GZIP), [], _FIRST_BITE
                continue
            at += len(piece) - len(inflater.unused_data)
            if inflater.eof:
                yield start, position + at, b"".join(parts)
                start = position + at
                inflater, parts, bite = zlib.decompressobj(_GZIP), [], _FIRST_BITE
            else:
                bite = min(_LARGEST_BITE, bite * 4)
        position += len(block)
    if start < size:
        yield start, size, "ends before its record does"


def _record(data: bytes) -> tuple[dict[str, str], int | None, int]:
    """WARC headers, HTTP status and size of the payload, if it has them. Raises ValueError."""
    end = data.find(_BREAK)
    version, *lines = data[: max(end, 0)].decode().split("\r\n")
    try:
        headers = dict(line.split(": ", 1) for line in lines)
    except ValueError:
        headers = {}
    if version != "WARC/1.1" or not headers.keys() >= _NEEDED:
        raise ValueError("is no WARC record")
    block = data[end + len(_BREAK) : -len(_BREAK)]
    if headers["Content-Length"] != str(len(block)) or not data.endswith(_BREAK):
        raise ValueError(f"has {len(block)} bytes, not {headers['Content-Length']}")
    if headers["WARC-Block-Digest"] != digest(block):
        raise ValueError("differs from its WARC-Block-Digest")
    if headers["WARC-Type"] not in {"response", "revisit"}:
        return headers, None, 0
    head, payload = split(block)
    if headers["WARC-Type"] == "response" and headers.get("WARC-Payload-Digest") != digest(payload):
        raise ValueError("differs from its WARC-Payload-Digest")
    status = _STATUS.match(head)
    return headers, int(status[1]) if status else None, len(payload)


def _contradictions(
    claim: Claim, headers: Mapping[str, str], length: int, status: int | None, size: int
) -> Iterator[str]:
    if length != claim.length:
        yield f"is {length} bytes long, its row says {claim.length}"
    if status != claim.status:
        yield f"has the status {status}, its row says {claim.status}"
    if claim.size is not None and size != claim.size:
        yield f"has a payload of {size} bytes, its row says {claim.size}"
    # Records of older versions do not name their attempt.
    if headers.get(ATTEMPT, str(claim.attempt_id)) != str(claim.attempt_id):
        yield f"is of attempt {headers[ATTEMPT]}, its row says {claim.attempt_id}"
    for name, value in claim.headers.items():
        if headers.get(name) != value:
            yield f"has {name} {headers.get(name)}, its row says {value}"

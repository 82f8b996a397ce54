"""Whole files → broken ones: byte by byte, and behind the packing of a zip, where checksums and
deflate would stop every change at the door.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Sequence
from random import Random

ODD_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
LONGEST = 4 << 20


def mutated(seeds: Sequence[bytes], rng: Random) -> bytes:
    """One of the seeds, broken once or several times over."""
    body = rng.choice(seeds)
    if body.startswith(b"PK\x03\x04") and rng.random() < 0.85:
        return _repacked(body, seeds, rng)
    return _broken(body, seeds, rng)


def _broken(body: bytes, seeds: Sequence[bytes], rng: Random) -> bytes:
    for _ in range(1 << rng.randrange(6)):
        body = rng.choice(CHANGES)(body, seeds, rng)
    return body[:LONGEST]


def _repacked(body: bytes, seeds: Sequence[bytes], rng: Random) -> bytes:
    """A zip with one or two members broken, sometimes renamed, dropped or doubled."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    if not members:
        return body
    for _ in range(rng.randint(1, 2)):
        weights = [len(data) + 1 for _, data in members]
        (at,) = rng.choices(range(len(members)), weights)
        name, data = members[at]
        members[at] = (name, _broken(data, [data for _, data in members], rng))
    chance = rng.random()
    if chance < 0.05 and len(members) > 1:
        members.pop(rng.randrange(len(members)))
    elif chance < 0.1:
        members.append((rng.choice(members)[0] + "x", rng.choice(members)[1]))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", rng.choice((0, 8))) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, rng.choice((0, 8)))
    return buffer.getvalue()


def _span(body: bytes, rng: Random, longest: int = 64) -> slice:
    start = rng.randrange(len(body) + 1)
    return slice(start, min(len(body), start + rng.randint(1, longest)))


def flip(body: bytes, _: Sequence[bytes], rng: Random) -> bytes:
    if not body:
        return body
    at = rng.randrange(len(body))
    return body[:at] + bytes([body[at] ^ 1 << rng.randrange(8)]) + body[at + 1 :]


def noise(body: bytes, _: Sequence[bytes], rng: Random) -> bytes:
    where = _span(body, rng, 16)
    return body[: where.start] + rng.randbytes(where.stop - where.start) + body[where.stop :]


def number(body: bytes, _: Sequence[bytes], rng: Random) -> bytes:
    """A length or a count that cannot be: in two or four bytes, or in figures."""
    value = rng.choice(ODD_NUMBERS)
    written = rng.choice(
        (struct.pack("<H", value & 0xFFFF), struct.pack("<I", value), str(value).encode())
    )
    at = rng.randrange(len(body) + 1)
    return body[:at] + written + body[at + len(written) :]


def cut(body: bytes, _: Sequence[bytes], rng: Random) -> bytes:
    where = _span(body, rng, max(1, len(body) // 8))
    return body[: where.start] + body[where.stop :]


def truncate(body: bytes, _: Sequence[bytes], rng: Random) -> bytes:
    return body[: rng.randrange(len(body) + 1)] if rng.random() < 0.2 else body


def repeat(body: bytes, _: Sequence[bytes], rng: Random) -> bytes:
    where = _span(body, rng, 200)
    times = 1 << rng.randrange(10)
    return body[: where.stop] + body[where] * times + body[where.stop :]


def move(body: bytes, _: Sequence[bytes], rng: Random) -> bytes:
    where = _span(body, rng, 300)
    at = rng.randrange(len(body) + 1)
    return body[:at] + body[where] + body[at:]


def splice(body: bytes, seeds: Sequence[bytes], rng: Random) -> bytes:
    other = rng.choice(seeds)
    where = _span(other, rng, 400)
    at = rng.randrange(len(body) + 1)
    return body[:at] + other[where] + body[at + rng.choice((0, where.stop - where.start)) :]


Change = Callable[[bytes, Sequence[bytes], Random], bytes]
CHANGES: tuple[Change, ...] = (flip, flip, noise, number, number, cut, truncate, repeat, move,
                               splice)  # fmt: skip

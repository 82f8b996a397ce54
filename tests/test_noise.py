"""Noise is an observation and never a version; one changed cell is a version and never noise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from io import BytesIO
from random import Random
from zipfile import ZipFile

import olefile
import pikepdf
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from lxml import etree

from crawler.documents import cfb
from crawler.documents.canonical import RULES, digest_file
from storage.capture.captures import payload
from storage.database import transact
from storage.readings.observing import Observation, observe
from storage.schema import captures, observations, versions
from storage.settings import Settings
from tests.crawling import ROOT
from tests.databases import NOW, Crawl, exchange, key
from tests.noise import KINDS, ROWS, canonical, compound_file, edits, make

RULE_OF = {
    "html": "page/2",
    "docx": "ooxml/1",
    "xlsx": "ooxml/1",
    "pdf": "pdf/1",
    "doc": "ole/1",
    "xls": "ole/1",
}
FILES = tuple(kind for kind in KINDS if kind != "html")
# 500 edits, a kind each in turn.
EDITS = [(KINDS[number % len(KINDS)], rows) for number, rows in enumerate(edits(ROWS)[:500])]


@pytest.mark.parametrize("kind", KINDS)
def test_thirty_noisy_recaptures_are_one_content(kind: str) -> None:
    bodies = {make(kind, ROWS, seed) for seed in range(30)}
    assert len(bodies) == 30
    found = {canonical(kind, body) for body in bodies}
    assert [each.rule for each in found] == [RULE_OF[kind]]


@cache
def edited() -> tuple[tuple[str, bytes], ...]:
    """Every edit as a file or page of its kind, each with noise of its own."""
    return tuple((kind, make(kind, rows, seed)) for seed, (kind, rows) in enumerate(EDITS))


@pytest.mark.parametrize("kind", KINDS)
def test_every_edit_of_one_cell_is_another_content(kind: str) -> None:
    first = [canonical(kind, body) for edit, body in edited() if edit == kind]
    again = [canonical(kind, make(kind, rows, -1)) for edit, rows in EDITS if edit == kind]
    assert again == first
    assert len({canonical(kind, make(kind, ROWS, 0)), *first}) == 1 + len(first) >= 84


def test_recaptures_in_an_archive(engine: sa.Engine, settings: Settings) -> None:
    seen = [(kind, make(kind, ROWS, seed)) for kind in KINDS for seed in range(30)]
    with Crawl(engine, settings.warc_directory) as crawl:
        keep(crawl, [(captured(crawl, kind, body), kind, body) for kind, body in seen])
    with engine.connect() as connection:
        ids = connection.execute(sa.select(captures.c.id).order_by("id")).scalars().all()
        counts = connection.execute(
            sa.select(versions.c.name, versions.c.canonical_rule, sa.func.count())
            .join(observations)
            .group_by(versions.c.id, versions.c.name, versions.c.canonical_rule)
        ).all()
    assert sorted(map(tuple, counts)) == sorted(
        ("" if kind == "html" else f"a.{kind}", RULE_OF[kind], 30) for kind in KINDS
    )
    # And again from the archive, without a network.
    kept = (payload(engine, settings.warc_directory, capture) for capture in ids)
    pairs = zip(seen, kept, strict=True)
    assert len({canonical(kind, body) for (kind, _), body in pairs}) == len(KINDS)


def test_five_hundred_edits_in_an_archive(engine: sa.Engine, settings: Settings) -> None:
    """A capture a kind is enough: what is a version is told by the content alone."""
    with Crawl(engine, settings.warc_directory) as crawl:
        refs = {kind: captured(crawl, kind, body) for kind, body in edited()[: len(KINDS)]}
        keep(crawl, [(refs[kind], kind, body) for kind, body in edited()])
    with engine.connect() as connection:
        for table in (versions, observations):
            count = sa.select(sa.func.count()).select_from(table)
            assert connection.execute(count).scalar() == 500


def captured(crawl: Crawl, kind: str, body: bytes) -> int:
    return crawl.capture(exchange(body, f"http://x.example/a.{kind}")).id


def keep(crawl: Crawl, bodies: list[tuple[int, str, bytes]]) -> None:
    """Observe captures (id, kind, body) as the pipelines do."""
    seen = [
        Observation(
            key=key(year=2025),
            part="page" if kind == "html" else "attachment",
            name="" if kind == "html" else f"a.{kind}",
            url=f"http://x.example/a.{kind}",
            capture_id=capture,
            canonical_digest=said.digest,
            canonical_rule=said.rule,
            title="年报",
            published=None,
            source=None,
            media=kind,
            seen_at=NOW + timedelta(minutes=number),
        )
        for number, (capture, kind, body) in enumerate(bodies)
        for said in [canonical(kind, body)]
    ]
    transact(crawl.engine, lambda connection: [observe(connection, each) for each in seen])


# --- whatever comes in ----------------------------------------------------------------------------

_WHOLE = {kind: [make(kind, ROWS, seed) for seed in range(5)] for kind in FILES}


@given(st.sampled_from([b"", b"PK\x03\x04", b"%PDF-1.7\n", cfb.MAGIC]), st.binary(max_size=3000))
@examples(max_examples=200, deadline=None)
def test_any_bytes_have_a_digest(magic: bytes, rest: bytes) -> None:
    assert digest_file(magic + rest).rule in RULES


@given(
    st.sampled_from(FILES),
    st.integers(0, 4),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    st.none() | st.floats(0, 1),
)
@examples(max_examples=400, deadline=None)
def test_damage_is_never_taken_for_the_whole(
    kind: str, seed: int, damage: list[tuple[float, int]], cut: float | None
) -> None:
    """Whatever bytes change: either the content is another, or a second reader sees no change."""
    body = bytearray(_WHOLE[kind][seed])
    for place, value in damage:
        body[int(place * len(body))] = value
    spoilt = bytes(body if cut is None else body[: int(cut * len(body))])
    if digest_file(spoilt) == digest_file(_WHOLE[kind][seed]):
        assert SEEN[kind](spoilt) == SEEN[kind](_WHOLE[kind][seed])


def in_package(body: bytes) -> dict[str, list[str]]:
    """The texts of each part, by another reader of XML."""
    with ZipFile(BytesIO(body)) as package:
        return {
            name: [text.strip() for text in etree.fromstring(package.read(name)).itertext()]
            for name in package.namelist()
            if name.startswith(("word/", "xl/"))
        }


def in_pdf(body: bytes) -> list[bytes]:
    with pikepdf.open(BytesIO(body)) as pdf:
        page = pdf.pages[0]
        seal = page.Resources.XObject.Im1.read_raw_bytes()
        return [page.Contents.read_bytes(), seal, bytes(page.Annots[0].Contents)]


def in_streams(body: bytes) -> dict[str, bytes]:
    """The text of a doc, the cells of an xls (up to Window2), by another reader of containers."""
    with olefile.OleFileIO(body) as file:
        return {
            name: file.openstream(name).read()[first:].partition(b"\x3e\x02\x12\x00")[0]
            for name, first in (("WordDocument", 0x400), ("Workbook", 0x200))
            if file.exists(name)
        }


SEEN: dict[str, Callable[[bytes], object]] = {
    "docx": in_package,
    "xlsx": in_package,
    "pdf": in_pdf,
    "doc": in_streams,
    "xls": in_streams,
}


@pytest.mark.parametrize("kind", ["doc", "xls"])
def test_every_byte_of_a_text_counts(kind: str) -> None:
    body = _WHOLE[kind][0]
    text = "行政规范性文件".encode("utf-16-le")
    start = body.index(text)
    whole = digest_file(body)
    assert whole.rule == "ole/1"
    for place in range(start, start + len(text)):
        flipped = bytearray(body)
        flipped[place] ^= 1
        assert digest_file(bytes(flipped)) != whole


@given(
    st.dictionaries(st.text("abcXYZ123", min_size=1, max_size=8), st.binary(max_size=9000)),
    st.integers(0, 99),
)
@examples(max_examples=40, deadline=None)
def test_a_container_reads_as_olefile_reads_it(streams: dict[str, bytes], seed: int) -> None:
    streams = {name.upper(): data for name, data in streams.items()}
    body = compound_file(streams, Random(seed))
    with olefile.OleFileIO(body, raise_defects=olefile.DEFECT_INCORRECT) as file:
        others = {tuple(path): file.openstream(path).read() for path in file.listdir()}
    assert cfb.streams(body) == others == {(name,): data for name, data in streams.items()}


_MEASURE = """
from resource import RUSAGE_SELF, getrusage
from time import process_time
from crawler.documents.canonical import digest_file
from tests.noise import KINDS, ROWS, bombs, make

for kind in KINDS:
    digest_file(make(kind, ROWS, 1))
before = getrusage(RUSAGE_SELF).ru_maxrss
for name, body in bombs():
    begun = process_time()
    rule = digest_file(body).rule
    grown = (getrusage(RUSAGE_SELF).ru_maxrss - before) // 1024
    assert grown < 200 and process_time() - begun < 5, (name, grown)
    assert rule == "bytes/1" or name == "a long string", (name, rule)
"""


def test_no_bomb_takes_two_hundred_megabytes_or_five_seconds() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

"""`python -m bench.verify`: the speed of `archive verify` against `sha256sum` of the same files.

Synthetic archives, each of one kind of answer: attachments, which do not compress; pages that came
with `Content-Encoding: gzip`; pages that came plain, which take a fifth of their size in a WARC
file; unchanged pages, of which only heads are kept; and a mixture. Both sides read warm files,
taking turns, and ours the rows too; the ratio of the medians carries over to another machine.
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count

from bench.ground import empty_home, race
from storage.database import open_for_writing
from storage.evidence.seal import seal
from storage.evidence.verify import verify
from storage.settings import Settings
from tests.databases import Crawl, exchange

_WORDS = (
    "公开",
    "政府信息",
    "主动",
    "依申请",
    "办理",
    "结果",
    "行政",
    "机关",
    "街道",
    "年度",
    "报告",
)
_FILES = 8
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"


def page(chance: random.Random) -> bytes:
    """About 92 kB of HTML that compresses to a fifth, as portal pages do."""
    rows = (
        f'<tr class="row{n % 2}"><td style="width:{chance.randrange(999)}px">'
        f"{''.join(chance.choices(_WORDS, k=9))}</td><td>{chance.randrange(10**6)}</td></tr>"
        for n in range(600)
    )
    return f"<html><body><table>{''.join(rows)}</table></body></html>".encode()


def attachments(chance: random.Random, size: int) -> Iterator[bytes]:
    for _ in range(size // 300_000):
        yield chance.randbytes(300_000)


def gzipped(chance: random.Random, size: int) -> Iterator[bytes]:
    while size > 0:
        body = gzip.compress(page(chance), 6)
        size -= len(body)
        yield body


def plain(chance: random.Random, size: int) -> Iterator[bytes]:
    while size > 0:
        body = page(chance)
        size -= len(body) // 5
        yield body


def unchanged(_: random.Random, size: int) -> Iterator[bytes]:
    for _number in range(min(size // 1000, 30_000)):
        yield b"<html>the same page</html>"


def mixture(chance: random.Random, size: int) -> Iterator[bytes]:
    """By bytes: six tenths attachments, two pages gzipped, one plain, one unchanged."""
    yield from attachments(chance, size * 6 // 10)
    yield from gzipped(chance, size * 2 // 10)
    yield from plain(chance, size // 10)
    yield from unchanged(chance, size // 10)


KINDS = (attachments, gzipped, plain, unchanged, mixture)


def fill(settings: Settings, bodies: Iterator[bytes]) -> None:
    """Capture the answers in some runs, so in as many files, and seal."""
    engine = open_for_writing(settings)
    numbers = count()
    share = list(bodies)
    for n in range(_FILES):
        with Crawl(engine, settings.warc_directory) as crawl:
            for body in share[n::_FILES]:
                url = f"http://www.xjtsq.gov.cn/info/{next(numbers)}.htm"
                crawl.capture(exchange(body, url, head=_HEAD))
    seal(settings, datetime.now(UTC), crawl.run_id)
    engine.dispose()


def check(settings: Settings, *, quick: bool) -> None:
    verdict = verify(settings, quick=quick)
    assert verdict is not None
    assert verdict.sound, verdict.problems


def compare(settings: Settings, rounds: int) -> tuple[int, list[float]]:
    """Bytes of the files, and the median seconds of sha256sum, verify and verify --quick."""
    files = sorted(settings.warc_directory.iterdir())
    command = ["sha256sum", *map(str, files)]
    sides: tuple[Callable[[], object], ...] = (
        lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL),
        lambda: check(settings, quick=False),
        lambda: check(settings, quick=True),
    )
    return sum(file.stat().st_size for file in files), race(sides, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=300, help="of each archive, about")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kind", action="append", choices=[kind.__name__ for kind in KINDS])
    asked = parser.parse_args()
    # Nothing measured here depends on what survives a power cut, and making the archives would
    # take longer than measuring them.
    os.fsync = lambda fd: None
    for kind in KINDS:
        if asked.kind and kind.__name__ not in asked.kind:
            continue
        with empty_home(postgresql=False) as settings:
            size = asked.megabytes * 1_000_000
            fill(settings, kind(random.Random(7), size))
            total, (floor, full, quick) = compare(settings, asked.rounds)
        print(
            f"{kind.__name__:12} {total / 1e6:6.0f} MB: sha256sum {total / floor / 1e6:4.0f} MB/s, "
            f"verify {total / full / 1e6:4.0f} MB/s (ratio {floor / full:.2f}), "
            f"--quick {total / quick / 1e6:4.0f} MB/s (ratio {floor / quick:.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()

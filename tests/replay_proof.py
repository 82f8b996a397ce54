"""`python -m tests.replay_proof WARC_DIR`: other people's tools replay what the archive keeps.

cdxj-indexer indexes the WARC files, pywb serves them on loopback, and captures are asked for there:
every revisit, and a sample of the rest. Status and body must be those the archive gives. pywb gives
a 304 as the 304 it was; what it confirmed is then asked for where its record refers to. Then wacz
packs the files and validates the package. The tools get an environment of their own, for the time
of the proof: pywb is under the GPL and no part of this project.

Exit code 0: everything came back as it was captured. 1: something did not. 2: it could not start.
"""

from __future__ import annotations

import argparse
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from crawler.fetching.outcomes import REDIRECT_LOOP
from storage.capture.captures import recorded
from storage.capture.warc import read_record
from storage.database import open_for_reading
from storage.errors import StorageError
from storage.schema import attempts, captures, warc_files
from storage.settings import Settings

TOOLS = ("pywb==2.10.0", "cdxj-indexer==1.5.0", "wacz==0.6.0")
COLLECTION = "proof"
_PATIENCE = 60.0  # seconds for pywb to start, and for each of its answers
_SEED = 2008
_SHOWN = 20  # differences


@dataclass(frozen=True)
class Replayed:
    """One answer: as the archive has it, or as pywb gives it."""

    status: int
    body: bytes

    def __repr__(self) -> str:
        return f"{self.status} with {len(self.body)} bytes"


_NOT_MODIFIED = Replayed(304, b"")


@dataclass(frozen=True)
class Wanted:
    """Captures of one address in one second: an index of WARC files cannot tell them apart."""

    url: str
    second: str  # 20260131223000
    ids: tuple[int, ...]
    revisit: bool
    confirmed: tuple[int, ...]  # those of them that are a 304 which says a page is still good


class Tools:
    """pywb and its kin, installed into `folder`. Raises CalledProcessError where one fails."""

    def __init__(self, folder: Path) -> None:
        self._bin = folder.absolute() / "bin"
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        options = ("--disable-pip-version-check", "--quiet")
        pip: list[str | Path] = [self._bin / "python", "-m", "pip", "install", *options, *TOOLS]
        subprocess.run(pip, check=True, stdout=sys.stderr)

    def run(self, name: str, *arguments: str | Path, cwd: Path | None = None) -> None:
        # What they say goes beside our figures, not between them.
        subprocess.run([self._bin / name, *arguments], check=True, stdout=sys.stderr, cwd=cwd)

    def index(self, warcs: Sequence[Path], folder: Path) -> None:
        """A collection in `folder`, of WARC files that stay where they are."""
        collection = folder / "collections" / COLLECTION
        for part in ("archive", "indexes"):
            (collection / part).mkdir(parents=True)
        for path in warcs:
            (collection / "archive" / path.name).symlink_to(path.resolve())
        index = collection / "indexes" / "index.cdxj"
        self.run("cdxj-indexer", "--sort", "--output", index, *warcs)

    def unpack(self, packages: Sequence[Path], folder: Path) -> None:
        """A collection in `folder`, of WACZ files with the indexes they bring."""
        folder.mkdir()
        self.run("wb-manager", "init", COLLECTION, cwd=folder)
        self.run("wb-manager", "add", "--unpack-wacz", COLLECTION, *packages, cwd=folder)

    @contextmanager
    def pywb(self, folder: Path) -> Iterator[int]:
        """Serve the collection in `folder`; the port on loopback."""
        port = _free_port()
        command: list[str | Path] = [self._bin / "wayback", "-b", "127.0.0.1"]
        command += ["-p", str(port), "-d", folder]
        with (folder / "pywb.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                _wait_for(port, process)
                yield port
            finally:
                process.terminate()
                process.wait()


def wanted(engine: sa.Engine) -> list[Wanted]:
    """Every capture that pywb replays: it refuses redirects to themselves, to spare browsers."""
    c = captures.c
    query = (
        sa.select(c.id, c.url, c.fetched_at, c.status, c.revisit_of)
        .join(attempts, attempts.c.id == c.attempt_id)
        .where(attempts.c.outcome != REDIRECT_LOOP)
        .order_by(c.id)
    )
    groups: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
    with engine.connect() as connection:
        for row in connection.execute(query):
            groups[row.url, second_of(row.fetched_at)].append(row)
    return [
        Wanted(
            url,
            second,
            ids=tuple(row.id for row in rows),
            revisit=any(row.revisit_of for row in rows),
            confirmed=tuple(row.id for row in rows if row.revisit_of and row.status == 304),
        )
        for (url, second), rows in groups.items()
    ]


def sample(found: Sequence[Wanted], samples: int) -> list[Wanted]:
    """Every revisit; of the rest what is missing to `samples`, and half of that at least."""
    revisits = [one for one in found if one.revisit]
    rest = [one for one in found if not one.revisit]
    others = max(samples - len(revisits), samples // 2)
    return revisits + random.Random(_SEED).sample(rest, min(others, len(rest)))


def replay(port: int, url: str, second: str) -> Replayed:
    """What pywb gives for an address and a second, as it was captured (`id_`)."""
    asked = (
        # HTTP/1.0: the answer ends with the connection, whatever length a broken capture claims.
        f"GET /{COLLECTION}/{second}id_/{url} HTTP/1.0\r\nHost: 127.0.0.1\r\n"
        # pywb unpacks a body for a client that does not say it knows gzip.
        "Accept-Encoding: gzip, deflate, br\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as connection:
        connection.sendall(asked.encode("ascii"))
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return Replayed(int(head.split(maxsplit=2)[1]), body)


def archived(engine: sa.Engine, warcs: Path, capture_id: int) -> Replayed:
    """What a capture stands for."""
    head, body = recorded(engine, warcs, capture_id)
    return Replayed(int(head.split(maxsplit=2)[1]), body)


def referred_to(engine: sa.Engine, warcs: Path, capture_id: int) -> tuple[str, str]:
    """Address and second that the record of a revisit refers to."""
    query = (
        sa.select(warc_files.c.name, captures.c.warc_offset)
        .join(warc_files, warc_files.c.id == captures.c.warc_file_id)
        .where(captures.c.id == capture_id)
    )
    with engine.connect() as connection:
        row = connection.execute(query).one()
    headers, _, _ = read_record(warcs / row.name, row.warc_offset)
    date = datetime.fromisoformat(headers["WARC-Refers-To-Date"])
    return headers["WARC-Refers-To-Target-URI"], second_of(date)


def differences(
    engine: sa.Engine, warcs: Path, port: int, asked: Sequence[Wanted]
) -> Iterator[str]:
    """What came back otherwise than it was captured, in a line each."""
    for one in asked:
        kept = [
            _NOT_MODIFIED if number in one.confirmed else archived(engine, warcs, number)
            for number in one.ids
        ]
        given = [(replay(port, one.url, one.second), kept)]
        given += [
            (replay(port, *referred_to(engine, warcs, number)), [archived(engine, warcs, number)])
            for number in one.confirmed
        ]
        for replayed, captured in given:
            if replayed not in captured:
                yield f"{one.url} at {one.second}: {captured} was captured, {replayed} replayed"


def prove(engine: sa.Engine, warcs: Path, samples: int, folder: Path) -> bool:
    """Whether everything came back. Prints figures. Raises CalledProcessError, TimeoutError."""
    tools = Tools(folder / "tools")
    files = sorted(warcs.glob("*.warc.gz"))
    found = wanted(engine)
    asked = sample(found, samples)
    tools.index(files, folder)
    with tools.pywb(folder) as port:
        different = list(differences(engine, warcs, port, asked))
    for line in different[:_SHOWN]:
        print(line)
    revisits = sum(one.revisit for one in asked)
    confirmed = sum(len(one.confirmed) for one in asked)
    print(
        f"pywb: {len(asked)} of {len(found)} captures asked for, {revisits} of them revisits "
        f"({confirmed} by a 304); {len(different)} differ in status or body"
    )
    if len(asked) < samples:
        print(f"that is less than {samples}: crawl more, or ask for fewer with --samples")
    package = folder / "proof.wacz"
    tools.run("wacz", "create", "--output", package, *files)
    tools.run("wacz", "validate", "--file", package)
    print(f"wacz: a package of {len(files)} files and {package.stat().st_size} bytes is valid")
    return not different and len(asked) >= samples


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.replay_proof", description=__doc__)
    parser.add_argument("warcs", type=Path, metavar="WARC_DIR", help="an archive's folder `warc`")
    parser.add_argument("--samples", type=int, default=200, help="captures at least (default: 200)")
    options = parser.parse_args()
    try:
        engine = open_for_reading(Settings(home=options.warcs.parent))
    except StorageError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    if engine is None:
        print(f"no archive belongs to {options.warcs}: name its folder `warc`", file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory() as folder:
            return 0 if prove(engine, options.warcs, options.samples, Path(folder)) else 1
    except (subprocess.CalledProcessError, TimeoutError, StorageError) as error:
        print(f"the proof broke off: {error}", file=sys.stderr)
        return 1
    finally:
        engine.dispose()


def second_of(moment: datetime) -> str:
    return moment.strftime("%Y%m%d%H%M%S")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until pywb answers. Raises TimeoutError."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise TimeoutError("pywb did not start")


if __name__ == "__main__":
    sys.exit(main())

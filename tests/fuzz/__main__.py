"""Feed a reader broken files, and say what it did that no reader may do.

    python -m tests.fuzz KIND [--minutes N] [--seed N] [--keep FOLDER]

KIND is a module of crawler/documents, or "opening" for all of them. Seeds are reports rendered by
tests/rendering/KIND.py. A coverage-guided fuzzer was weighed and left: the readers' work is done
in libraries it does not see into, and it cannot look behind a zip's checksums.

Every input runs in one process with the others, which is what the archive does; it is written down
first, so that one which kills the process is known. A failure is: an exception that is no
Unreadable, more than ten seconds, more than 400 MB, the death of the process. The first input of
each failure is kept. Exit code 1 when there was one.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from itertools import chain
from pathlib import Path
from random import Random
from types import FrameType

from crawler.errors import Unreadable
from tests.fuzz.mutations import mutated
from tests.rendering import bundles
from tests.replica.report_model import Report
from tests.replica.reports import body_html, docx_bytes, flattened, generate, gold_report

SECONDS = 10
MEGABYTES = 400
DEAD_AFTER = 60  # a library that does not come back is ended with its process
ADDRESS_SPACE = 6 << 30


@dataclass
class Tally:
    """What a run did. `failures`: what went wrong → the file that holds the input."""

    executions: int = 0
    opened: int = 0
    slowest: float = 0.0
    slowest_size: int = 0
    peak_megabytes: int = 0
    failures: dict[str, str] = field(default_factory=dict)


class TooSlow(BaseException):
    """Raised inside a reader whose time is up; no reader catches it."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", metavar="KIND")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "gongkai-fuzz")
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    tally = run(options.kind, 60 * options.minutes, options.seed, options.keep)
    print(
        f"{options.kind}: {tally.executions} executions ({tally.opened} opened), "
        f"slowest {tally.slowest:.2f} s ({tally.slowest_size} bytes), "
        f"peak {tally.peak_megabytes} MB, {len(tally.failures)} failures"
    )
    for failure, path in tally.failures.items():
        print(f"  {failure}: {path}")
    return 1 if tally.failures else 0


def run(kind: str, seconds: float, seed: int, keep: Path) -> Tally:
    """Run for that long, in as many processes as it takes."""
    total = Tally()
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        current, said = Path(folder) / "input", Path(folder) / "tally"
        while (left := end - time.monotonic()) > 0:
            said.write_text(json.dumps(asdict(Tally())))
            child = os.fork()
            if not child:
                _work(kind, left, Random(f"{kind}/{seed}/{total.executions}"), current, said, keep)
            _, status = os.waitpid(child, 0)
            part = Tally(**json.loads(said.read_text()))
            if status and not current.exists():
                raise SystemExit(f"{kind}: its seeds could not be made, see above")
            if status:
                by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
                part.failures[f"the process died ({by})"] = str(
                    _kept(current.read_bytes(), kind, keep)
                )
            _add(total, part)
            if part.executions == 0 and status:
                break
    return total


def _add(total: Tally, part: Tally) -> None:
    total.executions += part.executions
    total.opened += part.opened
    if part.slowest > total.slowest:
        total.slowest, total.slowest_size = part.slowest, part.slowest_size
    total.peak_megabytes = max(total.peak_megabytes, part.peak_megabytes)
    total.failures = part.failures | total.failures


def _work(kind: str, seconds: float, rng: Random, current: Path, said: Path, keep: Path) -> None:
    """The inside of one process; never returns."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    read, seeds = reader(kind), seeds_of(kind)
    end = time.monotonic() + seconds
    tally = Tally()
    written = time.monotonic()
    for body in chain(seeds, iter(lambda: mutated(seeds, rng), None)):
        if time.monotonic() > end:
            break
        current.write_bytes(body)
        attempt(read, body, tally, kind, keep)
        if time.monotonic() - written > 0.5 or tally.executions % 50 == 0:
            written = time.monotonic()
            said.write_text(json.dumps(asdict(tally)))
    said.write_text(json.dumps(asdict(tally)))
    os._exit(0)


def attempt(
    read: Callable[[bytes], object], body: bytes, tally: Tally, kind: str, keep: Path
) -> None:
    """One input."""
    before = _peak()
    start = time.monotonic()
    failure = ""
    try:
        with _limited():
            read(body)
        tally.opened += 1
    except Unreadable:
        pass
    except TooSlow:
        failure = f"more than {SECONDS} s"
    except BaseException as error:  # noqa: BLE001  (a panic of a library is no Exception)
        failure = _where(error)
    took = time.monotonic() - start
    tally.executions += 1
    if took > tally.slowest:
        tally.slowest, tally.slowest_size = took, len(body)
    tally.peak_megabytes = max(tally.peak_megabytes, _peak())
    if not failure and _peak() - before > MEGABYTES:
        failure = f"more than {MEGABYTES} MB"
    if failure and failure not in tally.failures:
        tally.failures[failure] = str(_kept(body, kind, keep))


@contextmanager
def _limited() -> Iterator[None]:
    def late(_: int, __: FrameType | None) -> None:
        raise TooSlow

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    # A library that does not come back hears no signal: then the process ends.
    faulthandler.dump_traceback_later(DEAD_AFTER, exit=True)
    try:
        yield
    finally:
        signal.alarm(0)
        faulthandler.cancel_dump_traceback_later()


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    ours = next((f for f in reversed(frames) if "crawler" in f.filename), last)
    return f"{type(error).__name__} in {Path(ours.filename).name}:{ours.lineno} {ours.name}"


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def _kept(body: bytes, kind: str, keep: Path) -> Path:
    path = keep / f"{kind}-{hashlib.sha256(body).hexdigest()[:12]}"
    path.write_bytes(body)
    return path


def reader(kind: str) -> Callable[[bytes], object]:
    """What opens a file of this kind, whole."""
    module = import_module(f"crawler.documents.{kind}")
    if kind == "opening":
        return lambda body: module.open_file(body, "report")
    if hasattr(module, "members"):
        return lambda body: (module.is_mine(body), list(module.members(body)))
    if hasattr(module, "is_mine"):
        return lambda body: (module.is_mine(body), module.read(body))
    return module.read  # type: ignore[no-any-return]


def seeds_of(kind: str) -> list[bytes]:
    """Reports of both layouts, clean and with defects, as files of this kind."""
    reports = [
        gold_report("tianshan-2019"),
        gold_report("hangzhou-2025"),
        generate(1, "米东区教育局", 2023, "2021", ["blank", "merged_zero", "notes"]),
    ]
    if kind == "opening":
        kinds = ("bundle", "html", "text", *_rendered())
        return [seed for one in kinds for seed in seeds_of(one)[:2]]
    return [render(report) for render in _renderers(kind) for report in reports]


def _renderers(kind: str) -> list[Callable[[Report], bytes]]:
    if kind == "html":
        return [lambda report: body_html(report, "word").encode(),
                lambda report: body_html(report, "ueditor").encode("gb18030")]  # fmt: skip
    if kind == "text":
        return [lambda report: flattened(report).encode()]
    if kind == "bundle":
        return [
            lambda report: bundles.zipped({"报告.docx": docx_bytes(report)}, "gb18030"),
            lambda report: bundles.zipped({"a/b.zip": bundles.zipped({"x.txt": b"1"})}),
            lambda report: bundles.rar({"报告.html": body_html(report).encode()}),
        ]
    if kind == "image":
        return [lambda report: _scan(report, "png"), lambda report: _scan(report, "tiff")]
    render: Callable[[Report], bytes] = import_module(f"tests.rendering.{kind}").render
    return [render]


def _scan(report: Report, kind: str) -> bytes:
    """A piece of the second page, small enough to be recognised a hundred times a minute."""
    from tests.rendering import pdf, scan

    page = scan.pages(pdf.render(report), 72)[1]
    return scan.image_bytes([page[100:260, 60:400]], kind, 72)


def _rendered() -> list[str]:
    """The kinds that have a renderer of their own."""
    folder = Path(bundles.__file__).parent
    return sorted(
        path.stem for path in folder.glob("*.py") if "\ndef render(" in path.read_text("utf-8")
    )


if __name__ == "__main__":
    sys.exit(main())

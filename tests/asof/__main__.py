"""`python -m tests.asof`: 100 edits, every date between them, both bases, both databases.

Prints a table of counts; exit code 1 where any answer is not the history's own truth. It takes a
minute and a half of a core; `--part 1/4 --only SQLite` asks at every fourth date from the first on.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from storage.database import open_for_writing
from storage.settings import Settings
from tests.asof.proof import Proof, prove
from tests.databases import postgresql_server


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.asof", description=__doc__)
    parser.add_argument("--edits", type=int, default=100)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--part", metavar="K/N", default="1/1")
    parser.add_argument("--only", choices=("SQLite", "PostgreSQL"))
    asked = parser.parse_args()
    first, step = map(int, asked.part.split("/"))
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, postgresql_server() as url_of:
        here = Path(folder)
        for name, url in (
            ("SQLite", f"sqlite:///{here / 'archive.sqlite'}"),
            ("PostgreSQL", url_of("postgres")),
        ):
            if asked.only not in (None, name):
                continue
            engine = open_for_writing(Settings(home=here / name, database_url=url))
            proof = prove(engine, here / name, asked.edits, asked.seed, part=(first, step))
            engine.dispose()
            show(name, proof)
            wrong += len(proof.wrong)
    return 1 if wrong else 0


def show(name: str, proof: Proof) -> None:
    print(f"{name}: " + ", ".join(f"{n} {what}" for what, n in sorted(proof.acts.items())))
    for what, asked in sorted(proof.asked.items()):
        print(f"  {what:28} {asked:6} asked, {sum(w.startswith(what) for w in proof.wrong)} wrong")
    for line in proof.wrong[:10]:
        print(f"  {line}")
    print(f"  {proof.asked.total()} asked, {len(proof.wrong)} wrong", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())

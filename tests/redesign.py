"""A portal of the replica in another skin; and `python -m tests.redesign FILE`.

The command crawls two portals in January and in April, when one of them wears another skin, and
writes the page of the second run into FILE: docs/run-page.txt is made so. Synthetic throughout.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from datetime import date
from pathlib import Path
from unittest.mock import patch

from tests.crawling import Operator
from tests.replica import Replica, World
from tests.replica.dialects.ucap import Ucap
from tests.replica.model import Placed

SPIDER, RENEWED, OTHER = "urumqi_districts", "wulumuqixian", "tianshan"


def renewed(self: Ucap, placed: Placed, body: str) -> str:
    """Other parts, nested otherwise; no place that the dialect knows for a title."""
    title = placed.document.title
    return (
        f'<section class="wrap"><div class="doc-head"><div class="doc-title">{title}</div>'
        f'<div class="doc-tools"><div class="share"></div><div class="print"></div></div></div>'
        f'<section class="doc-main"><div class="doc-text">{body}</div></section></section>'
    )


def main(file: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="gongkai-redesign-"))
    try:
        _crawl(folder, World.base(date(2026, 1, 20)))
        with patch.object(Ucap, "headed", renewed):
            _crawl(folder, World.base(date(2026, 4, 1)))
        shutil.copyfile(folder / "runs" / "latest.txt", file)
    finally:
        shutil.rmtree(folder)


def _crawl(home: Path, world: World) -> None:
    with Replica(world) as replica:
        done = Operator(home, replica.url).crawl(SPIDER, portals=f"{RENEWED},{OTHER}")
        print(done.returncode, done.stderr.strip())


if __name__ == "__main__":
    main(Path(sys.argv[1]))

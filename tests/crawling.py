"""Run the shipped commands as a user would: in a process of their own, with an environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import forking

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent  # where this environment's `scrapy` and `archive` are


@dataclass(frozen=True)
class Operator:
    """Somebody with an environment. `home` is GONGKAI_HOME, `database_url` may be empty."""

    home: Path
    proxy: str = ""
    database_url: str = ""
    pace: str = "0.002"
    contact: str = "tests@localhost"
    python_path: Path | None = None  # code other than this checkout's

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        ours = {
            "GONGKAI_HOME": str(self.home),
            "GONGKAI_CONTACT": self.contact,
            "GONGKAI_DATABASE_URL": self.database_url,
            "GONGKAI_PACE": self.pace,
            "HTTP_PROXY": self.proxy,
            "PYTHONPATH": str(self.python_path or ""),
        }
        # Warnings are errors in what we start, too.
        return kept | {"PYTHONWARNINGS": "error"} | {n: v for n, v in ours.items() if v}

    def scrapy(
        self, *arguments: str, cwd: Path = ROOT, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return self._run("scrapy", *arguments, cwd=cwd, stdin=stdin)

    def archive(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run("archive", *arguments, cwd=ROOT)

    def ask(self, *arguments: str) -> Any:
        """The JSON that `archive … --json` prints; it must succeed."""
        done = self.archive(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def crawl(
        self, spider: str, *options: str, **arguments: str
    ) -> subprocess.CompletedProcess[str]:
        """`options` as on the command line, e.g. "-s", "DOWNLOAD_TIMEOUT=1"."""
        told = [part for name, value in arguments.items() for part in ("-a", f"{name}={value}")]
        return self.scrapy("crawl", spider, *options, *told)

    def _run(
        self, command: str, *arguments: str, cwd: Path, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        told: list[str | Path] = [BIN / command, *arguments]
        environment = self.environment()
        if self.python_path is None:
            return forking.run(told, cwd, environment, stdin)
        return subprocess.run(
            told,
            input=stdin,
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

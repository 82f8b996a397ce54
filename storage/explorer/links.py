"""The addresses of the pages: natural keys, so that they can be cited, and stay."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlencode


@dataclass(frozen=True, slots=True)
class Links:
    """`lang` is kept in every link where the reader's own address names it."""

    lang: str | None = None

    def to(self, *path: str | int, **asked: str | int | None) -> str:
        """`to("reports", "650102", "天山区教育局", 2019, version=3)`; None is left out."""
        query = {name: value for name, value in asked.items() if value is not None}
        if self.lang is not None:
            query.setdefault("lang", self.lang)
        text = "/" + "/".join([_quoted(part) for part in path])
        return f"{text}?{urlencode(query)}" if query else text

    def coverage(self, **asked: str | int | None) -> str:
        return self.to("coverage", **asked)

    def proof(self, division: str, organ: str, year: int, **asked: str | int | None) -> str:
        """Of a cell of the ledger."""
        return self.to("ledger", division, organ, year, **asked)

    def organ(self, division: str, organ: str, **asked: str | int | None) -> str:
        return self.to("organs", division, organ, **asked)

    def report(self, division: str, organ: str, year: int, **asked: str | int | None) -> str:
        return self.to("reports", division, organ, year, **asked)

    def cell(
        self, division: str, organ: str, year: int, path: str, **asked: str | int | None
    ) -> str:
        return self.to("cells", division, organ, year, path, **asked)

    def capture(self, capture_id: int) -> str:
        return self.to("captures", capture_id)

    def run(self, run_id: int) -> str:
        return self.to("runs", run_id)


@lru_cache(maxsize=4096)
def _quoted(part: str | int) -> str:
    """A page names the same few parts in hundreds of links."""
    return quote(str(part), safe="")

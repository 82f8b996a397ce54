"""The links of an answer: to other resources, to the page of the explorer, to the replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from storage.explorer.links import Links

# Where the explorer mounts the API.
BASE = "/api/v1"


@dataclass(frozen=True, slots=True)
class Ways:
    """Links that ask as of the same moment as the question did (`moment`); `asked` is all of it."""

    replay_origin: str = ""
    moment: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)

    def api(self, *path: str | int, **asked: str | int | None) -> str:
        """A resource of records."""
        return self.still(*path, **{**asked, **self.moment})

    def still(self, *path: str | int, **asked: str | int | None) -> str:
        """A resource that knows no moment."""
        query = {name: value for name, value in asked.items() if value is not None}
        text = BASE + "".join(f"/{quote(str(part), safe='')}" for part in path)
        return f"{text}?{urlencode(query)}" if query else text

    def page(self, *path: str | int, **asked: str | int | None) -> str:
        """A page of the explorer."""
        return Links().to(*path, **{**asked, **self.moment})

    def replay(self, capture_id: int | None) -> str | None:
        """How the page looked; None where no origin serves that."""
        if capture_id is None or not self.replay_origin:
            return None
        return f"{self.replay_origin}/captures/{capture_id}"

"""What it means for a listing that a request got no usable answer."""

from __future__ import annotations

from typing import Literal, NamedTuple

from crawler.items import Refused, Unusable
from crawler.words import Remark

_GONE = frozenset({404, 410})  # definite answers: the run is complete without these pages
_UNWELCOME = frozenset({401, 403, 412, 429, 468, 521})
_PASSED_ON = frozenset({"circuit_open"})  # the portal is left alone for what it did before


class Fate(NamedTuple):
    """`word`: how the request ended, as a report's alias keeps it."""

    verdict: Literal["blocked", "down", "gone", "not_asked"]
    word: str

    @property
    def why(self) -> Remark:
        """Why a listing was not read."""
        return Remark("listing.lost", {"outcome": self.word}) if self.word else UNMET


UNMET = Remark("listing.unmet")


def fate_of(error: BaseException, status: int | None, before: Fate | None) -> Fate:
    """The fate of a request; `before`: of the portal's last that was sent and failed."""
    if isinstance(error, Refused):
        if error.outcome in _PASSED_ON and before is not None:
            return Fate(before.verdict, error.outcome)
        return Fate("down" if error.outcome in _PASSED_ON else "not_asked", error.outcome)
    if isinstance(error, Unusable):
        verdict: Literal["blocked", "down", "gone"] = "down"
        if error.outcome == "soft_404":
            verdict = "gone"
        elif error.outcome == "blocked":
            verdict = "blocked"
        return Fate(verdict, error.outcome)
    if status is None:
        return Fate("down", type(error).__name__)
    word = f"http_{status}"
    if status in _GONE:
        return Fate("gone", word)
    return Fate("blocked" if status in _UNWELCOME else "down", word)

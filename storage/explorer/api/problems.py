"""What the API says when it cannot answer: RFC 9457, in English and Chinese, types that stay."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
# Of what was asked, as far as it is said again.
_LONGEST = 300
_RETRY_S = 5


class Problem(TypedDict):
    """Why there is no answer. `type` stays what it is whatever the words become; `parameter` names
    what is wrong with the question, and `near` what may have been meant.
    """

    type: str
    status: int
    title: str
    title_zh: str
    detail: str
    detail_zh: str
    cure: str
    cure_zh: str
    parameter: NotRequired[str]
    near: NotRequired[list[str]]


class Refusal(Exception):
    """Raised where a question cannot be answered; `kind` is a table of problems.toml."""

    def __init__(
        self,
        kind: str,
        *,
        parameter: str | None = None,
        near: Sequence[str] | None = None,
        headers: Mapping[str, str] | None = None,
        **facts: object,
    ) -> None:
        super().__init__(kind)
        self.kind, self.facts, self.headers = kind, facts, dict(headers or {})
        self.parameter, self.near = parameter, near

    @property
    def problem(self) -> Problem:
        """What is said of it."""
        words = kinds()[self.kind]
        near = {} if self.near is None else {"near": ", ".join(self.near) or "-"}
        facts = {**self.facts, **near}
        said = {
            name + suffix: words[name][lang].format_map(_in(lang, facts))
            for name in ("title", "detail", "cure")
            for lang, suffix in (("en", ""), ("zh", "_zh"))
        }
        told: dict[str, Any] = {"type": f"/api#{self.kind}", "status": words["status"], **said}
        if self.parameter is not None:
            told["parameter"] = self.parameter
        if self.near is not None:
            told["near"] = list(self.near)
        return cast(Problem, told)


def busy(kind: str) -> Refusal:
    """The archive cannot be asked just now."""
    return Refusal(kind, wait=_RETRY_S, headers={"Retry-After": str(_RETRY_S)})


def problem_response(refusal: Refusal) -> Response:
    """The answer that says it; no cache keeps it."""
    problem = refusal.problem
    return Response(
        json.dumps(problem, ensure_ascii=False).encode(),
        status_code=problem["status"],
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **refusal.headers},
    )


@cache
def kinds() -> Mapping[str, Mapping[str, Any]]:
    """Every kind of problem, by its name."""
    return tomllib.loads(Path(__file__).with_name("problems.toml").read_text("utf-8"))


def _in(lang: str, facts: Mapping[str, object]) -> dict[str, str]:
    """Facts of which some are said otherwise in each language."""
    return {
        name: _short(fact[lang] if isinstance(fact, Mapping) else fact)
        for name, fact in facts.items()
    }


def _short(fact: object) -> str:
    text = str(fact)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"

"""What every page of the explorer has: the archive, the words of both languages, the links."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlencode

import sqlalchemy as sa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from storage.explorer.links import Links
from storage.settings import Settings

Lang = Literal["zh", "en"]
Ask = Callable[[Request, sa.Connection], Response]

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Site:
    """The explorer of one archive; `replay` is the origin that shows archived pages."""

    engine: sa.Engine
    settings: Settings
    replay: str = ""
    templates: Environment = field(default_factory=lambda: _environment())

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """The archive, asked as of one moment: a page shows one state of it."""
        with self.engine.connect() as connection:
            yield connection

    def answer(self, ask: Ask) -> Callable[[Request], Response]:
        """An endpoint that asks the archive. A plain function: Starlette runs it in a thread."""

        def endpoint(request: Request) -> Response:
            with self.connection() as connection:
                return ask(request, connection)

        return endpoint

    def page(
        self, request: Request, template: str, *, status: int = 200, **told: Any
    ) -> HTMLResponse:
        """A page in the reader's language."""
        lang = language(request)
        context = {
            "lang": lang,
            "say": words(lang),
            "links": Links(request.query_params.get("lang")),
            "replay": self.replay,
            "other": other_language(request),
            "path": request.url.path,
            "asked": request.query_params,
            **told,
        }
        text = self.templates.get_template(template).render(context)
        headers = {"Content-Language": lang, "Vary": "Accept-Language"}
        return HTMLResponse(text, status_code=status, headers=headers)


def language(request: Request) -> Lang:
    """As the address says, else as the browser prefers; Chinese where neither says."""
    asked = request.query_params.get("lang")
    for lang in get_args(Lang):
        if asked == lang:
            return lang  # type: ignore[no-any-return]
    wanted = request.headers.get("accept-language", "").lower().split(",")
    for each in wanted:
        for lang in get_args(Lang):
            if each.strip().startswith(lang):
                return lang  # type: ignore[no-any-return]
    return "zh"


def other_language(request: Request) -> str:
    """The address of the same page in the other language."""
    other = "en" if language(request) == "zh" else "zh"
    kept = [(name, each) for name, each in request.query_params.multi_items() if name != "lang"]
    return f"{request.url.path}?{urlencode([*kept, ('lang', other)])}"


class Words(Mapping[str, "str | Words"]):
    """`say.coverage.title` in a template; a word that nobody wrote is an error, never silence."""

    def __init__(self, table: Mapping[str, Any], lang: Lang) -> None:
        self._table, self._lang = table, lang

    def __getitem__(self, name: str) -> str | Words:
        found = self._table[name]
        if "zh" in found and isinstance(found["zh"], str):
            return str(found[self._lang])
        return Words(found, self._lang)

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


@cache
def words(lang: Lang) -> Words:
    """Every word of the pages: one file of words/ a page, its stem the name."""
    files = sorted((HERE / "words").glob("*.toml"))
    return Words({file.stem: tomllib.loads(file.read_text("utf-8")) for file in files}, lang)


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

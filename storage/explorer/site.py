"""What every page of the explorer has: the archive, the words of both languages, the links."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args
from urllib.parse import quote, urlencode, urlsplit

import sqlalchemy as sa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from storage.asof import ZONE
from storage.explorer.asked import MOMENT, Unclear, word
from storage.explorer.links import Links
from storage.explorer.state import Kept, Watch
from storage.settings import Settings

Lang = Literal["zh", "en"]
Ask = Callable[[Request, sa.Connection], Response]
T = TypeVar("T")

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Site:
    """The explorer of one archive; `replay` is the origin that shows archived pages."""

    engine: sa.Engine
    settings: Settings
    watch: Watch
    replay: str = ""
    templates: Environment = field(default_factory=lambda: _environment())
    _kept: Kept = field(default_factory=Kept)

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """The archive, asked as of one moment: a page shows one state of it."""
        # Asked before the archive is: what was read before a withdrawal must not be kept as if it
        # had been read after it.
        state = self.watch.state()
        with self.engine.connect() as connection:
            connection = connection.execution_options(archive_state=state)
            if connection.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    def answer(
        self, ask: Ask, *, lasting: bool = True, dated: bool = False
    ) -> Callable[[Request], Response]:
        """An endpoint that asks the archive. A plain function: Starlette runs it in a thread.

        A browser that has the answer of this state of the archive is told so, and nothing is asked.
        `lasting`: the answer follows from the archive, the day and the question alone. `dated`: it
        can be asked as of a moment; others refuse that, for who asks would take today's for then's.
        """

        def endpoint(request: Request) -> Response:
            asked = (request.url.path, *request.query_params.values())
            if any("\0" in each or "%00" in each for each in asked):
                raise Unclear("character")
            for name in () if dated else MOMENT:
                if word(request, name) is not None:
                    raise Unclear("undated", name=name)
            tag = self._tag(request) if lasting else None
            if tag is not None and _has(request, tag):
                return _tagged(Response(status_code=304), tag)
            with self.connection() as connection:
                answer = ask(request, connection)
            if tag is None:
                answer.headers["Cache-Control"] = "no-store"
                return answer
            return _tagged(answer, tag)

        return endpoint

    def keep(self, connection: sa.Connection, question: Hashable, make: Callable[[], T]) -> T:
        """The answer to a costly question, kept while the archive and the day stay as they are.

        `connection` is that of `connection()`, on which `make` asks.
        """
        state = connection.get_execution_options()["archive_state"]
        return self._kept.get((state, question), make)

    def _tag(self, request: Request) -> str:
        asked = f"{request.url.path}?{request.url.query}"
        accepted = request.headers.get("accept", "") if "/api/" in asked else language(request)
        said = sha256(f"{self.watch.state()} {accepted} {asked}".encode()).hexdigest()
        return f'W/"{said[:24]}"'

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


def _has(request: Request, tag: str) -> bool:
    known = request.headers.get("if-none-match", "")
    return tag in (each.strip() for each in known.split(","))


def _tagged(answer: Response, tag: str) -> Response:
    """Kept by the browser, and asked about each time: a withdrawal counts at once."""
    answer.headers["ETag"] = tag
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Vary"] = "Accept-Language"
    return answer


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
    # Quoted, and of one slash at its beginning: a browser takes two for the name of a host.
    path = quote("/" + request.scope["path"].lstrip("/\\"))
    return f"{path}?{urlencode([*kept, ('lang', other)])}"


class Words(Mapping[str, "str | Words"]):
    """`say.coverage.title` in a template; a word that nobody wrote is an error, never silence."""

    def __init__(self, table: Mapping[str, Any], lang: Lang) -> None:
        self._table, self._lang = table, lang

    def __getitem__(self, name: str) -> str | Words:
        found = self._table[name]
        if isinstance(found, str):
            return found
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
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "moment": moment,
        "grouped": grouped,
        "outward": outward,
        "pairs": pairs,
        "named_divisions": named_divisions,
    }
    return environment


def pairs(values: Iterable[Any], said: Mapping[str, Any] | None = None) -> list[tuple[Any, str]]:
    """The options of a choice: each value with its word, or as it is."""
    return [(value, str(said[value]) if said else str(value)) for value in values]


def named_divisions(known: Iterable[Mapping[str, Any]], lang: Lang) -> list[tuple[str, str]]:
    """The options of a choice of divisions."""
    return [
        (each["division_code"], f"{each[f'name_{lang}']} ({each['division_code']})")
        for each in known
    ]


def moment(at: datetime | str) -> Markup:
    """A moment of the archive (with its zone; ISO or datetime) as a clock in China shows it.

    >>> moment("2020-03-06T06:38:00+00:00")
    Markup('<time datetime="2020-03-06T06:38:00+00:00">2020-03-06 14:38</time>')
    """
    known = datetime.fromisoformat(at) if isinstance(at, str) else at
    shown = known.astimezone(ZONE).strftime("%Y-%m-%d %H:%M")
    return Markup('<time datetime="{}">{}</time>').format(known.isoformat(), shown)


def grouped(number: float) -> str:
    """
    >>> grouped(100000)
    '100,000'
    """
    return f"{number:,}"


def outward(url: str) -> str:
    """An address of the web as the target of a link; nothing else becomes one.

    >>> outward("https://www.example.org/a"), outward("javascript:alert(1)")
    ('https://www.example.org/a', '')
    """
    try:
        return url if urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""

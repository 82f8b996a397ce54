"""How a resource is declared, once: routes, checks, answers and the OpenAPI document follow.

What an answer looks like is not declared at all: it is read from the TypedDict that the question
returns (shapes.py), which mypy holds against the code that builds it. A schema written beside it
would be a second truth, and nothing would say when the two part.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import sqlalchemy as sa

from storage.asof import AsOf
from storage.explorer.api.cursors import Key, Page, cut
from storage.explorer.api.problems import Refusal
from storage.explorer.api.ways import Ways
from storage.queries.organs import Organ, find_organ, organ_at
from storage.settings import Settings

Row: TypeAlias = Mapping[str, Any]
Link: TypeAlias = Callable[[Row, Ways], str | None]
# Of something within a row: the row, the thing.
InnerLink: TypeAlias = Callable[[Row, Row, Ways], str | None]
T = TypeVar("T", bound=Row)

_LARGEST = 2**31 - 1
# No control characters, which neither database nor file name takes; in a path no slash either.
TEXT = r"^[^\u0000-\u001f\u007f]+$"
SEGMENT = r"^[^/.\u0000-\u001f\u007f][^/\u0000-\u001f\u007f]*$"
DAY = r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])"
_WHOLE = re.compile(r"-?[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. `schema` (JSON Schema) is what the document says and what is checked.

    A parameter in a path is required, one with a `default` never is. A cursor has no example: it
    belongs to the answer before.
    """

    name: str
    schema: Mapping[str, Any]
    example: str | int | None
    required: bool = False
    default: str | int | None = None

    def read(self, text: str) -> str | int:
        """Its value. Raises Refusal."""
        schema = self.schema
        if schema["type"] == "integer":
            least, most = schema["minimum"], schema["maximum"]
            if _WHOLE.fullmatch(text) is None or not least <= int(text) <= most:
                raise self.refusal(text, "whole", least=least, most=most)
            return int(text)
        if "enum" in schema:
            if text not in schema["enum"]:
                raise self.refusal(text, "one_of", values=", ".join(schema["enum"]))
        elif len(text) > schema["maxLength"]:
            raise self.refusal(text, "longest", most=schema["maxLength"])
        elif re.fullmatch(schema["pattern"], text) is None:
            raise self.refusal(text, "pattern", pattern=schema["pattern"])
        return text

    def refusal(self, text: str, rule: str, **facts: object) -> Refusal:
        """That it cannot be this; `rule` is a sentence of words.toml."""
        said = {lang: said.format(**facts) for lang, said in words()["rules"][rule].items()}
        return Refusal(
            "invalid-parameter",
            parameter=self.name,
            name=self.name,
            value=repr(text),
            rule=said,
            example=self.example or "-",
        )


def whole(
    name: str,
    minimum: int,
    maximum: int,
    example: int,
    *,
    required: bool = False,
    default: int | None = None,
) -> Parameter:
    """A whole number."""
    schema = {"type": "integer", "minimum": minimum, "maximum": maximum}
    return Parameter(name, schema, example, required, default)


def number_of(name: str) -> Parameter:
    """The number of a row, in a path or a filter."""
    return whole(name, 1, _LARGEST, 1)


def text(
    name: str,
    example: str | None,
    *,
    pattern: str = TEXT,
    longest: int = 100,
    required: bool = False,
) -> Parameter:
    """A text; never an empty one."""
    schema = {"type": "string", "minLength": 1, "maxLength": longest, "pattern": pattern}
    return Parameter(name, schema, example, required)


def choice(
    name: str, values: Sequence[str], example: str = "", *, default: str | None = None
) -> Parameter:
    """One of some words."""
    schema = {"type": "string", "enum": list(values)}
    return Parameter(name, schema, example or values[0], False, default)


def moment(name: str, example: str = "2024-03-01", *, required: bool = False) -> Parameter:
    """A day, which means its end in China, or a moment with its time zone."""
    return text(name, example, pattern=f"^{DAY}(T{TIME})?$", longest=25, required=required)


CODE = r"^[0-9]{2,12}$"
CELL = r"^[A-Za-z0-9_]{1,60}(\.[A-Za-z0-9_]{1,60}){1,5}$"

DIVISION = text("division", "650102", pattern=CODE, longest=12)
ORGAN = text("organ", "乌鲁木齐市天山区人民政府")
YEAR = whole("year", 2000, 2099, 2020)
LIMIT = whole("limit", 1, 1000, 50, default=100)
CURSOR = text("cursor", None, pattern=r"^[A-Za-z0-9_-]+$", longest=2000)
AS_OF = moment("as_of")
BASIS = choice("basis", ("known", "published"), default="known")
# In paths.
ITS_CODE = text("division_code", "650102", pattern=CODE, longest=12)
ITS_ORGAN = text("organ", "乌鲁木齐市天山区人民政府", pattern=SEGMENT)
ITS_CELL = text("path", "applications.new_received.total", pattern=CELL, longest=200)
ITS_REPORT = (ITS_CODE, ITS_ORGAN, YEAR)


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asked, checked."""

    connection: sa.Connection
    settings: Settings
    values: Mapping[str, Any]
    as_of: AsOf | None
    after: Key | None

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)

    @property
    def limit(self) -> int:
        return int(self.values["limit"])

    @property
    def organ(self) -> Organ:
        """The organ of the path. Raises NotInArchive."""
        return organ_at(self.connection, self["division_code"], self["organ"])

    @property
    def organ_id(self) -> int | None:
        """Of the filters. Raises NotInArchive."""
        if self["organ"] is None:
            return None
        if self["division"] is None:
            return find_organ(self.connection, self["organ"]).id
        return organ_at(self.connection, self["division"], self["organ"]).id

    def page(self, rows: Sequence[Row], *key: str) -> Page:
        """A page of rows that came all at once, in the order of these fields."""
        return self.ordered(rows, lambda row: tuple(row[name] for name in key))

    def ordered(self, rows: Sequence[T], key: Callable[[T], Key]) -> Page:
        """A page of rows that came all at once, in the order of a key made of each."""
        return Page(*cut(rows, key, self.after, self.limit))

    def fetched(self, rows: Sequence[Row], *key: str) -> Page:
        """A page of rows of which one more than `limit` was asked for, in the order of `key`."""
        page = rows[: self.limit]
        more = len(rows) > self.limit
        return Page(page, tuple(page[-1][name] for name in key) if more else None)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One resource. `key` names it in words.toml; `shape` is what `ask` returns, or a list of which
    `ask` returns a page, where `cursor` gives the types of the keys it is in the order of.

    `links` lead from each row to its evidence, those of `inner` from what lies in a field of it.
    `records`: it answers as of a moment.
    """

    key: str
    path: str
    shape: Any
    ask: Callable[[Question], Any]
    parameters: tuple[Parameter, ...] = ()
    links: Mapping[str, Link] = field(default_factory=dict)
    inner: Mapping[str, Mapping[str, InnerLink]] = field(default_factory=dict)
    cursor: tuple[type, ...] = ()
    records: bool = True

    @cached_property
    def in_path(self) -> frozenset[str]:
        return frozenset(re.findall(r"{(\w+)}", self.path))

    @cached_property
    def every(self) -> Mapping[str, Parameter]:
        """Its parameters by name, with those that all of its kind have."""
        mine = [*self.parameters]
        mine += [AS_OF, BASIS] if self.records else []
        mine = [*([LIMIT, CURSOR] if self.cursor else []), *mine]
        return {each.name: each for each in mine}


@cache
def words() -> Mapping[str, Any]:
    """What the document says of resources and parameters, in English and Chinese."""
    return tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))

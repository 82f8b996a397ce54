"""Which questions can be asked of the archive, in English and Chinese, and what does each take?

A question is found by standing in storage/queries: the function of a module's own name answers the
docstring of the module. storage/questions.toml says it in Chinese, and names the function where it
has another name. What it takes is the function's signature, in the words of TAKES.
"""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import sqlalchemy as sa

from storage import queries
from storage.asof import AsOf, moment
from storage.care.leaving import MARK
from storage.errors import BadQuestion
from storage.queries.organs import find_organ

# Parameter of a question → what the person who asks calls it.
TAKES: Mapping[str, str] = {
    "organ": "organ",
    "organ_id": "organ",
    "year": "year",
    "cell": "cell",
    "words": "words",
    "column": "column",
    "division": "division",
    "kind": "kind",
    "rule": "rule",
    "state": "state",
    "by": "by",
    "at": "at",
    "since": "since",
    "until": "until",
    "limit": "limit",
    "as_of": "as-of",
}


@dataclass(frozen=True, slots=True)
class Question:
    """`needs` and `may` are what it takes, as the person who asks calls it."""

    name: str
    en: str
    zh: str
    needs: tuple[str, ...]
    may: tuple[str, ...]
    answer: Callable[..., Any]


def questions() -> list[Question]:
    """All that can be asked in words, in the order of questions.toml, others after them."""
    return [each for name in _named() if (each := _question(name)) is not None]


def find_question(name: str) -> Question:
    """The question of this name. Raises BadQuestion, with the near ones."""
    asked = {each.name: each for each in questions()}
    if name in asked:
        return asked[name]
    near = get_close_matches(name, asked, n=3, cutoff=0.4)
    cure = f"did you mean {', '.join(near)}?" if near else "`archive ask` lists them"
    raise BadQuestion(f"no question {name}: {cure}")


def put(
    connection: sa.Connection,
    question: Question,
    given: Mapping[str, str | int],
    as_of: AsOf | None = None,
) -> Any:
    """The answer. `given` is by the words of TAKES; `at` is today where it is not given.

    Raises BadQuestion for what the question does not take or lacks, and what it raises itself.
    """
    takes = (*question.needs, *question.may)
    asked = [*given, *(["as-of"] if as_of is not None else [])]
    for word in asked:
        if word not in takes:
            told = ", ".join(f"--{each}" for each in takes) or "nothing"
            raise BadQuestion(f"{question.name} takes no --{word}; it takes {told}")
    lacking = [word for word in question.needs if word not in given and word != "at"]
    if lacking:
        raise BadQuestion(f"{question.name} needs --{', --'.join(lacking)}: {question.en}")
    words: dict[str, Any] = {}
    for parameter in inspect.signature(question.answer).parameters:
        word = TAKES.get(parameter, "")
        if parameter == "at":
            words["at"] = moment(str(given["at"])) if "at" in given else datetime.now(UTC)
        elif parameter == "as_of":
            words["as_of"] = as_of
        elif word in given:
            words[parameter] = _parsed(connection, parameter, given[word])
    return question.answer(connection, **words)


def _parsed(connection: sa.Connection, parameter: str, said: str | int) -> Any:
    if parameter in ("since", "until"):
        return moment(str(said))
    if parameter in ("organ", "organ_id"):
        organ = find_organ(connection, str(said))
        return organ if parameter == "organ" else organ.id
    return said


@cache
def _told() -> Mapping[str, Mapping[str, str]]:
    """The Chinese of the questions, by name."""
    text = Path(__file__).with_name("questions.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _named() -> list[str]:
    """The modules that stand there, and what is answered elsewhere, as questions.toml says."""
    there = {module.name for module in iter_modules(queries.__path__)}
    elsewhere = {name for name, told in _told().items() if "answers" in told}
    return [*(name for name in _told() if name in there | elsewhere), *sorted(there - {*_told()})]


def _question(name: str) -> Question | None:
    """The question of a module; None where that only serves others, or cannot be asked in words."""
    told = _told().get(name, {})
    place, _, function = told.get("answers", f"storage.queries.{name}:{name}").partition(":")
    module = import_module(place)
    answer = getattr(module, function, None)
    if not inspect.isfunction(answer) or not hasattr(answer, MARK):
        return None
    parameters = [*inspect.signature(answer).parameters.values()][1:]
    needed = [each for each in parameters if each.default is inspect.Parameter.empty]
    if not all(each.name in TAKES for each in needed):
        return None
    needs = {TAKES[each.name]: None for each in needed if each.name != "at"}
    takes = {TAKES[each.name]: None for each in parameters if each.name in TAKES}
    return Question(
        name=name,
        en=(module.__doc__ or "").partition("\n")[0],
        zh=told.get("zh", ""),
        needs=tuple(needs),
        may=tuple(word for word in takes if word not in needs),
        answer=answer,
    )

"""From a request to an answer: every resource is asked in the same way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.asof import AsOf
from storage.care.personal import masked
from storage.errors import BadQuestion, DatabaseError, NotInArchive, StorageError, Withdrawn
from storage.explorer.api.access import Access, Gate
from storage.explorer.api.answers import check_accept, json_response
from storage.explorer.api.cursors import Key, read_cursor, write_cursor
from storage.explorer.api.declare import AS_OF, Endpoint, Parameter, Question
from storage.explorer.api.openapi import document
from storage.explorer.api.problems import Refusal, busy, problem_response
from storage.explorer.api.resources import endpoints
from storage.explorer.api.ways import BASE, Ways
from storage.settings import Settings

METHODS = ("GET", "HEAD", "OPTIONS")


def make_api(
    engine: sa.Engine, settings: Settings, *, replay: str = "", access: Access | None = None
) -> Starlette:
    """The API on an archive opened for reading, to be mounted at /api/v1.

    `replay` is the origin that shows archived pages, if there is one. Raises SettingsError.
    """
    access = access or Access()
    served = document(endpoints(), needs_token=access.token is not None)

    paths = {each.key: f"{BASE}{each.path}" for each in endpoints()}
    answers: dict[str, Answer] = {
        "/": _constant({"links": {"openapi": f"{BASE}/openapi.json"} | paths}),
        "/openapi.json": _constant(served),
        **{each.path: partial(_prepare, engine, settings, replay, each) for each in endpoints()},
    }
    api = Starlette(
        routes=[Route(path, _guarded(answer), methods=METHODS) for path, answer in answers.items()],
        middleware=[Middleware(Gate, access=access)],
        exception_handlers={
            HTTPException: partial(_unrouted, list(answers)),
            Refusal: lambda _request, error: problem_response(error),
            Exception: lambda _request, _error: problem_response(Refusal("server-error")),
        },
    )
    # An answer elsewhere would name the host that the client made up.
    api.router.redirect_slashes = False
    return api


# A request checked, and what is left to do, which may take its time.
Answer: TypeAlias = Callable[[Request], Callable[[], Response]]


def _guarded(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """What is wrong with a question is said at once; the archive is asked in a thread."""

    async def endpoint(request: Request) -> Response:
        if request.method == "OPTIONS":
            return _options()
        check_accept(request)
        return await run_in_threadpool(_explained, request, answer(request))

    return endpoint


def _explained(request: Request, ask: Callable[[], Response]) -> Response:
    asked = request.url.path
    try:
        return ask()
    except Withdrawn as error:
        raise Refusal("withdrawn", said=masked(str(error)), asked=asked) from error
    except NotInArchive as error:
        raise Refusal("not-found", said=masked(str(error)), asked=asked) from error
    except BadQuestion as error:
        raise Refusal("bad-question", said=masked(str(error))) from error
    except (DBAPIError, NoConnection, DatabaseError) as error:
        raise busy("database-unavailable") from error
    except (StorageError, OSError) as error:
        raise busy("storage-unavailable") from error


def _constant(body: Mapping[str, Any]) -> Answer:
    def prepared(request: Request) -> Callable[[], Response]:
        _check_names(request, {})
        return partial(json_response, request, body, {})

    return prepared


def _options() -> Response:
    methods = ", ".join(METHODS)
    return Response(
        status_code=204,
        headers={
            "Allow": methods,
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": "Accept, Authorization, If-None-Match",
            "Access-Control-Max-Age": "86400",
        },
    )


def _prepare(
    engine: sa.Engine, settings: Settings, replay: str, endpoint: Endpoint, request: Request
) -> Callable[[], Response]:
    values = _values(endpoint, request)
    asked = _moment(values)
    # What was asked but the page: to this question a cursor belongs.
    whole = str([endpoint.key, sorted((k, v) for k, v in values.items() if k not in _PAGING)])
    after = _after(endpoint, values, whole)

    def ask() -> Response:
        with engine.connect() as connection:
            told = endpoint.ask(Question(connection, settings, values, asked, after))
        moment = {name: values[name] for name in ("as_of", "basis")} if asked else {}
        body, links = _body(endpoint, values, whole, told, Ways(replay, moment, values))
        if endpoint.records:
            body["as_of"] = None if asked is None else asked.at.isoformat()
            body["basis"] = values["basis"]
        return json_response(request, body, links)

    return ask


def _body(
    endpoint: Endpoint, values: Mapping[str, Any], question: str, told: Any, ways: Ways
) -> tuple[dict[str, Any], dict[str, str]]:
    """What is answered, and the links of the header."""
    links = {"self": _self(endpoint, values, {})}
    if not endpoint.cursor:
        return {"data": _linked(endpoint, told, ways), "links": dict(links)}, links
    body = {"data": [_linked(endpoint, row, ways) for row in told.rows], "links": dict(links)}
    if told.after is not None:
        cursor = write_cursor(question, told.after)
        links["next"] = _self(endpoint, values, {"cursor": cursor})
    return {**body, "next": links.get("next")}, links


_PAGING = ("limit", "cursor")


def _after(endpoint: Endpoint, values: Mapping[str, Any], question: str) -> Key | None:
    if "cursor" not in values:
        return None
    return read_cursor(question, values["cursor"], endpoint.cursor)


def _moment(values: Mapping[str, Any]) -> AsOf | None:
    """As of when; None where the question has no moment, or is of now."""
    if "as_of" not in values:
        return None
    try:
        return AsOf.parse(values["as_of"], values["basis"])
    except BadQuestion as error:
        raise AS_OF.refusal(values["as_of"], "moment") from error


def _values(endpoint: Endpoint, request: Request) -> dict[str, Any]:
    """Every parameter that has a value, checked. Raises Refusal."""
    known = endpoint.every
    _check_names(request, {n: p for n, p in known.items() if n not in endpoint.in_path})
    given = {**dict(request.query_params), **request.path_params}
    values: dict[str, Any] = {}
    for name, parameter in known.items():
        if name in given:
            values[name] = parameter.read(given[name])
        elif parameter.required:
            raise Refusal("missing-parameter", parameter=name, name=name, example=parameter.example)
        elif parameter.default is not None:
            values[name] = parameter.default
    return values


def _check_names(request: Request, known: Mapping[str, Parameter]) -> None:
    for name in request.query_params:
        if name not in known:
            near = get_close_matches(name, known, n=3, cutoff=0.5) or sorted(known)
            raise Refusal("unknown-parameter", parameter=name[:100], name=name, near=near)
        if (count := len(request.query_params.getlist(name))) > 1:
            raise Refusal("repeated-parameter", parameter=name, name=name, count=count)


def _self(endpoint: Endpoint, values: Mapping[str, Any], more: Mapping[str, Any]) -> str:
    """The address of this question, in one spelling."""
    path = [
        values[part[1:-1]] if part.startswith("{") else part
        for part in endpoint.path.strip("/").split("/")
    ]
    asked = {
        name: value
        for name, value in {**values, **more}.items()
        if name not in endpoint.in_path and value != endpoint.every[name].default
    }
    return Ways().still(*path, **asked)


def _linked(endpoint: Endpoint, row: Mapping[str, Any], ways: Ways) -> dict[str, Any]:
    told = dict(row)
    for name, links in endpoint.inner.items():
        told[name] = [
            {**each, "links": {rel: link(row, each, ways) for rel, link in links.items()}}
            for each in row[name]
        ]
    told["links"] = {rel: link(row, ways) for rel, link in endpoint.links.items()}
    return told


def _unrouted(paths: Sequence[str], request: Request, error: Exception) -> Response:
    """No such path, or not in this way."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        headers = {"Allow": ", ".join(METHODS)}
        return problem_response(
            Refusal("method-not-allowed", method=request.method, headers=headers)
        )
    asked = request.url.path
    near = get_close_matches(asked, [BASE + path for path in paths], n=3, cutoff=0.3)
    return problem_response(Refusal("unknown-path", asked=asked, near=near))

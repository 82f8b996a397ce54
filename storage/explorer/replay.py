"""Archived pages as they looked, from an origin of their own: another port, no cookie, no script.

`/captures/{id}` is a page of ours: a bar that says what is looked at, and the archived page in a
frame. The frame's answer carries a sandboxing policy; docs/replay.md says what each part is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from html import escape
from typing import Any, Literal
from urllib.parse import quote

import sqlalchemy as sa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from storage.capture.captures import recorded
from storage.care.leaving import shown
from storage.care.personal import masked
from storage.care.withdrawals import withdrawn_addresses
from storage.errors import DatabaseError, NotInArchive, StorageError, WarcNotReadable, Withdrawn
from storage.explorer import archived, downloads
from storage.explorer.guard import Guard
from storage.explorer.site import HERE, language, moment, words
from storage.queries.bytes import Door, body_of, look_into
from storage.queries.captures import CaptureView, captured, nearest_capture
from storage.settings import Settings

# Of an archived page: nothing runs, nothing is sent, nothing comes but pictures and styles of the
# archive. A link leaves the frame when somebody clicks it, and leads into the archive again. It may
# stand in a frame of ours and of the explorer's, whose origin fills the gap.
PAGE_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self' 'unsafe-inline'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'self' {}; sandbox allow-top-navigation-by-user-activation"
)
# Of our own page around it, in which nothing archived stands but as text.
FRAME_POLICY = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# Of all else: pictures, style sheets, downloads, refusals.
BARE_POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'self' {}; sandbox"

_FEATURES = """
accelerometer autoplay bluetooth camera clipboard-read clipboard-write display-capture fullscreen
geolocation gyroscope hid local-fonts magnetometer microphone midi payment serial usb web-share
"""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _FEATURES.split()),
    "X-DNS-Prefetch-Control": "off",
    "X-Robots-Tag": "noindex, nofollow",
    # What is withdrawn tomorrow lies in no cache.
    "Cache-Control": "no-store",
}
# A sandboxed page has no origin, so that its own pictures and styles come from another.
_PART = {"Cross-Origin-Resource-Policy": "cross-origin"}
_STATUS: dict[type[Exception], int] = {
    Withdrawn: 410,
    NotInArchive: 404,
    WarcNotReadable: 503,
    DatabaseError: 503,
    DBAPIError: 503,
    NoConnection: 503,
}

# A number of fewer digits is an integer of both databases.
_DIGITS = 10

Kind = Literal["page", "image", "text", "file", "nothing"]


@dataclass(frozen=True, slots=True)
class Held:
    """A capture that may be shown, with its content (unpacked; None where it is too large or
    packed in an unknown way) and what that is.
    """

    view: CaptureView
    body: bytes | None
    kind: Kind

    @property
    def url(self) -> str:
        return self.view["url"] or ""

    @property
    def name(self) -> str:
        """The name of the file as the archive knows it, else as its address does; safe."""
        report = self.view["report"]
        return downloads.safe_name((report and report["name"]) or downloads.name_in(self.url))


def make_replay(
    engine: sa.Engine,
    settings: Settings,
    *,
    explorer: str = "",
    page: Callable[[str, archived.Place], str] = archived.harmless_page,
    policy: str = PAGE_POLICY,
) -> Starlette:
    """The application on an archive opened for reading; `explorer`: the origin that explains what
    is shown here. `page` and `policy` are replaced by the proof that it can fail, and by nobody.
    """
    replay = _Replay(engine, settings, explorer, page, policy)

    def refused(request: Request, error: Exception) -> Response:
        found = (status for kind, status in _STATUS.items() if isinstance(error, kind))
        # What a driver says of a database is nothing for readers.
        sentence = str(error) if isinstance(error, StorageError) else ""
        return replay.told(request, next(found, 400), masked(sentence))

    def unknown(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        answer = replay.told(request, status, "")
        if isinstance(error, HTTPException) and error.headers:
            answer.headers.update(error.headers)
        return answer

    def broken(request: Request, _error: Exception) -> Response:
        # Starlette says this outside of what guards the other answers.
        answer = replay.told(request, 500, "")
        answer.headers.update(headers)
        return answer

    headers = {"Content-Security-Policy": BARE_POLICY.format(explorer), **_HEADERS}
    app = Starlette(
        routes=[
            Route("/captures/{id}", replay.frame),
            Route("/captures/{id}/page", replay.page),
            Route("/captures/{id}/image", replay.image),
            Route("/captures/{id}/file", replay.file),
            Route("/nearest/{id}", replay.nearest),
            Route("/image/{id}", replay.image_at),
            Route("/style/{id}", replay.style_at),
            Route("/replay.css", _style),
        ],
        exception_handlers={
            **dict.fromkeys((StorageError, DBAPIError, NoConnection), refused),
            HTTPException: unknown,
            Exception: broken,
        },
        middleware=[Middleware(Guard, headers=headers)],
    )
    # It would name the host that a client made up.
    app.router.redirect_slashes = False
    return app


@dataclass(frozen=True, slots=True)
class _Replay:
    """Plain functions as endpoints: Starlette runs them in threads."""

    engine: sa.Engine
    settings: Settings
    explorer: str
    harmless: Callable[[str, archived.Place], str]
    policy: str

    def told(self, request: Request, status: int, sentence: str, **more: Any) -> Response:
        """A plain page that says why there is nothing to see."""
        context = {"sentence": sentence, "code": status, "url": "", "numbers": False}
        return self._say(request, "replay_told.html.jinja", status, context | more)

    def _say(
        self, request: Request, template: str, status: int, told: Mapping[str, Any]
    ) -> Response:
        lang = language(request)
        text = (
            _templates()
            .get_template(template)
            .render(lang=lang, say=words(lang), explorer=self.explorer, **told)
        )
        return HTMLResponse(text, status_code=status, headers={"Content-Language": lang})

    def frame(self, request: Request) -> Response:
        held = self._held(_number(request))
        leads = None
        if held.view["status"] is not None and 300 <= held.view["status"] < 400:
            leads = self._leads_to(held)
        told: dict[str, Any] = {
            "view": held.view,
            "kind": held.kind,
            "name": held.name,
            "leads": leads,
        }
        told["numbers"] = held.kind in ("file", "image") and self._numbers(held)
        answer = self._say(request, "replay.html.jinja", 200, told)
        answer.headers["Content-Security-Policy"] = FRAME_POLICY
        # Not beside a sandbox: a browser refuses to open a page that has both.
        answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return answer

    def page(self, request: Request) -> Response:
        held = self._held(_number(request))
        if held.body is None or held.kind in ("file", "nothing"):
            raise NotInArchive(f"capture {held.view['id']} holds no page")
        with self.engine.connect() as connection:
            hidden = withdrawn_addresses(connection)
        if held.kind == "page":
            text = archived.text_of(held.body, held.view["content_type"])
            html = self.harmless(text, self._place(held, hidden))
        elif held.kind == "image":
            source = f"/captures/{held.view['id']}/image"
            html = f'<!DOCTYPE html><title></title><img src="{source}" alt="">'
        else:
            with self.engine.connect() as connection:
                text = shown(connection, archived.text_of(held.body, held.view["content_type"]))
            html = f"<!DOCTYPE html><title></title><pre>{escape(text)}</pre>"
        headers = {"Content-Security-Policy": self.policy.format(self.explorer)}
        return Response(html, media_type="text/html; charset=utf-8", headers=headers)

    def image(self, request: Request) -> Response:
        return self._image(self._held(_number(request)))

    def image_at(self, request: Request) -> Response:
        return self._image(self._held(self._nearest(request)))

    def style_at(self, request: Request) -> Response:
        held = self._held(self._nearest(request))
        if held.kind != "text" or held.body is None:
            raise NotInArchive("there is no style sheet")
        text = archived.text_of(held.body, held.view["content_type"])
        with self.engine.connect() as connection:
            hidden = withdrawn_addresses(connection)
        css = archived.harmless_style(text, self._place(held, hidden))
        return Response(css, media_type="text/css; charset=utf-8", headers=_PART)

    def file(self, request: Request) -> Response:
        held = self._held(_number(request))
        if held.body is None or held.kind not in ("file", "image"):
            raise NotInArchive(f"capture {held.view['id']} holds no file")
        if self._numbers(held):
            return self.told(request, 403, "", numbers=True)
        headers = {"Content-Disposition": downloads.disposition(held.name)}
        kind = downloads.file_type(held.name, held.body)
        return Response(held.body, headers={"Content-Type": kind, **headers})

    def nearest(self, request: Request) -> Response:
        try:
            return RedirectResponse(f"/captures/{self._nearest(request)}", 303)
        except NotInArchive:
            url = masked(request.query_params.get("url", ""))
            return self.told(request, 404, "", url=url)

    def _nearest(self, request: Request) -> int:
        """The capture of an address, near to the one that leads there; nothing hidden."""
        url = request.query_params.get("url", "")
        with self.engine.connect() as connection:
            view = captured(connection, self.settings, _number(request))
            near = view["fetched_at"]
            if near is None:
                raise Withdrawn(view["withdrawn"] or "")
            found = nearest_capture(connection, url=url, near=datetime.fromisoformat(near))
        if found is None:
            raise NotInArchive("this address is not in the archive")
        return found

    def _held(self, capture_id: int) -> Held:
        """Raises NotInArchive, Withdrawn, or WarcNotReadable."""
        with self.engine.connect() as connection:
            view = captured(connection, self.settings, capture_id)
        if view["withdrawn"] is not None:
            raise Withdrawn(view["withdrawn"])
        if view["error"] is not None:
            raise WarcNotReadable(view["error"])
        directory = self.settings.warc_directory
        try:
            head, raw = recorded(self.engine, directory, capture_id)
        except WarcNotReadable as error:
            message = str(error).replace(f"{directory}/", "")
            raise WarcNotReadable(message) from error
        body = body_of(head, raw)
        return Held(view, body, _kind(body, view["content_type"]))

    def _image(self, held: Held) -> Response:
        kind = downloads.image_type(held.body or b"")
        if kind is None or held.body is None or self._numbers(held):
            raise NotInArchive("there is no picture that may be shown")
        return Response(held.body, headers={"Content-Type": kind, **_PART})

    def _numbers(self, held: Held) -> bool:
        """Whether numbers of persons keep a file here. What nobody could look into is shown."""
        with self.engine.connect() as connection:
            why = Door(connection).why_not(held.view["id"], lambda: look_into(held.body))
        return why == "personal"

    def _leads_to(self, held: Held) -> str | None:
        """The replay's address of what a redirect leads to."""
        headers = held.view["response_headers"]
        told = next((value for name, value in headers if name.lower() == "location"), "")
        place = self._place(held, {})
        asked = place.absolute(told) if told else None
        return place.page(asked) if asked else None

    def _place(self, held: Held, hidden: Mapping[str, str]) -> archived.Place:
        def leading(kind: str) -> Callable[[str], str]:
            return lambda url: f"/{kind}/{held.view['id']}?url={quote(url, safe='')}"

        return archived.Place(
            held.url, leading("nearest"), leading("image"), leading("style"), hidden
        )


def _number(request: Request) -> int:
    """The number of the capture that the path names. Raises NotInArchive."""
    said = request.path_params["id"]
    if not (said.isascii() and said.isdigit() and len(said) < _DIGITS):
        raise NotInArchive("there is no such capture")
    return int(said)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["moment"] = moment
    return environment


def _kind(body: bytes | None, content_type: str | None) -> Kind:
    """What the bytes are, by themselves first: what a server says of a file is often wrong."""
    if not body:
        return "nothing"
    if downloads.image_type(body):
        return "image"
    if downloads.is_file(body):
        return "file"
    said = (content_type or "").lower()
    # The first of it tells a page, whatever it is called.
    begins = archived.text_of(body[:4096], content_type).lower()
    if "html" in said or any(f"<{tag}" in begins for tag in ("html", "head", "body", "!doctype h")):
        return "page" if len(body) <= archived.LONGEST_PAGE else "nothing"
    if said.startswith(("text/", "application/json", "application/xml", "application/javascript")):
        return "text" if len(body) <= archived.LONGEST_PAGE else "nothing"
    return "file"


def _style(_request: Request) -> Response:
    css = (HERE / "static" / "replay.css").read_bytes()
    return Response(css, media_type="text/css; charset=utf-8", headers=_PART)

"""A real browser for tests: the distribution's chromium, told to talk to nobody but loopback.

`chromium` is a fixture: `from tests.browsing import chromium` in the test module. It gives pages of
a fresh profile and fails the test when any of them asked for something that is not on loopback.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import BrowserContext, Page, Request, sync_playwright
from starlette.types import ASGIApp

EXECUTABLE = Path("/usr/bin/chromium")
MISSING = f"no browser: {EXECUTABLE} is not installed (Debian: `apt install chromium`)"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# Without a host: made by the page out of itself, nothing goes over a wire.
_WITHIN = {"about", "blob", "data"}
_ARGUMENTS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-features=OptimizationHints,MediaRouter,Translate",
    # What a page asks of any other name fails here, before it could leave the machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


@dataclass
class Browser:
    """A browser and what its pages asked for, in their order; `outside` is what was not loopback.

    `allowed` are origins (`http://127.0.0.1:8000`) if only those may be asked; else all loopback.
    """

    context: BrowserContext
    allowed: frozenset[str] = frozenset()
    requests: list[str] = field(default_factory=list)
    # Of those, what a policy of the page refused before it was sent.
    refused: set[str] = field(default_factory=set)

    def page(self) -> Page:
        """A new tab. What waits in it gives up after five seconds."""
        page = self.context.new_page()
        page.set_default_timeout(5_000)
        return page

    @property
    def outside(self) -> list[str]:
        sent = (url for url in self.requests if url not in self.refused)
        return [url for url in sent if not is_within(url, self.allowed)]

    def failed(self, request: Request) -> None:
        if request.failure == "csp":
            self.refused.add(request.url)

    def listen(self, page: Page) -> None:
        """Sockets are no requests of a context: each page is asked for its own."""
        page.on("websocket", lambda socket: self.requests.append(socket.url))


def is_within(url: str, allowed: frozenset[str] = frozenset()) -> bool:
    """Whether nothing leaves the machine (or the origins that are allowed) with this request.

    >>> is_within("http://127.0.0.1:8000/a"), is_within("http://cdn.example/a.js")
    (True, False)
    """
    told = urlsplit(url)
    if told.scheme in _WITHIN:
        return True
    if allowed:
        return f"{told.scheme}://{told.netloc}" in allowed
    return told.hostname in _LOOPBACK


@contextmanager
def browser(
    *, javascript: bool = True, width: int = 1280, language: str = "zh-CN"
) -> Iterator[Browser]:
    """Chromium with a fresh profile. Raises FileNotFoundError where it is not installed."""
    if not EXECUTABLE.exists():
        raise FileNotFoundError(MISSING)
    arguments = [*_ARGUMENTS]
    if os.geteuid() == 0:
        # Root has no user namespaces of its own to put a sandbox into.
        arguments.append("--no-sandbox")
    with TemporaryDirectory(prefix="gongkai-chromium-") as profile, sync_playwright() as play:
        context = play.chromium.launch_persistent_context(
            profile,
            executable_path=EXECUTABLE,
            args=arguments,
            java_script_enabled=javascript,
            viewport={"width": width, "height": 900},
            locale=language,
            accept_downloads=True,
        )
        told = Browser(context)
        context.on("request", lambda request: told.requests.append(request.url))
        context.on("requestfailed", lambda request: told.failed(request))
        context.on("page", lambda page: told.listen(page))
        try:
            yield told
        finally:
            context.close()


needs_browser = pytest.mark.skipif(not EXECUTABLE.exists(), reason=MISSING)


@pytest.fixture
def chromium() -> Iterator[Browser]:
    """Fails on any request that leaves loopback; for tests that are marked `needs_browser`."""
    with browser() as told:
        yield told
    assert told.outside == [], "a page asked for something outside"


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """An application on loopback, in a thread of its own; gives its origin."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    port = listener.getsockname()[1]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        # A bound port refuses whoever comes before the server listens.
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()

"""`archive serve`: the explorer, and archived pages from an origin of their own."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from storage.cli.shared import app

if TYPE_CHECKING:
    from starlette.types import ASGIApp

Url = Annotated[
    str,
    typer.Option(metavar="URL", help="Where browsers reach it, if another server is in front."),
]


@app.command()
def serve(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="The port to listen on.")] = 8000,
    replay_port: Annotated[
        int | None,
        typer.Option("--replay-port", help="The port of archived pages; one above --port."),
    ] = None,
    url: Url = "",
    replay_url: Url = "",
) -> None:
    """Serve the archive to browsers; archived pages come from a second port."""
    from storage.errors import SettingsError

    try:
        import uvicorn  # noqa: F401

        from storage.explorer.app import make_app
        from storage.explorer.replay import make_replay
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the explorer needs the package {error.name}: "
            "install the extra with `pip install -e '.[explorer]'`"
        ) from error
    from storage.cli.shared import say_empty
    from storage.database import open_for_reading
    from storage.settings import Settings

    settings = Settings()
    engine = open_for_reading(settings)
    if engine is None:
        say_empty(None)
    if replay_port is None:
        replay_port = port + 1 if port else 0
    try:
        with (
            _listen(host, port, "--port") as mine,
            _listen(host, replay_port, "--replay-port") as its,
        ):
            here, there = url or _origin(host, mine), replay_url or _origin(host, its)
            archived = make_replay(engine, settings, explorer=here.rstrip("/"))
            explorer = make_app(engine, settings, replay=there.rstrip("/"))
            _run(explorer, mine, archived, its, behind=bool(url))
    finally:
        engine.dispose()


def _listen(host: str, port: int, option: str) -> socket.socket:
    """Raises SettingsError."""
    from storage.errors import SettingsError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Said to be TCP, it is served without waiting to fill packets: that costs 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise SettingsError(
            f"cannot listen on port {port} of {host} ({error}): give another {option}"
        ) from error
    return listener


def _origin(host: str, listener: socket.socket) -> str:
    """As a browser on this machine writes it."""
    named = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{named}:{listener.getsockname()[1]}"


def _run(
    explorer: ASGIApp, mine: socket.socket, archived: ASGIApp, its: socket.socket, *, behind: bool
) -> None:
    """Both until a signal comes: the explorer hears it, and takes the replay along.

    `behind`: another server is in front, and is believed (uvicorn's FORWARDED_ALLOW_IPS) whom it
    asks for; where none is, whoever asks could name another client at every question.
    """
    import uvicorn

    beside = uvicorn.Server(uvicorn.Config(archived, log_level="warning"))
    thread = threading.Thread(target=beside.run, kwargs={"sockets": [its]}, daemon=True)
    thread.start()
    try:
        config = uvicorn.Config(explorer, log_level="warning", proxy_headers=behind)
        uvicorn.Server(config).run(sockets=[mine])
    finally:
        beside.should_exit = True
        thread.join(timeout=10)

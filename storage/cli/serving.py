"""`archive serve`: the explorer."""

from __future__ import annotations

from typing import Annotated

import typer

from storage.cli.shared import app


@app.command()
def serve(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="The port to listen on.")] = 8000,
) -> None:
    """Serve the archive to browsers: /alerts.atom, and /metrics for Prometheus."""
    from storage.errors import SettingsError

    try:
        import uvicorn

        from storage.explorer.app import make_app
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
    try:
        uvicorn.run(make_app(engine, settings), host=host, port=port, log_level="warning")
    finally:
        engine.dispose()

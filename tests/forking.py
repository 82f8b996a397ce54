"""The shipped commands in processes of their own, without two seconds of imports each.

`python -m tests.forking SOCKET` imports what a start imports and forks for each command that it is
sent: the same script, environment, folder and files, in an interpreter that has not yet read any of
them. It ends with whoever holds its standard input.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import NoReturn

# What starts load. Nothing here may install Twisted's reactor or read the environment.
_MODULES = (
    "alembic.command",
    "crawler.commands.canonicalise",
    "crawler.commands.crawl",
    "crawler.commands.read",
    "crawler.commands.reparse",
    "crawler.fetching.handler",
    "crawler.fetching.probe",
    "crawler.fetching.run",
    "crawler.pipelines.facts",
    "crawler.pipelines.listings",
    "crawler.spiders.walk",
    "psycopg",
    "rich.markdown",
    "scrapy.cmdline",
    "scrapy.downloadermiddlewares.cookies",
    "scrapy.extensions.feedexport",
    "scrapy.shell",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "storage.alerts.watch",
    "storage.cli",
    "storage.runpage",
    "tenacity",
    "typer.rich_utils",
)
_TOO_EARLY = ("crawler.settings", "twisted.internet.reactor")
_LONGEST = 1 << 20  # bytes of a command and its environment


def run(
    command: Sequence[str | Path],
    cwd: Path,
    env: Mapping[str, str],
    stdin: str = "",
    timeout: float = 300,
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` with captured text; `command` begins with a Python script.

    Raises TimeoutExpired, and kills the command, as that does.
    """
    arguments = [str(each) for each in command]
    with ExitStack() as files:
        given, out, err = (files.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(stdin.encode())
        given.seek(0)
        line = files.enter_context(socket.socket(socket.AF_UNIX))
        line.connect(_server())
        order = json.dumps({"command": arguments, "cwd": str(cwd), "env": dict(env)}).encode()
        socket.send_fds(line, [order], [each.fileno() for each in (given, out, err)])
        line.shutdown(socket.SHUT_WR)
        pid = int(line.recv(20))
        line.settimeout(timeout)
        try:
            code = int(line.recv(20))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(arguments, timeout) from None
        said = []
        for each in (out, err):
            each.seek(0)
            said.append(each.read().decode())
    return subprocess.CompletedProcess(arguments, code, *said)


@cache
def _server() -> str:
    """The address of this process's own server."""
    folder = Path(tempfile.mkdtemp(prefix="gongkai-"))
    path = folder / "commands"
    server = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.forking", path],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"

    def end() -> None:
        server.kill()
        server.wait()
        path.unlink(missing_ok=True)
        folder.rmdir()

    atexit.register(end)
    return str(path)


def _serve(path: str) -> Callable[[], None]:
    """Forks for each order. Returns in the process that is to carry one out."""
    for name in _MODULES:
        import_module(name)
    assert not sys.modules.keys() & set(_TOO_EARLY)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                sys.exit()
            line, _ = listener.accept()
            with line:
                waiting = os.fork()
                if not waiting:
                    listener.close()
                    return _carry_out(line)
            # Those that have waited are done with.
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass


def _carry_out(line: socket.socket) -> Callable[[], None]:
    """In a process of the order's own: waits for the command, or returns in it."""
    order, files, _, _ = socket.recv_fds(line, _LONGEST, 3)
    told = json.loads(order)
    pid = os.fork()
    if pid:
        for each in files:
            os.close(each)
        line.sendall(b"%20d" % pid)
        _, status = os.waitpid(pid, 0)
        line.sendall(b"%20d" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    for number, each in enumerate(files):
        os.dup2(each, number)
        os.close(each)
    os.chdir(told["cwd"])
    os.environ.clear()
    os.environ.update(told["env"])
    script, *_ = sys.argv = told["command"]
    sys.path[0] = str(Path(script).parent)

    return partial(_command, script)


def _command(script: str) -> NoReturn:
    """Runs it and ends as an interpreter does, but for taking down what was there before: that
    takes longer than most commands.
    """
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        _end(ended.code)
    except Exception:  # noqa: BLE001 - told as an interpreter tells it, whatever it is
        traceback.print_exc()
        _end(1)
    _end(0)


def _end(code: object) -> NoReturn:
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()  # what was left open is said
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    _serve(sys.argv[1])()

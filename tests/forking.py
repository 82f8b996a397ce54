"""The shipped commands in processes of their own, without a second of imports each.

`python -m tests.forking SOCKET` imports what others wrote, none of our own code, and forks for each
command that it is sent: the same script, environment, folder and files, by a clean interpreter but
for those modules. It ends with whoever holds its standard input.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from importlib import import_module
from pathlib import Path

# What every start of ours loads. Nothing here may install Twisted's reactor.
_LIBRARIES = (
    "PIL.Image",
    "alembic.command",
    "jinja2",
    "lxml.html",
    "prometheus_client",
    "psycopg",
    "pydantic.main",
    "rich.markdown",
    "scrapy.cmdline",
    "scrapy.core.downloader.handlers.http11",
    "scrapy.downloadermiddlewares.cookies",
    "scrapy.extensions.feedexport",
    "scrapy.shell",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "tenacity",
    "typer.rich_utils",
)
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
    for name in _LIBRARIES:
        import_module(name)
    assert "twisted.internet.reactor" not in sys.modules
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
    sys.path[:1] = [str(Path(script).parent), *filter(None, [told["env"].get("PYTHONPATH")])]

    def command() -> None:
        runpy.run_path(script, run_name="__main__")

    return command


if __name__ == "__main__":
    _serve(sys.argv[1])()

"""Servers are reloaded while they serve.

Each server answers requests of several clients at once, over sockets, for as long as its
program is edited and reloaded: every answer must be a whole one, of the version before or the
one after, and of the one after once the reload has returned. Servers of which a
package is missing are left out.

    python tests/stress/servers.py [--rounds N] [NAME ...]
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import importlib
import json
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import gcremap
import server_sources
from child_table import print_table

CLIENTS = 4
MODES = ("keep", "replace")


class Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64


class Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


def serve_wsgi(application: Callable[..., object]) -> int:
    """Serves in a thread; the port."""
    server = make_server("127.0.0.1", 0, application, Threaded, Silent)  # type: ignore[arg-type]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def serve_asyncio(handle: Callable[..., object]) -> int:
    started: list[int] = []

    async def run() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)  # type: ignore[arg-type]
        started.append(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    threading.Thread(target=asyncio.run, args=(run(),), daemon=True).start()
    while not started:
        time.sleep(0.01)
    return started[0]


class Load:
    """Clients that ask, and what was wrong with the answers."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers = 0
        self.wrong: list[str] = []
        self.is_over = False
        self.least = 1
        """The oldest version that may still answer what is asked from now on."""
        self.newest = 1
        self.threads = [threading.Thread(target=self.ask_on) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def ask_on(self) -> None:
        while not self.is_over:
            try:
                self.ask()
            except Exception as error:
                self.wrong.append(f"{type(error).__name__}: {error}")
            self.answers += 1

    def ask(self) -> None:
        least = self.least
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/items/")
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        if answer.status != 200:
            self.wrong.append(f"{answer.status}: {body[-300:]}")
            return
        said = json.loads(body)
        if not all(least <= version <= self.newest for version in said["versions"]):
            self.wrong.append(f"{said} after version {least}")
        if said["items"] != ["one", "two"]:
            self.wrong.append(f"{said} is not all of it")

    def wait_for(self, more: int) -> None:
        wanted = self.answers + more
        deadline = time.monotonic() + 60
        while self.answers < wanted and time.monotonic() < deadline:
            time.sleep(0.002)

    def end(self) -> None:
        self.is_over = True
        for thread in self.threads:
            thread.join()


def write(folder: Path, program: dict[str, str], version: int) -> None:
    for name, source in program.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source.replace("VERSION_NUMBER", str(version)))


def one(name: str, mode: str, rounds: int) -> str:
    """What became of one server; in a process of its own."""
    program = server_sources.PROGRAMS[name]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        sys.path.insert(0, made)
        write(folder, program.files, 1)
        try:
            entry = importlib.import_module(program.entry)
        except ImportError as error:
            return f"not installed: {error.name}"
        serve = serve_asyncio if program.is_asyncio else serve_wsgi
        load = Load(serve(entry.begin()))
        reloader = gcremap.Reloader(identity=mode)  # type: ignore[arg-type]
        try:
            for version in range(2, rounds + 2):
                load.wait_for(3 * CLIENTS)
                load.newest = version
                write(folder, program.files, version)
                reloader.reload()
                load.least = version
            load.wait_for(3 * CLIENTS)
        finally:
            load.end()
        if load.wrong:
            return f"{len(load.wrong)} of {load.answers} answers are wrong: {load.wrong[0]}"
        return f"ok {load.answers} answers, {rounds} reloads"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=50, help="edits of each program")
    parser.add_argument("--here", choices=MODES, help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    names = options.names or list(server_sources.PROGRAMS)
    if options.here:
        try:
            print(one(names[0], options.here, options.rounds))
        except BaseException:
            traceback.print_exc()
            return 1
        return 0
    rounds = str(options.rounds)
    wrong = print_table(
        "server",
        names,
        MODES,
        lambda name, mode: [__file__, name, "--here", mode, "--rounds", rounds],
    )
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())

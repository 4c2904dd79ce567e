#!/usr/bin/env python
"""A server that is edited while it serves: ten edits, no request lost, nothing forgotten.

Clients keep asking a shop (examples/shop) over sockets, without a pause. Meanwhile its
source is edited ten times, as somebody would at an editor, and reloaded with
gcremap.reload_all(). Every answer is checked: that it came, that it is the next one of
its session, and that from some moment after the edit on it is what the new source says.

    live_server.py [SECONDS]      how long to serve after each edit (0.4)
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gcremap

CLIENTS = 40
Answer = dict[str, Any]


@dataclass
class Edit:
    """An edit of some files, and how an answer shows that it is in force."""

    title: str
    command: str
    shows: Callable[[Answer], bool]
    changes: list[tuple[str, str, str]]
    fails: type[Exception] | None = None


EDITS = [
    Edit(
        "a function that others imported by name",
        "look novel",
        lambda answer: answer["price"] == 1259,
        [("pricing", "net * TAX // 100", "round(net * TAX / 100)")],
    ),
    Edit(
        "a constant that others imported by name",
        "look novel",
        lambda answer: answer["price"] == 1122,
        [("config", "TAX = 20", "TAX = 7")],
    ),
    Edit(
        "a method, inherited by what is in stock",
        "look bread",
        lambda answer: answer["label"] == "fine bread",
        [("items", "return self.name", 'return f"fine {self.name}"')],
    ),
    Edit(
        "a new class between a class and its base",
        "look novel",
        lambda answer: answer["price"] == 1049,
        [
            (
                "items",
                "class Book(Item):",
                "class Untaxed(Item):\n    def price(self):\n        return self.net\n\n\n"
                "class Book(Untaxed):",
            )
        ],
    ),
    Edit(
        "another layout for the sessions, which exist",
        "buy bread",
        lambda answer: answer["greeting"].endswith("(0 points)"),
        [
            (
                "sessions",
                "class Session:\n",
                'class Session:\n    __slots__ = ("user", "count", "basket", "points")\n\n'
                "    def __reloaded__(self, old_class):\n        self.points = 0\n\n",
            ),
            ("sessions", "self.basket = []", "self.basket = []\n        self.points = 0"),
            ("sessions", "hello {self.user}", "hello {self.user} ({self.points} points)"),
        ],
    ),
    Edit(
        "a handler in the registry",
        "buy bread",
        lambda answer: not answer["greeting"].endswith("(0 points)"),
        [("handlers", "    session.basket", "    session.points += 1\n    session.basket")],
    ),
    Edit(
        "the closure around every handler",
        "look bread",
        lambda answer: answer.get("shop") == "corner shop",
        [
            ("routes", "import functools", "import functools\n\nfrom .config import NAME"),
            ("routes", '"count": session', '"shop": NAME, "count": session'),
        ],
    ),
    Edit(
        "a half-typed line: nothing changes",
        "look bread",
        lambda answer: answer["label"] == "fine bread",
        [("items", 'return f"fine {self.name}"', 'return f"cheap {self.name')],
        fails=SyntaxError,
    ),
    Edit(
        "the line completed, in two files that need each other",
        "look bread",
        lambda answer: answer["label"] == "cheap bread for 178",
        [
            ("items", 'return f"cheap {self.name', 'return f"cheap {self.name} for {half(self)}"'),
            ("items", "import gross", "import gross, half"),
            (
                "pricing",
                "def gross",
                "def half(item):\n    return item.price() // 2\n\n\ndef gross",
            ),
        ],
    ),
    Edit(
        "a route that was not there",
        "points",
        lambda answer: answer["points"] > 0,
        [
            (
                "handlers",
                '@route("buy")',
                '@route("points")\ndef points(session):\n'
                '    return {"points": session.points}\n\n\n@route("buy")',
            )
        ],
    ),
]


@dataclass
class Load:
    """Clients that never stop asking, and what they have been told."""

    commands: list[str] = field(default_factory=lambda: ["look novel", "buy bread", "look bread"])
    latest: dict[str, tuple[int, Answer]] = field(default_factory=dict)
    """The last answer to each command, and the number of its request."""
    sent: int = 0
    answered: int = 0
    bought: int = 0
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0
    over: bool = False

    async def client(self, port: int, user: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        count = 0
        while not self.over:
            for command in list(self.commands):
                self.sent += 1
                number, started = self.sent, time.perf_counter()
                writer.write(f"{user} {command}\n".encode())
                line = await reader.readline()
                if not line:
                    self.wrong.append(f"{user}: no answer to {command}")
                    return
                self.slowest = max(self.slowest, time.perf_counter() - started)
                answer = json.loads(line)
                self.answered += 1
                count += 1
                self.bought += command.startswith("buy")
                if answer["count"] != count:
                    self.wrong.append(f"{user}: request {count} is {answer['count']} to the server")
                self.latest[command] = (number, answer)
        writer.close()
        await writer.wait_closed()

    async def answer_after(self, moment: int, command: str) -> Answer:
        """An answer to a request that was sent after so many others."""
        if command not in self.commands:
            self.commands.append(command)
        while self.latest.get(command, (0, {}))[0] <= moment:
            await asyncio.sleep(0.001)
        return self.latest[command][1]


COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def paint(code: str, text: str) -> str:
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def check(fact: str, holds: bool) -> bool:
    print(f"   {paint('32', '✓') if holds else paint('31', '✗')} {fact}")
    return holds


async def edit(folder: Path, number: int, edit: Edit, load: Load) -> bool:
    for name, old, new in edit.changes:
        path = folder / "shop" / f"{name}.py"
        text = path.read_text()
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new))
    started = time.perf_counter()
    failure: BaseException | None = None
    try:
        gcremap.reload_all()
    except Exception as error:
        failure = error
    seconds = time.perf_counter() - started
    answer = await load.answer_after(load.sent, edit.command)
    good = edit.shows(answer) and type(failure) is (edit.fails or type(None))
    outcome = type(failure).__name__ if failure else f"{seconds * 1000:.0f} ms"
    return check(f"{number:>2}  {edit.title:<56} {outcome:>11}", good)


async def serve(folder: Path, pause: float) -> bool:
    server = importlib.import_module("shop.server")
    sessions = importlib.import_module("shop.sessions").SESSIONS
    stock = importlib.import_module("shop.items").STOCK
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    load = Load()
    clients = [asyncio.create_task(load.client(port, f"user{n}")) for n in range(CLIENTS)]
    await load.answer_after(CLIENTS * 3, "buy bread")
    people = {user: session.basket for user, session in sessions.items()}
    print(f"\n   {CLIENTS} clients ask without a pause. Edited and reloaded meanwhile:\n")
    good = True
    for number, each in enumerate(EDITS, 1):
        good &= await edit(folder, number, each, load)
        await asyncio.sleep(pause)
    load.over = True
    await asyncio.gather(*clients)
    listening.close()
    await listening.wait_closed()
    print()
    good &= check(
        f"{load.answered:,} of {load.sent:,} requests answered, the slowest in "
        f"{load.slowest * 1000:.0f} ms",
        load.answered == load.sent,
    )
    good &= check("every answer the next of its session", not load.wrong)
    kept = [sessions[user].basket is basket for user, basket in people.items()]
    good &= check(f"{sum(kept)} of {CLIENTS} sessions kept their baskets", sum(kept) == CLIENTS)
    sold = stock["bread"].sold
    good &= check(f"{sold:,} loaves sold, as many as were bought", sold == load.bought)
    for wrong in load.wrong[:5]:
        print(f"     {wrong}")
    return good


def main() -> int:
    pause = float(sys.argv[1]) if len(sys.argv) > 1 else 0.4
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(Path(__file__).with_name("shop"), folder / "shop")
        sys.path.insert(0, name)
        return 0 if asyncio.run(serve(folder, pause)) else 1


if __name__ == "__main__":
    sys.exit(main())

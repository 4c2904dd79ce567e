"""python -m gcremap attach: modules of processes that run already."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gcremap._cli import attach, main

# Idle, it comes by a hundred times a second; each answer is in a file of its own.
SERVER = """
import os, sys, time
import shop
from shop import price
if len(sys.argv) > 1:
    for _ in range(int(sys.argv[1])):
        if not os.fork():
            break
    else:
        print("ready", flush=True)
        while os.wait():
            pass
else:
    print("ready", flush=True)
shop.CACHE.append("state")
while True:
    time.sleep(0.01)
    with open(f"{os.getpid()}.part", "w") as file:
        print(price(), shop.CACHE, file=file)
    os.replace(file.name, f"{os.getpid()}.txt")
"""
# The child is in fork() still, until a signal comes.
FORKING = """
import ctypes, os, signal, time
import shop
libc = ctypes.CDLL(None)
signal.signal(signal.SIGUSR1, lambda *_: None)
libc.__register_atfork(None, None, ctypes.cast(libc.pause, ctypes.c_void_p), None)
child = os.fork()
if child:
    print("ready", flush=True)
while child or shop.price() == 1:
    time.sleep(0.01)
"""
SHOP = "CACHE = []\ndef price():\n    return {}\n"

PATIENTLY = ("--timeout", "60")
"""For machines that are busy."""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(folder: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts servers; they end with the test, and their children with them."""
    monkeypatch.chdir(folder.root)
    # What a module was loaded from is in its .pyc, for who comes after the edit.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    folder.write(server=SERVER, shop=SHOP.format(1))
    started = []

    def start(*arguments: str, options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        server = subprocess.Popen(
            [sys.executable, *options, "server.py", *arguments],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        return server

    yield start
    for server in started:
        os.killpg(server.pid, 9)
        server.communicate(timeout=30)


def answer_of(pid: int, wanted: str) -> str:
    """What a server writes, once it is what is wanted or a minute is over."""
    deadline = time.monotonic() + 60
    path = Path(f"{pid}.txt")
    said = ""
    while said != wanted and time.monotonic() < deadline:
        said = path.read_text().rstrip() if path.exists() else ""
        time.sleep(0.01)
    return said


def test_descendants(start: Start) -> None:
    server = start("2")
    children = attach.descendants(server.pid)
    assert len(children) == 2
    assert set(children) < set(attach.descendants(os.getpid()))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["reload", "shop"], "say either process ids or --children PID"),
        (["--children", "1", "1", "reload", "shop"], "say either process ids or --children PID"),
        (["1", "reload"], "say which processes, then: reload MODULE ..."),
        (["1", "shop"], "say which processes, then: reload MODULE ..."),
        (["one", "reload", "shop"], "say which processes, then: reload MODULE ..."),
    ],
)
def test_words_that_say_too_little(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["attach", *words])
    assert said in capsys.readouterr().err


if sys.version_info < (3, 14):

    def test_version_that_cannot_attach(capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["attach", str(os.getpid()), "reload", "shop"]) == 2
        assert capsys.readouterr().err.startswith("gcremap: attach needs Python 3.14 or later")

else:

    def test_process_is_reloaded_and_keeps_its_state(
        start: Start, folder: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        server = start()
        assert answer_of(server.pid, "1 ['state']") == "1 ['state']"
        for price in (2, 3):  # gcremap is new to it the first time
            folder.write(shop=SHOP.format(price * 11111))
            assert main(["attach", *PATIENTLY, str(server.pid), "reload", "shop"]) == 0
            output, errors = capsys.readouterr()
            assert errors == ""
            assert output == f"{server.pid}: shop: changed price; kept CACHE\n"
            wanted = f"{price * 11111} ['state']"
            assert answer_of(server.pid, wanted) == wanted

    def test_all_children(start: Start, folder: Any, capsys: pytest.CaptureFixture[str]) -> None:
        server = start("2")
        children = attach.descendants(server.pid)
        folder.write(shop=SHOP.format(22))
        assert main(["attach", *PATIENTLY, "--children", str(server.pid), "reload", "shop"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert sorted(lines) == sorted(
            f"{pid}: shop: changed price; kept CACHE" for pid in children
        )
        for pid in children:
            assert answer_of(pid, "22 ['state']") == "22 ['state']"

    def test_failure_is_shown_and_the_process_goes_on(
        start: Start, folder: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        server = start()
        folder.write(shop=SHOP.format(22) + "1 / 0\n")
        assert main(["attach", *PATIENTLY, str(server.pid), "reload", "shop"]) == 1
        lines = capsys.readouterr().err.splitlines()
        assert lines[0] == "Traceback (most recent call last):"
        assert "shop.py" in lines[1]
        assert lines[-2:] == [
            "ZeroDivisionError: division by zero",
            f"{server.pid}: not reloaded, nothing has changed",
        ]
        assert answer_of(server.pid, "1 ['state']") == "1 ['state']"
        assert main(["attach", *PATIENTLY, str(server.pid), "reload", "nothing"]) == 1
        assert capsys.readouterr().err == f"{server.pid}: has not imported nothing\n"

    def test_what_cannot_be_attached_to_is_said(
        start: Start, capsys: pytest.CaptureFixture[str]
    ) -> None:
        closed = start(options=("-X", "disable-remote-debug"))
        other = subprocess.Popen(["sleep", "60"])
        try:
            pids = [closed.pid, other.pid, 2**22 - 1]
            assert main(["attach", *PATIENTLY, *map(str, pids), "reload", "shop"]) == 1
        finally:
            other.kill()
            other.wait()
        reasons = [
            line.partition(": not reloaded: ") for line in capsys.readouterr().err.splitlines()
        ]
        assert [int(pid) for pid, _, _ in reasons] == pids
        assert "not enabled" in reasons[0][2]
        assert reasons[1][2] == "it is no process of Python 3.14 or later"
        assert reasons[2][2] == "there is no such process"

    def test_process_that_does_not_come_by_reloads_later(
        start: Start, folder: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        server = start()
        folder.write(shop=SHOP.format(22))
        os.kill(server.pid, signal.SIGSTOP)
        try:
            assert main(["attach", "--timeout", "0.1", str(server.pid), "reload", "shop"]) == 1
        finally:
            os.kill(server.pid, signal.SIGCONT)
        said = capsys.readouterr().err
        assert said == f"{server.pid}: busy or asleep for 0.1 s; it reloads as soon as it is not\n"
        assert answer_of(server.pid, "22 ['state']") == "22 ['state']"

    def test_process_that_begins_only_now_is_asked_again(
        start: Start, folder: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # What is asked of it before is dropped: PyOS_AfterFork_Child clears it, for the parent's
        # requests are not the child's.
        folder.write(server=FORKING)
        (child,) = attach.descendants(start().pid)
        folder.write(shop=SHOP.format(22))
        ask = sys.remote_exec

        def ask_and_wake(pid: int, script: str) -> None:
            ask(pid, script)
            os.kill(pid, signal.SIGUSR1)

        monkeypatch.setattr(sys, "remote_exec", ask_and_wake)
        assert main(["attach", *PATIENTLY, str(child), "reload", "shop"]) == 0

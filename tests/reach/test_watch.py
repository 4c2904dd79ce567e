"""watch: what is saved is reloaded, and the program goes on either way."""

from __future__ import annotations

import asyncio
import io
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import child
import gcremap
from gcremap._watch import watcher
from gcremap._watch.attempts import Attempts
from gcremap._watch.printer import Printer

PRICE = "import threading\nCACHE = []\nRAN_IN = [threading.current_thread().name, {0}]\n"
PRICE += "def price():\n    return {0}\n"


class Watched:
    """A folder that is watched, and the outcomes that come of it."""

    def __init__(self, folder: Any, **options: Any) -> None:
        self.folder = folder
        self._outcomes: queue.Queue[gcremap.Outcome] = queue.Queue()
        self.watcher = gcremap.watch(folder.root, report=self._outcomes.put, **options)

    def next(self) -> gcremap.Outcome:
        return self._outcomes.get(timeout=60)

    def save(self, **sources: str) -> gcremap.Outcome:
        self.folder.write(**sources)
        return self.next()

    def is_quiet(self, seconds: float) -> bool:
        time.sleep(seconds)
        return self._outcomes.empty()


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits long for what is to happen, nor fails where the machine is slow."""
    monkeypatch.setattr(watcher, "_LONGEST", 0.3)
    monkeypatch.setattr(watcher, "_TICK", 100)
    monkeypatch.setattr(watcher, "_PATIENCE", 30)


@pytest.fixture
def patient(waits: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that save in two steps, between which the machine may do other things."""
    monkeypatch.setattr(watcher, "_LONGEST", 30)
    monkeypatch.setattr(watcher, "_STEP", 0.2)


@pytest.fixture
def watched(folder: Any) -> Iterator[Watched]:
    watched = Watched(folder)
    yield watched
    watched.watcher.stop()


def test_save_reloads_in_the_main_thread_though_it_waits(watched: Watched) -> None:
    mod = watched.folder.load(shop=PRICE.format(1))
    price = mod.price
    mod.CACHE.append("state")
    outcome = watched.save(shop=PRICE.format(2))
    assert outcome.error is None
    assert [report.module for report in outcome.reports] == [mod] == outcome.modules
    assert "price" in outcome.reports[0].updated
    assert price() == 2
    assert mod.CACHE == ["state"]
    assert mod.RAN_IN[0] == threading.main_thread().name


def test_main_thread_that_does_not_come_by_is_not_waited_for(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "_PATIENCE", 0.2)
    mod = watched.folder.load(shop=PRICE.format(1))
    old = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        watched.save(shop=PRICE.format(2))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
    assert mod.price() == 2
    assert mod.RAN_IN[0] == "gcremap.watch"


def test_schedule_chooses_the_moment(folder: Any) -> None:
    mod = folder.load(shop=PRICE.format(1) + "import asyncio\nTASK = asyncio.current_task\n")

    async def program() -> gcremap.Outcome:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[gcremap.Outcome] = loop.create_future()

        def report(outcome: gcremap.Outcome) -> None:
            loop.call_soon_threadsafe(done.set_result, outcome)

        seen = []

        def schedule(job: Any) -> None:
            seen.append(threading.current_thread().name)
            loop.call_soon_threadsafe(job)

        with gcremap.watch(folder.root, report=report, schedule=schedule):
            folder.write(shop=PRICE.format(2))
            outcome = await asyncio.wait_for(done, 60)
        assert seen == ["gcremap.watch"]
        return outcome

    assert asyncio.run(program()).error is None
    assert mod.price() == 2
    assert mod.RAN_IN[0] == threading.main_thread().name


def test_half_typed_source_changes_nothing_and_the_next_save_does(watched: Watched) -> None:
    mod = watched.folder.load(shop=PRICE.format(1))
    outcome = watched.save(shop="CACHE = []\ndef price(:\n")
    assert isinstance(outcome.error, SyntaxError)
    assert str(watched.folder.path("shop")) in outcome.traceback().splitlines()[0]
    assert mod.price() == 1
    assert watched.is_quiet(0.4)  # said once
    assert watched.save(shop=PRICE.format(3)).error is None
    assert mod.price() == 3


def test_traceback_begins_in_the_code_of_the_user(watched: Watched) -> None:
    mod = watched.folder.load(shop=PRICE.format(1))
    outcome = watched.save(shop=PRICE.format(2) + "1 / 0\n")
    lines = outcome.traceback().splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert str(watched.folder.path("shop")) in lines[1]
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert mod.price() == 1


def test_exit_in_a_module_is_a_failure_like_another(watched: Watched) -> None:
    mod = watched.folder.load(shop=PRICE.format(1))
    outcome = watched.save(shop="raise SystemExit(3)\n")
    assert isinstance(outcome.error, SystemExit)
    assert mod.price() == 1


def test_a_file_that_is_emptied_before_it_is_written_is_waited_for(
    patient: None, watched: Watched
) -> None:
    mod = watched.folder.load(shop=PRICE.format(1))
    mod.CACHE.append("state")
    path = watched.folder.path("shop")
    path.write_text("")
    time.sleep(0.3)
    path.write_text(PRICE.format(2))
    outcome = watched.next()
    assert outcome.reports[0].removed == []
    assert (mod.price(), mod.CACHE) == (2, ["state"])


def test_a_file_that_becomes_empty_for_good_is_reloaded(watched: Watched) -> None:
    mod = watched.folder.load(shop=PRICE.format(1))
    assert "price" in watched.save(shop="").reports[0].removed
    assert not hasattr(mod, "price")


def test_a_new_file_in_place_of_the_old_one(patient: None, watched: Watched) -> None:
    mod = watched.folder.load(shop=PRICE.format(1))
    path = watched.folder.path("shop")
    fresh = path.with_suffix(".py.tmp")
    fresh.write_text(PRICE.format(2))
    os.replace(path, path.with_suffix(".py~"))
    time.sleep(0.2)
    os.replace(fresh, path)
    outcome = watched.next()
    assert (outcome.gone, outcome.error) == ([], None)
    assert mod.price() == 2


def test_a_deleted_file_is_said_once_and_may_come_back(watched: Watched) -> None:
    mod = watched.folder.load(shop=PRICE.format(1))
    path = watched.folder.path("shop")
    path.unlink()
    outcome = watched.next()
    assert (outcome.gone, outcome.reports) == ([mod], [])
    assert mod.price() == 1
    assert watched.is_quiet(0.4)
    outcome = watched.save(shop=PRICE.format(2))
    assert (outcome.gone, mod.price()) == ([], 2)


def test_saved_together_is_reloaded_together(patient: None, watched: Watched) -> None:
    shop = watched.folder.load(shop="def price():\n    return 1\n", till="from shop import price\n")
    till = sys.modules["till"]
    outcome = watched.save(
        till="from shop import price, tax\ndef total():\n    return price() + tax()\n",
        shop="def price():\n    return 2\ndef tax():\n    return 1\n",
    )
    assert [report.module for report in outcome.reports] == [shop, till]
    assert till.total() == 3


def test_a_module_that_fails_does_not_hold_up_another(watched: Watched) -> None:
    watched.folder.load(shop="X = 1\n", till="X = 1\n")
    shop, till = sys.modules["shop"], sys.modules["till"]
    assert watched.save(shop="X = \n").error is not None
    outcome = watched.save(till="X = 2\n")
    assert (outcome.error, outcome.waiting) == (None, [shop])
    assert (shop.X, till.X) == (1, 2)
    outcome = watched.save(shop="X = 3\n")
    assert (outcome.error, outcome.waiting, shop.X) == (None, [], 3)


def test_modules_that_a_reloader_excludes_stay(folder: Any) -> None:
    folder.load(shop="X = 1\n", till="X = 1\n")
    watched = Watched(folder, reloader=gcremap.Reloader(exclude=["till"]))
    with watched.watcher:
        outcome = watched.save(shop="X = 2\n", till="X = 2\n")
    assert [module.__name__ for module in outcome.modules] == ["shop"]
    assert sys.modules["till"].X == 1


def test_a_report_that_raises_does_not_end_it(
    folder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    mod = folder.load(shop=PRICE.format(1))
    calls: queue.Queue[gcremap.Outcome] = queue.Queue()

    def report(outcome: gcremap.Outcome) -> None:
        calls.put(outcome)
        raise RuntimeError("no paper")

    with gcremap.watch(folder.root, report=report):
        for price in (2, 3):
            folder.write(shop=PRICE.format(price))
            calls.get(timeout=60)
    assert mod.price() == 3
    assert "RuntimeError: no paper" in capsys.readouterr().err


def test_a_schedule_that_raises_ends_it(folder: Any) -> None:
    folder.load(shop=PRICE.format(1))
    raised: queue.Queue[threading.ExceptHookArgs] = queue.Queue()

    def schedule(job: Any) -> None:
        raise RuntimeError("closed")

    before, threading.excepthook = threading.excepthook, raised.put
    try:
        watched = Watched(folder, schedule=schedule)
        folder.write(shop=PRICE.format(2))
        assert str(raised.get(timeout=60).exc_value) == "closed"
        watched.watcher.stop()
    finally:
        threading.excepthook = before
    assert repr(watched.watcher).startswith("<stopped ")


def test_nothing_happens_after_stop(watched: Watched) -> None:
    mod = watched.folder.load(shop=PRICE.format(1))
    assert repr(watched.watcher) == f"<Watcher of {watched.folder.root}>"
    watched.watcher.stop()
    watched.folder.write(shop=PRICE.format(2))
    assert watched.is_quiet(0.3)
    assert mod.price() == 1
    assert repr(watched.watcher).startswith("<stopped ")


def test_watch_in_another_thread_reloads_in_its_own(folder: Any) -> None:
    mod = folder.load(shop=PRICE.format(1))
    script = f"""
        import queue, sys, threading, time
        sys.path.insert(0, {str(folder.root)!r})
        import gcremap, shop
        done = queue.Queue()
        thread = threading.Thread(target=gcremap.watch, args=(sys.path[0],),
                                  kwargs=dict(report=done.put))
        thread.start()
        thread.join()
        open(shop.__file__, "w").write({PRICE.format(2)!r})
        done.get(timeout=60)
        print(shop.price(), shop.RAN_IN[0])
    """
    assert child.run(script) == "2 gcremap.watch\n"
    assert mod.price() == 1  # the other process's file is this one's, but nobody watches here


def test_path_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"cannot watch .*/nowhere"):
        gcremap.watch(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["watchfiles", "rich"])
def test_without_the_extra_one_sentence_says_what_to_install(name: str) -> None:
    script = f"""
        import sys
        sys.modules[{name!r}] = None
        import gcremap
        try:
            gcremap.watch()
        except ImportError as error:
            print(error)
    """
    said = child.run(script)
    assert said.startswith(f"watching files needs {name}")
    assert said.endswith("which is not installed: pip install 'gcremap[watch]'\n")


def test_what_is_printed(folder: Any) -> None:
    mod = folder.load(shop=PRICE.format(1) + "def old():\n    pass\n")
    attempts = Attempts(gcremap.Reloader())
    edited = PRICE.format(2) + "def new():\n    pass\n"
    folder.write(shop=edited)
    good = printed(attempts.reload([mod]))
    assert good[0].startswith("↻ shop (")
    assert [line.split() for line in good[1:]] == [
        ["changed", "RAN_IN,", "price"],
        ["added", "new"],
        ["removed", "old"],
        ["kept", "CACHE"],
    ]
    folder.write(shop=edited + "1 / 0\n")
    bad = printed(attempts.reload([mod]))
    assert bad[0] == "Traceback (most recent call last):"
    assert bad[-2:] == [
        "ZeroDivisionError: division by zero",
        "✗ shop: not reloaded, nothing has changed",
    ]
    assert printed(gcremap.Outcome(gone=[mod])) == [f"? shop: {mod.__file__} is gone; it goes on"]
    still = printed(gcremap.Outcome(waiting=[mod]))
    assert still == ["  waiting  shop still fails as it did before"]


def printed(outcome: gcremap.Outcome) -> list[str]:
    output = io.StringIO()
    Printer(Console(file=output))(outcome)
    assert "\033" not in output.getvalue()
    coloured = io.StringIO()
    Printer(Console(file=coloured, force_terminal=True))(outcome)
    assert "\033" in coloured.getvalue()
    return output.getvalue().splitlines()

"""Watches files, and reloads what was loaded from them."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType, TracebackType
from typing import Any

from gcremap._reload.reloader import Reloader
from gcremap._reload.reloader import _is_own as is_own
from gcremap._reload.sources import record, source
from gcremap._watch import safepoint
from gcremap._watch.attempts import Attempts
from gcremap._watch.outcome import Outcome
from gcremap._watch.safepoint import Schedule

_STEP = 0.05
"""Seconds that files must keep still before they are looked at."""
_LONGEST = 1.0
"""Seconds to wait for files that do not, and for those that are empty or not there."""
_TICK = 1000
"""Milliseconds after which to look, though the system reports no change: some file systems
never do."""
_PATIENCE = 0.5
"""Seconds that the main thread has to come to a safe point."""

Stamps = dict[ModuleType, tuple[int, int] | None]


def watch(
    *paths: str | os.PathLike[str],
    reloader: Reloader | None = None,
    report: Callable[[Outcome], object] | None = None,
    schedule: Schedule | None = None,
) -> Watcher:
    """Reload modules when their files are saved, until the returned `Watcher` is stopped.

      paths      files, and folders with all that is in them; none for the current folder
      reloader   which modules, and by what policy; all modules under `paths` by default
      report     called with the `Outcome` of each save; the default prints it
      schedule   called with a function, which it arranges to be called at a good moment:
                 `loop.call_soon_threadsafe`, for one; if it raises, watching ends. By default a
                 reload happens in the main thread, between two steps of the program; in a
                 thread of its own where the main thread is busy in C code, or `watch` was
                 called in another thread.

    What is saved together is reloaded together. If that fails nothing changes, and the
    program goes on.

    Raises FileNotFoundError for a path that does not exist, and ImportError where the extra
    "watch" is not installed.
    """
    notify, printer = _extra()
    chosen = [os.path.realpath(path) for path in paths or (os.curdir,)]
    for path in chosen:
        if not os.path.exists(path):
            raise FileNotFoundError(f"cannot watch {path}: there is no such file or folder")
    safepoint.prepare()
    watcher = Watcher(chosen, reloader or Reloader(), report or printer(), schedule, notify)
    watcher._start()
    return watcher


def _extra() -> tuple[Any, Any]:
    try:
        import watchfiles

        from gcremap._watch.printer import Printer
    except ModuleNotFoundError as error:
        raise ImportError(
            f"watching files needs {error.name}, which is not installed: "
            "pip install 'gcremap[watch]'",
            name=error.name,
        ) from None
    return watchfiles.watch, Printer


class Watcher:
    """What `watch` started. `stop` ends it; so does leaving a `with` block."""

    def __init__(
        self,
        paths: list[str],
        reloader: Reloader,
        report: Callable[[Outcome], object],
        schedule: Schedule | None,
        notify: Callable[..., Iterator[object]],
    ) -> None:
        self.paths = tuple(paths)
        self._attempts = Attempts(reloader)
        self._report = report
        self._schedule = schedule
        self._notify = notify
        self._inside: dict[str, bool] = {}
        self._gone: set[ModuleType] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gcremap.watch", daemon=True)

    def stop(self) -> None:
        """End watching; a reload that has begun is finished first."""
        atexit.unregister(self.stop)
        self._stopping.set()
        if threading.current_thread() is not self._thread and self._thread.is_alive():
            self._thread.join(_LONGEST)

    def __enter__(self) -> Watcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "Watcher" if self._thread.is_alive() else "stopped Watcher"
        return f"<{state} of {', '.join(self.paths)}>"

    def _start(self) -> None:
        self._thread.start()
        atexit.register(self.stop)

    def _run(self) -> None:
        ticks = self._notify(
            *self.paths,
            watch_filter=_is_source,
            stop_event=self._stopping,
            step=int(_STEP * 1000),
            rust_timeout=_TICK,
            yield_on_timeout=True,
            raise_interrupt=False,
        )
        for _ in ticks:
            self._look()

    def _look(self) -> None:
        """Reload what was saved, if anything was."""
        modules = self._settled()
        stale = [module for module, stamp in modules.items() if stamp is not None]
        away = {module for module, stamp in modules.items() if stamp is None}
        gone = [module for module in away if module not in self._gone]
        self._gone = away
        fresh = self._attempts.fresh(stale)
        if self._stopping.is_set() or not (fresh or gone):
            return
        outcome = Outcome()
        if fresh:
            done: list[Outcome] = []
            safepoint.run(lambda: self._reload(stale, done), self._schedule, _PATIENCE)
            if not done:
                return  # interrupted by the user, or stopped meanwhile
            [outcome] = done
        outcome.gone = gone
        try:
            self._report(outcome)
        except Exception:
            traceback.print_exc()

    def _reload(self, stale: list[ModuleType], done: list[Outcome]) -> None:
        if not self._stopping.is_set():
            done.append(self._attempts.reload(stale))

    def _settled(self) -> Stamps:
        """The modules whose files are not what was loaded, once these keep still.

        An editor may empty a file before it writes it, or put a new one in its place.
        """
        deadline = time.monotonic() + _LONGEST
        before: Stamps = {}
        while True:
            stamps = self._stamps()
            halfway = any(
                stamp[1] == 0 if stamp is not None else module not in self._gone
                for module, stamp in stamps.items()
            )
            if (stamps == before and not halfway) or time.monotonic() >= deadline:
                return stamps
            before = stamps
            if self._stopping.wait(_STEP):
                return {}

    def _stamps(self) -> Stamps:
        return {
            module: record.stamp_of(path)
            for module in self._modules()
            if (path := module.__file__) is not None
            and (source.is_stale(module) or not os.path.exists(path))
        }

    def _modules(self) -> list[ModuleType]:
        """The modules that came from a file under the paths."""
        return [
            module
            for module in list(sys.modules.values())
            if isinstance(module, ModuleType)
            and not is_own(module)
            and isinstance(path := getattr(module, "__file__", None), str)
            and self._is_inside(path)
            and self._attempts.reloader.controls(module)
        ]

    def _is_inside(self, path: str) -> bool:
        if path not in self._inside:
            real = os.path.realpath(path)
            self._inside[path] = any(
                real == each or real.startswith(os.path.join(each, "")) for each in self.paths
            )
        return self._inside[path]


def _is_source(change: object, path: str) -> bool:
    return path.endswith((".py", ".pyw"))

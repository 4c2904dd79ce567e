"""The magics, and what happens around each cell."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class

from gcremap._ipython.cells import Cells
from gcremap._reload.reloader import Reloader
from gcremap._reload.report import ReloadReport
from gcremap._watch.attempts import Attempts
from gcremap._watch.outcome import without_us

_loaded: dict[int, GcremapMagics] = {}
"""The extension of each shell that has it, by the shell's id."""


@magics_class
class GcremapMagics(Magics):
    """%gcremap and %greload."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._shell: Any = shell
        self._cells = Cells(shell.user_ns)
        self._named: set[str] = set()
        self._automatic: Attempts | None = None
        """What reloads before each cell, if anything does."""
        self._events: dict[str, Callable[[Any], None]] = {
            "pre_run_cell": self._before_cell,
            "post_run_cell": self._after_cell,
        }

    def start(self) -> None:
        for event, function in self._events.items():
            self._shell.events.register(event, function)

    def stop(self) -> None:
        for event, function in self._events.items():
            self._shell.events.unregister(event, function)

    @line_magic
    def gcremap(self, line: str) -> None:
        """Choose which modules are reloaded before each cell, if their files have changed.

        %gcremap                       reload now what has changed
        %gcremap 0, %gcremap off       none (but cells that define something again still count)
        %gcremap 1 MODULE ...          those named here; also: explicit
        %gcremap 2 [-MODULE ...]       all but those named here; also: all
        """
        words = line.split()
        if not words or words == ["now"]:
            self._reload(Attempts(Reloader()))
            return
        mode, names = words[0], words[1:]
        if mode in ("0", "off") and not names:
            self._automatic = None
        elif mode in ("1", "explicit"):
            self._named.update(names)
            self._automatic = Attempts(Reloader(self._named))
        elif mode in ("2", "all") and all(name.startswith("-") for name in names):
            self._automatic = Attempts(Reloader(exclude=[name[1:] for name in names]))
        else:
            raise UsageError("%gcremap takes 0, or 1 MODULE ..., or 2 -MODULE ...")

    @line_magic
    def greload(self, line: str) -> ReloadReport | list[ReloadReport]:
        """Reload modules, whether they have changed or not: %greload MODULE ...

        The result is what was done: a report, or a list of them.
        """
        names = line.split()
        if not names:
            raise UsageError("%greload takes the names of modules")
        for name in names:
            if not isinstance(sys.modules.get(name), ModuleType):
                raise UsageError(f"%greload: no module {name} is imported")
        reports = Reloader().reload(*names)
        return reports[0] if len(reports) == 1 else reports

    def _before_cell(self, info: Any) -> None:
        self._cells.begin()
        if self._automatic is not None:
            self._reload(self._automatic)

    def _after_cell(self, result: Any) -> None:
        text = getattr(result.info, "transformed_cell", None)
        if text is None and result.info is not None:
            text = self._shell.transform_cell(result.info.raw_cell)
        for warning in self._cells.end(text or ""):
            print(f"gcremap: {warning}", file=sys.stderr)

    def _reload(self, attempts: Attempts) -> None:
        """Reload what has changed; what fails is shown, and the cell runs all the same."""
        modules = attempts.reloader.changed()
        if not attempts.fresh(modules):
            return
        outcome = attempts.reload(modules)
        error = outcome.error
        if error is not None:
            self._shell.showtraceback((type(error), error, without_us(error.__traceback__)))
            names = ", ".join(module.__name__ for module in outcome.modules)
            print(f"gcremap: {names} not reloaded, nothing has changed", file=sys.stderr)


def load(shell: Any) -> None:
    """Register the magics and watch the cells of `shell`."""
    if id(shell) not in _loaded:
        magics = _loaded[id(shell)] = GcremapMagics(shell)
        shell.register_magics(magics)
        magics.start()


def unload(shell: Any) -> None:
    """Leave the cells of `shell` alone again."""
    magics = _loaded.pop(id(shell), None)
    if magics is not None:
        magics.stop()
        for name in ("gcremap", "greload"):
            shell.magics_manager.magics["line"].pop(name, None)

"""A program that is edited while it runs, and what is expected of it then."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

Reload = Callable[[list[str]], object]
Scenario = Callable[["Program"], None]

SCENARIOS: dict[str, Scenario] = {}
OUT_OF_REACH: set[str] = set()
"""Scenarios that no tool passes, as far as is known: they mark where reloading ends."""


class Program:
    """Modules in a folder on sys.path, and the tool that is told of each edit."""

    def __init__(self, root: Path, loaded: Callable[[], object], reload: Reload) -> None:
        self._root = root
        self._loaded = loaded
        self._reload = reload
        self._clock = 1_000_000_000

    def load(self, **sources: str) -> Any:
        """Write modules of the package `app` and import them; returns the first."""
        self._write({"__init__": "", **sources})
        modules = [importlib.import_module(f"app.{name}") for name in sources]
        self._loaded()
        return modules[0]

    def module(self, name: str) -> Any:
        return sys.modules[f"app.{name}"]

    def edit(self, **sources: str) -> None:
        """Save an edit, and have the tool reload what was edited, in the order given."""
        self._write(sources)
        self._reload([f"app.{name}" for name in sources])

    def edit_badly(self, **sources: str) -> None:
        """The same with an edit that cannot work. Tools differ in whether they raise."""
        with contextlib.suppress(Exception):
            self.edit(**sources)

    def _write(self, sources: dict[str, str]) -> None:
        for name, source in sources.items():
            path = self._root / "app" / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(source).lstrip("\n"))
            # Half of the tools go by this, and some look at whole seconds only.
            self._clock += 10
            os.utime(path, (self._clock, self._clock))
        importlib.invalidate_caches()


def scenario(function: Scenario) -> Scenario:
    SCENARIOS[function.__name__] = function
    return function


def out_of_reach(function: Scenario) -> Scenario:
    OUT_OF_REACH.add(function.__name__)
    return scenario(function)

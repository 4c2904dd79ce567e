"""A folder of modules that somebody edits while the program runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


class Folder:
    """Writes modules and imports them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        return self.root / f"{name}.py"

    def write(self, **sources: str) -> None:
        for name, source in sources.items():
            self.path(name).write_text(source)

    def load(self, **sources: str) -> Any:
        """Write modules and import them; returns the first."""
        self.write(**sources)
        importlib.invalidate_caches()
        modules = [importlib.import_module(name) for name in sources]
        return modules[0]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """A new folder on sys.path; its modules are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = dict(sys.modules)
    yield Folder(tmp_path)
    for name, module in list(sys.modules.items()):
        if name not in before and isinstance(module, ModuleType) and name[:7] != "gcremap":
            del sys.modules[name]

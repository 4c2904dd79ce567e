"""A project of modules in a folder, edited and reloaded."""

from __future__ import annotations

import gc
import importlib
import operator
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import gcremap
from gcremap import _native


class Project:
    """Writes modules, imports them, and reloads them after an edit."""

    def __init__(self, root: Path, identity: str) -> None:
        self.root = root
        self.identity = identity
        self._clock = 1_000_000_000

    def write(self, **sources: str) -> None:
        """`pkg_core="..."` writes pkg/core.py, `pkg_="..."` pkg/__init__.py; time goes on."""
        for name, source in sources.items():
            path = self.root / (_file_name(name) + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source).lstrip("\n"))
            self._clock += 10
            os.utime(path, (self._clock, self._clock))
        importlib.invalidate_caches()

    def load(self, **sources: str) -> Any:
        """Write modules and import them; returns the first."""
        self.write(**sources)
        modules = [importlib.import_module(_module_name(name)) for name in sources]
        return modules[0]

    def reload(self, *names: str, **sources: str) -> list[gcremap.ReloadReport]:
        """Write an edit and reload what was written, or `names`."""
        self.write(**sources)
        chosen = names or tuple(map(_module_name, sources))
        reloader = gcremap.Reloader(identity=self.identity)  # type: ignore[arg-type]
        return reloader.reload(*chosen)

    def subclasses(self, cls: type, module: str = "mod") -> list[type]:
        """Those of `module` after a young collection, but for old ones that a word left over
        on the stack keeps alive."""
        gc.collect(0)
        return [each for each in self.listed(type.__subclasses__(cls)) if each.__module__ == module]

    def listed(self, classes: Iterable[type]) -> list[type]:
        """Them, but for old ones that a word left over on the stack keeps alive."""
        held = _held(_native._pinned())
        return [each for each in classes if id(each) not in held or _is_present(each)]


def _is_present(cls: type) -> bool:
    try:
        found = operator.attrgetter(cls.__qualname__)(sys.modules[cls.__module__])
    except AttributeError:
        return False
    return found is cls


def _held(pinned: list[Any]) -> set[int]:
    """The pinned objects, and the classes that hang on them."""
    assert len(pinned) < 5
    held = set(map(id, pinned))
    while pinned:
        for part in gc.get_referents(*pinned):
            if isinstance(part, type | tuple | dict) and id(part) not in held:
                held.add(id(part))
                pinned.append(part)
        del pinned[0]
    return held


def _file_name(name: str) -> str:
    return name.replace("_", "/") + "__init__" * name.endswith("_")


def _module_name(name: str) -> str:
    return name.rstrip("_").replace("_", ".")


@pytest.fixture(params=["keep", "replace"])
def identity(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: str) -> Iterator[Project]:
    """A new project on sys.path; its modules are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = dict(sys.modules)
    yield Project(tmp_path, identity)
    for name, module in list(sys.modules.items()):
        new = name not in before and isinstance(module, ModuleType)
        if new and not _is_installed(module, tmp_path):
            del sys.modules[name]


def _is_installed(module: ModuleType, root: Path) -> bool:
    """Whether a module came from elsewhere on the disk: what a test imports on the way is
    not to be imported a second time."""
    places = [vars(module).get("__file__") or "", *vars(module).get("__path__", ())]
    return any(os.path.exists(place) and not place.startswith(str(root)) for place in places)

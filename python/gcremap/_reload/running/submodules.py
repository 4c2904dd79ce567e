"""The names that the import system binds in a package."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from gcremap._reload.objects.kinds import is_a
from gcremap._reload.sources.definitions import Definition


def bind_loaded(package: Any) -> None:
    """The import system has done so when it loaded them, and does not do it again; where one is
    missing, the source has deleted the name, and is about to do so."""
    if "__path__" not in vars(package):
        return
    for name, loaded in list(sys.modules.items()):
        parent, _, own = name.rpartition(".")
        if parent == package.__name__ and is_a(loaded, ModuleType):
            vars(package).setdefault(own, loaded)


def is_one(package: str, name: str, value: Any) -> bool:
    """Whether a value of the package is its submodule of this name."""
    return is_a(value, ModuleType) and sys.modules.get(f"{package}.{name}") is value


def hides(
    package: str, name: str, values: tuple[Any, Any], sides: tuple[Definition | None, ...]
) -> bool:
    """Whether a submodule took a name after the package had imported another module by it:
    `import typing`, before `package.typing` was loaded."""
    old, new = values
    before, now = sides
    is_same = before is None or (now is not None and before.same(now))
    return is_one(package, name, old) and is_a(new, ModuleType) and is_same

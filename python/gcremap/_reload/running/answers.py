"""What a module answers for names that it does not have: its `__getattr__` (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from gcremap._reload.objects.kinds import is_a
from gcremap._reload.running.imports import from_imports, is_near
from gcremap._reload.running.withheld import WithheldWarnings
from gcremap._reload.sources import record
from gcremap._reload.sources.source import Source

_MISSING: Any = object()


def answer_of(module: ModuleType, name: str) -> Any:
    """The value that an import of `name` from `module` would get; a unique one if none.

    It is asked for names only that somebody has imported before, so that no code runs that has
    not run already.
    """
    ask = vars(module).get("__getattr__")
    if ask is None:
        return _MISSING
    with WithheldWarnings() as warnings:
        try:
            return ask(name)
        except Exception:
            return _MISSING
        finally:
            warnings.clear()


class Answers:
    """Those of a module under reload to names that others import from it."""

    def __init__(self) -> None:
        self.before: dict[str, Any] = {}

    def ask(self, module: ModuleType, sources: Mapping[int, Source]) -> None:
        """Before the new source runs. `sources` has those of modules that are reloaded, by the
        identity of these."""
        if "__getattr__" in vars(module):
            self.before = _answers_of(module, _imported_from(module, sources))

    def now(
        self, module: ModuleType, olds: Iterable[str], sources: Mapping[int, Source]
    ) -> dict[str, Any]:
        """To the same names, and to those of `olds` that it has no more."""
        if "__getattr__" not in vars(module):
            return {}
        asked = set(olds) & _imported_from(module, sources)
        return _answers_of(module, self.before.keys() | asked)


def _answers_of(module: ModuleType, names: Iterable[str]) -> dict[str, Any]:
    asked = [name for name in names if name not in vars(module)]
    found = {name: answer_of(module, name) for name in asked}
    return {name: value for name, value in found.items() if value is not _MISSING}


def _imported_from(module: ModuleType, sources: Mapping[int, Source]) -> set[str]:
    """The names that modules near it import from a module."""
    origin = record.module_name(module)
    return {
        name
        for importer in list(sys.modules.values())
        if is_a(importer, ModuleType) and importer is not module and is_near(importer, module)
        for statement in from_imports(importer, {origin}, sources.get(id(importer)))
        if statement.origin == origin
        for name, _ in statement.names
    }

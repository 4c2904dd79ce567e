"""What other modules have registered in an object that an edit makes anew."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gcremap._reload.objects.contents import (
    ATOMS,
    CONTAINERS,
    MUCH,
    containers_of,
    entries,
    inside,
    put,
    refill,
)
from gcremap._reload.objects.kinds import is_a, is_class, is_function, module_of, qualname_of

if TYPE_CHECKING:
    from gcremap._reload.matching.job import Job
    from gcremap._reload.sources.definitions import Index
    from gcremap._reload.sources.source import Source

_DEPTH = 3
"""Of tables in tables: handlers by event, by state."""


def carry_registrations(
    job: Job, name: str, old: Any, new: Any, final: Callable[[Any], Any]
) -> None:
    """Give the new object that the module has by a name the entries of the old one for functions
    and classes of modules that import this one: these do not run again now, and the source of
    this one, which does not speak of them, cannot have made the entries."""
    is_to_be_new = name in job.policy.replace or job.policy.state == "replace"
    if not is_to_be_new and job.was.text is not None and job.now.text is not None:
        _Registrations(job, old).carry(containers_of(old, new, final))


class _Registrations:
    """What stands in an object of a module."""

    def __init__(self, job: Job, old: Any) -> None:
        self._job = job
        self._old = old
        self._spoken = _spoken_of(job.was, job.old_index) | _spoken_of(job.now, job.new_index)
        self._apart: set[int] = set()

    def carry(self, tables: list[tuple[Any, Any]]) -> None:
        self._apart = {id(self._old), *(id(table) for table, _ in tables)}
        for table, other in tables:
            self._merge(table, other, _DEPTH)

    def _merge(self, table: Any, other: Any, depth: int) -> None:
        if len(table) > MUCH:
            return
        if not is_a(table, dict):
            present = set(map(id, entries(other)))
            more = [
                each
                for each in entries(table)
                if id(each) not in present and self._are_of_others((each,))
            ]
            if more:
                refill(other, [*entries(other), *more])
            return
        for key, value in entries(table):
            nested = depth > 0 and type(value) in CONTAINERS
            if nested and type(dict.get(other, key)) is type(value):
                self._merge(value, dict.get(other, key), depth - 1)
            elif not dict.__contains__(other, key):
                group = type(value)() if nested else value
                if nested:
                    self._merge(value, group, depth - 1)
                if group if nested else self._are_of_others((key, value)):
                    put(other, key, group)

    def _are_of_others(self, entry: Iterable[Any]) -> bool:
        if not self._importers:
            return False
        found = [
            part
            for each in entry
            for part in inside(each, self._apart)
            if is_class(part) or is_function(part)
        ]
        name = self._job.name
        own = any(module_of(each) == name and "<" not in qualname_of(each) for each in found)
        return not own and any(map(self._is_of_an_importer, found))

    def _is_of_an_importer(self, definition: Any) -> bool:
        own = qualname_of(definition).rpartition(".")[2]
        return own not in self._spoken and str(module_of(definition)) in self._importers

    @functools.cached_property
    def _importers(self) -> frozenset[str]:
        """The modules that have something of this one."""
        own = _what_importers_have(self._job)
        return frozenset(
            name
            for name, module in list(sys.modules.items())
            if is_a(module, ModuleType)
            and name != self._job.name
            and name not in self._job.later
            and any(id(value) in own for value in list(vars(module).values()))
        )


def _spoken_of(source: Source, index: Index | None) -> frozenset[str]:
    """The names in a source that may be of what others define."""
    own = {name for name, definition in (index or {}).items() if definition.is_code}
    return source.words() - own | frozenset(re.findall(r"\.\s*(\w+)", source.text or ""))


def _what_importers_have(job: Job) -> set[int]:
    """The module, its packages and what it had defined itself, by identity."""
    parts = job.name.split(".")
    names = (".".join(parts[:count]) for count in range(1, len(parts) + 1))
    index = job.old_index or {}
    own = [sys.modules.get(name) for name in names] + [
        value
        for name, value in job.snapshot.namespace.items()
        if name in index and not index[name].is_import
    ]
    shared = (*ATOMS, tuple, frozenset, type(None))  # of which anybody may have the same one
    return {id(each) for each in own if not is_a(each, shared)}

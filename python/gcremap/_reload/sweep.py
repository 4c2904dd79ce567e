"""What code that failed has left in containers elsewhere is taken out of them again."""

from __future__ import annotations

import atexit
import gc
import weakref
from collections.abc import Iterable
from types import (
    CoroutineType,
    FrameType,
    GeneratorType,
    MethodType,
    ModuleType,
    TracebackType,
)
from typing import TYPE_CHECKING, Any

from gcremap import _native
from gcremap._reload import codes
from gcremap._reload.contents import (
    CONTAINERS,
    dict_of,
    drop,
    entries,
    is_namespace,
    is_record,
    put,
    refill,
)
from gcremap._reload.kinds import is_a, is_class, is_function, module_of
from gcremap._reload.near import ENTRIES
from gcremap._reload.refusals import kept_by_the_interpreter

if TYPE_CHECKING:
    from gcremap._reload.match import Matcher
    from gcremap._reload.transaction import Job

_DEPTH = 4
"""So many holders are between a definition and an entry: a cell, its tuple, a function, a route."""
_APART = (FrameType, TracebackType, GeneratorType, CoroutineType, ModuleType, BaseException)
"""What is no part of an entry."""


def made_by(jobs: Iterable[Job], young: list[Any], matcher: Matcher) -> list[Any]:
    """The functions and classes that the new code of some modules has made just now."""
    spaces = {id(job.namespace): set(map(id, codes.tree(job.ran))) for job in jobs if job.ran}
    names = {job.name for job in jobs}
    known = set(map(id, young))
    olds = {id(value) for job in jobs for value in job.snapshot.namespace.values()}
    bound = [
        value
        for job in jobs
        for value in list(job.namespace.values())
        if (id(value) in known if known else id(value) not in olds)
    ]
    found = [
        each
        for each in (*bound, *young)
        if (is_class(each) and module_of(each) in names)
        or (is_function(each) and id(each.__code__) in spaces.get(id(each.__globals__), ()))
    ]
    for pair in matcher.pairs:
        new = pair.new  # of a function that was updated this has the old code now
        if (is_class(new) and module_of(new) in names) or (
            is_function(new) and id(new.__globals__) in spaces
        ):
            found.append(new)
    return found


class Sweep:
    """Takes entries for definitions out of containers that are older than these.

    made      the definitions
    young     what was made together with them
    lost      by name, the old definitions that some entry for a new one has taken the place of
    """

    def __init__(
        self, made: list[Any], young: list[Any], lost: dict[str, Any], matcher: Matcher
    ) -> None:
        self._made = made
        self._left = kept_by_the_interpreter() | {id(made), id(young)}
        self._left.update(map(id, vars(matcher).values()))
        self._young = set(map(id, young))
        self._lost = lost
        self._matcher = matcher
        self._leading = set(map(id, made))
        """The definitions, and what was made together with them and leads to one."""
        self._spaces: dict[int, bool] = {}
        """The attributes of older objects."""

    def run(self) -> None:
        for each in self._made:
            atexit.unregister(each)
        found = self._find()
        dicts = {id(each): each for each in found if type(each) is dict}
        spaces = self._spaces | _namespaces(dicts)
        for each in found:
            if not is_a(each, dict):
                before = entries(each)
                stays = [entry for entry in before if id(entry) not in self._leading]
                if len(stays) < len(before):
                    refill(each, stays)
            elif id(each) not in spaces or spaces[id(each)]:
                self._clean(each, id(each) in spaces)

    def _find(self) -> list[Any]:
        """The older containers that have a definition, or something that leads to one."""
        found: dict[int, Any] = {}
        left = self._left | {id(found)}
        # A class knows its subclasses by references without a callback.
        weak = [
            reference
            for each in self._made
            for reference in weakref.getweakrefs(each)
            if reference.__callback__ is not None
        ]
        self._leading.update(map(id, weak))
        wanted = [*self._made, *weak]
        left.add(id(weak))
        for _ in range(_DEPTH):
            left.add(id(wanted))
            holders = _native._holders_of(*wanted) if wanted else []
            known = left | self._leading | found.keys()
            holders = [each for each in holders if id(each) not in known]
            wanted = self._parts(holders)
            self._leading.update(map(id, wanted))
            for each in holders:
                if id(each) in self._leading or is_a(each, _APART) or is_class(each):
                    continue
                if is_a(each, CONTAINERS):
                    found[id(each)] = each
                elif (space := dict_of(each)) is not None:
                    found[id(space)] = space
                    self._spaces[id(space)] = True
            del holders
        return list(found.values())

    def _parts(self, holders: list[Any]) -> list[Any]:
        """Those that were made together with a definition."""
        made = [
            each
            for each in holders
            if is_a(each, ENTRIES)
            or (id(each) in self._young and not is_a(each, _APART) and not is_namespace(each))
        ]
        # A dict may be older than it looks: as long as it is empty it is not tracked.
        doubtful = {id(each): each for each in made if is_a(each, dict) and not is_record(each)}
        spaces = _namespaces(doubtful)
        return [each for each in made if id(each) not in doubtful or id(each) in spaces]

    def _clean(self, container: Any, is_space: bool) -> None:
        """What was there before is put back; if that is not known, a namespace is left alone."""
        for key, value in entries(container):
            if id(value) in self._leading:
                former = self._formed(value)
                if former is not None and id(key) not in self._leading:
                    put(container, key, former)
                    continue
            if not is_space and (id(value) in self._leading or id(key) in self._leading):
                drop(container, key)

    def _former(self, value: Any) -> Any | None:
        """What a definition is a version of."""
        pair = self._matcher.by_new.get(id(value))
        if pair is not None:
            return pair.old
        own = id(value) in self._leading and (is_class(value) or is_function(value))
        return self._lost.get(value.__qualname__) if own else None

    def _formed(self, value: Any) -> Any | None:
        """What leads to a new definition, made to lead to the former one; None if there was
        none, so that nothing can have been there."""
        former = self._former(value)
        if former is not None:
            return former
        if is_a(value, MethodType):
            function = self._former(value.__func__)
            return MethodType(function, value.__self__) if function is not None else None
        if type(value) is tuple:
            parts = [self._formed(part) if id(part) in self._leading else part for part in value]
            return tuple(parts) if None not in parts else None
        return None


def _namespaces(chosen: dict[int, Any]) -> dict[int, bool]:
    """The dicts that are of modules, instances or classes; whether they may be written to."""
    found = {key: True for key, each in chosen.items() if is_namespace(each)}
    for holder in _native._holders_of(*chosen.values()) if chosen else ():
        if is_class(holder):
            parts = map(id, gc.get_referents(holder))
            found.update((part, False) for part in parts if part in chosen)
        else:
            space = id(dict_of(holder))
            if space in chosen:
                found[space] = True
    return found

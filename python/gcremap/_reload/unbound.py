"""What no name of the module leads to: overloads in a registry, lambdas, closures, and classes
that a decorator or a table has."""

from __future__ import annotations

import builtins
import functools
import gc
import sys
import types
from collections import defaultdict, deque
from collections.abc import Iterable
from itertools import chain
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from gcremap._reload import codes
from gcremap._reload.defaults import Defaults
from gcremap._reload.definitions import CLASS
from gcremap._reload.match import LRU_CACHE, Matcher, Site, is_class, is_function
from gcremap._reload.near import Nursery

if TYPE_CHECKING:
    from gcremap._reload.transaction import Job


class UnboundClasses:
    """Classes that statements of the modules define, and that are not under their names.

    Made before the new source runs, and asked to match afterwards.
    """

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._jobs = {job.name: job for job in jobs}
        self._wanted = {
            (job.name, name)
            for job in self._jobs.values()
            for name, definition in (job.new_index or {}).items()
            if definition.kinds == {CLASS}
            and len(definition.prints) == 1
            and not is_class(job.snapshot.namespace.get(name))
        }
        self._olds = self._living()

    def match(self, matcher: Matcher) -> None:
        """Pair those of which there was one, and is one more now."""
        for (module, name), classes in self._living().items():
            olds = self._olds[module, name]
            news = [each for each in classes if not any(each is old for old in olds)]
            job = self._jobs[module]
            if len(olds) > 1:  # some are of a module that is gone, and wait for the collector
                near = set(map(id, _reachable(job)))
                olds = [each for each in olds if id(each) in near]
            if len(olds) != 1 or len(news) != 1:
                continue
            olds_said, news_say = job.old_index or {}, job.new_index or {}
            matcher.match(
                olds[0], news[0], Site(name, module, olds_said.get(name), news_say.get(name))
            )
        self._olds.clear()

    def _living(self) -> dict[tuple[str, str], list[type]]:
        found: dict[tuple[str, str], list[type]] = {key: [] for key in self._wanted}
        todo: list[type] = [object] if found else []
        seen: set[int] = set()
        while todo:
            cls = todo.pop()
            if id(cls) in seen:
                continue
            seen.add(id(cls))
            todo += type.__subclasses__(cls)
            key = (cls.__module__, cls.__qualname__)
            if key in found and cls.__flags__ & _OF_C_CODE == _HEAPTYPE:
                found[key].append(cls)
        return found


_HEAPTYPE = 1 << 9
_OF_C_CODE = _HEAPTYPE | 1 << 8
"""Py_TPFLAGS_HEAPTYPE and _IMMUTABLETYPE (object.h): a class statement sets the first alone.

What C code has made may go by the same name: datetime.IsoCalendarDate in Python 3.11.
"""


def match_unbound(jobs: Iterable[Job], matcher: Matcher, nursery: Nursery) -> None:
    """Find every living function of the modules by its globals.

    Where one old function and one new one have matching code they are a pair. The others
    that run old code (closures made many times) get their new code one by one.
    """
    for job in jobs:
        fresh = _identities(job.ran)
        defaults = Defaults(job.was.tree, job.now.tree)
        olds: dict[CodeType, list[FunctionType]] = defaultdict(list)
        news: dict[int, list[FunctionType]] = defaultdict(list)
        for function in _functions(job, nursery):
            if id(function.__code__) in fresh:
                if id(function) not in matcher.by_new:
                    news[id(function.__code__)].append(function)
            elif id(function) not in matcher.by_old:
                olds[function.__code__].append(function)
        for code, functions in olds.items():
            became = matcher.code_map.get(code)
            if became is None:
                continue
            twins = news.get(id(became), [])
            if len(functions) == len(twins) == 1:
                site = Site(became.co_qualname, job.name)
                matcher.match(functions[0], twins[0], site)
                continue
            same = code == became and code.co_filename == became.co_filename
            for function in functions:
                parts = defaults.of(function, became)
                if parts is not None or not same:
                    matcher.orphans.append((function, became, parts))


_ENOUGH = 10_000
"""After so many objects on the way a look at the whole heap is as well."""
_WAYS = (
    dict, list, tuple, set, frozenset, deque, types.CellType, types.MethodType,
    property, staticmethod, classmethod, functools.partial, LRU_CACHE,
)  # fmt: skip


def _functions(job: Job, nursery: Nursery) -> list[FunctionType]:
    """All living functions with the namespace of a module as their globals.

    Nearly always these are what was made just now, and what the old names lead to.
    """
    namespace, gauge = vars(job.module), list[object]()
    # By itself: a list that is being made would be among the objects, and so hold itself.
    young = nursery.objects() or []
    known = {id(each): each for each in chain(_reachable(job), young)}
    found = [each for each in known.values() if is_function(each) and each.__globals__ is namespace]
    del known, young
    references = len(found) + (vars(job.module) is namespace)
    if sys.getrefcount(namespace) - sys.getrefcount(gauge) == references:
        return found
    return [
        each
        for each in gc.get_referrers(namespace)
        if is_function(each) and each.__globals__ is namespace
    ]


def _reachable(job: Job) -> list[Any]:
    """What the old names of a module lead to, over its own functions, classes and objects."""
    seen: dict[int, Any] = {id(job.namespace): None, id(vars(builtins)): None}
    todo = list(job.snapshot.namespace.values())
    while todo and len(seen) < _ENOUGH:
        each = todo.pop()
        if id(each) in seen:
            continue
        seen[id(each)] = each
        kind = type(each)
        if is_class(each):
            if each.__module__ == job.name:
                todo += vars(each).values()
        elif kind is FunctionType:
            if each.__module__ == job.name:
                todo += gc.get_referents(each)
        elif kind in _WAYS or kind.__module__ == job.name:
            todo += gc.get_referents(each)
    return [each for each in seen.values() if each is not None]


def _identities(code: CodeType | None) -> set[int]:
    return {id(each) for each in codes.tree(code)} if code is not None else set()

"""What no name of the module leads to: overloads in a registry, lambdas, closures, and classes
that a decorator or a table has."""

from __future__ import annotations

import builtins
import enum
import functools
import gc
import sys
import types
from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from itertools import chain
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from gcremap import _native
from gcremap._reload.matching.defaults import Defaults
from gcremap._reload.matching.match import Matcher, Orphan, Site
from gcremap._reload.matching.near import Nursery
from gcremap._reload.objects.contents import ATOMS, parts
from gcremap._reload.objects.kinds import (
    LRU_CACHE,
    cells_of,
    is_a,
    is_class,
    is_function,
    is_of_a_statement,
    module_of,
    namespace_of,
)
from gcremap._reload.sources import codes

if TYPE_CHECKING:
    from gcremap._reload.matching.job import Job


def match_unbound_classes(jobs: Iterable[Job], matcher: Matcher, nursery: Nursery) -> None:
    """Pair the classes that the new source has made and that are not under their names.

    A decorator or a table has them, or they were made by a call of `type`. There is one that
    says the same of itself, over the same bases, if it was made by the old source.
    """
    by_name = {job.name: job for job in jobs}
    young = nursery.classes()
    fresh = set(map(id, young))
    news: dict[tuple[Any, str], list[type]] = defaultdict(list)
    for cls in young:
        key = said_of(cls)
        if id(cls) not in matcher.by_new and "<" not in key[1]:
            news[key].append(cls)
    for key, classes in news.items():
        job = by_name.get(key[0])
        # The new source may have taken another one for it: `from _elementtree import *`.
        taken = job.namespace.get(key[1]) if job is not None else None
        olds = {
            known: each
            for known, each in _namesakes(classes[0], matcher).items()
            if known not in fresh and known not in matcher.by_old and each is not taken
        }
        if len(olds) > 1:
            # Some are of a module that is gone, and wait for the collector.
            near = set(map(id, chain.from_iterable(map(_reachable, by_name.values()))))
            olds = {known: each for known, each in olds.items() if known in near}
        if len(olds) == len(classes) == 1:
            was, now = (job.old_index or {}, job.new_index or {}) if job is not None else ({}, {})
            site = Site(key[1], key[0], was.get(key[1]), now.get(key[1]))
            [old] = olds.values()
            matcher.match(old, classes[0], site)


def match_combinations(matcher: Matcher) -> None:
    """Pair combinations of flags, `R | W`, that the new source has made: no name leads to them."""
    for pair in list(matcher.pairs):
        old, new = pair.old, pair.new
        if not (
            is_a(old, enum.EnumType) and is_a(new, enum.EnumType) and issubclass(new, enum.Flag)
        ):
            continue
        known = new._value2member_map_
        for value, member in old._value2member_map_.items():
            if value in known:
                matcher.add_data(member, known[value], Site(pair.path, pair.module), keep=True)


_replaced: WeakValueDictionary[int, Any] = WeakValueDictionary()
"""Classes that were replaced, and functions that were found here and are not used, which wait for
the collector; by identity: a metaclass may have a `__hash__` of its own."""


def note_replaced(matcher: Matcher) -> None:
    """What was replaced is no old side of anything any more."""
    _replaced.update((id(p.old), p.old) for p in matcher.pairs if is_class(p.old) and not p.keep)
    unused = [
        pair.new if pair.keep else pair.old
        for pair in matcher.pairs
        if pair.definition is None and is_function(pair.old)
    ]
    _replaced.update((id(each), each) for each in unused)


def _namesakes(cls: type, matcher: Matcher) -> dict[int, type]:
    """Classes that say the same of themselves over what its bases were, by identity."""
    found = {}
    for base in cls.__bases__:
        pair = matcher.by_new.get(id(base))
        each: type
        for each in type.__subclasses__(base if pair is None else pair.old):
            if id(each) in _replaced:
                continue
            if said_of(each) == said_of(cls) and is_of_a_statement(each):
                found[id(each)] = each
    return found


def said_of(cls: type) -> tuple[Any, str]:
    """The module, if there is one, and name that a class gives, without asking its metaclass."""
    return module_of(cls), type.__getattribute__(cls, "__qualname__")


def match_unbound(jobs: Iterable[Job], matcher: Matcher, nursery: Nursery) -> None:
    """Find every living function of the modules by its globals.

    Where one old function and one new one have matching code they are a pair. The others
    that run old code (closures made many times) get their new code one by one.
    """
    for job in jobs:
        fresh = _identities(job.ran)
        defaults = Defaults(job.was.statements, job.now.statements)
        is_edited = not job.now.says_the_same(job.was)
        olds: dict[CodeType, list[FunctionType]] = defaultdict(list)
        news: dict[int, list[FunctionType]] = defaultdict(list)
        for function in _functions(job, matcher, nursery):
            if id(function.__code__) in fresh:
                if id(function) not in matcher.by_new:
                    news[id(function.__code__)].append(function)
            elif id(function) not in matcher.by_old and id(function) not in _replaced:
                olds[function.__code__].append(function)
        for code, functions in olds.items():
            became = matcher.code_map.get(code)
            if became is None:
                continue
            twins = news.get(id(became), [])
            site = Site(became.co_qualname, job.name)
            if len(functions) == len(twins) == 1 and _of_one_class(functions[0], twins[0], matcher):
                matcher.match(functions[0], twins[0], site)
                continue
            for old, new in _of_one_making(functions, twins, matcher):
                matcher.match(old, new, site)
                functions.remove(old)
            same = code == became and code.co_filename == became.co_filename
            for function in functions:
                given = defaults.of(function, became) if is_edited else None
                if given is not None or not same:
                    matcher.orphans.append(Orphan(function, became, given, next(iter(twins), None)))


def _of_one_class(old: FunctionType, new: FunctionType, matcher: Matcher) -> bool:
    """Whether `super()` in both of them is that of one class; or of none."""
    mine, other = (cells_of(each).get("__class__") for each in (old, new))
    if mine is None or other is None:
        return True
    try:
        owners = (mine.cell_contents, other.cell_contents)
    except ValueError:
        return True
    return matcher.final(owners[0]) is matcher.final(owners[1])


def _of_one_making(
    olds: list[FunctionType], news: list[FunctionType], matcher: Matcher
) -> list[tuple[FunctionType, FunctionType]]:
    """Of the functions that a loop, say, has made of one code, old and new ones with the same
    defaults and variables, where there are as many of both."""
    if len(olds) * len(news) > _ENOUGH:
        return []
    like: dict[tuple[int, ...], tuple[list[FunctionType], list[FunctionType]]] = {}
    for new in news:
        found = [old for old in olds if _has_the_same(old, new, matcher)]
        like.setdefault(tuple(map(id, found)), (found, []))[1].append(new)
    chosen = Counter(old for alike in like for old in alike)
    return [
        pair
        for alike, (found, twins) in like.items()
        if len(found) == len(twins) and all(chosen[old] == 1 for old in alike)
        for pair in zip(found, twins, strict=True)
    ]


def _has_the_same(old: FunctionType, new: FunctionType, matcher: Matcher) -> bool:
    olds, news = list(parts(old)), list(parts(new))
    return len(olds) == len(news) and all(
        matcher.final(mine) is matcher.final(other)
        or (mine is old and other is new)
        or (type(mine) is type(other) and is_a(mine, ATOMS) and bool(mine == other))
        for mine, other in zip(olds, news, strict=True)
    )


_ENOUGH = 10_000
"""After so many objects on the way a look at the whole heap is as well."""
_WAYS = (
    dict, list, tuple, set, frozenset, deque, types.CellType, types.MethodType,
    property, staticmethod, classmethod, functools.partial, LRU_CACHE,
)  # fmt: skip


def _functions(job: Job, matcher: Matcher, nursery: Nursery) -> list[FunctionType]:
    """All living functions with the namespace of a module as their globals.

    Nearly always these are what was made just now, what has been matched with that already, and
    what else the old names lead to.
    """
    namespace, gauge = vars(job.module), list[object]()

    def of_the_module(objects: Iterable[Any]) -> dict[int, FunctionType]:
        return {
            id(each): each
            for each in objects
            if type(each) is FunctionType and each.__globals__ is namespace
        }

    def are_all() -> bool:
        references = len(found) + (vars(job.module) is namespace)
        return sys.getrefcount(namespace) - sys.getrefcount(gauge) == references

    # By itself: a list that is being made would be among the objects, and so hold itself.
    young = nursery.objects() or []
    found = of_the_module(chain(young, (pair.old for pair in matcher.pairs)))
    del young
    if not are_all():
        # What was replaced earlier is kept for C code that may be using it.
        found |= of_the_module(_reachable(job, *_native._pinned()))
    if not are_all():
        found = of_the_module(_native._holders_of(namespace))
    return list(found.values())


def _reachable(job: Job, *others: Any) -> list[Any]:
    """What the old names of a module, and `others`, lead to, over its own functions, classes
    and objects."""
    seen: dict[int, Any] = {id(job.namespace): None, id(vars(builtins)): None}
    todo = [*job.snapshot.namespace.values(), *others]
    while todo and len(seen) < _ENOUGH:
        each = todo.pop()
        if id(each) in seen:
            continue
        seen[id(each)] = each
        kind = type(each)
        if is_class(each):
            if module_of(each) == job.name:
                todo += namespace_of(each).values()
        elif kind is FunctionType:
            if each.__module__ == job.name:
                todo += gc.get_referents(each)
        elif kind in _WAYS or module_of(kind) == job.name:
            todo += gc.get_referents(each)
    return [each for each in seen.values() if each is not None]


def _identities(code: CodeType | None) -> set[int]:
    return {id(each) for each in codes.tree(code)} if code is not None else set()

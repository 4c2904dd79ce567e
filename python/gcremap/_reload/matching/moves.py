"""Definitions that stand in another module now, where they were a name is imported, or have
another name."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gcremap._reload.matching.match import Matcher, Site
from gcremap._reload.objects.kinds import (
    is_a,
    is_class,
    is_function,
    is_of_a_statement,
    module_of,
    mro_of,
    namespace_of,
)
from gcremap._reload.sources import source
from gcremap._reload.sources.definitions import CLASS, DEF, Definition, Index

if TYPE_CHECKING:
    from gcremap._reload.matching.job import Job


def match_moved(job: Job, jobs: Iterable[Job], matcher: Matcher) -> None:
    """Pair a function or class that no source has in its place any more with what its name
    leads to, if that has the same name: `from core import Cart`, where Cart was.

    jobs   all of the transaction; those after `job` have not run yet
    """
    by_name = {each.name: each for each in jobs}
    for name in sorted(job.stored & job.snapshot.namespace.keys()):
        old, new = job.snapshot.namespace[name], job.namespace.get(name)
        if id(old) in matcher.by_old:
            continue
        if not (is_function(old) and is_function(new)) and not (
            is_class(old) and is_class(new) and is_of_a_statement(new)
        ):
            continue
        moved = _is_moved(name, old, new, matcher) and _has_left(name, old, new, by_name)
        if not moved and not _is_renamed(name, old, new, job, matcher):
            continue
        first = len(matcher.pairs)
        sides = (_definition(old, by_name, now=False), _definition(new, by_name))
        matcher.match(old, new, Site(name, job.name, *sides, certain=True))
        for pair in matcher.pairs[first:]:
            # The new one has its own globals, and is perhaps in use already.
            pair.keep, pair.changed, pair.is_moved = False, True, moved


def match_methods(matcher: Matcher) -> None:
    """Pair methods that stand in another class now, or have another name."""
    _match_pushed_down(matcher)
    _match_renamed(matcher)


def _match_pushed_down(matcher: Matcher) -> None:
    """Pair a method that has gone from a base with the one that the only class over it which has
    one of its name got."""
    found: dict[int, list[tuple[Any, Any, Site]]] = {}
    for pair in matcher.pairs:
        if not (is_class(pair.old) and is_class(pair.new)):
            continue
        olds, above = namespace_of(pair.old), mro_of(pair.old)[1:]
        if not any(id(each) in matcher.by_old for each in above):
            continue
        for name, new in namespace_of(pair.new).items():
            if name in olds:
                continue
            owner = next((each for each in above if name in namespace_of(each)), None)
            if owner is None or id(owner) not in matcher.by_old:
                continue
            old = namespace_of(owner)[name]
            sides = (Definition(name, {DEF}), pair.new_members.get(name))
            if type(old) is type(new) and id(old) not in matcher.by_old:
                site = Site(f"{pair.path}.{name}", pair.module, *sides, certain=True)
                found.setdefault(id(old), []).append((old, new, site))
    for candidates in found.values():
        if len(candidates) == 1:
            matcher.match(*candidates[0])


def _match_renamed(matcher: Matcher) -> None:
    """Pair a method with one that got a name which nothing had, if the old name is another word
    for that, `old = new` in the body of the class, where `def old` was; or the reverse."""
    for pair in [each for each in matcher.pairs if is_class(each.old) and is_class(each.new)]:
        befores, nows = pair.old_members, pair.new_members
        for name in sorted(befores.keys() & nows.keys()):
            if befores[name].is_code == nows[name].is_code:
                continue
            [another, *more] = (befores if nows[name].is_code else nows)[name].reads or ("",)
            if more or not (
                _has_new_name(name, another, befores, nows)
                or _has_new_name(name, another, nows, befores)
            ):
                continue
            olds, news = namespace_of(pair.old), namespace_of(pair.new)
            old, new = olds.get(name), news.get(name)
            if old is not olds.get(another) and new is not news.get(another):
                continue  # it is computed from that
            sides = befores.get(another, befores[name]), nows.get(another, nows[name])
            site = Site(f"{pair.path}.{name}", pair.module, *sides)
            first = len(matcher.pairs)
            matcher.match(old, new, site)
            for inner in matcher.pairs[first:]:
                if is_class(inner.old):  # it has its name from the new one
                    inner.keep, inner.changed = False, True
            for kind in (staticmethod, classmethod):
                if type(old) is kind is type(new):
                    matcher.match(old.__func__, new.__func__, site)


def _is_moved(name: str, old: Any, new: Any, matcher: Matcher) -> bool:
    return (
        old is not new
        and module_of(old) != module_of(new)
        and old.__qualname__ == new.__qualname__ == name
        and id(new) not in matcher.by_new
    )


def _has_left(name: str, old: Any, new: Any, jobs: dict[str, Job]) -> bool:
    """Whether the module that `old` is of has something else in its place, or is no more."""
    home = jobs.get(module_of(old))
    if home is None:
        return source.is_orphaned(old)
    if home.snapshot.namespace.get(name) is not old:
        return False
    if not home.has_run:
        definition = home.new_index.get(name) if home.new_index is not None else None
        return home.new_index is not None and (definition is None or definition.is_import)
    return name not in home.stored or home.namespace.get(name) is new


def _is_renamed(name: str, old: Any, new: Any, job: Job, matcher: Matcher) -> bool:
    """Whether a definition has got a name that nothing had, and its old one is another word for
    that, `Old = New`, where `class Old` was; or the reverse."""
    before, now = job.old_index or {}, job.new_index or {}
    if module_of(old) != job.name or module_of(new) != job.name or id(new) in matcher.by_new:
        return False
    was, became = old.__qualname__, new.__qualname__
    if was == name:
        return became not in job.snapshot.namespace and _has_new_name(name, became, before, now)
    return became == name and was not in job.stored and _has_new_name(name, was, now, before)


def _has_new_name(name: str, another: str, before: Index, now: Index) -> bool:
    """Whether a definition has another name and is still bound to its own, where nothing had
    the other one."""
    is_code = all(
        place in index and index[place].is_code for place, index in ((name, before), (another, now))
    )
    return is_code and another not in before and name in now


def _definition(value: Any, jobs: dict[str, Job], *, now: bool = True) -> Definition:
    """What the module that `value` is of says of it, as far as that is known."""
    kind, name = CLASS if is_class(value) else DEF, value.__qualname__
    job = jobs.get(module_of(value))
    if job is not None:
        index = job.new_index if now else job.old_index
    else:
        module = sys.modules.get(module_of(value))  # loaded by this reload
        index = source.loaded(module).index() if now and is_a(module, ModuleType) else None
    known = (index or {}).get(name)
    if known is None or known.kinds != {kind}:
        return Definition(name, {kind})
    return replace(known, decorators=[])

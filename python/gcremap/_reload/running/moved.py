"""Values whose defining statement stands in another module now stay."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

from gcremap._errors import RemapError
from gcremap._native import remap
from gcremap._reload.matching.job import Job
from gcremap._reload.matching.state import SCALARS, is_equal
from gcremap._reload.objects.kinds import is_a
from gcremap._reload.running.followers import Followers
from gcremap._reload.running.order import imported_names
from gcremap._reload.sources import record, source
from gcremap._reload.sources.definitions import DATA, Definition, Index

_MISSING: Any = object()


class Place(NamedTuple):
    """A module that the transaction has given names it did not have."""

    module: ModuleType
    defines: Index
    before: Collection[str]
    """The names that it had."""


class Moved(NamedTuple):
    """A name that stood in the module of a job."""

    job: Job
    name: str
    place: Place


def carry_over(
    jobs: Sequence[Job],
    modules: Collection[str],
    final: Callable[[Any], Any],
    undo: list[Callable[[], Any]],
) -> None:
    """Give names that moved the values they had. `modules` are those that were loaded before,
    `final` says what a value became."""
    followers = Followers(undo, sources={id(job.module): job.now for job in jobs})
    for moved in _moves(jobs, modules):
        namespace, name = vars(moved.place.module), moved.name
        old, new = final(moved.job.snapshot.namespace[name]), namespace[name]
        if old is new:
            continue
        if type(old) is type(new) and not is_a(new, SCALARS):
            try:
                report = remap([(new, old)], exclude=[moved.job.snapshot.namespace])
            except RemapError as error:
                moved.job.report.warnings.append(f"{name} is taken anew in its new module: {error}")
                continue
            undo.append(report.undo)
        before = dict(namespace)
        namespace[name] = old
        undo.append(partial(namespace.__setitem__, name, new))
        followers.follow(moved.place.module, before | {name: new}, namespace)
        moved.job.report.kept.append(name)


def _moves(jobs: Sequence[Job], modules: Collection[str]) -> Iterator[Moved]:
    places: list[Place] | None = None
    for job in jobs:
        names = [name for name, was in (job.old_index or {}).items() if _has_left(job, name, was)]
        if not names:
            continue
        if places is None:
            places = list(_places(jobs, modules))
        imported = set(imported_names(job.now.statements or (), job.module))
        for name in names:
            was = (job.old_index or {})[name]
            found = [
                place
                for place in places
                if _says_the_same(name, was, place, job)
                and (record.module_name(place.module) in imported or _has_definitions(place, job))
            ]
            if len(found) == 1:
                yield Moved(job, name, found[0])


def _has_left(job: Job, name: str, was: Definition) -> bool:
    """Whether it was state that no statement of the module defines any more."""
    if was.kinds != {DATA} or name not in job.snapshot.namespace or job.new_index is None:
        return False
    now = job.new_index.get(name)
    takes_anew = job.policy.state == "replace" or name in job.policy.replace
    return (now is None or now.is_import) and not takes_anew


def _places(jobs: Sequence[Job], modules: Collection[str]) -> Iterator[Place]:
    for job in jobs:
        if is_a(job.module, ModuleType) and job.new_index is not None:
            yield Place(job.module, job.new_index, job.snapshot.namespace.keys())
    for name, module in list(sys.modules.items()):
        if name not in modules and is_a(module, ModuleType):
            index = source.loaded(module).index()
            if index is not None:
                yield Place(module, index, ())


def _says_the_same(name: str, was: Definition, place: Place, job: Job) -> bool:
    """Whether what defined a name in a module is what defines a new one of another."""
    now = place.defines.get(name)
    namespace = vars(place.module)
    if now is None or name in place.before or name not in namespace or not was.same(now):
        return False
    olds = job.snapshot.namespace
    return all(_is_same(read, olds, namespace) for read in was.reads - {name})


def _is_same(name: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    old, new = olds.get(name, _MISSING), news.get(name, _MISSING)
    if name.startswith("__"):
        return False  # `__name__` is of the module
    return old is new or (callable(old) and callable(new)) or is_equal(old, new)


def _has_definitions(place: Place, job: Job) -> bool:
    """Whether functions or classes have moved there."""
    return any(
        was.is_code
        and name in place.defines
        and place.defines[name].is_code
        and name not in place.before
        and (name not in (job.new_index or {}) or (job.new_index or {})[name].is_import)
        for name, was in (job.old_index or {}).items()
    )

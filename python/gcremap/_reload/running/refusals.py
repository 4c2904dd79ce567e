"""Registries elsewhere that refuse what they have already: for one more attempt, they have not.

The code that raised shows where it looked: the containers that can be reached from its frames.
From these, and no others, the entries of the old definitions are withdrawn. When the new code
has run, what it did not register again is put back, and what it did stands in the old places.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

from gcremap import _native
from gcremap._reload.matching import state
from gcremap._reload.objects.contents import (
    ATOMS,
    CONTAINERS,
    MUCH,
    attributes,
    entries,
    inside,
    is_namespace,
    is_record,
    refill,
)
from gcremap._reload.objects.kinds import (
    is_a,
    is_class,
    is_function,
    module_of,
    mro_of,
    namespace_of,
    qualname_of,
    subclasses,
)

if TYPE_CHECKING:
    from gcremap._reload.matching.job import Job
    from gcremap._reload.matching.match import Matcher

_DEPTH = 4
"""From a frame over an object, its registry and a group in that."""
_ENOUGH = 20_000
_PASSED_BY = ("gcremap.", "importlib.")


def kept_by_the_interpreter() -> set[int]:
    """Containers without which nothing runs."""
    return {id(each) for module in (sys, threading) for each in vars(module).values()}


class Refusal:
    """What code elsewhere looked at before it raised an error."""

    def __init__(self, error: BaseException, job: Job) -> None:
        self._job = job
        self._seen = {id(each): each for each in _reachable(_roots(error, job.namespace))}
        self._withdrawn: list[tuple[Any, list[Any], set[int]]] = []
        """Containers, with the entries that they had and the places of those withdrawn."""
        self.is_unfounded = False
        """Whether the old code had registered the very same."""

    def withdraw(self, new: Iterable[Any], undo: list[Callable[[], Any]]) -> bool:
        """Take out the entries of the old definitions, all that are not `new`; whether there
        were any. The module is as it was."""
        olds = self._olds(new)
        own, index = self._job.snapshot.namespace, self._job.old_index or {}
        left = {id(own[key]) for key, made in index.items() if made.fresh and key in own}
        left |= kept_by_the_interpreter()
        leads = functools.partial(_leads, olds=olds, apart=self._seen.keys() - olds)
        for each in self._seen.values():
            fits = is_a(each, CONTAINERS) and len(each) <= MUCH and not is_namespace(each)
            if fits and id(each) not in left:
                before = entries(each)
                gone = {
                    place
                    for place, entry in enumerate(before)
                    if any(map(leads, entry if is_a(each, dict) else (entry,)))
                }
                if gone:
                    refill(each, [e for place, e in enumerate(before) if place not in gone])
                    undo.append(functools.partial(refill, each, before))
                    self._withdrawn.append((each, before, gone))
        self._seen.clear()
        return bool(self._withdrawn)

    def _olds(self, new: Iterable[Any]) -> set[int]:
        """The definitions of the module before, and the values that it has made, by identity."""
        job, fresh = self._job, set(map(id, new))
        index = job.old_index or {}
        found: list[Any] = [cls for cls in subclasses(object) if module_of(cls) == job.name]
        values = [value for cls in found for value in namespace_of(cls).values()]
        for key, value in job.snapshot.namespace.items():
            if key in index and not index[key].is_import and key not in state.RESERVED:
                values.append(value)
        for each in _native._holders_of(job.namespace):
            if type(each) is FunctionType and each.__globals__ is job.namespace:
                found.append(each)
        for value in values:
            own = module_of(type(value)) == job.name or id(value) not in self._seen
            if own and not (
                is_a(value, (*ATOMS, ModuleType, type(None))) or _is_of_another(value, job.name)
            ):
                found.append(value)
        return set(map(id, found)) - fresh

    def settle(self, matcher: Matcher) -> None:
        """Put back what the new code has not registered, and what it has into the old places."""
        while self._withdrawn:
            container, before, gone = self._withdrawn.pop()
            now = entries(container)
            merge = _merged_dict if is_a(container, dict) else _merged
            wanted = before if self.is_unfounded else merge(before, now, gone, matcher)
            if len(wanted) != len(now) or any(a is not b for a, b in zip(wanted, now, strict=True)):
                refill(container, wanted)


def _is_of_another(value: Any, module: str) -> bool:
    """Whether it is a class or function that another module has: `kind = str` made neither
    `str` nor what is of this type."""
    if not (is_class(value) or is_a(value, (FunctionType, BuiltinFunctionType))):
        return False
    home = sys.modules.get(str(module_of(value)))
    return (
        home is not None
        and module_of(value) != module
        and vars(home).get(qualname_of(value)) is value
    )


def _merged_dict(before: list[Any], now: list[Any], gone: set[int], matcher: Matcher) -> list[Any]:
    present = dict(now)
    wanted = []
    for place, (key, value) in enumerate(before):
        if key in present:
            wanted.append((key, present.pop(key)))
        elif place in gone:
            wanted.append((key, value))
    return wanted + list(present.items())


def _merged(before: list[Any], now: list[Any], gone: set[int], matcher: Matcher) -> list[Any]:
    left = Counter(id(each) for place, each in enumerate(before) if place not in gone)
    stays: list[Any] = []
    news: list[Any] = []
    for each in now:
        known = left[id(each)] > 0
        left[id(each)] -= known
        (stays if known else news).append(each)
    found: dict[int, Any] = {}
    for key in (_whole, _named, _meant):
        for place in sorted(gone - found.keys()):
            said = key(before[place], matcher)
            at = next((i for i, new in enumerate(news) if key(new, matcher) == said), None)
            if said and at is not None:
                found[place] = news.pop(at)
    present = Counter(map(id, stays))
    wanted = []
    for place, each in enumerate(before):
        if place in gone:
            wanted.append(found.get(place, each))
        elif present[id(each)] > 0:
            present[id(each)] -= 1
            wanted.append(each)
    return wanted + news


def _whole(entry: Any, matcher: Matcher) -> object:
    return (*_named(entry, matcher), *meant) if (meant := _meant(entry, matcher)) else ()


def _named(entry: Any, matcher: Matcher) -> tuple[Any, ...]:
    """What an entry says of itself."""
    if is_a(entry, (FunctionType, MethodType)) or is_class(entry):
        return ()
    said = tuple((type(each), each) for each in inside(entry) if is_a(each, ATOMS))
    return (type(entry), *said) if said else ()


def _meant(entry: Any, matcher: Matcher) -> tuple[Any, ...]:
    """The definitions that an entry is made for, old and new being one; of those that are not
    paired, since the source lacked them for a time, the names."""
    found: list[Any] = []
    for each in inside(entry):
        pair = matcher.by_old.get(id(each)) or matcher.by_new.get(id(each))
        if pair is not None:
            found.append(id(pair))
        elif (is_class(each) or is_function(each)) and "<" not in each.__qualname__:
            found.append((module_of(each), each.__qualname__))
    return tuple(found)


def _roots(error: BaseException, own: dict[str, Any]) -> Iterator[Any]:
    """What the code could see that raised the error, or called what did, in other modules."""
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None:
        frame, traceback = traceback.tb_frame, traceback.tb_next
        name = frame.f_globals.get("__name__")
        if frame.f_globals is own or str(name).startswith(_PASSED_BY):
            continue
        yield from frame.f_locals.values()
        yield from frame.f_globals.values()


def _reachable(roots: Iterable[Any]) -> Iterator[Any]:
    """Containers, and the objects and classes that have them, nearest first."""
    seen: set[int] = set()
    level = list(roots)
    for _ in range(_DEPTH):
        below: list[Any] = []
        for each in level:
            if id(each) in seen or len(seen) > _ENOUGH:
                continue
            if is_a(each, (*ATOMS, ModuleType, FunctionType, type(None))):
                continue
            seen.add(id(each))
            yield each
            if is_class(each):
                below += [type(each), *mro_of(each)[1:]]
                below += namespace_of(each).values()
            elif is_a(each, (*CONTAINERS, tuple)):
                items = dict.values(each) if is_a(each, dict) else each
                below += [item for item in list(items) if is_a(item, (*CONTAINERS, tuple))]
            elif is_a(each, MethodType):
                below.append(each.__self__)
            else:
                below += [type(each), *attributes(each)]
        level = below


def _leads(value: Any, olds: set[int], apart: set[int]) -> bool:
    """Whether something stands for an old definition: it is one, or consists of one."""
    if is_a(value, CONTAINERS) and not is_record(value):
        return id(value) in olds
    return any(id(each) in olds or id(type(each)) in olds for each in inside(value, apart))

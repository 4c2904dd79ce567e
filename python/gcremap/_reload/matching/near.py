"""References to what was made just now: nearly always, what refers to it was made just now too.

So it is looked for among the youngest objects of the collector only, and counted; the
reference counts prove that nothing else refers to it, or that something does.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Collection
from types import (
    CoroutineType,
    FrameType,
    GeneratorType,
    MethodType,
    ModuleType,
    TracebackType,
)
from typing import Any, NamedTuple

from gcremap import _native
from gcremap._reload.matching.match import Pair
from gcremap._reload.objects.contents import is_namespace
from gcremap._reload.objects.kinds import bases_of, is_a, is_class, is_own, mro_of, subclasses

_MANY = 50_000
"""Of more young objects than these it is no gain to look at them alone."""

ENTRIES = (tuple, MethodType)
"""What is registered elsewhere on behalf of something that it holds, however old it looks."""
DEPTH = 4
"""So many holders are between a definition and an entry: a cell, its tuple, a function, a route."""
APART = (FrameType, TracebackType, GeneratorType, CoroutineType, ModuleType, BaseException)
"""What is no part of an entry."""


class Nursery:
    """Keeps all that is made from now on in the youngest generation, where it can be listed.

    It stays there until the collector is switched on again, which others do.

    collects   whether it was on before all this
    """

    def __init__(self, *, collects: bool) -> None:
        self.collects = collects
        self._lists = False
        self._left: list[Any] = []

    def __enter__(self) -> Nursery:
        self._lists = self.collects
        if self.collects:
            gc.collect(0)
            gc.disable()
        else:  # the youngest generation is as old as the program
            self.restart(self.classes_by_now())
        return self

    @staticmethod
    def classes_by_now() -> set[int]:
        return set(map(id, subclasses(object)))

    def restart(self, older: set[int]) -> None:
        """Not all that is young was made since; of classes, those that are not `older`."""
        self._lists = False
        self._older = older

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self.keep()
        self._lists = False

    def keep(self) -> None:
        """Know what is young now later on as well."""
        self._left = self.young()

    def close(self) -> None:
        """Let go of what was kept."""
        self._left = []

    def objects(self) -> list[Any] | None:
        """What was made since; None where that is very much, or cannot be told."""
        return None if gc.get_count()[0] > _MANY else self.young() or None

    def young(self) -> list[Any]:
        """The same however much it is; nothing where it cannot be told. Afterwards, what there
        was when it was kept, as it is after a failure."""
        return gc.get_objects(generation=0) if self._lists else self._left

    def classes(self) -> list[type]:
        """The classes that were made since."""
        if self._lists:
            return [*filter(is_class, self.young())]
        # Only the collector frees a class, so that none has the address of another.
        young = {id(each): each for each in subclasses(object) if id(each) not in self._older}
        return [*young.values()]


class Census(NamedTuple):
    """Which young or near objects refer to what is wanted, and whether others do."""

    holders: list[tuple[Any, list[int]]]
    """Each with the identities of what it refers to."""
    strays: list[Any]
    """What something refers to that is not among these objects."""


def census(nursery: Nursery, wanted: list[Any], near: list[Any]) -> Census:
    """Who refers to what is `wanted`: a list that was made in the nursery, like anything else
    that holds these."""
    young = nursery.objects()
    return Census([], wanted) if young is None else Census(*_native._census(young, near, wanted))


def far_references(
    nursery: Nursery, pairs: list[Pair], near: list[Any], ours: list[list[tuple[Any, ...]]]
) -> list[Pair]:
    """The pairs whose new side is code, or goes, and an older object refers to it: itself
    or through what was made together with it, as an entry of a registry. None of what is
    ours, and no class's own tuples, are such."""
    chosen = [pair for pair in pairs if not pair.data or pair.keep]
    near = [*near, *ours]
    own = {id(part) for p in chosen if is_class(p.new) for part in (mro_of(p.new), bases_of(p.new))}
    own.update(id(each) for entries in ours for each in entries)
    own.update(map(id, pairs))
    far: set[int] = set()
    level = [pair.new for pair in chosen]
    roots: dict[int, Collection[int]] = {id(each): (id(each),) for each in level}
    """For each that leads to new sides, to which."""
    weak = [(ref, each) for each in level for ref in references(each)]
    roots.update({id(ref): (id(each),) for ref, each in weak})
    level += [ref for ref, _ in weak]
    del weak  # or it would count as one who refers to them
    for _ in range(DEPTH):
        holders, strays = census(nursery, level, [*near, level])
        far.update(*(roots[id(each)] for each in strays))
        known = {*roots, *map(id, near), id(level)}
        found = [
            (each, set().union(*map(roots.__getitem__, hits)))
            for each, hits in holders
            if id(each) not in known and id(each) not in own and is_part(each)
        ]
        roots.update({id(each): led for each, led in found})
        level = [each for each, _ in found]
        del holders, strays, found
        if not level or len(far) == len(chosen):
            break
    return [pair for pair in chosen if id(pair.new) in far]


def is_part(value: Any) -> bool:
    """Whether an object can be part of an entry."""
    return not (is_a(value, APART) or is_class(value) or is_namespace(value) or is_own(value))


def references(value: Any) -> list[Any]:
    """The weak references to a definition that someone may have registered: a class knows
    its subclasses by references without a callback."""
    return [
        reference
        for reference in weakref.getweakrefs(value)
        if not is_class(value)
        or (is_a(reference, weakref.ref) and reference.__callback__ is not None)
    ]

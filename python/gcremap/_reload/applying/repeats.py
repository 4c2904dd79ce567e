"""What the new code has registered once more stands in the place of what was registered before.

A list that has an entry for the old definition and one for the new had the old one registered,
and the new source has registered the same definition again: it is one entry in a fresh start.
"""

from __future__ import annotations

import functools
import sys
import weakref
from collections import defaultdict
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from gcremap._reload.applying.trails import Trail
from gcremap._reload.matching.match import Pair
from gcremap._reload.matching.near import DEPTH, ENTRIES
from gcremap._reload.objects import exits
from gcremap._reload.objects.attributes import set_attribute
from gcremap._reload.objects.contents import ATOMS, entries, parts, refill
from gcremap._reload.objects.kinds import is_a, is_class
from gcremap._reload.sources import codes

_MUCH = 10_000
"""A larger container is no registry of definitions."""
_MANY = 300
"""What consists of more is not compared."""

Undo = list[Callable[[], Any]]


def drop_repeats(
    repeated: list[Pair],
    pairs: list[Pair],
    twins: list[Pair],
    young: list[Any],
    own: list[Any],
    undo: Undo,
    *,
    keep: bool,
) -> None:
    """Take from containers elsewhere what a decorator, or a constructor, has added once more.

    repeated   the pairs whose new side something older refers to
    pairs      those of which one side will be all that is referred to
    twins      instances, of which the new one is of no use
    young      what was made together with the new sides
    own        what is no registry
    keep       whether the old sides are those that stay, as a rule
    """
    news = [pair.new for pair in repeated]
    if not news:
        return
    for pair in repeated:
        if is_class(pair.new) and is_class(pair.old):
            _drop_base(pair.old, pair.new, undo)
    left = {id(each) for each in (own, sys._getframe(), *own)}
    trail = Trail(news, young, left)
    containers = trail.containers()
    once = _Once(pairs, twins, trail.leading, keep=keep)
    for container in containers:
        if id(container) in trail.spaces or len(container) > _MUCH:
            continue
        before = entries(container)
        if is_a(container, dict):
            wanted = once.of(before, lambda entry: once.is_apart(entry[0]))
        elif is_a(container, set):
            wanted = once.of(before, once.is_apart)
        else:
            wanted = once.of(before, once.is_new)
        if wanted is not None:
            refill(container, wanted)
            undo.append(functools.partial(refill, container, before))
    callbacks = exits.registered()
    wanted = once.of(callbacks, lambda entry: any(map(once.is_new, entry)))
    if wanted is not None:
        exits.register(wanted)
        undo.append(functools.partial(exits.register, callbacks))


def _drop_base(old: type, new: type, undo: Undo) -> None:
    """Take a class out of the bases of others to which it was added once more."""
    sub: type
    for sub in type.__subclasses__(new):
        before = sub.__bases__
        if old in before:
            set_attribute(sub, "__bases__", tuple(each for each in before if each is not new))
            undo.append(functools.partial(set_attribute, sub, "__bases__", before))


class _Once:
    """Finds the entries that are there for the old definition and for the new one."""

    def __init__(
        self, pairs: list[Pair], twins: list[Pair], leading: set[int], *, keep: bool
    ) -> None:
        both = [*twins, *pairs]
        self._olds = {id(pair.new): pair.old for pair in both}
        self._numbers = {id(side): n for n, pair in enumerate(both) for side in _sides(pair)}
        self._twins = range(len(twins))
        self._addresses = {id(pair.old): id(pair.new) for pair in pairs} if keep else {}
        """Of objects that stay what they are, keys that are made of `id()` do so, too."""
        self._leading = leading

    def is_new(self, entry: Any) -> bool:
        return id(entry) in self._leading

    def is_apart(self, key: Any) -> bool:
        """Whether a key is new and stays apart from the old one when new has become old."""
        if type(key) is int:
            return key in self._olds  # made by id()
        equal = id(key) in self._numbers or is_a(key, (*ENTRIES, weakref.ref))
        return self.is_new(key) and not equal

    def of(self, before: list[Any], is_new: Callable[[Any], bool]) -> list[Any] | None:
        """All of these entries once, each in its first place; None if that is what they are."""
        new = {place for place, entry in enumerate(before) if is_new(entry)}
        kinds = {self._kind(before[place]) for place in new}
        groups: dict[Any, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for place, entry in enumerate(before) if len(new) < len(before) else ():
            if self._kind(entry) in kinds:
                groups[self._meaning(entry)][place in new].append(place)
        placed: dict[int, int] = {}
        gone: set[int] = set()
        for meaning, (olds, news) in groups.items():
            for place in list(news) if meaning else ():
                same = (old for old in olds if self._same(before[old], before[place], set()))
                found = next(same, None)
                if found is not None:
                    olds.remove(found)
                    news.remove(place)
                    gone.add(place)
            if meaning and len(olds) == len(news):
                # Registered for the same definition with other arguments.
                gone.update(news)
                if not any(number in self._twins for number in meaning[1:]):
                    placed.update(zip(olds, news, strict=True))
        if not gone:
            return None
        kept = (place for place in range(len(before)) if place not in gone)
        return [before[placed.get(place, place)] for place in kept]

    def _kind(self, entry: Any) -> int:
        return id(self._olds.get(id(type(entry)), type(entry)))

    def _meaning(self, entry: Any) -> tuple[int, ...]:
        """The definitions that an entry is made for, by number."""
        found = []
        seen = {id(entry)}
        level = [entry]
        for _ in range(DEPTH):
            below: list[Any] = []
            for each in level:
                number = self._numbers.get(id(each))
                if number is None:
                    number = self._numbers.get(id(type(each)))
                    below += parts(each)
                if number is not None:
                    found.append(number)
            level = [each for each in below if id(each) not in seen][:_MANY]
            seen.update(map(id, level))
        return (self._kind(entry), *sorted(found)) if found else ()

    def _same(self, old: Any, new: Any, seen: set[tuple[int, int]]) -> bool:
        """Whether two entries say the same, but that one has old sides of pairs and one new."""
        if old is new or self._olds.get(id(new)) is old or (id(old), id(new)) in seen:
            return True
        if self._kind(old) != self._kind(new) or len(seen) > _MANY:
            return False
        seen.add((id(old), id(new)))
        if is_a(new, ATOMS):
            return bool(old == new) or self._addresses.get(old, None) == new
        if is_class(new) or is_a(new, ModuleType):
            return False
        if is_a(new, FunctionType) and not codes.same(old.__code__, new.__code__):
            return False
        olds, news = list(parts(old)), list(parts(new))
        compare: Any = type(new).__eq__
        if not news and compare is not object.__eq__:
            return bool(old == new)
        return len(olds) == len(news) and all(
            self._same(one, other, seen) for one, other in zip(olds, news, strict=True)
        )


def _sides(pair: Pair) -> tuple[Any, Any]:
    return pair.old, pair.new

"""Classes whose layout or metaclass changed: what of them is made anew, elsewhere too."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from operator import itemgetter
from typing import Any

from gcremap._reload.applying import migrate
from gcremap._reload.matching.match import Matcher
from gcremap._reload.objects.attributes import set_attribute
from gcremap._reload.objects.kinds import bases_of, is_a, mro_of, namespace_of


class Migration:
    """Makes instances and subclasses anew, for the remap to put them in the places of the old."""

    def __init__(self, matcher: Matcher, undo: list[Callable[[], Any]]) -> None:
        self._matcher = matcher
        self._undo = undo
        self.pairs: list[tuple[Any, Any]] = []
        """Each with what was made for it."""
        self.gone: list[Any] = []
        """Instances for which there are others already."""
        self.twins: list[tuple[Any, Any]] = []
        """What the new source has made for an instance that stays, with what was made for that."""
        self.counts: dict[str, int] = {}
        """How many instances there were of classes of a module."""
        self._expected: set[int] = set()
        self._made: dict[int, type] = {}
        """Classes made, by the identities of those they are made for and of their own."""
        undo.append(partial(_silence, self.pairs, 1))

    def finish(self) -> None:
        """There is no way back: what was made takes the place of the old."""
        _silence(self.pairs, 0)

    def expect(self, classes: Iterable[type]) -> None:
        """Say which classes will be moved."""
        self._expected.update(map(id, classes))

    def give_metaclass(self, old: type, new: type) -> None:
        """A class elsewhere has got its metaclass from its bases."""
        for sub in self._subclasses_elsewhere(old):
            rebuilt = self._rebuild_over(sub, old, new)
            self.give_metaclass(sub, rebuilt)

    def move(self, module: str, old: type, new: type) -> None:
        if is_a(new, enum.EnumType):
            return
        for instance in migrate.instances(old):
            pair = self._matcher.by_old.get(id(instance))
            if pair is not None and not pair.keep:
                self.gone.append(instance)
                continue
            made = migrate.rebuild_instance(instance, new)
            if pair is not None:
                self.twins.append((pair.new, made))
            # Now: if it is a key, its hash may need them.
            migrate.fill(made, migrate.added_fields(new, namespace_of(old)), self._undo)
            self.pairs.append((instance, made))
            self.counts[module] = self.counts.get(module, 0) + 1
        for sub in self._subclasses_elsewhere(old):
            self.move(module, sub, self._rebuild_over(sub, old, new))

    def _subclasses_elsewhere(self, cls: type) -> Iterator[type]:
        """Those that wait for no other base: they would have the old layout and the new."""
        found: list[type] = type.__subclasses__(cls)
        for sub in found:
            others = (base for base in sub.__bases__ if base is not cls)
            if self._is_elsewhere(sub) and not any(map(self._will_be_made, others)):
                yield sub

    def _is_elsewhere(self, cls: type) -> bool:
        """Whether there is no other for it yet."""
        return id(cls) not in self._made and id(cls) not in self._matcher.by_old

    def _will_be_made(self, cls: type) -> bool:
        """Whether there will be another for it, and its subclasses come then."""
        return self._is_elsewhere(cls) and any(
            id(base) in self._expected or id(base) in self._made or self._will_be_made(base)
            for base in cls.__bases__
        )

    def _rebuild_over(self, sub: type, old: type, new: type) -> type:
        """A class like `sub`, which derives from `old`, that derives from `new`."""
        bases = tuple(new if base is old else self._rebuilt(base) for base in sub.__bases__)
        if any(map(self._is_over_old, bases)):
            for base in bases:
                self._settle(base)
        own = () if type(sub) is type(old) else (self._matcher.final(type(sub)),)
        rebuilt = migrate.rebuild_class(sub, bases, migrate.metaclass_over(bases, *own))
        self.pairs.append((sub, rebuilt))
        self._made[id(sub)] = self._made[id(rebuilt)] = rebuilt
        return rebuilt

    def _is_over_old(self, cls: type) -> bool:
        return any(id(base) in self._matcher.by_old for base in mro_of(cls))

    def _settle(self, cls: type) -> None:
        """Have a new class derive from what stays already, as the remap will: beside a class that
        does, its layout would be another."""
        for each in reversed(mro_of(cls)):
            bases = tuple(map(self._rebuilt, bases_of(each)))
            if id(each) in self._matcher.by_new and bases != bases_of(each):
                set_attribute(each, "__bases__", bases)

    def _rebuilt(self, cls: type) -> type:
        found: type = self._made.get(id(cls)) or self._matcher.final(cls)
        return found


def _silence(pairs: Iterable[tuple[Any, Any]], side: int) -> None:
    """Let none of one side run `__del__`: what they stand for lives on in the others."""
    by_class: defaultdict[Any, set[int]] = defaultdict(set)
    for each in map(itemgetter(side), pairs):
        if hasattr(type(each), "__del__"):
            by_class[type(each)].add(id(each))
    for cls, known in by_class.items():
        set_attribute(cls, "__del__", _but_of(known, cls.__del__))


def _but_of(known: set[int], finalizer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def finalize(instance: Any) -> None:
        if id(instance) not in known:
            finalizer(instance)

    return finalize

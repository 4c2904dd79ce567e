"""References to what was made just now: nearly always, what refers to it was made just now too.

So it is looked for among the youngest objects of the collector only, and counted; the
reference counts prove that nothing else refers to it, or that something does.
"""

from __future__ import annotations

import gc
import sys
from types import MethodType, TracebackType
from typing import Any

from gcremap import _native
from gcremap._reload.kinds import bases_of, is_class, mro_of, subclasses
from gcremap._reload.match import Pair

_MANY = 50_000
"""Of more young objects than these it is no gain to look at them alone."""

ENTRIES = (tuple, MethodType)
"""What is registered elsewhere on behalf of something that it holds."""


class Nursery:
    """Keeps all that is made from now on in the youngest generation, where it can be listed."""

    def __init__(self) -> None:
        self._left: list[Any] = []

    def __enter__(self) -> Nursery:
        self._enabled = self._lists = gc.isenabled()
        if self._enabled:
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
        self._left = self.young() if error is not None else []
        self._lists = False
        if self._enabled:
            gc.enable()

    def objects(self) -> list[Any] | None:
        """What was made since; None where that is very much, or cannot be told."""
        return None if gc.get_count()[0] > _MANY else self.young() or None

    def young(self) -> list[Any]:
        """The same however much it is; nothing where it cannot be told. After a failure, what
        there was then."""
        return gc.get_objects(generation=0) if self._lists else self._left

    def classes(self) -> list[type]:
        """The classes that were made since."""
        if self._lists:
            return [each for each in self.young() if is_class(each)]
        # Only the collector frees a class, so that none has the address of another.
        young = {id(each): each for each in subclasses(object) if id(each) not in self._older}
        return [*young.values()]


class Census:
    """Which young or `near` objects refer to what is wanted, and whether others do.

    wanted   a list; like anything else that holds these, it was made in the nursery
    """

    def __init__(self, nursery: Nursery, wanted: list[Any], near: list[Any]) -> None:
        self.holders: list[Any] = []
        self.hits: list[list[int]] = []
        """For each of the holders, the identities of what it refers to."""
        young = nursery.objects()
        self.strays: list[Any] = wanted if young is None else self._look(wanted, young, near)
        """What something refers to that is not among these objects."""

    def _look(self, wanted: list[Any], young: list[Any], near: list[Any]) -> list[Any]:
        # Of the gauge all references are known: this list.
        gauged: list[Any] = [*wanted, []]
        listed = set(map(id, young))
        place = [*young, *(each for each in near if id(each) not in listed)]
        young.clear()
        listed.update(map(id, place))
        found, counts = _native._holders(place, gauged)
        # What the gauge has more than was counted, everything has that is tracked; what is in
        # the list of objects differs by that.
        excess = [
            sys.getrefcount(each) - count - (id(each) in listed)
            for each, count in zip(gauged, counts, strict=True)
        ]
        self.holders = [place[index] for index, _ in found]
        self.hits = [hits for _, hits in found]
        return [each for each, count in zip(wanted, excess, strict=False) if count != excess[-1]]


def far_references(
    nursery: Nursery, pairs: list[Pair], near: list[Any], ours: list[list[tuple[Any, ...]]]
) -> list[Pair]:
    """The pairs whose new side is code, or goes, and an older object refers to it: itself
    or through a tuple or a bound method, but for those that are ours or a class's own."""
    chosen = [pair for pair in pairs if not pair.data or pair.keep]
    wanted = [pair.new for pair in chosen]
    near = [*near, *ours, wanted]
    census = Census(nursery, wanted, near)
    far = set(map(id, census.strays))
    own = {id(part) for each in wanted if is_class(each) for part in (mro_of(each), bases_of(each))}
    own.update(id(each) for entries in ours for each in entries)
    found = zip(census.holders, census.hits, strict=True)
    registered = [each for each in found if type(each[0]) in ENTRIES and id(each[0]) not in own]
    if registered and len(far) < len(wanted):
        entries = [holder for holder, _ in registered]
        inside = [hits for _, hits in registered]
        del census, registered, found
        further = Census(nursery, entries, near)
        strays = set(map(id, further.strays))
        for entry, hits in zip(entries, inside, strict=True):
            if id(entry) in strays:
                far.update(hits)
    return [pair for pair in chosen if id(pair.new) in far]

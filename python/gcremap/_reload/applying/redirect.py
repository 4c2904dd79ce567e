"""Make every reference to the new side of the pairs refer to the old side that stays."""

from __future__ import annotations

import functools
import gc
import sys
import types
import weakref
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any, NamedTuple

from gcremap._reload.matching.match import Pair
from gcremap._reload.matching.near import Nursery, census
from gcremap._reload.objects.attributes import set_attribute
from gcremap._reload.objects.contents import dict_of, slots_of
from gcremap._reload.objects.kinds import bases_of, is_a, is_class, mro_of, namespace_of

Undo = list[Callable[[], Any]]

_DESCRIPTORS = (types.GetSetDescriptorType, types.MemberDescriptorType)
_MISSING: Any = object()


class Redirection:
    """Does without the engine what young and near holders allow; otherwise, nothing.

    pairs    all of them with an old side that stays
    near     older objects that may refer to what the new source has made
    ours     holders that are left alone
    """

    def __init__(
        self, nursery: Nursery, pairs: list[Pair], near: list[Any], ours: Iterable[Any]
    ) -> None:
        self._nursery = nursery
        self._pairs = pairs
        self._near = [*near]
        self._finals = {id(pair.new): pair.old for pair in pairs}
        self._left = {id(each) for each in ours}
        """Holders that are left as they are: ours, and what only the new sides are made of."""
        self._rebased: list[type] = []
        self._owners: dict[int, type] = {}
        """The classes whose namespaces some dicts are."""
        self._tuples: list[tuple[Any, ...]] = []
        """Those that are made anew, since what they hold is another."""
        self._places: list[tuple[_Access, Any, Any]] = []
        self._left.add(id(self._tuples))
        for pair in pairs:
            self._near.append(pair.old)
            self._left.add(id(pair.new))
            if is_class(pair.new):
                self._left |= {id(each) for each in _parts(pair.new)}
            if is_class(pair.old):
                self._near += _namespaces(pair.old)
                self._own(pair.old)

    def run(self, undo: Undo) -> bool:
        """Whether all was found and redirected; if not, nothing has changed."""
        if not all(map(_has_no_weak_references, (pair.new for pair in self._pairs))):
            return False
        _settle_annotations(pair.old for pair in self._pairs)
        self._look_at_classes()
        wanted: list[Any] | None = [pair.new for pair in self._pairs]
        while wanted:
            wanted = self._round(wanted)
        return wanted is not None and self._carry_out(undo)

    def _round(self, wanted: list[Any]) -> list[Any] | None:
        """Plan for those that refer to `wanted`; the tuples among them are wanted next.

        None if there is a reference that cannot be found or redirected.
        """
        holders, strays = census(self._nursery, wanted, self._near)
        if strays:
            return None
        self._left.add(id(wanted))
        tuples = []
        for holder, hits in holders:
            if id(holder) in self._left or type(holder) is Pair:
                continue
            if type(holder) is not tuple:
                if self._plan(holder, hits) != len(hits):
                    return None
            elif id(holder) not in self._finals:
                self._finals[id(holder)] = _MISSING
                tuples.append(holder)
        self._tuples += tuples
        return tuples

    def _own(self, cls: type) -> None:
        for namespace in _namespaces(cls):
            self._owners[id(namespace)] = cls

    def _look_at_classes(self) -> None:
        """Note namespaces of new classes, and which of these get other bases."""
        for cls in filter(is_class, self._nursery.objects() or ()):
            if id(cls) in self._left:
                continue
            self._own(cls)
            mro, bases = mro_of(cls), bases_of(cls)
            if any(id(base) in self._finals for base in mro):
                self._left |= {id(mro), id(bases)}
            if any(id(base) in self._finals for base in bases):
                self._rebased.append(cls)

    def _plan(self, holder: Any, hits: list[int]) -> int:
        """Note the places by which `holder` refers to what is wanted; how many there are."""
        before = len(self._places)
        if is_a(holder, dict):
            owner = self._owners.get(id(holder))
            found = [key for key, value in dict.items(holder) if id(value) in hits]
            if owner is not None:
                self._places += [(_CLASS, owner, key) for key in found]
            else:
                self._places += [(_DICT, holder, key) for key in found]
        elif is_a(holder, list):
            items = enumerate(list.__iter__(holder))
            self._places += [(_LIST, holder, index) for index, each in items if id(each) in hits]
        elif is_a(holder, types.CellType):
            self._places.append((_ATTRIBUTE, holder, "cell_contents"))
        elif is_a(holder, FunctionType):
            if id(holder.__defaults__) in hits:
                self._places.append((_ATTRIBUTE, holder, "__defaults__"))
        elif is_a(holder, _DESCRIPTORS):
            return len(hits) if id(holder.__objclass__) in self._left else 0
        elif is_class(holder):
            rebased = any(holder is cls for cls in self._rebased)
            return len(hits) if rebased and id(type(holder)) not in hits else 0
        else:
            self._plan_instance(holder, hits)
        return len(self._places) - before

    def _plan_instance(self, holder: Any, hits: list[int]) -> None:
        parts = gc.get_referents(holder)
        if id(type(holder)) in hits:
            self._places.append((_TYPE, holder, None))
        for slot, value in slots_of(holder):
            if id(value) in hits:
                self._places.append((_SLOT, holder, slot))
        attributes = dict_of(holder)
        if attributes is not None and (
            not any(each is attributes for each in parts)
            or not any(id(each) in hits for each in gc.get_referents(attributes))
        ):
            # The values are, or were until it was asked for its dict, in the object itself.
            found = [key for key, value in dict.items(attributes) if id(value) in hits]
            self._places += [(_DICT, attributes, key) for key in found]

    def _final(self, value: Any) -> Any:
        final = self._finals.get(id(value), value)
        if final is _MISSING:
            final = self._finals[id(value)] = tuple(map(self._final, value))
        return final

    def _carry_out(self, undo: Undo) -> bool:
        done: list[tuple[_Access, Any, Any, Any]] = []
        undo.append(functools.partial(_put_back, done))
        try:
            for cls in self._rebased:
                self._put(done, _BASES_OF, cls, None, tuple(map(self._final, bases_of(cls))))
            for access, holder, key in self._places:
                self._put(done, access, holder, key, self._final(access.get(holder, key)))
        except (AttributeError, TypeError):  # a layout, or a slot that C code keeps to itself
            undo.pop()()
            return False
        return True

    def _put(
        self,
        done: list[tuple[_Access, Any, Any, Any]],
        access: _Access,
        holder: Any,
        key: Any,
        value: Any,
    ) -> None:
        before = access.get(holder, key)
        access.set(holder, key, value)
        done.append((access, holder, key, before))


def _put_back(done: list[tuple[_Access, Any, Any, Any]]) -> None:
    while done:
        access, holder, key, before = done.pop()
        access.set(holder, key, before)


class _Access(NamedTuple):
    """How to read and write one kind of place."""

    get: Callable[[Any, Any], Any]
    set: Callable[[Any, Any, Any], Any]


_DICT = _Access(dict.__getitem__, dict.__setitem__)
_LIST = _Access(list.__getitem__, list.__setitem__)
_CLASS = _Access(lambda cls, name: namespace_of(cls)[name], set_attribute)
_ATTRIBUTE = _Access(getattr, setattr)
_BASES_OF = _Access(
    lambda cls, _: bases_of(cls), lambda cls, _, bases: set_attribute(cls, "__bases__", bases)
)
_TYPE = _Access(
    lambda instance, _: type(instance),
    lambda instance, _, cls: object.__setattr__(instance, "__class__", cls),
)
_SLOT = _Access(
    lambda instance, slot: slot.__get__(instance),
    lambda instance, slot, value: slot.__set__(instance, value),
)


def _namespaces(cls: type) -> list[Any]:
    """The namespace of a class itself, of which `vars` shows a proxy."""
    return [each for each in gc.get_referents(cls) if type(each) is dict]


def _parts(cls: type) -> tuple[Any, ...]:
    return (mro_of(cls), bases_of(cls), *_namespaces(cls))


def _has_no_weak_references(value: Any) -> bool:
    """Apart from that by which each base of a class knows it."""
    if not is_class(value):
        return weakref.getweakrefcount(value) == 0
    references = weakref.getweakrefs(value)
    gauge: list[Any] = [[]]
    return (
        len(references) == 1
        and type(references[0]) is weakref.ref
        and references[0].__callback__ is None
        and sys.getrefcount(references[0]) == sys.getrefcount(gauge[0]) + len(bases_of(value))
    )


def _settle_annotations(functions: Iterable[Any]) -> None:
    """Until they are asked for, annotations are a tuple that only the function can reach."""
    if sys.version_info < (3, 14):
        for function in functions:
            if is_a(function, FunctionType):
                _ = function.__annotations__

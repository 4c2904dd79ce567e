"""How a class lays out its instances, which an update in place does not change."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable
from typing import Any

from gcremap import _native
from gcremap._reload.objects.kinds import is_a, is_class, mro_of, namespace_of, subclasses

_OF_THE_LAYOUT = frozenset({"__dict__", "__weakref__", "_abc_impl", "__slotnames__"})
_LAYOUT_FLAGS = (1 << 2) | (1 << 3) | (1 << 4) | (1 << 14) | (0xFF << 24)
"""Inline values, managed weak references and dict, GC, the fast subclass bits (object.h)."""


def is_of_the_layout(name: str, value: Any) -> bool:
    """Entries of a class that describe its memory, which an update does not change."""
    return name in _OF_THE_LAYOUT or is_descriptor(value)


def is_descriptor(value: Any) -> bool:
    """Whether this is how a class reaches a slot, or the dict, of its instances."""
    return is_a(value, (types.MemberDescriptorType, types.GetSetDescriptorType))


def same_layout(old: type, new: type) -> bool:
    """Whether an instance of `old` is laid out as one of `new` would be."""
    return (
        old.__basicsize__ == new.__basicsize__
        and old.__itemsize__ == new.__itemsize__
        and old.__dictoffset__ == new.__dictoffset__
        and old.__weakrefoffset__ == new.__weakrefoffset__
        and old.__flags__ & _LAYOUT_FLAGS == new.__flags__ & _LAYOUT_FLAGS
        and _native._fits(old, new)
        and _slots(old) == _slots(new)
        and fields_of(old) == fields_of(new)
        and field_names(old) == field_names(new)
    )


def hashes_by_methods(cls: type) -> bool:
    """Whether the class, or one that it derives from, says how its instances hash or compare."""
    return any("__hash__" in own or "__eq__" in own for own in map(namespace_of, mro_of(cls)[:-1]))


def ctypes_made_of(pairs: Iterable[tuple[Any, Any]]) -> list[type]:
    """Of the classes of ctypes in `pairs` that get other fields, (old, new): the pointers to
    the old ones, their arrays, and what is made of these.

    Their instances are C memory that holds the old ones, or point to it.
    """
    ctypes: Any = sys.modules.get("ctypes")
    if ctypes is None:
        return []
    known = {
        id(old)
        for old, new in pairs
        if is_class(old) and is_class(new) and fields_of(old) != fields_of(new)
    }
    if not known:
        return []
    found: list[type] = []
    kinds = [*subclasses(ctypes.Array), *subclasses(ctypes._Pointer)]
    while more := [
        each
        for each in kinds
        if id(each) not in known and id(namespace_of(each).get("_type_")) in known
    ]:
        known.update(map(id, more))
        found += more
    return found


def fields_of(cls: type) -> list[tuple[str, str]]:
    """Those of a ctypes structure, in a buffer of the instance's: each says its type and place."""
    if "_fields_" not in namespace_of(cls):
        return []
    return [(k, repr(v)) for k, v in namespace_of(cls).items() if type(v).__name__ == "CField"]


def field_names(cls: type) -> tuple[str, ...] | None:
    """Those of a namedtuple, by which its items are found."""
    if tuple not in mro_of(cls):
        return None
    return next(
        (own["_fields"] for own in map(namespace_of, mro_of(cls)) if "_fields" in own), None
    )


def _slots(cls: type) -> list[str]:
    return sorted(k for k, v in namespace_of(cls).items() if type(v) is types.MemberDescriptorType)

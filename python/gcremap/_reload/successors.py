"""Which values take the places of others, wherever these are held."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from gcremap._reload.contents import COLLECTIONS
from gcremap._reload.definitions import Definition, Index
from gcremap._reload.kinds import LRU_CACHE, is_a, is_class, is_function


def takes_the_place(
    name: str,
    namespaces: tuple[Mapping[str, Any], Mapping[str, Any]],
    indexes: tuple[Index, Index],
) -> bool:
    """Whether what a name is bound to, in the new one of two namespaces, takes the place of what
    it was bound to, wherever that is held: nothing else can be meant by it."""
    olds, news = namespaces
    before, now = (index.get(name) for index in indexes)
    old, new = olds[name], news[name]
    if before is None or now is None:
        return False
    is_data = type(old).__name__ == type(new).__name__ and not (is_class(new) or is_function(new))
    return (before.fresh and now.fresh and is_data) or _gives_way(old, new, before, now, olds)


def _gives_way(
    old: Any, new: Any, before: Definition, now: Definition, olds: Mapping[str, Any]
) -> bool:
    """Whether what is called takes another form: a function becomes an object with `__call__`,
    or a call makes another."""
    if not (callable(old) and callable(new)):
        return False
    if not before.makes_its_own and not (is_made_by(old, before) and _stands_alone(old, olds)):
        return False
    return now.makes_its_own or is_made_by(new, now) or now.same(before)


def is_another(old: Any, new: Any, definition: Definition) -> bool:
    """Whether a call that stands there as before makes another function of another form now."""
    return is_made_by(old, definition) and (
        type(old) is not type(new) or _origin(old) != _origin(new)
    )


def is_made_by(value: Any, definition: Definition) -> bool:
    """Whether a value is a function or class that the function made that a statement calls."""
    maker, inner, _ = _origin(value).partition(".<locals>.")
    return bool(inner) and not definition.reads.isdisjoint({maker, maker.rpartition(".")[2]})


def _origin(value: Any) -> str:
    """The qualified name that a class, or a function, perhaps in a wrapper, was compiled with."""
    for kind, attribute in _AROUND * 2:
        value = getattr(value, attribute) if is_a(value, kind) else value
    if is_class(value):
        return value.__qualname__
    return value.__code__.co_qualname if is_function(value) else ""


_AROUND = (
    ((staticmethod, classmethod), "__func__"), (property, "fget"), (LRU_CACHE, "__wrapped__"),
    (partial, "func"),
)  # fmt: skip


def _stands_alone(value: Any, namespace: Mapping[str, Any]) -> bool:
    """Whether nothing else in a namespace has it, nor a container there."""
    found = 0
    for each in namespace.values():
        found += each is value
        if is_a(each, COLLECTIONS):
            items = dict.values(each) if is_a(each, dict) else each
            found += any(item is value for item in items)
    return found == 1

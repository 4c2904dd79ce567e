"""Which values take the places of others, wherever these are held."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from functools import partial
from typing import Any

from gcremap._reload.objects.contents import COLLECTIONS
from gcremap._reload.objects.kinds import LRU_CACHE, is_a, is_class, is_function, is_of_a_statement
from gcremap._reload.sources.definitions import Definition, Index


def takes_the_place(
    name: str,
    namespaces: tuple[Mapping[str, Any], Mapping[str, Any]],
    indexes: tuple[Index, Index],
) -> bool:
    """Whether what a name is bound to, in the new one of two namespaces, takes the place of what
    it was bound to, wherever that is held: nothing else can be meant by it."""
    olds, news = namespaces
    before, now = (_of_makers(name, index) for index in indexes)
    old, new = olds[name], news[name]
    if before is None or now is None:
        return False
    one, other = type(old), type(new)
    alike = one.__name__ == other.__name__ or (is_of_a_statement(one) and is_of_a_statement(other))
    are_code = any(is_class(each) or is_function(each) for each in (old, new))
    if before.fresh and now.fresh and alike and not are_code:
        return True
    # What is called may take another form: a function becomes an object with `__call__`, or a
    # call makes another.
    if not (callable(old) and callable(new)):
        return False
    if before.makes_its_own or (
        is_made_by(old, before) and not _is_elsewhere(name, olds, indexes[0])
    ):
        return now.makes_its_own or is_made_by(new, now) or now.same(before)
    return False


def _of_makers(name: str, index: Index) -> Definition | None:
    """Its definition, which reads also what it names by another word: `make = old_make`."""
    definition = index.get(name)
    if definition is None or definition.is_code:
        return definition
    words = [index[each] for each in definition.reads if each in index]
    named = [each.reads for each in words if not each.is_code]
    return replace(definition, reads=definition.reads.union(*named)) if named else definition


def is_another(old: Any, new: Any, definition: Definition) -> bool:
    """Whether a call that stands there as before makes another function of another form now."""
    return is_made_by(old, definition) and (
        type(old) is not type(new) or list(_origins(old)) != list(_origins(new))
    )


def is_made_by(value: Any, definition: Definition) -> bool:
    """Whether a value is a function or class that the function made that a statement calls."""
    return _is_of_makers(value, definition.reads)


def is_given_by(value: Any, definition: Definition) -> bool:
    """Whether a value is a function that the function made which has made, or decorated, the
    class that has it."""
    decorators = _NAME.findall(" ".join(definition.decorators))
    return _is_of_makers(value, definition.reads.union(decorators))


def _is_of_makers(value: Any, makers: Set[str]) -> bool:
    for origin in _origins(value):
        maker, inner, _ = origin.partition(".<locals>.")
        if inner and not makers.isdisjoint({maker, maker.rpartition(".")[2]}):
            return True
    return False


def _origins(value: Any) -> Iterator[str]:
    """The qualified names that a class, or a function in wrappers, and these were compiled with."""
    for _ in range(_DEPTH):
        outer = value
        if is_class(value):
            yield value.__qualname__
            return
        if is_function(value):
            yield value.__code__.co_qualname
            value = vars(value).get("__wrapped__")
        for kind, attribute in _AROUND:
            value = getattr(value, attribute) if is_a(value, kind) else value
        if value is outer:
            return


_NAME = re.compile(r"(?:id|attr)='(\w+)'")
_DEPTH = 8
_AROUND = (
    ((staticmethod, classmethod), "__func__"), (property, "fget"), (LRU_CACHE, "__wrapped__"),
    (partial, "func"),
)  # fmt: skip


def _is_elsewhere(name: str, namespace: Mapping[str, Any], index: Index) -> bool:
    """Whether what a name is bound to stands under another one, or in a container that was not
    computed from it."""
    value = namespace[name]
    for other, each in namespace.items():
        definition = index.get(other)
        if other == name or (definition is not None and name in definition.reads):
            continue
        items = dict.values(each) if is_a(each, dict) else each
        if each is value or (is_a(each, COLLECTIONS) and any(item is value for item in items)):
            return True
    return False

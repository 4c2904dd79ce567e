"""Which of several statements of one name has made what there is: `if` and `else`, `try` and
`except` may each have a `class C`, and a name may be defined twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import FunctionType
from typing import Any

from gcremap._reload.objects.kinds import (
    LRU_CACHE,
    is_a,
    is_class,
    is_function,
    module_of,
    namespace_of,
)
from gcremap._reload.sources.definitions import IMPORT, Definition, Index, Way

_WRAPPERS = (FunctionType, LRU_CACHE)


def made_by(
    whole: Definition | None, value: Any, module: str, like: Definition | None = None
) -> Definition | None:
    """What is said of `value` by the statement of the module that made it; by all of them, where
    that is not known. What does not tell is taken to be made under the conditions of `like`."""
    if whole is None or not whole.ways or len(whole.prints) == 1:
        return whole
    if is_a(value, property) and not whole.are_exclusive:
        return _accessors(whole, value, module) if whole.has_alternatives else whole
    if not (is_class(value) or is_function(_unwrapped(value))):
        return whole
    ways = _ways(whole, value, module, like)
    # What makes something else of the value, `C = registered(C)`, goes on to say how it is made.
    by_one = whole.is_code or whole.has_alternatives
    if by_one and ways and all(way.said.said == ways[0].said.said for way in ways):
        return whole.only(ways[0])
    if ways and is_class(value):
        return replace(whole, members=_common(ways))
    if by_one and IMPORT in whole.kinds:
        return Definition(whole.name, {IMPORT}, whole.prints)
    return whole


def _accessors(whole: Definition, value: property, module: str) -> Definition:
    """Those of the statements that made the functions of a property, if all of these tell."""
    functions = [each for each in (value.fget, value.fset, value.fdel) if each is not None]
    ways = [_ways(whole, function, module, None) for function in functions]
    if any(len(each) != 1 for each in ways):
        return whole
    found = [way for [way] in ways]
    decorators = [each for way in found for each in way.decorators]
    prints = [way.said for way in found]
    return replace(whole, prints=prints, decorators=decorators, ways=found)


def is_certain(
    wholes: tuple[Definition | None, Definition | None],
    found: tuple[Definition | None, Definition | None],
) -> bool:
    """Whether `found`, of all the statements of the name, are known to be versions of one."""
    if all(whole is None or whole.are_exclusive for whole in wholes):
        return True
    ways = [whole.ways if whole is not None else [] for whole in wholes]
    if all(map(_is_marked, wholes, found)):
        return found[0].decorators == found[1].decorators  # type: ignore[union-attr]
    places = [
        each.index(one.ways[0]) if one is not None and len(one.ways) == 1 else None
        for each, one in zip(ways, found, strict=True)
    ]
    return len(ways[0]) == len(ways[1]) and places[0] is not None and places[0] == places[1]


def _is_marked(whole: Definition | None, found: Definition | None) -> bool:
    """Whether a statement is told from the others of the name by its decorators, as what
    `@overload` declares and the one that does it."""
    if whole is None or found is None or len(found.ways) != 1:
        return False
    return [way.decorators for way in whole.ways].count(found.decorators) == 1


def _ways(whole: Definition, value: Any, module: str, like: Definition | None) -> list[Way]:
    """Those that may have made `value`."""
    lines = list(_lines(value))
    if lines:
        return [way for way in whole.ways if way.lines[0] <= lines[0] <= way.lines[1]]
    if not is_class(value) or value.__qualname__.rpartition(".")[2] != whole.name:
        return []
    if module_of(value) != module:
        return []  # from elsewhere, perhaps from C: it may have no functions, whatever is said here
    # A class without functions: by its names.
    names = {name for name in namespace_of(value) if not name.startswith("__")}
    ways = [way for way in whole.ways if names == {n for n in way.members or () if "__" not in n}]
    if len(ways) > 1 and like is not None and len(like.ways) == 1:
        ways = [way for way in ways if way.said.context == like.ways[0].said.context] or ways
    return ways


def _common(ways: list[Way]) -> Index:
    """What all of them say in the same words."""
    first, *others = [way.members or {} for way in ways]
    return {
        name: definition
        for name, definition in first.items()
        if all(name in each and definition.same(each[name]) for each in others)
    }


def _lines(value: Any) -> Iterator[int]:
    """On which lines of its module something says that it stands."""
    value = _unwrapped(value)
    if is_function(value):
        yield value.__code__.co_firstlineno
        return
    if not is_class(value):
        return
    namespace = namespace_of(value)
    if is_a(line := namespace.get("__firstlineno__"), int):
        yield line
    for name, each in namespace.items():
        function = _unwrapped(each)
        own = is_function(function) and function.__module__ == value.__module__
        if own and function.__code__.co_qualname == f"{value.__qualname__}.{name}":
            yield function.__code__.co_firstlineno


def _unwrapped(value: Any) -> Any:
    """The function that a decorator made something of, where that is told."""
    if is_a(value, property):
        return value.fget
    if is_a(value, (staticmethod, classmethod)):
        value = value.__func__
    while is_a(value, _WRAPPERS) and "__wrapped__" in vars(value):
        value = vars(value)["__wrapped__"]
    return value

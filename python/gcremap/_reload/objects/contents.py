"""What containers and objects hold: read and written past what their classes make of that."""

from __future__ import annotations

import functools
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from types import CellType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

from gcremap._reload.objects.kinds import is_a, is_class, is_function, mro_of, namespace_of

CONTAINERS = (dict, list, set, deque)
"""Those that can be filled anew."""
ATOMS = (str, bytes, int, float, complex)
_ORDERED = (OrderedDict, *CONTAINERS)
COLLECTIONS = (*CONTAINERS, tuple, frozenset)

MUCH = 10_000
"""A larger container is no registry of definitions."""
_DEPTH = 3
"""So far an entry of a registry is looked into: a route, its wrapper, the function."""
_MANY = 300
"""What consists of more is no entry that stands for something."""


def entries(container: Any) -> list[Any]:
    """The items, pairs of key and value of a dict."""
    kind = _kind(container)
    return list(kind.items(container) if is_a(container, dict) else kind.__iter__(container))


def refill(container: Any, items: Iterable[Any]) -> None:
    """Give a container these entries, and no others."""
    kind = _kind(container)
    # Their keys are hashed before anything is lost: that may raise.
    chosen: Any = (dict if is_a(container, dict) else set if is_a(container, set) else list)(items)
    kind.clear(container)
    if kind is OrderedDict:  # whose update() calls __setitem__ of a subclass
        for key, value in chosen.items():
            kind.__setitem__(container, key, value)
    elif kind in (dict, set):
        kind.update(container, chosen)
    else:
        kind.extend(container, chosen)


def put(container: Any, key: Any, value: Any) -> None:
    _kind(container).__setitem__(container, key, value)


def drop(container: Any, key: Any) -> None:
    _kind(container).pop(container, key, None)


def _kind(container: Any) -> Any:
    return next(kind for kind in _ORDERED if is_a(container, kind))


def attributes(value: Any) -> list[Any]:
    """The values of the attributes of an instance, by no code of its class."""
    slots = [filled for _, filled in slots_of(value)]
    return [*slots, *(dict_of(value) or {}).values()]


def slots_of(value: Any) -> Iterator[tuple[MemberDescriptorType, Any]]:
    """The `__slots__` of an instance that are filled, with what is in them."""
    for base in mro_of(type(value)):
        for slot in namespace_of(base).values():
            if type(slot) is MemberDescriptorType:
                try:
                    filled = slot.__get__(value)
                except (AttributeError, TypeError):
                    continue
                yield slot, filled


def dict_of(value: Any) -> dict[str, Any] | None:
    """The `__dict__` of an instance."""
    if type(value).__dictoffset__:
        with suppress(AttributeError):  # a TypeVar has one and shows it to nobody
            return object.__getattribute__(value, "__dict__")  # type: ignore[no-any-return]
    return None


def attributes_of(value: Any) -> Mapping[str, Any]:
    """What a class has in its own namespace, or an object in its `__dict__`."""
    return namespace_of(value) if is_class(value) else dict_of(value) or {}


def containers_of(old: Any, new: Any, final: Callable[[Any], Any]) -> list[tuple[Any, Any]]:
    """Of two versions of an object, the containers that both have at one place: themselves, or
    attributes, be it of an attribute."""
    found = []
    seen: set[int] = set()
    level = [(old, new)]
    for _ in range(_DEPTH + 1):
        below = []
        for one, other in level:
            if one is other or id(one) in seen or final(type(one)) is not final(type(other)):
                continue
            seen.add(id(one))
            if is_a(one, CONTAINERS):
                found.append((one, other))
            if not (is_a(one, ATOMS) or is_class(one) or is_function(one)) and len(seen) < _MANY:
                mine, others = _fields(one), _fields(other)
                below += [(mine[name], others[name]) for name in mine if name in others]
        level = below
    return found


def _fields(value: Any) -> dict[str, Any]:
    """The attributes of an instance, by no code of its class."""
    return {slot.__name__: filled for slot, filled in slots_of(value)} | (dict_of(value) or {})


def inside(value: Any, apart: Collection[int] = ()) -> Iterator[Any]:
    """A value and what it consists of, without what is `apart`, by identity."""
    seen = {id(value)}
    level = [value]
    for _ in range(_DEPTH + 1):
        yield from level
        below = [part for each in level for part in parts(each)]
        level = []
        for part in below:
            if id(part) not in seen and id(part) not in apart and len(seen) < _MANY:
                seen.add(id(part))
                level.append(part)


def parts(value: Any) -> Iterable[Any]:
    """What a value consists of, in an order that values of one make have in common."""
    if is_a(value, ATOMS) or is_class(value) or is_a(value, ModuleType) or value is None:
        return ()
    if is_a(value, COLLECTIONS):
        if len(value) > _MANY:
            return ()
        return [*dict.keys(value), *dict.values(value)] if is_a(value, dict) else list(value)
    if is_function(value):
        return [
            *map(_content, value.__closure__ or ()),
            *(value.__defaults__ or ()),
            *vars(value).values(),
        ]
    if is_a(value, MethodType):
        return (value.__func__, value.__self__)
    if is_a(value, functools.partial):
        return (value.func, *value.args, *value.keywords.values())
    if is_a(value, weakref.ref):
        return (weakref.ref.__call__(value),)
    if is_a(value, property):
        return (value.fget, value.fset, value.fdel)
    if is_a(value, (staticmethod, classmethod)):
        return (value.__func__,)
    return attributes(value)


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def is_namespace(value: Any) -> bool:
    """Whether it is that of a module."""
    return type(value) is dict and ("__builtins__" in value or "__spec__" in value)


def is_record(value: Any) -> bool:
    """Whether a container says something of what is in it, and is not one more registry."""
    return any(map(_is_said, [*dict.values(value)] if is_a(value, dict) else list(value)))


def _is_said(item: Any) -> bool:
    if is_a(item, (list, tuple, set, frozenset)):
        return any(map(_is_said, list(item)))
    return is_a(item, ATOMS)

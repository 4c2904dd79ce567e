"""Clones that a program cannot tell from the original, once they stand in all its places."""

from __future__ import annotations

import collections
import contextlib
import functools
import gc
import sys
import types
from collections.abc import Callable
from typing import Any

HEAP, IMMUTABLE, NOT_TO_BE_MADE = 1 << 9, 1 << 8, 1 << 7
"""Flags of a type."""
OF_C = (types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType)


class UnfitError(Exception):
    """There is no clone of this object that nobody could tell from it."""


def clone(old: Any) -> Any:
    kind = type(old)
    if kind in (list, tuple) and len(gc.get_referents(old)) != len(old):
        raise UnfitError  # C code is still filling it
    if kind in CLONES:
        new = CLONES[kind](old)
        if new is old:
            raise UnfitError
        return new
    if kind is type:
        return clone_class(old)
    return clone_instance(old)


def clone_function(old: Any) -> Any:
    new = types.FunctionType(
        old.__code__, old.__globals__, old.__name__, old.__defaults__, old.__closure__
    )
    if new.__builtins__ is not old.__builtins__:
        raise UnfitError
    new.__qualname__, new.__module__, new.__doc__ = old.__qualname__, old.__module__, old.__doc__
    if old.__kwdefaults__ is not None:
        new.__kwdefaults__ = old.__kwdefaults__
    if sys.version_info >= (3, 12):
        new.__type_params__ = old.__type_params__
    # The first question for annotations makes them, and what has been made since then
    # cannot be seen.
    if sys.version_info >= (3, 14) and old.__annotate__ is not None:
        raise UnfitError
    new.__annotations__ = old.__annotations__
    new.__dict__.update(old.__dict__)
    return new


def clone_cell(old: Any) -> Any:
    try:
        return types.CellType(old.cell_contents)
    except ValueError:
        return types.CellType()


def clone_partial(old: Any) -> Any:
    new = functools.partial(old.func, *old.args, **old.keywords)
    if new.func is not old.func:
        raise UnfitError
    new.__dict__.update(old.__dict__)
    return new


def clone_property(old: Any) -> Any:
    new = property(old.fget, old.fset, old.fdel, old.__doc__)
    if sys.version_info >= (3, 13):
        with contextlib.suppress(AttributeError):  # one that was neither told nor has a getter
            new.__name__ = old.__name__
    return new


CLONES: dict[type, Callable[[Any], Any]] = {
    types.FunctionType: clone_function,
    types.CellType: clone_cell,
    types.MethodType: lambda old: types.MethodType(old.__func__, old.__self__),
    functools.partial: clone_partial,
    property: clone_property,
    list: lambda old: old[:],
    dict: dict.copy,
    set: set.copy,
    frozenset: lambda old: frozenset([*old]),
    tuple: lambda old: (*iter(old),),
    collections.deque: lambda old: collections.deque(old, old.maxlen),
    collections.OrderedDict: collections.OrderedDict.copy,
    collections.defaultdict: collections.defaultdict.copy,
    # What is not the collector's, and has no identity that a program could know.
    str: lambda old: "".join([old[:1], old[1:]]),
    bytes: lambda old: b"".join([old[:1], old[1:]]),
    int: lambda old: old + (1 << 70) - (1 << 70),
    float: lambda old: old * 1.0,
    complex: lambda old: complex(old.real, old.imag),
}
IMMUTABLES = frozenset([tuple, frozenset, str, bytes, int, float, complex, types.MethodType])
SELDOM_CHANGED = IMMUTABLES | {types.FunctionType, functools.partial, property}
"""Kinds of which an old one is as good as its clone, wherever it stays."""


def is_plain(kind: Any) -> bool:
    """Made by a class statement: its instances keep only what Python code put there."""
    flags = kind.__flags__
    if not flags & HEAP or flags & (IMMUTABLE | NOT_TO_BE_MADE):
        return False
    return not any(
        isinstance(value, OF_C) or (name == "__new__" and not is_of_python(value))
        for name, value in type.__dict__["__dict__"].__get__(kind).items()
    )


def is_of_python(value: Any) -> bool:
    return type(value) is types.FunctionType or (
        type(value) is staticmethod and type(value.__func__) is types.FunctionType
    )


def clone_instance(old: Any) -> Any:
    kind = type(old)
    bases = type.__dict__["__mro__"].__get__(kind)
    if bases[-1:] != (object,) or not all(map(is_plain, bases[:-1])):
        raise UnfitError
    spaces = [type.__dict__["__dict__"].__get__(base) for base in bases[:-1]]
    if any("__del__" in space for space in spaces):
        raise UnfitError  # it would be run for the old one
    try:
        new = object.__new__(kind)
    except TypeError:  # an abstract class
        raise UnfitError from None
    for space in spaces:
        for field in list(space.values()):
            if type(field) is types.MemberDescriptorType:
                try:
                    field.__set__(new, field.__get__(old))
                except AttributeError:
                    continue
    try:
        attributes = object.__getattribute__(old, "__dict__")
    except AttributeError:
        return new
    if type(attributes) is not dict:
        raise UnfitError
    try:
        object.__getattribute__(new, "__dict__").update(attributes)
    except AttributeError:  # a property of this name
        raise UnfitError from None
    return new


def clone_class(old: Any) -> Any:
    """Of classes that making another one of runs no code for."""
    space = dict(old.__dict__)
    if not is_plain(old) or "__slots__" in space or "__abstractmethods__" in space:
        raise UnfitError
    if any("__init_subclass__" in base.__dict__ for base in old.__mro__[:-1]):
        raise UnfitError
    if any(hasattr(type(value), "__set_name__") for value in space.values()):
        raise UnfitError
    for name in ("__dict__", "__weakref__"):
        if type(space.get(name)) is types.GetSetDescriptorType:
            del space[name]
    space["__qualname__"] = old.__qualname__
    new = type.__new__(type, old.__name__, old.__bases__, space)
    if list(new.__dict__) != list(old.__dict__):
        # The order of what a class defines can be seen.
        raise UnfitError
    return new

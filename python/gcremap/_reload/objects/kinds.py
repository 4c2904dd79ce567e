"""What a value is, without asking the value itself.

`isinstance` asks for `__class__` where the type alone does not answer: a proxy (LazySettings of
Django, LocalProxy of Werkzeug) then looks for what it stands for, which may fail or take long.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import CellType, FunctionType, MappingProxyType
from typing import Any, TypeGuard

from gcremap import _native

LRU_CACHE = type(functools.lru_cache(lambda: None))
_FLAGS: Any = type.__dict__["__flags__"].__get__
_QUALNAME: Any = type.__dict__["__qualname__"].__get__
_MODULE: Any = type.__dict__["__module__"].__get__
_HEAPTYPE, _IMMUTABLETYPE = 1 << 9, 1 << 8
"""Py_TPFLAGS_... (object.h): a class statement sets the first alone."""


is_a = _native._is_a
"""Whether the type of a value is one of some kinds, or derived from it."""
is_class = _native._is_class
"""Whether a value is a class; a weak proxy of one only says that it is."""
namespace_of: Callable[[type], MappingProxyType[str, Any]] = type.__dict__["__dict__"].__get__
"""The `__dict__` of a class, whatever its metaclass says of that."""
bases_of: Callable[[type], tuple[type, ...]] = type.__dict__["__bases__"].__get__
"""The `__bases__` of a class, whatever its metaclass says of that."""
mro_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
"""The `__mro__` of a class, whatever its metaclass says of that."""


def is_of_a_statement(cls: type) -> bool:
    """Whether a class was made as a class statement makes one, and not by C code: that may go by
    the same name, as datetime.IsoCalendarDate does in Python 3.11."""
    return bool(_FLAGS(cls) & (_HEAPTYPE | _IMMUTABLETYPE) == _HEAPTYPE)


def is_function(value: object) -> TypeGuard[FunctionType]:
    return type(value) is FunctionType


def module_of(value: type | FunctionType) -> Any:
    """Its `__module__`, whatever a metaclass says of that; None if there is none."""
    if not is_class(value):
        return value.__module__
    try:
        return _MODULE(value)
    except AttributeError:
        return None


def qualname_of(value: type | FunctionType) -> str:
    """Its `__qualname__`, whatever a metaclass says of that."""
    return _QUALNAME(value) if is_class(value) else value.__qualname__


def cells_of(function: FunctionType) -> dict[str, CellType]:
    """The variables that a function has of those around it."""
    return dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))


def is_own(value: object) -> bool:
    """Whether it is an object of this package."""
    return str(module_of(type(value))).startswith("gcremap.")


def subclasses(cls: type) -> list[type]:
    """All subclasses, nearest first."""
    found: list[type] = type.__subclasses__(cls)
    for each in found:
        found += type.__subclasses__(each)
    return found

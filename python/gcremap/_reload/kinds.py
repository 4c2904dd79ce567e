"""What a value is, without asking the value itself.

`isinstance` asks for `__class__` where the type alone does not answer: a proxy (LazySettings of
Django, LocalProxy of Werkzeug) then looks for what it stands for, which may fail or take long.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import FunctionType, MappingProxyType, UnionType
from typing import Any, TypeGuard, TypeVar, overload

T = TypeVar("T")
LRU_CACHE = type(functools.lru_cache(lambda: None))
_NAMESPACE: Any = type.__dict__["__dict__"].__get__
_MRO: Any = type.__dict__["__mro__"].__get__
_FLAGS: Any = type.__dict__["__flags__"].__get__
_HEAPTYPE, _IMMUTABLETYPE = 1 << 9, 1 << 8
"""Py_TPFLAGS_... (object.h): a class statement sets the first alone."""


@overload
def is_a(value: object, kinds: type[T]) -> TypeGuard[T]: ...
@overload
def is_a(value: object, kinds: UnionType | tuple[Any, ...]) -> bool: ...
def is_a(value: object, kinds: Any) -> bool:
    """Whether the type of `value` is one of `kinds`, or derived from it."""
    return issubclass(type(value), kinds)


def is_class(value: object) -> TypeGuard[type]:
    """Whether `value` is a class; a weak proxy of one only says that it is."""
    return issubclass(type(value), type)


def is_of_a_statement(cls: type) -> bool:
    """Whether a class was made as a class statement makes one, and not by C code: that may go by
    the same name, as datetime.IsoCalendarDate does in Python 3.11."""
    return bool(_FLAGS(cls) & (_HEAPTYPE | _IMMUTABLETYPE) == _HEAPTYPE)


def is_function(value: object) -> TypeGuard[FunctionType]:
    return type(value) is FunctionType


def namespace_of(cls: type) -> MappingProxyType[str, Any]:
    """Its `__dict__`, whatever its metaclass says of that."""
    return _NAMESPACE(cls)  # type: ignore[no-any-return]


def module_of(value: type | FunctionType) -> Any:
    """Its `__module__`, whatever a metaclass says of that; None if there is none."""
    return namespace_of(value).get("__module__") if is_class(value) else value.__module__


def mro_of(cls: type) -> tuple[type, ...]:
    """Its `__mro__`, whatever its metaclass says of that."""
    return _MRO(cls)  # type: ignore[no-any-return]


def subclasses(cls: type) -> Iterator[type]:
    """All subclasses, nearest first."""
    sub: type
    for sub in type.__subclasses__(cls):
        yield sub
        yield from subclasses(sub)

"""What a value is, without asking the value itself.

`isinstance` asks for `__class__` where the type alone does not answer: a proxy (LazySettings of
Django, LocalProxy of Werkzeug) then looks for what it stands for, which may fail or take long.
"""

from __future__ import annotations

from types import FunctionType, UnionType
from typing import Any, TypeGuard, TypeVar, overload

T = TypeVar("T")


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


def is_function(value: object) -> TypeGuard[FunctionType]:
    return type(value) is FunctionType

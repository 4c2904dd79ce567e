"""Attributes of classes, set past what metaclasses in Python make of that."""

from __future__ import annotations

from collections.abc import Callable
from types import BuiltinFunctionType, WrapperDescriptorType
from typing import Any

from gcremap._reload.objects.kinds import namespace_of

UNSETTABLE = frozenset({"__class__", "__mro__", "__name__", "__qualname__"})
"""What a class may have in its namespace and `type` takes for an attribute of the class itself:
a proxy's `__class__ = property(...)`."""


def set_attribute(cls: type, name: str, value: object) -> None:
    nearest(type(cls), "__setattr__")(cls, name, value)


def delete_attribute(cls: type, name: str) -> None:
    nearest(type(cls), "__delattr__")(cls, name)


def discard_attribute(cls: type, name: str) -> None:
    if name in namespace_of(cls):
        delete_attribute(cls, name)


set_class: Callable[[Any, type], None] = vars(object)["__class__"].__set__
"""Assign `__class__`, whatever the type of the object makes of assignments."""


def nearest(metaclass: type, name: str) -> Any:
    """That of C code nearest to the metaclass: CPython refuses to go past it (Objects/
    typeobject.c, hackcheck), and the metaclass of ctypes' structures has one."""
    return next(
        found
        for each in metaclass.__mro__
        if isinstance(found := vars(each).get(name), WrapperDescriptorType | BuiltinFunctionType)
    )

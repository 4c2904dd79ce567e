"""Attributes of classes, set past what metaclasses in Python make of that."""

from __future__ import annotations

from types import WrapperDescriptorType
from typing import Any

UNSETTABLE = frozenset({"__class__", "__mro__", "__name__", "__qualname__"})
"""What a class may have in its namespace and `type` takes for an attribute of the class itself:
a proxy's `__class__ = property(...)`."""


def set_attribute(cls: type, name: str, value: object) -> None:
    _nearest(type(cls), "__setattr__")(cls, name, value)


def delete_attribute(cls: type, name: str) -> None:
    _nearest(type(cls), "__delattr__")(cls, name)


def _nearest(metaclass: type, name: str) -> Any:
    """That of C code nearest to the metaclass: CPython refuses to go past it (Objects/
    typeobject.c, hackcheck), and the metaclass of ctypes' structures has one."""
    return next(
        found
        for each in metaclass.__mro__
        if isinstance(found := vars(each).get(name), WrapperDescriptorType)
    )

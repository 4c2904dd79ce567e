"""What objects are called in messages and paths, without running code of theirs.

It may be slow without bound, raise, or change what is being looked at.
"""

from __future__ import annotations

import sys
import types

from gcremap import _native


def _label(value: object) -> str:
    """What a value is in a few words."""
    kind = type(value)
    if issubclass(kind, type | types.FunctionType):
        return f"{_type_name(kind)} {_qualified(value)}"
    if kind is types.ModuleType:
        return f"module {vars(value).get('__name__', '?')}"
    if kind in (list, tuple, dict, set, frozenset):
        return f"{_type_name(kind)} of {len(value)}"  # type: ignore[arg-type]
    if value is None:
        return "None"
    if kind in (int, float, str, bytes, bool):
        text = repr(value)
        return f"{_type_name(kind)} {text if len(text) <= 40 else text[:37] + '...'}"
    return f"{_type_name(kind)} at {id(value):#x}"


def _type_name(kind: type) -> str:
    name = _qualified(kind)
    return name.removeprefix("builtins.")


def _holder_name(holder: object) -> str:
    """How to reach a holder by name, or "" when it has none of its own."""
    # Not isinstance, which asks the holder.
    kind = type(holder)
    if issubclass(kind, types.ModuleType):
        name = vars(holder).get("__name__")
        return name if isinstance(name, str) and sys.modules.get(name) is holder else ""
    if issubclass(kind, type | types.FunctionType):
        return _qualified(holder)
    if kind is dict:
        return _namespace_name(holder)  # type: ignore[arg-type]
    return ""


def _namespace_name(namespace: dict[object, object]) -> str:
    """The expression for a dict that is a module's, class's or instance's namespace."""
    name = namespace.get("__name__")
    if isinstance(name, str):
        module = sys.modules.get(name)
        if getattr(module, "__dict__", None) is namespace:
            return f"{name}.__dict__"
    for owner in _native._holders_of(namespace):
        if issubclass(type(owner), type):
            return f"{_qualified(owner)}.__dict__"
    return ""


def _qualified(owner: object) -> str:
    """The name of a class or function, with its module if it says that it has one."""
    if issubclass(type(owner), type):
        # What `type` says: a metaclass may say otherwise, and a class may have no module.
        module, name = _of_type("__module__", owner), _of_type("__qualname__", owner)
    else:
        module, name = owner.__module__, owner.__qualname__  # type: ignore[attr-defined]
    return f"{module}.{name}" if isinstance(module, str) else str(name)


def _of_type(name: str, owner: object) -> object:
    try:
        return type.__dict__[name].__get__(owner)
    except AttributeError:
        return None

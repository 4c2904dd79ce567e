"""What can be seen of a module, to compare it before and after a reload."""

from __future__ import annotations

import types
from typing import Any

_OF_THE_IMPORT = frozenset(
    {"__spec__", "__loader__", "__cached__", "__path__", "__file__", "__conditional_annotations__"}
)
"""What the import system and the compiler say of a module anew each time."""

Facts = dict[str, tuple[Any, Any]]


def facts_of(module: types.ModuleType) -> Facts:
    """What can be seen of a module and of its classes and functions: (value, what it holds)."""
    found: Facts = {}
    for name in list(vars(module)):
        if name in _OF_THE_IMPORT:
            continue
        value = getattr(module, name)  # what is imported lazily is imported by this
        found[name] = (value, _content(value))
        if isinstance(value, type) and value.__module__ == module.__name__:
            for inner, member in vars(value).items():
                found[f"{name}.{inner}"] = (member, _content(member))
    return found


def differences(before: Facts, after: Facts) -> list[str]:
    """What is gone, what has come, and what is another than it was."""
    return sorted(before.keys() ^ after.keys()) + [
        name for name in before if name in after and not _is_same(before[name], after[name])
    ]


def _content(value: Any) -> Any:
    if isinstance(value, types.FunctionType):
        return (value.__code__, value.__defaults__, dict(vars(value)), value.__doc__)
    if type(value) in (list, dict, set):
        return len(value)
    return None


def _is_same(before: tuple[Any, Any], after: tuple[Any, Any]) -> bool:
    if before[1] != after[1]:
        return False
    if isinstance(after[0], float):
        return repr(before[0]) == repr(after[0])  # a NaN is not equal to itself
    if isinstance(after[0], str | bytes | int | tuple | frozenset):
        return type(before[0]) is type(after[0]) and bool(before[0] == after[0])
    return before[0] is after[0]

"""Caches that answer by class, and must not answer for a class that changed."""

from __future__ import annotations

import _abc  # type: ignore[import-not-found]
import functools
import sys
from types import FunctionType
from weakref import WeakSet

from gcremap import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def _refresh() -> None:
    """Clears the caches of ABCs and generic functions; called by the engine."""
    for function in _generic_functions():
        # Of a function that somebody else made of the same code there is none.
        if clear := vars(function).get("_clear_cache"):
            clear()
    for cls in _classes():
        if "_abc_impl" in _namespace(cls):
            _abc._reset_caches(cls)


_namespace: Any = type.__dict__["__dict__"].__get__


def _classes() -> Iterator[type]:
    """All classes, each once; no code of a metaclass runs."""
    seen: set[int] = set()
    todo: list[type] = [object]
    while todo:
        cls = todo.pop()
        if id(cls) not in seen:
            seen.add(id(cls))
            yield cls
            todo += type.__subclasses__(cls)


_code: Any = next(
    const
    for const in functools.singledispatch.__code__.co_consts
    if getattr(const, "co_name", None) == "wrapper"
)
"""What all generic functions of `functools.singledispatch` run."""
_known: WeakSet[Any] = WeakSet()
_others = -1
"""References to the code that are not those of the generic functions that are known."""


def _generic_functions() -> list[Any]:
    """All generic functions; the heap is looked through only if there are others than before."""
    global _others
    functions = list(_known)
    if sys.getrefcount(_code) - len(functions) != _others:
        functions = [
            each
            for each in _native._holders_of(_code)
            if type(each) is FunctionType and each.__code__ is _code
        ]
        _known.clear()
        _known.update(functions)
        _others = sys.getrefcount(_code) - len(functions)
    return functions

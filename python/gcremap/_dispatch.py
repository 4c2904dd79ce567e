"""Caches that answer by class, and must not answer for a class that changed."""

from __future__ import annotations

import _abc  # type: ignore[import-not-found]
import functools
import gc
from types import FunctionType
from typing import Any


def _refresh() -> None:
    """Clears the caches of ABCs and generic functions; called by the engine."""
    dispatcher = _dispatcher_code()
    for value in gc.get_objects():
        kind = type(value)
        if kind is FunctionType:
            if value.__code__ is dispatcher:
                value._clear_cache()
        elif isinstance(value, type) and "_abc_impl" in type.__dict__["__dict__"].__get__(value):
            _abc._reset_caches(value)


def _dispatcher_code() -> Any:
    """The code that all generic functions of `functools.singledispatch` share."""
    return next(
        const
        for const in functools.singledispatch.__code__.co_consts
        if getattr(const, "co_name", None) == "wrapper"
    )

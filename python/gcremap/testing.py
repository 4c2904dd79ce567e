"""A pytest plugin: replace an object everywhere for one test, and put it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

import pytest

from gcremap._context import remapped
from gcremap._reload.patch import patch

T = TypeVar("T")

__all__ = ["ReplaceEverywhere", "replace_everywhere"]


class ReplaceEverywhere(Protocol):
    """What the fixture `replace_everywhere` is."""

    def __call__(self, old: Any, new: T, *, exclude: Iterable[object] = ()) -> T:
        """Replace `old` by `new`; returns `new`."""
        ...


@pytest.fixture
def replace_everywhere() -> Iterator[ReplaceEverywhere]:
    """Replace objects everywhere until the test is over; what was replaced last comes back first.

    `replace_everywhere(old, new)` makes every reference to `old` one to `new`: `from` imports,
    closures, defaults, callbacks, containers and locals of running frames included. Only
    `new` itself keeps what it refers to, so that it can call what it stands for, and so do
    the holders in `exclude`.

    An `old` that is a text, "module:name" or "module:Class.name", names what to replace. A
    number or another value that has no identity of its own can be replaced by name: the
    modules that imported it by that name follow.

    Raises RemapError for what cannot be replaced; nothing has changed then.
    """
    undo: list[Callable[[], object]] = []

    def replace(old: Any, new: T, *, exclude: Iterable[object] = ()) -> T:
        if isinstance(old, str):
            undo.append(patch(old, new).undo)
        else:
            context = remapped([(old, new)], exclude=(new, undo, *exclude))
            context.__enter__()
            undo.append(lambda: context.__exit__(None, None, None))
        return new

    try:
        yield replace
    finally:
        while undo:
            undo.pop()()

"""Classes whose instances hash or compare by something that changed: a helper, a constant.

`__hash__` and `__eq__` often leave the work to others, `hash(self.key())`. Tables that have
instances as keys must be indexed anew when one of these changes, though the methods
themselves did not.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from itertools import product
from types import FunctionType
from typing import Any

from gcremap import _native
from gcremap._reload import codes
from gcremap._reload.kinds import LRU_CACHE, is_a, is_function, mro_of, namespace_of, subclasses
from gcremap._report import RemapReport


class Reindexing:
    """Tables whose keys hash or compare by what one of the names `changed` leads to. They are
    indexed anew when everything says what it is to say: the new, or after a failure or an
    undo, the old."""

    def __init__(self, changed: set[str]) -> None:
        self.classes = _dependents(changed)
        """Those of the keys; a remap in between is to leave this list alone."""
        self._report: RemapReport | None = None

    def carry_out(self) -> RemapReport | None:
        if self.classes:
            self._report = _native._rehash(self.classes)
        return self._report

    def undo(self) -> None:
        """To be called last, once all else is as it was."""
        if self._report is not None:
            self._report.undo()
        elif self.classes:
            _native._rehash(self.classes)


def _dependents(changed: set[str]) -> list[type]:
    """The classes that hash or compare by what one of the names leads to."""
    if not changed:
        return []
    # By identity: a metaclass may have a __hash__ of its own.
    known = {id(cls): cls for cls in subclasses(object)}
    spaces = zip(known.values(), map(namespace_of, known.values()), strict=True)
    return [
        cls
        for cls, own in spaces
        if ("__eq__" in own or "__hash__" in own) and _depends(cls, own, changed)
    ]


def _depends(cls: type, own: Mapping[str, Any], changed: set[str]) -> bool:
    """Whether `__hash__` or `__eq__` of the class itself read a name that is `changed`, or
    call what does."""
    todo = [*_functions(own.get("__hash__")), *_functions(own.get("__eq__"))]
    if not todo:
        return False
    seen = set(map(id, todo))
    # But for that of object, where all is C code.
    namespaces = [*map(namespace_of, mro_of(cls)[:-1])]
    while todo:
        function = todo.pop()
        places = (function.__globals__, *namespaces)
        for code in codes.tree(function.__code__):
            names = code.co_names + code.co_freevars
            if not changed.isdisjoint(names):
                return True
            for name, place in product(names, places):
                for each in _functions(place[name]) if name in place else ():
                    if id(each) not in seen:
                        seen.add(id(each))
                        todo.append(each)
    return False


_RUN = (FunctionType, LRU_CACHE)
_CALLED = (*_RUN, staticmethod, classmethod, property, functools.cached_property)


def _functions(value: Any) -> Sequence[Any]:
    """The functions that a call of `value`, or a look at an attribute that it makes, runs."""
    if not is_a(value, _CALLED):
        return ()
    if is_a(value, staticmethod | classmethod):
        value = value.__func__
    elif is_a(value, property):
        value = value.fget
    elif is_a(value, functools.cached_property):
        value = value.func
    found = []
    while is_a(value, _RUN):
        if is_function(value):
            found.append(value)
        value = vars(value).get("__wrapped__")
    return found

"""Classes whose instances hash or compare by something that changed: a helper, a constant.

`__hash__` and `__eq__` often leave the work to others, `hash(self.key())`. Tables that have
instances as keys must be indexed anew when one of these changes, though the methods
themselves did not.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from types import BuiltinFunctionType, FunctionType, NoneType, WrapperDescriptorType
from typing import Any

from gcremap import _native
from gcremap._reload import codes
from gcremap._reload.kinds import LRU_CACHE, is_a, is_function, mro_of, namespace_of
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
    classes = _native._classes_with("__eq__", "__hash__")
    return [cls for cls in classes if _depends(cls, changed)]


def _depends(cls: type, changed: set[str]) -> bool:
    """Whether `__hash__` or `__eq__` of the class itself read a name that is `changed`, or
    call what does."""
    own = namespace_of(cls)
    methods = (own.get("__hash__"), own.get("__eq__"))
    if type(methods[0]) in _IN_C and type(methods[1]) in _IN_C:
        return False
    todo = [function for method in methods for function in _functions(method)]
    seen = set(map(id, todo))
    # But for that of object, where all is C code.
    namespaces = [*map(namespace_of, mro_of(cls)[:-1])]
    while todo:
        function = todo.pop()
        places = (function.__globals__, *namespaces)
        for code in codes.tree(function.__code__):
            names = {*code.co_names, *code.co_freevars}
            if not changed.isdisjoint(names):
                return True
            values = [place[name] for place in places for name in place.keys() & names]
            for value in values:
                for each in () if type(value) in _IN_C else _functions(value):
                    if id(each) not in seen:
                        seen.add(id(each))
                        todo.append(each)
    return False


_IN_C = frozenset({NoneType, WrapperDescriptorType, BuiltinFunctionType, type})
"""What runs no functions; most of what there is."""

_RUN = (FunctionType, LRU_CACHE)
_CALLED = (*_RUN, staticmethod, classmethod, property, functools.cached_property)


def _functions(value: Any) -> Sequence[Any]:
    """The functions that a call of `value`, or a look at an attribute that it makes, runs."""
    if not is_a(value, _CALLED):
        return ()
    if is_a(value, (staticmethod, classmethod)):
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

"""A module as it was, to put it back."""

from __future__ import annotations

import operator
import sys
import weakref
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from gcremap._reload.objects.attributes import delete_attribute, set_attribute
from gcremap._reload.objects.kinds import is_a, is_class, is_function, module_of
from gcremap._reload.objects.layout import is_of_the_layout

Namespace = dict[str, Any]


class Snapshot:
    """A module as it was: its namespace and its place in sys.modules."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.namespace: Namespace = dict(vars(module))
        self._key = _key_of(module)
        self._contents = [
            (value, _copy(value))
            for value in self.namespace.values()
            if _is_small(value, module.__name__)
        ]
        self._weak = [
            (registry, key, value)
            for value, _ in self._contents
            for registry, key in _known_weakly(value)
        ]
        self._references = self._count()
        self._overloads = overloads().get(module.__name__)

    def holders(self) -> list[Any]:
        """What refers to what the module had."""
        return [self.namespace, *self._contents, *self._weak]

    def _count(self) -> list[int]:
        return [sys.getrefcount(value) for value, _ in self._contents]

    def lost(self) -> dict[str, Any]:
        """The functions and classes that something referred to and does not any more, by name,
        once all is restored: they are not in their places elsewhere."""
        counts = zip(self._contents, self._references, self._count(), strict=True)
        return {
            value.__qualname__: value
            for (value, _), before, now in counts
            if now < before and (is_class(value) or is_function(value))
        }

    def restore(self) -> None:
        """Put everything back, without a moment in which a name that stays is missing."""
        namespace = vars(self.module)
        for value, content in self._contents:
            _restore(value, content)
        for registry, key, value in self._weak:
            if registry.get(key) is not value:
                registry[key] = value
        for name in [name for name in namespace if name not in self.namespace]:
            del namespace[name]
        for name, value in self.namespace.items():
            if name not in namespace or namespace[name] is not value:
                namespace[name] = value
        if list(namespace) != list(self.namespace):
            for name in self.namespace:
                namespace[name] = namespace.pop(name)
        if self._key is not None and sys.modules.get(self._key) is not self.module:
            sys.modules[self._key] = self.module
        if self._overloads is not None:
            overloads()[self.module.__name__] = self._overloads


_MUCH = 10_000
"""A larger container is not copied for the case that the new source changes it and fails."""


def _is_small(value: Any, owner: str) -> bool:
    if type(value) in (list, dict, set):
        return len(value) <= _MUCH
    return (is_class(value) or is_function(value)) and module_of(value) == owner


def _copy(value: Any) -> Any:
    if is_class(value) or is_function(value):
        return dict(vars(value))
    return value.copy()


def _known_weakly(value: Any) -> Iterator[tuple[weakref.WeakValueDictionary[Any, Any], Any]]:
    """The weak dictionaries of which it is a value, each with the key."""
    for reference in weakref.getweakrefs(value) if is_class(value) or is_function(value) else ():
        if type(reference) is weakref.KeyedRef:
            # Lib/weakref.py, WeakValueDictionary.__init__: `selfref` of the callback.
            callback: Any = reference.__callback__
            registry = callback.__defaults__[0]()
            if registry is not None:
                yield registry, reference.key


def _restore(value: Any, content: Any) -> None:
    """Undo what failing code has done to an old object that it could still see."""
    if is_class(value):
        # Another one may have taken its place meanwhile, with a layout of its own.
        for name, attribute in dict(vars(value)).items():
            if name not in content and not is_of_the_layout(name, attribute):
                delete_attribute(value, name)
        for name, attribute in content.items():
            is_other = vars(value).get(name) is not attribute
            if is_other and not is_of_the_layout(name, attribute):
                set_attribute(value, name, attribute)
        return
    present: Any = vars(value) if is_a(value, FunctionType) else value
    if is_a(present, list):
        if len(present) != len(content) or any(map(operator.is_not, present, content)):
            present[:] = content
    elif is_a(present, set):
        if present != content:
            present.clear()
            present.update(content)
    elif len(present) != len(content) or any(
        present.get(key, present) is not item for key, item in content.items()
    ):
        present.clear()
        present.update(content)


def _key_of(module: Any) -> str | None:
    """The name under which sys.modules has the module."""
    name: str = module.__name__
    if sys.modules.get(name) is module:
        return name
    return next((name for name, value in list(sys.modules.items()) if value is module), None)


def overloads() -> dict[str, Any]:
    """Where `typing` has the `@overload`s of each module, by lines: entries of other lines are
    not overwritten."""
    return getattr(sys.modules.get("typing"), "_overload_registry", {})

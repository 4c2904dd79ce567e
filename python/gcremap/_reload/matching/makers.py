"""Code that has made something of a definition besides its own statement: decorators, metaclasses
and `__init_subclass__`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from gcremap._reload.objects.kinds import is_a, is_class, is_function, mro_of, namespace_of
from gcremap._reload.sources import codes
from gcremap._reload.sources.effects import names_read

if TYPE_CHECKING:
    from gcremap._reload.matching.match import Matcher, Pair
    from gcremap._reload.matching.state import Values

_AROUND = (
    ((staticmethod, classmethod, MethodType), "__func__"), (partial, "func"),
)  # fmt: skip
_MAKING = ("__new__", "__init__", "__call__")
"""What runs of a class that is called, or of a metaclass."""


class Makers:
    """Tells whether such code, or data that it reads, is another than it was."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._known: dict[int, bool] = {}
        self._decorated: dict[tuple[str, tuple[str, ...]], bool] = {}
        """What is known of functions, by their module and what decorates them."""
        self._changes = next((each.changes for each in matcher.values.values()), None)

    def are_others(self, pair: Pair) -> bool:
        """Whether some maker of a definition, whatever its statement says, is another one."""
        values = self._matcher.values.get(pair.module)
        decorators = tuple(pair.definition.decorators) if pair.definition is not None else ()
        if values is None:
            return False
        if is_class(pair.new):
            return self._are_others(values, _names_told(pair), _hooks(pair.new))
        if decorators and (pair.module, decorators) not in self._decorated:
            found = self._are_others(values, _names_told(pair), ())
            self._decorated[pair.module, decorators] = found
        return bool(decorators) and self._decorated[pair.module, decorators]

    def _are_others(self, values: Values, names: Iterable[str], others: Iterable[Any]) -> bool:
        told = set(names)
        return (
            any(map(values.changed, told))
            or any(self._is_another(found_by(values, name)) for name in told)
            or any(map(self._is_another, others))
        )

    def has_changed(self, value: Any) -> bool:
        """Whether a function or class is of a module that ran before this one, and changed."""
        return self._changes is not None and self._changes.has_code(value)

    def _is_another(self, value: Any) -> bool:
        for kinds, attribute in _AROUND:
            while is_a(value, kinds):
                value = getattr(value, attribute)
        if id(value) not in self._known:
            self._known[id(value)] = False  # of one that calls itself
            self._known[id(value)] = self._is_changed(value)
        return self._known[id(value)]

    def _is_changed(self, value: Any) -> bool:
        if is_class(value):
            return any(map(self._is_another, map(namespace_of(value).get, _MAKING)))
        if not is_function(value):
            return False
        name = value.__globals__.get("__name__")
        values = self._matcher.values.get(str(name))
        pair = self._matcher.by_new.get(id(value))
        if pair is not None and not _do_the_same(pair.old, value):
            return True
        if values is not None:
            return any(
                values.changed(each) or self._is_another(found_by(values, each))
                for each in _names_used(value.__code__)
            )
        if self._changes is None or not self._changes.has_run(str(name)):
            return False
        return self.has_changed(value) or any(
            self._changes.has(str(name), each) or self._is_another(value.__globals__.get(each))
            for each in _names_used(value.__code__)
        )


def found_by(values: Values, path: str) -> Any:
    """What `name` or `name.attribute` means in a namespace, without running code of its own."""
    name, *attributes = path.split(".")
    value = values.new(name)
    for each in attributes:
        if is_a(value, ModuleType):
            value = vars(value).get(each)
        else:
            mro = mro_of(value if is_class(value) else type(value))
            value = next((namespace_of(c)[each] for c in mro if each in namespace_of(c)), None)
    return value


def _names_told(pair: Pair) -> Iterator[str]:
    """What the decorators and the arguments of a statement name."""
    for each in pair.definition.prints if pair.definition is not None else ():
        if isinstance(each.node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            told: list[ast.AST] = [*each.node.decorator_list]
            if isinstance(each.node, ast.ClassDef):
                told += each.node.keywords
            for part in told:
                yield from names_read(part)


def _hooks(cls: type) -> list[Any]:
    """What is run when a class statement on the bases of `cls`, of its metaclass, is."""
    hooks = [namespace_of(base).get("__init_subclass__") for base in mro_of(cls)[1:]]
    return hooks + [namespace_of(each).get(n) for each in mro_of(type(cls)) for n in _MAKING[:2]]


def _do_the_same(old: Any, new: FunctionType) -> bool:
    return is_function(old) and codes.same(old.__code__, new.__code__)


def _names_used(code: CodeType) -> frozenset[str]:
    """The global names that a function, or what it makes, reads."""
    return codes.names_of(code, "LOAD_GLOBAL")

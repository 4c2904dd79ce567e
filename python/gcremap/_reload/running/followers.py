"""Values that other modules imported by name follow their import statements."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

from gcremap._reload.matching.job import Job
from gcremap._reload.matching.state import RESERVED, SCALARS, is_equal
from gcremap._reload.objects.kinds import is_a, is_class, module_of, namespace_of
from gcremap._reload.running.answers import answer_of
from gcremap._reload.running.imports import FromImport, from_imports, is_near, public
from gcremap._reload.sources import record, source

_MISSING: Any = object()

Values = Mapping[str, tuple[Any, Any]]
"""By name, the value before and now; _MISSING for none."""


class Change(NamedTuple):
    """What importers of a module get otherwise than before."""

    module: ModuleType
    by_name: Values
    by_star: Values
    answering: Mapping[str, ModuleType]
    """The packages around that answer for names they do not have."""
    olds: frozenset[int]
    """The identities of values by which an importer is known."""
    all_near: bool
    """Whether one that is near need not have any of these."""


class Followers:
    """Rebinds what other modules imported by name, where its value changed.

    The value itself cannot be remapped: ten in one module is ten in all of them.
    """

    def __init__(
        self,
        undo: list[Callable[[], Any]],
        final: Callable[[Any], Any] = lambda value: value,
        sources: Mapping[int, source.Source] = MappingProxyType({}),
    ) -> None:
        """`sources` has those of modules that are reloaded, by the identity of these."""
        self._undo = undo
        self._final = final
        self._sources = sources

    def follow(self, module: ModuleType, olds: dict[str, Any], news: dict[str, Any]) -> None:
        """Follow every change between two states of the namespace of `module`."""
        todo = [(module, olds, news)]
        while todo:
            change = self._change(*todo.pop())
            if change.by_name or change.by_star:
                todo.extend(self._followed(change))

    def _change(
        self, module: ModuleType, olds: Mapping[str, Any], news: Mapping[str, Any]
    ) -> Change:
        by_name = {
            name: values
            for name, values in _differences(olds, news).items()
            if name not in RESERVED
        }
        before = public(olds)
        by_star = _differences(before, public(news))
        was = [old for values in (by_name, by_star) for old, _ in values.values()]
        held = {id(each) for old in was for each in (old, self._final(old))}
        if any(old is _MISSING for old, _ in by_star.values()):
            # The importer of `*` gets what is new; it shows by what it has got already.
            held.update(map(id, public(news).values()))
        answering = _answering(record.module_name(module))
        all_near = not before or "__getattr__" in vars(module)  # whose answers may be equal only
        return Change(module, by_name, by_star, answering, frozenset(held), all_near)

    def _followed(
        self, change: Change
    ) -> Iterator[tuple[ModuleType, dict[str, Any], dict[str, Any]]]:
        origins = {record.module_name(change.module), *change.answering}
        for importer in list(sys.modules.values()):
            if not is_a(importer, ModuleType) or importer is change.module:
                continue
            namespace = vars(importer)
            is_reached = change.all_near and is_near(importer, change.module)
            if not (is_reached or _holds(importer, namespace, change.olds)):
                continue
            before = dict(namespace)
            if namespace.get("__name__") in change.answering:
                self._put_there(importer, change)
            statements = from_imports(importer, origins, self._sources.get(id(importer)))
            for place, statement in enumerate(statements):
                if statement.origin in origins:
                    self._statement(importer, statements, place, change)
            yield importer, before, dict(namespace)

    def _statement(
        self, importer: ModuleType, statements: list[FromImport], place: int, change: Change
    ) -> None:
        statement = statements[place]
        holder = _resolve(importer, statement.path)
        if holder is None:
            return
        package = change.answering.get(statement.origin)
        for name, target in statement.names:
            if package is not None:
                old, new = change.by_name.get(name, (_MISSING, _MISSING))
                is_there = old is not _MISSING and self._is_held(holder, target, old)
                if is_there and name not in vars(package) and self._answer(package, name) is new:
                    self._rebind(holder, target, old, new)
            elif name == "*":
                for each, (old, new) in change.by_star.items():
                    if old is _MISSING and _given(each, statements[place + 1 :], statement.path):
                        continue  # it is hidden
                    if old is _MISSING:
                        old = _given(each, statements[:place], statement.path).get(each, _MISSING)
                    if new is _MISSING:
                        others = statements[:place] + statements[place + 1 :]
                        new = _given(each, others, statement.path).get(each, _MISSING)
                    self._rebind(holder, each, old, new)
            elif name in change.by_name and change.by_name[name][1] is not _MISSING:
                self._rebind(holder, target, *change.by_name[name])

    def _put_there(self, package: ModuleType, change: Change) -> None:
        """What a package has put into its namespace when it was asked for it."""
        for name, (old, new) in change.by_name.items():
            is_there = old is not _MISSING and self._is_held(package, name, old)
            if is_there and self._answer(package, name) is new:
                self._rebind(package, name, old, new)

    def _answer(self, package: ModuleType, name: str) -> Any:
        before = vars(package).get(name, _MISSING)
        value = answer_of(package, name)
        if vars(package).get(name, _MISSING) is not before:  # it keeps what it answered
            self._undo.append(_setter(package, name, before))
        return value

    def _is_held(self, holder: Any, name: str, old: Any) -> bool:
        present = vars(holder).get(name, _MISSING)
        if present is _MISSING or old is _MISSING:
            return present is old
        if present is old or present is self._final(old):
            return True
        return is_a(old, SCALARS) and is_equal(present, old)

    def _rebind(self, holder: Any, name: str, old: Any, new: Any) -> None:
        """Unless the importer has bound the name anew, or the remap has been there already."""
        present = vars(holder).get(name, _MISSING)
        if present is new or not self._is_held(holder, name, old):
            return
        if new is _MISSING:
            delattr(holder, name)
        else:
            setattr(holder, name, new)
        self._undo.append(_setter(holder, name, present))


def _setter(holder: Any, name: str, value: Any) -> Callable[[], None]:
    if value is _MISSING:
        return functools.partial(delattr, holder, name)
    return functools.partial(setattr, holder, name, value)


def without_remapped(job: Job, final: Callable[[Any], Any]) -> dict[str, Any]:
    """What a module had, less what was replaced wherever it was referred to."""
    present = job.namespace
    return {
        name: present[name] if name in present and final(value) is present[name] else value
        for name, value in job.snapshot.namespace.items()
    }


def _differences(olds: Mapping[str, Any], news: Mapping[str, Any]) -> Values:
    found = ((name, olds.get(name, _MISSING), news.get(name, _MISSING)) for name in {*olds, *news})
    return {name: (old, new) for name, old, new in found if old is not new}


def _answering(name: str) -> dict[str, ModuleType]:
    """The packages that a module is in, and that have a `__getattr__` (PEP 562)."""
    found = {}
    while name := name.rpartition(".")[0]:
        package = sys.modules.get(name)
        if is_a(package, ModuleType) and "__getattr__" in vars(package):
            found[name] = package
    return found


def _given(name: str, statements: list[FromImport], path: str) -> dict[str, Any]:
    """What the last of these that brings a name to the body of a class, or of the module, gives
    by it; nothing if none does."""
    found = {}
    for statement in statements:
        namespace = vars(sys.modules.get(statement.origin, object))
        for each, target in statement.names if statement.path == path else ():
            if each == "*" and name in public(namespace):
                found[name] = namespace[name]
            elif target == name and each in namespace:
                found[name] = namespace[each]
    return found


def _holds(module: ModuleType, namespace: dict[str, Any], values: frozenset[int]) -> bool:
    """Whether the module, or the body of a class of it, has one of `values` under some name."""
    present = list(namespace.values())
    if not values.isdisjoint(map(id, present)):
        return True
    return any(
        is_class(value)
        and module_of(value) == module.__name__
        # C types that nobody has used yet have none: _socket.socket in 3.11.
        and (inside := namespace_of(value)) is not None
        and not values.isdisjoint(map(id, list(inside.values())))
        for value in present
    )


def _resolve(module: ModuleType, path: str) -> Any:
    holder: Any = module
    for name in path.split(".")[:-1]:
        holder = getattr(holder, name, None)
    return holder

"""Who imports what from where: values that follow their import statements."""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

from gcremap._reload.matching.state import RESERVED
from gcremap._reload.objects.kinds import is_a, is_class, module_of, namespace_of
from gcremap._reload.sources import outline, parse, record, source
from gcremap._reload.sources.effects import imports_of
from gcremap._reload.sources.outline import Statement

_MISSING: Any = object()


def starred(
    statements: Iterable[Statement] | None,
    module: Any,
    namespaces: Mapping[str, Mapping[str, Any]],
) -> Iterator[tuple[str, Any]]:
    """What there is in the modules that `statements`, a source of `module`, import `*` from: in
    `namespaces`, or now."""
    for _, node in outline.imports_of(statements or ()):
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            name = absolute(node, module) or ""
            present = namespaces.get(name)
            if present is None:
                present = vars(sys.modules[name]) if name in sys.modules else {}
            public = [key for key in present if not key.startswith("_")]
            for key in list(present.get("__all__", public)):
                if key in present:
                    yield key, present[key]


def given(statements: Iterable[Statement], module: Any) -> dict[str, Any]:
    """What the `from` statements of a source of `module` give it now, those at its top."""
    found = dict(starred(statements, module, {}))
    for _, node in outline.imports_of(statements):
        if isinstance(node, ast.ImportFrom):
            origin = vars(sys.modules.get(absolute(node, module) or "", object))
            found |= {
                each.asname or each.name: origin[each.name]
                for each in node.names
                if each.name in origin
            }
    return found


class FromImport(NamedTuple):
    """A `from` statement outside of functions."""

    path: str
    """The class that it stands in, `C.D.`, or nothing."""
    names: tuple[tuple[str, str], ...]
    """What is imported, and the name that it gets here."""


_origins: dict[str, str] = {}
"""What modules of which no source was noted import from: a line for each origin, by module.

Many modules are looked at and few import what changed, so of the others no more is kept.
"""


def from_imports(
    module: ModuleType, origin: str, known: source.Source | None = None
) -> list[FromImport]:
    """The statements by which `module` imports names from the module `origin`, in its source if
    that is not the one that was noted."""
    if _is_library(module.__name__) and not _is_library(origin):
        return []
    known = known or source.noted(module)
    name = record.module_name(module)
    origins = _origins.get(name) if known is None else known.origins
    if origins is not None and origin not in origins.split("\n"):
        return []
    found = _read(module, known)
    origins = "\n".join(found)
    if known is None:
        _origins[name] = origins
    else:
        known.origins = origins
    return found.get(origin, [])


def _read(module: ModuleType, known: source.Source | None) -> dict[str, list[FromImport]]:
    """All statements by which `module` imports names, by the module they come from."""
    found: dict[str, list[FromImport]] = {}
    text = _text_of(module, known)
    if text is None:
        return found
    try:
        tree = parse.tree_of(text)
    except (SyntaxError, ValueError):
        return found
    for path, node in imports_of(tree):
        origin = absolute(node, module) if isinstance(node, ast.ImportFrom) else None
        if isinstance(node, ast.ImportFrom) and origin is not None:
            names = tuple((each.name, each.asname or each.name) for each in node.names)
            found.setdefault(origin, []).append(FromImport(path, names))
    return found


def _is_library(name: str) -> bool:
    """Whether it is in the standard library, which imports nothing from elsewhere."""
    if name.partition(".")[0] not in sys.stdlib_module_names:
        return False
    path = getattr(sys.modules.get(name), "__file__", None)
    return path is None or path.startswith(os.path.dirname(os.__file__) + os.sep)


def _text_of(module: ModuleType, known: source.Source | None) -> str | None:
    """The source of what a module was loaded from; of its file where that is unknown."""
    if known is not None:
        return known.read()
    loader = getattr(module, "__loader__", None)
    if loader is None or not hasattr(loader, "get_source"):
        return None
    try:
        return loader.get_source(record.module_name(module))  # type: ignore[no-any-return]
    except (ImportError, OSError, SyntaxError, ValueError):
        return None


def absolute(node: ast.ImportFrom, module: Any) -> str | None:
    """The full name of the module that a `from` statement names."""
    if not node.level:
        return node.module
    package = getattr(module, "__package__", None) or ""
    try:
        return importlib.util.resolve_name("." * node.level + (node.module or ""), package)
    except ImportError:
        return None


Change = tuple[str, Any, Any]
"""A name of a module, its value before and now; _MISSING for none."""


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
            module, olds, news = todo.pop()
            changed = {
                name
                for name in {*olds, *news}
                if name not in RESERVED and olds.get(name, _MISSING) is not news.get(name, _MISSING)
            }
            if changed:
                todo.extend(self._followed(module, changed, olds, news))

    def _followed(
        self, module: ModuleType, changed: set[str], olds: dict[str, Any], news: dict[str, Any]
    ) -> Iterator[tuple[ModuleType, dict[str, Any], dict[str, Any]]]:
        name = record.module_name(module)
        was = [olds[key] for key in changed if key in olds]
        held = {id(each) for old in was for each in (old, self._final(old))}
        if changed - olds.keys():
            # The importer of `*` gets what is new; it shows by what it has got already.
            held.update(id(v) for k, v in news.items() if not k.startswith("_"))
        for importer in list(sys.modules.values()):
            if not is_a(importer, ModuleType):
                continue
            if importer is module:
                continue
            namespace = vars(importer)
            if not _holds(importer, namespace, held):
                continue
            statements = from_imports(importer, name, self._sources.get(id(importer)))
            if not statements:
                continue
            before = dict(namespace)
            for statement in statements:
                holder = _resolve(importer, statement.path)
                if holder is not None:
                    self._statement(statement, holder, changed, olds, news)
            yield importer, before, dict(namespace)

    def _statement(
        self,
        statement: FromImport,
        holder: Any,
        changed: set[str],
        olds: dict[str, Any],
        news: dict[str, Any],
    ) -> None:
        for name, target in statement.names:
            if name == "*":
                for each in _public(changed, olds, news):
                    self._rebind(holder, each, olds.get(each, _MISSING), news.get(each, _MISSING))
            elif name in changed and name in news:
                self._rebind(holder, target, olds.get(name, _MISSING), news[name])

    def _rebind(self, holder: Any, name: str, old: Any, new: Any) -> None:
        """Unless the importer has bound the name anew, or the remap has been there already."""
        present = vars(holder).get(name, _MISSING)
        if present is new or (present is not old and present is not self._final(old)):
            return
        if new is _MISSING:
            delattr(holder, name)
        else:
            setattr(holder, name, new)
        if old is _MISSING:
            self._undo.append(lambda: delattr(holder, name))
        else:
            self._undo.append(lambda: setattr(holder, name, old))


def _public(changed: set[str], olds: dict[str, Any], news: dict[str, Any]) -> set[str]:
    """The changed names that `from module import *` takes."""
    chosen = {*news.get("__all__", ()), *olds.get("__all__", ())}
    if chosen:
        return changed & chosen
    return {name for name in changed if not name.startswith("_")}


def _holds(module: ModuleType, namespace: dict[str, Any], values: set[int]) -> bool:
    """Whether the module, or the body of a class of it, has one of `values` under some name."""
    present = list(namespace.values())
    if not values.isdisjoint(map(id, present)):
        return True
    return any(
        is_class(value)
        and module_of(value) == module.__name__
        and not values.isdisjoint(map(id, list(namespace_of(value).values())))
        for value in present
    )


def _resolve(module: ModuleType, path: str) -> Any:
    holder: Any = module
    for name in path.split(".")[:-1]:
        holder = getattr(holder, name, None)
    return holder

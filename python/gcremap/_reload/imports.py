"""Who imports what: the order to reload in, and values that follow their import statements."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from gcremap._reload import source
from gcremap._reload.definitions import imports_of
from gcremap._reload.match import is_class

_MISSING: Any = object()


_trees: WeakKeyDictionary[ModuleType, ast.Module | None] = WeakKeyDictionary()
"""Trees of modules that were never reloaded, read from their files when first needed."""


def tree_of(module: ModuleType) -> ast.Module | None:
    """The syntax tree of what a module was loaded from; of its file where that is unknown."""
    known = source.loaded(module)
    if known.tree is not None:
        return known.tree
    if module not in _trees:
        _trees[module] = _read_tree(module)
    return _trees[module]


def _read_tree(module: ModuleType) -> ast.Module | None:
    loader = getattr(module, "__loader__", None)
    if loader is None or not hasattr(loader, "get_source"):
        return None
    try:
        text = loader.get_source(source.module_name(module))
        return ast.parse(text) if text is not None else None
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


def imported_names(tree: ast.AST, module: Any) -> Iterator[str]:
    """The full names of all modules that `tree` may import, outside of functions."""
    for _, node in imports_of(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        else:
            origin = absolute(node, module)
            if origin is not None:
                yield origin
                for alias in node.names:
                    yield f"{origin}.{alias.name}"


def in_order(by_name: Mapping[str, Any], trees: Mapping[str, ast.AST | None]) -> list[str]:
    """The names of modules, what is imported before what imports it; a cycle is cut by name.

    `trees` has the new sources.
    """
    ordered: list[str] = []
    visited: set[str] = set()

    def visit(name: str) -> None:
        if name in visited or name not in by_name:
            return
        visited.add(name)
        module, tree = by_name[name], trees.get(name)
        if tree is not None:
            for needed in sorted(set(imported_names(tree, module))):
                while needed:
                    # A package's __init__ imports its submodules, not the other way round.
                    if not name.startswith(needed + "."):
                        visit(needed)
                    needed = needed.rpartition(".")[0]
        ordered.append(name)

    for name in sorted(by_name):
        visit(name)
    return ordered


Change = tuple[str, Any, Any]
"""A name of a module, its value before and now; _MISSING for none."""


class Followers:
    """Rebinds what other modules imported by name, where its value changed.

    The value itself cannot be remapped: ten in one module is ten in all of them.
    """

    def __init__(self, undo: list[Callable[[], Any]], skip: Iterable[ModuleType]) -> None:
        self._undo = undo
        self._skip = {id(module) for module in skip}

    def follow(self, module: ModuleType, olds: dict[str, Any], news: dict[str, Any]) -> None:
        """Follow every change between two states of the namespace of `module`."""
        todo = [(module, olds, news)]
        while todo:
            module, olds, news = todo.pop()
            changed = {
                name
                for name in {*olds, *news}
                if not (name.startswith("__") and name.endswith("__"))
                and olds.get(name, _MISSING) is not news.get(name, _MISSING)
            }
            if changed:
                todo.extend(self._followed(module, changed, olds, news))

    def _followed(
        self, module: ModuleType, changed: set[str], olds: dict[str, Any], news: dict[str, Any]
    ) -> Iterator[tuple[ModuleType, dict[str, Any], dict[str, Any]]]:
        name = source.module_name(module)
        held = {id(olds[key]) for key in changed if key in olds}
        new_names = {key for key in changed if key not in olds}
        public = {k: v for k, v in news.items() if not k.startswith("_")}
        for importer in list(sys.modules.values()):
            if type(importer) is not ModuleType and not isinstance(importer, ModuleType):
                continue
            if importer is module or id(importer) in self._skip:
                continue
            namespace = vars(importer)
            if not _holds(importer, namespace, held) and not (
                new_names and any(namespace.get(k, _MISSING) is v for k, v in public.items())
            ):
                continue
            tree = tree_of(importer)
            if tree is None:
                continue
            before = dict(namespace)
            for path, node in imports_of(tree):
                if isinstance(node, ast.ImportFrom) and absolute(node, importer) == name:
                    holder = _resolve(importer, path)
                    if holder is not None:
                        self._statement(node, holder, changed, olds, news)
            yield importer, before, dict(namespace)

    def _statement(
        self,
        node: ast.ImportFrom,
        holder: Any,
        changed: set[str],
        olds: dict[str, Any],
        news: dict[str, Any],
    ) -> None:
        for alias in node.names:
            if alias.name == "*":
                for name in _public(changed, olds, news):
                    self._rebind(holder, name, olds.get(name, _MISSING), news.get(name, _MISSING))
            elif alias.name in changed and alias.name in news:
                target = alias.asname or alias.name
                self._rebind(holder, target, olds.get(alias.name, _MISSING), news[alias.name])

    def _rebind(self, holder: Any, name: str, old: Any, new: Any) -> None:
        """Unless the importer has bound the name anew, or the remap has been there already."""
        present = vars(holder).get(name, _MISSING)
        if present is not old or present is new:
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
    if any(id(value) in values for value in list(namespace.values())):
        return True
    return any(
        is_class(value)
        and value.__module__ == module.__name__
        and any(id(member) in values for member in list(vars(value).values()))
        for value in list(namespace.values())
    )


def _resolve(module: ModuleType, path: str) -> Any:
    holder: Any = module
    for name in path.split(".")[:-1]:
        holder = getattr(holder, name, None)
    return holder

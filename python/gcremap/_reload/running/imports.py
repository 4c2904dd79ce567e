"""What the import statements of a module say, and give."""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from gcremap._reload.matching.job import Job
from gcremap._reload.sources import outline, parse, record, source
from gcremap._reload.sources.definitions import IMPORT, Definition
from gcremap._reload.sources.effects import imports_of
from gcremap._reload.sources.outline import Statement


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
            yield from public(present).items()


def public(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """What `*` brings of a module with this namespace."""
    names = namespace.get("__all__")
    if names is None:
        names = [name for name in list(namespace) if not name.startswith("_")]
    return {name: namespace[name] for name in list(names) if name in namespace}


def index_starred(job: Job) -> None:
    """Names that came by `*` are imported as others are."""
    if job.old_index is None or job.new_index is None or "*" not in job.new_index:
        return
    brought = dict(starred(job.now.statements, job.module, {}))
    for index in (job.old_index, job.new_index):
        for name in brought.keys() & index.keys():
            if index[name].adds_only:
                index[name].kinds.add(IMPORT)
    found = {
        name: Definition(name, {IMPORT})
        for name, value in brought.items()
        if name in job.stored and job.namespace.get(name, object()) is value
    }
    job.new_index = found | job.new_index
    if "*" in job.old_index:
        job.old_index = {
            n: found[n] for n in found.keys() & job.snapshot.namespace.keys()
        } | job.old_index


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

    origin: str
    """The full name of the module."""
    path: str
    """The class that it stands in, `C.D.`, or nothing."""
    names: tuple[tuple[str, str], ...]
    """What is imported, and the name that it gets here."""


_origins: dict[str, str] = {}
"""What modules of which no source was noted import from: a line for each origin, by module.

Many modules are looked at and few import what changed, so of the others no more is kept.
"""


def from_imports(
    module: ModuleType, origins: Iterable[str], known: source.Source | None = None
) -> list[FromImport]:
    """All statements by which `module` imports names, in order, if some import from `origins`;
    in its source `known` if that is not the one that was noted."""
    if _is_library(module.__name__) and not any(map(_is_library, origins)):
        return []
    known = known or source.noted(module)
    name = record.module_name(module)
    said = _origins.get(name) if known is None else known.origins
    if said is not None and set(origins).isdisjoint(said.split("\n")):
        return []
    found = _read(module, known)
    said = "\n".join(dict.fromkeys(each.origin for each in found))
    if known is None:
        _origins[name] = said
    else:
        known.origins = said
    return found if any(each.origin in origins for each in found) else []


def _read(module: ModuleType, known: source.Source | None) -> list[FromImport]:
    text = _text_of(module, known)
    if text is None:
        return []
    try:
        tree = parse.tree_of(text)
    except (SyntaxError, ValueError):
        return []
    found = []
    for path, node in imports_of(tree):
        origin = absolute(node, module) if isinstance(node, ast.ImportFrom) else None
        if isinstance(node, ast.ImportFrom) and origin is not None:
            names = tuple((each.name, each.asname or each.name) for each in node.names)
            found.append(FromImport(origin, path, names))
    return found


def _is_library(name: str) -> bool:
    """Whether it is in the standard library, which imports nothing from elsewhere."""
    if name.partition(".")[0] not in sys.stdlib_module_names:
        return False
    path = getattr(sys.modules.get(name), "__file__", None)
    return path is None or path.startswith(os.path.dirname(os.__file__) + os.sep)


def is_near(module: ModuleType, other: ModuleType) -> bool:
    """Whether both are of one package, or the first is of none that was installed: of such a
    one's modules there may be thousands to read."""
    if module.__name__.partition(".")[0] == other.__name__.partition(".")[0]:
        return True
    path = getattr(module, "__file__", None) or ""
    return f"-packages{os.sep}" not in path and not _is_library(module.__name__)


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

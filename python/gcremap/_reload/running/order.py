"""The order to reload modules in: what is imported before what imports it."""

from __future__ import annotations

import ast
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gcremap._reload.running.imports import absolute
from gcremap._reload.sources.definitions import IMPORT, Binding
from gcremap._reload.sources.outline import Statements, imports_of

Needs = dict[str, list[str]]
"""The modules that each of them imports, in order."""


def in_order(by_name: Mapping[str, Any], sources: Mapping[str, Statements]) -> list[str]:
    """The names of modules, what is imported before what imports it. `sources` has the new ones.

    In a cycle an import below definitions does not count: it stands there since what is imported
    needs them. What is a cycle still is run in the order in which its modules were completed
    when they were imported, which is how sys.modules has them: there, a cycle is known to work.
    """
    if len(by_name) == 1:
        return list(by_name)
    completed = {name: place for place, name in enumerate(list(sys.modules))}
    names = sorted(by_name, key=lambda name: (completed.get(name, len(completed)), name))
    ordered: list[str] = []

    def needed(name: str, statements: Statements) -> list[str]:
        # A package's __init__ imports its submodules; the other way round only what it defines.
        return [
            each
            for each in _imported(name, by_name, statements)
            if not f"{name}.".startswith(f"{each}.")
            or (each != name and _lacks(by_name[each], name, by_name, sources, _is_made))
        ]

    for outer in _cycles({name: needed(name, sources[name]) for name in names}):
        needs = {
            name: [each for each in needed(name, _top(sources[name])) if each in outer]
            for name in names
            if name in outer
        }
        for cycle in _cycles(needs):
            places = {name: place for place, name in enumerate(n for n in names if n in cycle)}
            within = {
                name: [
                    each
                    for each in needs[name]
                    if each in cycle
                    and (
                        places[each] < places[name] or _lacks(by_name[each], name, by_name, sources)
                    )
                ]
                for name in places
            }
            _visit_all(within, ordered)
    return ordered


def _top(statements: Statements) -> Statements:
    """Those of a module that come before its first class or function."""
    definitions = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return list(
        itertools.takewhile(lambda each: not isinstance(each.node, definitions), statements)
    )


def imported_names(statements: Statements, module: Any) -> Iterator[str]:
    """The full names of all modules that these may import, outside of functions."""
    for _, node in imports_of(statements):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        else:
            origin = absolute(node, module)
            if origin is not None:
                yield origin
                for alias in node.names:
                    yield f"{origin}.{alias.name}"


def _imported(name: str, by_name: Mapping[str, Any], statements: Statements) -> Iterator[str]:
    """Which of `by_name` importing this module imports, a package before what is in it."""
    for imported in imported_names(statements, by_name[name]):
        parts = imported.split(".")
        for count in range(1, len(parts) + 1):
            needed = ".".join(parts[:count])
            if needed in by_name:
                yield needed


def _lacks(
    origin: Any,
    importer: str,
    by_name: Mapping[str, Any],
    sources: Mapping[str, Statements],
    counts: Callable[[str, Statements], bool] = lambda name, statements: True,
) -> bool:
    """Whether a module imports what another has not got before that is reloaded."""
    for _, node in imports_of(sources[importer]):
        if isinstance(node, ast.ImportFrom):
            said = absolute(node, by_name[importer])
            if said is None or by_name.get(said) is not origin:
                continue
            if any(
                alias.name not in vars(origin) and f"{said}.{alias.name}" not in sys.modules
                for alias in node.names
                if alias.name != "*" and counts(alias.name, sources[said])
            ):
                return True
    return False


def _is_made(name: str, statements: Statements) -> bool:
    """Whether it is bound by what has to run, and not by an import or to a constant."""
    return any(
        isinstance(effect, Binding)
        and effect.name == name
        and effect.kind != IMPORT
        and not isinstance(getattr(statement.node, "value", None), ast.Constant)
        for statement in statements
        for effect in statement.effects
    )


def _visit_all(needs: Needs, ordered: list[str]) -> None:
    visited: set[str] = set()

    def visit(name: str) -> None:
        if name not in visited:
            visited.add(name)
            for needed in needs[name]:
                visit(needed)
            ordered.append(name)

    for name in needs:
        visit(name)


def _cycles(needs: Needs) -> Iterator[set[str]]:
    """The strongly connected parts of a graph, what is needed first (Tarjan's algorithm)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []

    def visit(name: str) -> Iterator[set[str]]:
        number[name] = lowest[name] = len(number)
        stack.append(name)
        for needed in needs[name]:
            if needed not in number:
                yield from visit(needed)
                lowest[name] = min(lowest[name], lowest[needed])
            elif needed in stack:
                lowest[name] = min(lowest[name], number[needed])
        if lowest[name] == number[name]:
            start = stack.index(name)
            yield set(stack[start:])
            del stack[start:]

    for name in needs:
        if name not in number:
            yield from visit(name)

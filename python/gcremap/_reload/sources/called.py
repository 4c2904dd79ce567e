"""What functions bind in the namespace of their module, if that calls them."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from gcremap._reload.sources.definitions import DATA, Definition, Index, Print
from gcremap._reload.sources.effects import names_read

if TYPE_CHECKING:
    from gcremap._reload.sources.outline import Statements

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Assignment = ast.Assign | ast.AugAssign | ast.AnnAssign


def bound_by_functions(names: Collection[str], statements: Statements) -> Index:
    """Those of `names` that functions of a source have as `global`: each is defined by what the
    functions assign to it, and by the statements outside of functions that lead to a call."""
    if not names:
        return {}
    nodes = [each.node for each in statements]
    functions = [part for node in nodes for part in ast.walk(node) if isinstance(part, _Function)]
    found = {}
    for name in names:
        binding = [
            function
            for function in functions
            if any(isinstance(part, ast.Global) and name in part.names for part in _own(function))
        ]
        prints = [
            Print(part)
            for function in binding
            for part in _own(function)
            if isinstance(part, _Assignment) and _binds(part, name)
        ]
        if prints:
            found[name] = definition = Definition(name, {DATA}, prints)
            calling = _leading_to(binding, functions)
            for node in nodes:
                if not isinstance(node, _Function | ast.ClassDef) and calling & _mentioned(node):
                    prints.append(Print(node))
                    definition.reads |= names_read(node) - calling
    return found


def called_at_the_top(statements: Statements) -> Index:
    """What functions have as `global` that a statement outside of functions is a call of: the
    calls are part of the definition."""
    functions = {
        each.node.name: each.node for each in statements if isinstance(each.node, _Function)
    }
    found: Index = {}
    for statement in statements:
        if isinstance(statement.node, _Function | ast.ClassDef | ast.Assign | ast.AnnAssign):
            continue
        for part in ast.walk(statement.node):
            match part:
                case ast.Expr(ast.Call(ast.Name(name))) if name in functions:
                    for own in _own(functions[name]):
                        for each in own.names if isinstance(own, ast.Global) else ():
                            definition = found.setdefault(each, Definition(each))
                            definition.prints.append(Print(part))
                            definition.reads |= names_read(part) - {name}
    return found


def _own(function: _Function) -> Iterator[ast.AST]:
    """What is in the body of a function, but not in functions within."""
    todo: list[ast.AST] = list(function.body)
    while todo:
        part = todo.pop()
        yield part
        if not isinstance(part, _Function | ast.Lambda | ast.ClassDef):
            todo.extend(ast.iter_child_nodes(part))


def _binds(node: ast.AST, name: str) -> bool:
    return any(
        isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Store)
        for part in ast.walk(node)
    )


def _leading_to(some: list[_Function], functions: list[_Function]) -> set[str]:
    """The names of some functions, and of those that may call them."""
    found = {function.name for function in some}
    mentioned = {function.name: _mentioned(function) for function in functions}
    more = found
    while more:
        more = {name for name, words in mentioned.items() if found & words} - found
        found |= more
    return found


def _mentioned(node: ast.AST) -> set[str]:
    """The names and attributes in it."""
    return {
        part.id if isinstance(part, ast.Name) else part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Name | ast.Attribute)
    }

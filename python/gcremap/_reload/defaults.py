"""Defaults of nested functions that were handed out: nobody makes these anew.

What a parameter's default is now is read from the source, where that says it: a constant.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from gcremap._reload.outline import Statements
from gcremap._reload.parse import first_line

Parts = tuple[tuple[Any, ...] | None, dict[str, Any] | None]
"""`__defaults__` and `__kwdefaults__`."""

_Place = tuple[str, int]


class Defaults:
    """Those of the functions of two versions of a source."""

    def __init__(self, old: Statements | None, new: Statements | None) -> None:
        self._sources = (old, new)
        self._read: tuple[dict[_Place, ast.arguments], ...] = ()

    def of(self, function: FunctionType, code: CodeType) -> Parts | None:
        """What `function` has by default once it runs `code`; None if that is what it has."""
        if not self._read:
            self._read = tuple(dict(_definitions(source or ())) for source in self._sources)
        olds, news = self._read
        was, now = olds.get(_place(function.__code__)), news.get(_place(code))
        if was is None or now is None:
            return None
        before, present = dict(_named(was)), _values(function)
        try:
            wanted = {
                name: _value(name, node, before.get(name), present) for name, node in _named(now)
            }
        except (LookupError, ValueError):
            return None
        if wanted.keys() == present.keys() and all(
            wanted[name] is value for name, value in present.items()
        ):
            return None
        by_word = {arg.arg for arg in now.kwonlyargs}
        positional = tuple(value for name, value in wanted.items() if name not in by_word)
        rest = {name: value for name, value in wanted.items() if name in by_word}
        return positional or None, rest or None


def _definitions(statements: Statements) -> Iterator[tuple[_Place, ast.arguments]]:
    for statement in statements:
        for node in ast.walk(statement.node):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield (node.name, first_line(node) + statement.moved), node.args


def _place(code: CodeType) -> _Place:
    return code.co_name, code.co_firstlineno


def _named(arguments: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    """The parameters that have a default, each with the expression."""
    positional = [*arguments.posonlyargs, *arguments.args]
    first = len(positional) - len(arguments.defaults)
    for parameter, node in zip(positional[first:], arguments.defaults, strict=True):
        yield parameter.arg, node
    for parameter, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            yield parameter.arg, default


def _values(function: FunctionType) -> dict[str, Any]:
    code, defaults = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    return {**dict(zip(names, defaults, strict=True)), **(function.__kwdefaults__ or {})}


def _value(name: str, node: ast.expr, before: ast.expr | None, present: dict[str, Any]) -> Any:
    """LookupError or ValueError if only the function that made it could tell."""
    if before is not None and ast.dump(before) == ast.dump(node):
        return present[name]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return present[name]

"""Defaults of functions that stay what they are: which of them do.

Of nested functions that were handed out nobody makes these anew: what a parameter's default is
now is read from the source, where that says it: a constant.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

from gcremap._reload.matching.state import SCALARS, is_constant
from gcremap._reload.objects.kinds import is_a
from gcremap._reload.sources.definitions import Definition
from gcremap._reload.sources.effects import names_read
from gcremap._reload.sources.outline import Statements
from gcremap._reload.sources.parse import first_line

Parts = tuple[tuple[Any, ...] | None, dict[str, Any] | None]
"""`__defaults__` and `__kwdefaults__`."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Defaults:
    """Those of the functions of two versions of a source."""

    def __init__(self, old: Statements | None, new: Statements | None) -> None:
        self._sources = (old or (), new or ())

    def of(self, function: FunctionType, code: CodeType) -> Parts | None:
        """What `function` has by default once it runs `code`; None if that is what it has."""
        olds, news = self._sources
        was, now = _arguments(olds, function.__code__), _arguments(news, code)
        if was is None or now is None:
            return None
        before, present = dict(_named(was)), _values(function)
        if before.keys() != present.keys():
            return None  # it was given others
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
        return _parts(wanted, {arg.arg for arg in now.kwonlyargs})


def chosen(
    old: FunctionType,
    new: FunctionType,
    definition: Definition | None,
    changed: Callable[[str], bool],
    equal: Callable[[Any, Any], bool],
) -> Parts:
    """The defaults of a function whose source did not change.

    They follow the constants, and the names that are `changed`, that they are computed from, and
    the attributes that they name; other objects and containers are state.
    """
    before = old.__defaults__, old.__kwdefaults__
    after = new.__defaults__, new.__kwdefaults__
    olds, news = _values(old), _values(new)
    if olds.keys() != news.keys():
        return after
    others = [
        name for name in olds if olds[name] is not news[name] and not equal(olds[name], news[name])
    ]
    if not others:
        return before
    nodes = dict(_stated(definition)) if definition is not None else {}

    def is_computed(name: str) -> bool:
        return name in nodes and any(map(changed, names_read(nodes[name])))

    gone = {
        name
        for name in others
        if (is_a(news[name], SCALARS) and is_constant(news[name]))
        or isinstance(nodes.get(name), ast.Attribute)
        or is_computed(name)
    }
    if not gone:
        return before
    wanted = {name: (news if name in gone else olds)[name] for name in olds}
    return _parts(wanted, set(after[1] or ()))


def _stated(definition: Definition) -> Iterator[tuple[str, ast.expr]]:
    """The parameters that have a default, of the one function that a statement makes."""
    for said in definition.prints:
        node: ast.AST | None = said.node
        if isinstance(node, ast.Assign | ast.AnnAssign):
            node = node.value
        if isinstance(node, (*_FUNCTIONS, ast.Lambda)):
            yield from _named(node.args)


def _parts(values: dict[str, Any], by_word: set[str]) -> Parts:
    positional = tuple(value for name, value in values.items() if name not in by_word)
    rest = {name: value for name, value in values.items() if name in by_word}
    return positional or None, rest or None


def _arguments(statements: Statements, code: CodeType) -> ast.arguments | None:
    """The parameters of the function that has a code."""
    for statement in statements:
        line = code.co_firstlineno - statement.moved
        place = (code.co_name, line)
        for node in _around(line, statement.node):
            if isinstance(node, _FUNCTIONS) and (node.name, first_line(node)) == place:
                return node.args
    return None


def _around(line: int, node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that may have a statement at a line."""
    is_elsewhere = isinstance(node, ast.stmt) and not (
        first_line(node) <= line <= (node.end_lineno or node.lineno)
    )
    if not is_elsewhere:
        yield node
        for child in ast.iter_child_nodes(node):
            yield from _around(line, child)


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
    names = code.co_varnames[: code.co_argcount]
    # There may be more of them than parameters, by an assignment: these are never used.
    known = zip(reversed(names), reversed(defaults), strict=False)
    return {**dict([*known][::-1]), **(function.__kwdefaults__ or {})}


def _value(name: str, node: ast.expr, before: ast.expr | None, present: dict[str, Any]) -> Any:
    """LookupError or ValueError if only the function that made it could tell."""
    if before is not None and ast.dump(before) == ast.dump(node):
        return present[name]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return present[name]

"""The tree of a source of which the code is known. Functions are not read until somebody asks: most
of a source is within them, and an edit leaves most of them as they were."""

from __future__ import annotations

import ast
import dis
import re
from collections.abc import Iterator
from inspect import CO_OPTIMIZED
from types import CodeType
from typing import Any

from gcremap._reload.sources import parse

_LOAD_CONST = dis.opmap["LOAD_CONST"]
_EXTENDED_ARG = dis.opmap["EXTENDED_ARG"]

_LATER = ("args", "body", "returns", "type_comment", "type_params")
"""What of a function is read when it is asked for; its name, decorators and place are known."""

_HEADER = re.compile(r"\s*(?:async\s+)?def\s+(\w+)")

_Span = tuple[int, int, int, int]
"""Where a statement begins, decorators aside, and ends: two lines, two columns in bytes."""


def type_of(node: ast.AST) -> type[ast.AST]:
    """Its type once it is read."""
    return _READ_AS.get(type(node), type(node))


class _Later:
    """A field of a function that is read when it is asked for."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, node: Any, owner: type) -> Any:
        if node is None:
            return None  # as the types of ast say of optional fields
        _read(node)
        return getattr(node, self._name)


def _unread(read: type[ast.AST]) -> type[ast.AST]:
    """The type of nodes that become `read` when they are read."""
    return type(read.__name__, (read,), {"__slots__": (), **{name: _Later() for name in _LATER}})


_READ_AS = {_unread(read): read for read in (ast.FunctionDef, ast.AsyncFunctionDef)}
_UNREAD = {read: unread for unread, read in _READ_AS.items()}


def _read(node: Any) -> None:
    node.__class__ = _READ_AS[type(node)]
    lines: list[str] = node.__dict__.pop("lines")
    first = parse.first_line(node)
    said = "\n".join(lines[first - 1 : node.end_lineno])
    if said[0].isspace():
        outer: Any = parse.tree_of("\n" * (first - 2) + "if 1:\n" + said).body[0]
        node.__dict__.update(vars(outer.body[0]))
    else:
        node.__dict__.update(vars(parse.tree_of("\n" * (first - 1) + said).body[0]))


def tree_of(lines: list[str], code: CodeType) -> ast.Module | None:
    """The tree of the source of these lines, whose code is `code`; None if they do not fit."""
    spans: dict[int, _Span] = {}
    shortened = list(lines)
    for function, span in _functions(code):
        first, last, column, end = span
        if last > len(lines):
            return None
        line = lines[first - 1]
        header = _HEADER.match(line)
        if header is None or header[1] != function.co_name or line[:column].strip():
            continue  # `__annotate__`, or a name that is written another way
        if lines[last - 1].encode()[end:].strip()[:1] not in (b"", b"#", b";"):
            return None  # a .pyc may be of an edit of the same second
        spans[first] = span
        shortened[first - 1] = f"{header[0]}(): pass"
        shortened[first:last] = [""] * (last - first)
    if not spans:
        return None
    try:
        tree = parse.tree_of("\n".join(shortened))
    except SyntaxError:
        return None
    _restore(tree, spans, lines)
    return tree if not spans else None


def _functions(code: CodeType) -> Iterator[tuple[CodeType, _Span]]:
    """The functions that a module and its classes make, and where their statements stand."""
    for made, (first, last, column, end) in _made(code):
        if first is None or last is None or column is None or end is None:
            continue  # -X no_debug_ranges
        if made.co_flags & CO_OPTIMIZED:
            yield made, (first, last, column, end)
        else:
            yield from _functions(made)


def _made(
    code: CodeType,
) -> Iterator[tuple[CodeType, tuple[int | None, int | None, int | None, int | None]]]:
    """The codes that `code` makes functions and classes of, and the positions where it does."""
    wanted = {at for at, constant in enumerate(code.co_consts) if type(constant) is CodeType}
    operations, argument = code.co_code, 0
    for at, position in enumerate(code.co_positions() if wanted else ()):
        operation = operations[2 * at]
        argument = argument << 8 | operations[2 * at + 1]
        if operation == _EXTENDED_ARG:
            continue
        if operation == _LOAD_CONST and argument in wanted:
            yield code.co_consts[argument], position
        argument = 0


def _restore(node: Any, spans: dict[int, _Span], lines: list[str]) -> tuple[int, int] | None:
    """Give functions, and what they end, the end that they have, and take them out of `spans`.

    Returns the last line and column of `node`.
    """
    end = None
    for inner in _nested(node):
        end = _restore(inner, spans, lines)
    if type(node) in _UNREAD:
        span = spans.pop(node.lineno, None)
        if span is not None:
            end = span[1], span[3]
            node.__class__ = _UNREAD[type(node)]
            for name in _LATER:
                node.__dict__.pop(name, None)
            node.lines = lines
    if not hasattr(node, "end_lineno"):
        return end
    if end is not None:
        node.end_lineno, node.end_col_offset = end
    return node.end_lineno, node.end_col_offset


def _nested(node: Any) -> Iterator[Any]:
    """The statements in one, or in a module, and what they stand in; those of functions aside."""
    if type(node) not in _UNREAD:
        for name in ("body", "handlers", "orelse", "finalbody", "cases"):
            yield from getattr(node, name, ())

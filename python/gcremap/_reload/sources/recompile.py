"""The code of a source after an edit: of functions and classes whose statements are as they were
only the headers are compiled anew, and the rest is the code of the version before."""

from __future__ import annotations
import __future__

import ast
import sys
from types import CodeType
from typing import Any

from gcremap._reload.sources import codes
from gcremap._reload.sources.outline import Header, Outline, Statement
from gcremap._reload.sources.parse import first_line

_Place = tuple[str, int]
"""The name of a code object and the line that it starts on, which no two of a module share."""

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

_FEATURES = 0
"""The flags of code by which `from __future__` changes how all of a source is compiled."""
for _name in __future__.all_feature_names:
    _FEATURES |= getattr(__future__, _name).compiler_flag


def code_after(now: Outline, path: str, before: Outline, code: CodeType) -> CodeType | None:
    """The code of `now`, a file at `path`, where that of `before` is `code`.

    None if it takes the whole to know, or to tell what is wrong with it.
    """
    if now.lines is None or before.lines is None or code.co_filename != path:
        return None
    if now is before:
        return _below(code, 0)
    known = {id(each.node): each.lines[0] for each in before.statements}
    olds = {_place(each): each for each in codes.nested(code)}
    lines = list(now.lines)
    bodies: dict[_Place, CodeType] = {}
    others: list[str] = [""] * len(lines)
    edited: set[_Place] = set()
    for each in now.statements:
        first, last = each.lines
        was = known.get(id(each.node))
        moved = 0 if was is None else first - was
        name = _name_of(each)
        old = None if was is None else olds.get((name, was))
        start = _body(each, lines, moved, old)
        if start is None:
            if each.imports:  # the compiler calls methods of what is imported another way
                others[first - 1 : last] = lines[first - 1 : last]
            continue
        if was is None:
            edited.add((name, first))
            others[first - 1 : last] = lines[first - 1 : last]
        elif old is not None:
            bodies[name, first] = _below(old, moved)
        else:
            continue
        _empty(lines, start, last)
    if not bodies:
        return None
    features = code.co_flags & _FEATURES
    if before.frame is None:
        before.frame = _text_of_frame(before, before.lines, olds), code
    try:
        made = _frame(now, before, "\n".join(lines), path)
        if edited:
            rest = compile("\n".join(others), path, "exec", features, dont_inherit=True)
            found = {_place(each): each for each in codes.nested(rest)}
            bodies.update((place, found[place]) for place in edited)
    except SyntaxError:
        return None
    if (made.co_flags & _FEATURES) != features:
        return None
    consts = [
        bodies.pop(_place(each), each) if type(each) is CodeType else each
        for each in made.co_consts
    ]
    return made.replace(co_consts=tuple(consts)) if not bodies else None


def _frame(now: Outline, before: Outline, text: str, path: str) -> CodeType:
    """The code of a source whose functions and classes are empty, or may be: an edit of a body
    leaves the rest of it as it was."""
    if before.frame is None or before.frame[0] != text:
        now.frame = text, compile(text, path, "exec", dont_inherit=True)
    else:
        now.frame = before.frame
    return now.frame[1]


def _text_of_frame(outline: Outline, lines: list[str], olds: dict[_Place, CodeType]) -> str:
    """The text of a source of which all is known, with empty functions and classes."""
    emptied = list(lines)
    for each in outline.statements:
        first, last = each.lines
        old = olds.get((_name_of(each), first))
        start = _body(each, lines, 0, old)
        if start is not None and old is not None:
            _empty(emptied, start, last)
    return "\n".join(emptied)


def _place(code: CodeType) -> _Place:
    return code.co_name, code.co_firstlineno


def _name_of(statement: Statement) -> str:
    """The name of a function or class."""
    node = statement.node
    return node.name if isinstance(node, _Definition) else ""


def _body(statement: Statement, lines: list[str], moved: int, old: CodeType | None) -> int | None:
    """The line that the body of a function or class starts on, whose code is perhaps `old`.

    None where the code is not of the body alone: that of a generic one is within another, and
    a `global` in a body decides how the module itself stores a name. Since Python 3.13 a
    class has the line that it stands on in its code.
    """
    if not isinstance(statement.node, _Definition):
        return None
    if statement.header is None:
        first, last = statement.lines
        said = lines[first - 1 : last]
        text = "\n".join(said)
        statement.header = Header(
            0 if "global" in text else _header_lines(statement, said, old), "class" in text
        )
    header = statement.header
    if not header.lines or (moved and header.names_class and _LINES_ARE_TOLD):
        return None
    return statement.lines[0] + header.lines


def _header_lines(statement: Statement, said: list[str], old: CodeType | None) -> int:
    """How many lines a function or class has before its body, and 0 where that shares one."""
    node: Any = statement.node
    name = node.lineno + statement.moved - statement.lines[0]
    if old is not None:
        lines = {line - old.co_firstlineno for *_, line in old.co_lines() if line is not None}
        start = min((line for line in lines if line > name), default=0)
        if start:  # what has no code, as a docstring, is left where it is
            return start if any(":" in line for line in said[name:start]) else 0
    if getattr(node, "type_params", None):
        return 0
    has_docstring = ast.get_docstring(node, clean=False) is not None
    first = node.body[has_docstring and len(node.body) > 1]
    start = first_line(first) + statement.moved - statement.lines[0]
    return start if start > name and not said[start][: first.col_offset].strip() else 0


_LINES_ARE_TOLD = sys.version_info >= (3, 13)


def _empty(lines: list[str], start: int, last: int) -> None:
    """Leave nothing of the body on these lines."""
    lines[start - 1 : last] = [_indentation(lines[start - 1]) + "pass", *[""] * (last - start)]


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _below(code: CodeType, lines: int) -> CodeType:
    """The same so many lines further down, and never the same object: by that, functions that
    the new version makes are told from those that are there."""
    if not codes.nested(code):
        return code.replace(co_firstlineno=code.co_firstlineno + lines)
    consts = [_below(each, lines) if type(each) is CodeType else each for each in code.co_consts]
    return code.replace(co_firstlineno=code.co_firstlineno + lines, co_consts=tuple(consts))

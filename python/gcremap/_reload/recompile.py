"""The code of a source after an edit: of functions and classes whose statements are as they were
only the headers are compiled anew, and the rest is the code of the version before."""

from __future__ import annotations
import __future__

import ast
import sys
from types import CodeType

from gcremap._reload import codes
from gcremap._reload.effects import first_line
from gcremap._reload.outline import Outline, Statement

_Place = tuple[str, int]
"""The name of a code object and the line that it starts on, which no two of a module share."""

_FEATURES = 0
"""The flags of code by which `from __future__` changes how all of a source is compiled."""
for _name in __future__.all_feature_names:
    _FEATURES |= getattr(__future__, _name).compiler_flag


def code_after(now: Outline, path: str, before: Outline, code: CodeType) -> CodeType | None:
    """The code of `now`, a file at `path`, where that of `before` is `code`.

    None if it takes the whole to know, or to tell what is wrong with it.
    """
    if now.lines is None or code.co_filename != path:
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
        name, start = _body(each, lines, moved)
        if not name:
            if each.imports:  # the compiler calls methods of what is imported another way
                others[first - 1 : last] = lines[first - 1 : last]
            continue
        if was is None:
            edited.add((name, first))
            others[first - 1 : last] = lines[first - 1 : last]
        elif (old := olds.get((name, was))) is not None:
            bodies[name, first] = _below(old, moved)
        else:
            continue
        _empty(lines, start, last)
    if not bodies:
        return None
    features = code.co_flags & _FEATURES
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
    """The code of a source whose functions and classes are empty: an edit of a body leaves it
    as it was."""
    if before.frame is None or before.frame[0] != text:
        now.frame = text, compile(text, path, "exec", dont_inherit=True)
    else:
        now.frame = before.frame
    return now.frame[1]


def _place(code: CodeType) -> _Place:
    return code.co_name, code.co_firstlineno


def _body(statement: Statement, lines: list[str], moved: int) -> _Place:
    """The name of a function or class, and the line its body starts on.

    No name where the code is not of the body alone: that of a generic one is within another, and
    a `global` in a body decides how the module itself stores a name. Since Python 3.13 a
    class has the line that it stands on in its code.
    """
    node, (first, last) = statement.node, statement.lines
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return "", first
    said = "\n".join(lines[first - 1 : last])
    words = ("global", "class") if moved and _LINES_ARE_TOLD else ("global",)
    start = first_line(node.body[0]) + statement.moved
    if (
        getattr(node, "type_params", None)
        or any(word in said for word in words)
        or node.body[0].col_offset != len(_indentation(lines[start - 1]))
    ):
        return "", first
    return node.name, start


_LINES_ARE_TOLD = sys.version_info >= (3, 13)


def _empty(lines: list[str], start: int, last: int) -> None:
    """Leave nothing of the body on these lines."""
    lines[start - 1 : last] = [_indentation(lines[start - 1]) + "pass", *[""] * (last - start)]


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _below(code: CodeType, lines: int) -> CodeType:
    """The same so many lines further down."""
    consts = (_below(each, lines) if type(each) is CodeType else each for each in code.co_consts)
    return code.replace(co_firstlineno=code.co_firstlineno + lines, co_consts=tuple(consts))

"""Random edits of the source of a module, of the kinds that people make."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Sequence
from typing import Any

HELPERS = """
import functools
def same(f): return f
def wrapped(f):
    @functools.wraps(f)
    def inner(*rest, **named): return f(*rest, **named)
    return inner
class Box:
    def __init__(self, f): functools.update_wrapper(self, f); self.f = f
    def __call__(self, *rest, **named): return self.f(*rest, **named)
    def __get__(self, holder, kind=None): return self.f.__get__(holder, kind) if holder else self
class Meta(type): pass
class Mixin:
    def mixed(self): return 1
"""
"""The module `edit_helpers`, with what edited sources name."""

_IMPORTED = "__import__('edit_helpers')."
_FUTURE = "from __future__ import annotations"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_DUNDERS = (
    "def __eq__(self, other): return self is other",
    "def __hash__(self): return 7",
    "def __len__(self): return 3",
    "def __getattr__(self, name): raise AttributeError(name)",
    "class Inner:\n    x = 1\n    def method(self): return Inner",
)
_MOVES = 0.3
"""The part of the edits that may be a move to another module."""
_VALUES = ("= 1", "= []", ": int = 2", "= property(len)", "= lambda self: 1")
_NEW = ("def {0}(self=None): return 1", "class {0}:\n    def m(self): return super()", "{0} = [1]")


class Editor:
    """Edits texts at random; the same for the same seed."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._count = 0

    def edit(self, text: str) -> tuple[str, str]:
        """Another text that compiles, and what was done."""
        while True:
            how = self._chance.choice(_WAYS)
            try:
                new, what = self._edit(text, how)
                compile(new, "edited", "exec")
            except (IndexError, ValueError, SyntaxError):
                continue  # there is nothing of the kind, or it does not go with the rest
            if new != text:
                return new, f"{how.__name__[1:]} {what}"

    def move(self, text: str, other: str, other_text: str) -> tuple[str, str, str] | None:
        """A definition of a text goes to the end of that of the module `other`, and is imported
        from there, or not at all; once in a while, and if there is one. Both texts, what was done.
        """
        if self._chance.random() > _MOVES:
            return None
        try:
            node = self.pick(ast.parse(text).body)
        except IndexError:
            return None
        self.lines = text.split("\n")
        first, last = self.span(node)
        moved = self.lines[first:last]
        self.put(node, self.choose([f"from {other} import {node.name}", "# moved"]))
        return "\n".join(self.lines), "\n".join([other_text, *moved, ""]), f"{node.name} to {other}"

    def _edit(self, text: str, how: Callable[..., str]) -> tuple[str, str]:
        self._count += 1
        tree = ast.parse(text)
        bodies = [tree.body] + 2 * [n.body for n in tree.body if isinstance(n, ast.ClassDef)]
        self.lines = text.split("\n")
        what = how(self, self._chance.choice(bodies))
        return "\n".join(self.lines), what

    # What the ways to edit are made of.

    def pick(self, body: Sequence[ast.stmt], kinds: Any = _DEFINITIONS) -> Any:
        return self._chance.choice([each for each in body if isinstance(each, kinds)])

    def choose(self, texts: Sequence[str]) -> str:
        return self._chance.choice(texts)

    def name(self, kind: str) -> str:
        return f"{kind}_{self._count}"

    def span(self, node: Any) -> tuple[int, int]:
        """The lines that it has, decorators included."""
        decorators = getattr(node, "decorator_list", [])
        return min(each.lineno for each in (node, *decorators)) - 1, node.end_lineno

    def put(self, node: Any, *texts: str, after: bool = False) -> None:
        """Lines of text, or what the node has become, in its place or after it."""
        lines = "\n".join(texts or [ast.unparse(ast.fix_missing_locations(node))]).split("\n")
        first, last = self.span(node)
        indented = [" " * node.col_offset + line if line else line for line in lines]
        self.lines[last if after else first : last] = indented


def _delete(editor: Editor, body: list[ast.stmt]) -> str:
    if len(body) < 3:
        raise ValueError
    node = editor.pick(body, (*_DEFINITIONS, ast.Assign))
    first, last = editor.span(node)
    del editor.lines[first:last]
    return ast.unparse(node)[:40]


def _move(editor: Editor, body: list[ast.stmt]) -> str:
    node, other = editor.pick(body), editor.pick(body)
    first, last = editor.span(node)
    piece, at = editor.lines[first:last], editor.span(other)[0]
    del editor.lines[first:last]
    if at > first:
        at -= len(piece)
    editor.lines[at:at] = piece
    return f"{node.name} before {other.name}"


def _copy(editor: Editor, body: list[ast.stmt]) -> str:
    node = editor.pick(body)
    was, node.name = node.name, editor.name("copy")
    editor.put(node, ast.unparse(node), after=True)
    return str(was)


def _rename(editor: Editor, body: list[ast.stmt]) -> str:
    node = editor.pick(body)
    was, node.name = node.name, editor.name("renamed")
    editor.put(node)
    return str(was)


def _rename_for_good(editor: Editor, body: list[ast.stmt]) -> str:
    node = editor.pick(body)
    was, node.name = node.name, editor.name("renamed")
    editor.put(node, ast.unparse(node), f"{was} = {node.name}")
    return str(was)


def _change_a_constant(editor: Editor, body: list[ast.stmt]) -> str:
    node = editor.pick(body, ast.stmt)
    if any(isinstance(each, ast.JoinedStr) for each in ast.walk(node)):
        raise ValueError
    found = [each for each in ast.walk(node) if isinstance(each, ast.Constant)]
    constant = editor.pick([each for each in found if type(each.value) in (int, str)], object)  # type: ignore[arg-type]
    constant.value += 1 if type(constant.value) is int else "x"
    editor.put(node)
    return ast.unparse(node)[:40]


def _add_to_the_body(editor: Editor, body: list[ast.stmt]) -> str:
    node = editor.pick(body, _FUNCTIONS)
    added = editor.choose(["edited = 1", "'docstring'", "yield 1", "lambda: self"])
    node.body.insert(0, ast.parse(added).body[0])
    editor.put(node)
    return str(node.name)


def _decorate(editor: Editor, body: list[ast.stmt]) -> str:
    node = editor.pick(body)
    is_class = isinstance(node, ast.ClassDef)
    decorator = editor.choose(["same"] if is_class else ["same", "wrapped", "Box"])
    editor.put(node, f"@{_IMPORTED}{decorator}\n{ast.unparse(node)}")
    return str(node.name)


def _undecorate(editor: Editor, body: list[ast.stmt]) -> str:
    node = editor.pick([each for each in body if getattr(each, "decorator_list", None)])
    del node.decorator_list[-1]
    editor.put(node)
    return str(node.name)


def _change_the_kind(editor: Editor, body: list[ast.stmt]) -> str:
    node = editor.pick(body, _FUNCTIONS)
    kind = editor.choose(["staticmethod", "classmethod", "property"])
    node.decorator_list = [ast.Name(kind)]
    if not node.col_offset:
        raise ValueError
    editor.put(node)
    return f"{node.name} to {kind}"


def _change_parameters(editor: Editor, body: list[ast.stmt]) -> str:
    node = editor.pick(body, _FUNCTIONS)
    default = editor.choose(["1", "None", "[]", "len", "object()"])
    node.args.kwonlyargs.append(ast.arg(editor.name("extra")))
    node.args.kw_defaults.append(ast.parse(default, mode="eval").body)
    node.returns = ast.parse(editor.choose(["int", "'Later'", "list[int]"]), mode="eval").body
    editor.put(node)
    return str(node.name)


def _make_conditional(editor: Editor, body: list[ast.stmt]) -> str:
    node = editor.pick(body, (*_DEFINITIONS, ast.Assign))
    inner = "\n".join("    " + line for line in ast.unparse(node).split("\n"))
    editor.put(node, "if True:", inner, "else:", "    never = 1")
    return ast.unparse(node)[:40]


def _change_bases(editor: Editor, body: list[ast.stmt]) -> str:
    node = editor.pick(body, ast.ClassDef)
    if editor.choose("+-") == "+":
        node.bases.append(ast.parse(f"{_IMPORTED}Mixin", mode="eval").body)
    else:
        node.bases.pop()
    editor.put(node)
    return str(node.name)


def _add_a_metaclass(editor: Editor, body: list[ast.stmt]) -> str:
    node = editor.pick(body, ast.ClassDef)
    metaclass = ast.parse(f"{_IMPORTED}Meta", mode="eval").body
    node.keywords.append(ast.keyword("metaclass", metaclass))
    editor.put(node)
    return str(node.name)


def _add_to_a_class(editor: Editor, body: list[ast.stmt]) -> str:
    node = editor.pick(body, ast.ClassDef)
    slot = editor.name("slot")
    value = f"{editor.name('added')} {editor.choose(_VALUES)}"
    slots = f"__slots__ = ({slot!r}, '__dict__', '__weakref__')"
    node.body += ast.parse(editor.choose([*_DUNDERS, slots, value, f"'{slot}'"])).body
    editor.put(node)
    return str(node.name)


def _close_over(editor: Editor, body: list[ast.stmt]) -> str:
    node = editor.pick(body, _FUNCTIONS)
    maker = editor.name("make")
    if node.decorator_list or node.name.startswith("make_"):
        raise ValueError
    inner = "\n".join("    " + line for line in ast.unparse(node).split("\n"))
    given = [f"    {node.name}.given = lambda: given", f"    return {node.name}"]
    editor.put(node, f"def {maker}(given=1):", inner, *given, f"{node.name} = {maker}()")
    return str(node.name)


def _add_lines(editor: Editor, body: list[ast.stmt]) -> str:
    node = editor.pick(body, ast.stmt)
    first, _ = editor.span(node)
    editor.lines[first:first] = ["", " " * node.col_offset + "# a comment"]
    return ast.unparse(node)[:40]


def _add_a_statement(editor: Editor, body: list[ast.stmt]) -> str:
    node = editor.pick(body, ast.stmt)
    added = editor.choose(_NEW).format(editor.name("new"))
    editor.put(node, added, after=True)
    return added.partition("\n")[0]


def _toggle_the_future(editor: Editor, body: list[ast.stmt]) -> str:
    if _FUTURE in editor.lines:
        editor.lines.remove(_FUTURE)
        return "off"
    first = body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    at = first.end_lineno if is_docstring and not first.col_offset else 0
    editor.lines.insert(at or 0, _FUTURE)
    return "on"


_WAYS = (
    _delete, _move, _copy, _rename, _rename_for_good, _change_a_constant, _add_to_the_body,
    _decorate, _undecorate, _change_the_kind, _change_parameters, _make_conditional, _change_bases,
    _add_a_metaclass, _add_to_a_class, _close_over, _add_lines, _add_a_statement,
    _toggle_the_future,
)  # fmt: skip

"""What the statements of a source do to the names of its namespace."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Any

from gcremap._reload.sources.definitions import (
    CLASS,
    DATA,
    DEF,
    IMPORT,
    LAMBDA,
    Binding,
    Branch,
    Effect,
    Index,
    Print,
    Touch,
    Way,
    index_of,
)
from gcremap._reload.sources.parse import first_line

_DISPLAYS = (ast.List, ast.Dict, ast.Set)
_FRESH_CALLS = frozenset(
    {
        "attrgetter",
        "bytearray",
        "copy",
        "deepcopy",
        "defaultdict",
        "deque",
        "dict",
        "fromkeys",
        "itemgetter",
        "list",
        "lru_cache",
        "methodcaller",
        "object",
        "partial",
        "partialmethod",
        "set",
        "sorted",
        "OrderedDict",
    }
)


def effects_of(body: Iterable[ast.stmt], lines: list[str] | None, owner: str = "") -> list[Effect]:
    """What `body` does, in order: that of a module whose source is `lines`, or of the class `owner`
    in it."""
    reader = _Reader(lines, owner)
    reader.body(body, "", frozenset())
    return reader.effects


class _Reader:
    """Walks the statements of one namespace, in order."""

    def __init__(self, lines: list[str] | None, owner: str) -> None:
        self.effects: list[Effect] = []
        self._lines = lines
        self._branch: Branch = ()
        self._loops: list[tuple[ast.expr, ast.expr]] = []
        """The targets and the iterables of the loops around."""
        self._owner = owner.lstrip("_")
        """The class whose body it is, as it stands in private names."""

    def _mangled(self, name: str) -> str:
        """The name under which the class has `__name`."""
        if not self._owner or not name.startswith("__") or name.endswith("__") or "." in name:
            return name
        return f"_{self._owner}{name}"

    def _said(self, node: ast.stmt | ast.expr | ast.withitem, context: str) -> Print:
        if self._lines is None or isinstance(node, ast.withitem) or node.end_lineno is None:
            return Print(node, context)
        first = first_line(node)
        if first == node.end_lineno:
            # There may be more on the line; columns of bytes are no columns of text.
            line = self._lines[first - 1]
            if not line.isascii():
                return Print(node, context)
            return Print(node, context, line[node.col_offset : node.end_col_offset])
        lines = self._lines[first - 1 : node.end_lineno]
        if not (lines[0].isascii() and lines[-1].isascii()):
            return Print(node, context)
        lines[-1] = lines[-1][: node.end_col_offset]
        if first == node.lineno:
            lines[0] = lines[0][node.col_offset :]
        return Print(node, context, "\n".join(lines))

    def body(self, statements: Iterable[ast.stmt], context: str, reads: frozenset[str]) -> None:
        """Index `statements`, which run under the conditions `context` that read `reads`."""
        for statement in statements:
            self.statement(statement, context, reads)

    def _branches(
        self,
        node: ast.stmt,
        which: int,
        statements: Iterable[ast.stmt],
        context: str,
        reads: frozenset[str],
    ) -> None:
        """Index `statements`, of which no more run if another branch of `node` does."""
        outer = self._branch
        self._branch = (*outer, (node.lineno, which))
        self.body(statements, context, reads)
        self._branch = outer

    def statement(self, node: ast.stmt, context: str, reads: frozenset[str]) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._code(DEF, node, context, reads)
            case ast.ClassDef():
                members = index_of(effects_of(node.body, self._lines, node.name))
                self._code(CLASS, node, context, reads, members)
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    self._bind(name, IMPORT, self._said(node, context), frozenset())
            case ast.Assign(targets=targets, value=value):
                self._assign(targets, value, node, context, reads)
            case ast.AnnAssign(target=target, value=value):
                if value is not None:
                    self._assign([target], value, node, context, reads)
            case ast.AugAssign(target=target, value=value):
                self._assign([target], value, node, context, reads, again=True)
            case ast.Expr(ast.Call(ast.Name("setattr"), [owner, name, _])):
                for each in self._texts_of(name):
                    target = ast.Attribute(owner, each)
                    self._touch(target, self._said(node, context), reads | names_read(node))
            case ast.Expr(ast.Call(ast.Attribute(owner, "update"), [], words)) if _is_all(owner):
                for word in words:
                    target = ast.Subscript(owner, ast.Constant(word.arg))
                    same = ast.Assign([target], word.value)
                    self._assign([target], word.value, same, context, reads)
            case ast.Expr(value=ast.Call(func=ast.Attribute() as called)):
                self._touch(called, self._said(node, context), reads | names_read(node))
            case ast.If(test=test) if _is_for_type_checkers(test):
                self._branches(node, 1, node.orelse, context, reads)
            case ast.If(test=test) | ast.While(test=test):
                inner = reads | names_read(test)
                where = f"{context}{type(node).__name__} {ast.dump(test)}: "
                self._branches(node, 0, node.body, where, inner)
                self._branches(node, 1, node.orelse, "not " + where, inner)
            case ast.For(iter=iterable) | ast.AsyncFor(iter=iterable):
                inner = reads | names_read(iterable)
                where = f"{context}for {ast.dump(node.target)} in {ast.dump(iterable)}: "
                for name in _target_names(node.target):
                    self._bind(name, DATA, self._said(node.iter, where), inner)
                self._loops.append((node.target, iterable))
                self.body(node.body, where, inner)
                self._loops.pop()
                self.body(node.orelse, where, inner)
            case ast.With(items=items) | ast.AsyncWith(items=items):
                for item in items:
                    reads = reads | names_read(item.context_expr)
                    for name in _target_names(item.optional_vars):
                        self._bind(name, DATA, self._said(item, context), reads)
                self.body(node.body, context, reads)
            case ast.Try() | ast.TryStar():
                self._branches(node, 0, node.body, context, reads)
                for which, handler in enumerate(node.handlers, 1):
                    self._branches(node, which, handler.body, f"{context}except: ", reads)
                self._branches(node, 0, node.orelse, context, reads)
                self.body(node.finalbody, context, reads)
            case ast.Match(subject=subject):
                inner = reads | names_read(subject)
                for which, case in enumerate(node.cases):
                    where = f"{context}case {ast.dump(case.pattern)}: "
                    for captured in ast.walk(case.pattern):
                        if isinstance(captured, ast.MatchAs | ast.MatchStar) and captured.name:
                            self._bind(captured.name, DATA, self._said(subject, where), inner)
                    self._branches(node, which, case.body, where, inner)
            case ast.Delete():
                for deleted in node.targets:
                    self._touch(deleted, self._said(node, context), reads)
            case _:
                if type(node).__name__ == "TypeAlias":  # not in Python 3.11's ast
                    stated: Any = node
                    read = names_read(stated.value) - {each.name for each in stated.type_params}
                    self._bind(stated.name.id, DATA, self._said(node, context), read)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self._walruses(node, context, reads)

    def _code(
        self,
        kind: str,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
        context: str,
        reads: frozenset[str],
        members: Index | None = None,
    ) -> None:
        said = self._said(node, context)
        decorators = [ast.dump(decorator) for decorator in node.decorator_list]
        lines = (first_line(node), node.end_lineno or node.lineno)
        way = Way(kind, said, lines, self._branch, decorators, members)
        self._bind(node.name, kind, said, reads, way=way)
        for decorator in node.decorator_list:
            called: ast.expr = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(called, ast.Attribute) and root_name(called) != node.name:
                said = Print(decorator, f"{context}@{node.name} ")
                self._touch(called, said, frozenset())

    def _assign(
        self,
        targets: list[ast.expr],
        value: ast.expr,
        node: ast.stmt,
        context: str,
        reads: frozenset[str],
        again: bool = False,
    ) -> None:
        said = self._said(node, context)
        reads = reads | names_read(value)
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(value, ast.Lambda):
                self._bind(target.id, LAMBDA, said, frozenset())
                continue
            names = list(_target_names(target)) or list(_key_of_the_namespace(target))
            for name in names:
                fresh = not again and len(names) == 1 and is_fresh(value)
                self._bind(name, DATA, said, reads, fresh)
            for part in _targets(target):
                if not isinstance(part, ast.Name):
                    self._touch(part, said, reads)

    def _bind(
        self,
        name: str,
        kind: str,
        said: Print,
        reads: frozenset[str],
        fresh: bool | None = None,
        way: Way | None = None,
    ) -> None:
        self.effects.append(
            Binding(self._mangled(name), kind, said, self._all_mangled(reads), fresh, way)
        )

    def _texts_of(self, node: ast.expr) -> list[str]:
        """What a constant says, or the variable of a loop over some."""
        found = [node]
        if isinstance(node, ast.Name):
            around = [
                each for to, each in self._loops if isinstance(to, ast.Name) and to.id == node.id
            ]
            found = getattr(around[-1], "elts", []) if around else []
        return [x.value for x in found if isinstance(x, ast.Constant) and isinstance(x.value, str)]

    def _touch(self, target: ast.expr, said: Print, reads: frozenset[str]) -> None:
        root = root_name(target)
        if root is not None:
            path = _dotted(target) if isinstance(target, ast.Attribute) else None
            path = self._mangled(root) + path.removeprefix(root) if path is not None else None
            reads = self._all_mangled(reads)
            self.effects.append(Touch(self._mangled(root), path, said, reads))

    def _all_mangled(self, names: frozenset[str]) -> frozenset[str]:
        return frozenset(map(self._mangled, names)) if self._owner else names

    def _walruses(self, node: ast.stmt, context: str, reads: frozenset[str]) -> None:
        for expression in ast.iter_child_nodes(node):
            if isinstance(expression, ast.expr):
                for inner in ast.walk(expression):
                    if isinstance(inner, ast.NamedExpr):
                        found = reads | names_read(inner.value)
                        said = self._said(inner, context)
                        self._bind(inner.target.id, DATA, said, found)


def names_read(node: ast.AST) -> frozenset[str]:
    """The names that evaluating `node` reads, `name.attribute` and attributes of that; what runs
    only later is left out."""
    found: set[str] = set()
    todo = [node]
    while todo:
        this = todo.pop()
        if isinstance(this, ast.Lambda):
            continue
        if isinstance(this, ast.Name):
            found.add(this.id)
        elif isinstance(this, ast.Attribute) and (name := _dotted(this)) is not None:
            found.add(name)
        todo.extend(ast.iter_child_nodes(this))
    return frozenset(found)


def _dotted(node: ast.expr) -> str | None:
    """`name`, `name.attribute` and so on."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (owner := _dotted(node.value)) is not None:
        return f"{owner}.{node.attr}"
    return None


def names_in_class(node: ast.AST) -> frozenset[str]:
    """The names that a class is made of: its bases, decorators, annotations and values."""
    if not isinstance(node, ast.ClassDef):
        return frozenset()
    read: list[ast.AST] = [*node.bases, *node.keywords, *node.decorator_list]
    read += [each for each in node.body if isinstance(each, ast.Assign | ast.AnnAssign | ast.Expr)]
    said = [
        part.value
        for each in node.body
        if isinstance(each, ast.AnnAssign)
        for part in ast.walk(each.annotation)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]
    names = {name for text in said for name in re.findall(r"\w+", text)}
    return frozenset(names).union(*map(names_read, read))


def root_name(target: ast.expr) -> str | None:
    """The name that an attribute or item chain starts from."""
    node: ast.expr = target
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def is_fresh(value: ast.expr) -> bool:
    """Whether the expression makes an object that nothing else can hold yet."""
    match value:
        case ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case _ if isinstance(value, _DISPLAYS):
            return True
        case ast.IfExp(body=one, orelse=other):
            return is_fresh(one) and is_fresh(other)
        case ast.BinOp(left=left, right=right):
            return isinstance(left, _DISPLAYS) or isinstance(right, _DISPLAYS)
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name in _FRESH_CALLS or name[:1].isupper()
        case ast.Call(func=ast.Call(func=ast.Name("lru_cache") | ast.Attribute(attr="lru_cache"))):
            return True
        case _:
            return False


def _is_all(node: ast.expr) -> bool:
    """Whether it is the namespace of a module, at its top."""
    match node:
        case ast.Call(func=ast.Name(id="globals" | "vars" | "locals"), args=[], keywords=[]):
            return True
        case _:
            return False


def _key_of_the_namespace(target: ast.expr) -> Iterator[str]:
    """`globals()["NAME"]` is another way to say NAME."""
    match target:
        case ast.Subscript(value=owner, slice=ast.Constant(value=str() as name)) if _is_all(owner):
            yield name
        case _:
            return


def _targets(target: ast.expr | None) -> Iterator[ast.expr]:
    match target:
        case ast.Tuple(elts=targets) | ast.List(elts=targets):
            for inner in targets:
                yield from _targets(inner)
        case ast.Starred(value=inner):
            yield from _targets(inner)
        case ast.expr():
            yield target


def _target_names(target: ast.expr | None) -> Iterator[str]:
    return (each.id for each in _targets(target) if isinstance(each, ast.Name))


def _is_for_type_checkers(test: ast.expr) -> bool:
    """Whether it never runs: `if TYPE_CHECKING:`."""
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
        case _:
            return False


def imports_of(tree: ast.AST, path: str = "") -> Iterator[tuple[str, ast.Import | ast.ImportFrom]]:
    """Every import statement that runs outside of functions, in order, with the class path it
    stands in."""
    for child in ast.iter_child_nodes(tree):
        match child:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                continue
            case ast.ClassDef(name=name):
                yield from imports_of(child, f"{path}{name}.")
            case ast.Import() | ast.ImportFrom():
                yield path, child
            case ast.If(test=test) if _is_for_type_checkers(test):
                yield from imports_of(ast.Module(child.orelse, []), path)
            case ast.stmt() | ast.ExceptHandler() | ast.match_case():
                yield from imports_of(child, path)

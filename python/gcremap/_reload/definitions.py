"""What each name of a module is defined by: an index of the binding statements of a source.

Two indexes, of the old source and of the new one, tell which names are defined by `def` and
`class`, which are data, whose defining statements changed, and which names are gone.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

DEF = "def"
CLASS = "class"
IMPORT = "import"
LAMBDA = "lambda"
DATA = "data"


class Print:
    """What a statement says, positions aside.

    Most statements of two versions have the same text, which is quickly seen; of the others
    the syntax tree tells.
    """

    __slots__ = ("_dump", "_node", "context", "text")

    def __init__(self, node: ast.AST, context: str = "", text: str | None = None) -> None:
        self._node = node
        self._dump: str | None = None
        self.context = context
        """The conditions that it runs under."""
        self.text = text

    @property
    def said(self) -> str:
        if self._dump is None:
            self._dump = ast.dump(self._node)
        return self._dump

    def mentions(self, name: str, dumped: str) -> bool:
        """Whether `dumped`, in which `name` stands, is part of it."""
        if dumped in self.context:
            return True
        return (self.text is None or name in self.text) and dumped in self.said

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Print):
            return NotImplemented
        if self.context != other.context or type(self._node) is not type(other._node):
            return False
        return (self.text is not None and self.text == other.text) or self.said == other.said

    __hash__ = None  # type: ignore[assignment]


class Said(Print):
    """The same, of which no more than this is known."""

    __slots__ = ()

    def __init__(self, said: str) -> None:
        super().__init__(_NOTHING)
        self._dump = said


_NOTHING = ast.Pass()


Branch = tuple[tuple[int, int], ...]
"""What a statement stands in: by its position, each statement that has branches, and which."""


@dataclass(slots=True)
class Way:
    """One of the `def` and `class` statements of a name."""

    kind: str
    said: Print
    lines: tuple[int, int]
    """The first, with decorators, and the last."""
    branch: Branch
    decorators: list[str]
    members: Index | None

    def excludes(self, other: Way) -> bool:
        """Whether the two stand in different branches of one statement."""
        for mine, others in zip(self.branch, other.branch, strict=False):
            if mine != others:
                return mine[0] == others[0]
        return False


@dataclass(slots=True)
class Definition:
    """All the statements that bind, or build up, one name."""

    name: str
    kinds: set[str] = field(default_factory=set)
    prints: list[Print] = field(default_factory=list)
    """What the statements say; two definitions are the same if these are."""
    reads: set[str] = field(default_factory=set)
    """Module-level names that the value, or whether there is one, is computed from."""
    decorators: list[str] = field(default_factory=list)
    fresh: bool = False
    """Bound by an expression that makes a new object each time."""
    touched: bool = False
    """Built up by further statements: `NAME[...] = `, `NAME.method()`, `@NAME.register`."""
    members: Index | None = None
    """What the class body defines."""
    ways: list[Way] = field(default_factory=list)
    """The statements that define it as code, where the source is known."""

    @property
    def are_exclusive(self) -> bool:
        """Whether no two of the statements can have run one after the other."""
        pairs = itertools.combinations(self.ways, 2)
        return all(one.excludes(other) for one, other in pairs)

    def only(self, way: Way) -> Definition:
        """What there is to say if it was this way."""
        return Definition(
            self.name, {way.kind}, [way.said], self.reads, way.decorators,
            members=way.members, ways=[way],
        )  # fmt: skip

    @property
    def is_code(self) -> bool:
        """Whether nothing but `def` and `class` statements bind the name."""
        return bool(self.kinds) and self.kinds <= {DEF, CLASS}

    @property
    def has_alternatives(self) -> bool:
        """Whether there are several statements, of which perhaps not all have run."""
        conditions = {None if isinstance(each, Said) else each.context for each in self.prints}
        return len(self.prints) > 1 and conditions != {self.prints[0].context}

    @property
    def asks_for_itself(self) -> bool:
        """Bound only `if "NAME" not in globals()` or the like."""
        asked = f"Constant(value={self.name!r})"
        return any(
            said.mentions("globals", "globals") and said.mentions(self.name, asked)
            for said in self.prints
        )

    @property
    def is_main(self) -> bool:
        """Bound `if __name__ == "__main__"`."""
        return any(said.mentions("__name__", "Name(id='__name__'") for said in self.prints)

    @property
    def is_import(self) -> bool:
        return self.kinds == {IMPORT}

    @property
    def is_lambda(self) -> bool:
        return self.kinds == {LAMBDA}

    def same(self, other: Definition) -> bool:
        return self.prints == other.prints


Index = dict[str, Definition]

_DISPLAYS = (ast.List, ast.Dict, ast.Set)
_FRESH_CALLS = frozenset(
    {
        "bytearray",
        "copy",
        "deepcopy",
        "defaultdict",
        "deque",
        "dict",
        "fromkeys",
        "list",
        "set",
        "sorted",
        "OrderedDict",
    }
)


def index_of(tree: ast.AST, text: str | None = None) -> Index:
    """The index of the body of a module whose source is `text`."""
    # Other line ends count as such for the tree, and would not here.
    lines = text.split("\n") if text is not None and "\r" not in text else None
    return _index_of(tree, lines)


def _index_of(tree: ast.AST, lines: list[str] | None) -> Index:
    indexer = _Indexer(lines, tree.name if isinstance(tree, ast.ClassDef) else "")
    indexer.body(getattr(tree, "body", []), "", frozenset())
    return indexer.index


class _Indexer:
    """Walks the statements of one namespace, in order."""

    def __init__(self, lines: list[str] | None, owner: str) -> None:
        self.index: Index = {}
        self._lines = lines
        self._branch: Branch = ()
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
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
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
                definition = self._code(CLASS, node, context, reads)
                way = definition.ways[-1]
                way.members = _index_of(node, self._lines)
                # Of several, which one has run is only known of what it has made.
                definition.members = way.members if len(definition.prints) == 1 else None
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
            case ast.Expr(value=ast.Call(func=ast.Attribute() as called)):
                self._touch(called, self._said(node, context), reads | names_read(node))
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
                self.body(node.body, where, inner)
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
                if type(node).__name__ == "TypeAlias":
                    name = getattr(node, "name").id  # noqa: B009 - not in Python 3.11's ast
                    self._bind(name, DATA, self._said(node, context), frozenset())
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self._walruses(node, context, reads)

    def _code(
        self,
        kind: str,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
        context: str,
        reads: frozenset[str],
    ) -> Definition:
        definition = self._bind(node.name, kind, self._said(node, context), reads)
        decorators = [ast.dump(decorator) for decorator in node.decorator_list]
        definition.decorators += decorators
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        lines = (first, node.end_lineno or node.lineno)
        definition.ways.append(
            Way(kind, definition.prints[-1], lines, self._branch, decorators, None)
        )
        for decorator in node.decorator_list:
            called: ast.expr = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(called, ast.Attribute) and root_name(called) != node.name:
                said = Print(decorator, f"{context}@{node.name} ")
                self._touch(called, said, frozenset())
        return definition

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
            names = list(_target_names(target))
            for name in names:
                definition = self._bind(name, DATA, said, reads)
                definition.fresh = not again and len(names) == 1 and is_fresh(value)
            if not names:
                self._touch(target, said, reads)

    def _bind(self, name: str, kind: str, said: Print, reads: frozenset[str]) -> Definition:
        name, reads = self._mangled(name), frozenset(map(self._mangled, reads))
        definition = self.index.setdefault(name, Definition(name))
        definition.kinds.add(kind)
        definition.prints.append(said)
        definition.reads |= reads
        return definition

    def _touch(self, target: ast.expr, said: Print, reads: frozenset[str]) -> None:
        """A statement that builds up what a name holds is part of the definition of it."""
        root = root_name(target)
        root = self._mangled(root) if root is not None else None
        definition = self.index.get(root) if root is not None else None
        if definition is not None and definition.kinds <= {DATA}:
            definition.prints.append(said)
            definition.reads |= frozenset(map(self._mangled, reads))
            definition.touched = True
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            path = f"{root}.{target.attr}"
            self.index.setdefault(path, Definition(path)).prints.append(said)

    def _walruses(self, node: ast.stmt, context: str, reads: frozenset[str]) -> None:
        for expression in ast.iter_child_nodes(node):
            if isinstance(expression, ast.expr):
                for inner in ast.walk(expression):
                    if isinstance(inner, ast.NamedExpr):
                        found = reads | names_read(inner.value)
                        said = self._said(inner, context)
                        self._bind(inner.target.id, DATA, said, found)


def names_read(node: ast.AST) -> frozenset[str]:
    """The names that evaluating `node` reads, and `name.attribute`; what runs only later is
    left out."""
    found: set[str] = set()
    todo = [node]
    while todo:
        this = todo.pop()
        if isinstance(this, ast.Lambda):
            continue
        if isinstance(this, ast.Name):
            found.add(this.id)
        elif isinstance(this, ast.Attribute) and isinstance(this.value, ast.Name):
            found.add(f"{this.value.id}.{this.attr}")
        todo.extend(ast.iter_child_nodes(this))
    return frozenset(found)


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
        case _:
            return False


def _target_names(target: ast.expr | None) -> Iterator[str]:
    match target:
        case ast.Name(id=name):
            yield name
        case ast.Tuple(elts=targets) | ast.List(elts=targets):
            for inner in targets:
                yield from _target_names(inner)
        case ast.Starred(value=inner):
            yield from _target_names(inner)
        case _:
            return


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
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                yield from imports_of(ast.Module(child.orelse, []), path)
            case ast.stmt() | ast.ExceptHandler() | ast.match_case():
                yield from imports_of(child, path)

"""What each name of a module is defined by: an index of what the statements of a source do.

Two indexes, of the old source and of the new one, tell which names are defined by `def` and
`class`, which are data, whose defining statements changed, and which names are gone.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from gcremap._reload.sources.skeleton import type_of

DEF = "def"
CLASS = "class"
IMPORT = "import"
LAMBDA = "lambda"
DATA = "data"
_CODE = frozenset({DEF, CLASS})


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
    def node(self) -> ast.AST:
        return self._node

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
        if self.context != other.context or type_of(self._node) is not type_of(other._node):
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

    def below(self, lines: int) -> Way:
        """The same so many lines further down."""
        first, last = self.lines
        return Way(
            self.kind,
            self.said,
            (first + lines, last + lines),
            tuple((line + lines, which) for line, which in self.branch),
            self.decorators,
            None if self.members is None else _below(self.members, lines),
        )

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
    touches: list[Print] = field(default_factory=list)
    """What builds up the object that a decorator has made of it: `@NAME.command`."""

    @property
    def are_exclusive(self) -> bool:
        """Whether no two of the statements can have run one after the other."""
        if len(self.ways) < 2:
            return True
        pairs = itertools.combinations(self.ways, 2)
        return all(one.excludes(other) for one, other in pairs)

    def only(self, way: Way) -> Definition:
        """What there is to say if it was this way."""
        return Definition(
            self.name, {way.kind}, [way.said], self.reads, way.decorators,
            members=way.members, ways=[way], touches=self.touches,
        )  # fmt: skip

    @property
    def is_code(self) -> bool:
        """Whether nothing but `def` and `class` statements bind the name."""
        return bool(self.kinds) and self.kinds <= _CODE

    @property
    def has_alternatives(self) -> bool:
        """Whether there are several statements, of which perhaps not all have run."""
        if len(self.prints) < 2:
            return False
        conditions = {None if isinstance(each, Said) else each.context for each in self.prints}
        return conditions != {self.prints[0].context}

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

    @property
    def adds_only(self) -> bool:
        """Whether all statements are of the kind `NAME += ...`, to what came by `*`."""
        return all(isinstance(said.node, ast.AugAssign) for said in self.prints)

    @property
    def makes_its_own(self) -> bool:
        """Whether the statements that bind the name make what nothing else has yet."""
        return self.fresh or self.is_code or self.is_lambda

    def same(self, other: Definition) -> bool:
        return self.prints == other.prints

    def below(self, lines: int) -> Definition:
        """The same so many lines further down."""
        ways = [way.below(lines) for way in self.ways]
        members = ways[0].members if self.members is not None else None
        return Definition(
            self.name, self.kinds, self.prints, self.reads, self.decorators,
            self.fresh, self.touched, members, ways, self.touches,
        )  # fmt: skip


Index = dict[str, Definition]


@dataclass(slots=True, eq=False)
class Binding:
    """That a statement binds a name."""

    name: str
    kind: str
    said: Print
    reads: frozenset[str]
    fresh: bool | None = None
    """As it is of the definition; None where the statement does not tell."""
    way: Way | None = None

    def enter(self, index: Index) -> None:
        definition = index.get(self.name)
        if definition is None:
            definition = index[self.name] = Definition(self.name)
        definition.kinds.add(self.kind)
        definition.prints.append(self.said)
        definition.reads |= self.reads
        if self.fresh is not None:
            definition.fresh = self.fresh
        if self.way is not None:
            definition.decorators += self.way.decorators
            definition.ways.append(self.way)
            if self.kind == CLASS:
                # Of several, which one has run is only known of what it has made.
                definition.members = self.way.members if len(definition.prints) == 1 else None

    def below(self, lines: int) -> Binding:
        if self.way is None:
            return self
        way = self.way.below(lines)
        return Binding(self.name, self.kind, self.said, self.reads, self.fresh, way)


@dataclass(slots=True, eq=False)
class Touch:
    """That a statement builds up what a name holds, which is part of the definition of it."""

    root: str
    path: str | None
    """The attribute that it sets, `NAME.attribute`, or of an attribute of that."""
    said: Print
    reads: frozenset[str]

    def enter(self, index: Index) -> None:
        definition = index.get(self.root)
        if definition is not None and definition.kinds <= {DATA}:
            definition.prints.append(self.said)
            definition.reads |= self.reads
            definition.touched = True
        elif definition is not None and definition.decorators:
            definition.touches.append(self.said)
        if self.path is not None:
            attribute = index.setdefault(self.path, Definition(self.path))
            attribute.prints.append(self.said)
            attribute.reads |= self.reads

    def below(self, lines: int) -> Touch:
        return self


Effect = Binding | Touch


def index_of(effects: Iterable[Effect]) -> Index:
    """The index of a body whose statements do all this, in order."""
    index: Index = {}
    for effect in effects:
        effect.enter(index)
    return index


def _below(index: Index, lines: int) -> Index:
    """The same so many lines further down."""
    return {
        name: definition.below(lines) if definition.ways else definition
        for name, definition in index.items()
    }

"""A source as a row of statements, each with what is known of it by itself: an edit leaves most
of them as they were."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType

from gcremap._reload.sources import effects, parse, skeleton
from gcremap._reload.sources.definitions import Effect

Import = tuple[str, ast.Import | ast.ImportFrom]
"""The path of the class that it stands in, `C.D.`, and the statement."""


@dataclass(slots=True, frozen=True)
class Header:
    """What stands before the body of a function or class."""

    lines: int
    """0 if the body cannot be told from it by lines."""
    names_class: bool
    """Whether the word stands anywhere in the statement."""


@dataclass(slots=True, eq=False)
class Statement:
    """One at the outermost level of a module."""

    node: ast.stmt
    """With the positions that it had where it was read."""
    effects: list[Effect]
    lines: tuple[int, int]
    """The first, with decorators, and the last, now."""
    moved: int = 0
    """How many lines further down than `node` says."""
    _imports: tuple[Import, ...] | None = None
    header: Header | None = None
    """Once somebody has looked."""

    @property
    def imports(self) -> tuple[Import, ...]:
        """What it imports outside of functions, in order."""
        if self._imports is None:
            self._imports = tuple(effects.imports_of(ast.Module([self.node], [])))
        return self._imports

    def below(self, lines: int) -> Statement:
        """The same so many lines further down."""
        if lines == 0:
            return self
        first, last = self.lines
        return Statement(
            self.node,
            [effect.below(lines) for effect in self.effects],
            (first + lines, last + lines),
            self.moved + lines,
            self._imports,
            self.header,
        )


Statements = Sequence[Statement]
"""Those of a source, or some of them, in order."""


def imports_of(statements: Iterable[Statement]) -> Iterator[Import]:
    """What they import outside of functions, in order."""
    return (each for statement in statements for each in statement.imports)


class Outline:
    """The statements of a text, whose code may be known; those that stand in `before` as well are
    taken from there.

    SyntaxError or ValueError if it is not Python's.
    """

    def __init__(
        self, text: str, before: Outline | None = None, code: CodeType | None = None
    ) -> None:
        # Other line ends count as such for the tree, and would not here.
        self.lines = text.split("\n") if "\r" not in text else None
        self.frame: tuple[str, CodeType] | None = None
        """The text with empty functions and classes, and the code of that."""
        with _unwatched():
            self.statements = (before and self._edited(before)) or self._read(
                (code and self.lines and skeleton.tree_of(self.lines, code)) or parse.tree_of(text)
            )

    def _read(self, tree: ast.Module) -> list[Statement]:
        return [
            Statement(
                node,
                effects.effects_of([node], self.lines),
                (parse.first_line(node), node.end_lineno or node.lineno),
            )
            for node in tree.body
        ]

    def _edited(self, before: Outline) -> list[Statement] | None:
        """Read only what stands between lines that are as they were; None if there is no telling
        where statements end there."""
        if self.lines is None or before.lines is None:
            return None
        length = min(len(self.lines), len(before.lines))
        same = _common(self.lines, before.lines, length)
        above = _first_complete(before, before.lines, same)
        first = above[-1].lines[1] if above else 0
        room = length - first
        same = _common(reversed(self.lines), reversed(before.lines), length)
        below = _last_complete(before, before.lines, min(same, room))
        moved = len(self.lines) - len(before.lines)
        last = below[0].lines[0] - 1 + moved if below else len(self.lines)
        try:
            between = parse.tree_of("\n" * first + "\n".join(self.lines[first:last]))
        except SyntaxError:
            return None  # it goes on with what is above, or into what is below
        return [*above, *self._read(between), *(each.below(moved) for each in below)]


@contextmanager
def _unwatched() -> Iterator[None]:
    """For much that is made and stays: the collector would go through it again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _common(one: Iterable[str], other: Iterable[str], most: int) -> int:
    """How many lines are the same at the beginning, of so many at most."""
    places = enumerate(zip(one, other, strict=False))
    return next((place for place, (mine, others) in places if mine != others), most)


def _first_complete(outline: Outline, lines: list[str], count: int) -> list[Statement]:
    """The statements that end within the first `count` lines, the last one with its line."""
    end = 0
    for place, each in enumerate(outline.statements, 1):
        last = each.lines[1]
        if last > count:
            break
        shared = any(after.lines[0] == last for after in outline.statements[place : place + 1])
        if not shared and not lines[last - 1].endswith("\\"):
            end = place
    return outline.statements[:end]


def _last_complete(outline: Outline, lines: list[str], count: int) -> list[Statement]:
    """The statements that start within the last `count` lines, the first one with its line, and
    not indented, as the rest of another statement may be."""
    start = len(outline.statements)
    for place, each in reversed(list(enumerate(outline.statements))):
        first = each.lines[0]
        if first <= len(lines) - count:
            break
        shared = place > 0 and outline.statements[place - 1].lines[1] == first
        if not shared and not lines[first - 1][:1].isspace():
            start = place
    return outline.statements[start:]

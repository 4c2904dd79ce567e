"""What statements say besides what their functions do: that, and no more, is what code outside of
them, as a metaclass or a registry, can have been told."""

from __future__ import annotations

import ast

from gcremap._reload.sources.definitions import Definition
from gcremap._reload.sources.outline import Statements


def differ_in_bodies(old: Definition | None, new: Definition | None) -> bool:
    """Whether two versions of a class or function are the same but for bodies of functions."""
    if old is None or new is None or not (len(old.ways) == len(new.ways) == 1):
        return False
    one, other = old.ways[0].said, new.ways[0].said
    same = one.context == other.context and old.touches == new.touches
    return same and (one == other or _outside(one.node) == _outside(other.node))


def register_the_same(old: Statements | None, new: Statements | None) -> bool:
    """Whether code elsewhere is told the same by both versions of a module, as far as statements
    say it: imports of other names, and functions that nothing decorates, may come and go."""
    if old is None or new is None:
        return False
    before, now = _imported(old), _imported(new)
    same_imports = all(before[name] == now[name] for name in before.keys() & now.keys())
    return same_imports and _told(old) == _told(new)


def _told(source: Statements) -> list[object]:
    nodes = [each.node for each in source]
    return [_outside(node) for node in nodes if not _is_plain(node)]


def _imported(source: Statements) -> dict[str, object]:
    """By name, what a module imports in statements of their own."""
    return {
        alias.asname or alias.name: (_origin(each.node), alias.name)
        for each in source
        if isinstance(each.node, ast.Import | ast.ImportFrom)
        for alias in each.node.names
    }


def _origin(node: ast.Import | ast.ImportFrom) -> tuple[str | None, int] | None:
    return (node.module, node.level) if isinstance(node, ast.ImportFrom) else None


def _is_plain(node: ast.stmt) -> bool:
    """Whether it is an import, or a function that nothing decorates."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return not node.decorator_list
    return isinstance(node, ast.Import | ast.ImportFrom)


def _outside(node: ast.AST) -> object:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            said = ast.get_docstring(node, clean=False)
            parts = [node.args, *node.decorator_list, *filter(None, [node.returns])]
            return (node.name, said, *map(ast.dump, parts))
        case ast.ClassDef():
            parts = [*node.bases, *node.keywords, *node.decorator_list]
            return (node.name, *map(ast.dump, parts), *map(_outside, node.body))
        case _:
            return ast.dump(node)

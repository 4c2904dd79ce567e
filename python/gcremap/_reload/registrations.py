"""What running a module again would register a second time."""

from __future__ import annotations

import ast
import functools
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable
from types import CodeType, MethodType
from typing import Any

from gcremap import _native
from gcremap._reload.attributes import set_attribute
from gcremap._reload.definitions import DATA, Index
from gcremap._reload.effects import names_read, root_name
from gcremap._reload.kinds import is_a, is_class
from gcremap._reload.match import Pair
from gcremap._reload.near import ENTRIES
from gcremap._reload.outline import Statements


def without_repeats(
    old: Statements,
    new: Statements,
    text: str,
    indexes: tuple[Index, Index],
    stays: Callable[[str], bool],
    path: str,
    main: bool,
) -> CodeType | None:
    """The code of `text`, that of `new`, less what was done already and would be done twice;
    None if nothing.

    That is a statement like `atexit.register(goodbye)`: a call into an imported module which
    the old source has just the same, with no data of this module that is another now, and
    which is not told of this module. Or
    a call of what such a module gave, `log = logging.getLogger()`, which stays as it is.
    `stays` tells of an import whether it is no data, which may be another now, and of data
    that it is not to be taken anew. `main` is for the script that runs: what it does
    `if __name__ == "__main__"` it is doing already.
    """
    old_index, new_index = indexes
    before = Counter(ast.dump(each.node) for each in old if isinstance(each.node, ast.Expr))
    skipped = set()
    for place, node in enumerate(each.node for each in new):
        match node:
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))) if main:
                skipped.add(place)
            case ast.Expr(value=ast.Call(func=ast.Attribute() as called) as call):
                said = ast.dump(node)
                root = _innermost(called)
                if not before[said] or root is None or not _is_kept(root, indexes, stays):
                    continue
                if _is_told_of_the_module(call):
                    continue
                if all(_is_same(name, old_index, new_index) for name in names_read(node)):
                    before[said] -= 1
                    skipped.add(place)
            case _:
                continue
    if not skipped:
        return None
    rest = ast.parse(text)
    rest.body = [node for place, node in enumerate(rest.body) if place not in skipped]
    return compile(rest, path, "exec", dont_inherit=True)


def _is_told_of_the_module(call: ast.Call) -> bool:
    """Whether it may bind names here: `IntEnum._convert_("Color", __name__, str.isupper)`."""
    return any(
        isinstance(part, ast.Name) and part.id in ("__name__", "globals", "locals", "vars")
        for argument in (*call.args, *call.keywords)
        for part in ast.walk(argument)
    )


def _is_kept(name: str, indexes: tuple[Index, Index], stays: Callable[[str], bool]) -> bool:
    """Whether a name is an import, or data that is made of imports and code only, as before."""
    old_index, new_index = indexes
    definition = new_index.get(name)
    if definition is None or definition.is_import:
        return definition is not None
    reads = {each for each in definition.reads if "." not in each} - {name}
    parts = [(each, new_index[each]) for each in reads & new_index.keys()]
    return (
        definition.kinds == {DATA}
        and stays(name)
        and any(part.is_import for _, part in parts)
        and all(part.is_code or (part.is_import and stays(each)) for each, part in parts)
        and all(_is_same(each, old_index, new_index) for each in reads | {name})
    )


def _innermost(called: ast.expr) -> str | None:
    """The name that a chain of attributes and calls starts from: logging.getLogger().add()."""
    while isinstance(called, ast.Attribute | ast.Subscript | ast.Call):
        called = called.func if isinstance(called, ast.Call) else called.value
    return root_name(called)


def _is_same(name: str, old_index: Index, new_index: Index) -> bool:
    """Whether a name means what it meant: code always does, since it is updated in place."""
    old, new = old_index.get(name), new_index.get(name)
    if new is None:
        return old is None
    if old is None:
        return False
    if new.is_code and old.is_code:
        return True
    return old.same(new)


def drop_repeats(pairs: Iterable[Pair], own: list[Any], undo: list[Callable[[], Any]]) -> None:
    """Take from lists elsewhere what a decorator, or a constructor, has added once more.

    A list that holds the old object and the new one had the old one registered, and the new
    source registered the same definition again: it is one entry in a fresh start.
    """
    pairs = list(pairs)
    olds = {id(pair.new): pair.old for pair in pairs}
    news = [pair.new for pair in pairs]
    if not news:
        return
    for pair in pairs:
        if is_class(pair.new) and is_class(pair.old):
            _drop_base(pair.old, pair.new, undo)
    ignored = {id(each) for each in (own, news, sys._getframe(), *own)}
    found = _native._holders_of(*news)
    entries = {id(holder): holder for holder in found if type(holder) in ENTRIES}
    if entries:
        del found  # it would be among the lists
        found = _native._holders_of(*news, *entries.values())
    lists = [
        holder for holder in found if type(holder) in (list, deque) and id(holder) not in ignored
    ]
    for holder in lists:
        _drop(holder, olds, entries, undo)


def _drop_base(old: type, new: type, undo: list[Callable[[], Any]]) -> None:
    """Take a class out of the bases of others to which it was added once more."""
    sub: type
    for sub in type.__subclasses__(new):
        before = sub.__bases__
        if old in before:
            set_attribute(sub, "__bases__", tuple(each for each in before if each is not new))
            undo.append(functools.partial(set_attribute, sub, "__bases__", before))


def _drop(
    holder: Any, olds: dict[int, Any], entries: dict[int, Any], undo: list[Callable[[], Any]]
) -> None:
    before = list(holder)
    present = Counter(map(_key, before))
    kept = []
    for item in before:
        was = _before(item, olds) if id(item) in olds or id(item) in entries else None
        if was is not None and present[was] > 0:
            present[was] -= 1
            continue
        kept.append(item)
    if len(kept) == len(before):
        return

    def put(items: list[Any]) -> None:
        holder.clear()
        holder.extend(items)

    put(kept)
    undo.append(lambda: put(before))


def _before(item: Any, olds: dict[int, Any]) -> object:
    """The key of the entry that was registered for the old definition."""
    if is_a(item, tuple):
        return tuple(_key(olds.get(id(part), part)) for part in item)
    if is_a(item, MethodType):
        parts = (item.__self__, item.__func__)
        return tuple(_key(olds.get(id(part), part)) for part in parts)
    return _key(olds[id(item)])


def _key(item: Any) -> object:
    if type(item) is tuple:
        return tuple(_key(part) for part in item)
    if is_a(item, MethodType):
        return (_key(item.__self__), _key(item.__func__))
    if is_a(item, (str, int, float, bytes)):
        return (type(item), item)
    return id(item)

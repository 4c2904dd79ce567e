"""The names of a class body, as annotations and type parameters see them.

What is evaluated only when it is asked for, from 3.12 (PEP 695) or 3.14 on (PEP 649), looks into
the namespace of the class, to which a cell `__classdict__` refers: Objects/typeobject.c,
type_new_set_classdictcell.
"""

from __future__ import annotations

import gc
import sys
import typing
from collections.abc import Iterator
from types import CellType, FunctionType
from typing import Any

from gcremap._reload.applying.functions import assign
from gcremap._reload.applying.undo import Undo
from gcremap._reload.matching.match import Pair
from gcremap._reload.objects.kinds import cells_of, is_a, is_class, is_function, namespace_of

_DEPTH = 5
"""A property, its function, the tuple of its type parameters, one of these, and its bound."""
_WAYS = (
    FunctionType, property, staticmethod, classmethod, tuple,
    typing.TypeVar, typing.ParamSpec, typing.TypeVarTuple,
    vars(typing).get("TypeAliasType", tuple),
)  # fmt: skip


def share_scope(pair: Pair, undo: Undo) -> None:
    """Let what two versions of a class consist of look into the namespace of that which stays."""
    old, new = pair.old, pair.new
    if sys.version_info < (3, 12) or not (is_class(old) and is_class(new)):
        return
    if pair.keep and pair.same_definition and not _took_annotations(old, new):
        return
    spaces = [_space_of(old), _space_of(new)]
    wanted = _space_of(pair.final)
    for cls in (old, new):
        for cell in _scopes(cls):
            present = next(iter(gc.get_referents(cell)), None)
            if present is not wanted and any(present is space for space in spaces):
                assign(cell, "cell_contents", wanted, undo)


def _took_annotations(old: type, new: type) -> bool:
    """Also in a class with the same text, of which `from __future__ import annotations` is gone."""
    taken = namespace_of(old).get("__annotate_func__")
    return taken is not None and taken is namespace_of(new).get("__annotate_func__")


def _space_of(cls: type) -> dict[str, Any] | None:
    """The dict that the namespace of a class shows: the only one that its traversal visits."""
    return next((each for each in gc.get_referents(cls) if type(each) is dict), None)


def _scopes(cls: type) -> Iterator[CellType]:
    level = [*namespace_of(cls).values()]
    seen: set[int] = set()
    for _ in range(_DEPTH):
        below: list[Any] = []
        for each in level:
            if id(each) in seen or not is_a(each, _WAYS):
                continue
            seen.add(id(each))
            cell = cells_of(each).get("__classdict__") if is_function(each) else None
            if cell is None:
                below += gc.get_referents(each)
            elif id(cell) not in seen:
                seen.add(id(cell))
                yield cell
        level = below

"""Functions: what one takes over of another."""

from __future__ import annotations

import functools
import types
from types import FunctionType
from typing import TYPE_CHECKING, Any

from gcremap import _native
from gcremap._reload.applying.undo import Undo
from gcremap._reload.matching.defaults import Parts

if TYPE_CHECKING:
    from gcremap._reload.matching.match import Pair


def carry_module(source: FunctionType, target: FunctionType, pair: Pair, undo: Undo) -> None:
    """Let another module go on to show a function as its own."""
    if source.__globals__ is not target.__globals__ or not pair.same_decorators:
        return  # a decorator has said so
    shown_elsewhere = source.__module__ != pair.module and not pair.is_moved
    if shown_elsewhere and target.__module__ == target.__globals__.get("__name__"):
        assign(target, "__module__", source.__module__, undo)


def carry_attributes(source: Any, target: Any, pair: Pair, undo: Undo) -> None:
    """Give a function what the program has set on the version before it.

    What no statement of the module sets may be of decorators; if these are others, it goes.
    """
    before, present = vars(source), vars(target)
    carried = {
        name: value
        for name, value in before.items()
        if name in pair.attributes
        or (pair.same_decorators and name not in {*present, *pair.reassigned, "__wrapped__"})
    }
    if carried:
        saved = dict(present)
        present.update(carried)
        undo.append(functools.partial(refill, present, saved))


def refill(namespace: dict[str, Any], content: dict[str, Any]) -> None:
    namespace.clear()
    namespace.update(content)


def copy_of(
    function: FunctionType,
    code: types.CodeType | None = None,
    closure: tuple[types.CellType, ...] | None = None,
) -> FunctionType:
    """A function like this one, or with other code and a closure for that."""
    if code is None:
        code, closure = function.__code__, function.__closure__
    made = FunctionType(code, function.__globals__, function.__name__, None, closure)
    made.__defaults__, made.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
    made.__qualname__, made.__module__ = function.__qualname__, function.__module__
    made.__dict__.update(function.__dict__)
    for name in ("__doc__", _annotations(function)):
        setattr(made, name, getattr(function, name))
    return made


def set_defaults(function: FunctionType, parts: Parts, undo: Undo) -> None:
    assign(function, "__defaults__", parts[0], undo)
    assign(function, "__kwdefaults__", parts[1], undo)


def annotate(function: FunctionType, like: FunctionType, undo: Undo) -> None:
    """Give a function the annotations of another one of its code, unless functools.wraps has."""
    if "__wrapped__" not in vars(function) and "__wrapped__" not in vars(like):
        name = _annotations(like)
        assign(function, name, getattr(like, name), undo)


def assign(holder: Any, name: str, value: Any, undo: Undo) -> None:
    """Set an attribute that is there, so that it can be taken back."""
    before = getattr(holder, name)
    setattr(holder, name, value)
    undo.append(lambda: setattr(holder, name, before))


def _annotations(function: FunctionType) -> str:
    """The attribute to copy: since 3.14 they are computed when they are asked for, which may
    fail."""
    return "__annotate__" if hasattr(function, "__annotate__") else "__annotations__"


def swap(old: FunctionType, new: FunctionType, undo: Undo) -> None:
    """Let two functions trade all that they are made of."""
    if not _native._swap_functions(old, new):
        raise TypeError(f"{old!r} cannot take over the content of {new!r}")
    undo.append(lambda: _native._swap_functions(old, new))

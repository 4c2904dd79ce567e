"""A hotfix of one object, everywhere it is referred to, that can be taken back."""

from __future__ import annotations

import importlib
import types
from collections.abc import Callable
from types import FunctionType, ModuleType, TracebackType
from typing import Any

from gcremap._native import remap
from gcremap._reload.applying.functions import swap
from gcremap._reload.applying.hashing import Reindexing
from gcremap._reload.running.followers import Followers

_MISSING: Any = object()


class Patch:
    """What `patch` did. `undo` takes it back; so does leaving a `with` block."""

    def __init__(self, target: str, old: object, new: object) -> None:
        self.target = target
        self.old = old
        self.new = new
        self._undo: list[Callable[[], Any]] = []

    def undo(self) -> None:
        """Put everything back as it was; a second call does nothing."""
        while self._undo:
            self._undo.pop()()

    def __enter__(self) -> Patch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.undo()

    def __repr__(self) -> str:
        return f"<{'Patch' if self._undo else 'undone Patch'} of {self.target}>"


def patch(target: str, new: Any) -> Patch:
    """Give `target`, "module:Class.method" or "module:name", a new content.

    A function takes over the code, defaults and closure of `new` and stays the object that it
    is, so that copies of the reference run the new code too; it keeps its name. Of
    anything else every reference is redirected. Data follows the `from` imports of it.
    """
    module, holder, name = _resolve(target)
    raw = vars(holder).get(name, _MISSING)
    if raw is _MISSING:
        raw = getattr(holder, name)
    done = Patch(target, raw, new)
    try:
        _apply(done, module, holder, name, raw, new)
        reindexing = Reindexing({name})
        done._undo.insert(0, reindexing.undo)
        reindexing.carry_out()
    except BaseException:
        done.undo()
        raise
    return done


def _resolve(target: str) -> tuple[ModuleType, Any, str]:
    where, colon, path = target.partition(":")
    if not colon or not path:
        raise ValueError(f"a target is written 'module:name', not {target!r}")
    module = importlib.import_module(where)
    holder: Any = module
    *outer, name = path.split(".")
    for step in outer:
        holder = getattr(holder, step)
    return module, holder, name


def _apply(done: Patch, module: ModuleType, holder: Any, name: str, old: Any, new: Any) -> None:
    undo = done._undo
    inner = _function_of(old)
    if inner is not None and isinstance(new, FunctionType):
        swap(inner, _clone(new, inner), undo)
        return
    before = dict(vars(holder)) if isinstance(holder, ModuleType) else {}
    inherited = name not in vars(holder)
    setattr(holder, name, new)
    undo.append(lambda: delattr(holder, name) if inherited else setattr(holder, name, old))
    if _is_code(old) and not inherited:
        report = remap([(old, new)], exclude=[done])
        undo.append(report.undo)
    if isinstance(holder, ModuleType):
        Followers(undo).follow(module, before, vars(module))


def _function_of(value: Any) -> FunctionType | None:
    """The function that a call of `value` runs."""
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    elif isinstance(value, property):
        value = value.fget
    return value if isinstance(value, FunctionType) else None


def _is_code(value: Any) -> bool:
    return isinstance(
        value, FunctionType | type | staticmethod | classmethod | property | types.MethodType
    )


def _clone(function: FunctionType, place: FunctionType) -> FunctionType:
    """A function like `function` that goes by the name of the one in whose place it comes."""
    clone = FunctionType(
        function.__code__, function.__globals__, function.__name__,
        function.__defaults__, function.__closure__,
    )  # fmt: skip
    clone.__kwdefaults__ = function.__kwdefaults__
    clone.__dict__.update(place.__dict__)
    clone.__dict__.update(function.__dict__)
    clone.__annotations__ = function.__annotations__
    clone.__doc__ = function.__doc__
    clone.__name__, clone.__qualname__ = place.__name__, place.__qualname__
    clone.__module__ = place.__module__
    return clone

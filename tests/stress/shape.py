"""What modules consist of, in words: the same for two processes that are in the same state.

Functions and classes are named by where they are found, and told apart from others of the name.
Of the code of a function it is said what it names, does and where, not how: a part of a source
that is compiled alone may have another instruction for the same.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
import typing
from collections.abc import Iterable
from types import (
    CellType,
    CodeType,
    FunctionType,
    GenericAlias,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    UnionType,
)
from typing import Any

_ATOMS = (type(None), bool, int, float, complex, str, bytes, type(...), range)
_ALIASES = (GenericAlias, UnionType, type(typing.List[int]), type(typing.Union[int, str]))  # noqa: UP006, UP007
_LRU_CACHE = type(functools.lru_cache(lambda: None))
_OF_THE_IMPORT = frozenset(
    {
        "__builtins__", "__cached__", "__loader__", "__spec__", "__file__", "__path__", "__doc__",
        "__warningregistry__", "__conditional_annotations__",
    }
)  # fmt: skip
_OF_THE_LAYOUT = frozenset(
    {"__dict__", "__weakref__", "_abc_impl", "__abstractmethods__", "__slotnames__"}
)
"""Of the layout, and what copyreg and abc have computed of it."""
_NOT_THE_SAME = frozenset({"__static_attributes__", "__annotations__", "__annotations_cache__"})
"""Annotations are where what set them has put them since 3.14; they are asked for below."""
_DEPTH = 8

Facts = dict[str, str]


def shape_of(modules: Iterable[ModuleType], packages: Iterable[str]) -> Facts:
    """All there is to say of `modules`, those of `packages`, by paths."""
    shape = _Shape(frozenset(packages))
    for module in modules:
        shape.module(module)
    return shape.facts


def differences(wanted: Facts, found: Facts) -> list[str]:
    """In what two shapes differ, without what is below something that does."""
    paths = [p for p in sorted(wanted.keys() | found.keys()) if wanted.get(p) != found.get(p)]
    roots: list[str] = []
    for path in paths:
        if not roots or not path.startswith(roots[-1]):
            roots.append(path)
    return [f"{p}: {_short(found.get(p))}, not {_short(wanted.get(p))}" for p in roots]


def _short(text: str | None) -> str:
    return "nothing" if text is None else text if len(text) < 200 else f"{text[:200]}..."


class _Shape:
    def __init__(self, packages: frozenset[str]) -> None:
        self.facts: Facts = {}
        self._packages = packages
        self._seen: dict[int, Any] = {}

    def module(self, module: ModuleType) -> None:
        for name, value in sorted(vars(module).items()):
            # Submodules stay when their files go.
            if name not in _OF_THE_IMPORT and not isinstance(value, ModuleType):
                self._put(f"{module.__name__}:{name}", value, 0)

    def _put(self, path: str, value: Any, depth: int) -> None:
        self.facts[path] = re.sub(r"0x[0-9a-f]{6,}", "0x", self._said(path, value, depth))

    def _said(self, path: str, value: Any, depth: int) -> str:
        kind = type(value)
        if kind in _ATOMS:
            return f"{kind.__name__} {value!r}"
        if issubclass(kind, type):
            if self._is_own(value) and self._is_first(value):
                self._class(f"{value.__module__}:{value.__qualname__}", value)
            return f"class {_named(value)}"
        if kind is FunctionType:
            if self._is_own(value) and self._is_first(value):
                self._function(path, value, depth)
            return f"function {_named(value)}"
        if issubclass(kind, ModuleType):
            return f"module {value.__name__}"
        if depth > _DEPTH:
            return "..."
        if kind is CodeType:
            return code_said(value)
        inner = {f"{path}{name}": each for name, each in _parts(value)}
        for name, each in inner.items():
            self._put(name, each, depth + 1)
        if issubclass(kind, (set, frozenset)):
            return f"{_named(kind)} of {sorted(map(_key, value))}"
        if issubclass(kind, (list, tuple, dict)):
            return f"{_named(kind)} of {len(value)}"
        return _named(kind)

    def _is_own(self, value: Any) -> bool:
        return str(getattr(value, "__module__", "")).partition(".")[0] in self._packages

    def _is_first(self, value: Any) -> bool:
        if id(value) in self._seen:
            return False
        self._seen[id(value)] = value
        return True

    def _function(self, path: str, function: FunctionType, depth: int) -> None:
        self.facts[f"{path} code"] = code_said(function.__code__)
        for name in ("__doc__", "__defaults__", "__kwdefaults__", "__annotations__", "__dict__"):
            try:
                self._put(f"{path}.{name}", getattr(function, name), depth + 1)
            except NameError as error:  # of annotations that are not for evaluation (3.14)
                self.facts[f"{path}.{name}"] = str(error)
        names = function.__code__.co_freevars
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            self._put(f"{path}<{name}>", cell, depth + 1)

    def _class(self, path: str, cls: type) -> None:
        own = dict(type.__dict__["__dict__"].__get__(cls))
        if own.get("__annotate_func__", own) is None:
            del own["__annotate_func__"]  # there since somebody asked
        self.facts[f"{path} is"] = " ".join(
            [
                f"{_named(type(cls))} over {[_named(each) for each in type.mro(cls)]}",
                f"with {sorted(own.keys() - _NOT_THE_SAME - _OF_THE_LAYOUT)}",
                f"abstract in {sorted(own.get('__abstractmethods__', ()))}",
                f"{cls.__basicsize__} {cls.__dictoffset__} {cls.__weakrefoffset__}",
            ]
        )
        for name in sorted(own.keys() - _OF_THE_LAYOUT - _NOT_THE_SAME):
            self._put(f"{path}.{name}", own[name], 1)
        self._put(f"{path}.__annotations__", _annotations(cls, own), 1)


def _annotations(cls: type, own: dict[str, Any]) -> Any:
    if sys.version_info < (3, 14):
        return own.get("__annotations__", {})  # that of `type` would add an empty one
    try:
        return inspect.get_annotations(cls)
    except Exception as error:  # they are not for evaluation
        return f"{type(error).__name__}: {error}"


def code_said(code: CodeType) -> str:
    constants = [
        code_said(each) if isinstance(each, CodeType)
        else str(sorted(map(repr, each))) if isinstance(each, frozenset)
        else repr(each)
        for each in code.co_consts
    ]  # fmt: skip
    places = sorted({place for place in code.co_positions() if None not in place})
    said = (
        code.co_qualname, code.co_firstlineno, code.co_flags, code.co_argcount,
        code.co_posonlyargcount, code.co_kwonlyargcount, sorted(code.co_names), code.co_varnames,
        code.co_freevars, code.co_cellvars, constants, places,
    )  # fmt: skip
    return repr(said)


def _named(value: Any) -> str:
    """Where a function or class says that it is, and whether it is there."""
    module, name = value.__module__, value.__qualname__
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    found = getattr(found, "__func__", found)
    return f"{module}.{name}{'' if found is value or found is None else ' (another)'}"


def _parts(value: Any) -> Iterable[tuple[str, Any]]:
    """What a value consists of. The attributes of instances are state."""
    kind = type(value)
    if kind in (dict, MappingProxyType):
        return [(f"[{_key(key)}]", each) for key, each in list(value.items())]
    if issubclass(kind, (list, tuple)):
        return [(f"[{place}]", each) for place, each in enumerate(list(value))]
    if kind is CellType:
        try:
            return [("", value.cell_contents)]
        except ValueError:
            return []
    for kinds, names in _MADE_OF:
        if issubclass(kind, kinds):
            return [(f".{name}", getattr(value, name)) for name in names]
    if issubclass(kind, _ALIASES):
        return [(f".{name}", getattr(value, name, None)) for name in ("__origin__", "__args__")]
    if kind in (MemberDescriptorType, GetSetDescriptorType):
        return [(".__objclass__", value.__objclass__)]
    return []


_MADE_OF: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (property, ("fget", "fset", "fdel", "__doc__")),
    ((staticmethod, classmethod, MethodType), ("__func__",)),
    (functools.partial, ("func", "args", "keywords")),
    (functools.cached_property, ("func",)),
    (_LRU_CACHE, ("__wrapped__",)),
    (re.Pattern, ("pattern", "flags")),
)


def _key(key: Any) -> str:
    if isinstance(key, type | FunctionType):
        return _named(key)
    if isinstance(key, CodeType):
        return f"code {key.co_qualname} {key.co_firstlineno}"
    if isinstance(key, tuple):
        return f"({', '.join(map(_key, key))})"
    return repr(key) if type(key) in _ATOMS else type(key).__qualname__

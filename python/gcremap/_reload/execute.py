"""Run new source in a module's own namespace, so that all of it can be taken back."""

from __future__ import annotations

import builtins
import dis
import operator
import sys
import time
import weakref
from collections.abc import Iterable, Iterator, MutableMapping
from itertools import compress
from types import CodeType, FunctionType, ModuleType
from typing import Any

from gcremap import _native
from gcremap._reload import submodules
from gcremap._reload.attributes import delete_attribute, set_attribute
from gcremap._reload.kinds import is_a, is_class, is_function, module_of
from gcremap._reload.source import Source

Namespace = dict[str, Any]


class Recorder(MutableMapping[str, Any]):
    """The locals of a module's code: its namespace, with a note of every name it binds.

    What the old source has bound and the new one does not is hidden from it until it binds that
    name, and so is what stands before a builtin: code gets what it would get in a fresh start, or
    fails as it would there.
    """

    def __init__(self, namespace: Namespace, hidden: frozenset[str]) -> None:
        self._namespace = namespace
        self._hidden = hidden
        self.stored: set[str] = set()
        self.asked: set[str] = set()
        """Names of the old version that the new one has read before it bound them."""

    def __getitem__(self, name: str) -> Any:
        if name in self._hidden and name not in self.stored:
            try:
                return vars(builtins)[name]
            except KeyError:
                raise NameError(f"name {name!r} is not defined", name=name) from None
        value = self._namespace[name]
        if name not in self.stored:
            self.asked.add(name)
        return value

    def __setitem__(self, name: str, value: Any) -> None:
        self._namespace[name] = value
        self.stored.add(name)

    def __delitem__(self, name: str) -> None:
        del self._namespace[name]
        self.stored.discard(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._namespace if name not in self._hidden - self.stored)

    def __len__(self) -> int:
        return len(list(iter(self)))


class Snapshot:
    """A module as it was: its namespace and its place in sys.modules."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.namespace: Namespace = dict(vars(module))
        self._key = _key_of(module)
        self._contents = [
            (value, _copy(value))
            for value in self.namespace.values()
            if _is_small(value, module.__name__)
        ]
        self._weak = [
            (registry, key, value)
            for value, _ in self._contents
            for registry, key in _known_weakly(value)
        ]
        self._references = self._count()
        self._overloads = _overloads().get(module.__name__)

    def holders(self) -> list[Any]:
        """What refers to what the module had."""
        return [self.namespace, *self._contents, *self._weak]

    def _count(self) -> list[int]:
        return [sys.getrefcount(value) for value, _ in self._contents]

    def lost(self) -> dict[str, Any]:
        """The functions and classes that something referred to and does not any more, by name,
        once all is restored: they are not in their places elsewhere."""
        counts = zip(self._contents, self._references, self._count(), strict=True)
        return {
            value.__qualname__: value
            for (value, _), before, now in counts
            if now < before and (is_class(value) or is_function(value))
        }

    def restore(self) -> None:
        """Put everything back, without a moment in which a name that stays is missing."""
        namespace = vars(self.module)
        for value, content in self._contents:
            _restore(value, content)
        for registry, key, value in self._weak:
            if registry.get(key) is not value:
                registry[key] = value
        for name in [name for name in namespace if name not in self.namespace]:
            del namespace[name]
        for name, value in self.namespace.items():
            if name not in namespace or namespace[name] is not value:
                namespace[name] = value
        if list(namespace) != list(self.namespace):
            for name in self.namespace:
                namespace[name] = namespace.pop(name)
        if self._key is not None and sys.modules.get(self._key) is not self.module:
            sys.modules[self._key] = self.module
        if self._overloads is not None:
            _overloads()[self.module.__name__] = self._overloads


_MUCH = 10_000
"""A larger container is not copied for the case that the new source changes it and fails."""


def _is_small(value: Any, owner: str) -> bool:
    if type(value) in (list, dict, set):
        return len(value) <= _MUCH
    return (is_class(value) or is_function(value)) and module_of(value) == owner


def _copy(value: Any) -> Any:
    if is_class(value) or is_function(value):
        return dict(vars(value))
    return value.copy()


def _known_weakly(value: Any) -> Iterator[tuple[weakref.WeakValueDictionary[Any, Any], Any]]:
    """The weak dictionaries of which it is a value, each with the key."""
    for reference in weakref.getweakrefs(value) if is_class(value) or is_function(value) else ():
        if type(reference) is weakref.KeyedRef:
            # Lib/weakref.py, WeakValueDictionary.__init__: `selfref` of the callback.
            callback: Any = reference.__callback__
            registry = callback.__defaults__[0]()
            if registry is not None:
                yield registry, reference.key


def _restore(value: Any, content: Any) -> None:
    """Undo what failing code has done to an old object that it could still see."""
    if is_class(value):
        for name in [name for name in vars(value) if name not in content]:
            delete_attribute(value, name)
        for name, attribute in content.items():
            if vars(value).get(name) is not attribute:
                set_attribute(value, name, attribute)
        return
    present: Any = vars(value) if is_a(value, FunctionType) else value
    if is_a(present, list):
        if len(present) != len(content) or any(map(operator.is_not, present, content)):
            present[:] = content
    elif is_a(present, set):
        if present != content:
            present.clear()
            present.update(content)
    elif len(present) != len(content) or any(
        present.get(key, present) is not item for key, item in content.items()
    ):
        present.clear()
        present.update(content)


def _key_of(module: Any) -> str | None:
    """The name under which sys.modules has the module."""
    name: str = module.__name__
    if sys.modules.get(name) is module:
        return name
    return next((name for name, value in list(sys.modules.items()) if value is module), None)


def _overloads() -> dict[str, Any]:
    """Where `typing` has the `@overload`s of each module, by lines: entries of other lines are
    not overwritten."""
    return getattr(sys.modules.get("typing"), "_overload_registry", {})


class FewSwitches:
    """While a module's names are bound anew, other threads could find half of them: they wait
    for some time, unless this thread itself waits for something."""

    _LEAST, _MOST = 0.1, 0.5
    """In seconds: longer than most modules run. It is also how long a thread that computes keeps
    this one waiting, each time that this one has read a file."""
    _PER_BLOCK = 5e-7
    """The passes over a heap that follow take less, for each block that is allocated."""

    def __enter__(self) -> None:
        self._before = sys.getswitchinterval()
        others = len(sys._current_frames()) > 1
        passes = 0.0
        if others:
            _native._fits(object, object)  # the engine's first use of all imports modules
            passes = min(self._PER_BLOCK * sys.getallocatedblocks(), self._MOST)
        sys.setswitchinterval(max(self._before, self._LEAST, passes))
        if others:
            time.sleep(self._before)  # who waits already does so for as long as was said before

    def __exit__(self, *_: object) -> None:
        sys.setswitchinterval(self._before)


def execute(
    module: Any, source: Source, hidden: frozenset[str], code: CodeType | None
) -> frozenset[str] | None:
    """Run `code` of `source` in the namespace of `module`; returns the names that it bound.

    None where that cannot be told, since the loader runs the code itself.
    """
    namespace = vars(module)
    if source.spec is not None:
        _set_origin(module, source)
    if is_a(module, ModuleType):
        _overloads().pop(module.__name__, None)
    for name in ("__annotations__", "__annotate__", "__conditional_annotations__"):
        namespace.pop(name, None)
    submodules.bind_loaded(module)
    if code is None:
        loader: Any = source.spec.loader if source.spec is not None else None
        if loader is not None:  # a namespace package has none, and no code
            loader.exec_module(module)
        return None
    namespace["__doc__"] = None
    if _imports_lazily(code):
        # Only where the locals are the globals: Python/ceval.c, _PyEval_LazyImportName.
        taken = _take_out(namespace, hidden)
        exec(code, namespace)
        stored = frozenset(_stored_by(code, "STORE_NAME", "STORE_GLOBAL") & namespace.keys())
        if _imports_star(code):
            stored = frozenset(namespace)
    else:
        # Other threads may use these: they are hidden from what only reads names.
        looks = source.text is None or "globals" in source.text
        taken = _take_out(namespace, hidden) if looks else {}
        recorder = Recorder(namespace, hidden)
        exec(code, namespace, recorder)
        bound = recorder.stored | recorder.asked | stored_globally(code)
        stored = frozenset(bound & namespace.keys())
    for name, value in taken.items():
        namespace.setdefault(name, value)
    return stored


def _take_out(namespace: Namespace, names: Iterable[str]) -> Namespace:
    return {name: namespace.pop(name) for name in names if name in namespace}


def stored_globally(code: CodeType) -> set[str]:
    """The names that a module's code stores past its locals: some function says `global`."""
    if _STORE_GLOBAL not in code.co_code[::2]:
        return set()
    return _stored_by(code, "STORE_GLOBAL")


def _stored_by(code: CodeType, *operations: str) -> set[str]:
    return {each.argval for each in dis.get_instructions(code) if each.opname in operations}


def _imports_star(code: CodeType) -> bool:
    return any(each.argrepr == "INTRINSIC_IMPORT_STAR" for each in dis.get_instructions(code))


def _imports_lazily(code: CodeType) -> bool:
    """Whether there is a `lazy import` (3.15, PEP 810): a flag of the instruction."""
    if sys.version_info < (3, 15):
        return False
    operations, arguments = code.co_code[::2], code.co_code[1::2]
    imports = compress(arguments, map(_IMPORT_NAME.__eq__, operations))
    return any(argument & 3 == 1 for argument in imports)


_STORE_GLOBAL = dis.opmap["STORE_GLOBAL"]
_IMPORT_NAME = dis.opmap["IMPORT_NAME"]


def _set_origin(module: Any, source: Source) -> None:
    """What the import system says of a module, as it would say it now."""
    spec = source.spec
    assert spec is not None
    if module.__name__ == "__main__":
        return
    module.__spec__ = spec
    module.__loader__ = spec.loader
    module.__package__ = spec.parent
    if spec.submodule_search_locations is not None:
        module.__path__ = spec.submodule_search_locations
    if spec.has_location and spec.origin is not None:
        module.__file__ = spec.origin

"""Run new source in a module's own namespace, so that all of it can be taken back."""

from __future__ import annotations

import builtins
import dis
import sys
import time
from collections.abc import Iterable, Iterator, MutableMapping
from itertools import compress
from types import CodeType, ModuleType
from typing import Any

from gcremap import _native
from gcremap._reload.objects.kinds import is_a
from gcremap._reload.objects.snapshot import Namespace, overloads
from gcremap._reload.running import submodules
from gcremap._reload.sources import codes
from gcremap._reload.sources.source import Source


class Recorder(MutableMapping[str, Any]):
    """The locals of a module's code: its namespace, with a note of every name it binds.

    What the old source has bound and the new one does not is `hidden` from it until it binds that
    name, and so is what stands before a builtin: code gets what it would get in a fresh start, or
    fails as it would there. Code that looks at all names does not find those `to_come`, either;
    who asks for one by name does, as it always did at a reload.
    """

    def __init__(
        self, namespace: Namespace, hidden: frozenset[str], to_come: Iterable[str] = ()
    ) -> None:
        self._namespace = namespace
        self._hidden = hidden
        self._unseen = hidden.union(name for name in to_come if not name.startswith("__"))
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
        return (name for name in self._namespace if name not in self._unseen - self.stored)

    def __len__(self) -> int:
        return len(list(iter(self)))


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
    module: Any,
    source: Source,
    hidden: frozenset[str],
    unstated: frozenset[str],
    to_come: Iterable[str],
    code: CodeType | None,
) -> frozenset[str] | None:
    """Run `code` of `source` in the namespace of `module`; returns the names that it bound.
    `hidden` and `to_come` are as for Recorder; `unstated` are names that no statement binds.

    None where that cannot be told, since the loader runs the code itself.
    """
    namespace = vars(module)
    if source.spec is not None:
        _set_origin(module, source)
    if is_a(module, ModuleType):
        overloads().pop(module.__name__, None)
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
        taken = _take_out(namespace, hidden | unstated)
        exec(code, namespace)
        stored = frozenset(_stored_by(code, "STORE_NAME", "STORE_GLOBAL") & namespace.keys())
        if _imports_star(code):
            stored = frozenset(namespace)
    else:
        # Other threads may use these: they are hidden from what only reads names.
        looks = source.text is None or "globals" in source.text
        taken = _take_out(namespace, unstated | (hidden if looks else _read_inside(code, hidden)))
        recorder = Recorder(namespace, hidden, to_come)
        exec(code, namespace, recorder)
        bound = recorder.stored | recorder.asked | stored_globally(code)
        stored = frozenset(bound & namespace.keys())
    stored |= unstated.intersection(namespace)
    for name, value in taken.items():
        namespace.setdefault(name, value)
    return stored


def _read_inside(code: CodeType, names: frozenset[str]) -> frozenset[str]:
    """Those that class bodies and functions name: what they read is in the namespace itself."""
    if not names:
        return names
    inner = codes.tree(code)[1:]
    return names.intersection(name for each in inner for name in each.co_names)


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
    module.__name__ = spec.name
    module.__spec__ = spec
    module.__loader__ = spec.loader
    module.__package__ = spec.parent
    if spec.submodule_search_locations is not None:
        module.__path__ = spec.submodule_search_locations
    if spec.has_location and spec.origin is not None:
        module.__file__ = spec.origin

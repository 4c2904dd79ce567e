"""Note the source of each module as it is imported: once the file has changed it is too late.

`import gcremap` runs this and no more of the package, so it imports next to nothing.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import CodeType, ModuleType
    from typing import Any

    Stamp = tuple[int, int]
    """Modification time in nanoseconds and size of a file."""


class Note:
    """What was seen of the source of a module; `data` is the file as it was, `code` what that
    compiled to, if it is at hand."""

    __slots__ = ("attributes", "code", "data", "name", "names", "path", "stamp", "text")

    def __init__(
        self,
        name: str,
        path: str | None,
        *,
        data: bytes | None = None,
        text: str | None = None,
        stamp: Stamp | None = None,
    ) -> None:
        self.name = name
        self.path = path
        self.data = data
        self.text = text
        self.stamp = stamp
        self.code: CodeType | None = None
        self.names: tuple[str, ...] | None = None
        """Those that the module had when it had run."""
        self.attributes: dict[str, frozenset[str]] = {}
        """Those that its functions and classes had, by path."""


expected: dict[str, Note] = {}
"""Of modules that were about to be imported, by name."""
present: list[tuple[ref[ModuleType], Note]] = []
"""Of modules that were there. One of which only the stamp was noted has no data."""


class Observer:
    """A finder that leaves the finding to the others and notes the source of what they find."""

    only_looks_on = True

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        for finder in list(sys.meta_path):
            if finder is self:
                continue
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None else None
            if spec is not None:
                if isinstance(spec.loader, importlib.machinery.SourceFileLoader):
                    spec.loader.get_code = _Method(_get_code, spec.loader)  # type: ignore[method-assign]
                elif name not in sys.modules:
                    _expect(name, spec)
                return spec  # type: ignore[no-any-return]
        return None


_Method: Any = type(Observer().find_spec)


def _expect(name: str, spec: importlib.machinery.ModuleSpec) -> None:
    """A loader of another kind is shared by many modules, so its source is read at once."""
    loader: Any = spec.loader
    if loader is None or isinstance(loader, type | importlib.machinery.ExtensionFileLoader):
        return
    try:
        text = loader.get_source(name)
    except (AttributeError, ImportError, OSError, SyntaxError, ValueError):
        return
    if isinstance(text, str):
        expected[name] = Note(name, spec.origin, text=text)


def _get_code(loader: Any, name: str) -> Any:
    """What a loader asks itself for just before it runs a module.

    Nothing of this is on the stack while the module runs, and so in no traceback.
    """
    del loader.get_code
    now = _read(loader, name)
    if now is None:
        return loader.get_code(name)
    expected[name] = now
    _Running.watch(name, now)
    is_known = _is_of_the_file(loader, now)
    code = loader.get_code(name)
    if is_known:
        now.code = code
    return code


class _Running(importlib.machinery.ModuleSpec):
    """The spec of a module that is imported, until that has run: then its names are noted.

    Of what tells when it has, this alone is not on the stack while it runs: Lib/importlib/
    _bootstrap.py, _load_unlocked.
    """

    @classmethod
    def watch(cls, name: str, note: Note) -> None:
        spec: Any = getattr(sys.modules.get(name), "__spec__", None)
        if _is_library(str(note.path)) or type(spec) is not importlib.machinery.ModuleSpec:
            return
        if vars(spec).get("_initializing"):
            spec.__class__ = cls
            vars(spec)["_note"] = note

    @property
    def _initializing(self) -> bool:
        return True

    @_initializing.setter
    def _initializing(self, value: bool) -> None:
        note = self.__dict__.pop("_note")
        self.__class__ = importlib.machinery.ModuleSpec  # type: ignore[assignment]
        self._initializing = value
        namespace = getattr(sys.modules.get(self.name), "__dict__", None)
        if type(namespace) is dict:  # it may have put something else there
            note.names = tuple(namespace)
            note.attributes = attributes_in(namespace, self.name)


_Running.__name__ = _Running.__qualname__ = "ModuleSpec"  # for its repr


def attributes_in(
    namespace: Mapping[str, Any], module: str, path: str = ""
) -> dict[str, frozenset[str]]:
    """The names that functions and classes of a module have, by where these stand."""
    found = {}
    for name, value in list(namespace.items()):
        place = path + name
        value = value.__func__ if type(value) is staticmethod else value
        if type(value) is _Function and value.__module__ == module and value.__dict__:
            found[place] = frozenset(value.__dict__)
        elif issubclass(type(value), type) and _qualname_of(value) == place:
            own = _namespace_of(value)
            if own is not None and own.get("__module__") == module:
                found[place] = frozenset(own)
                found |= attributes_in(own, module, place + ".")
    return found


_Function = type(attributes_in)
_qualname_of = type.__dict__["__qualname__"].__get__
_namespace_of = type.__dict__["__dict__"].__get__


def _is_of_the_file(loader: Any, now: Note) -> bool:
    """Whether the code that a loader is about to give is that of the file as it was noted.

    It may take it from a .pyc, which says of what second and size the file was: an edit in the
    second in which the .pyc was written can be missing in it.
    """
    if type(loader) is not importlib.machinery.SourceFileLoader or now.stamp is None:
        return False
    path, (modified, size) = str(now.path), now.stamp
    if type(loader).source_to_code is not PLAIN or _is_library(path):
        return False
    from importlib.util import cache_from_source

    try:
        with open(cache_from_source(path), "rb") as file:
            written, head = os.fstat(file.fileno()).st_mtime_ns, file.read(16)
    except (NotImplementedError, OSError):
        return True  # there is none, and the file is compiled
    second = modified // 10**9
    says = (0, second & 0xFFFFFFFF, size & 0xFFFFFFFF)
    found = tuple(int.from_bytes(head[at : at + 4], "little") for at in (4, 8, 12))
    return found[0] == 0 and (found != says or written // 10**9 > second)


PLAIN: Any = importlib.machinery.SourceFileLoader.source_to_code
"""As it is before something else takes its place there."""


def note(module: ModuleType, loader: Any) -> None:
    """Remember what the source of a module says now; nothing, where it cannot be read."""
    now = _read(loader, module_name(module))
    if now is not None:
        present.append((ref(module), now))


def module_name(module: Any) -> str:
    """The name to import it by: `__main__` run with -m has its own in its spec."""
    spec = getattr(module, "__spec__", None)
    return str(spec.name if spec is not None else module.__name__)


def stamp_of(path: str) -> Stamp | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _read(loader: Any, name: str) -> Note | None:
    try:
        path = loader.get_filename(name)
        stamp = stamp_of(path)
        return Note(name, path, data=loader.get_data(path), stamp=stamp)
    except (ImportError, OSError, TypeError):
        return None


_LIBRARY = os.path.dirname(os.__file__) + os.sep
_INSTALLED = tuple(f"{os.sep}{folder}{os.sep}" for folder in ("site-packages", "dist-packages"))


def _is_library(path: str) -> bool:
    return path.startswith(_LIBRARY) or any(folder in path for folder in _INSTALLED)


def install() -> None:
    """Observe imports from now on, and note the program's own modules imported before."""
    if any(isinstance(finder, Observer) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, Observer())
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        loader = getattr(module, "__loader__", None)
        if not isinstance(path, str) or not isinstance(
            loader, importlib.machinery.SourceFileLoader
        ):
            continue
        if not _is_library(path):
            note(module, loader)
            continue
        stamp = stamp_of(path)
        if stamp is not None:
            present.append((ref(module), Note(module_name(module), path, stamp=stamp)))

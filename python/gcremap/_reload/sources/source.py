"""Where the source of a module comes from: now, and when what runs was loaded."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import linecache
import marshal
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary, ref

from gcremap._reload.objects.kinds import is_a, is_class, is_function, module_of
from gcremap._reload.sources import bytecode, codes, record
from gcremap._reload.sources.definitions import Index, index_of
from gcremap._reload.sources.outline import Outline, Statement
from gcremap._reload.sources.recompile import code_after
from gcremap._reload.sources.record import Note, module_name, stamp_of


@dataclass(slots=True, weakref_slot=True, eq=False)
class Source:
    """One version of a module's source; any part may be unknown."""

    name: str
    path: str | None = None
    text: str | None = None
    code: CodeType | None = None
    data: bytes | None = field(default=None, repr=False)
    """The file as it was, of which `text` and `code` are made when they are needed."""
    spec: importlib.machinery.ModuleSpec | None = None
    is_plain: bool = True
    """Whether the loader compiles the text as it is."""
    stamp: tuple[int, int] | None = None
    """Modification time in nanoseconds and size of the file when it was read."""
    stored: frozenset[str] | None = None
    """The names that this version bound when it ran."""
    names: frozenset[str] = frozenset()
    """Those that the module had when this version had run, as far as it had to do with them."""
    attributes: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)
    """Those that its functions and classes had then, by path."""
    origins: str | None = field(default=None, repr=False)
    """The modules that it imports names from, a line each, once that was asked for."""
    _outline: Outline | None = field(default=None, repr=False)
    _index: Index | None = field(default=None, repr=False)

    def read(self) -> str | None:
        """The text, without making more of it than that."""
        if self.text is None and self.data is not None:
            try:
                return importlib.util.decode_source(self.data)
            except (SyntaxError, ValueError):
                return None
        return self.text

    def words(self) -> frozenset[str]:
        """Those of the text, names and others."""
        return frozenset(re.findall(r"\w+", self.text or ""))

    def unpack(self) -> None:
        """Make text and code of the bytes of the file."""
        data, self.data = self.data, None
        try:
            if data is not None:
                self.text = importlib.util.decode_source(data)
            if self.text is not None and self.code is None:
                self.code = compile(self.text, self.path or "<unknown>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            pass

    def is_of(self, path: str) -> bool:
        """Whether the file has this source."""
        try:
            with open(path, "rb") as file:
                data = file.read()
            if self.data is not None:
                return data == self.data
            return importlib.util.decode_source(data) == self.text
        except (OSError, SyntaxError, ValueError):
            return False

    @property
    def statements(self) -> list[Statement] | None:
        """Those of the text, or None where that is unknown or another language's."""
        outline = self.outline()
        return outline.statements if outline is not None else None

    def outline(self, before: Source | None = None) -> Outline | None:
        """What the text consists of, much of it perhaps what a version `before` had too."""
        if self._outline is None and self.text is not None:
            if before is not None and before.text == self.text:
                self._outline, self._index = before.outline(), before._index
                return self._outline
            try:
                self._outline = Outline(self.text, before.outline() if before else None, self.code)
            except (SyntaxError, ValueError):
                self.text = None
        return self._outline

    def code_after(self, before: Source, path: str) -> CodeType | None:
        """The code of the text, a file at `path`, if much of it is that of a version before."""
        now, then = self.outline(before), before.outline()
        if now is None or then is None or before.code is None or not before.is_plain:
            return None
        return code_after(now, path, then, before.code)

    def says_the_same(self, other: Source) -> bool:
        """Whether nothing at all is different, as far as that is known."""
        if self.text is not None and other.text is not None:
            return self.text == other.text
        return self.code is not None and self.code == other.code

    def index(self, like: Source | None = None) -> Index | None:
        """What each name is defined by, comparable with that of `like`; None if unknown."""
        known = self.statements
        if known is not None and (like is None or like.statements is not None):
            if self._index is None:
                self._index = index_of(effect for each in known for effect in each.effects)
            return self._index
        return bytecode.index_of(self.code) if self.code is not None else None


_ROOM = 100_000
"""How many characters of source stay parsed."""

_parsed: list[ref[Source]] = []
"""Sources that may have been read, the latest last."""


def put_away(sources: Iterable[Source]) -> None:
    """Forget statements, but those of the sources used last, which are likely to be edited
    again: each line of a tree is a dozen objects that every collection visits."""
    latest = list(sources)
    before = [each for known in _parsed if (each := known()) is not None]
    parsed = [each for each in before if not any(each is other for other in latest)] + latest
    room, first = _ROOM, 0
    for at in reversed(range(len(parsed))):
        room -= len(parsed[at].text or "")
        if room < 0:
            first = at + 1
            break
    for old in parsed[:first]:
        old._outline = old._index = None
    _parsed[:] = map(ref, parsed[first:])


_known: WeakKeyDictionary[ModuleType, Source] = WeakKeyDictionary()
"""The source that each module's present content came from, as far as it has been seen."""

_stamps: WeakKeyDictionary[ModuleType, tuple[int, int]] = WeakKeyDictionary()
"""The stamps of the files of modules of which no more was noted."""

_expected: dict[str, Source] = {}
"""The source of modules that were about to be imported when it was looked at, by name."""


def _take_notes() -> None:
    """Make sources of what was noted since this was last asked."""
    while record.expected:
        name, note = record.expected.popitem()
        _expected[name] = _source(note)
    while record.present:
        reference, note = record.present.pop(0)
        module = reference()
        if module is not None and note.data is not None:
            _expected.pop(note.name, None)
            _known[module] = _source(note)
        elif module is not None and note.stamp is not None:
            _stamps[module] = note.stamp


def _source(note: Note) -> Source:
    return Source(
        note.name,
        note.path,
        text=note.text,
        code=note.code,
        data=note.data,
        stamp=note.stamp,
        names=frozenset(note.names or ()),
        attributes=note.attributes,
    )


def remember(module: ModuleType, source: Source) -> None:
    """Note that the present content of `module` is that of `source`."""
    _take_notes()
    _expected.pop(module_name(module), None)
    _known[module] = source


def forget(module: ModuleType) -> None:
    """Note that what `module` was loaded from is not known."""
    _take_notes()
    _known.pop(module, None)


def noted(module: ModuleType) -> Source | None:
    """The source that the content of `module` was seen to come from."""
    _take_notes()
    name = module_name(module)
    if name in _expected and sys.modules.get(name, module) is module:
        return _expected[name]
    return _known.get(module)


def loaded(module: ModuleType) -> Source:
    """The source that the present content of `module` came from, as far as can be known."""
    known = noted(module)
    if known is not None:
        known.unpack()
        return known
    name = module_name(module)
    path = getattr(module, "__file__", None)
    source = Source(name, path)
    if getattr(module.__spec__, "loader", None) is importlib.machinery.FrozenImporter:
        source.code = importlib.machinery.FrozenImporter.get_code(name)  # built in: the same ever
        return source
    if isinstance(path, str) and module in _stamps and stamp_of(path) == _stamps[module]:
        try:
            with open(path, "rb") as file:
                source.data = file.read()
        except OSError:
            pass
        source.unpack()
        if source.text is not None:
            return source
    cached = getattr(module, "__cached__", None) or getattr(module.__spec__, "cached", None)
    if isinstance(cached, str):
        code = _read_cached(cached)
        if code is not None and _runs(module, code):
            source.code = code
    return source


def _runs(module: ModuleType, code: CodeType) -> bool:
    """Whether the functions of `module` are those that `code` makes.

    A .pyc may be older, where none is written, and it may be newer, of an edit that some
    other process has imported.
    """
    made = set(codes.tree(code))
    return all(
        value.__code__ in made
        for value in vars(module).values()
        if isinstance(value, FunctionType)
        and value.__globals__ is vars(module)
        and value.__code__.co_filename == code.co_filename
    )


def current(module: ModuleType, before: Source) -> Source:
    """Read and compile the source of `module` as it is now, where it was `before`."""
    name = module_name(module)
    spec = _find_spec(module, name)
    source = Source(name, getattr(module, "__file__", None), spec=spec)
    if spec is None:
        _read_script(module, source, before)
        return source
    loader: Any = spec.loader
    source.is_plain = getattr(type(loader), "source_to_code", None) is record.PLAIN
    if spec.has_location:
        source.path = spec.origin
    if isinstance(loader, importlib.machinery.SourceFileLoader):
        read_file(source, loader, loader.get_filename(name), before)
    elif hasattr(loader, "get_code"):
        if hasattr(loader, "get_source"):
            source.text = loader.get_source(name)
        source.code = loader.get_code(name)
        source.outline(before)
    return source


def is_stale(module: ModuleType) -> bool:
    """Whether the file of `module` is not the one that it was loaded from."""
    path = getattr(module, "__file__", None)
    if not isinstance(path, str) or not path.endswith(tuple(importlib.machinery.SOURCE_SUFFIXES)):
        return False
    now = stamp_of(path)
    if now is None:
        return _is_stale_elsewhere(module, path)
    known = noted(module)
    if known is not None and (known.data is not None or known.text is not None):
        # A file is touched without an edit, and edited with its time put back.
        return not known.is_of(path)
    then = known.stamp if known is not None else _stamps.get(module)
    return then is not None and now != then


def _is_stale_elsewhere(module: ModuleType, path: str) -> bool:
    """The same of a source that is no file at `path`: it has become a package's, or is in an
    archive."""
    name = module_name(module)
    try:
        spec = _find_spec(module, name)
        if spec is None or spec.origin != path:
            return spec is not None
        loader: Any = spec.loader
        text = loader.get_source(name) if hasattr(loader, "get_source") else None
    except ImportError:
        return False
    known = noted(module)
    if known is None or known.text is None or text is None:
        return False
    return bool(text != known.text)


def is_orphaned(value: Any) -> bool:
    """Whether the file is gone that a function or class comes from."""
    spec = getattr(sys.modules.get(module_of(value)), "__spec__", None)
    if spec is None or not is_a(spec.loader, importlib.machinery.SourceFileLoader):
        return False
    return not os.path.exists(spec.origin)


def is_in_place(value: Any) -> bool:
    """Whether the module that defines it still has a function or class."""
    if not (is_class(value) or is_function(value)) or is_orphaned(value):
        return False
    module = sys.modules.get(module_of(value))
    return module is not None and vars(module).get(value.__qualname__) is value


def _find_spec(module: ModuleType, name: str) -> importlib.machinery.ModuleSpec | None:
    """Ask the import system anew, as importlib.reload does."""
    if module.__name__ == "__main__":
        return getattr(module, "__spec__", None)
    importlib.invalidate_caches()
    parent = name.rpartition(".")[0]
    path = None
    if parent:
        try:
            path = sys.modules[parent].__path__
        except (KeyError, AttributeError):
            raise ImportError(
                f"cannot reload {name}: its package {parent} is not in sys.modules", name=parent
            ) from None
    for finder in sys.meta_path:
        if getattr(finder, "only_looks_on", False):
            continue
        find = getattr(finder, "find_spec", None)
        spec = find(name, path, module) if find is not None else None
        if spec is not None:
            return spec  # type: ignore[no-any-return]
    if getattr(module, "__file__", None) is not None and module.__spec__ is None:
        return None
    raise _gone(name)


def _gone(name: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"cannot reload {name}: its source cannot be found", name=name)


def _read_script(module: ModuleType, source: Source, before: Source) -> None:
    """For what no finder knows: a script that runs as `__main__`."""
    path = getattr(module, "__file__", None)
    if path is None:
        raise ImportError(f"cannot reload {source.name}: it came from no file", name=source.name)
    read_file(source, importlib.machinery.SourceFileLoader(source.name, path), path, before)


def read_file(
    source: Source, loader: importlib.machinery.SourceFileLoader, path: str, before: Source
) -> None:
    """Read and compile a file: what a .pyc says may be of the second before."""
    source.stamp = stamp_of(path)
    try:
        data = loader.get_data(path)
    except OSError as error:
        raise _gone(source.name) from error
    linecache.checkcache(path)
    try:
        source.text = importlib.util.decode_source(data)
    except (SyntaxError, UnicodeDecodeError):
        source.text = None
    if source.is_plain:
        source.code = source.code_after(before, path)
    if source.code is None:
        source.code = loader.source_to_code(data, path)


def _read_cached(path: str) -> CodeType | None:
    """The code in a .pyc."""
    try:
        with open(path, "rb") as file:
            data = file.read()
        if data[:4] != importlib.util.MAGIC_NUMBER:
            return None
        code = marshal.loads(data[16:])
    except (OSError, ValueError, EOFError, TypeError):
        return None
    return code if isinstance(code, CodeType) else None

"""Note the source of each module as it is imported: once the file has changed it is too late."""

from __future__ import annotations

import functools
import importlib.machinery
import os
import sys
import sysconfig
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from gcremap._reload import source
from gcremap._reload.source import Source


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
                    spec.loader.get_code = functools.partial(_get_code, spec.loader)  # type: ignore[method-assign]
                elif name not in sys.modules:
                    _expect(name, spec)
                return spec  # type: ignore[no-any-return]
        return None


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
        source.expect(name, Source(name, spec.origin, text=text))


def _get_code(loader: Any, name: str) -> Any:
    """What a loader asks itself for just before it runs a module.

    Nothing of this is on the stack while the module runs, and so in no traceback.
    """
    del loader.get_code
    now = _read(loader, name)
    if now is not None:
        source.expect(name, now)
    return loader.get_code(name)


def note(module: ModuleType, loader: Any) -> None:
    """Remember what the source of a module says now; nothing, where it cannot be read."""
    now = _read(loader, source.module_name(module))
    if now is not None:
        source.remember(module, now)


def _read(loader: Any, name: str) -> Source | None:
    try:
        path = loader.get_filename(name)
        stamp = source.stamp_of(path)
        return Source(name, path, data=loader.get_data(path), stamp=stamp)
    except (ImportError, OSError, TypeError):
        return None


def install() -> None:
    """Observe imports from now on, and note the program's own modules imported before."""
    if any(isinstance(finder, Observer) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, Observer())
    library = {
        os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")
    }
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        loader = getattr(module, "__loader__", None)
        if not isinstance(path, str) or not isinstance(
            loader, importlib.machinery.SourceFileLoader
        ):
            continue
        if os.path.realpath(path).startswith(tuple(library)):
            source.stamp(module, path)
        else:
            note(module, loader)

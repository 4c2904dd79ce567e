"""Files that run in a namespace of their caller's, again after each edit."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any

from gcremap._reload.sources import source
from gcremap._reload.sources.source import Source

_RECORDS = "__gcremap_scripts__"
"""Where a namespace keeps the sources that ran in it: it alone lives as long as it does."""


class Script:
    """What a file makes of a namespace: to a transaction it looks like a module."""

    __slots__ = ("__dict__", "__weakref__", "_path")

    def __init__(self, path: str, namespace: dict[str, Any]) -> None:
        self.__dict__ = namespace
        self._path = path

    @property
    def module(self) -> ModuleType | None:
        """The module whose namespace it is, if it is one's."""
        module = sys.modules.get(vars(self).get("__name__", ""))
        return module if module is not None and vars(module) is vars(self) else None

    def loaded(self) -> Source:
        """The version of the file that has run here last; an empty one before the first run."""
        records: MutableMapping[str, Source] = vars(self).get(_RECORDS, {})
        return records.get(self._path) or Source(self._path, self._path, text="")

    def current(self, before: Source) -> Source:
        """The file as it is now, where it was `before`."""
        now = Source(self._path, self._path)
        loader = SourceFileLoader(vars(self)["__name__"], self._path)
        source.read_file(now, loader, self._path, before)
        return now

    def remember(self, now: Source) -> None:
        vars(self).setdefault(_RECORDS, {})[self._path] = now

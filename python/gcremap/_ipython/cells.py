"""A cell that defines a class or function again: what there is follows to the new definition."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from gcremap._errors import RemapError
from gcremap._native import remap
from gcremap._reload.applying.apply import Applier
from gcremap._reload.applying.hashing import Reindexing
from gcremap._reload.matching.match import Matcher, Site
from gcremap._reload.objects.kinds import is_class, is_function
from gcremap._reload.running import hooks
from gcremap._reload.sources.definitions import Index, index_of
from gcremap._reload.sources.effects import effects_of

Namespace = dict[str, Any]


class Cells:
    """Compares the namespace of the cells before and after each of them."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._before: list[Namespace] = []
        """A snapshot for each cell that runs; a cell may run another."""
        self._index: Index = {}
        """What each name was last defined by."""

    def begin(self) -> None:
        self._before.append(dict(self._namespace))

    def end(self, text: str) -> list[str]:
        """Move what refers to definitions that the cell `text` has replaced to the new ones.

        Returns warnings. On an error the earlier definitions live on beside the new ones.
        """
        before = self._before.pop() if self._before else {}
        index = _index_of(text)
        matcher = Matcher((self._module,))
        for name, old in before.items():
            new = self._namespace.get(name, old)
            site = Site(name, self._module, self._index.get(name), index.get(name))
            if (
                new is not old
                and self._is_definition(site, old, new)
                and not self._is_used_by_another_name(name, old, before, text)
            ):
                matcher.match(old, new, site)
        self._index.update(index)
        before.clear()
        return _move(matcher)

    @property
    def _module(self) -> str:
        return str(self._namespace.get("__name__", "__main__"))

    def _is_definition(self, site: Site, old: Any, new: Any) -> bool:
        if site.is_code:
            return True
        kinds = (is_class(old) and is_class(new)) or (is_function(old) and is_function(new))
        return kinds and old.__module__ == new.__module__ == self._module

    def _is_used_by_another_name(self, name: str, old: Any, before: Namespace, text: str) -> bool:
        """Whether the cell speaks of the old one as such: `plain = f`, `def f(): plain() ...`."""
        words = set(re.findall(r"\w+", text))
        spaces = (before, self._namespace)
        names = {each for space in spaces for each, value in space.items() if value is old}
        # The results of cells, _ and _12, are no names that the user has given.
        return any(each in words and not re.fullmatch(r"_+\d*", each) for each in names - {name})


def _index_of(text: str) -> Index:
    try:
        return index_of(effects_of(ast.parse(text).body, None))
    except (SyntaxError, ValueError):
        return {}


def _move(matcher: Matcher) -> list[str]:
    """Carry out the pairs, all of them or none."""
    if not matcher.pairs:
        return []
    names = ", ".join(dict.fromkeys(pair.path.partition(".")[0] for pair in matcher.pairs))
    undo: list[Callable[[], Any]] = []
    try:
        applier = Applier(matcher, undo, "keep")
        applier.decide()
        applier.apply(())
        reindexing = Reindexing(applier.changed_names())
        undo.insert(0, reindexing.undo)
        report = remap(applier.remapping(), exclude=[*applier.holders(), reindexing.classes])
        undo.append(report.undo)
        applier.settle_abstract()
        reindexing.carry_out()
        hooks.after((), [applier])
        applier.finish(())
    except Exception as error:
        while undo:
            undo.pop()()
        reason = error if isinstance(error, RemapError) else f"{type(error).__name__}: {error}"
        return [f"what refers to the earlier {names} stays with it: {reason}"]
    left = sum(count for _, count in report.leftovers)
    return [f"{left} references to the earlier {names} could not be found"] if left else []

"""From what was made just now to the older containers that have it, or something for it."""

from __future__ import annotations

import gc
from typing import Any

from gcremap import _native
from gcremap._reload.matching.near import APART, DEPTH, ENTRIES, is_part, references
from gcremap._reload.objects.contents import CONTAINERS, dict_of, is_namespace, is_record
from gcremap._reload.objects.kinds import is_a, is_class


class Trail:
    """The older containers that have a definition, or something that leads to one.

    made    the definitions
    young   what was made together with them
    left    the identities of what is passed over
    """

    def __init__(self, made: list[Any], young: list[Any], left: set[int]) -> None:
        self._made = made
        self._left = left | {id(made), id(young)}
        self._young = set(map(id, young))
        self.leading = set(map(id, made))
        """The definitions, and what was made together with them and leads to one."""
        self.spaces: dict[int, bool] = {}
        """The attributes of older objects."""

    def containers(self) -> list[Any]:
        found: dict[int, Any] = {}
        left = self._left | {id(found)}
        weak = [reference for each in self._made for reference in references(each)]
        self.leading.update(map(id, weak))
        wanted = [*self._made, *weak]
        left.add(id(weak))
        for _ in range(DEPTH):
            left.add(id(wanted))
            holders = _native._holders_of(*wanted) if wanted else []
            known = left | self.leading | found.keys()
            holders = [each for each in holders if id(each) not in known]
            wanted = self._parts(holders)
            self.leading.update(map(id, wanted))
            for each in holders:
                if id(each) in self.leading or is_a(each, APART) or is_class(each):
                    continue
                if is_a(each, CONTAINERS):
                    found[id(each)] = each
                elif (space := dict_of(each)) is not None:
                    found[id(space)] = space
                    self.spaces[id(space)] = True
            del holders
        return list(found.values())

    def _parts(self, holders: list[Any]) -> list[Any]:
        """Those that were made together with a definition."""
        made = [
            each
            for each in holders
            if is_a(each, ENTRIES) or (id(each) in self._young and is_part(each))
        ]
        # A dict may be older than it looks: as long as it is empty it is not tracked.
        doubtful = {id(each): each for each in made if is_a(each, dict) and not is_record(each)}
        spaces = namespaces(doubtful)
        return [each for each in made if id(each) not in doubtful or id(each) in spaces]


def namespaces(chosen: dict[int, Any]) -> dict[int, bool]:
    """The dicts that are of modules, instances or classes; whether they may be written to."""
    found = {key: True for key, each in chosen.items() if is_namespace(each)}
    for holder in _native._holders_of(*chosen.values()) if chosen else ():
        if is_class(holder):
            parts = map(id, gc.get_referents(holder))
            found.update((part, False) for part in parts if part in chosen)
        else:
            space = id(dict_of(holder))
            if space in chosen:
                found[space] = True
    return found

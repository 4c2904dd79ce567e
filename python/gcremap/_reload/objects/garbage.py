"""Classes that have gone: their bases list them, and registries that refer to them weakly, until
the collector frees them, as each is part of cycles. So it is made to look at them at once."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from types import ModuleType

from gcremap import _native
from gcremap._reload.objects.contents import is_namespace
from gcremap._reload.objects.kinds import is_a, is_class, module_of

_DEPTH = 8
"""So many holders are between a class and a function's cell for it: its namespace, a property, what
is wrapped, a function, the tuple of its cells."""


def make_young(classes: Iterable[type]) -> None:
    """Classes, those in them, and what may be in a cycle with them."""
    level = list(classes)
    if not level:
        return
    modules = {module_of(each) for each in level}
    found = {id(each): each for each in level}
    for _ in range(_DEPTH):
        parts = {id(each): each for each in gc.get_referents(*level)}
        level = [
            each
            for key, each in parts.items()
            if key not in found
            and gc.is_tracked(each)
            and (module_of(each) in modules if is_class(each) else not _leads_out(each))
        ]
        found.update((id(each), each) for each in level)
    _native._make_young(*found.values())


def collect() -> None:
    """Free them, if nothing uses them."""
    _native._release_pins()
    gc.collect(0)  # for where that of the next generation goes by steps, which may free nothing
    gc.collect(1)


def _leads_out(value: object) -> bool:
    return is_a(value, ModuleType) or is_namespace(value)

"""Which methods of a class are abstract."""

from __future__ import annotations

from gcremap._reload.applying.undo import Undo
from gcremap._reload.objects.attributes import set_attribute
from gcremap._reload.objects.kinds import namespace_of


def settle_abstract(cls: type, undo: Undo) -> None:
    """Find out anew which abstract methods a class has not overridden."""
    names = {name for base in cls.__bases__ for name in getattr(base, "__abstractmethods__", ())}
    names.update(namespace_of(cls))
    wanted = frozenset(
        name
        for name in names
        if getattr(getattr(cls, name, None), "__isabstractmethod__", False) is True
    )
    before: frozenset[str] = getattr(cls, "__abstractmethods__", frozenset())
    if before != wanted:
        set_attribute(cls, "__abstractmethods__", wanted)
        undo.append(lambda: set_attribute(cls, "__abstractmethods__", before))

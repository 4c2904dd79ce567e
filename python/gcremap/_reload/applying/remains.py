"""What of an old class goes with its source, and what stays with the class."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import FunctionType
from typing import Any

from gcremap._reload.applying.migrate import instances
from gcremap._reload.matching.match import Matcher, Pair
from gcremap._reload.matching.successors import is_given_by
from gcremap._reload.objects.contents import attributes_of
from gcremap._reload.objects.kinds import is_a, is_class
from gcremap._reload.objects.layout import same_layout


def is_gone(pair: Pair, name: str, olds: Mapping[str, Any]) -> bool:
    """Whether an attribute that the new class lacks came from the old source."""
    is_enum = is_a(pair.old, enum.EnumType)
    special = "_" if is_enum else "__"
    if name in pair.old_members or name in pair.reassigned:
        return True
    if name.startswith(special) and name.endswith(special):
        return True
    if is_enum and name in olds["_member_map_"]:
        return True
    value = olds[name]
    if type(value).__name__ == "_tuplegetter" or name in _MADE:
        return True
    if not is_a(value, FunctionType):
        return False
    if value.__qualname__ == f"{pair.old.__qualname__}.{name}":
        return True
    if pair.former is not None:
        return is_given_by(value, pair.former)
    given = {
        _maker_of(each) for each in attributes_of(pair.new).values() if is_a(each, FunctionType)
    }
    return _maker_of(value) in given - {None}


def _maker_of(function: FunctionType) -> str | None:
    """The function that has made another, by its qualified name."""
    maker, inner, _ = function.__code__.co_qualname.rpartition(".<locals>.")
    return maker if inner else None


_MADE = frozenset({"_fields", "_field_defaults", "_make", "_is_protocol", "_is_runtime_protocol"})
"""What is made for a namedtuple, and for a Protocol."""


def members(pair: Pair, matcher: Matcher) -> list[Any]:
    """The members of an Enum that is replaced which stay what they are: those that others stand
    for now, and those that were gone before, where they cannot be of the new class."""
    fits = is_class(pair.new) and same_layout(pair.old, pair.new)
    found = []
    for member in instances(pair.old):
        of_member = matcher.by_old.get(id(member))
        if not fits if of_member is None else not of_member.keep:
            found.append(member)
    return found


def keep_pseudo_members(olds: dict[str, Any], new: Any) -> None:
    """Combinations of flags that the program made are members too, and stay the same objects."""
    if not issubclass(new, enum.Flag) or "_value2member_map_" not in olds:
        return
    known = new._value2member_map_
    named = new._member_map_
    for value, member in olds["_value2member_map_"].items():
        if value not in known and getattr(member, "_name_", None) not in named:
            known[value] = member

"""What statements set on functions and classes: `f.calls = 0`, in a class body `m.label = TEXT`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gcremap._reload.matching.class_values import values_of
from gcremap._reload.matching.match import Matcher, Pair
from gcremap._reload.objects.kinds import is_class, namespace_of
from gcremap._reload.sources.definitions import Index


@dataclass(slots=True)
class Attributes:
    """Those of one holder."""

    same: set[str] = field(default_factory=set)
    """Both versions have the same statements for these: they are state."""
    others: set[str] = field(default_factory=set)
    """They are set by other statements now, or by none."""


def settle(
    matcher: Matcher,
    olds: Mapping[str, Any],
    indexes: tuple[Index, Index],
    changed: Callable[[str], bool],
) -> None:
    """Decide which attributes of what a namespace held are state, and which are taken anew: also
    those that are computed from something that `changed`."""
    _, new_index = indexes
    for path, held in _attributes(*indexes).items():
        pair = _pair_at(matcher, olds, path)
        if pair is None or pair.data:
            continue
        reads = {each: new_index[f"{path}.{each}"].reads - {path} for each in held.same}
        computed = {each for each, names in reads.items() if any(map(changed, names))}
        pair.attributes |= held.same - computed
        pair.reassigned |= held.others | computed


def settle_members(matcher: Matcher, module: str) -> None:
    """The same in the bodies of the classes of a module."""
    for pair in [each for each in matcher.pairs if each.module == module]:
        indexes = (pair.old_members, pair.new_members)
        if is_class(pair.old) and any("." in path for index in indexes for path in index):
            settle(matcher, namespace_of(pair.old), indexes, values_of(pair, matcher).changed)


def _attributes(old_index: Index, new_index: Index) -> dict[str, Attributes]:
    """By the path of their holder."""
    found: dict[str, Attributes] = {}
    for path in old_index.keys() | new_index.keys():
        holder, dot, attribute = path.rpartition(".")
        if dot:
            of_holder = found.setdefault(holder, Attributes())
            old, new = old_index.get(path), new_index.get(path)
            is_same = old is not None and new is not None and old.same(new)
            (of_holder.same if is_same else of_holder.others).add(attribute)
    return found


def _pair_at(matcher: Matcher, olds: Mapping[str, Any], path: str) -> Pair | None:
    name, *inner = path.split(".")
    value = olds.get(name)
    for name in inner:
        value = namespace_of(value).get(name) if is_class(value) else None
    return matcher.by_old.get(id(value)) if value is not None else None

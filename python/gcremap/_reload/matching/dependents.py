"""Classes that say what they said, and are made of others that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gcremap._reload.matching.makers import Makers, found_by
from gcremap._reload.matching.state import CONTAINERS
from gcremap._reload.objects.kinds import is_a, is_class, is_of_a_statement, mro_of
from gcremap._reload.sources.effects import names_in_class
from gcremap._reload.sources.outside import differ_in_bodies

if TYPE_CHECKING:
    from gcremap._reload.matching.match import Matcher, Pair


def made_anew(matcher: Matcher, makers: Makers) -> set[int]:
    """The pairs of classes that changed, or consist of others that did, by identity: what a
    metaclass or a decorator has computed of these is another. So it is where these are others."""
    classes = [pair for pair in matcher.pairs if is_class(pair.new)]
    parts = {id(pair): _parts(pair, matcher) for pair in classes}
    found = {
        id(pair)
        for pair in classes
        if _is_another(pair, matcher)
        or _has_other_data(pair, matcher)
        or makers.are_others(pair)
        or any(map(makers.has_changed, parts[id(pair)]))
    }
    left = {
        id(pair): {id(matcher.by_new.get(id(part))) for part in parts[id(pair)]}
        for pair in classes
        if id(pair) not in found
    }
    while more := [key for key, named in left.items() if not named.isdisjoint(found)]:
        found.update(more)
        for key in more:
            del left[key]
    return found


def stays_as_made(pair: Pair, name: str, before: Any, value: Any, anew: set[int]) -> bool:
    """Whether what code elsewhere has made of the old class stays with the class that goes on;
    `anew` as of `made_anew`."""
    if name in pair.reassigned:
        return False
    return fills_up(pair, name, before, value) or (
        id(pair) not in anew
        and name not in pair.new_members
        and type(before) is type(value)
        and is_of_a_statement(type(value))
        and differ_in_bodies(pair.former, pair.definition)
    )


def says_itself(pair: Pair, name: str) -> bool:
    """Whether an attribute is what the source of the class makes it."""
    if name in ("__annotations__", "__annotations_cache__"):
        return pair.is_retyped
    if name == "__orig_bases__":
        return True  # of the class statement itself, by what its names mean now
    return name in pair.new_members or name in pair.reassigned


def fills_up(pair: Pair, name: str, before: Any, value: Any) -> bool:
    """Whether a class that says what it said was given, by a metaclass or a decorator, an empty
    container for what the program puts there. One that is not empty says something of the class.
    """
    own = name in pair.new_members or name.startswith("__")
    like = type(before) is type(value) and is_a(value, CONTAINERS) and not value
    return pair.same_definition and like and not own


def _is_another(pair: Pair, matcher: Matcher) -> bool:
    is_same = pair.same_definition or differ_in_bodies(pair.former, pair.definition)
    if not is_same or pair.module in matcher.registered_anew:
        return True
    return pair.is_retyped


def _has_other_data(pair: Pair, matcher: Matcher) -> bool:
    """Whether its body, though it says the same, computes something from what is another."""
    values = matcher.values.get(pair.module)
    data = [each for each in pair.new_members.values() if not each.is_code]
    return values is not None and any(values.changed(name) for each in data for name in each.reads)


def _parts(pair: Pair, matcher: Matcher) -> list[Any]:
    """What a class derives from, and what else its statement names."""
    parts: list[Any] = list(mro_of(pair.new)[1:])
    values, definition = matcher.values.get(pair.module), pair.definition
    if values is not None and definition is not None:
        names = {name for each in definition.prints for name in names_in_class(each.node)}
        parts += [found_by(values, name) for name in names]
    return parts

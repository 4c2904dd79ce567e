"""The state of a class: what its body defines that is no code, or statements outside of that set,
and goes on as it is."""

from __future__ import annotations

import enum
from typing import Any

from gcremap._reload.matching import state
from gcremap._reload.matching.match import Matcher, Pair
from gcremap._reload.objects.contents import attributes
from gcremap._reload.objects.kinds import is_a, namespace_of
from gcremap._reload.objects.layout import is_of_the_layout


def class_values(pair: Pair, matcher: Matcher) -> set[str]:
    """The data of a class that stays, since the statements that define it did not change."""
    olds, news = namespace_of(pair.old), namespace_of(pair.new)
    stated = {
        name
        for name in pair.attributes & olds.keys() & news.keys()
        if not is_of_the_layout(name, news[name])
    }
    if is_a(pair.new, enum.EnumType):
        return stated
    # A decorator or a metaclass may have made something else of what a statement says.
    same_makers = pair.same_decorators and type(pair.old) is matcher.final(type(pair.new))
    anew = pair.module in matcher.registered_anew
    names = [
        name
        for name, definition in pair.new_members.items()
        if name not in pair.reassigned
        and not definition.is_code
        and not definition.is_import
        and name in olds
        and name in news
        and not (name.startswith("__") and callable(news[name]))
        and not is_of_the_layout(name, news[name])
        and type(news[name]).__name__ != "_tuplegetter"
        and not (anew and _is_of(pair.new, news[name]))
        and (same_makers or type(olds[name]) is matcher.final(type(news[name])))
    ]
    return stated.union(filter(values_of(pair, matcher).keeps, names)) if names else stated


def defined_anew(pair: Pair, matcher: Matcher) -> list[str]:
    """What the bodies of both versions define, each its own, and nothing else is known of."""
    olds, news = namespace_of(pair.old), namespace_of(pair.new)
    return [
        name
        for name in pair.new_members
        if name in olds
        and name in news
        and not name.startswith("__")
        and olds[name] is not news[name]
        and id(olds[name]) not in matcher.by_old
        # `x: list = Factory(list)` has been made a slot of the class.
        and not is_of_the_layout(name, news[name])
    ]


def values_of(pair: Pair, matcher: Matcher) -> state.Values:
    """What decides about the data of a class."""
    olds, news = namespace_of(pair.old), namespace_of(pair.new)
    outer = matcher.values.get(pair.module)
    policy = state.Policy(outer.state if outer is not None else "keep-unchanged")
    return state.Values(
        dict(olds), dict(news), pair.old_members, pair.new_members, policy, matcher.final, outer
    )


def _is_of(cls: type, value: Any) -> bool:
    """Whether a value was told the class that it stands in, which has registered it as well."""
    return any(each is cls for each in attributes(value))

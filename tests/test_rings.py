"""Promise 2, complete whatever ring finds it: the search stops where the counts say that
nothing is left to be found."""

from __future__ import annotations

import collections
import ctypes
import functools
import gc
import itertools
import random
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

import gcremap


def namespace_of(place: str) -> Callable[[Any], Any]:
    def put(old: Any) -> Any:
        module = types.ModuleType(f"ring_{place}")
        module.name = old  # type: ignore[attr-defined]
        if place == "imported":
            sys.modules[module.__name__] = module
        return module, lambda: module.name

    return put


def closure(old: Any) -> Any:
    def inner() -> Any:
        return old

    return inner, inner


def default(old: Any) -> Any:
    def inner(value: Any = old) -> Any:
        return value

    return inner, inner


def keyword_default(old: Any) -> Any:
    def inner(*, value: Any = old) -> Any:
        return value

    return inner, inner


def class_attribute(old: Any) -> Any:
    class Has:
        name = old

    return Has, lambda: Has.__dict__["name"]


def static_method(old: Any) -> Any:
    class Has:
        name = staticmethod(old)

    return Has, lambda: Has.__dict__["name"].__func__


def in_property(old: Any) -> Any:
    class Has:
        name = property(old)

    return Has, lambda: Has.__dict__["name"].fget


def generator(old: Any) -> Any:
    def values() -> Any:
        mine = old
        while True:
            yield mine

    running = values()
    next(running)
    return running, functools.partial(next, running)


def untracked(old: Any) -> Any:
    """An instance without a place for the collector, in a tuple that it let go."""
    holder = Untracked()
    holder.name = old
    both = (holder,)
    gc.collect()
    return both, lambda: both[0].name


class Untracked:
    __slots__ = ("name",)


PLACES: dict[str, Callable[[Any], Any]] = {
    "imported module": namespace_of("imported"),
    "other module": namespace_of("other"),
    "closure": closure,
    "default": default,
    "keyword default": keyword_default,
    "class": class_attribute,
    "static method": static_method,
    "property": in_property,
    "generator": generator,
    "untracked": untracked,
    "list": lambda old: ((held := [old]), lambda: held[0]),
    "dict": lambda old: ((held := {"k": old}), lambda: held["k"]),
    "key": lambda old: ((held := {old: 1}), lambda: next(iter(held))),
    "tuple": lambda old: ((held := (old,)), lambda: held[0]),
    "frozenset": lambda old: ((held := frozenset([old])), lambda: next(iter(held))),
    "partial": lambda old: ((held := functools.partial(old)), lambda: held.func),
    "cycle": lambda old: ((held := itertools.cycle([old])), lambda: next(held)),
}


def definitions() -> dict[str, Callable[[], tuple[Any, Any]]]:
    def functions() -> tuple[Any, Any]:
        return (lambda *_: "old"), (lambda *_: "new")

    def classes() -> tuple[Any, Any]:
        class Old:
            def method(self) -> Any:
                return __class__  # type: ignore[name-defined]

        class New:
            pass

        return Old, New

    return {"function": functions, "class": classes}


@pytest.mark.parametrize("kind", ["function", "class"])
@pytest.mark.parametrize("place", PLACES)
def test_one_reference_is_found_wherever_it_is(kind: str, place: str) -> None:
    old, new = definitions()[kind]()
    _held, read = PLACES[place](old)
    try:
        report = gcremap.remap([(old, new)], frames=False)
        assert read() is new
        assert report.leftovers == ()
    finally:
        sys.modules.pop("ring_imported", None)


@pytest.mark.parametrize("seed", range(8))
def test_the_rings_agree_with_a_deep_search(seed: int) -> None:
    choose = random.Random(seed)
    pairs = [definitions()[choose.choice(["function", "class"])]() for _ in range(3)]
    olds = [old for old, _ in pairs]
    held = [
        (number, PLACES[place](olds[number]))
        for place in choose.sample(sorted(PLACES), choose.randint(1, len(PLACES)))
        for number in range(3)
        if choose.random() < 0.6
    ]
    try:
        options: dict[str, Any] = {"frames": False, "exclude": [olds, *pairs]}
        report = gcremap.remap(pairs, dry_run=True, **options)
        assert report.leftovers == ()
        for old in olds:
            # A count that no slot explains.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(old))
        deep = gcremap.remap(pairs, dry_run=True, **options)
        for old in olds:
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(old))
        assert [count for _, count in deep.leftovers] == [1] * len(pairs)
        assert report.replaced == deep.replaced >= len(held)
        gcremap.remap(pairs, **options)
        for number, (_, read) in held:
            assert read() is pairs[number][1]
    finally:
        sys.modules.pop("ring_imported", None)


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


class Plain:
    def __init__(self, value: object) -> None:
        self.value = value


# The last three, only tp_traverse of their types can look into.
KINDS_OF_HOLDERS: list[Callable[[Any], Any]] = [
    lambda old: [old],
    lambda old: (old, []),
    lambda old: {"key": old},
    lambda old: {old},
    Slotted,
    Plain,
    lambda old: collections.deque([old]),
    lambda old: functools.partial(print, old),
    lambda old: iter([old]),
]


@pytest.mark.parametrize("often", [1, 50, 1_000_000], ids=["all", "some", "first and last"])
@pytest.mark.parametrize("kinds", [KINDS_OF_HOLDERS, KINDS_OF_HOLDERS[:1], KINDS_OF_HOLDERS[-2:-1]])
def test_a_long_list_is_read_once_by_however_many_read_it(
    kinds: list[Callable[[Any], Any]], often: int
) -> None:
    """Two processors read it from its ends, and meet where they happen to."""
    sides = [Plain("one"), Plain("other")]
    count = 40_000
    makers = itertools.islice(itertools.cycle(kinds), count)
    holders = [
        make(sides[0] if i % often == 0 or i == count - 1 else print)
        for i, make in enumerate(makers)
    ]
    expected = len(range(0, count, often)) + ((count - 1) % often != 0)
    for turn in range(5):
        here, there = turn % 2, (turn + 1) % 2
        listed = len(gc.get_objects())
        report = gcremap.remap([(sides[here], sides[there])], frames=False, exclude=[sides])
        assert (report.replaced, len(holders)) == (expected, count)
        assert abs(report.scanned - listed) < 1_000

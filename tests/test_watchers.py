"""Promise 5, watchers: C code that watches dicts, functions and classes is told of what changed."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import gcremap
from gcremap import _native

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="no watchers before 3.12")

DICT_EVENTS = {0: "added", 1: "modified", 2: "deleted"}
FUNCTION_EVENTS = {2: "code", 3: "defaults", 4: "kwdefaults"}

C = ctypes.PyDLL(None)  # of our own: what is declared below is declared to nobody else
OBJECT, POINTER = ctypes.py_object, ctypes.c_void_p
for name in ("PyDict_Watch", "PyType_Watch"):
    if hasattr(C, name):
        getattr(C, name).argtypes = [ctypes.c_int, OBJECT]


def at(address: int | None) -> Any:
    """What stands there, if it is an address."""
    return None if address is None else ctypes.cast(address, OBJECT).value


def said(thing: Any) -> Any:
    """By name: variables that hold a thing are remapped as well."""
    return thing.name if isinstance(thing, Thing) else thing


@contextmanager
def watcher(kind: str, prototype: Any, called: Callable[..., int]) -> Iterator[int]:
    callback = prototype(called)
    number = getattr(C, f"Py{kind}_AddWatcher")(callback)
    assert number >= 0
    try:
        yield number
    finally:
        assert getattr(C, f"Py{kind}_ClearWatcher")(number) == 0


@contextmanager
def watched_dicts(*dicts: dict[Any, Any], then: Callable[[], object] = list) -> Iterator[list[Any]]:
    """What watchers are told of the dicts; at each event `then` is called."""
    told: list[Any] = []

    def called(event: int, _: int, key: int | None, value: int | None) -> int:
        told.append((DICT_EVENTS[event], said(at(key)), said(at(value))))
        then()
        return 0

    prototype = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_int, POINTER, POINTER, POINTER)
    with watcher("Dict", prototype, called) as number:
        for watched in dicts:
            assert C.PyDict_Watch(number, watched) == 0
        yield told
        for watched in dicts:
            C.PyDict_Unwatch(number, OBJECT(watched))


@contextmanager
def watched_functions(*functions: Any) -> Iterator[list[Any]]:
    told: list[Any] = []

    def called(event: int, function: int, value: int | None) -> int:
        if event in FUNCTION_EVENTS and at(function) in functions:
            told.append((FUNCTION_EVENTS[event], at(function), at(value)))
        return 0

    prototype = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_int, POINTER, POINTER)
    with watcher("Function", prototype, called):
        yield told


@contextmanager
def watched_types(*types: type, then: Callable[[], object] = list) -> Iterator[list[type]]:
    told: list[type] = []

    def called(type_: type) -> int:
        told.append(type_)
        then()
        return 0

    with watcher("Type", ctypes.PYFUNCTYPE(ctypes.c_int, OBJECT), called) as number:
        for watched in types:
            assert C.PyType_Watch(number, watched) == 0
        yield told


class Thing:
    def __init__(self, name: str = "") -> None:
        self.name = name


class Equal(Thing):
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Equal) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


def test_value_of_a_dict() -> None:
    old, new, other = Thing("old"), Thing("new"), Thing("other")
    table = {"a": old, "b": other, "c": old}
    unwatched = {"a": old}
    with watched_dicts(table) as told:
        report = gcremap.remap([(old, new)])
        assert told == [("modified", "a", "new"), ("modified", "c", "new")]
        told.clear()
        assert report.undo() > 0
        assert told == [("modified", "a", "old"), ("modified", "c", "old")]
    assert unwatched["a"] is old


def test_all_is_done_when_watchers_are_told() -> None:
    old, new = Thing(), Thing()
    first, second, slots = {"a": old}, {"a": old, old: 1}, [old]
    seen: list[Any] = []

    def look() -> None:
        seen.append((first["a"], second["a"], second[new], slots[0]))
        gc.collect()
        gcremap.remap([(Thing(), new)])  # and another may begin

    with watched_dicts(first, second, then=look) as told:
        gcremap.remap([(old, new)])
    assert len(told) == 4
    assert seen == [(new, new, 1, new)] * 4


def test_key_of_a_dict() -> None:
    old, new = Thing("old"), Thing("new")
    table = {"before": 1, old: "value", "behind": 2}
    with watched_dicts(table) as told:
        report = gcremap.remap([(old, new)])
        assert told == [("deleted", "old", None), ("added", "new", "value")]
        told.clear()
        report.undo()
        assert told == [("deleted", "new", None), ("added", "old", "value")]


def test_keys_that_trade_places() -> None:
    a, b = Thing("a"), Thing("b")
    table = {a: 1, b: 2}
    with watched_dicts(table) as told:
        gcremap.remap([(a, b), (b, a)])
    gone = [("deleted", "a", None), ("deleted", "b", None)]
    assert told == [*gone, ("added", "b", 1), ("added", "a", 2)]


def test_keys_that_become_one() -> None:
    first, old, new = Equal("x"), Thing("old"), Equal("x")
    table: dict[Any, Any] = {first: "first", old: "last"}
    with watched_dicts(table) as told:
        report = gcremap.remap([(old, new)], frames=False)
        assert report.collisions
        assert told == [("deleted", "old", None), ("modified", "x", "last")]
        told.clear()
        report.undo()
        assert table == {first: "first", old: "last"}
        assert sorted(told, key=str) == [("added", "old", "last"), ("modified", "x", "first")]


def test_dict_of_an_instance() -> None:
    old, new = Thing("old"), Thing("new")
    holder = Thing()
    namespace = vars(holder)
    holder.value = old  # type: ignore[attr-defined]
    with watched_dicts(namespace) as told:
        gcremap.remap([(old, new)])
    assert told == [("modified", "value", "new")]


def test_dict_of_an_instance_that_is_a_dict() -> None:
    class Table(dict[str, Any]):
        pass

    old, new = Thing("old"), Thing("new")
    holder = Table(item=old)
    namespace = vars(holder)
    holder.value = old  # type: ignore[attr-defined]
    with watched_dicts(namespace, holder) as told:
        gcremap.remap([(old, new)])
    assert sorted(told, key=str) == [("modified", "item", "new"), ("modified", "value", "new")]


def test_nothing_is_told_of_what_does_not_change() -> None:
    old, new, other = Thing(), Thing(), Thing()
    excluded, unrelated = {"a": old}, {"a": other}
    with watched_dicts(excluded, unrelated) as told:
        gcremap.remap([(old, new)], exclude=[excluded])
        gcremap.remap([(old, new)], dry_run=True)
        with pytest.raises(gcremap.RemapError):
            gcremap.remap([(None, new), (old, new)])
    assert told == []


def test_failing_watcher_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = Thing(), Thing()
    first, second = {"a": old}, {"a": old}
    errors: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda error: errors.append(str(error.object)))
    # A function of C that raises whatever the event: nobody watches code by its number.
    number = C.PyDict_AddWatcher(C.PyCode_ClearWatcher)
    try:
        C.PyDict_Watch(number, first)
        C.PyDict_Watch(number, second)
        gcremap.remap([(old, new)])
        assert first == second == {"a": new}
        where = [
            f"PyDict_EVENT_MODIFIED watcher callback for <dict at {id(table):#x}>"
            for table in (first, second)
        ]
        assert sorted(errors) == sorted(where)
    finally:
        C.PyDict_ClearWatcher(number)


def test_function_and_what_it_is_made_of() -> None:
    old, new = Thing(), Thing()
    defaults, other_defaults = (Thing(), old), (Thing(), Thing())
    keywords, other_keywords = {"c": Thing()}, {"c": Thing()}

    def f(a: Any, b: Any, *, c: Any = 0) -> Any:
        return "old"

    def g(a: Any, b: Any, *, c: Any = 0) -> Any:
        return "new"

    code, other_code = f.__code__, g.__code__
    f.__defaults__, f.__kwdefaults__ = defaults, keywords
    with watched_functions(f, g) as told:
        gcremap.remap([(old, new)], exclude=[locals()])
        assert told == [("defaults", f, defaults)]  # an item of it is another
        told.clear()
        pairs = [(defaults, other_defaults), (keywords, other_keywords), (code, other_code)]
        report = gcremap.remap(pairs, frames=False)
        expected = [
            ("code", f, other_code),
            ("defaults", f, other_defaults),
            ("kwdefaults", f, other_keywords),
        ]
        assert told == expected
        assert f(1, 2) == "new"
        told.clear()
        report.undo()
        assert told == [("code", f, code), ("defaults", f, defaults), ("kwdefaults", f, keywords)]


def test_functions_that_take_over_from_each_other() -> None:
    def f(a: Any = 1) -> Any:
        return a

    def g(*, b: Any = 2) -> Any:
        return b

    code, other_code = f.__code__, g.__code__
    with watched_functions(f, g) as told:
        assert _native._swap_functions(f, g)
    assert told[:3] == [("code", f, other_code), ("defaults", f, None), ("kwdefaults", f, {"b": 2})]
    assert told[3:] == [("code", g, code), ("defaults", g, (1,)), ("kwdefaults", g, None)]
    assert (f(), g()) == (2, 1)


def looked_at(*types: Any) -> None:
    """Nobody is told of a class that has not been looked at since it changed."""
    for type_ in types:
        assert type_.name


def test_class_and_those_below_it() -> None:
    old, new = Thing(), Thing()

    class Base:
        name = "base"
        value = old

    class Below(Base):
        pass

    class Beside:
        name = "beside"

    looked_at(Below, Beside)
    seen: list[Any] = []
    look = lambda: seen.append((Base.value, Below.value))  # noqa: E731
    with watched_types(Base, Below, Beside, then=look) as told:
        report = gcremap.remap([(old, new)], frames=False)
        assert sorted(told, key=str) == [Base, Below]
        assert seen == [(new, new)] * 2
        looked_at(Below)
        told.clear()
        report.undo()
        assert sorted(told, key=str) == [Base, Below]
        assert seen[2:] == [(old, old)] * 2
        looked_at(Beside)
        told.clear()
        Beside.name = "other"  # as ever
        assert told == [Beside]


def test_class_that_gets_another_base() -> None:
    old = type("old", (), {"name": "old", "value": 1})
    new = type("new", (), {"name": "new", "value": 2})

    below: Any = type("below", (old,), {})
    looked_at(below)
    seen: list[Any] = []
    look = lambda: seen.append((below.__mro__[1], below.value))  # noqa: E731
    with watched_types(below, then=look) as told:
        gcremap.remap([(old, new)], frames=False)
    assert told == [below]
    assert seen == [(new, 2)]

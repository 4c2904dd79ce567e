"""Attributes that statements set on functions and classes follow these statements; what running
code has made of them stays."""

from __future__ import annotations

import operator
from textwrap import dedent
from typing import Any

import pytest

import gcremap

PLACES = {
    "class body": """
        TEXT = {text}
        class C:
            def m(self): pass
            m.label = {label}
            m.__doc__ = {label}
            m.calls = []
    """,
    "nested class": """
        TEXT = {text}
        class C:
            def m(self): pass
            class D:
                def m(self): pass
                m.label = {label}
                m.__doc__ = {label}
                m.calls = []
            m = D.m
    """,
    "module": """
        TEXT = {text}
        class C:
            def m(self): pass
        C.m.label = {label}
        C.m.__doc__ = {label}
        C.m.calls = []
    """,
    "name of the class": """
        TEXT = {text}
        class C:
            HERE = TEXT
            def m(self): pass
            m.label = {label} if HERE else ""
            m.__doc__ = {label}
            m.calls = []
    """,
}


@pytest.mark.parametrize("labels", [("'a'", "'b'"), ("TEXT", "TEXT")], ids=["other", "computed"])
@pytest.mark.parametrize("place", PLACES)
def test_attributes_of_methods(project: Any, place: str, labels: tuple[str, str]) -> None:
    text = dedent(PLACES[place])
    mod = project.load(mod=text.format(text="'a'", label=labels[0]))
    held = mod.C.m
    held.calls.append(1)
    held.by_hand = 1
    project.reload(mod=text.format(text="'b'", label=labels[1]))
    assert (mod.C.m.label, mod.C.m.__doc__) == ("b", "b")
    assert (mod.C.m.calls, mod.C.m.by_hand) == ([1], 1)
    assert (held.label, held.calls) == ("b", [1])


def test_attributes_that_no_statement_sets_any_more(project: Any) -> None:
    mod = project.load(mod="class C:\n    def m(self): pass\n    m.label = 1\nC.m.more = 1")
    project.reload(mod="class C:\n    def m(self): pass")
    assert vars(mod.C.m) == {}


_HOLDERS = """
import functools
from enum import Enum
class C:
    def m(self): return {0}
    @staticmethod
    def s(): return {0}
    class Inner:
        def m(self): return {0}
class D(C):
    def n(self): return {0}
class E(Enum):
    A = 1
    def m(self): return {0}
def f(): return {0}
g = lambda: {0}
@functools.lru_cache
def cached(): return {0}
def default(*args): return {0}
"""
_PLACES = ("C", "C.Inner", "D", "D.n", "D.m", "C.s", "E", "f", "C.m", "g", "cached")
_SETS = {
    "statement": "{place}.a = {value}",
    "setattr": "setattr({place}, 'a', {value})",
    "loop": "for name in ('a', 'b'): setattr({place}, name, {value})",
}


def _at(mod: Any, place: str) -> Any:
    return operator.attrgetter(place)(mod)


@pytest.mark.parametrize("edit", [1, 2])
@pytest.mark.parametrize("way", _SETS)
def test_attributes_are_state_until_their_statement_goes(project: Any, way: str, edit: int) -> None:
    """Whether the code of their holders changes or not, and what nothing in the source sets is."""

    def source(number: int, value: str) -> str:
        sets = [_SETS[way].format(place=place, value=value) for place in _PLACES if value]
        return _HOLDERS.format(number) + "\n".join(sets) + "\n"

    mod = project.load(mod=source(1, "0"))
    for place in _PLACES:
        _at(mod, place).a = 5
        _at(mod, place).own = [1]
    project.reload(mod=source(edit, "0"))
    assert [_at(mod, place).a for place in _PLACES] == [5] * len(_PLACES)
    assert [_at(mod, place).own for place in _PLACES] == [[1]] * len(_PLACES)
    project.reload(mod=source(edit, "7"))
    assert [_at(mod, place).a for place in _PLACES] == [7] * len(_PLACES)
    project.reload(mod=source(3 - edit, ""))
    assert [place for place in _PLACES if hasattr(_at(mod, place), "a")] == []
    assert [_at(mod, place).own for place in _PLACES] == [[1]] * len(_PLACES)
    assert (mod.C().m(), mod.C.Inner().m(), mod.f(), mod.g()) == (3 - edit,) * 4


def test_loop_that_sets_fewer_attributes(project: Any) -> None:
    source = "class C: pass\nfor name in {}: setattr(C, name, 0)\n"
    mod = project.load(mod=source.format(("x", "y")))
    mod.C.x = 5
    project.reload(mod=source.format(("x",)))
    assert not hasattr(mod.C, "y")


def _set_everywhere(said: str) -> str:
    return _HOLDERS + "".join(f"{place}.attribute = {said}\n" for place in _PLACES)


def _everywhere(mod: Any) -> list[Any]:
    return [_at(mod, place).attribute for place in _PLACES]


STATES = {
    "a number": ("0", 5),
    "an object": ("None", [1]),
    "another function": ("default", print),
    "no function": ("default", 5),
    "a function": ("None", print),
}


@pytest.mark.parametrize("edit", [1, 2], ids=["same code", "other code"])
@pytest.mark.parametrize("state", STATES)
def test_what_the_program_made_of_attributes(project: Any, state: str, edit: int) -> None:
    said, value = STATES[state]
    mod = project.load(mod=_set_everywhere(said).format(1))
    for place in _PLACES:
        _at(mod, place).attribute = value
    project.reload(mod=_set_everywhere(said).format(edit))
    assert _everywhere(mod) == [value] * len(_PLACES)
    project.reload(mod=_set_everywhere("'other'").format(edit))
    assert _everywhere(mod) == ["other"] * len(_PLACES)


def test_attribute_that_holds_an_instance(project: Any) -> None:
    source = """
        class C:
            def m(self): return {0}
        def f(): return {0}
        C.current = None
        f.current = None
    """
    mod = project.load(mod=source.format(1))
    mod.C.current = mod.f.current = mod.C()
    project.reload(mod=source.format(2))
    assert mod.C.current is mod.f.current
    assert mod.C.current.m() == 2


@pytest.mark.parametrize("state", ["keep", "replace"])
def test_policies_hold_for_attributes(project: Any, state: Any) -> None:
    mod = project.load(mod=_set_everywhere("0").format(1))
    for place in _PLACES:
        _at(mod, place).attribute = 5
    for said in ("0", "1"):
        project.write(mod=_set_everywhere(said).format(2))
        gcremap.Reloader(identity=project.identity, policies={"mod": state}).reload("mod")
        assert set(_everywhere(mod)) == {5 if state == "keep" else int(said)}


EDITS = {
    "body changed, statement added to it": (
        "class C:\n    a = 1\nC.a += 1",
        "class C:\n    a = 10\nC.a += 1",
        "C.a",
        11,
    ),
    "statement over a body that stays": (
        "class C:\n    a = 1\nC.a = 2",
        "class C:\n    a = 1\nC.a = 3",
        "C.a",
        3,
    ),
    "statement goes, body stays": ("class C:\n    a = 1\nC.a = 2", "class C:\n    a = 1", "C.a", 1),
    "docstring that a statement fills": (
        "class C: 'one {}'\nC.__doc__ = C.__doc__.format(1)",
        "class C: 'two {}'\nC.__doc__ = C.__doc__.format(1)",
        "C.__doc__",
        "two 1",
    ),
    "counted by the function itself": (
        "def f(): f.a += 1\nf.a = 0",
        "def f(): f.a += 2\nf.a = 10",
        "f.a",
        10,
    ),
    "by two names": (
        "class C:\n    def m(self): 1\nclass D(C): pass\nC.m.a = D.m.a = 0",
        "class C:\n    def m(self): 2\nclass D(C): pass\nC.m.a = D.m.a = 1",
        "C.m.a",
        1,
    ),
    "several at once": (
        "def f(): 1\nclass C: pass\nC.a, f.b = 0, 1",
        "def f(): 2\nclass C: pass\nC.a, f.b = 10, 1",
        "C.a",
        10,
    ),
    "made by a function that does something else": (
        "def make():\n    def made(): return 1\n    return made\nclass C: pass\nC.a = make()",
        "def make():\n    def other(): return 2\n    return other\nclass C: pass\nC.a = make()",
        "C.a.__name__",
        "other",
    ),
    "computed by another function": (
        "def f(): 1\nLIMIT = 1\nf.a = max(LIMIT, 0)",
        "def f(): 2\nLIMIT = 2\nf.a = max(LIMIT, 0)",
        "f.a",
        2,
    ),
    "taken from a class that has a method for an alias": (
        "class A:\n    def g(): return 1\n    f = g\nclass C: pass\nC.a = A.f",
        "class A:\n    def g(): return 1\n    def f(): return 2\nclass C: pass\nC.a = A.f",
        "C.a.__name__",
        "f",
    ),
    "other layout": (
        "class C: pass\nC.a = 1",
        "class C:\n    __slots__ = ('x',)\nC.a = 2",
        "C.a",
        2,
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_attributes_that_an_edit_sets_anew(project: Any, edit: str) -> None:
    before, after, place, expected = EDITS[edit]
    mod = project.load(mod=before)
    project.reload(mod=after)
    assert operator.attrgetter(place)(mod) == expected


SAME = {
    "several at once": "class C: {0}\ndef f(): {0}\nC.a, f.a = 0, 0",
    "one value for both": "class C: {0}\ndef f(): {0}\nC.a = f.a = 0",
    "with a condition": "class C: {0}\ndef f(): {0}\nif f: C.a = f.a = 0",
    "with a type": "class C: {0}\ndef f(): {0}\nC.a: int = 0\nf.a: int = 0",
    "of another layout": "class C: __slots__ = ('x{0}',)\ndef f(): {0}\nC.a = f.a = 0",
    "with a metaclass": (
        "class M(type): {0}\nclass C(metaclass=M): {0}\ndef f(): {0}\nC.a = f.a = 0"
    ),
    "in a branch": "try:\n    class C: {0}\n    def f(): {0}\n    C.a = f.a = 0\nfinally: pass",
    "decorated": (
        "import functools\ndef same(f): return functools.wraps(f)(lambda: f())\n"
        "class C: {0}\n@same\ndef f(): {0}\nC.a = f.a = 0"
    ),
}


@pytest.mark.parametrize("way", SAME)
def test_attributes_that_an_edit_sets_as_before(project: Any, way: str) -> None:
    mod = project.load(mod=SAME[way].format(1))
    mod.C.a, mod.f.a, mod.C.own, mod.f.own = 5, 6, [7], [8]
    project.reload(mod=SAME[way].format(2))
    assert (mod.C.a, mod.f.a, mod.C.own, mod.f.own) == (5, 6, [7], [8])


UNSTATED = {
    "a loop over names": "for name in {0!r}: setattr(C, name, 0), setattr(f, name, 0)",
    "computed names": "for at in {1!r}: setattr(C, f'is{{at}}', 0), setattr(f, f'is{{at}}', 0)",
    "a function": (
        "def start(*names):\n    for each in names:\n        setattr(C, each, 0)\n"
        "        setattr(f, each, 0)\nstart(*{0!r})"
    ),
    "the namespace": (
        "vars(f).update(dict.fromkeys({0!r}, 0))\nfor k, v in vars(f).items(): setattr(C, k, v)"
    ),
    "inner holders": "for name in {0!r}: setattr(C.Inner.m, name, 0), setattr(C.s, name, 0)",
}
UNSTATED_SOURCE = """
class C:
    @staticmethod
    def s(): {0}
    class Inner:
        def m(self): {0}
def f(): {0}
"""


@pytest.mark.parametrize("again", [False, True], ids=["imported", "reloaded"])
@pytest.mark.parametrize("edit", [1, 2], ids=["same code", "other code"])
@pytest.mark.parametrize("way", UNSTATED)
def test_attributes_that_the_source_set_and_no_more_does(
    project: Any, way: str, edit: int, again: bool
) -> None:
    def source(number: int, *numbers: int) -> str:
        names = [f"is{each}" for each in numbers]
        return UNSTATED_SOURCE.format(number) + UNSTATED[way].format(names, list(numbers))

    mod = project.load(mod=source(1, 1, 2))
    if again or way == "computed names":  # of what an import has set, no more is known than names
        project.reload(mod=source(1, 1, 2) + "\nmore = 1")
    holders = ("C.Inner.m", "C.s") if way == "inner holders" else ("C", "f")
    for holder in holders:
        _at(mod, holder).own = 1
    project.reload(mod=source(edit, 1))
    for holder in holders:
        held = _at(mod, holder)
        assert (hasattr(held, "is1"), hasattr(held, "is2"), held.own) == (True, False, 1)


def test_attributes_that_the_source_has_set_stay_while_it_speaks_of_them(project: Any) -> None:
    source = """
        class C:
            @classmethod
            def load(cls): cls.loaded = {0}
        {1}
    """
    mod = project.load(mod=source.format(1, "C.load()"))
    project.reload(mod=source.format(2, "def main(): C.load()"))
    assert mod.C.loaded == 1


@pytest.mark.parametrize(
    "plugin", ["import plugin", "import plugin\nplugin.see(C)"], ids=["imports it", "calls it"]
)
def test_attributes_that_another_module_has_set(project: Any, plugin: str) -> None:
    """Whose code does not run a second time."""
    source = "class C:\n    def m(self): return {0}\ndef f(): return {0}\n" + plugin
    project.write(
        plugin="""
            import mod
            mod.C.plugged = mod.f.plugged = 1
            def see(cls): cls.seen = 1
        """
    )
    mod = project.load(mod=source.format(1))
    seen = hasattr(mod.C, "seen")
    for number in (2, 3):
        project.reload(mod=source.format(number))
        assert (mod.C.plugged, mod.f.plugged, hasattr(mod.C, "seen")) == (1, 1, seen)
        assert mod.f() == number

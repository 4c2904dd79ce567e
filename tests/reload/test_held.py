"""Attributes that statements set on functions and classes follow these statements; what running
code has made of them stays."""

from __future__ import annotations

import operator
from textwrap import dedent
from typing import Any

import pytest

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
class C:
    def m(self): return {0}
    class Inner:
        def m(self): return {0}
class D(C): pass
def f(): return {0}
g = lambda: {0}
"""
_PLACES = ("C", "C.Inner", "D", "f", "C.m", "g")
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
        _at(mod, place).own = [place]
    project.reload(mod=source(edit, "0"))
    assert [_at(mod, place).a for place in _PLACES] == [5] * 6
    assert [_at(mod, place).own for place in _PLACES] == [[place] for place in _PLACES]
    project.reload(mod=source(edit, "7"))
    assert [_at(mod, place).a for place in _PLACES] == [7] * 6
    project.reload(mod=source(3 - edit, ""))
    assert [place for place in _PLACES if hasattr(_at(mod, place), "a")] == []
    assert [_at(mod, place).own for place in _PLACES] == [[place] for place in _PLACES]
    assert (mod.C().m(), mod.C.Inner().m(), mod.f(), mod.g()) == (3 - edit,) * 4


def test_loop_that_sets_fewer_attributes(project: Any) -> None:
    source = "class C: pass\nfor name in {}: setattr(C, name, 0)\n"
    mod = project.load(mod=source.format(("x", "y")))
    mod.C.x = 5
    project.reload(mod=source.format(("x",)))
    assert not hasattr(mod.C, "y")

"""Attributes that statements set on functions and classes follow these statements; what running
code has made of them stays."""

from __future__ import annotations

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

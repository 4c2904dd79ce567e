"""Values that stay while new code is made that takes them: there is one of each afterwards."""

from __future__ import annotations

import sys
from typing import Any

import pytest

_TAKEN = """
class D:
    pass
def make():
    return D()
MISSING = {0}
class C:
    NOTHING = {0}
    def m(self, *, x=MISSING, y=NOTHING): {1}; return x is MISSING and y is C.NOTHING
def f(x=MISSING): {1}; return x is MISSING
g = lambda *, x=MISSING: [{1}, x is MISSING][1]
table = {{"changed": {1}, "missing": MISSING}}
"""


@pytest.mark.parametrize(
    "value", ["object()", "D()", "make()", "type('M', (), {})()", "[]", "(D(),)"]
)
def test_value_that_stays_is_what_new_defaults_are(project: Any, value: str) -> None:
    mod = project.load(mod=_TAKEN.format(value, 1), user="from mod import MISSING, f")
    user, missing = sys.modules["user"], mod.MISSING
    project.reload(mod=_TAKEN.format(value, 2))
    assert mod.MISSING is missing is user.MISSING is mod.table["missing"]
    assert mod.f()
    assert mod.g()
    assert mod.C().m()
    assert user.f(user.MISSING)
    assert mod.D is not type(missing) or isinstance(missing, mod.D)


def test_value_that_stays_with_another_layout_of_its_class(project: Any) -> None:
    source = "class D:\n    {0}\nMISSING = D()\ndef f(x=MISSING): {1}; return x is MISSING"
    mod = project.load(mod=source.format("pass", 1))
    project.reload(mod=source.format("__slots__ = ()", 2))
    assert type(mod.MISSING) is mod.D


@pytest.mark.parametrize("value", ["Union[int, {0}]", "Plus({0})"])
def test_value_computed_from_another_that_can_be_called(project: Any, value: str) -> None:
    """Aliases of typing can, and are data all the same."""
    source = f"""
        from typing import Union
        class Plus:
            def __init__(self, kind): self.kind = kind
            def __call__(self): pass
        def alias(kind): return {value}
        Content = alias({{0}})
        Contents = list[Content]
    """
    mod = project.load(mod=source.format("str"))
    project.reload(mod=source.format("bytes"))
    assert mod.Contents.__args__ == (mod.Content,)
    assert bytes in (getattr(mod.Content, "kind", None), *getattr(mod.Content, "__args__", ()))


def test_names_that_say_something_of_a_module_go_with_their_statements(project: Any) -> None:
    mod = project.load(mod="'doc'\n__all__ = ['a']\n__author__ = 'ann'\na: int = 1\nb = 2")
    project.reload(mod="a = 1\nb = 2")
    assert not hasattr(mod, "__all__")
    assert not hasattr(mod, "__author__")
    assert mod.__doc__ is None
    assert not getattr(mod, "__annotations__", {})


def test_importer_of_a_version_follows(project: Any) -> None:
    project.load(pkg_="__version__ = '1'", pkg_cli="from . import __version__")
    project.reload(pkg_="__version__ = '2'")
    assert sys.modules["pkg.cli"].__version__ == "2"


@pytest.mark.parametrize(
    "source",
    [
        "from base import N\nN = N\n",
        "try:\n    from base import N\nexcept ImportError:\n    N = 0\n",
    ],
)
def test_name_that_is_imported_and_said_once_more(project: Any, source: str) -> None:
    project.load(base="N = 1", user=source)
    project.reload(base="N = 2", user=source + "other = 1")
    assert sys.modules["user"].N == 2


def test_value_computed_from_a_class_that_comes_from_elsewhere(project: Any) -> None:
    source = "from {} import Iterator\nIterators = list[Iterator[int]]\n"
    mod = project.load(mod=source.format("typing"))
    project.reload(mod=source.format("collections.abc"))
    assert mod.Iterators.__args__[0].__origin__ is mod.Iterator
    assert type(mod.Iterators.__args__[0]) is type(mod.Iterator[int])

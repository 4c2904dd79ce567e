"""A program that tells the collector what to do: to stay away, or that its heap is to stay."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture(params=["enabled", "disabled", "frozen"])
def told(request: pytest.FixtureRequest) -> Iterator[Callable[[], None]]:
    """Games disable it, servers that fork call gc.freeze: to be called before an edit."""
    tell = {"enabled": lambda: None, "disabled": gc.disable, "frozen": gc.freeze}
    yield tell[request.param]
    gc.enable()
    gc.unfreeze()


def test_a_registry_gets_no_second_entry(project: Any, told: Callable[[], None]) -> None:
    source = """
        import registry
        @registry.ALL.append
        def a(): return {0}
        @registry.register
        def b(): return {0}
    """
    registry = "ALL = []\ndef register(f):\n    ALL.append(('b', f))\n    return f\n"
    mod = project.load(mod=source.format(1), registry=registry)
    import registry  # type: ignore[import-not-found]

    told()
    project.reload(mod=source.format(2))
    assert len(registry.ALL) == 2
    assert registry.ALL[1] == ("b", mod.b)
    assert [registry.ALL[0](), mod.b()] == [2, 2]


def test_a_class_that_only_a_registry_has(project: Any, told: Callable[[], None]) -> None:
    source = """
        PLUGINS = {{}}
        def register(cls): PLUGINS[cls.__name__] = cls
        @register
        class A:
            def say(self): return {0}
    """
    mod = project.load(mod=source.format(1))
    a = mod.PLUGINS["A"]()
    told()
    project.reload(mod=source.format(2))
    assert type(a) is mod.PLUGINS["A"]
    assert a.say() == 2


def test_all_instances_are_found(project: Any, told: Callable[[], None]) -> None:
    source = """
        class A:
            __slots__ = ({0})
            def __init__(self): self.x = 1
            def __reloaded__(self, old): self.{1} = 5
    """
    mod = project.load(mod=source.format("'x', 'y'", "y"))
    held = [mod.A() for _ in range(3)]
    told()
    project.reload(mod=source.format("'x', 'z'", "z"))
    assert [(type(a) is mod.A, a.x, a.z) for a in held] == [(True, 1, 5)] * 3


def test_what_only_code_elsewhere_holds(project: Any, told: Callable[[], None]) -> None:
    source = """
        from functools import singledispatch
        @singledispatch
        def show(x): return "any"
        class A: pass
        def made(): return lambda: {0}
        @show.register
        def _(x: A): return {0}
    """
    mod = project.load(mod=source.format(1))
    handed_out, a = [mod.made()], mod.A()
    assert mod.show(a) == 1
    told()
    project.reload(mod=source.format(2))
    assert [handed_out[0](), mod.show(a), mod.show(mod.A())] == [2, 2, 2]


MONTHS = """
    import other
    N = {0}
    {1}
    class Months:
        LIST = [str(i) for i in range(12)]
        LIST.insert(0, lambda x: "")
"""
OTHER = """
    known = {}
    def register(cls):
        if cls.__name__ in known: raise ValueError
        known[cls.__name__] = cls
        return cls
"""


@pytest.mark.parametrize("decorator", ["", "@other.register"])
def test_what_was_dropped_is_not_taken_for_what_there_was(project: Any, decorator: str) -> None:
    """However often the collector runs meanwhile."""
    gc.collect()  # of tests before
    project.load(other=OTHER, mod=MONTHS.format(0, decorator))
    import mod  # type: ignore[import-not-found]

    kept = gc.get_threshold()
    gc.set_threshold(3, 1, 1)
    try:
        for n in range(1, 6):
            project.reload(mod=MONTHS.format(n, decorator))
            assert len(mod.Months.LIST) == 13
            assert [e for e in object.__subclasses__() if e.__name__ == "Months"] == [mod.Months]
    finally:
        gc.set_threshold(*kept)


def test_functions_in_cycles_that_were_dropped(project: Any) -> None:
    source = """
        def make():
            def again(n): return again(n - 1) if n else {0}
            return again
        TABLE = [make()]
        TABLE.append(make())
        N = {0}
    """
    mod = project.load(mod=source.format(1))
    kept = gc.get_threshold()
    gc.set_threshold(3, 1, 1)
    try:
        for n in range(2, 6):
            project.reload(mod=source.format(n))
            assert [each(3) for each in mod.TABLE] == [n, n]
    finally:
        gc.set_threshold(*kept)
    assert gc.isenabled()

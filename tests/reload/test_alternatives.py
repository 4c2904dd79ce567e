"""Several statements of one name: which one has made what there is, and its versions."""

from __future__ import annotations

import sys
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("if FIRST:", "else:"),
        ("try:\n    assert FIRST", "except AssertionError:"),
        ("match FIRST:\n  case True:", "  case _:"),
    ],
    ids=["if", "try", "match"],
)
def test_classes_and_functions_of_branches(project: Any, one: str, other: str) -> None:
    body = """
    class C:
        kind = [{0!r}]
        made = 0
        seen = []
        def f(self): return {0!r}, {1}
    def g(x, seen=[]): return x, {0!r}, {1}
"""

    def source(first: bool, number: int) -> str:
        return f"FIRST = {first}\n{one}{body.format('one', number)}{other}{body.format('other', 0)}"

    mod = project.load(mod=source(True, 1))
    instance, held, seen = mod.C(), [mod.g], mod.C.seen
    mod.C.made = 5
    seen.append("x")
    for first, number, said in [(True, 2, "one"), (False, 2, "other"), (True, 3, "one")]:
        project.reload(mod=source(first, number))
        number *= first
        assert instance.f() == (said, number)
        assert type(instance) is mod.C
        assert held[0] is mod.g
        assert mod.g(1) == (1, said, number)
        assert mod.C.kind == [said]
        assert mod.C.made == 5
        assert mod.C.seen is seen == ["x"]


def test_fallback_for_an_import_that_fails(project: Any) -> None:
    source = "try:\n    from nowhere import f\nexcept ImportError:\n    def f(): return {}\n"
    mod = project.load(mod=source.format(1))
    held = [mod.f]
    project.reload(mod=source.format(2))
    assert held[0]() == mod.f() == 2
    assert held[0] is mod.f
    project.write(nowhere="def f(): return 3\n")
    project.reload("mod")
    assert mod.f() == 3
    assert mod.f.__module__ == "nowhere"


def test_member_of_a_class_in_branches(project: Any) -> None:
    source = """
        class C:
            if {0}:
                def f(self): return "one"
                class K:
                    seen = []
                    n = {1}
            else:
                def f(self): return "other"
                class K:
                    seen = []
                    n = {1}
    """
    mod = project.load(mod=source.format(True, 1))
    call, inner, seen = mod.C().f, mod.C.K(), mod.C.K.seen
    project.reload(mod=source.format(False, 2))
    assert call() == "other"
    assert inner.n == 2
    assert mod.C.K.seen is seen


def test_class_over_an_earlier_one_of_its_name(project: Any) -> None:
    source = """
        class C:
            below = {{}}
            def f(self): return 0
        Base = C
        class C(Base):
            above = {{}}
            def f(self): return {}
    """
    mod = project.load(mod=source.format(1))
    instance, base = mod.C(), mod.Base()
    mod.C.above["x"] = mod.Base.below["y"] = 1
    project.reload(mod=source.format(2))
    assert (instance.f(), base.f()) == (2, 0)
    assert instance.above == {"x": 1}
    assert instance.below == {"y": 1}
    assert type(base) is mod.Base is mod.C.__base__


def test_function_gains_a_declared_overload(project: Any) -> None:
    source = """
        from typing import overload
        @overload
        def f(x: int) -> int: ...
        @overload
        def f(x: str) -> str: ...
        {}
        def f(x): return x, {}
    """
    mod = project.load(mod=source.format("", 1))
    held = mod.f
    project.reload(mod=source.format("@overload\n        def f(x: bytes) -> bytes: ...", 2))
    assert held is mod.f
    assert held(0) == (0, 2)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="PEP 695")
def test_type_parameters(project: Any) -> None:
    source = """
        class Box[T]:
            def f(self): return {0}
        def first[T](rows: list[T]) -> T: return rows[0], {0}
        class Sub[T: (int, str)](Box[T]):
            def g(self): return super().f()
    """
    mod = project.load(mod=source.format(1), user="from mod import Box\nI = Box[int]\n")
    import user

    box, sub = user.I(), mod.Sub()
    for number in (2, 1, 1):
        project.reload("mod", "user", mod=source.format(number))
        assert box.f() == sub.g() == number
        assert mod.first([0]) == (0, number)
        assert user.I.__origin__ is mod.Box is type(box)


def test_what_did_not_change_stays_whichever_statement_made_it(project: Any) -> None:
    """As in multiprocessing.context and ssl: two branches may say the same, and a property may
    have functions of its own in each."""
    source = """
        import os
        class Base: pass
        if os.sep == "/":
            class Context(Base): name = "spawn"
        else:
            class Context(Base): name = "spawn"
        class Checks:
            if os.sep == "/":
                @property
                def names(self): return 1
                @names.setter
                def names(self, value): pass
            else:
                @property
                def names(self): return 2
    """
    mod = project.load(mod=source)
    before = (mod.Context, mod.Checks, vars(mod.Checks)["names"])
    [report] = project.reload("mod")
    assert (mod.Context, mod.Checks, vars(mod.Checks)["names"]) == before
    assert report.updated == []
    project.reload(mod=source.replace("return 1", "return 3"))
    assert mod.Checks().names == 3
    project.reload(mod=source.replace('"spawn"', '"fork"'))
    assert mod.Context.name == "fork"


@pytest.mark.parametrize("body", ["def __str__(self): return 'own'", "pass"])
def test_own_class_where_there_is_a_builtin_of_its_name(project: Any, body: str) -> None:
    """packaging 23.2 looks for ExceptionGroup where it is not."""
    own = f"    class ExceptionGroup(Exception):\n        {body}\n"
    source = "try:\n    {}\nexcept {}:\n" + own + "{}def f(): return ExceptionGroup\n"
    other = "else:\n    ExceptionGroup = ExceptionGroup\n"
    mod = project.load(mod=source.format("ExceptionGroup", "NameError", other))
    assert mod.ExceptionGroup is ExceptionGroup
    held = [mod.ExceptionGroup]
    missing = "ExceptionGroup = __name__.ExceptionGroup"
    project.reload(mod=source.format(missing, "AttributeError", ""))
    assert mod.f() is mod.ExceptionGroup
    assert mod.ExceptionGroup.__module__ == "mod"
    assert held == [ExceptionGroup]
    project.reload(mod=source.format("ExceptionGroup", "NameError", other))
    assert mod.f() is mod.ExceptionGroup is ExceptionGroup

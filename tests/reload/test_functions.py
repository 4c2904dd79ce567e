"""Functions: wherever they are referred to, they run the new code."""

from __future__ import annotations

import functools
import inspect
import sys
from typing import Any

import pytest


def test_aliases_containers_partials_and_closures(project: Any) -> None:
    mod = project.load(mod="def f(x=0): return ('old', x)")
    f = mod.f
    table = {"f": f, "list": [f], f: "key"}
    partial = functools.partial(f, 1)

    def call() -> Any:
        return f(2)

    project.reload(mod="def f(x=0, *, y=5):\n    'doc'\n    return ('new', x, y)")
    assert mod.f is f
    assert f() == table["list"][0]() == ("new", 0, 5)
    assert partial() == ("new", 1, 5)
    assert call() == ("new", 2, 5)
    assert table[mod.f] == "key"
    assert f.__doc__ == "doc"
    assert str(inspect.signature(f)) == "(x=0, *, y=5)"


def test_name_bound_to_another_function_is_no_new_version(project: Any) -> None:
    """`f = foo` edited to `f = bar` must not turn foo into bar."""
    mod = project.load(mod="def foo(): return 'foo'\ndef bar(): return 'bar'\nf = foo")
    foo = mod.foo
    project.reload(mod="def foo(): return 'foo2'\ndef bar(): return 'bar2'\nf = bar")
    assert mod.f is mod.bar
    assert foo is mod.foo
    assert (foo(), mod.f()) == ("foo2", "bar2")


_FORMS = [
    "def f(): return {0}",
    "f = lambda: {0}",
    "class f:\n    def __new__(cls): return {0}",
    "class Made:\n    def __call__(self): return {0}\nf = Made()",
    "import functools\ndef g(n): return n\nf = functools.partial(g, {0})",
]


@pytest.mark.parametrize("before", _FORMS)
@pytest.mark.parametrize("after", _FORMS)
def test_definition_in_another_form(project: Any, before: str, after: str) -> None:
    mod = project.load(
        mod=before.format(1), user="from mod import f\ndef use(g=f): return g()\nkept = [f]\n"
    )
    held = {"f": mod.f}
    user = sys.modules["user"]
    project.reload(mod=after.format(2))
    assert [mod.f(), user.f(), user.use(), user.kept[0](), held["f"]()] == [2] * 5


def test_decorator_added_and_removed(project: Any) -> None:
    source = """
        import functools
        def deco(fn):
            @functools.wraps(fn)
            def wrapper(): return ("deco", fn())
            return wrapper
        {0}
        def f(): return {1}
    """
    project.write(other="from mod import f")
    mod = project.load(mod=source.format("", 1), other="from mod import f")
    held = [mod.f]
    project.reload(mod=source.format("@deco", 2))
    assert mod.f() == held[0]() == ("deco", 2)
    assert mod.f is held[0]
    project.reload(mod=source.format("", 3))
    assert mod.f() == held[0]() == 3
    assert mod.f is held[0]


def test_decorator_argument_changes(project: Any) -> None:
    source = """
        def times(n):
            def deco(fn):
                def wrapper(): return fn() * n
                return wrapper
            return deco
        @times({})
        def f(): return "x"
    """
    mod = project.load(mod=source.format(2))
    f = mod.f
    project.reload(mod=source.format(3))
    assert f() == mod.f() == "xxx"


def test_decorator_itself_changes(project: Any) -> None:
    source = """
        def deco(fn):
            def wrapper(): return ({!r}, fn())
            return wrapper
        @deco
        def f(): return 1
        @deco
        def g(): return 2
    """
    mod = project.load(mod=source.format("a"))
    f, g = mod.f, mod.g
    project.reload(mod=source.format("b"))
    assert f() == ("b", 1)
    assert g() == ("b", 2)


def test_closure_gains_and_loses_variables(project: Any) -> None:
    source = """
        def deco(func):
            {}
            def wrapper(): return ({}, func())
            return wrapper
        @deco
        def f(): return 1
    """
    mod = project.load(mod=source.format("x = 'x'", "x"))
    f = mod.f
    project.reload(mod=source.format("a, b, c = 'abc'", "a, b, c"))
    assert f() == (("a", "b", "c"), 1) or f() == ("a", "b", "c", 1)
    project.reload(mod=source.format("pass", "0"))
    assert f() == (0, 1)


def test_lru_cache_serves_nothing_old(project: Any) -> None:
    source = """
        import functools
        @functools.lru_cache(maxsize={1})
        def f(x): return ({0}, x)
    """
    mod = project.load(mod=source.format(1, 8))
    f = mod.f
    assert f(5) == (1, 5)
    project.reload(mod=source.format(2, 8))
    assert f(5) == mod.f(5) == (2, 5)
    held = [f]
    project.reload(mod=source.format(3, 16))
    assert held[0](5) == (3, 5)
    assert held[0] is mod.f
    assert mod.f.cache_parameters()["maxsize"] == 16


def test_singledispatch_keeps_what_others_registered(project: Any) -> None:
    source = """
        import functools
        @functools.singledispatch
        def show(x): return ("any", {0})
        @show.register
        def _(x: int): return ("int", {0})
        @show.register
        def _(x: str): return ("str", {0})
    """
    mod = project.load(
        mod=source.format(1),
        other="from mod import show\n@show.register\ndef _(x: float): return 'float'",
    )
    show = mod.show
    project.reload(mod=source.format(2))
    assert mod.show is show
    assert show(None) == ("any", 2)
    assert show(1) == ("int", 2)
    assert show("") == ("str", 2)
    assert show(1.5) == "float"


def test_handed_out_closures_and_lambdas(project: Any) -> None:
    source = """
        def adder(n):
            def add(x): return n + x + {0}
            return add
        def make(): return lambda: {0}
        KEY = lambda x: (x, {0})
        TABLE = [lambda: ("a", {0}), lambda: ("b", {0})]
    """
    mod = project.load(mod=source.format(100))
    adders = [mod.adder(n) for n in range(3)]
    made, key, (a, b) = mod.make(), mod.KEY, mod.TABLE
    project.reload(mod=source.format(200))
    assert [add(1) for add in adders] == [201, 202, 203]
    assert made() == 200
    assert key(1) == (1, 200)
    assert mod.KEY is key
    assert a() == ("a", 200)
    assert b() == ("b", 200)


def test_closure_that_lacks_a_variable_keeps_its_code_and_is_reported(project: Any) -> None:
    source = "def make(n):\n    extra = 1\n    def inner(): return {}\n    return inner"
    mod = project.load(mod=source.format("n"))
    first, second = mod.make(1), mod.make(2)
    [report] = project.reload(mod=source.format("n + extra"))
    assert (first(), second()) == (1, 2)
    assert any("inner" in text and "extra" in text for text in report.warnings)
    assert mod.make(1)() == 2


def test_function_attributes(project: Any) -> None:
    source = "def f(): return {0}\nf.limit = {1}\nf.calls = 0"
    mod = project.load(mod=source.format(1, 10))
    mod.f.calls = 7
    mod.f.note = "from outside"
    project.reload(mod=source.format(2, 20))
    assert mod.f() == 2
    assert mod.f.limit == 20
    assert mod.f.calls == 7
    assert mod.f.note == "from outside"


def test_mutable_default_is_state_of_an_unchanged_function(project: Any) -> None:
    source = "def f(x, seen=[]):\n    seen.append(x)\n    return seen\ndef g(): return {}"
    mod = project.load(mod=source.format(1))
    mod.f(1)
    project.reload(mod=source.format(2))
    assert mod.f(2) == [1, 2]


def test_default_follows_the_constant_it_is_computed_from(project: Any) -> None:
    mod = project.load(mod="LIMIT = 1\ndef f(x=LIMIT): return x")
    f = mod.f
    project.reload(mod="LIMIT = 2\ndef f(x=LIMIT): return x")
    assert f() == 2


def test_line_numbers_follow_an_edit_above(project: Any) -> None:
    mod = project.load(mod="def f(): return 1/0")
    f = mod.f
    project.reload(mod="# a comment\n\ndef f(): return 1/0")
    assert f.__code__.co_firstlineno == 3
    with pytest.raises(ZeroDivisionError) as error:
        f()
    assert error.traceback[-1].lineno == 2


def test_coroutines_and_generators_change_kind(project: Any) -> None:
    mod = project.load(mod="def f(): return 1")
    f = mod.f
    project.reload(mod="def f():\n    yield 1\n    yield 2")
    assert list(f()) == [1, 2]
    project.reload(mod="async def f(): return 3")
    with pytest.raises(StopIteration) as stop:
        f().send(None)
    assert stop.value.value == 3


def test_a_cached_function_whose_helper_changed(project: Any) -> None:
    source = """
        import functools
        def helper(x): return x + {0}
        @functools.lru_cache
        def cached(x): return helper(x)
    """
    mod = project.load(mod=source.format(1))
    cached = mod.cached
    assert cached(1) == 2
    project.reload(mod=source.format(1))
    assert cached.cache_info().currsize == 1
    project.reload(mod=source.format(2))
    assert cached(1) == mod.cached(1) == 3


def test_new_defaults_of_closures_handed_out(project: Any) -> None:
    source = """
        def make(n):
            def inner(x, y={0}, *, z={0}): return (n, x, y, z)
            return inner
    """
    mod = project.load(mod=source.format(1))
    first, second = mod.make(10), mod.make(20)
    project.reload(mod=source.format(2))
    assert first(0) == (10, 0, 2, 2)
    assert second(0) == (20, 0, 2, 2)
    project.reload(mod=source.format("None"))
    assert first(0) == (10, 0, None, None)


def test_defaults_that_only_the_maker_knows_stay(project: Any) -> None:
    source = """
        def make(n):
            def inner(x, y=n, z={0}): return (x, y, z)
            return inner
    """
    mod = project.load(mod=source.format(1))
    inner = mod.make(10)
    other = mod.make(20)
    project.reload(mod=source.format(2))
    assert (inner(0), other(0)) == ((0, 10, 2), (0, 20, 2))


def test_closures_that_never_captured_what_the_new_code_needs(project: Any) -> None:
    """They stay as they are, whole, and the report says so: nobody knows the value any more."""
    mod = project.load(
        mod="""
            def make(n, scale=3):
                def inner(x): return n + x
                return inner
        """
    )
    first, second = mod.make(10), mod.make(20)
    [report] = project.reload(
        mod="""
            def make(n, scale=3):
                def inner(x): return (n + x) * scale
                return inner
        """
    )
    assert (mod.make(1)(1)) == 6
    assert (first(1), second(1)) == (11, 21)
    assert len(report.warnings) == 2
    assert "never captured scale" in report.warnings[0]


def test_variables_and_attributes_that_a_wrapper_counts_in(project: Any) -> None:
    wrappers = """
        import functools
        def by_variable(f):
            n = 0
            @functools.wraps(f)
            def wrapper():
                nonlocal n
                n += 1
                return f(), n, {0}
            wrapper.count = lambda: n
            return wrapper
        def by_attribute(f):
            @functools.wraps(f)
            def wrapper():
                wrapper.n += 1
                return f(), wrapper.n, {0}
            wrapper.n = 0
            wrapper.version = {0}
            return wrapper
    """
    source = """
        from wrap import by_attribute, by_variable
        @by_variable
        def f(): return {0}
        @by_attribute
        def g(): return {0}
    """
    mod = project.load(mod=source.format(1), wrap=wrappers.format(1))
    f, g = mod.f, mod.g
    assert f() == g() == (1, 1, 1)
    project.reload(mod=source.format(2))
    assert f() == g() == (2, 2, 1)
    assert f.count() == 2
    project.reload(mod=source.format(3), wrap=wrappers.format(4))
    assert f() == g() == (3, 3, 4)
    assert f.count() == 3
    assert g.version == 4


def test_generic_function_that_has_answered_gains_an_implementation(project: Any) -> None:
    source = """
        from functools import singledispatch
        @singledispatch
        def show(x): return "any", {0}
        @show.register
        def _(x: int): return "int", {0}
    """
    more = "@show.register\n        def _(x: str): return 'str', 2\n    "
    mod = project.load(mod=source.format(1))
    assert mod.show("x") == ("any", 1)
    project.reload(mod=source.format(2) + "    " + more)
    assert mod.show("x") == ("str", 2)
    assert mod.show(1) == ("int", 2)
    project.reload(mod=source.format(1))
    assert mod.show("x") == ("any", 1)

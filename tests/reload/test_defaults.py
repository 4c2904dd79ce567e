"""Functions whose code says what it said: their defaults, globals, variables and annotations."""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
import typing
from typing import Any

import pytest

import gcremap

_DEFAULTS = """
{0}
def f(x=LIMIT): return x
def g(*, x=LIMIT): return x
h = lambda x=LIMIT: x
class C:
    def m(self, *, x=LIMIT, seen=[]): return x
"""


@pytest.mark.parametrize(("before", "after"), [("1", "2"), ("object()", "Missing()")])
def test_defaults_follow_what_they_are_computed_from(project: Any, before: str, after: str) -> None:
    """By position or by name, and objects as well as constants; the program's state stays."""
    head = "class Missing: pass\nLIMIT = {}"
    mod = project.load(mod=_DEFAULTS.format(head.format(before)))
    f, method = mod.f, mod.C().m
    seen = mod.C.m.__kwdefaults__["seen"]
    project.reload(mod=_DEFAULTS.format(head.format(after)))
    for call in (mod.f, mod.g, mod.h, mod.C().m, f, method):
        assert call() is mod.LIMIT
    assert mod.C.m.__kwdefaults__["seen"] is seen


def test_defaults_follow_an_import(project: Any) -> None:
    project.load(base="missing = type('Missing', (), {})()")
    user = project.load(user="from base import missing\ndef f(x=missing): return x is missing")
    f = user.f
    project.reload(
        base="class Missing: pass\nmissing = Missing()",
        user="from base import missing\ndef f(x=missing): return x is missing\nN = 1",
    )
    assert f()
    assert user.f()


def test_defaults_that_the_source_does_not_say(project: Any) -> None:
    """`__defaults__` may have more items than there are parameters (networkx)."""
    source = """
        def make(n):
            def f(*args): return (n, args)
            f.__defaults__ = (1, 2)
            return f
        table = [make(object()), make(object())]
    """
    mod = project.load(mod=source)
    f = mod.table[0]
    project.reload(mod=source.replace("(n, args)", "(n, 'new', args)"))
    assert f()[1:] == ("new", ())


_GLOBALS = """
def made(n, text="def f(): return limit"):
    namespace = {"limit": n, "__name__": __name__}
    exec(text, namespace)
    return namespace["f"]
def limited(n):
    return lambda cls: setattr(cls, "f", staticmethod(made(n))) or cls
@limited(%d)
class C:
    pass
"""


def test_functions_that_exec_has_made_follow_in_their_globals(project: Any) -> None:
    """The code is the same: what it does is said by the names that it was given (attrs)."""
    mod = project.load(mod=_GLOBALS % 1)
    f = mod.C.f
    project.reload(mod=_GLOBALS % 2)
    assert mod.C.f() == 2
    assert f() == 2


_COMPARED = """
def compared(*names):
    kept = list(names)
    def decorate(cls):
        def key(self): return tuple(getattr(self, name) for name in kept)
        cls.key = key
        return cls
    return decorate
@compared(%s)
class P:
    x, y = 1, 2
"""


def test_variables_that_say_something_of_a_definition_follow_it(project: Any) -> None:
    mod = project.load(mod=_COMPARED % "'x'")
    p = mod.P()
    key = p.key
    project.reload(mod=_COMPARED % "'x', 'y'")
    assert p.key() == key() == (1, 2)
    assert mod.P().key() == (1, 2)


_ANNOTATED = """
def f(x: int) -> int: return x
class C:
    y: int = 1
    def m(self, x: int): pass
def make():
    def inner(x: int): pass
    return inner
made = [make(), make()]
"""


def test_annotations_become_text_and_back(project: Any) -> None:
    mod = project.load(mod=_ANNOTATED)
    held = [mod.f, mod.C.m, *mod.made, mod.C]
    for head, kind in (("from __future__ import annotations\n", "int"), ("", int)):
        project.reload(mod=head + _ANNOTATED)
        found = [each.__annotations__ for each in held]
        assert {type(value) for each in found for value in each.values()} == {type(kind)}


def test_doc_that_a_decorator_has_copied(project: Any) -> None:
    source = """
        import functools
        def plain():
            '''{0}'''
        def like(other): return lambda f: functools.wraps(other)(lambda: f())
        @like(plain)
        def f(): return 1
    """
    mod = project.load(mod=source.format("one"))
    f = mod.f
    project.reload(mod=source.format("two"))
    assert mod.f.__doc__ == f.__doc__ == "two"


def test_module_that_shows_functions_as_its_own(project: Any) -> None:
    core = "def f(): return {}"
    shown = "from pkg.core import f\nf.__module__ = 'pkg'"
    mod = project.load(pkg_=shown, pkg_core=core.format(1))
    f = mod.f
    project.reload(pkg_core=core.format(2))
    assert f is mod.f or project.identity == "replace"
    assert (mod.f(), mod.f.__module__) == (2, "pkg")


_TYPED = """
import dataclasses, typing
@dataclasses.dataclass
class D:
    n: int = 1
    rows: list[int] = dataclasses.field(default_factory=list)
class N(typing.NamedTuple):
    n: int
    rows: "str" = ""
class T(typing.TypedDict):
    n: int
class P(typing.Protocol):
    n: int
    def m(self, n: int) -> str: return "{0}"
"""


@pytest.mark.parametrize("edit", [1, 2])
def test_typed_classes_whose_annotations_become_text_and_back(project: Any, edit: int) -> None:
    mod = project.load(mod=_TYPED.format(1))
    held = mod.D()

    def said(module: Any) -> list[str]:
        named = [*dataclasses.fields(module.D), *inspect.signature(module.D).parameters.values()]
        functions = [module.N.__new__, module.D.__init__, module.P.m]
        typed = [module.D, module.N, module.T, module.P, *functions]
        found = [*map(repr, named), *(repr(each.__annotations__) for each in typed)]
        return [each.replace(module.__name__, "mod") for each in found]

    for head in ("from __future__ import annotations\n", ""):
        project.reload(mod=head + _TYPED.format(edit))
        fresh = project.load(**{f"other{len(head)}": head + _TYPED.format(edit)})
        assert said(mod) == said(fresh)
        assert (typing.get_type_hints(mod.D)["n"], mod.D(2).n) == (int, 2)
        assert mod.D.__dataclass_fields__["n"].type == ("int" if head else int)
    assert isinstance(held, mod.D)


@pytest.mark.parametrize("doc", ["", "'two'"])
def test_doc_of_a_property(project: Any, doc: str) -> None:
    source = "class C:\n    @property\n    def p(self):\n        {}\n        return {}\n"
    mod = project.load(mod=source.format("'one'", 1))
    project.reload(mod=source.format(doc or "pass", 2))
    assert mod.C.p.__doc__ == (doc.strip("'") or None)
    assert mod.C().p == 2


def test_attributes_that_a_decorator_has_set_go_with_it(project: Any) -> None:
    source = """
        def marked(f): f.mark = 1; return f
        {}
        def f(): return {}
    """
    mod = project.load(mod=source.format("@marked", 1))
    f = mod.f
    project.reload(mod=source.format("", 2))
    assert (f(), mod.f(), vars(f), vars(mod.f)) == (2, 2, {}, {})


def test_annotations_and_docs_of_wrappers_stay_those_of_what_they_wrap(project: Any) -> None:
    """Nobody makes these wrappers anew; that of another function says something else."""
    source = """
        import functools
        def traced(f):
            @functools.wraps(f)
            def wrapper(*rest): return ({0}, f(*rest))
            return wrapper
        @traced
        def other(y: str): "other"
    """
    user = """
        from mod import traced
        @traced
        def f(x: int): "one"
        @traced
        def g(x: int): "two"
    """
    project.load(mod=source.format(1), user=user)
    f, g = sys.modules["user"].f, sys.modules["user"].g
    project.reload(mod=source.format(2))
    assert f(1) == g(1) == (2, None)
    assert (f.__doc__, g.__doc__) == ("one", "two")
    assert f.__annotations__ == g.__annotations__ == {"x": int}


def test_what_a_call_has_copied_of_a_function(project: Any) -> None:
    util = """
        import functools
        def renamed(name, f):
            @functools.wraps(f)
            def inner(*args, **words): return f(*args, **words)
            inner.__name__ = name
            inner.__annotations__ = f.__annotations__
            inner.__kwdefaults__ = f.__kwdefaults__
            return inner
    """
    source = """
        from util import renamed
        def new({0}): 'new {1}'; return {1}
        old = renamed("old", new)
        class C:
            def new(self, {0}): 'new {1}'; return {1}
            old = renamed("old", new)
            @staticmethod
            def new_static({0}): 'new {1}'; return {1}
            old_static = staticmethod(renamed("old_static", new_static.__func__))
    """
    mod = project.load(mod=source.format("x: int", 1), util=util)
    old = mod.old
    old.calls = 3
    for edit in (("x", 1), ("x: str, *, y=1", 2), ("x: int, *, y=2", 2), ("x: int", 3)):
        project.reload(mod=source.format(*edit))
        cls = mod.C
        static = types.SimpleNamespace(old=cls.old_static, new=cls.new_static)
        for place in (mod, cls, static):
            made, of = place.old, place.new
            assert made.__annotations__ == of.__annotations__
            assert made.__kwdefaults__ == of.__kwdefaults__
            arguments = (cls(), 0) if place is cls else (0,)
            assert (made.__doc__, made(*arguments)) == (f"new {edit[1]}", edit[1])
        assert mod.old is old
        assert old.calls == 3


def test_docs_that_a_loop_gives(project: Any) -> None:
    """trio.socket's methods have those of the standard library."""
    source = """
        class C:
            def m(self): return 1
            def n(self): "own"
        def f(): return 1
        def g(): "own"
        for each in {0}:
            each.__doc__ = "given"
    """
    mod = project.load(mod=source.format("()"))
    docs = (mod.C.m, mod.C.n, mod.f, mod.g)
    project.reload(mod=source.format("(C.m, C.n, f)"))
    assert [each.__doc__ for each in (mod.C.m, mod.C.n, mod.f, mod.g)] == [*["given"] * 3, "own"]
    mod.g.__doc__ = "set by the program"
    project.reload(mod=source.format("(C.m, C.n, f, 1)[:3]"))
    assert mod.g.__doc__ == "set by the program"
    assert project.identity == "replace" or docs == (mod.C.m, mod.C.n, mod.f, mod.g)


@pytest.mark.parametrize("state", ["keep-unchanged", "replace"])
def test_attribute_of_a_class_that_becomes_another_kind_of_value(project: Any, state: Any) -> None:
    source = """
        import enum
        class Kind{}:
            NONE = enum.auto()
        def get(it=Kind.NONE): return it
        class C:
            def get(self, *, it=Kind.NONE): return it
    """
    mod = project.load(mod=source.format("(enum.Enum)"))
    for bases in ("", "(enum.Enum)", "(enum.Flag)"):
        project.write(mod=source.format(bases))
        gcremap.Reloader(identity=project.identity, state=state).reload(mod)
        assert mod.get() is mod.C().get() is vars(mod.Kind)["NONE"]

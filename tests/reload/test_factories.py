"""Functions and classes that calls have made: `f = make(1)`."""

from __future__ import annotations

import sys
from typing import Any

import pytest

USER = """
    from mod import f
    def use(g=f): return g()
    held, table = [f], {"f": f}
"""
HEAD = """from functools import *
class Named:
    def __call__(self): return 2
def make(v):
    def f(): return v
    return f
"""


def check(project: Any, before: str, after: str) -> None:
    """What is called `f` gives 2 after the edit, wherever it is held."""
    mod = project.load(mod=before, user=USER)
    user = sys.modules["user"]
    assert [mod.f(), user.held[0]()] == [1, 1]
    project.reload(mod=after)
    everywhere = [mod.f, user.f, user.held[0], user.table["f"]]
    assert [each() for each in everywhere] == [2] * 4
    assert user.use() == 2
    assert len(set(map(id, everywhere))) == 1


FORMS = ("f = make({0})", "f = lambda: {0}", "def f(): return {0}", "f = lru_cache(make({0}))")
FORMS += ("f = partial(make({0}))", "f = lru_cache(maxsize={0})(make({0}))")


@pytest.mark.parametrize("after", FORMS)
@pytest.mark.parametrize("before", FORMS)
def test_statement_that_makes_it_says_something_else(project: Any, before: str, after: str) -> None:
    check(project, HEAD + before.format(1), HEAD + after.format(2))


MAKERS = {
    "another name": "    def g(): return 2\n    return g",
    "lambda": "    return lambda: 2",
    "cached": "    @lru_cache\n    def f(): return 2\n    return f",
    "partial": "    return partial(lambda x: x, 2)",
    "object": "    return Named()",
    "method": "    return Named().__call__",
    "body": "    def f(): return 2\n    return f",
}


@pytest.mark.parametrize("maker", MAKERS)
def test_function_that_makes_it_makes_another(project: Any, maker: str) -> None:
    after = HEAD.replace("    def f(): return v\n    return f", MAKERS[maker])
    assert after != HEAD
    check(project, HEAD + "f = make(1)\n", after + "f = make(1)\n")


def test_a_cached_function_that_a_call_has_made(project: Any) -> None:
    source = """
        from functools import lru_cache
        def helper(): return {0}
        def make():
            @lru_cache
            def f(): return {1}, helper()
            return f
        def g(): return {1}, helper()
        f = make()
        k = lru_cache(g)
        class C:
            m = staticmethod(lru_cache(g))
    """
    user = "import mod\nfrom mod import f, k\nown = mod.make()\n"
    mod = project.load(mod=source.format(1, 1), user=user)
    user_module = sys.modules["user"]
    for numbers in ((1, 1), (1, 2), (2, 2)):
        project.reload(mod=source.format(*numbers))
        for each in (mod.f, mod.k, mod.C.m, user_module.f, user_module.k, user_module.own):
            assert each() == numbers[::-1]


def test_a_function_that_the_program_has_put_there_stays(project: Any) -> None:
    source = """
        def make():
            def nothing(): return {0}
            return nothing
        default = lambda: {0}
        one, other, third = None, make(), default
    """
    mod = project.load(mod=source.format(1))
    mod.one = mod.other = mod.third = own = lambda: 7
    project.reload(mod=source.format(2).replace("nothing", "other"))
    assert mod.one is mod.other is mod.third is own


def test_a_function_that_others_have_as_well_is_no_version_of_another(project: Any) -> None:
    source = """
        known = {{}}
        def make(name):
            def f(): return name
            return known.setdefault(name, f)
        a, b = make("a"), make("b")
        f = make({!r})
    """
    mod = project.load(mod=source.format("a"))
    project.reload(mod=source.format("b"))
    assert [mod.a(), mod.b(), mod.f(), mod.known["a"]()] == ["a", "b", "b", "a"]


MEMBERS = ("m = make({0})", "m = lambda self: {0}", "def m(self): return {0}")


@pytest.mark.parametrize("after", MEMBERS)
@pytest.mark.parametrize("before", MEMBERS)
def test_method_that_a_call_has_made(project: Any, before: str, after: str) -> None:
    source = """
        def make(v):
            def f(self): return v
            return f
        class C:
            {0}
            p = property(make({1}))
    """
    mod = project.load(mod=source.format(before.format(1), 1))
    c = mod.C()
    held = [c.m, c]
    project.reload(mod=source.format(after.format(2), 2))
    assert [c.m(), c.p, held[0]()] == [2] * 3
    renamed = source.replace("f(self): return v", "g(self): return 3").replace(
        "return f", "return g"
    )
    project.reload(mod=renamed.format("m = make(2)", 2))
    project.reload(mod=renamed.format("m = make(2)", 2) + "\n")
    assert c.p == 3
    assert c.m() == 3


CLASSES = {
    "changed": "def make(v=1):\n    class Inner:\n        def m(self): return 2\n    return Inner",
    "member": (
        "def make(v=1):\n    class Inner:\n        def m(self): return self.n\n"
        "        n = 2\n    return Inner"
    ),
    "slots": (
        "def make(v=1):\n    class Inner:\n        __slots__ = ('a', '__dict__')\n"
        "        def m(self): return 2\n    return Inner"
    ),
    "name": "def make(v=1):\n    class Other:\n        def m(self): return 2\n    return Other",
    "statement": "class f:\n    def m(self): return 2\n",
}
BEFORE = "def make(v=1):\n    class Inner:\n        def m(self): return v\n    return Inner\n"


@pytest.mark.parametrize("case", CLASSES)
def test_class_that_a_call_has_made(project: Any, case: str) -> None:
    user = "from mod import f\nclass S(f): pass\nheld = [f(), S()]\n"
    call = "\nf = make()\n"
    mod = project.load(mod=BEFORE + call, user=user)
    user_module = sys.modules["user"]
    for source in (CLASSES[case], BEFORE.replace("return v", "return 2"), CLASSES[case]):
        project.reload(mod=source + call * source.startswith("def"))
        assert user_module.f is mod.f
        assert [each.m() for each in (*user_module.held, mod.f())] == [2] * 3
        assert all(isinstance(each, mod.f) for each in user_module.held)
        assert user_module.S.__bases__ == (mod.f,)
    project.reload(mod=BEFORE + "\nf = make(v=3)\n")
    assert [each.m() for each in (*user_module.held, mod.f())] == [3] * 3


def test_class_that_a_decorator_makes_a_function_of(project: Any) -> None:
    """Its methods are those of the class within, and that of instances which were made before."""
    source = """
        import functools
        def deprecated(cls):
            @functools.wraps(cls)
            def make(*rest): return cls(*rest)
            return make
        class Base:
            def __init__(self): self.n = {0}
        {1}
        class C(Base):
            def __init__(self): super().__init__()
            def m(self): return {0}
    """
    mod = project.load(mod=source.format(1, ""), user="from mod import C\nclass D(C): pass")
    user, before = sys.modules["user"], mod.C()
    project.reload(mod=source.format(2, "@deprecated"))
    assert user.C is mod.C
    assert (mod.C().n, mod.C().m()) == (2, 2)
    before.__init__()
    assert before.n == user.D().n == 2


def test_methods_of_classes_that_a_function_has_made(project: Any) -> None:
    """One of each version: which became which is not known, and `super()` is that of its own."""
    source = """
        class Base:
            def m(self): return {0}
        def make():
            class C(Base):
                def m(self): return (super().m(), {0})
            return C()
        kept = []
    """
    mod = project.load(mod=source.format(1))
    mod.kept.append(mod.make())
    project.reload(mod=source.format(2) + "    other = make()\n    ")
    assert mod.kept[0].m() == mod.other.m() == (2, 2)


def test_types_that_a_factory_was_given(project: Any) -> None:
    """A table of them is an argument, and no registry that goes on."""
    source = """
        def model(name, **fields):
            class Model:
                def __init__(self, **values):
                    for key, kind in fields.items():
                        setattr(self, key, kind(values.get(key, 0)))
                def names(self): return sorted(fields)
            Model.__name__ = Model.__qualname__ = name
            return Model
        Item = model("Item", price=float{0})
        User = model("User", age=int)
    """
    mod = project.load(mod=source.format(""))
    held, user = mod.Item(price="2"), mod.User(age="3")
    project.reload(mod=source.format(", qty=int"))
    assert type(held) is mod.Item
    assert held.names() == ["price", "qty"]
    assert vars(mod.Item(qty="4")) == {"price": 0.0, "qty": 4}
    assert user.names() == ["age"]

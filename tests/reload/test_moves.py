"""Definitions that move to another module, where the old one goes on to name them."""

from __future__ import annotations

import sys
from typing import Any

import pytest


def test_class_and_function_move_and_come_back(project: Any) -> None:
    both = """
        N = {}
        class Cart:
            rows = []
            def __init__(self): self.n = 1
            def who(self): return __name__, N
        def f(): return __name__, N
    """
    shop = project.load(
        shop=both.format(1),
        core="",
        user="from shop import Cart, f\nclass Big(Cart): pass\nH = [f]\n",
    )
    import core
    import user

    cart, big, f = shop.Cart(), user.Big(), user.f
    rows = shop.Cart.rows
    rows.append(1)
    for _ in range(2):
        project.reload(shop="from core import Cart, f\n", core=both.format(2))
        assert cart.who() == big.who() == f() == user.H[0]() == ("core", 2)
        assert type(cart) is shop.Cart is core.Cart is user.Cart is user.Big.__base__
        assert user.H[0] is shop.f is core.f
        assert core.Cart.rows is rows == [1]
        project.reload(shop=both.format(1), core="")
        assert cart.who() == big.who() == f() == user.H[0]() == ("shop", 1)
        assert type(cart) is shop.Cart is user.Cart
        assert shop.Cart.rows is rows
        assert not hasattr(core, "Cart")


def test_class_gives_way_to_one_that_was_there_and_returns(project: Any) -> None:
    source = "class C:\n    def f(self): return {}\n"
    mod = project.load(mod=source.format(1), other=source.format(2))
    import other

    mine, others = mod.C(), other.C()
    project.reload(mod="from other import C\n")
    assert mine.f() == others.f() == 2
    assert type(mine) is other.C
    project.reload(mod=source.format(1))
    assert mod.C().f() == 1
    assert others.f() == other.C().f() == 2
    assert other.C is not mod.C


def test_another_name_is_no_move(project: Any) -> None:
    mod = project.load(mod="def f(): return 1\n", other="def g(): return 2\n")
    held = mod.f
    project.reload(mod="from other import g as f\n")
    assert (held(), mod.f()) == (1, 2)


def test_module_gets_another_name(project: Any) -> None:
    source = """
        class C:
            def m(self): return {0}
        def f(): return {0}
    """
    user = """
        from {0} import C, f
        TABLE = {{C: 1}}
        made = C()
    """
    mod = project.load(mod=user.format("one"), one=source.format(1))
    instance, made, f = mod.C(), mod.made, mod.f
    (project.root / "one.py").unlink()
    project.write(two=source.format(2))
    project.reload(mod=user.format("two"))
    import two

    assert mod.C is two.C
    assert mod.TABLE == {two.C: 1}
    assert type(instance) is type(made) is two.C
    assert instance.m() == f() == 2
    assert mod.made is made


@pytest.mark.parametrize("kind", ["", "@staticmethod", "@classmethod"])
def test_method_goes_to_a_base(project: Any, kind: str) -> None:
    method = f"    {kind or 'pass'}\n    def f(*_): return {{0}}\n"
    both = "class A{1}:\n{0}    def g(self): return 1\nclass B{1}:\n    pass\n"
    mod = project.load(mod=both.format(method.format(1), ""), user="from mod import A\nf = A().f\n")
    held = mod.A().f
    base = "class Base:\n" + method.format(2)
    project.reload(mod=base + both.format("", "(Base)"))
    assert held() == sys.modules["user"].f() == mod.A().f() == mod.B().f() == 2
    assert "f" not in vars(mod.A)
    project.reload(mod=base + both.format(method.format(3), "(Base)"))
    assert mod.A().f() == 3
    assert mod.B().f() == mod.Base().f() == 2


def test_name_is_left_to_what_has_a_new_one(project: Any) -> None:
    source = """
        class {0}:
            def m(self): return {2}
        def {1}(): return {2}
    """
    user = "from mod import *\nclass S(Old): pass\nmade, held = [Old(), S()], [old, Old]\n"
    mod = project.load(mod=source.format("Old", "old", 1), user=user)
    user_module = sys.modules["user"]
    alias = "    Old, old = New, new\n"
    project.reload(mod=source.format("New", "new", 2) + alias)
    assert mod.Old is mod.New is user_module.Old is user_module.held[1]
    assert mod.new is mod.old is user_module.old is user_module.held[0]
    assert [each.m() for each in user_module.made] == [2, 2]
    assert all(isinstance(each, mod.New) for each in user_module.made)
    assert (mod.New.__name__, mod.new.__name__, mod.new()) == ("New", "new", 2)
    project.reload(mod=source.format("New", "new", 3) + alias)
    assert [each.m() for each in user_module.made] == [user_module.held[0]()] * 2 == [3, 3]


def test_name_that_is_given_to_what_was_there_is_no_move(project: Any) -> None:
    mod = project.load(mod="def f(): return 1\ndef g(): return 2\n")
    held = mod.f
    project.reload(mod="def g(): return 2\nf = g\n")
    assert (held(), mod.f()) == (1, 2)


def test_method_that_has_gone_down_to_a_subclass(project: Any) -> None:
    mod = project.load(
        mod="""
            class B:
                def f(self): return 1
                @property
                def p(self): return 1
            class C(B): pass
        """
    )
    bound, plain, c = mod.C().f, mod.C.f, mod.C()
    project.reload(
        mod="""
            class B: pass
            class C(B):
                def f(self): return 2
                @property
                def p(self): return 2
        """
    )
    assert [bound(), plain(c), c.f(), c.p] == [2] * 4
    assert not hasattr(mod.B, "f")


def test_method_that_has_gone_down_to_several_subclasses(project: Any) -> None:
    """Which one is meant is not known."""
    mod = project.load(mod="class B:\n def f(self): return 1\nclass C(B): pass\nclass D(B): pass")
    bound, c = mod.C().f, mod.C()
    project.reload(
        mod="class B: pass\nclass C(B):\n def f(self): return 2\nclass D(B):\n f = lambda self: 3"
    )
    assert (bound(), c.f(), mod.D().f()) == (1, 2, 3)


@pytest.mark.parametrize("marks", [("", ""), ("@mark", ""), ("", "@mark"), ("@mark", "@mark")])
@pytest.mark.parametrize("slots", ["pass", "__slots__ = ('__weakref__',)"])
def test_class_that_its_package_shows_as_its_own(
    project: Any, slots: str, marks: tuple[str, str]
) -> None:
    """anyio's, httpx's and trio's packages say so of what is in their modules."""
    core = """
        import base
        def mark(cls): return cls
        {2}
        class C:
            {1}
            rows = []
            def m(self): return {0}
        def f(): return {0}
    """
    shown = """
        from .core import C, f
        for value in list(locals().values()):
            if getattr(value, "__module__", "").startswith("pkg."):
                value.__module__ = __name__
    """
    pkg = project.load(pkg_=shown, pkg_core=core.format(1, "gone = 1", marks[0]), base="")
    made = pkg.C()
    pkg.C.rows.append("x")
    for names in (["pkg.core"], ["pkg.core", "pkg"]):
        project.reload(*names, pkg_core=core.format(2, slots, marks[1]))
        assert (type(made), made.m(), pkg.C.rows) == (pkg.C, 2, ["x"])
        assert not hasattr(pkg.C, "gone")
        assert (pkg.C.__module__, pkg.f.__module__) == ("pkg", "pkg")
        assert (pkg.C().m(), pkg.f()) == (2, 2)


def test_function_says_where_it_has_come_to(project: Any) -> None:
    source = "def f(): return {}\n"
    project.load(b="from a import f\n", a=source.format(1))
    import a
    import b

    held = [b.f]
    project.reload(a="from b import f\n", b=source.format(2))
    assert (a.f(), a.f.__module__, held) == (2, "b", [b.f])
    project.reload(a=source.format(3), b="from a import f\n")
    assert (b.f(), b.f.__module__, held) == (3, "a", [a.f])

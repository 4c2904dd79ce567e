"""Definitions that move to another module, where the old one goes on to name them."""

from __future__ import annotations

from typing import Any


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

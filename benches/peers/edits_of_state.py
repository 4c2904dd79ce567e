"""Edits of hashes, of state, of several modules, edits that fail, and what is out of reach."""

from __future__ import annotations

import gc

from program import Program, out_of_reach, scenario

# Hashes.


@scenario
def hash_changes(program: Program) -> None:
    """Keys of a dict and a set, whose class gets another `__hash__`"""
    source = """
        class Key:
            def __init__(self, n): self.n = n
            def __eq__(self, other): return self.n == other.n
            def __hash__(self): return hash({})
    """
    shop = program.load(shop=source.format("self.n"))
    key = shop.Key(1)
    table, members = {key: "one"}, {key}
    program.edit(shop=source.format("('key', self.n)"))
    assert hash(key) == hash(("key", 1))
    assert table[key] == table[shop.Key(1)] == "one"
    assert shop.Key(1) in members


@scenario
def frozen_dataclass_keys(program: Program) -> None:
    """Instances of a frozen dataclass as keys, alone, in tuples and in frozensets"""
    source = """
        from dataclasses import dataclass
        @dataclass(frozen=True)
        class Point:
            x: int
            {}
            def norm(self): return {}
    """
    shop = program.load(shop=source.format("", 1))
    point = shop.Point(1)
    table = {point: 1, (point, "a"): 2, frozenset([point]): 3}
    program.edit(shop=source.format("y: int = 0", 2))
    fresh = shop.Point(1)
    assert (table[fresh], table[fresh, "a"], table[frozenset([fresh])]) == (1, 2, 3)
    assert (point.norm(), point.y) == (2, 0)


@scenario
def keys_become_equal(program: Program) -> None:
    """Two keys of a dict that are equal by the new `__eq__`"""
    source = """
        class Key:
            def __init__(self, n): self.n = n
            def __eq__(self, other): return self.n {0} == other.n {0}
            def __hash__(self): return hash(self.n {0})
    """
    shop = program.load(shop=source.format(""))
    table = {shop.Key(1): "one", shop.Key(3): "three"}
    program.edit(shop=source.format("% 2"))
    assert len(table) == 1
    assert table[shop.Key(5)] in ("one", "three")


# State.


@scenario
def state_stays(program: Program) -> None:
    """A cache whose line is as it was keeps its content; a changed constant is taken"""
    source = "cache = {{}}\nLIMIT = {0}\ndef limit(): return LIMIT\n"
    shop = program.load(shop=source.format(1))
    cache = shop.cache
    cache["warm"] = True
    program.edit(shop=source.format(2))
    assert shop.cache is cache
    assert cache == {"warm": True}
    assert shop.limit() == 2


@scenario
def constant_by_name(program: Program) -> None:
    """A constant that another module imported by name"""
    source = "LIMIT = {}\n"
    program.load(
        config=source.format(30), user="from app.config import LIMIT\ndef limit(): return LIMIT\n"
    )
    program.edit(config=source.format(60))
    assert program.module("user").limit() == 60


@scenario
def list_by_name(program: Program) -> None:
    """A list that another module imported by name, and that is written anew"""
    source = "ITEMS = {}\n"
    config = program.load(
        config=source.format([1]),
        user="from app.config import ITEMS\nfrom app import config\n"
        "class Menu:\n    items = config.ITEMS\n",
    )
    program.edit(config=source.format([1, 2]))
    user = program.module("user")
    assert user.ITEMS == user.Menu.items == config.ITEMS == [1, 2]


@scenario
def name_gone(program: Program) -> None:
    """A name that is deleted from the source, beside one that the program added"""
    shop = program.load(shop="def old(): pass\ndef f(): return 1\n")
    shop.added = "by the program"
    program.edit(shop="def f(): return 2\n")
    assert not hasattr(shop, "old")
    assert (shop.f(), shop.added) == (2, "by the program")


@scenario
def registered_once(program: Program) -> None:
    """A handler that registers itself in another module is there once, and new"""
    source = "from app import registry\n@registry.register\ndef handler(): return {}\n"
    program.load(
        registry="handlers = []\ndef register(f):\n    handlers.append(f)\n    return f\n",
        shop=source.format(1),
    )
    program.edit(shop=source.format(2))
    assert [each() for each in program.module("registry").handlers] == [2]


# Several modules, and edits that fail.


@scenario
def order_of_modules(program: Program) -> None:
    """Two modules are edited, and the one that imports is named first"""
    base = "class Base:\n    v = {}\n"
    user = "from app.base import Base\nclass Sub(Base):\n    w = {}\n"
    program.load(base=base.format(1), user=user.format(1))
    module = program.module("user")
    sub = module.Sub()
    program.edit(user=user.format(2), base=base.format(2))
    assert (sub.v, sub.w) == (module.Sub.v, module.Sub.w) == (2, 2)
    assert module.Sub.__bases__ == (program.module("base").Base,)


@scenario
def relative_import(program: Program) -> None:
    """A submodule from which a sibling imported, relatively"""
    source = "def f(): return {}\n"
    program.load(core=source.format(1), user="from .core import f\ndef use(): return f()\n")
    program.edit(core=source.format(2))
    assert program.module("user").use() == 2


@scenario
def failure_leaves_the_program(program: Program) -> None:
    """An edit that raises half-way changes nothing; the next one is taken"""
    source = "LIMIT = {0}\ndef f(): return {0}\nclass C:\n    v = {0}\n{1}\n"
    shop = program.load(shop=source.format(1, ""))
    f, c = shop.f, shop.C()
    program.edit_badly(shop=source.format(2, "1 / 0"))
    assert (shop.LIMIT, shop.f(), f(), c.v, shop.C.v) == (1, 1, 1, 1, 1)
    program.edit(shop=source.format(3, ""))
    assert (shop.LIMIT, shop.f(), c.v) == (3, 3, 3)


@scenario
def all_or_nothing(program: Program) -> None:
    """Of two modules edited together the second fails: the first stays as it was"""
    lib, user = "def f(): return {}\n", "from app.lib import f\nN = {}\n{}\n"
    program.load(lib=lib.format(1), user=user.format(1, ""))
    program.edit_badly(lib=lib.format(2), user=user.format(2, "1 / 0"))
    assert program.module("lib").f() == program.module("user").f() == 1
    program.edit(lib=lib.format(3), user=user.format(3, ""))
    assert (program.module("user").f(), program.module("user").N) == (3, 3)


@scenario
def no_growth(program: Program) -> None:
    """Thirty reloads leave one class, and no more objects than three did"""
    source = "class Basket:\n    v = {0}\n    def m(self): return {0}\ndef f(): return {0}\n"
    shop = program.load(shop=source.format(0))
    basket = shop.Basket()
    counts = []
    for version in range(1, 31):
        program.edit(shop=source.format(version))
        gc.collect()
        counts.append(len(gc.get_objects()))
    assert basket.v == shop.Basket.v == 30
    assert [each.__name__ for each in object.__subclasses__()].count("Basket") == 1
    assert counts[-1] - counts[2] < 27


# Where reloading ends.


@out_of_reach
def init_of_old_instances(program: Program) -> None:
    """An old instance has the attribute that only the new `__init__` sets"""
    source = "class Cart:\n    def __init__(self):\n        self.a = 1\n        {}\n"
    shop = program.load(shop=source.format("pass"))
    cart = shop.Cart()
    program.edit(shop=source.format("self.b = 2"))
    assert cart.b == 2


@out_of_reach
def code_in_the_middle(program: Program) -> None:
    """A loop that a generator is in goes on with the new code"""
    source = "def serve():\n    while True:\n        yield {}\n"
    shop = program.load(shop=source.format(1))
    serving = shop.serve()
    assert next(serving) == 1
    program.edit(shop=source.format(2))
    assert next(serving) == 2

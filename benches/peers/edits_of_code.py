"""Edits of functions and classes.

A scenario is given a `Program`: it loads modules, edits them, and asserts what must be true. Its
docstring is its line in the table. What is looked at is held where programs hold it: in
modules, containers, instances, closures.
"""

from __future__ import annotations

import gc

from program import Program, scenario

# Functions.


@scenario
def called_by_module(program: Program) -> None:
    """A function that another module calls as `shop.price()`"""
    source = "def price(): return {}\n"
    program.load(
        shop=source.format(1), user="from app import shop\ndef bill(): return shop.price()\n"
    )
    program.edit(shop=source.format(2))
    assert program.module("user").bill() == 2


@scenario
def imported_by_name(program: Program) -> None:
    """A function that another module imported by name"""
    source = "def price(): return {}\n"
    program.load(
        shop=source.format(1), user="from app.shop import price\ndef bill(): return price()\n"
    )
    program.edit(shop=source.format(2))
    assert program.module("user").bill() == 2


@scenario
def callbacks(program: Program) -> None:
    """A bound method, a partial and a key of a dict, kept as callbacks"""
    source = "class Shop:\n    def open(self, n=0): return {0}\ndef close(n): return {0}\n"
    shop = program.load(
        shop=source.format(1),
        user="from functools import partial\nfrom app import shop\n"
        "kept = [shop.Shop().open, partial(shop.close, 0)]\n"
        "table = {shop.close: 'closed'}\n",
    )
    program.edit(shop=source.format(2))
    user = program.module("user")
    assert [each() for each in user.kept] == [2, 2]
    assert user.table[shop.close] == "closed"


@scenario
def default_elsewhere(program: Program) -> None:
    """A function that is the default argument of another module's"""
    source = "def price(): return {}\n"
    program.load(
        shop=source.format(1),
        user="from app import shop\ndef bill(using=shop.price): return using()\n",
    )
    program.edit(shop=source.format(2))
    assert program.module("user").bill() == 2


@scenario
def decorated(program: Program) -> None:
    """A decorated function that is held elsewhere, and a decorator that changes"""
    source = """
        import functools
        def logged(function):
            @functools.wraps(function)
            def wrapper():
                return ({0}, function())
            return wrapper
        @logged
        def price():
            return {0}
    """
    shop = program.load(shop=source.format(1))
    kept = {"price": shop.price}
    program.edit(shop=source.format(2))
    assert kept["price"]() == shop.price() == (2, 2)


@scenario
def closure_of_another_shape(program: Program) -> None:
    """A closure that has another number of free variables now"""
    source = "def make():\n    {0}\n    def inner(): return {1}\n    return inner\nkept = make()\n"
    shop = program.load(shop=source.format("a = 1", "a"), user="from app.shop import kept\n")
    program.edit(shop=source.format("b, c = 1, 2", "b + c"))
    assert program.module("user").kept() == shop.kept() == 3


@scenario
def from_function_to_class(program: Program) -> None:
    """A function that becomes a class"""
    program.load(
        shop="def cart(): return 'function'\n",
        user="from app.shop import cart\ndef use(): return cart()\n",
    )
    program.edit(shop="class cart: pass\n")
    assert isinstance(program.module("user").cart, type)
    assert type(program.module("user").use()).__name__ == "cart"


# Classes and their instances.


@scenario
def living_instance(program: Program) -> None:
    """Methods, properties and class attributes of a living instance"""
    source = """
        class Cart:
            tax = {0}
            @property
            def size(self): return {0}
            @classmethod
            def kind(cls): return {0}
            def total(self): return {0}
    """
    shop = program.load(shop=source.format(1))
    cart = shop.Cart()
    program.edit(shop=source.format(2))
    assert (cart.tax, cart.size, cart.kind(), cart.total()) == (2, 2, 2, 2)
    assert type(cart) is shop.Cart


@scenario
def member_gone(program: Program) -> None:
    """A method that is deleted, where a base has one of that name"""
    source = "class A:\n    def m(self): return 'A'\nclass B(A):\n    {}\n"
    shop = program.load(shop=source.format("def m(self): return 'B'"))
    b = shop.B()
    program.edit(shop=source.format("pass"))
    assert b.m() == "A"


@scenario
def subclass_elsewhere(program: Program) -> None:
    """A subclass in another module, by `super()` and by the name of the base"""
    source = "class Base:\n    def m(self): return {}\n"
    shop = program.load(
        shop=source.format(1),
        user="from app import shop\nclass Sub(shop.Base):\n"
        "    def m(self): return (super().m(), shop.Base.m(self))\n",
    )
    user = program.module("user")
    sub = user.Sub()
    program.edit(shop=source.format(2))
    assert sub.m() == (2, 2)
    assert user.Sub.__bases__ == (shop.Base,)


@scenario
def another_base(program: Program) -> None:
    """A class that gets another base"""
    source = "class A:\n    v = 'A'\nclass B:\n    v = 'B'\nclass C({}): pass\n"
    shop = program.load(shop=source.format("A"))
    c = shop.C()
    program.edit(shop=source.format("B"))
    assert c.v == "B"
    assert isinstance(c, shop.B)
    assert not isinstance(c, shop.A)


@scenario
def another_metaclass(program: Program) -> None:
    """A class that gets another metaclass"""
    source = """
        class Meta(type):
            def __len__(cls): return 7
        class Cart({}): pass
    """
    shop = program.load(shop=source.format(""), user="from app.shop import Cart\n")
    cart = shop.Cart()
    program.edit(shop=source.format("metaclass=Meta"))
    assert len(program.module("user").Cart) == len(type(cart)) == 7
    assert isinstance(cart, shop.Cart)


@scenario
def slot_added(program: Program) -> None:
    """An entry is added to `__slots__`"""
    source = "class Cart:\n    __slots__ = ({})\n    def __init__(self): self.a = 1\n"
    shop = program.load(shop=source.format("'a',"))
    carts = [shop.Cart()]
    program.edit(shop=source.format("'a', 'b'"))
    carts[0].b = 2
    assert (carts[0].a, carts[0].b) == (1, 2)
    assert isinstance(carts[0], shop.Cart)


@scenario
def slot_removed(program: Program) -> None:
    """An entry is removed from `__slots__`"""
    source = "class Cart:\n    __slots__ = ({})\n    def __init__(self): self.a = 1\n"
    shop = program.load(shop=source.format("'z', 'a'"))
    carts = [shop.Cart()]
    program.edit(shop=source.format("'a',"))
    assert carts[0].a == 1
    assert isinstance(carts[0], shop.Cart)
    assert not hasattr(type(carts[0]), "z")


@scenario
def slots_to_dict(program: Program) -> None:
    """`__slots__` goes: instances get a `__dict__`"""
    source = "class Cart:\n    {}\n    def __init__(self): self.a = 1\n"
    shop = program.load(shop=source.format("__slots__ = ('a',)"))
    carts = [shop.Cart()]
    program.edit(shop=source.format("pass"))
    carts[0].b = 2
    assert vars(carts[0]) == {"a": 1, "b": 2}


@scenario
def enum_members(program: Program) -> None:
    """Members of an Enum that are held elsewhere stay the members"""
    source = """
        import enum
        class Colour(enum.Enum):
            RED = 1
            {}
            def shout(self): return self.name + "{}"
    """
    shop = program.load(
        shop=source.format("", "?"), user="from app.shop import Colour\nRED = Colour.RED\n"
    )
    table = {shop.Colour.RED: "paint"}
    program.edit(shop=source.format("BLUE = 2", "!"))
    user = program.module("user")
    assert user.RED is shop.Colour.RED is shop.Colour(1)
    assert user.RED.shout() == "RED!"
    assert table[shop.Colour.RED] == "paint"
    assert len(user.Colour) == 2


@scenario
def property_held(program: Program) -> None:
    """A property object that is held elsewhere"""
    source = "class Cart:\n    @property\n    def size(self): return {}\n"
    shop = program.load(shop=source.format(1))
    columns = {"size": shop.Cart.__dict__["size"]}
    program.edit(shop=source.format(2))
    assert columns["size"].__get__(shop.Cart()) == 2


@scenario
def exceptions_caught_elsewhere(program: Program) -> None:
    """`except` in another module catches what the new code raises"""
    source = "class Oops(Exception): pass\ndef fail(): raise Oops({})\n"
    program.load(
        shop=source.format(1),
        user="from app import shop\nfrom app.shop import Oops\ndef use():\n"
        "    try: shop.fail()\n    except Oops as oops: return oops.args\n",
    )
    program.edit(shop=source.format(2))
    assert program.module("user").use() == (2,)


@scenario
def abstract_cache(program: Program) -> None:
    """An ABC that said no to a class says yes once it has the method"""
    source = "class Cart:\n    def {}(self): pass\n"
    shop = program.load(
        shop=source.format("nothing"),
        user="from collections.abc import Sized\nasked = []\n"
        "def ask(x):\n    asked.append(isinstance(x, Sized))\n    return asked[-1]\n",
    )
    user = program.module("user")
    cart = shop.Cart()
    assert not user.ask(cart)
    program.edit(shop=source.format("__len__"))
    assert user.ask(cart)
    assert user.ask(shop.Cart())


@scenario
def generic_function(program: Program) -> None:
    """A generic function that another module registered for a class"""
    source = "class Cart:\n    def total(self): return {}\n"
    shop = program.load(
        shop=source.format(1),
        user="import functools\nfrom app import shop\n"
        "@functools.singledispatch\ndef show(x): return 'unknown'\n"
        "@show.register\ndef _(x: shop.Cart): return x.total()\n",
    )
    user = program.module("user")
    cart = shop.Cart()
    assert user.show(cart) == 1
    program.edit(shop=source.format(2))
    assert user.show(cart) == user.show(shop.Cart()) == 2


@scenario
def suspended_generator(program: Program) -> None:
    """A suspended generator has the class in a local variable"""
    source = "class Cart:\n    def total(self): return {}\n"
    shop = program.load(
        shop=source.format(1),
        user="def serve(cls):\n    while True: yield cls().total(), cls\n",
    )
    serving = program.module("user").serve(shop.Cart)
    assert next(serving)[0] == 1
    program.edit(shop=source.format(2))
    total, cls = next(serving)
    assert total == 2
    assert cls is shop.Cart


@scenario
def weak_registry(program: Program) -> None:
    """A WeakSet and a WeakKeyDictionary that know a class"""
    source = "class Cart:\n    v = {}\n"
    shop = program.load(
        shop=source.format(1),
        user="import weakref\nfrom app import shop\nknown = weakref.WeakSet([shop.Cart])\n"
        "names = weakref.WeakKeyDictionary({shop.Cart: 'cart'})\n",
    )
    program.edit(shop=source.format(2))
    gc.collect()
    user = program.module("user")
    assert [cls.v for cls in user.known] == [2]
    assert user.names[shop.Cart] == "cart"

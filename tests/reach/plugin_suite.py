"""A suite as users of the plugin write it: test_testing.py runs it in a process of its own.

The tests stand in order: each second one sees that the first has left nothing behind.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import gcremap

SHOP = """
LIMIT = 300
def price(item, factor=2):
    return item * factor
class Cart:
    def total(self):
        return price(21)
"""
TILL = """
from shop import LIMIT, Cart, price
handlers = {"sale": price}
def default(item, using=price):
    return using(item)
def closed_over(f):
    return lambda item: f(item)
closure = closed_over(price)
def limit():
    return LIMIT
cart = Cart()
class Basket(Cart):
    pass
"""
FOLDER = tempfile.TemporaryDirectory()
sys.path.insert(0, FOLDER.name)
Path(FOLDER.name, "shop.py").write_text(SHOP)
Path(FOLDER.name, "till.py").write_text(TILL)
till: Any = importlib.import_module("till")
shop: Any = importlib.import_module("shop")
job = partial(till.price, 21)
ORIGINAL = weakref.ref(shop.price)


def ways() -> list[Any]:
    return [
        shop.price(21),
        till.price(21),
        till.handlers["sale"](21),
        till.default(21),
        till.closure(21),
        job(),
        till.cart.total(),
    ]


@pytest.fixture(autouse=True)
def around(replace_everywhere: Any) -> Iterator[None]:
    """Another fixture may use it, and is still replaced when the test begins."""
    replace_everywhere("shop:LIMIT", 1)
    yield
    assert till.limit() == 1


def test_function(replace_everywhere: Any) -> None:
    def fake(item: int, factor: int = 0) -> str:
        return "fake"

    assert replace_everywhere(shop.price, fake) is fake
    assert ways() == ["fake"] * 7
    assert shop.price is till.price is fake


def test_function_is_back() -> None:
    assert ways() == [42] * 7
    assert shop.price is till.price is ORIGINAL()


def test_twice(replace_everywhere: Any) -> None:
    replace_everywhere(shop.price, lambda item, factor=0: "first")
    replace_everywhere(shop.price, lambda item, factor=0: "second")
    assert ways() == ["second"] * 7


def test_twice_is_back() -> None:
    assert ways() == [42] * 7


def wrapper(function: Any) -> Any:
    return lambda item: function(item) + 1


def test_replacement_calls_what_it_stands_for(replace_everywhere: Any) -> None:
    replace_everywhere(shop.price, wrapper(shop.price))
    assert ways() == [43] * 7


def test_wrapped_is_back() -> None:
    assert ways() == [42] * 7


def test_class_and_its_instances(replace_everywhere: Any) -> None:
    class Fake(shop.Cart):
        def total(self) -> str:
            return "fake " + str(super().total())

    replace_everywhere(shop.Cart, Fake)
    assert till.Cart is shop.Cart is Fake
    assert till.cart.total() == till.Basket().total() == "fake 42"


def test_class_is_back() -> None:
    assert till.Cart is shop.Cart
    assert till.Cart.__name__ == "Cart"
    assert till.Basket.__bases__ == (till.Cart,)
    assert type(till.cart) is till.Cart
    assert till.cart.total() == till.Basket().total() == 42


def test_exclude(replace_everywhere: Any) -> None:
    replace_everywhere(shop.price, lambda item: "fake", exclude=[till.handlers])
    assert till.handlers["sale"](21) == 42
    assert till.price(21) == "fake"


def test_what_is_refused_raises_and_changes_nothing(replace_everywhere: Any) -> None:
    with pytest.raises(gcremap.RemapError):
        replace_everywhere(None, "nothing")
    with pytest.raises(ValueError, match="a target is written 'module:name'"):
        replace_everywhere("shop.price", 1)
    assert ways() == [42] * 7


def test_failing_test(replace_everywhere: Any) -> None:
    replace_everywhere(shop.price, lambda item, factor=0: "fake")
    assert ways() == []  # this one is to fail


def test_is_back_after_a_failure() -> None:
    assert ways() == [42] * 7

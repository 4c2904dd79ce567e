"""Promise 5, classes: what remembers a class or a function and must forget."""

from __future__ import annotations

import abc
import builtins
import collections.abc
import dataclasses
import enum
import functools
import sys
import types
import typing
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import gcremap
from apart import run_apart

WARM = 5000
"""Calls after which every version's interpreter has specialised a loop."""


def make(name: str = "Class", bases: tuple[type, ...] = (), **namespace: Any) -> Any:
    return type(name, bases, {"hello": lambda self: name, **namespace})


# ---- abstract base classes ----


def test_a_registered_class() -> None:
    class Abstract(metaclass=abc.ABCMeta):  # noqa: B024
        pass

    old, new, other = make("old"), make("new"), make("other")
    Abstract.register(old)
    instance = old()
    assert isinstance(instance, Abstract)
    assert not issubclass(new, Abstract)
    assert not issubclass(other, Abstract)
    gcremap.remap([(old, new)], frames=False)
    # The registration outlives the cached "no" of new.
    assert issubclass(new, Abstract)
    assert isinstance(instance, Abstract)
    assert issubclass(make("sub", (new,)), Abstract)
    assert not issubclass(other, Abstract)


def test_a_cached_yes_that_is_no_longer_true() -> None:
    class Abstract(metaclass=abc.ABCMeta):  # noqa: B024
        pass

    old, new = make("old", (Abstract,)), make("new")
    sub = make("sub", (old,))
    assert issubclass(sub, Abstract)
    assert issubclass(old, Abstract)
    gcremap.remap([(old, new)], frames=False)
    assert not issubclass(sub, Abstract)
    assert not isinstance(sub(), Abstract)


def test_a_cached_no_that_is_no_longer_true() -> None:
    class Abstract(metaclass=abc.ABCMeta):  # noqa: B024
        pass

    old, new = make("old"), make("new", (Abstract,))
    sub = abc.ABCMeta("sub", (old,), {})
    assert not issubclass(sub, Abstract)
    assert not isinstance(old(), Abstract)
    gcremap.remap([(old, new)], frames=False)
    assert issubclass(sub, Abstract)
    assert isinstance(sub(), Abstract)


def test_an_abstract_class_that_is_replaced() -> None:
    class Old(metaclass=abc.ABCMeta):  # noqa: B024
        pass

    class New(metaclass=abc.ABCMeta):  # noqa: B024
        pass

    registered, sub = make("registered"), abc.ABCMeta("sub", (Old,), {})
    Old.register(registered)
    holder = [Old]
    gcremap.remap([(Old, New)], frames=False)
    assert issubclass(sub, holder[0])
    assert holder[0] is New
    assert sub.__bases__ == (New,)
    # What was registered with old stays with it: nobody registered it with new.
    assert issubclass(registered, Old)


def test_structural_checks_are_made_again() -> None:
    old = make("old", __iter__=lambda self: iter(()))
    new = make("new")
    sub = make("sub", (old,))
    assert isinstance(sub(), collections.abc.Iterable)
    gcremap.remap([(old, new)], frames=False)
    assert not isinstance(sub(), collections.abc.Iterable)
    assert not issubclass(sub, collections.abc.Iterable)


# ---- dispatch ----


def test_single_dispatch_follows() -> None:
    old, new, other = make("old"), make("new"), make("other")
    sub = make("sub", (old,))

    @functools.singledispatch
    def f(value: object) -> str:
        return "default"

    f.register(old, lambda value: "registered")
    instance = old()
    assert [f(x) for x in (instance, sub(), new(), other())] == [
        "registered",
        "registered",
        "default",
        "default",
    ]
    gcremap.remap([(old, new)], frames=False)
    assert [f(x) for x in (instance, sub(), new(), other())] == [
        "registered",
        "registered",
        "registered",
        "default",
    ]
    assert f.registry[new](None) == "registered"
    assert f.dispatch(new) is f.registry[new]


def test_single_dispatch_to_a_replaced_function() -> None:
    def old(value: object) -> str:
        return "old"

    def new(value: object) -> str:
        return "new"

    class_ = make()
    f = functools.singledispatch(lambda value: "default")
    f.register(class_, old)
    assert f(class_()) == "old"
    gcremap.remap([(old, new)], frames=False)
    assert f(class_()) == "new"
    assert f(make("sub", (class_,))()) == "new"


def test_single_dispatch_after_a_base_changed() -> None:
    """Neither the class that is registered nor the one that is asked for is mapped."""
    registered = make("registered")
    old, new = make("old", (registered,)), make("new")
    sub = make("sub", (old,))
    f = functools.singledispatch(lambda value: "default")
    f.register(registered, lambda value: "registered")
    assert f(sub()) == "registered"
    gcremap.remap([(old, new)], frames=False)
    assert f(sub()) == "default"


def test_typing_aliases_follow() -> None:
    old, new = make("old"), make("new")
    aliases: list[Any] = [
        typing.List[old],  # noqa: UP006
        typing.Optional[old],  # noqa: UP045
        dict[str, list[old]],
        old | None,
        typing.Callable[[old], old],
        typing.Annotated[old, "x"],
        type[old],
    ]
    gcremap.remap([(old, new)], frames=False)
    assert aliases == [
        typing.List[new],  # noqa: UP006
        typing.Optional[new],  # noqa: UP045
        dict[str, list[new]],
        new | None,
        typing.Callable[[new], new],
        typing.Annotated[new, "x"],
        type[new],
    ]
    # Optional and | None are two ways to say the same.
    assert len(set(aliases)) == len(aliases) - 1
    assert isinstance(new(), aliases[3])


def test_dataclasses_and_enums() -> None:
    @dataclasses.dataclass
    class Old:
        a: int = 1

    @dataclasses.dataclass
    class New:
        a: int = 1

    class OldColour(enum.Enum):
        RED = 1

    class NewColour(enum.Enum):
        RED = 1

    instance, table = Old(5), {OldColour.RED: 1}
    pairs = [(Old, New), (OldColour, NewColour), (OldColour.RED, NewColour.RED)]
    exclude = [OldColour, NewColour]
    gcremap.remap(pairs, frames=False, exclude=exclude)
    assert instance == New(5)
    assert table[NewColour.RED] == 1
    assert NewColour(1) is NewColour.RED


# ---- warm code ----


def loop(call: Callable[[], Any], expected: Any) -> None:
    for _ in range(WARM):
        assert call() == expected


def function_of(text: str, arguments: str = "", **names: Any) -> Any:
    """A function of its own code, so that its specialisation is its own."""
    namespace = dict(names)
    exec(f"def call({arguments}):\n    return {text}", namespace)
    return namespace["call"]


WARM_USES = {
    "method": "x.hello()",
    "attribute of the class": "x.value",
    "class attribute": "c.value",
    "type": "type(x).value",
    "call of the class": "c().hello()",
    "property": "x.prop",
    "length": "len(x)",
    "subscript": "x[0]",
    "addition": "x + 1",
    "comparison": "x < 1",
    "truth": "1 if x else 2",
    "iteration": "[i for i in x]",
    "membership": "1 in x",
    "attribute by __getattr__": "x.whatever",
    "isinstance": "isinstance(x, n)",
    "class method": "x.cm()",
    "instance attribute": "x.own",
}


def rich(name: str, number: int, base: type = object) -> Any:
    def init(self: Any) -> None:
        self.own = 5

    return make(
        name,
        (base,),
        __init__=init,
        value=number,
        prop=property(lambda self: number),
        __len__=lambda self: number,
        __getitem__=lambda self, i: number,
        __add__=lambda self, other: number,
        __lt__=lambda self, other: number == 1,
        __bool__=lambda self: number == 1,
        __iter__=lambda self: iter([number]),
        __contains__=lambda self, item: number == 1,
        __getattr__=lambda self, attribute: number,
        cm=classmethod(lambda cls: number),
    )


@pytest.mark.parametrize("text", WARM_USES.values(), ids=WARM_USES)
@pytest.mark.parametrize("through", ["the class", "a base"])
def test_a_warm_loop_sees_another_class(text: str, through: str) -> None:
    old, new = rich("old", 1), rich("new", 2)
    used = old if through == "the class" else type("sub", (old,), {})
    call = function_of(text, x=used(), c=used, n=new)
    fresh_class = new if through == "the class" else type("sub", (new,), {})
    expected = function_of(text, x=fresh_class(), c=fresh_class, n=new)()
    loop(call, call())
    before = call()
    report = gcremap.remap([(old, new)], frames=False)
    loop(call, expected)
    report.undo()
    if "c" not in text and "n)" not in text:
        loop(call, before)


@pytest.mark.parametrize(
    "wrap", [lambda f: f, staticmethod, classmethod, functools.cached_property], ids=str
)
def test_a_warm_loop_sees_another_function_in_a_class(wrap: Any) -> None:
    def old(*args: Any) -> str:
        return "old"

    def new(*args: Any) -> str:
        return "new"

    class_ = make(f=wrap(old))
    call = function_of("c().f" if wrap is functools.cached_property else "c().f()", c=class_)
    loop(call, "old")
    gcremap.remap([(old, new)], frames=False)
    loop(call, "new")


def test_a_warm_loop_sees_another_module_attribute() -> None:
    module = types.ModuleType("module")
    old, new = make("old"), make("new")
    module.thing = old  # type: ignore[attr-defined]
    call = function_of("m.thing.__name__", m=module)
    loop(call, "old")
    gcremap.remap([(old, new)], frames=False)
    loop(call, "new")


def test_a_warm_loop_sees_another_builtin() -> None:
    def old() -> str:
        return "old"

    def new() -> str:
        return "new"

    builtins.gcremap_test_name = old  # type: ignore[attr-defined]
    try:
        call = function_of("gcremap_test_name()")
        loop(call, "old")
        gcremap.remap([(old, new)], frames=False)
        loop(call, "new")
    finally:
        del builtins.gcremap_test_name  # type: ignore[attr-defined]


@pytest.mark.parametrize("part", ["__code__", "__defaults__", "__kwdefaults__"])
def test_a_warm_loop_sees_another_part_of_a_function(part: str) -> None:
    # Compiled for each, as its code is a constant of the code around it.
    old, new = (
        function_of(f"(a, b, {code!r})", arguments="a=code, *, b=code", code=code)
        for code in ("old", "new")
    )
    call = function_of("f()", f=old)
    loop(call, ("old", "old", "old"))
    parts = [(getattr(old, part), getattr(new, part))]
    gcremap.remap(parts, frames=False)
    expected = {
        "__code__": ("old", "old", "new"),
        "__defaults__": ("new", "old", "old"),
        "__kwdefaults__": ("old", "new", "old"),
    }
    loop(call, expected[part])


def test_a_warm_loop_that_is_running() -> None:
    """The remap happens in the middle of the loop, whose next iteration sees it."""
    old, new = rich("old", 1), rich("new", 2)
    holder = [old()]
    seen = []
    for number in range(2 * WARM):
        if number == WARM:
            gcremap.remap([(old, new)], exclude=[seen])
        seen.append(holder[0].value)
    assert seen == [1] * WARM + [2] * WARM


def test_super_in_a_warm_loop() -> None:
    class Old:
        def who(self) -> str:
            return "old"

    class New:
        def who(self) -> str:
            return "new"

    class Sub(Old):
        def who(self) -> str:
            return "sub of " + super().who()

    instance = Sub()
    loop(instance.who, "sub of old")
    gcremap.remap([(Old, New)], frames=False)
    loop(instance.who, "sub of new")


def test_the_old_class_dies() -> None:
    made: list[Any] = []
    died: list[int] = []

    def work() -> None:
        old = make("old")
        made.extend([old(), type("sub", (old,), {})])
        weakref.finalize(old, died.append, 1)
        gcremap.remap([(old, make("new"))], weakrefs=False)

    run_apart(work)
    instance, sub = made
    assert died == [1]
    assert instance.hello() == sub().hello() == "new"


def test_an_interrupt_at_the_very_end_leaves_all_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Old:
        pass

    class New:
        pass

    def interrupted() -> None:
        raise KeyboardInterrupt("late")

    monkeypatch.setattr(sys.modules["gcremap._dispatch"], "_refresh", interrupted)
    old, instance, held = Old, Old(), [Old]
    with pytest.raises(KeyboardInterrupt, match="late"):
        gcremap.remap([(Old, New)], exclude=[])
    assert held == [Old] == [old] == [type(instance)]
    assert Old.__name__ == "Old"
    assert Old is not New


def test_a_function_of_the_same_code_is_no_generic_function() -> None:
    generic = functools.singledispatch(lambda each: None)
    copy = types.FunctionType(
        generic.__code__,  # type: ignore[attr-defined]
        {},
        closure=generic.__closure__,  # type: ignore[attr-defined]
    )
    old, new = type("Old", (), {}), type("New", (), {})
    holder = [old]
    gcremap.remap({old: new})
    assert holder == [new]
    assert vars(copy) == {}

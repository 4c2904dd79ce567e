"""Promises 5 and 6, classes: instances, bases, slots and what remembers classes."""

from __future__ import annotations

import abc
import gc
import sys
import typing
from collections.abc import Callable
from typing import Any

import pytest

import child
import gcremap


def make(name: str = "Class", bases: tuple[type, ...] = (), **namespace: Any) -> Any:
    """A class that nothing else knows."""
    return type(name, bases, {"hello": lambda self: name, **namespace})


def plain(class_: Any) -> Any:
    instance = class_()
    instance.a = 1
    return instance


def materialised(class_: Any) -> Any:
    instance = plain(class_)
    vars(instance)["b"] = 2
    return instance


def kept_dict(class_: Any) -> Any:
    """Its dict has another holder, that must go on seeing its attributes."""
    instance = plain(class_)
    KEPT.append(vars(instance))
    return instance


def with_odd_dict(class_: Any) -> Any:
    instance = plain(class_)
    vars(instance)[1] = 2
    return instance


KEPT: list[Any] = []


@pytest.mark.parametrize("instance_of", [plain, materialised, kept_dict, with_odd_dict])
@pytest.mark.parametrize("base", [object, list, dict, Exception, int], ids=lambda t: t.__name__)
def test_living_instances_take_the_new_class(base: type, instance_of: Callable[[Any], Any]) -> None:
    old, new = make("old", (base,)), make("new", (base,), extra=7)
    # The new class has keys of its own already, in another order.
    first = new()
    first.z, first.y, first.a = 1, 2, 3
    instances = [instance_of(old) for _ in range(100)]
    content = vars(instances[0]).copy()
    report = gcremap.remap([(old, new)], frames=False)
    assert report.replaced >= 100
    for instance in instances:
        assert type(instance) is new
        assert isinstance(instance, new)
        assert instance.hello() == "new"
        assert instance.extra == 7
        assert vars(instance) == content
        instance.a, instance.z = 10, 20
        assert (instance.a, instance.z, first.a) == (10, 20, 3)
        del instance.a
        assert not hasattr(instance, "a")
    assert instance_of(new).hello() == "new"
    del instances, instance
    gc.collect()
    assert (first.z, first.y, first.a) == (1, 2, 3)


def test_dicts_of_instances_stay_theirs() -> None:
    old, new = make("old"), make("new")
    instance = plain(old)
    namespace = vars(instance)
    gcremap.remap([(old, new)], frames=False)
    instance.later = 1
    namespace["more"] = 2
    assert namespace is vars(instance)
    assert namespace == {"a": 1, "later": 1, "more": 2}
    assert instance.more == 2


def test_instances_with_slots() -> None:
    old = make("old", __slots__=("a", "b", "__weakref__"))
    new = make("new", __slots__=("a", "b", "__weakref__"))
    instances = [old() for _ in range(10)]
    for number, instance in enumerate(instances):
        instance.a = [number]
    gcremap.remap([(old, new)], frames=False)
    for number, instance in enumerate(instances):
        assert type(instance) is new
        assert instance.a == [number]
        assert not hasattr(instance, "b")
        assert new.a.__get__(instance) == [number]
        instance.b = 1
        assert instance.b == 1


def test_instances_without_attributes() -> None:
    old, new = make("old", (int,), __slots__=()), make("new", (int,), __slots__=())
    empty, full = make("empty", __slots__=()), make("full", __slots__=(), extra=1)
    holder: list[Any] = [old(10**20), (empty(), (empty(), 1)), {"k": old(5)}]
    report = gcremap.remap([(old, new), (empty, full)], frames=False)
    assert report.leftovers == ()
    assert type(holder[0]) is type(holder[2]["k"]) is new
    assert holder[0] == 10**20
    assert holder[1][0].extra == holder[1][1][0].extra == 1


def test_instances_in_suspended_frames_and_cells() -> None:
    old, new = make("old"), make("new")

    def generate(one: Any) -> Any:
        yield 1
        yield one.hello()

    def closure(one: Any) -> Any:
        return lambda: one.hello()

    generator, call = generate(old()), closure(old())
    next(generator)
    gcremap.remap([(old, new)], frames=False)
    assert next(generator) == call() == "new"


def test_undo_gives_instances_their_class_back() -> None:
    old, new = make("old"), make("new")
    before, after = [plain(old), materialised(old)], [plain(new)]
    sub = make("sub", (old,))
    report = gcremap.remap([(old, new)], frames=False)
    later = new()
    report.undo()
    assert [type(instance) for instance in before] == [old, old]
    assert (type(after[0]), type(later)) == (new, new)
    assert before[1].b == 2
    assert sub.__bases__ == (old,)
    assert sub.__mro__ == (sub, old, object)
    assert old.__subclasses__() == [sub]
    assert new.__subclasses__() == []
    assert super(sub, sub()).hello() == "old"


def test_undo_finds_attributes_that_have_moved() -> None:
    """Into a dict, when the instance changed its class or somebody asked for its dict."""
    old, new, pair = make("old"), make("new"), [object(), object()]
    changed, asked = old(), make("other")()
    changed.a = changed.b = old
    asked.a = pair[0]
    exclude = [pair]
    report = gcremap.remap([(old, new), tuple(pair)], frames=False, exclude=exclude)
    assert vars(asked)["a"] is pair[1]
    assert (changed.a, changed.b) == (new, new)
    report.undo()
    assert (changed.a, changed.b, type(changed)) == (old, old, old)
    assert asked.a is pair[0]


@pytest.mark.parametrize("base", [abc.ABC, make("mixin", __slots__=())])
def test_bases_without_fields_are_no_other_layout(base: type) -> None:
    old, new = make("old"), type(base)("new", (base,), {"hello": lambda self: "new"})
    for one, other in ((old, new), (new, old)):
        instance = one()
        instance.a = 1
        gcremap.remap([(one, other)], frames=False)
        assert type(instance) is other
        assert instance.a == 1
        gc.collect()


INCOMPATIBLE: list[tuple[Callable[[], Any], Callable[[], Any]]] = [
    (lambda: make("old"), lambda: make("new", __slots__=("x",))),
    (lambda: make("old", __slots__=("x",)), lambda: make("new")),
    (lambda: make("old", __slots__=("x",)), lambda: make("new", __slots__=("y",))),
    (lambda: make("old"), lambda: make("new", (list,))),
    (lambda: make("old", (dict,)), lambda: make("new", (list,))),
    (lambda: make("old", (Exception,)), lambda: make("new")),
    (lambda: make("old"), lambda: int),
    (lambda: make("old"), lambda: 5),
    (lambda: make("old"), lambda: None),
]


@pytest.mark.parametrize(("old_of", "new_of"), INCOMPATIBLE)
@pytest.mark.parametrize("unsafe", [False, True])
def test_a_layout_that_does_not_fit_is_refused(old_of: Any, new_of: Any, unsafe: bool) -> None:
    old, new = old_of(), new_of()
    instance = old()
    holder, table = [old], {old: 1}
    with pytest.raises(gcremap.RemapError) as caught:
        gcremap.remap([(old, new)], frames=False, unsafe=unsafe)
    slots = [refusal.slot for refusal in caught.value.refusals]
    assert any(slot is not None and slot.holder is instance for slot in slots)
    assert type(instance) is old
    assert holder[0] is old
    assert table[old] == 1
    assert instance.hello() == "old"


def test_a_class_without_instances_becomes_anything() -> None:
    old = make("old")
    holder = [old]
    gcremap.remap([(old, 5)], frames=False)
    assert holder == [5]


def test_a_class_that_c_code_makes_instances_of_is_laid_out_as_it_was() -> None:
    child.run("""
        import os, gcremap

        old, new = os.stat_result, type("new", (tuple,), {})
        try:
            gcremap.remap({old: new})
        except gcremap.RemapError as error:
            assert any(refusal.slot is not None for refusal in error.refusals), error
        else:
            raise AssertionError("not refused")
        assert type(os.stat(".")) is old is os.stat_result
    """)


# ---- bases ----


class Recorder:
    """Its subclasses would be told of subclasses of theirs."""

    calls: typing.ClassVar[list[Any]] = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        Recorder.calls.append(cls)


def test_a_base_of_others() -> None:
    old, new = make("old", (Recorder,), a=1), make("new", (Recorder,), a=2)
    sub = make("sub", (old,), hello=lambda self: "sub and " + super(sub, self).hello())
    deeper = make("deeper", (sub,), __qualname__="deeper")
    instance = deeper()
    calls = len(Recorder.calls)
    gcremap.remap([(old, new)], frames=False)
    assert len(Recorder.calls) == calls
    assert sub.__bases__ == (new,)
    assert sub.__base__ is new
    assert sub.__mro__ == (sub, new, Recorder, object)
    assert deeper.__mro__ == (deeper, sub, new, Recorder, object)
    assert new.__subclasses__() == [sub]
    assert old.__subclasses__() == []
    assert issubclass(deeper, new)
    assert isinstance(instance, new)
    assert instance.a == 2
    assert sub.hello(instance) == "sub and new"


def test_one_base_of_several() -> None:
    old, new, other = make("old"), make("new"), make("other", here=1)
    sub = make("sub", (other, old))
    gcremap.remap([(old, new)], frames=False)
    assert sub.__mro__ == (sub, other, new, object)
    assert new.__subclasses__() == [sub]
    assert other.__subclasses__() == [sub]


def test_new_has_bases_of_its_own() -> None:
    """The MRO is computed anew: it is not the old one with one entry replaced."""
    root = make("root", deep="root")
    old, new = make("old"), make("new", (root,))
    sub = make("sub", (old,))
    gcremap.remap([(old, new)], frames=False)
    assert sub.__mro__ == (sub, new, root, object)
    assert sub().deep == "root"


def test_bases_without_a_consistent_order_are_refused() -> None:
    old, left = make("old"), make("left")
    new = make("new", (left,))
    sub = make("sub", (left, old))
    with pytest.raises(gcremap.RemapError):
        gcremap.remap([(old, new)], frames=False)
    assert sub.__mro__ == (sub, left, old, object)
    assert sub.__bases__ == (left, old)


def test_what_would_make_a_class_its_own_base_is_refused() -> None:
    old = make("old")
    sub = make("sub", (old,))
    subsub = make("subsub", (sub,))
    holder = [old]
    for new in (sub, subsub):
        with pytest.raises(gcremap.RemapError):
            gcremap.remap([(old, new)], frames=False)
        assert sub.__mro__ == (sub, old, object)
        assert holder == [old]


def test_a_wrapper_class_may_keep_its_base() -> None:
    old = make("old")
    new = make("new", (old,))
    holder, instance = [old], old()
    gcremap.remap([(old, new)], frames=False, exclude=[new])
    assert holder == [new]
    assert new.__bases__ == (old,)
    assert type(instance) is new


def test_a_base_of_another_layout_is_refused() -> None:
    old, new = make("old"), make("new", (list,))
    sub = make("sub", (old,))
    instance, holder = sub(), [old]
    with pytest.raises(gcremap.RemapError):
        gcremap.remap([(old, new)], frames=False)
    assert sub.__bases__ == (old,)
    assert holder == [old]
    assert super(sub, instance).hello() == "old"


def test_a_base_that_is_no_class_is_refused() -> None:
    old = make("old")
    sub = make("sub", (old,))
    with pytest.raises(gcremap.RemapError):
        gcremap.remap([(old, 5)], frames=False, unsafe=True)
    assert sub.__mro__ == (sub, old, object)


def test_slots_of_c_appear_and_disappear() -> None:
    old = make("old", __len__=lambda self: 3, __eq__=lambda self, other: True, __hash__=None)
    new = make("new", __call__=lambda self: "called", __iter__=lambda self: iter("ab"))
    sub = make("sub", (old,))
    own, instance = old(), sub()
    assert (len(own), len(instance)) == (3, 3)
    assert instance == 5
    report = gcremap.remap([(old, new)], frames=False)
    for each in (own, instance):
        assert each() == "called"
        assert list(each) == ["a", "b"]
        assert each != 5
        assert hash(each) == object.__hash__(each)
        with pytest.raises(TypeError):
            len(each)
    report.undo()
    for each in (own, instance):
        assert len(each) == 3
        assert each == 5
        with pytest.raises(TypeError):
            each()
        with pytest.raises(TypeError):
            hash(each)


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("__getattr__", lambda x: x.anything),
        ("__getattribute__", lambda x: x.anything),
        ("__setattr__", lambda x: setattr(x, "a", 1)),
        ("__repr__", repr),
        ("__bool__", bool),
        ("__add__", lambda x: x + 1),
        ("__radd__", lambda x: 1 + x),
        ("__getitem__", lambda x: x[0]),
        ("__contains__", lambda x: 1 in x),
        ("__index__", hex),
        ("__lt__", lambda x: x < 1),
        ("__next__", next),
        ("__format__", format),
        ("__init__", lambda x: type(x)()),
        ("__get__", lambda x: type("Owner", (), {"x": x})().x),
    ],
)
def test_a_special_method_is_replaced(name: str, use: Callable[[Any], Any]) -> None:
    """Its old is a function in a class's namespace; C slots lead to it."""
    called: list[str] = []
    results = {"__repr__": "", "__bool__": True, "__index__": 1, "__format__": "", "__init__": None}

    def new(self: Any, *args: Any) -> Any:
        called.append("new")
        return results.get(name, 1)

    def old(self: Any, *args: Any) -> Any:
        called.append("old")
        return results.get(name, 1)

    instance = make("sub", (make("base", **{name: old}),))()
    for _ in range(100):
        use(instance)
    called.clear()
    gcremap.remap([(old, new)], frames=False)
    use(instance)
    assert set(called) == {"new"}


# ---- what classes say of themselves ----


def test_a_class_stays_true_of_itself_in_a_swap() -> None:
    a, b = make("a", __slots__=("x", "__dict__")), make("b", __slots__=("x", "__dict__"))
    one, two = a(), b()
    sub = make("sub", (a,))
    one.x, two.x = 1, 2
    gcremap.remap([(a, b), (b, a)], frames=False)
    # The locals are not rewritten: `a` is the class that was made first.
    assert (type(one), type(two)) == (b, a)
    for class_, name in ((a, "a"), (b, "b")):
        assert class_.__mro__ == (class_, object)
        assert class_.__name__ == name
        assert class_.x.__objclass__ is class_
        # 3.15 has one descriptor for all classes.
        owner = class_ if sys.version_info < (3, 15) else object
        assert class_.__dict__["__dict__"].__objclass__ is owner
    assert (one.hello(), two.hello()) == ("b", "a")
    assert (one.x, two.x) == (1, 2)
    assert sub.__mro__ == (sub, b, object)
    assert b.__subclasses__() == [sub]
    assert a.__subclasses__() == []


def test_methods_know_their_class_in_a_swap() -> None:
    class Base:
        def who(self) -> list[str]:
            return ["base"]

    class Left(Base):
        def who(self) -> list[str]:
            return ["left", *super().who()]

        @staticmethod
        def own() -> Any:
            return __class__  # type: ignore[name-defined]

    class Right(Base):
        def who(self) -> list[str]:
            return ["right", *super().who()]

        @property
        def own(self) -> Any:
            return __class__  # type: ignore[name-defined]

    left, right, one, two = Left, Right, Left(), Right()
    report = gcremap.remap([(Left, Right), (Right, Left)], frames=False)
    assert (one.who(), two.who()) == (["right", "base"], ["left", "base"])
    assert left().who() == ["left", "base"]
    assert (left.own(), right().own) == (left, right)
    report.undo()
    assert (one.who(), two.who()) == (["left", "base"], ["right", "base"])


def test_a_class_trades_places_with_a_subclass() -> None:
    class Upper:
        def who(self) -> list[str]:
            return ["upper"]

    class Lower(Upper):
        def who(self) -> list[str]:
            return ["lower", *super().who()]

    class BelowLower(Lower):
        pass

    class BelowUpper(Upper):
        pass

    upper, lower = Upper, Lower
    instances: list[Any] = [Upper(), Lower(), BelowUpper(), BelowLower()]
    said = [instance.who() for instance in instances]
    assert said == [["upper"], ["lower", "upper"], ["upper"], ["lower", "upper"]]
    for instance in instances:
        instance.name = type(instance).__name__
    report = gcremap.remap([(Upper, Lower), (Lower, Upper)], frames=False)
    assert lower.__mro__ == (lower, upper, object)
    assert upper.__mro__ == (upper, object)
    assert [type(instance) for instance in instances] == [lower, upper, BelowUpper, BelowLower]
    assert BelowUpper.__mro__ == (BelowUpper, lower, upper, object)
    assert BelowLower.__mro__ == (BelowLower, upper, object)
    assert sorted(map(str, upper.__subclasses__())) == sorted(map(str, [lower, BelowLower]))
    assert lower.__subclasses__() == [BelowUpper]
    swapped = [["lower", "upper"], ["upper"], ["lower", "upper"], ["upper"]]
    assert [instance.who() for instance in instances] == swapped
    assert [instance.name for instance in instances] == [
        "Upper",
        "Lower",
        "BelowUpper",
        "BelowLower",
    ]
    report.undo()
    assert [instance.who() for instance in instances] == said
    assert BelowUpper.__mro__ == (BelowUpper, upper, object)
    assert upper.__subclasses__() == [lower, BelowUpper]


def test_a_class_between_one_and_its_subclass_is_refused() -> None:
    class Upper:
        pass

    class Lower(Upper):
        pass

    class Both(Lower, Upper):
        pass

    instances = [Upper(), Lower(), Both()]
    with pytest.raises(gcremap.RemapError, match="no consistent order") as refused:
        gcremap.remap([(Upper, Lower), (Lower, Upper)], frames=False)
    assert refused.value.pair in [(Upper, Lower), (Lower, Upper)]
    with pytest.raises(gcremap.RemapError, match="base"):
        gcremap.remap([(Upper, Lower)], frames=False)
    assert [type(instance) for instance in instances] == [Upper, Lower, Both]
    assert Both.__mro__ == (Both, Lower, Upper, object)


def test_a_metaclass_trades_places_with_a_subclass() -> None:
    class Upper(type):
        def who(cls) -> list[str]:
            return ["upper"]

    class Lower(Upper):
        def who(self) -> list[str]:
            return ["lower", *super().who()]

    upper, lower = Upper, Lower
    one, two = Upper("one", (), {}), Lower("two", (), {})
    report = gcremap.remap([(Upper, Lower), (Lower, Upper)], frames=False)
    assert (type(one), type(two)) == (lower, upper)
    assert (one.who(), two.who()) == (["lower", "upper"], ["upper"])
    report.undo()
    assert (one.who(), two.who()) == (["upper"], ["lower", "upper"])


def test_descriptors_of_old_stay_of_old() -> None:
    old, new = make("old", __slots__=("x",)), make("new", __slots__=("x",))
    descriptor = vars(old)["x"]
    gcremap.remap([(old, new)], frames=False)
    assert descriptor.__objclass__ is old
    assert old.__mro__ == (old, object)
    with pytest.raises(TypeError):
        descriptor.__get__(new())


def test_zero_argument_super_follows() -> None:
    class Old:
        def who(self) -> Any:
            return __class__  # type: ignore[name-defined]

        def text(self) -> str:
            return super().__repr__()

    class New:
        pass

    method, text = Old.who, Old.text
    gcremap.remap([(Old, New)], frames=False)
    assert method(New()) is New
    assert text(New()).startswith("<")


# ---- metaclasses ----


def test_a_metaclass() -> None:
    old = type("Old", (type,), {"hello": lambda cls: "old"})
    new = type("New", (type,), {"hello": lambda cls: "new", "__len__": lambda cls: 5})
    class_ = old("Class", (), {"a": 1})
    instance = class_()
    report = gcremap.remap([(old, new)], frames=False)
    assert type(class_) is new
    assert class_.hello() == "new"
    assert len(class_) == 5
    assert class_.a == instance.a == 1
    assert type(make("sub", (class_,))) is new
    report.undo()
    assert type(class_) is old
    assert class_.hello() == "old"


def test_a_metaclass_that_is_no_metaclass_is_refused() -> None:
    old = type("Old", (type,), {})
    class_ = old("Class", (), {})
    with pytest.raises(gcremap.RemapError):
        gcremap.remap([(old, make("new"))], frames=False, unsafe=True)
    assert type(class_) is old


def test_bases_of_one_class_trade_places() -> None:
    class A:
        pass

    class B:
        pass

    class C(A, B):
        pass

    a, b = keep = [A, B]
    gcremap.remap([(a, b), (b, a)], exclude=[keep], frames=False)
    assert C.__bases__ == (b, a)
    assert a.__subclasses__() == b.__subclasses__() == [C]
    gcremap.remap([(a, b), (b, a)], exclude=[keep], frames=False)
    assert C.__mro__ == (C, a, b, object)
    assert a.__subclasses__() == b.__subclasses__() == [C]


def test_an_old_class_keeps_the_descriptors_of_its_fields() -> None:
    class Old:
        __slots__ = ("__weakref__", "field")

        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            return self is other

    class New:
        __slots__ = ("__weakref__", "field")

        def __hash__(self) -> int:
            return 2

        def __eq__(self, other: object) -> bool:
            return self is other

    keep: list[Any] = [Old]
    instance = Old()
    instance.field = 1
    table = {instance: "found"}
    elsewhere = [vars(Old)["field"]]
    pairs = [(vars(Old)[name], vars(New)[name]) for name in ("field", "__weakref__")]
    report = gcremap.remap([(keep[0], New), *pairs], exclude=[keep])
    was, now = keep[0], type(instance)
    assert was is not now
    assert elsewhere == [vars(now)["field"]]
    for each in (was, now):
        assert vars(each)["field"].__objclass__ is each
    del pairs
    report.undo()
    assert type(instance) is was
    assert elsewhere == [vars(was)["field"]]
    assert (instance.field, table[instance]) == (1, "found")

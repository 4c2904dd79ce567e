"""Attribute values of instances that change class, whichever class has the names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import gcremap


def make(name: str) -> Any:
    return type(name, (), {})


def filled(class_: Any, **values: object) -> Any:
    instance = class_()
    for name, value in values.items():
        setattr(instance, name, value)
    return instance


def ten(class_: Any, value: Callable[[int], dict[str, object]]) -> list[Any]:
    """Without a comprehension in the test itself, whose closure would be remapped."""
    return [filled(class_, **value(number)) for number in range(10)]


def both(number: int) -> dict[str, object]:
    return {"x": number, "y": number}


def fresh() -> Any:
    return make("new")


def with_the_same_names() -> Any:
    class_ = make("new")
    filled(class_, x=0, y=0)
    return class_


def with_fewer_names() -> Any:
    class_ = make("new")
    filled(class_, x=0)
    return class_


def with_names_in_another_order() -> Any:
    class_ = make("new")
    filled(class_, y=0, x=0)
    return class_


def with_a_dict() -> Any:
    class_ = make("new")
    class_.first = filled(class_)
    assert vars(class_.first) == {}
    return class_


def with_many_instances() -> Any:
    class_ = make("new")
    class_.all = [filled(class_) for _ in range(40)]
    return class_


MADE = [
    fresh,
    with_the_same_names,
    with_fewer_names,
    with_names_in_another_order,
    with_a_dict,
    with_many_instances,
]


def read(instance: Any) -> Any:
    return instance.x


def write(instance: Any, value: object) -> None:
    instance.y = value


@pytest.mark.parametrize("make_new", MADE)
def test_values_are_what_they_were(make_new: Callable[[], Any]) -> None:
    old, new = make("old"), make_new()
    before = [filled(new, x=-number, y=-number) for number in range(3)]
    instances = [filled(old, x=number, y=number) for number in range(100)]
    vars(instances[50])["z"] = 50
    for _ in range(50):  # until the interpreter has specialised code for both
        for instance in (instances[0], before[0]):
            read(instance)
            write(instance, instance.x)
    report = gcremap.remap([(old, new)], frames=False)
    assert report.by_type["new"] == 100
    for number, instance in enumerate(instances):
        assert type(instance) is new
        assert (read(instance), instance.y) == (number, number)
        instance.w = number
        write(instance, "y")
        expected = {"x": number, "y": "y", "w": number}
        assert vars(instance) == (expected | {"z": 50} if number == 50 else expected)
    for number, instance in enumerate(before):
        write(instance, "y")
        instance.v = number
        assert (read(instance), instance.y, instance.v) == (-number, "y", number)
        assert vars(instance) == {"x": -number, "y": "y", "v": number}
    for instance in getattr(new, "all", []):
        instance.y = 1
        assert vars(instance) == {"y": 1}
    if hasattr(new, "first"):
        new.first.v = 1
        assert vars(new.first) == {"v": 1}
        assert new.first.v == 1
    assert vars(filled(new, y=1, x=2)) == {"y": 1, "x": 2}


@pytest.mark.parametrize("make_new", MADE)
def test_what_stays_of_the_old_class(make_new: Callable[[], Any]) -> None:
    old, new = make("old"), make_new()
    instances = ten(old, both)
    kept = instances[0]
    gcremap.remap([(old, new)], frames=False, exclude=[kept])
    assert type(kept) is old
    kept.z, kept.x = 1, 2
    instances[1].z = 3
    assert vars(kept) == {"x": 2, "y": 0, "z": 1}
    assert vars(instances[1]) == {"x": 1, "y": 1, "z": 3}
    assert vars(filled(old, z=0)) == {"z": 0}


@pytest.mark.parametrize("make_new", MADE)
def test_undo(make_new: Callable[[], Any]) -> None:
    old, new = make("old"), make_new()
    instances = ten(old, both)
    report = gcremap.remap([(old, new)], frames=False)
    instances[1].z = 1
    assert report.undo() == report.replaced
    assert {type(instance) for instance in instances} == {old}
    assert vars(instances[1]) == {"x": 1, "y": 1, "z": 1}
    assert [read(instance) for instance in instances] == list(range(10))


@pytest.mark.parametrize("make_new", MADE)
def test_two_classes_that_become_one(make_new: Callable[[], Any]) -> None:
    left, right, new = make("left"), make("right"), make_new()
    lefts = ten(left, both)
    rights = ten(right, lambda number: {"y": number, "x": number + 1})
    gcremap.remap([(left, new), (right, new)], frames=False)
    assert {type(instance) for instance in lefts + rights} == {new}
    assert [(one.x, one.y) for one in lefts] == [(n, n) for n in range(10)]
    assert [(one.x, one.y) for one in rights] == [(n + 1, n) for n in range(10)]


def test_classes_in_a_row_and_in_a_swap() -> None:
    for names in ({"x": 0}, {"y": 0, "x": 0}, {}):
        one, two, three = make("one"), make("two"), make("three")
        ones = ten(one, lambda number: {"x": number})
        twos = ten(two, lambda _, names=names: names)  # type: ignore[misc]
        gcremap.remap([(one, two), (two, three)], frames=False)
        assert {type(instance) for instance in ones} == {two}
        assert {type(instance) for instance in twos} == {three}
        assert [vars(instance) for instance in twos] == [names] * 10
        gcremap.remap([(two, three), (three, two)], frames=False)
        assert {type(instance) for instance in ones} == {three}
        assert {type(instance) for instance in twos} == {two}
        assert [instance.x for instance in ones] == list(range(10))
        twos[0].z = 1
        assert vars(twos[0]) == names | {"z": 1}
        assert vars(filled(two, a=1)) == vars(filled(three, a=1)) == {"a": 1}


def not_interned(text: str) -> str:
    return "".join([text, " of an instance"])


@pytest.mark.parametrize("new", [not_interned("new"), "interned", object()])
def test_a_key_that_a_class_shares_is_left_over(new: object) -> None:
    """Its one reference is the class's: rewritten there, it would be another attribute of all
    instances."""
    class_ = make("class_")
    first, second = class_(), class_()
    other: dict[object, object] = {}
    old = not_interned("old")
    for table in (vars(first), vars(second), other):
        table[old] = table
    vars(second)[0] = 0  # a table of its own from then on
    report = gcremap.remap([(old, new)], frames=False)
    assert report.leftovers == ((old, 1),)
    assert vars(first) == {old: vars(first)}
    assert getattr(first, old) is vars(first)
    assert vars(second) == {new: vars(second), 0: 0}
    assert other == {new: other}
    report.undo()
    assert vars(second) == {old: vars(second), 0: 0}
    assert other == {old: other}


def test_a_name_that_was_set_as_an_attribute_is_refused() -> None:
    instance = make("class_")()
    old = not_interned("attribute")
    setattr(instance, old, 1)
    assert old is next(iter(vars(instance)))
    with pytest.raises(gcremap.RemapError, match=r"interned|immortal"):
        gcremap.remap([(old, not_interned("new"))], frames=False)

"""Bases of classes, where several are replaced at once, and after an undo."""

from __future__ import annotations

from typing import Any

import pytest

import gcremap


def named(*names: str) -> list[Any]:
    return [type(name, (), {"who": lambda self, name=name: name}) for name in names]


def test_heirs_of_two_that_became_one_part_again() -> None:
    olds = a, b, c = named("A", "B", "C")
    heirs: list[Any] = [type(f"Of{base.__name__}", (base,), {}) for base in olds]
    below = type("Below", (heirs[0],), {})
    report = gcremap.remap([(a, c), (b, c)], frames=False, exclude=[olds])
    assert [heir.__bases__ for heir in heirs] == [(c,)] * 3
    assert below().who() == "C"
    report.undo()
    assert [heir.__bases__ for heir in heirs] == [(base,) for base in olds]
    assert [base.__subclasses__() for base in olds] == [[heir] for heir in heirs]
    assert below.__mro__ == (below, heirs[0], olds[0], object)
    assert [each().who() for each in (*heirs, below)] == ["A", "B", "C", "A"]


def test_a_base_that_was_there_before_stays() -> None:
    classes = a, b, c, d = named("A", "B", "C", "D")
    heir: Any = type("Heir", (a, c), {})
    report = gcremap.remap([(a, b), (c, d)], frames=False, exclude=[classes])
    stays: Any = type("Stays", (b,), {})
    report.undo()
    assert heir.__bases__ == tuple(classes[::2])
    assert stays.__bases__ == (b,)


def test_an_heir_that_is_a_new_has_its_base_back() -> None:
    classes = base, middle = named("Base", "Middle")
    heir: Any = type("Heir", (base,), {})
    report = gcremap.remap([(base, middle), (middle, heir)], frames=False, exclude=[classes])
    assert heir.__bases__ == (middle,)
    report.undo()
    assert heir.__bases__ == (base,)
    assert heir.__mro__ == (heir, base, object)
    assert (base.__subclasses__(), middle.__subclasses__()) == ([heir], [])


@pytest.mark.parametrize("dry_run", [False, True])
def test_no_class_becomes_a_base_of_its_own_base(dry_run: bool) -> None:
    """An old that is a new as well keeps its bases, and would be a base of one of them."""
    classes = other, base = named("Other", "Base")
    middle: Any = type("Middle", (base,), {})
    classes.append(type("Below", (middle,), {}))
    pairs = [(classes[2], other), (base, classes[2])]
    with pytest.raises(gcremap.RemapError, match="would become a base of"):
        gcremap.remap(pairs, frames=False, dry_run=dry_run, exclude=[classes])
    assert middle.__mro__ == (middle, base, object)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=str)
def test_two_remaps_are_undone_in_any_order(order: tuple[int, int]) -> None:
    classes = named("A", "A2", "B", "B2")
    heir: Any = type("Heir", (classes[0], classes[2]), {})
    reports = [
        gcremap.remap([tuple(classes[at : at + 2])], frames=False, exclude=[classes])
        for at in (0, 2)
    ]
    assert heir.__bases__ == (classes[1], classes[3])
    reports[order[0]].undo()
    assert heir.__bases__ == ((classes[0], classes[3]), (classes[1], classes[2]))[order[0]]
    reports[order[1]].undo()
    assert heir.__bases__ == (classes[0], classes[2])


def test_keys_hash_by_the_bases_that_come_back() -> None:
    def hashed(name: str, value: int) -> Any:
        return type(name, (), {"__hash__": lambda self: value, "__eq__": lambda a, b: a is b})

    classes = a, b, c = hashed("A", 1), hashed("B", 2), hashed("C", 3)
    keys: list[Any] = [type(f"Of{base.__name__}", (base,), {})() for base in classes]
    table = dict(zip(keys, "abc", strict=True))
    report = gcremap.remap([(a, c), (b, c)], frames=False, exclude=[classes])
    assert [table[key] for key in keys] == ["a", "b", "c"]
    report.undo()
    assert [hash(key) for key in keys] == [1, 2, 3]
    assert [table[key] for key in keys] == ["a", "b", "c"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_layouts_agree_once_all_bases_are_replaced(order: tuple[int, int]) -> None:
    """Two bases over one with fields: before, they are over two versions of it."""

    def make() -> tuple[type, type, type, type]:
        class Base:
            __slots__ = ("a", "b")

        class Left(Base):
            __slots__ = ("c",)

        class Right(Base):
            __slots__ = ()

        class Both(Right, Left):
            pass

        return Base, Left, Right, Both

    olds, news = make(), make()
    instance: Any = olds[3]()
    instance.a, instance.b, instance.c, instance.d = 1, 2, 3, 4
    pairs = [(olds[i], news[i]) for i in order]
    report = gcremap.remap(dict(pairs))
    assert olds[3].__mro__ == (olds[3], olds[2], news[1], news[0], object)
    assert olds[3].__base__ is news[1]
    assert (instance.a, instance.b, instance.c, instance.d) == (1, 2, 3, 4)
    report.undo()
    assert olds[3].__mro__ == (olds[3], olds[2], olds[1], olds[0], object)


def test_layouts_that_do_not_agree_in_the_end_are_refused() -> None:
    class Base:
        __slots__ = ("a",)

    class Left(Base):
        __slots__ = ()

    class Right(Base):
        __slots__ = ()

    class Both(Left, Right):
        pass

    class Other:
        __slots__ = ("a",)

    class OtherLeft(Other):
        __slots__ = ()

    before = Both.__mro__
    with pytest.raises(gcremap.RemapError):
        gcremap.remap({Left: OtherLeft})
    assert Both.__mro__ == before

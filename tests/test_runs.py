"""Slots side by side that hold the same old: counted, rewritten and put back one by one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest

import gcremap


class Thing:
    pass


def where(held: Sequence[object], thing: object) -> list[int]:
    return [index for index, item in enumerate(held) if item is thing]


@pytest.mark.parametrize("make", [list, tuple])
def test_every_slot_of_a_run_counts(make: Callable[[list[Any]], Any]) -> None:
    old, new, other = Thing(), Thing(), Thing()
    held = make([other, old, old, old, other, old, new, old, old])
    before = sys.getrefcount(old), sys.getrefcount(new), sys.getrefcount(other)
    report = gcremap.remap([(old, new)], frames=False)
    assert where(held, new) == [1, 2, 3, 5, 6, 7, 8]
    assert (report.replaced, report.holders, report.leftovers) == (6, 1, ())
    assert report.by_type == {make.__name__: 6}
    pinned = report.pinned  # one count more, while an address is left over on the stack
    del report
    now = sys.getrefcount(old), sys.getrefcount(new), sys.getrefcount(other)
    assert now == (before[0] - 6 + pinned, before[1] + 6, before[2])


def test_runs_of_several_pairs_and_lists() -> None:
    a, b, c = Thing(), Thing(), Thing()
    first, second = [a, a, b, b, a], [a] * 3 + [b] * 3
    report = gcremap.remap([(a, b), (b, c)], frames=False)
    assert report.replaced == 11
    assert [first.count(b), first.count(c)] == [3, 2]
    assert (second[:3], second[3:]) == ([b] * 3, [c] * 3)


def test_undo_of_a_run_that_changed_since() -> None:
    old, new, other = Thing(), Thing(), Thing()
    held = [old] * 10
    report = gcremap.remap([(old, new)], frames=False)
    held[3] = other
    del held[8:]
    held += [other, other, new]
    assert report.undo() == 7
    assert where(held, old) == [0, 1, 2, 4, 5, 6, 7]
    assert (held[3], held[-1]) == (other, new)


def test_a_set_that_holds_a_tuple_with_a_run() -> None:
    class Key:
        def __init__(self, value: int) -> None:
            self.value = value

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Key) and other.value == self.value

        def __hash__(self) -> int:
            return hash(self.value)

    old, new = Key(1), Key(2)
    held = {(old, old, old): "value"}
    gcremap.remap([(old, new)], frames=False)
    assert held[Key(2), Key(2), Key(2)] == "value"

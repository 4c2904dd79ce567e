"""Promises 4 and 5, hashes: keys that become equal, and user code that runs meanwhile."""

from __future__ import annotations

import collections
import contextvars
import functools
import gc
import itertools
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import gcremap


class Thing:
    def __init__(self, name: str = "thing") -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Thing({self.name!r})"


@pytest.mark.parametrize("kind", [dict, collections.OrderedDict, collections.Counter])
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: (x, 1), lambda x: frozenset({x})])
def test_the_later_value_wins_at_the_earlier_position(
    kind: type[dict[Any, Any]], wrap: Callable[[Any], Any]
) -> None:
    old, new = Thing("old"), Thing("new")
    table = kind({"a": 0, wrap(old): 1, "m": 5, wrap(new): 2, "z": 9})
    report = gcremap.remap([(old, new)], frames=False)
    assert list(table.items()) == [("a", 0), (wrap(new), 2), ("m", 5), ("z", 9)]
    assert len(table) == 4
    [(container, key, lost)] = report.collisions
    assert container is table
    assert key == wrap(new)
    assert lost == 1
    table["more"] = 7
    assert list(reversed(table)) == ["more", "z", "m", wrap(new), "a"]


def test_the_earlier_of_two_is_the_new() -> None:
    old, new = Thing("old"), Thing("new")
    table = {new: 1, "m": 5, old: 2}
    report = gcremap.remap([(old, new)], frames=False)
    assert list(table.items()) == [(new, 2), ("m", 5)]
    [(_, _, lost)] = report.collisions
    assert lost == 1


def test_a_str_that_was_lost_to_another_is_found_after_an_undo() -> None:
    class Winner:
        """No str, so that a table of str becomes another."""

        def __hash__(self) -> int:
            return hash("winner")

        def __eq__(self, other: object) -> bool:
            return other == "winner"

    old, new = "".join(["lo", "ser"]), Winner()  # not interned
    table = {"winner": 1, old: 2}
    report = gcremap.remap([(old, new)], frames=False)
    assert table == {"winner": 2}
    report.undo()
    assert [table["winner"], table["".join(["los", "er"])]] == [1, 2]


def test_three_become_one() -> None:
    a, b, c = Thing("a"), Thing("b"), Thing("c")
    table = {a: 1, b: 2, c: 3}
    report = gcremap.remap([(a, c), (b, c)], frames=False)
    assert list(table.items()) == [(c, 3)]
    assert sorted(lost for _, _, lost in report.collisions) == [1, 2]
    report.undo()
    assert list(table.items()) == [(a, 1), (b, 2), (c, 3)]


def test_a_swap_is_no_collision() -> None:
    a, b = Thing("a"), Thing("b")
    table, members = {a: 1, b: 2}, {a, b}
    report = gcremap.remap([(a, b), (b, a)], frames=False, exclude=[members])
    assert [(key.name, value) for key, value in table.items()] == [("b", 1), ("a", 2)]
    assert (table[b], table[a]) == (1, 2)
    assert members == {a, b}
    assert report.collisions == ()


@pytest.mark.parametrize("kind", [set, frozenset])
def test_members_that_become_equal(kind: Any) -> None:
    old, new = Thing("old"), Thing("new")
    members = kind([old, new, 3])
    report = gcremap.remap([(old, new)], frames=False)
    assert members == {new, 3}
    assert len(list(members)) == len(members) == 2
    [(container, key, _)] = report.collisions
    assert container is members
    assert key is new
    report.undo()
    assert members == {old, new, 3}
    assert len(members) == 3


def test_undo_restores_losers_where_they_were() -> None:
    old, new = Thing("old"), Thing("new")
    table = {"a": 0, old: 1, "m": 5, new: 2, "z": 9}
    ordered = collections.OrderedDict(table)
    items = list(table.items())
    report = gcremap.remap([(old, new)], frames=False, exclude=[items, *items])
    assert len(table) == len(ordered) == 4
    report.undo()
    assert list(table.items()) == items
    assert list(ordered.items()) == items
    assert (table[old], table[new]) == (1, 2)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
@pytest.mark.parametrize("pairs", [[(0, 1), (2, 3)], [(0, 1), (1, 0)], [(0, 3), (1, 3)]], ids=str)
def test_undo_of_a_collision_beside_other_keys(
    order: tuple[int, ...], pairs: list[tuple[int, int]]
) -> None:
    things = [Thing(str(i)) for i in range(4)]
    table = {things[i]: i for i in order}
    ordered = collections.OrderedDict(table)
    before = list(table.items())
    mapping = [(things[old], things[new]) for old, new in pairs]
    report = gcremap.remap(mapping, frames=False, exclude=[things, before, *before])
    assert all(ordered[key] == table[key] for key in table)
    report.undo()
    assert list(table.items()) == list(ordered.items()) == before
    assert all(ordered[key] == table[key] for key in table)


def test_undo_of_a_collision_in_a_set_that_was_indexed_since() -> None:
    for _ in range(20):
        things = a, b, c, d = [Thing(name) for name in "abcd"]
        table = {a, b, c}
        merged = gcremap.remap([(a, b)], frames=False, exclude=[things])
        moved = gcremap.remap([(c, d)], frames=False, exclude=[things])
        moved.undo()
        assert table == {things[1], things[2]}
        merged.undo()
        assert table == {*things[:3]}


def test_undo_of_a_collision_whose_values_were_replaced_too() -> None:
    old, new, key, other = Thing("old"), Thing("new"), Thing("key"), Thing("other")
    table = {key: old, "m": 0, other: new}
    items = list(table.items())
    pairs = [(key, other), (old, new)]
    report = gcremap.remap(pairs, frames=False, exclude=[items, *items])
    assert list(table.items()) == [(other, new), ("m", 0)]
    report.undo()
    assert list(table.items()) == items


def test_what_a_report_says_is_no_holder() -> None:
    old, new = Thing("old"), Thing("new")
    table = {old: 1, new: 2}
    report = gcremap.remap([(old, new)], frames=False)
    other = {"other": "table"}
    again = gcremap.remap([(table, other)], frames=False)
    assert again.replaced == 0
    assert report.collisions[0][0] is table


def test_undo_leaves_alone_what_replaced_a_loser() -> None:
    """The key that came back may be there again by then: its new value stays."""
    old, new = Thing("old"), Thing("new")
    table: dict[Any, Any] = {old: 1, new: 2}
    report = gcremap.remap([(old, new)], frames=False)
    table[old] = "since"
    report.undo()
    assert table[old] == "since"
    assert table[new] == 2


def test_a_loser_is_kept_alive_by_the_report_only() -> None:
    old, new = Thing("old"), Thing("new")
    died: list[int] = []

    class Value:
        def __del__(self) -> None:
            died.append(1)

    table: dict[Any, Any] = {old: Value(), new: 2}
    report = gcremap.remap([(old, new)], frames=False)
    assert not died
    assert isinstance(report.collisions[0][2], Value)
    del report
    gc.collect()
    assert died == [1]
    assert table == {new: 2}


def test_lru_cache_entries_that_become_equal() -> None:
    values = iter(range(100))
    cached = functools.lru_cache(maxsize=3)(lambda key: next(values))
    old, new = Thing("old"), Thing("new")
    assert (cached(old), cached(new)) == (0, 1)
    gcremap.remap([(old, new)], frames=False)
    assert cached(new) == 1
    assert cached.cache_info().currsize == 1
    assert [cached(n) for n in range(5)] == [2, 3, 4, 5, 6]
    assert cached.cache_info().currsize == 3
    assert cached(4) == 6
    assert cached(new) == 7


def test_a_lost_result_of_an_lru_cache_dies_with_the_report() -> None:
    cached = functools.lru_cache(maxsize=3)(lambda key: Thing())
    old, new = Thing("old"), Thing("new")
    lost, kept = weakref.ref(cached(old)), weakref.ref(cached(new))
    report = gcremap.remap([(old, new)], frames=False)
    assert report.collisions
    assert lost() is not None
    del report
    gc.collect()
    assert lost() is None
    assert kept() is cached(new)


def test_lru_cache_entries_that_become_equal_to_a_third() -> None:
    values = iter(range(100))
    cached = functools.lru_cache(maxsize=3)(lambda key: next(values))
    one, two, new = Thing("one"), Thing("two"), Thing("new")
    assert (cached(one), cached(two)) == (0, 1)
    gcremap.remap([(one, new), (two, new)], frames=False)
    assert cached(new) == 1
    assert [cached(n) for n in range(5)] == [2, 3, 4, 5, 6]
    assert cached.cache_info().currsize == 3
    assert cached(new) == 7


@pytest.mark.parametrize("maxsize", [3, None])
def test_a_lost_result_of_an_lru_cache_comes_back(maxsize: int | None) -> None:
    calls = []
    cached = functools.lru_cache(maxsize=maxsize)(lambda key: calls.append(key) or len(calls))
    old, new = Thing("old"), Thing("new")
    pair = [old, new]
    assert (cached(old), cached(new), cached(1)) == (1, 2, 3)
    for _ in range(2):
        report = gcremap.remap([(old, new)], frames=False, exclude=[pair, calls])
        assert report.collisions
        assert cached.cache_info().currsize == 2
        report.undo()
        assert cached.cache_info().currsize == 3
        assert (cached(pair[0]), cached(pair[1]), cached(1)) == (1, 2, 3)
    assert len(calls) == 3
    for number in range(2, 9):  # what is in no order would never make room, or be freed twice
        cached(number)
    assert cached.cache_info().currsize == (3 if maxsize else 10)
    again = cached(pair[0])
    assert again == (len(calls) if maxsize else 1)
    cached.cache_clear()


def test_context_variables_that_become_equal() -> None:
    old: contextvars.ContextVar[int] = contextvars.ContextVar("old")
    new: contextvars.ContextVar[int] = contextvars.ContextVar("new")
    context = contextvars.Context()
    context.run(old.set, 1)
    context.run(new.set, 2)
    report = gcremap.remap([(old, new)], frames=False)
    assert len(context) == len(list(context)) == 1
    assert context[new] in (1, 2)
    [(_, key, lost)] = report.collisions
    assert key is new
    assert {lost, context[new]} == {1, 2}


class Moody:
    """Hashes until told not to."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.armed = False
        self.calls = 0

    def __hash__(self) -> int:
        self.calls += 1
        if self.armed:
            raise ZeroDivisionError("not in the mood")
        return self.number

    def __eq__(self, other: object) -> bool:
        if self.armed or (isinstance(other, Moody) and other.armed):
            raise LookupError("not now")
        return isinstance(other, Moody) and other.number == self.number


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: (x, 1), lambda x: frozenset({x})])
def test_an_exception_in_a_hash_leaves_everything_as_it_was(wrap: Callable[[Any], Any]) -> None:
    old, new = Thing("old"), Moody()
    holder, key = [old], wrap(old)
    table, members, other = {1: 1, key: 2}, {key, 5}, {old: "other"}
    hashed = hash(key)
    new.armed = True
    with pytest.raises(gcremap.RemapError) as caught:
        gcremap.remap([(old, new)], frames=False)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert holder[0] is old
    assert hash(key) == hashed
    assert list(table) == [1, key]
    assert table[wrap(old)] == 2
    assert wrap(old) in members
    assert other[old] == "other"


def test_an_exception_in_an_equality_leaves_everything_as_it_was() -> None:
    class Key:
        def __init__(self, part: Any) -> None:
            self.part = part

        def __hash__(self) -> int:
            return 7

        def __eq__(self, other: object) -> bool:
            if isinstance(self.part, Moody):
                raise LookupError("not now")
            return self is other

    old, new = Thing("old"), Moody()
    holder, first, second = [old], Key(old), Key(old)
    table, order = {first: 1, second: 2}, [id(first), id(second)]
    with pytest.raises(gcremap.RemapError) as caught:
        gcremap.remap([(old, new)], frames=False)
    assert isinstance(caught.value.__cause__, LookupError)
    assert holder[0] is old
    assert [id(key) for key in table] == order
    assert (table[first], table[second]) == (1, 2)


@pytest.mark.parametrize("new", [[1], {}, bytearray()], ids=repr)
def test_a_new_without_a_hash_is_no_key(new: Any) -> None:
    old = Thing("old")
    holder, table = [old], {(old,): 1}
    with pytest.raises(gcremap.RemapError) as caught:
        gcremap.remap([(old, new)], frames=False)
    assert isinstance(caught.value.__cause__, TypeError) or caught.value.refusals
    assert holder[0] is old
    assert table[(old,)] == 1


def test_an_interrupt_in_a_hash_leaves_everything_as_it_was() -> None:
    class Key:
        def __hash__(self) -> int:
            raise KeyboardInterrupt

    old, new = Thing("old"), Key()
    holder, table = [old], {old: 1}
    with pytest.raises((KeyboardInterrupt, gcremap.RemapError)):
        gcremap.remap([(old, new)], frames=False)
    assert holder[0] is old
    assert table[old] == 1


def test_an_unrelated_key_whose_hash_raises_fails_nothing() -> None:
    old, new, moody = Thing("old"), Thing("new"), Moody(5)
    table, members = {moody: 1, old: 2}, {moody, (old, 1)}
    elsewhere = {(moody, "elsewhere"): 3}
    holder = [old]
    moody.armed, calls = True, moody.calls
    gcremap.remap([(old, new)], frames=False)
    assert moody.calls == calls
    assert holder == [new]
    assert table[new] == 2
    assert (new, 1) in members
    moody.armed = False
    assert table[moody] == 1
    assert moody in members
    assert elsewhere[(moody, "elsewhere")] == 3


def test_a_remap_from_a_hash_that_a_remap_runs_is_an_error() -> None:
    caught: list[Exception] = []
    inner: list[Any] = [Thing("inner")]

    class Meddler:
        def __hash__(self) -> int:
            try:
                gcremap.remap([(inner[0], Thing("other"))], frames=False)
            except gcremap.RemapError as error:
                caught.append(error)
            return 5

    old, new = Thing("old"), Meddler()
    table, holder, kept = {old: 1}, [old], inner[0]
    gcremap.remap([(old, new)], frames=False)
    assert caught
    assert inner[0] is kept
    assert holder[0] is new
    count = len(caught)
    inner[0] = None  # (None, x) is refused in any case, also here where no remap runs.
    assert table[new] == 1
    assert len(caught) > count


def test_a_hash_that_makes_new_references_to_old() -> None:
    """User code runs while the plan is made: what it stores is found as well."""
    stored: list[Any] = []
    olds: list[Any] = [Thing("old")]

    class Hoarder:
        def __hash__(self) -> int:
            if len(stored) < 3:
                stored.append([olds[0]])
            return 5

    new = Hoarder()
    table = {olds[0]: 1}
    gcremap.remap([(olds[0], new)], frames=False)
    assert stored
    assert all(inner[0] is new for inner in stored)
    assert table[new] == 1


def test_a_hash_that_takes_the_table_apart() -> None:
    tables: list[dict[Any, int]] = []

    class Vandal:
        def __hash__(self) -> int:
            for table in tables:
                for key in [key for key in table if isinstance(key, int)]:
                    del table[key]
                table.update({f"{i}": i for i in range(100)})
            gc.collect()
            return 5

    old, new = Thing("old"), Vandal()
    table: dict[Any, int] = {number: number for number in range(1000)}
    table[old] = -1
    tables.append(table)
    gcremap.remap([(old, new)], frames=False)
    assert table[new] == -1
    assert len(table) == 101
    assert table["99"] == 99


def test_a_hash_that_never_lets_the_heap_rest() -> None:
    """The plan can never be made twice alike: refused, or done, but never half."""
    hoard: list[Any] = []
    olds: list[Any] = [Thing("old")]

    class Restless:
        def __hash__(self) -> int:
            hoard.append([olds[0]])
            return 5

    new, kept = Restless(), olds[0]
    holder, table = [olds[0]], {olds[0]: 1}
    try:
        gcremap.remap([(olds[0], new)], frames=False)
    except gcremap.RemapError:
        assert holder[0] is kept
        assert next(iter(table)) is kept
        assert table[kept] == 1
        assert all(inner[0] is kept for inner in hoard)
    else:
        assert holder[0] is new
        assert table[new] == 1


def test_dry_run_reports_collisions_and_changes_nothing() -> None:
    old, new = Thing("old"), Thing("new")
    table = {old: 1, new: 2}
    report = gcremap.remap([(old, new)], frames=False, dry_run=True)
    assert [(container is table, lost) for container, _, lost in report.collisions] == [(True, 1)]
    assert list(table.items()) == [(old, 1), (new, 2)]
    assert report.undo() == 0


class Named:
    """One whose `__eq__` names its own class."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __hash__(self) -> int:
        return hash(self.number)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and self.number == other.number


def test_equality_that_names_its_own_class() -> None:
    old = Named

    class Merged:
        def __init__(self, number: int) -> None:
            self.number = number

        def __hash__(self) -> int:
            return hash(self.number // 10)

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Named) and self.number // 10 == other.number // 10

    keys = [old(10), old(11), old(20)]
    table = {key: key.number for key in keys}
    members = set(keys)
    report = gcremap.remap({old: Merged})
    assert Named is Merged
    assert list(table.items()) == [(keys[0], 11), (keys[2], 20)]
    assert members == {keys[0], keys[2]}
    assert len(members) == 2
    assert sorted(str(lost) for _, _, lost in report.collisions) == sorted(["10", str(keys[1])])
    report.undo()
    assert Named is not Merged
    assert list(table.items()) == [(key, key.number) for key in keys]
    assert [table[Named(number)] for number in (10, 11, 20)] == [10, 11, 20]
    assert members == set(keys)
    assert len(members) == 3


def test_an_exception_that_comes_once_all_is_changed() -> None:
    old = Named

    class Failing:
        def __init__(self, number: int) -> None:
            self.number = number

        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            if isinstance(other, Named):
                raise KeyError(self.number)
            return False

    keys = [old(10), old(11)]
    table = {key: key.number for key in keys}
    with pytest.raises(gcremap.RemapError) as caught:
        gcremap.remap({old: Failing})
    assert isinstance(caught.value.__cause__, KeyError)
    assert Named is not Failing
    assert type(keys[0]) is Named
    assert [table[Named(number)] for number in (10, 11)] == [10, 11]


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("count", [1, 200])
@pytest.mark.parametrize(
    "make", [dict.fromkeys, collections.OrderedDict.fromkeys, collections.Counter, set]
)
def test_undo_of_a_collision_in_a_table_that_grew_since(make: Any, count: int, back: bool) -> None:
    things = [Thing(str(i)) for i in range(6)]
    table = make(reversed(things) if back else things)
    pairs = [(things[0], things[1]), (things[2], things[3]), (things[4], things[3])]
    report = gcremap.remap(pairs, frames=False, exclude=[things, *pairs])
    assert len(table) == 3
    added = list(range(count))
    for each in added:
        table.add(each) if make is set else table.setdefault(each)
    report.undo()
    assert len(table) == 6 + count
    assert set(table) == {*things, *added}
    assert all(thing in table for thing in things)


def test_undo_gives_each_key_its_value_back_in_a_table_that_grew_since() -> None:
    for order in itertools.permutations(range(4)):
        things = [Thing(str(i)) for i in range(4)]
        values = [Thing("value") for _ in things]
        table: dict[Any, Any] = {things[i]: values[i] for i in order}
        other = Thing("other")
        pairs = [(things[0], things[3]), (things[1], things[3]), (values[0], other)]
        report = gcremap.remap(pairs, frames=False, exclude=[things, values, *pairs])
        assert len(table) == 2
        table["more"] = None
        report.undo()
        assert {key: table[key] for key in things} == dict(zip(things, values, strict=True))
        assert "more" in table


def test_undo_leaves_alone_what_was_taken_out_since() -> None:
    old, new = Thing("old"), Thing("new")
    table, members = {old: 1, new: 2}, {old, new}
    report = gcremap.remap([(old, new)], frames=False)
    del table[new]
    members.clear()
    members.add(3)
    report.undo()
    assert table == {}
    assert members == {3}


def test_undo_of_weak_references_in_a_set_that_grew_since() -> None:
    things = [Thing(str(i)) for i in range(6)]
    members = weakref.WeakSet(things)
    table = weakref.WeakKeyDictionary(zip(things, range(6), strict=True))
    pairs = [(things[0], things[1]), (things[2], things[3])]
    report = gcremap.remap(pairs, frames=False, exclude=[things, *pairs])
    assert len(members) == len(table) == 4
    more = [Thing(f"more {i}") for i in range(20)]
    for each in more:
        members.add(each)
        table[each] = None
    report.undo()
    assert set(members) == {*things, *more}
    assert [table[each] for each in things] == list(range(6))


def test_an_error_while_an_entry_comes_back_is_told(monkeypatch: Any) -> None:
    told: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda said: told.append(said.exc_value))

    class Key(Thing):
        angry = False

        def __hash__(self) -> int:
            if self.angry:
                raise OSError("no hash")
            return 1

        __eq__ = object.__eq__

    old, new, other = Key("old"), Key("new"), Thing("other")
    table: dict[Any, Any] = {old: 1, new: 2}
    places = [other]
    report = gcremap.remap([(old, new), (other, None)], frames=False, exclude=[(old, new, other)])
    table["more"] = None
    new.angry = True
    assert report.undo() > 0
    assert [type(each) for each in told] == [OSError]
    assert [*table.items()] == [(old, 2), ("more", None)]
    assert places == [other]

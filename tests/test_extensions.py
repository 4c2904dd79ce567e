"""Holders of other people's making: the memory that gcremap has never seen.

Promise 2 (complete) and 3 (exact) of the contract, against shapes of memory
written for the purpose (``tests/ext``) and against what numpy and msgspec do.
"""

from __future__ import annotations

import gc
import importlib
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

import gcremap
from ext.build import load
from gcremap import _native


class Thing:
    """An object that is nobody else's."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<Thing {self.name}>"


class Pair:
    """An old and a new that only this object names, so that each count is known.

    Every remap of this file excludes it; no local of a test may name what it holds.
    """

    __slots__ = ("new", "old")

    def __init__(self, make: Callable[[str], Any]) -> None:
        self.old = make("old")
        self.new = make("new")

    def counts(self) -> tuple[int, int]:
        """What refers to either, but for a pin of what C code may be using."""
        pins = [id(pinned) for pinned in _native._pinned()]
        return (
            sys.getrefcount(self.old) - pins.count(id(self.old)),
            sys.getrefcount(self.new) - pins.count(id(self.new)),
        )


@dataclass(frozen=True)
class Facts:
    """What a report says, without the report: one keeps its olds alive."""

    replaced: int
    by_type: dict[str, int]
    leftovers: list[int]
    moved: tuple[int, int]

    def slots_of(self, name: str) -> int:
        return sum(n for key, n in self.by_type.items() if key.rpartition(".")[2] == name)


def remap(*pairs: Pair, **options: Any) -> Facts:
    """Remap the pairs and say what became of the first one's counts."""
    gc.collect()
    before = pairs[0].counts()
    report = gcremap.remap([(p.old, p.new) for p in pairs], exclude=list(pairs), **options)
    replaced, by_type = report.replaced, dict(report.by_type)
    leftovers = [count for _, count in report.leftovers]
    del report
    after = pairs[0].counts()
    return Facts(replaced, by_type, leftovers, (after[0] - before[0], after[1] - before[1]))


def assert_moved(facts: Facts, slots: int, name: str) -> None:
    """Exactly so many slots, all of that type's holders, each moving one count."""
    assert facts.replaced == slots
    assert facts.slots_of(name) == slots
    assert facts.moved == (-slots, slots)
    assert facts.leftovers == []


def a_function(name: str) -> Any:
    code = compile(f"def {name}(): return {name!r}", "<a_function>", "exec").co_consts[0]
    return types.FunctionType(code, {})


KINDS: dict[str, Callable[[str], Any]] = {
    "instance": Thing,
    "function": a_function,
    "list": lambda name: [name],
    "dict": lambda name: {name: 1},
    "tuple": lambda name: (name, [name]),
    "str": lambda name: "-".join([name, name]),
    "int": lambda name: int(f"{len(name)}{ord(name[0])}{'0' * 40}"),
    "bytes": lambda name: name.encode() * 9,
    "partial": lambda name: __import__("functools").partial(print, name),
}


@pytest.fixture(params=KINDS)
def pair(request: pytest.FixtureRequest) -> Pair:
    return Pair(KINDS[request.param])


@pytest.fixture
def things() -> Pair:
    return Pair(Thing)


@pytest.fixture(autouse=True)
def churn() -> Iterator[None]:
    """After each test, let the heap move: what holds freed memory shows now."""
    yield
    for _ in range(3):
        scraps: list[object] = [[object(), {i: str(i)}, Thing(str(i))] for i in range(2_000)]
        scraps.append(scraps)
        del scraps
        gc.collect()


@pytest.fixture(scope="module")
def c() -> ModuleType:
    return load("handwritten")


@pytest.fixture(scope="module")
def cython() -> ModuleType:
    return load("cyext")


@pytest.fixture(scope="module")
def pybind() -> ModuleType:
    return load("pybind")


@pytest.fixture(scope="module")
def rust() -> ModuleType:
    return load("pyo3ext")


@pytest.fixture(scope="module")
def np() -> ModuleType:
    return importlib.import_module("numpy")


@pytest.fixture(scope="module")
def msgspec() -> ModuleType:
    return importlib.import_module("msgspec")


class TestHandwritten:
    def test_fields(self, c: ModuleType, pair: Pair) -> None:
        holder = c.Fields(pair.old, pair.old)
        assert_moved(remap(pair), 2, "Fields")
        assert holder.first is pair.new
        assert holder.second is pair.new

    def test_words_that_are_no_slots_stay(self, c: ModuleType, pair: Pair) -> None:
        holder = c.Fields(pair.old, other := Thing("other"))
        assert_moved(remap(pair), 1, "Fields")
        assert holder.first is pair.new
        assert holder.second is other
        assert holder.id == id(pair.old)
        assert holder.borrowed_id == id(pair.old)

    def test_the_other_field_alone(self, c: ModuleType, pair: Pair) -> None:
        holder = c.Fields(other := Thing("other"), pair.old)
        assert_moved(remap(pair), 1, "Fields")
        assert holder.first is other
        assert holder.second is pair.new
        assert holder.id == holder.borrowed_id == id(other)

    @pytest.mark.parametrize("length", [1, 2, 1_000, 100_000])
    def test_array(self, c: ModuleType, things: Pair, length: int) -> None:
        others = [Thing(str(i)) for i in range(7)]
        items = [things.old if i % 97 == 0 else others[i % 7] for i in range(length)]
        holder = c.Array(items)
        del items
        assert_moved(remap(things), len(range(0, length, 97)), "Array")
        for i, item in enumerate(holder.items()):
            assert item is (things.new if i % 97 == 0 else others[i % 7])

    def test_array_of_nothing_else(self, c: ModuleType, things: Pair) -> None:
        holder = c.Array(things.old for _ in range(100_000))
        assert_moved(remap(things), 100_000, "Array")
        assert all(item is things.new for item in holder.items())

    def test_array_and_a_thousand_pairs(self, c: ModuleType) -> None:
        pairs = [Pair(Thing) for _ in range(1_000)]
        holder = c.Array(pair.old for pair in pairs for _ in range(3))
        facts = remap(*pairs)
        assert facts.replaced == facts.slots_of("Array") == 3_000
        assert facts.moved == (-3, 3)
        items = holder.items()
        assert all(items[i] is pairs[i // 3].new for i in range(3_000))

    def test_many_small_arrays(self, c: ModuleType, things: Pair) -> None:
        holders = [c.Array([things.old, i]) for i in range(1_000)]
        assert_moved(remap(things), 1_000, "Array")
        assert all(holder.items() == [things.new, i] for i, holder in enumerate(holders))

    @pytest.mark.parametrize("length", [1, 16, 17, 300 * 16])
    def test_linked_blocks(self, c: ModuleType, things: Pair, length: int) -> None:
        other = Thing("other")
        holder = c.Linked(things.old if i % 7 == 0 else other for i in range(length))
        assert_moved(remap(things), len(range(0, length, 7)), "Linked")
        for i, item in enumerate(holder.items()):
            assert item is (things.new if i % 7 == 0 else other)

    def test_last_of_the_linked_blocks(self, c: ModuleType, things: Pair) -> None:
        others = [Thing(str(i)) for i in range(300 * 16 - 1)]
        holder = c.Linked([*others, things.old])
        assert_moved(remap(things), 1, "Linked")
        assert holder.items()[-1] is things.new
        assert holder.items()[:-1] == others

    def test_tagged_words_keep_their_tags(self, c: ModuleType, pair: Pair) -> None:
        other = Thing("other")
        holder = c.Tagged((pair.old, True), (other, True), (pair.old, False), (other, False))
        assert_moved(remap(pair), 2, "Tagged")
        assert holder.items() == [
            (pair.new, True),
            (other, True),
            (pair.new, False),
            (other, False),
        ]
        assert holder.items()[0][0] is holder.items()[2][0] is pair.new

    def test_traversal_that_looks_inside(self, c: ModuleType, pair: Pair) -> None:
        holder = c.Curious(pair.old, pair.old, pair.old)
        assert_moved(remap(pair), 3, "Curious")
        assert all(item is pair.new for item in holder.items())

    def test_one_object_in_three_words(self, c: ModuleType, pair: Pair) -> None:
        holder = c.Thrice(pair.old)
        assert_moved(remap(pair), 3, "Thrice")
        assert all(item is pair.new for item in holder.items())

    def test_two_olds_in_one_holder_swap(self, c: ModuleType) -> None:
        one, two = Pair(Thing), Pair(Thing)
        two.old, two.new = one.new, one.old
        holder = c.Fields(one.old, one.new)
        facts = remap(one, two)
        assert facts.replaced == facts.slots_of("Fields") == 2
        assert facts.moved == (0, 0)
        assert holder.first is one.new
        assert holder.second is one.old

    def test_shown_only_with_its_first_type(self, c: ModuleType, pair: Pair) -> None:
        holder = c.Picky(pair.old)
        assert_moved(remap(pair), 1, "Picky")
        assert holder.item is pair.new

    def test_shown_only_with_its_first_type_and_given_another(self, c: ModuleType) -> None:
        pair = Pair(Thing)
        pair.new = [1]
        holder = c.Picky(pair.old)
        assert_moved(remap(pair, unsafe=True), 1, "Picky")
        assert holder.item is pair.new

    def test_what_is_not_shown_is_a_leftover(self, c: ModuleType, pair: Pair) -> None:
        holder = c.Secret(pair.old, pair.old)
        facts = remap(pair)
        assert facts.replaced == 1
        assert facts.leftovers == [1]
        assert facts.moved == (-1, 1)
        assert holder.shown is pair.new
        assert holder.hidden is pair.old

    def test_only_a_leftover(self, c: ModuleType, pair: Pair) -> None:
        holders = [c.Secret(None, pair.old) for _ in range(5)]
        facts = remap(pair)
        assert facts.replaced == 0
        assert facts.leftovers == [5]
        assert all(holder.hidden is pair.old for holder in holders)

    def test_no_traversal_is_rewritten_or_counted(self, c: ModuleType, pair: Pair) -> None:
        holder = c.Plain(pair.old)
        facts = remap(pair)
        if holder.item is pair.new:
            assert_moved(facts, 1, "Plain")
        else:
            assert holder.item is pair.old
            assert facts.leftovers == [1]
            assert facts.moved == (0, 0)

    def test_held_by_c_code_up_the_stack(self, c: ModuleType, things: Pair) -> None:
        found: list[Facts] = []
        held = c.call_holding(things.old, lambda: found.append(remap(things)))
        assert held is things.old
        # The C code's own, and the operand of the call, where it cannot be told
        # from a stale word.
        assert found[0].leftovers in ([1], [2])

    def test_subclass_in_python(self, c: ModuleType, pair: Pair) -> None:
        class Sub(c.Fields):  # type: ignore[misc, name-defined]
            __slots__ = ("__dict__", "slot")

        holder = Sub(pair.old, None)
        holder.slot = pair.old
        holder.attribute = pair.old
        facts = remap(pair)
        assert facts.moved == (-3, 3)
        assert holder.first is holder.slot is holder.attribute is pair.new

    def test_dry_run_writes_nothing(self, c: ModuleType, pair: Pair) -> None:
        fields, array = c.Fields(pair.old, None), c.Array([pair.old] * 10)
        facts = remap(pair, dry_run=True)
        assert facts.replaced == 11
        assert facts.moved == (0, 0)
        assert fields.first is pair.old
        assert all(item is pair.old for item in array.items())

    def test_undo(self, c: ModuleType, pair: Pair) -> None:
        tagged = c.Tagged((pair.old, True), (None, True), (pair.old, False), (None, False))
        array = c.Array([pair.old] * 10)
        before = pair.counts()
        report = gcremap.remap([(pair.old, pair.new)], exclude=[pair])
        assert report.undo() == 12
        assert report.undo() == 0
        del report
        assert pair.counts() == before
        assert tagged.items() == [(pair.old, True), (None, True), (pair.old, False), (None, False)]
        assert all(item is pair.old for item in array.items())

    def test_nothing_is_freed_twice_and_nothing_leaks(self, c: ModuleType) -> None:
        alive = 0

        class Counted:
            def __init__(self, _name: str) -> None:
                nonlocal alive
                alive += 1

            def __del__(self) -> None:
                nonlocal alive
                alive -= 1

        for _ in range(10):
            pair = Pair(Counted)
            holders = [c.Thrice(pair.old), c.Array([pair.old] * 5), c.Curious(*[pair.old] * 3)]
            remap(pair)
            del pair, holders
            gc.collect()
            assert alive == sum(type(pinned) is Counted for pinned in _native._pinned())

    def test_referrers_name_the_holder(self, c: ModuleType, things: Pair) -> None:
        holder = c.Fields(things.old, None)
        assert any(slot.holder is holder for slot in gcremap.referrers(things.old))

    def test_key_with_fields_that_cannot_be_set(self, c: Any) -> None:
        """What it will hash to is asked of a copy, which has them if another name sets them."""

        class Key(c.Titled):  # type: ignore[misc, name-defined]
            def __hash__(self) -> int:
                return hash(self.title)

            def __eq__(self, other: object) -> bool:
                return self is other

        class Name:
            def __init__(self, value: int) -> None:
                self.value = value

            def __hash__(self) -> int:
                return self.value

        old, new, key = Name(1), Name(2), Key()
        key.name = old
        table = {key: 0}
        report = gcremap.remap({old: new})
        assert (report.rehashed, table[key]) == (1, 0)
        key.close(new)
        with pytest.raises(gcremap.RemapError, match=r"since .seal. is read-only"):
            gcremap.remap({new: Name(3)})
        assert key.title is key.seal is new
        assert table[key] == 0


class TestCython:
    def test_object_fields(self, cython: ModuleType, pair: Pair) -> None:
        holder = cython.Fields(pair.old, pair.old, {}, 7)
        assert_moved(remap(pair), 2, "Fields")
        assert holder.first is holder.second is pair.new
        assert holder.number == 7

    def test_number_that_is_an_address(self, cython: ModuleType, pair: Pair) -> None:
        holder = cython.Fields(pair.old, None, {}, id(pair.old))
        assert_moved(remap(pair), 1, "Fields")
        assert holder.first is pair.new
        assert holder.number == id(pair.old)

    def test_typed_field_takes_its_type(self, cython: ModuleType) -> None:
        pair = Pair(lambda name: {"key": name})
        holder = cython.Fields(None, None, pair.old)
        assert_moved(remap(pair), 1, "Fields")
        assert holder.table is pair.new
        assert holder.lookup("key") == "new"

    def test_typed_field_refuses_another_type(self, cython: ModuleType) -> None:
        pair = Pair(lambda name: {"key": name})
        pair.new = ["not", "a", "dict"]
        holder = cython.Fields(None, None, pair.old)
        elsewhere = [pair.old]
        before = pair.counts()
        with pytest.raises(gcremap.RemapError) as caught:
            gcremap.remap([(pair.old, pair.new)], exclude=[pair])
        assert caught.value.pair[0] is pair.old
        assert caught.value.pair[1] is pair.new
        assert caught.value.slot.holder is holder
        assert len(caught.value.refusals) == 1
        del caught
        gc.collect()
        assert pair.counts() == before
        assert holder.table is elsewhere[0] is pair.old
        assert holder.lookup("key") == "old"

    def test_subclass_of_list(self, cython: ModuleType, pair: Pair) -> None:
        holder = cython.Listing([pair.old, None, pair.old])
        holder.extra = pair.old
        facts = remap(pair)
        assert facts.replaced == 3
        assert facts.moved == (-3, 3)
        assert holder[0] is holder[2] is holder.extra is pair.new

    def test_fields_of_class_and_base(self, cython: ModuleType, pair: Pair) -> None:
        holder = cython.Derived()
        holder.base_field = holder.own_field = pair.old
        assert_moved(remap(pair), 2, "Derived")
        assert holder.base_field is holder.own_field is pair.new

    def test_suspended_generator(self, cython: ModuleType, pair: Pair) -> None:
        generator = cython.counting(pair.old)
        assert next(generator) is pair.old
        facts = remap(pair)
        assert facts.moved == (-1, 1)
        assert next(generator) is pair.new


class TestPybind:
    def test_one(self, pybind: ModuleType, pair: Pair) -> None:
        holder = pybind.One(pair.old)
        assert_moved(remap(pair), 1, "One")
        assert holder.item is pair.new

    @pytest.mark.parametrize("length", [1, 5_000])
    def test_vector(self, pybind: ModuleType, things: Pair, length: int) -> None:
        holder = pybind.Many([things.old] * length + [None])
        assert_moved(remap(things), length, "Many")
        assert all(item is things.new for item in holder.items()[:-1])
        assert holder.items()[-1] is None

    def test_no_traversal_is_a_leftover(self, pybind: ModuleType, pair: Pair) -> None:
        holder = pybind.Hidden(pair.old)
        facts = remap(pair)
        assert facts.leftovers == [1]
        assert facts.moved == (0, 0)
        assert holder.item is pair.old


class TestPyO3:
    def test_field_vector_and_box(self, rust: ModuleType, pair: Pair) -> None:
        holder = rust.Holder(pair.old, [pair.old] * 50, pair.old)
        assert_moved(remap(pair), 52, "Holder")
        assert holder.one is holder.boxed is pair.new
        assert all(item is pair.new for item in holder.items())

    def test_long_vector(self, rust: ModuleType, things: Pair) -> None:
        other = Thing("other")
        holder = rust.Holder(None, [things.old, other] * 5_000, None)
        assert_moved(remap(things), 5_000, "Holder")
        assert all(
            item is (other if i % 2 else things.new) for i, item in enumerate(holder.items())
        )

    def test_no_traversal_is_a_leftover(self, rust: ModuleType, pair: Pair) -> None:
        holder = rust.Opaque(pair.old)
        facts = remap(pair)
        assert facts.leftovers == [1]
        assert facts.moved == (0, 0)
        assert holder.hidden is pair.old

    def test_borrowed_mutably_shows_nothing(self, rust: ModuleType, pair: Pair) -> None:
        holder = rust.Borrowing(pair.old)
        found: list[Facts] = []
        holder.call(lambda: found.append(remap(pair)))
        # The C code's own, and the operand of the call, where it cannot be told
        # from a stale word.
        assert found[0].leftovers in ([1], [2])
        assert holder.item is pair.old
        assert_moved(remap(pair), 1, "Borrowing")
        assert holder.item is pair.new


class TestNumpy:
    """Object arrays are not collected, yet their dtype says where the references are."""

    def test_one_dimension(self, np: ModuleType, things: Pair) -> None:
        other = Thing("other")
        array = np.array([things.old, other, things.old], dtype=object)
        assert_moved(remap(things), 2, "ndarray")
        assert array[0] is array[2] is things.new
        assert array[1] is other

    def test_no_dimension(self, np: ModuleType, things: Pair) -> None:
        array = np.array(things.old, dtype=object)
        assert_moved(remap(things), 1, "ndarray")
        assert array[()] is things.new

    def test_views_share_one_slot(self, np: ModuleType, things: Pair) -> None:
        array = np.array([things.old] * 100, dtype=object)
        views = [array[::3], array[::-1], array[10:20], array.reshape(10, 10).T]
        assert_moved(remap(things), 100, "ndarray")
        assert all(item is things.new for view in [array, *views] for item in view.flat)

    def test_view_whose_base_is_unnamed(self, np: ModuleType, things: Pair) -> None:
        view = np.array([things.old] * 10, dtype=object)[::2]
        assert_moved(remap(things), 10, "ndarray")
        assert all(item is things.new for item in view)

    def test_structured_is_counted(self, np: ModuleType, things: Pair) -> None:
        dtype = np.dtype([("number", "i4"), ("thing", "O"), ("address", "u8")])
        array = np.zeros(5, dtype=dtype)
        array["thing"] = things.old
        array["address"] = id(things.old)
        facts = remap(things)
        assert facts.replaced == 0
        assert facts.leftovers == [5]
        assert all(item is things.old for item in array["thing"])

    def test_fortran_order(self, np: ModuleType, things: Pair) -> None:
        array = np.empty((30, 20), dtype=object, order="F")
        array[:, ::2] = things.old
        assert_moved(remap(things), 300, "ndarray")
        assert all(item is things.new for item in array[:, ::2].flat)
        assert all(item is None for item in array[:, 1::2].flat)

    def test_numbers_that_are_addresses(self, np: ModuleType, things: Pair) -> None:
        array = np.full(1_000, id(things.old), dtype="u8")
        facts = remap(things)
        assert facts.replaced == 0
        assert facts.leftovers == []
        assert all(array == id(things.old))

    def test_attribute_of_a_subclass(self, np: ModuleType, things: Pair) -> None:
        class Sub(np.ndarray):  # type: ignore[misc, name-defined]
            thing: Any

        array = np.zeros(3).view(Sub)
        array.thing = things.old
        facts = remap(things)
        assert facts.moved == (-1, 1)
        assert array.thing is things.new

    def test_nothing_is_silent(self, np: ModuleType, things: Pair) -> None:
        array = np.array([things.old] * 10, dtype=object)
        facts = remap(things)
        still_old = sum(item is things.old for item in array)
        assert facts.replaced + sum(facts.leftovers) == 10
        assert sum(facts.leftovers) == still_old


class TestMsgspec:
    @pytest.mark.parametrize("options", [{}, {"frozen": True}, {"weakref": True, "dict": True}])
    def test_struct(self, msgspec: ModuleType, pair: Pair, options: dict[str, bool]) -> None:
        kind = msgspec.defstruct("Record", [("a", Any), ("n", int), ("b", Any)], **options)
        record = kind(pair.old, 5, pair.old)
        assert_moved(remap(pair), 2, "Record")
        assert record.a is record.b is pair.new
        assert record.n == 5

    def test_list_in_a_struct(self, msgspec: ModuleType, things: Pair) -> None:
        kind = msgspec.defstruct("Record", [("items", list)])
        record = kind([things.old, 1, things.old])
        assert_moved(remap(things), 2, "list")
        assert record.items[0] is record.items[2] is things.new

    def test_decoded_records(self, msgspec: ModuleType, things: Pair) -> None:
        kind = msgspec.defstruct("Record", [("name", str), ("extra", Any, None)])
        text = b'[{"name": "a"}, {"name": "b", "extra": {"k": [1]}}]'
        records = msgspec.json.decode(text, type=list[kind])  # type: ignore[valid-type]
        records[0].extra = things.old
        records[1].extra["k"].append(things.old)
        assert remap(things).moved == (-2, 2)
        assert records[0].extra is records[1].extra["k"][1] is things.new

    def test_struct_without_collection(self, msgspec: ModuleType, things: Pair) -> None:
        kind = msgspec.defstruct("Record", [("a", Any)], gc=False)
        record = kind(things.old)
        facts = remap(things)
        if record.a is things.new:
            assert_moved(facts, 1, "Record")
        else:
            assert facts.leftovers == [1]

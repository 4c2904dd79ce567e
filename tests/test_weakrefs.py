"""Promise 7: weak references to an old follow it to its new, with all that is built of them."""

from __future__ import annotations

import collections
import gc
import sys
import weakref
from typing import Any

import pytest

import gcremap


class Thing:
    def __init__(self, name: str = "thing") -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Thing({self.name!r})"

    def method(self) -> str:
        return "method of " + self.name


class Equal(Thing):
    """Equal to what has its name; placed by it."""

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Equal) and other.name == self.name


class Slotted:
    """Cannot be weakly referenced."""

    __slots__ = ("name",)


class Pair:
    """An old and a new that only this object owns: `del pair.old` may end it."""

    def __init__(self, make: Any = Thing) -> None:
        self.old = make("old")
        self.new = make("new")

    def remap(self, **options: Any) -> gcremap.RemapReport:
        return gcremap.remap([(self.old, self.new)], frames=False, exclude=[self], **options)


def release() -> None:
    """Lets go of what a remap pinned: nothing up the stack uses it any more."""
    gc.collect()
    gc.collect()


def test_references_follow() -> None:
    pair = Pair()
    plain, again = weakref.ref(pair.old), weakref.ref(pair.old)
    assert plain is again
    report = pair.remap()
    assert plain() is pair.new
    assert report.weakrefs == 1
    assert weakref.getweakrefcount(pair.old) == 0
    assert weakref.getweakrefs(pair.new) == [plain]
    del report, again
    del pair.old
    release()
    assert plain() is pair.new
    del pair.new
    release()
    assert plain() is None


def test_callbacks_are_called_for_new_and_not_for_old() -> None:
    pair = Pair()
    called: list[Any] = []
    references = [weakref.ref(pair.old, called.append) for _ in range(3)]
    report = pair.remap()
    assert report.weakrefs == 3
    assert [reference() for reference in references] == [pair.new] * 3
    del report, pair.old
    release()
    assert called == []
    del pair.new
    release()
    assert sorted(map(id, called)) == sorted(map(id, references))


def test_a_reference_to_new_made_later_is_the_one_that_is_there() -> None:
    """There is one reference without a callback to an object, at the head of its list."""
    pair = Pair()
    moved = weakref.ref(pair.old)
    pair.remap()
    assert weakref.ref(pair.new) is moved
    assert weakref.ref(pair.old) is not moved
    assert weakref.ref(pair.old)() is pair.old


def test_both_sides_have_a_reference_already() -> None:
    pair = Pair()
    moved, there = weakref.ref(pair.old), weakref.ref(pair.new)
    proxy_moved, proxy_there = weakref.proxy(pair.old), weakref.proxy(pair.new)
    with_callback = weakref.ref(pair.new, print)
    pair.remap()
    assert moved() is there() is with_callback() is pair.new
    assert proxy_moved.name == proxy_there.name == "new"
    assert weakref.getweakrefcount(pair.new) == 5
    assert weakref.ref(pair.new) in (moved, there)
    assert weakref.ref(pair.new) is weakref.ref(pair.new)
    assert weakref.proxy(pair.new) is weakref.proxy(pair.new)
    # Whichever goes, those that stay work.
    del there, proxy_there
    assert weakref.ref(pair.new)() is moved() is pair.new
    assert weakref.proxy(pair.new).name == "new"
    del moved, with_callback
    del pair.new
    release()
    with pytest.raises(ReferenceError):
        proxy_moved.name  # noqa: B018


def test_proxies_follow() -> None:
    pair = Pair()
    proxy = weakref.proxy(pair.old)
    called: list[Any] = []
    watched = weakref.proxy(pair.old, called.append)
    report = pair.remap()
    assert report.weakrefs == 2
    assert (proxy.name, watched.name) == ("new", "new")
    proxy.name = "renamed"
    assert pair.new.name == "renamed"
    del report, pair.new
    release()
    assert called == [watched]


def test_a_callable_proxy_calls_new() -> None:
    pair = Pair(lambda name: lambda: name)
    proxy = weakref.proxy(pair.old)
    assert proxy() == "old"
    pair.remap()
    assert proxy() == "new"


def test_references_of_a_subclass_follow() -> None:
    class Ref(weakref.ref[Any]):
        pass

    pair = Pair()
    one, two = Ref(pair.old), Ref(pair.old)
    report = pair.remap()
    assert report.weakrefs == 2
    assert one() is two() is pair.new


def test_weak_methods_follow() -> None:
    pair = Pair()
    method = weakref.WeakMethod(pair.old.method)
    pair.remap()
    bound = method()
    assert bound is not None
    assert bound() == "method of new"
    del bound
    del pair.old
    release()
    assert method() is not None


def test_a_swap_swaps_weak_references() -> None:
    pair = Pair()
    to_old, to_new = weakref.ref(pair.old), weakref.ref(pair.new)
    gcremap.remap(
        [(pair.old, pair.new), (pair.new, pair.old)], frames=False, exclude=[pair, vars(pair)]
    )
    assert to_old() is pair.new
    assert to_new() is pair.old
    assert weakref.ref(pair.new) is to_old
    assert weakref.ref(pair.old) is to_new


def test_hashes_of_references_follow() -> None:
    """A reference remembers the hash of what it refers to, and is equal by it."""
    pair = Pair(Equal)
    reference = weakref.ref(pair.old)
    table, members = {reference: 1, "a": 2}, {(reference, 1)}
    assert hash(reference) == hash("old")
    report = pair.remap()
    assert hash(reference) == hash("new")
    assert table[weakref.ref(pair.new)] == 1
    assert (weakref.ref(pair.new), 1) in members
    assert list(table) == [reference, "a"]
    report.undo()
    assert hash(reference) == hash("old")
    assert table[weakref.ref(pair.old)] == 1


def test_weak_key_dictionaries() -> None:
    pair, other = Pair(), Thing("other")
    table: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
    table[other] = 1
    table[pair.old] = 2
    pair.remap()
    assert table[pair.new] == 2
    assert pair.old not in table
    assert list(table) == [other, pair.new]
    del pair.old
    release()
    assert len(table) == 2
    table[pair.new] = 3
    assert list(table.values()) == [1, 3]
    del pair.new
    release()
    assert list(table.items()) == [(other, 1)]


def test_weak_keys_that_change_without_moving() -> None:
    """The reference stays with its referent, whose hash it remembers and no traversal shows."""
    pair = Pair()
    keys = [frozenset({pair.old}), pair.old.method]
    table: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
    for number, key in enumerate(keys):
        table[key] = number
    references = {weakref.ref(keys[0]): "frozenset", (weakref.ref(keys[1]), 1): "method"}
    pair.remap()
    assert [table[key] for key in keys] == [0, 1]
    assert table[frozenset({pair.new})] == 0
    assert references[weakref.ref(keys[0])] == "frozenset"
    assert references[(weakref.ref(keys[1]), 1)] == "method"
    keys.clear()
    del key
    release()
    assert len(table) == 0


def test_weak_value_dictionaries() -> None:
    pair = Pair()
    table = weakref.WeakValueDictionary({"a": pair.old})
    pair.remap()
    assert table["a"] is pair.new
    del pair.old
    release()
    assert table["a"] is pair.new
    del pair.new
    release()
    assert dict(table) == {}


def test_weak_value_dictionaries_with_a_key_that_changes() -> None:
    """Its references remember their key, to take the entry away when their value goes."""
    pair, values = Pair(), [Thing("value")]
    table: weakref.WeakValueDictionary[Any, Any] = weakref.WeakValueDictionary()
    table[pair.old] = table[(pair.old, 1)] = values[0]
    pair.remap()
    assert table[pair.new] is table[(pair.new, 1)] is values[0]
    del values[0]
    release()
    assert len(table) == 0
    assert not table.data


def test_weak_sets() -> None:
    pair, other = Pair(), Thing("other")
    members = weakref.WeakSet([pair.old, other])
    pair.remap()
    assert set(members) == {pair.new, other}
    assert pair.new in members
    assert pair.old not in members
    del pair.old
    release()
    assert len(members) == 2
    members.discard(pair.new)
    assert set(members) == {other}


def test_members_of_weak_containers_that_become_one() -> None:
    pair = Pair()
    members = weakref.WeakSet([pair.old, pair.new])
    table = weakref.WeakKeyDictionary({pair.old: 1, pair.new: 2})
    report = pair.remap()
    assert list(members) == [pair.new]
    assert list(table.items()) == [(pair.new, 2)]
    assert any(lost == 1 for _, _, lost in report.collisions)
    report.undo()
    assert set(members) == {pair.old, pair.new}
    assert dict(table) == {pair.old: 1, pair.new: 2}


def test_finalize_waits_for_new() -> None:
    pair = Pair()
    called: list[int] = []
    finalizer = weakref.finalize(pair.old, called.append, 1)
    pair.remap()
    found = finalizer.peek()
    assert found is not None
    assert found[0] is pair.new
    del found
    del pair.old
    release()
    assert called == []
    assert finalizer.alive
    del pair.new
    release()
    assert called == [1]
    assert not finalizer.alive


def test_weak_references_can_be_left_alone() -> None:
    pair = Pair()
    called: list[Any] = []
    reference = weakref.ref(pair.old, called.append)
    plain, proxy = weakref.ref(pair.old), weakref.proxy(pair.old)
    members = weakref.WeakSet([pair.old])
    holder = [pair.old]
    report = pair.remap(weakrefs=False)
    assert report.weakrefs == 0
    assert holder == [pair.new]
    assert reference() is plain() is pair.old
    assert proxy.name == "old"
    assert list(members) == [pair.old]
    del report
    del pair.old
    release()
    assert called == [reference]
    assert plain() is None
    assert len(members) == 0


@pytest.mark.parametrize("make", [Slotted, int, None], ids=str)
def test_a_new_that_cannot_be_weakly_referenced(make: Any) -> None:
    pair = Pair(lambda name: Thing(name))
    pair.new = make() if make is not None else None  # type: ignore[assignment]
    reference, proxy = weakref.ref(pair.old), weakref.proxy(pair.old)
    holder = [pair.old]
    report = pair.remap()
    assert holder == [pair.new]
    assert reference() is pair.old
    assert proxy.name == "old"
    assert report.weakrefs == 0
    # The report says how many stayed.
    assert "2 weak references" in repr(report)


@pytest.mark.parametrize("make", [set, frozenset, collections.deque, type, lambda n: lambda: n])
def test_referents_of_many_kinds(make: Any) -> None:
    """Where an object keeps its weak references differs by type."""
    pair = Pair((lambda name: type(name, (), {})) if make is type else make)
    if make is frozenset:
        pair.old, pair.new = frozenset({1}), frozenset({2})  # type: ignore[assignment]
    called: list[Any] = []
    plain, watched = weakref.ref(pair.old), weakref.ref(pair.old, called.append)
    report = pair.remap()
    assert plain() is watched() is pair.new
    report.undo()
    assert plain() is watched() is pair.old


def test_undo_puts_weak_references_back() -> None:
    pair = Pair()
    called: list[Any] = []
    plain, watched = weakref.ref(pair.old), weakref.ref(pair.old, called.append)
    proxy, there = weakref.proxy(pair.old), weakref.ref(pair.new)
    members = weakref.WeakSet([pair.old])
    report = pair.remap()
    assert report.weakrefs == 4
    assert report.undo() >= 4
    assert plain() is watched() is pair.old
    assert proxy.name == "old"
    assert there() is pair.new
    assert list(members) == [pair.old]
    assert pair.old in members
    assert weakref.ref(pair.old) is plain
    assert weakref.ref(pair.new) is there
    del report
    del pair.new
    release()
    assert (plain(), there()) == (pair.old, None)
    del pair.old
    release()
    assert called == [watched]


def test_undo_leaves_alone_what_died_since() -> None:
    pair = Pair()
    short_lived, stays = weakref.ref(pair.old, print), weakref.ref(pair.old)
    report = pair.remap()
    del short_lived
    report.undo()
    assert stays() is pair.old
    assert weakref.getweakrefcount(pair.old) == 1


def test_dry_run_counts_and_moves_nothing() -> None:
    pair = Pair()
    reference = weakref.ref(pair.old)
    assert pair.remap(dry_run=True).weakrefs == 1
    assert reference() is pair.old


def test_an_excluded_weak_reference_stays() -> None:
    pair = Pair()
    kept, moved = weakref.ref(pair.old, print), weakref.ref(pair.old)
    gcremap.remap([(pair.old, pair.new)], frames=False, exclude=[pair, kept])
    assert kept() is pair.old
    assert moved() is pair.new


def test_weak_references_that_are_olds_themselves() -> None:
    """A reference is an object like any other."""
    pair = Pair()
    first, second = weakref.ref(pair.old), weakref.ref(pair.new)
    table, holder = {first: 1}, [first]
    gcremap.remap([(first, second)], frames=False)
    assert holder[0] is second
    assert holder[0]() is pair.new
    assert table[weakref.ref(pair.new)] == 1


def test_thousands_of_weak_references() -> None:
    olds = [Thing(str(i)) for i in range(100)]
    news = [Thing(str(i)) for i in range(100)]
    references = [weakref.ref(olds[i % 100], lambda _: None) for i in range(10_000)]
    report = gcremap.remap(zip(olds, news, strict=True), frames=False, exclude=[olds, news])
    assert report.weakrefs == 10_000
    del report  # It names every weak reference that it would put back.
    assert all(reference() is news[i % 100] for i, reference in enumerate(references))
    gcremap.remap([(new, olds[0]) for new in news], frames=False, exclude=[olds, news])
    assert weakref.getweakrefcount(olds[0]) == 10_000
    for reference in references[::2]:
        assert reference() is olds[0]
    del references[::2], reference
    assert weakref.getweakrefcount(olds[0]) == 5000


def test_counts_of_referents_are_untouched() -> None:
    pair = Pair()
    references = [weakref.ref(pair.old), weakref.proxy(pair.old), weakref.ref(pair.old, print)]
    before = sys.getrefcount(pair.old), sys.getrefcount(pair.new)
    pair.remap()
    assert (sys.getrefcount(pair.old), sys.getrefcount(pair.new)) == before
    assert len(references) == 3


def test_a_weak_reference_to_a_weak_reference_is_a_key() -> None:
    class Reference(weakref.ref[Any]):
        pass

    old, new = Thing(), Thing()
    inner = Reference(old)
    table = {Reference(inner): 1}
    gcremap.remap([(old, new)])
    assert inner() is new
    equal = Reference(new)
    assert table[Reference(inner)] == table[Reference(equal)] == 1

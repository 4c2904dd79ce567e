"""Slots have names and take what their C code can stand, in types that no header describes."""

from __future__ import annotations

import collections
import contextvars
import datetime
import functools
import itertools
import operator
import sys
import types
import typing
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import gcremap
from gcremap import _native

FULL = 2


class Thing:
    def method(self) -> None: ...


class Caller:
    def __call__(self, *args: object) -> str:
        return "new"


def function(*args: object, **kwargs: object) -> str:
    return "old"


def raised() -> BaseException:
    try:
        try:
            raise KeyError
        finally:
            raise ValueError from IndexError()
    except ValueError as error:
        return error


async def coroutine() -> None: ...


async def async_generator() -> Any:
    yield


THING = Thing()

# What has attributes for its slots: name and value agree.
READABLE: list[Callable[[], object]] = [
    lambda: property(function, function, function, "doc"),
    lambda: classmethod(function),
    lambda: staticmethod(function),
    lambda: functools.partial(function, THING, key=THING),
    lambda: functools.lru_cache(function),
    lambda: super(Thing, THING),
    lambda: [].append,
    lambda: THING.method,
    lambda: str.upper,
    lambda: slice(THING, Thing(), Thing()),
    lambda: SimpleNamespace(thing=THING),
    lambda: list[Thing],
    lambda: list[Thing] | None,
    lambda: collections.defaultdict(function),
    lambda: {1: THING}.keys(),
    lambda: raised(),
    lambda: raised().__traceback__,
    lambda: ImportError("no", name="name", path="path"),
    lambda: OSError(10**10, "no", "first", None, "second"),
    lambda: StopIteration(THING),
    lambda: AttributeError("no", name="name", obj=THING),
    lambda: SyntaxError("no", ("file", 10**10, 10**11, "text", 10**12, 10**13)),
    lambda: UnicodeDecodeError("codec", bytes(300), 0, 1, "reason"),
    lambda: contextvars.ContextVar("variable", default=THING),
    lambda: typing.TypeVar("T", bound=Thing),
]


@pytest.mark.parametrize("make", READABLE)
def test_names_say_where_a_slot_is(make: Callable[[], object]) -> None:
    holder = make()
    assert _native._coverage(holder) == FULL
    slots = [slot for slot in _native._walk(holder) if str(slot[5]).startswith(".")]
    assert slots
    for slot in slots:
        name, value = str(slot[5]).removeprefix("."), slot[7]
        if name in ("key", "__dict__") and not hasattr(holder, name):
            continue  # an attribute, or attributes that have no name for all
        now = getattr(holder, name)
        # Bound methods and namespaces are made anew at each look.
        assert now is value or now == value, name


OTHERS: list[Callable[[], object]] = [
    lambda: operator.attrgetter("a").__call__,
    lambda: functools.cmp_to_key(lambda a, b: 0)(THING),
    lambda: types.MappingProxyType({1: THING}),
    lambda: iter([THING]),
    lambda: reversed([THING]),
    lambda: iter((THING,)),
    lambda: iter({THING}),
    lambda: iter({THING: 1}),
    lambda: iter({THING: 1}.items()),
    lambda: iter("text"),
    lambda: iter(function, 1),
    lambda: iter(collections.deque([THING])),
    lambda: enumerate([THING]),
    lambda: zip([THING], [THING], strict=True),
    lambda: map(function, [THING]),
    lambda: filter(function, [THING]),
    lambda: itertools.chain([THING]),
    lambda: itertools.count(10**20),
    lambda: itertools.cycle([THING]),
    lambda: itertools.islice([THING], 1),
    lambda: itertools.accumulate([THING]),
    lambda: itertools.repeat(THING),
    lambda: itertools.product([THING]),
    lambda: itertools.pairwise([THING]),
    lambda: collections.deque([THING] * 200),
    lambda: collections.OrderedDict({THING: THING}),
    lambda: collections.Counter([THING]),
    lambda: memoryview(b"bytes"),
    lambda: sys.version_info,
    lambda: contextvars.copy_context(),
    lambda: coroutine,
    lambda: raised().__traceback__.tb_frame,  # type: ignore[union-attr]
    lambda: datetime.datetime.now(datetime.UTC),
    lambda: datetime.time(1, tzinfo=datetime.UTC),
    lambda: (thing for thing in [THING]),
    lambda: async_generator(),
    lambda: sys.modules[__name__],
]


@pytest.mark.parametrize("make", OTHERS)
def test_walkers_know_the_types_of_the_core(make: Callable[[], object]) -> None:
    holder = make()
    assert _native._coverage(holder) == FULL
    assert all(slot[5] for slot in _native._walk(holder))


def new_for(old: object, new: object) -> gcremap.RemapReport:
    return gcremap.remap([(old, new)])


def test_a_callable_may_be_of_another_type() -> None:
    def old(x: object = None) -> str:
        return "old"

    partial = functools.partial(old, 1)
    mapped = map(old, [1, 2])
    called = iter(old, "never")
    getter = property(old)
    new_for(old, Caller())
    assert partial() == "new"
    assert list(mapped) == ["new", "new"]
    assert next(called) == "new"
    assert isinstance(getter.fget, Caller)


def test_what_an_iterator_reads_by_layout_keeps_its_type() -> None:
    old = [1, 2]
    iterator = iter(old)
    with pytest.raises(gcremap.RemapError):
        new_for(old, (1, 2))
    assert list(iterator) == [1, 2]

    class Longer(list[int]):
        pass

    other = [1, 2]
    iterator = iter(other)
    new_for(other, Longer([3, 4, 5]))
    assert list(iterator) == [3, 4, 5]


def test_an_iterator_inside_zip_stays_an_iterator() -> None:
    def generate() -> Iterator[int]:
        yield 1

    old = generate()
    zipped = zip(old, [2], strict=False)
    with pytest.raises(gcremap.RemapError):
        new_for(old, [1])
    new_for(old, iter([7]))
    assert list(zipped) == [(7, 2)]


def test_the_buffer_of_a_memoryview_is_not_replaced() -> None:
    old = bytearray(b"old")
    view = memoryview(old)
    with pytest.raises(gcremap.RemapError) as refused:
        new_for(old, bytearray(b"new"))
    assert "private state" in str(refused.value)
    assert bytes(view) == b"old"


def test_the_keys_of_an_ordered_dict_and_a_cache_follow() -> None:
    class Key:
        pass

    old, new = Key(), Key()
    ordered = collections.OrderedDict({1: 1, old: "value", 2: 2})
    calls = []

    @functools.lru_cache
    def cached(key: object) -> int:
        calls.append(key)
        return len(calls)

    assert cached(old) == 1
    calls.clear()
    new_for(old, new)
    assert list(ordered) == [1, new, 2]
    assert ordered[new] == "value"
    ordered.move_to_end(new)
    assert list(ordered) == [1, 2, new]
    assert cached(new) == 1
    assert not calls


def test_a_key_that_only_an_ordered_dict_counts_is_counted_off() -> None:
    class Key:
        pass

    old = Key()
    ordered = collections.OrderedDict.fromkeys([old])
    report = new_for(old, Key())
    assert report.leftovers == ()
    assert ordered.popitem()[0] is old  # this name is new by now, and so is the key


def test_results_of_a_cache_follow() -> None:
    old, new = Thing(), Thing()
    box = [old]

    @functools.lru_cache
    def cached() -> object:
        return box[0]

    assert cached() is old
    new_for(old, new)
    assert cached() is new


def test_values_of_a_context_follow() -> None:
    old, new = Thing(), Thing()
    variables = [contextvars.ContextVar[Thing](f"v{i}") for i in range(60)]
    context = contextvars.Context()
    for variable in variables:
        context.run(variable.set, old)
    report = new_for(old, new)
    assert all(context[variable] is new for variable in variables)
    assert report.leftovers == ()


class Zone(datetime.tzinfo):
    def utcoffset(self, when: datetime.datetime | None) -> datetime.timedelta:
        return datetime.timedelta(0)

    def dst(self, when: datetime.datetime | None) -> None:
        return None

    def tzname(self, when: datetime.datetime | None) -> str:
        return "zone"


class Summer(Zone):
    pass


def test_a_tzinfo_that_nothing_shows_follows() -> None:
    old, new = Zone(), Summer()
    dated, timed = datetime.datetime(2000, 1, 1, tzinfo=old), datetime.time(1, tzinfo=old)
    keep = [dated, timed]
    report = new_for(old, new)
    assert dated.tzinfo is new
    assert timed.tzinfo is new
    assert report.leftovers == ()
    assert keep == [dated, timed]


def test_a_tzinfo_whose_hash_is_kept_stays() -> None:
    old = Zone()
    dated = datetime.datetime(2000, 1, 1, tzinfo=old)
    table = {dated: 1}
    with pytest.raises(gcremap.RemapError):
        new_for(old, Zone())
    assert table[dated] == 1


def test_locals_of_a_frame_that_is_over_follow() -> None:
    old, new = Thing(), Thing()

    def fail(thing: Thing) -> None:
        raise KeyError

    try:
        fail(old)
    except KeyError as error:
        caught = error
    assert caught.__traceback__ is not None
    inner = caught.__traceback__.tb_next
    assert inner is not None
    report = new_for(old, new)
    assert inner.tb_frame.f_locals["thing"] is new
    assert report.leftovers == ()


def test_the_stop_of_a_range_is_a_leftover() -> None:
    old = int("1" * 30)
    span = range(old)
    report = gcremap.remap([(old, int("2" * 30))], dry_run=True)
    assert span.stop is old
    assert sum(count for _, count in report.leftovers) >= 1

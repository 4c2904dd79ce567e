"""Remaps from wherever Python code can run, and from many threads at once."""

from __future__ import annotations

import collections
import contextlib
import gc
import random
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

import child
import gcremap


class Thing:
    def __init__(self, name: str = "thing") -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Thing({self.name!r})"


class Scene:
    """Holders of an old, and the remap that code called from anywhere makes."""

    def __init__(self) -> None:
        self.old: Any = Thing("old")
        self.new: Any = Thing("new")
        self.holders: list[Any] = [[self.old], {self.old: 1}, {self.old}, (self.old, 1)]
        self.reports = 0

    def remap(self, *_: Any) -> None:
        gcremap.remap([(self.old, self.new)], frames=False, exclude=[self])
        self.reports += 1

    def check(self) -> None:
        assert self.reports >= 1
        in_list, in_dict, in_set, in_tuple = self.holders
        assert in_list == [self.new]
        assert in_dict[self.new] == 1
        assert self.new in in_set
        assert in_tuple[0] is self.new
        assert self.old not in in_dict
        assert self.old not in in_set


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.check()


def test_from_a_finaliser(scene: Scene) -> None:
    class Ends:
        def __del__(self) -> None:
            scene.remap()

    Ends()


def test_from_a_finaliser_in_a_collection(scene: Scene) -> None:
    class Ends:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            scene.remap()

    for _ in range(5):
        Ends()
    gc.collect()
    assert scene.reports == 5


def test_from_the_finaliser_of_what_a_remap_releases() -> None:
    # By itself: a word that others left on the stack may keep one of the chain.
    said = child.run(
        """
        import gcremap

        class Chained:
            def __init__(self, depth):
                self.inner = [Chained(depth - 1)] if depth else None

            def __del__(self):
                if self.inner is None:
                    report = gcremap.remap([(old, new)], frames=False)
                    print(report.replaced, kept == [new])
                else:
                    gcremap.remap([(self.inner[0], None)], frames=False, weakrefs=False)

        class Thing:
            pass

        old, new = Thing(), Thing()
        kept = [old]
        holder = [Chained(20)]
        gcremap.remap([(holder[0], None)], frames=False, weakrefs=False)
        print(holder)
        """
    )
    assert said.splitlines() == ["2 True", "[None]"]


def test_from_a_weak_reference_callback(scene: Scene) -> None:
    thing = Thing()
    kept = weakref.ref(thing, scene.remap)
    del thing
    assert kept() is None


def test_from_a_weak_reference_callback_in_a_collection(scene: Scene) -> None:
    class Cycle:
        def __init__(self) -> None:
            self.me = self

    references = [weakref.ref(Cycle(), scene.remap) for _ in range(5)]
    gc.collect()
    assert [reference() for reference in references] == [None] * 5
    assert scene.reports == 5


def test_from_a_callback_of_the_collector(scene: Scene) -> None:
    phases = []

    def callback(phase: str, info: Any) -> None:
        phases.append(phase)
        scene.remap()

    gc.callbacks.append(callback)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(callback)
    assert phases == ["start", "stop"]


def test_what_a_collection_is_finalising() -> None:
    """Trash may keep old, or hold new; the collection must be able to go on."""
    new, seen = Thing("new"), []

    class Cycle:
        def __init__(self) -> None:
            self.me, self.thing = self, Thing("old")

        def __del__(self) -> None:
            gcremap.remap([(self.thing, new), (self, Thing())], frames=False)
            seen.append(self.thing.name)

    for _ in range(10):
        Cycle()
    gc.collect()
    gc.collect()
    assert len(seen) == 10
    assert set(seen) <= {"old", "new"}


@pytest.mark.parametrize("kind", [dict, collections.OrderedDict, set])
def test_from_an_equality_during_a_lookup(kind: Any) -> None:
    """What is there before, during and after the lookup is found, whatever moves."""

    class Key:
        action: Callable[[], Any] | None = None

        def __init__(self, number: int) -> None:
            self.number = number

        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            if Key.action is not None:
                action, Key.action = Key.action, None
                action()
            return isinstance(other, Key) and self.number == other.number

    for others in (0, 3, 20, 200):
        look_up_while_keys_move(kind, others, Key)


def look_up_while_keys_move(kind: Any, others: int, key: Any) -> None:
    olds = [Thing() for _ in range(others)]
    news = [Thing() for _ in range(others)]
    items = [*olds, *map(key, range(5))]
    random.Random(others).shuffle(items)
    table = set(items) if kind is set else kind((item, item) for item in items)
    del items

    def there() -> None:
        gcremap.remap(zip(olds, news, strict=True), frames=False, exclude=[olds, news])

    def back() -> None:
        gcremap.remap(zip(news, olds, strict=True), frames=False, exclude=[olds, news])

    for number in range(5):
        key.action = there
        assert key(number) in table
        key.action = back
        assert key(99) not in table
        assert key.action is None
    # An insertion is a lookup first.
    key.action = there
    if kind is set:
        table.add(key(4))
    else:
        table[key(4)] = "again"
    assert len(table) == len(list(table)) == others + 5
    assert all(new in table for new in news)


def test_of_the_very_keys_that_a_lookup_compares() -> None:
    class Key:
        def __init__(self, table: Any) -> None:
            self.table = table

        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            # A remap compares keys as well, and must not be begun by that.
            if self.table:
                with contextlib.suppress(gcremap.RemapError):
                    gcremap.remap([(self, Key(None))], frames=False)
            return False

    table: dict[Any, int] = {}
    for number in range(3):
        table[Key(None)] = number
    for key in list(table):
        key.table = table
    del key
    assert Key(None) not in table
    assert list(table.values()) == [0, 1, 2]
    assert [table[key] for key in list(table)] == [0, 1, 2]


def test_from_the_iterable_of_pairs(scene: Scene) -> None:
    other, another = Thing(), Thing()
    holder = [other]

    def pairs() -> Iterator[Any]:
        yield other, another
        scene.remap()

    gcremap.remap(pairs(), frames=False)
    assert holder == [another]


def test_from_a_mapping_of_ones_own(scene: Scene) -> None:
    other, another = Thing(), Thing()
    holder = [other]

    class Odd(Mapping[Any, Any]):
        def __iter__(self) -> Iterator[Any]:
            scene.remap()
            return iter([other])

        def __len__(self) -> int:
            scene.remap()
            return 1

        def __getitem__(self, key: Any) -> Any:
            scene.remap()
            return another

    mapping = Odd()
    gcremap.remap(mapping, frames=False)
    assert holder == [another]


def test_from_the_repr_of_what_is_refused(scene: Scene) -> None:
    class Refused:
        def __repr__(self) -> str:
            scene.remap()
            return "refused"

    with pytest.raises(gcremap.RemapError) as caught:
        gcremap.remap([(None, Refused())])
    str(caught.value)
    scene.remap()


def test_from_a_trace_function(scene: Scene) -> None:
    def trace(*args: Any) -> Any:
        scene.remap()
        return trace

    def traced() -> int:
        a = 1
        b = [a, a]
        return sum(b)

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        result = traced()
    finally:
        sys.settrace(before)
    assert result == 2


def test_from_a_signal_handler(scene: Scene) -> None:
    def handle(*_: Any) -> None:
        # The signal may come while a remap computes hashes: as from a __hash__ then.
        with contextlib.suppress(gcremap.RemapError):
            scene.remap()

    before = signal.signal(signal.SIGALRM, handle)
    try:
        for _ in range(5):
            # Once each: a handler that takes longer than an interval would never end.
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            end = time.monotonic() + 0.05
            while time.monotonic() < end:
                sorted(range(100), key=lambda n: -n)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_from_a_signal_handler_amid_a_hash(scene: Scene) -> None:
    errors: list[BaseException] = []

    def handle(*_: Any) -> None:
        try:
            scene.remap()
        except gcremap.RemapError as error:
            errors.append(error)

    class Key:
        def __hash__(self) -> int:
            signal.raise_signal(signal.SIGUSR1)
            return 1

    before = signal.signal(signal.SIGUSR1, handle)
    old, new = object(), Key()
    table = {old: "value"}
    try:
        gcremap.remap([(old, new)], frames=False)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert [*table] == [new]
    [message] = {str(error) for error in errors}
    assert message == "a remap cannot begin in a __hash__ or __eq__ that a remap runs"
    scene.remap()


def test_from_a_sort_of_what_is_replaced() -> None:
    """The list is empty meanwhile: its items are in memory of C alone."""
    scene = Scene()
    items = [scene.old, Thing("a"), scene.old, Thing("b")]
    reports = []

    def key(item: Any) -> str:
        if not reports:
            reports.append(gcremap.remap([(scene.old, scene.new)], frames=False, exclude=[scene]))
        return str(item.name)

    items.sort(key=key)
    assert [item.name for item in items] in (
        ["a", "b", "old", "old"],
        ["a", "b", "new", "new"],
        ["a", "b", "new", "old"],
        ["a", "b", "old", "new"],
    )
    left = sum(item is scene.old for item in items)
    assert sum(count for _, count in reports[0].leftovers) >= left


def test_from_generators_that_fill_containers(scene: Scene) -> None:
    def generate() -> Iterator[Any]:
        for number in range(20):
            yield scene.old
            if number == 10:
                scene.remap()
        yield scene.old

    for make in (list, tuple, set, frozenset, collections.deque, dict.fromkeys):
        result = make(generate())
        assert set(result) <= {scene.old, scene.new}
        assert all(isinstance(thing, Thing) for thing in result)
        if isinstance(result, (set, frozenset, dict)):
            assert scene.old in result
            assert len(result) <= 2


def test_from_a_class_that_is_being_made(scene: Scene) -> None:
    other, another = type("Other", (), {}), type("Another", (), {})

    class Meta(type):
        def mro(cls) -> list[type]:
            scene.remap()
            gcremap.remap([(Thing(), Thing())])
            return super().mro()

        @classmethod
        def __prepare__(cls, name: str, bases: Any) -> Any:  # type: ignore[override]
            scene.remap()
            return {}

    class Descriptor:
        def __set_name__(self, owner: Any, name: str) -> None:
            scene.remap()
            gcremap.remap([(other, another)], frames=False)

    class Class(metaclass=Meta):
        attribute = Descriptor()

        def __init_subclass__(cls) -> None:
            scene.remap()

    class Sub(Class, other):  # type: ignore[misc, valid-type]
        pass

    assert Sub.__mro__[:2] == (Sub, Class)
    assert issubclass(Sub, another)
    gcremap.remap([(other, another)], frames=False)
    Sub.__bases__ = (Class,)
    assert Sub().attribute is Class.attribute


def test_the_base_of_a_class_that_is_being_made() -> None:
    """Its MRO is not there yet."""
    child.run(
        """
        import gcremap
        class Old: value = "old"
        class New: value = "new"
        class Meta(type):
            def mro(cls):
                if cls.__name__ == "Sub":
                    try:
                        gcremap.remap([(Old, New)], frames=False, exclude=[pair])
                    except gcremap.RemapError as error:
                        print("refused")
                return super().mro()
        pair = [Old, New]
        base = [Old]
        Sub = Meta("Sub", (base[0],), {})
        assert Sub.value in ("old", "new")
        assert all(b in Sub.__mro__ for b in Sub.__bases__), (Sub.__mro__, Sub.__bases__)
        assert Sub in Sub.__bases__[0].__subclasses__()
        gcremap.remap([(pair[0], pair[1])], exclude=[pair])
        assert Sub.value == "new" and Sub.__mro__ == (Sub, pair[1], object)
        """
    )


def test_threads_that_remap_and_mutate() -> None:
    """Each thread looks after holders of its own; all of them see every remap."""
    end, failures = time.monotonic() + 3, []
    interval = sys.getswitchinterval()

    def work(seed: int) -> None:
        rng = random.Random(seed)
        current: list[Any] = [Thing(str(seed))]
        holders = {"list": [], "dict": {}, "set": set(), "weak": weakref.WeakSet()}
        while time.monotonic() < end:
            thing = current[0]
            holders["list"] = [thing] * rng.randrange(5)
            holders["dict"] = {n: n for n in range(rng.randrange(20))} | {thing: "value"}
            holders["set"] = {thing, (thing, 1), frozenset({thing})}
            holders["weak"].add(thing)
            fresh = Thing(str(seed))
            gcremap.remap([(thing, fresh)], frames=False, exclude=[current])
            assert all(x is fresh for x in holders["list"])
            assert holders["dict"][fresh] == "value"
            assert holders["set"] == {fresh, (fresh, 1), frozenset({fresh})}
            assert set(holders["weak"]) == {fresh}
            current[0] = fresh

    def churn() -> None:
        while time.monotonic() < end:
            cycle: list[Any] = [[Thing(str(n)) for n in range(20)]]
            cycle.append(cycle)
            type("Class", (Thing,), {"x": cycle})("x")
            gc.collect(0)

    def guarded(function: Callable[..., None], *args: Any) -> None:
        try:
            function(*args)
        except BaseException as error:
            failures.append(error)

    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=guarded, args=(work, seed)) for seed in range(4)]
        threads += [threading.Thread(target=guarded, args=(churn,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    finally:
        sys.setswitchinterval(interval)
    assert failures == []


def test_threads_that_swap_the_same_things() -> None:
    a, b = Thing("a"), Thing("b")
    holder, table = [a, b], {a: "a", b: "b"}
    pair, failures = [a, b], []

    def work() -> None:
        for _ in range(4):
            with contextlib.suppress(gcremap.RemapError):
                gcremap.remap(
                    [(pair[0], pair[1]), (pair[1], pair[0])], frames=False, exclude=[pair]
                )
            if {*holder} != {a, b} or len(table) != 2:
                failures.append(list(holder))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert holder == [a, b]
    assert table == {a: "a", b: "b"}


@pytest.mark.parametrize("at", [0, 3, 8, 10])
def test_a_tuple_that_c_code_is_building(at: int) -> None:
    """C code can go on with it, whether what it has so far is rewritten (up to 3.14) or is
    on the C stack, where nothing can be. With ten items it is full for now."""
    pairs = [(["old"], ["new"])]
    kept = list(pairs[0])
    reports = []

    def items() -> Iterator[list[str]]:
        item = pairs[0][0]
        for number in range(15):
            if number == at:
                # The names of the test keep both sides apart.
                reports.append(gcremap.remap(pairs, exclude=[kept]))
            yield item

    made = tuple(items())
    assert len(made) == 15
    old, new = kept
    assert all(item is new for item in made[at:])
    assert all(item is old or item is new for item in made[:at])
    reports.pop().undo()
    assert len(made) == 15


def test_a_report_that_a_callback_finds_before_there_is_anything_to_undo() -> None:
    said = child.run(
        """
        import gc, gcremap

        class Old: pass
        class New: pass

        found = []

        def find(phase, info):
            if found:
                return
            for each in gc.get_objects():
                if type(each) is gcremap.RemapReport and not hasattr(each, "replaced"):
                    found.append((each, each.undo()))

        gc.collect()
        gc.callbacks.append(find)
        gc.set_threshold(1)
        instance = Old()
        report = gcremap.remap([(Old, New)])
        gc.set_threshold(0)
        (early, count), = found
        print(early is report, count, type(instance).__name__, report.replaced > 0)
        report.undo()
        print(type(instance).__name__)
        """
    )
    assert said.split() == ["True", "0", "New", "True", "Old"]

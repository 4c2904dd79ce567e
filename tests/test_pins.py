"""Promise 6: what C code up the stack is using stays alive, and not for longer."""

from __future__ import annotations

import bisect
import collections
import contextlib
import contextvars
import functools
import gc
import heapq
import itertools
import json
import re
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import child
import gcremap
from apart import run_apart
from gcremap import _native


class Running:
    """A callable that remaps itself away while C code is calling it."""

    def __init__(self, box: list[Any]) -> None:
        self.box = box
        self.payload = [object() for _ in range(10)]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.box and self.box[0] is self:
            new = Replacement()
            gcremap.remap([(self, new)], weakrefs=False)
            churn()
        return args[0] if args else 0

    def __hash__(self) -> int:
        return 1

    def __lt__(self, other: object) -> bool:
        return bool(self(True))


class Replacement:
    def __init__(self) -> None:
        self.payload = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return args[0] if args else 0

    def __lt__(self, other: object) -> bool:
        return True


def churn() -> None:
    """Uses the memory of whatever has just died for something else."""
    gc.collect()
    for size in (1, 5, 10, 50):
        [Running([]) for _ in range(20)]
        [bytearray(b"\xff" * 8 * size) for _ in range(100)]


USES: dict[str, Callable[[Any], Any]] = {
    "map": lambda box: list(map(box[0], range(5))),
    "filter": lambda box: list(filter(box[0], range(5))),
    "sorted": lambda box: sorted(range(5), key=box[0]),
    "list.sort": lambda box: [3, 1, 2].sort(key=box[0]),
    "min": lambda box: min(range(5), key=box[0]),
    "partial": lambda box: functools.partial(box[0], 1)(),
    "partial of partial": lambda box: functools.partial(functools.partial(box[0], 1), k=2)(),
    "lru_cache": lambda box: functools.lru_cache(box[0])(1),
    "reduce": lambda box: functools.reduce(box[0], range(5)),
    "accumulate": lambda box: list(itertools.accumulate(range(5), box[0])),
    "starmap": lambda box: list(itertools.starmap(box[0], [(1,), (2,), (3,)])),
    "groupby": lambda box: [list(g) for _, g in itertools.groupby(range(5), box[0])],
    "takewhile": lambda box: list(itertools.takewhile(box[0], [1, 2, 0])),
    "iter with sentinel": lambda box: list(itertools.islice(iter(box[0], None), 5)),
    "defaultdict": lambda box: collections.defaultdict(box[0])["x"],
    "re.sub": lambda box: re.sub("a", lambda m: str(box[0](m[0])), "aaa"),
    "heapq": lambda box: heapq.nsmallest(3, range(5), key=box[0]),
    "bisect": lambda box: bisect.bisect([1, 2, 3], 2, key=box[0]),
    "json": lambda box: json.dumps({"a": object, "b": object}, default=lambda o: box[0](1)),
    "json directly": lambda box: json.loads('{"a": {"b": {}}}', object_hook=box[0]),
    "cmp_to_key": lambda box: sorted([3, 1, 2], key=functools.cmp_to_key(box[0])),
    "context run": lambda box: contextvars.copy_context().run(box[0], 1),
    "property": lambda box: type(type("C", (), {"p": property(box[0])})().p).__name__,
    "__getattr__": lambda box: type("C", (), {"__getattr__": staticmethod(box[0])})().x,
    "__del__": lambda box: type("C", (), {"__del__": staticmethod(box[0])})() and None,
    "static method": lambda box: type("C", (), {"m": staticmethod(box[0])})().m(1),
    "next": lambda box: next(map(box[0], [1, 2])),
    "zip of maps": lambda box: list(zip(map(box[0], range(3)), map(box[0], range(3)), strict=True)),
    "any": lambda box: any(map(box[0], [0, 0, 1])),
    "str.join": lambda box: "".join(map(str, map(box[0], range(3)))),
    "dict from pairs": lambda box: dict(map(box[0], [(1, 2), (3, 4)])),
    "unpacking": lambda box: [*map(box[0], range(3)), *map(box[0], range(3))],
    "weakref callback": lambda box: weakref.ref(type("C", (), {})(), box[0]) and None,
    "apply with stars": lambda box: box[0](*[1, 2], k=3),
    "comparison": lambda box: sorted([box[0], box[0], box[0]]),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_callable_that_replaces_itself(use: Callable[[Any], Any]) -> None:
    expected = use([Replacement()])
    box: list[Any] = []
    box.append(Running(box))
    result = use(box)
    assert type(box[0]) is Replacement
    if not isinstance(expected, list) or not any(isinstance(x, Replacement) for x in expected):
        assert result == expected


def test_the_iterator_that_a_for_loop_runs() -> None:
    class Numbers:
        def __init__(self, box: list[Any], start: int, end: int) -> None:
            self.box, self.at, self.end = box, start, end

        def __iter__(self) -> Any:
            return self

        def __next__(self) -> int:
            self.at += 1
            if self.at == 3 and self.box[0] is self:
                gcremap.remap([(self, Numbers(self.box, 10, 13))], weakrefs=False)
                churn()
            if self.at >= self.end:
                raise StopIteration
            return self.at

    box: list[Any] = []
    box.append(Numbers(box, 0, 20))
    seen = list(box[0])
    assert type(box[0]) is Numbers
    assert seen[:2] == [1, 2]
    assert seen[-1] in (12, 19)
    box[:] = [Numbers(box, 0, 20)]
    seen = []
    for number in box[0]:
        seen.append(number)
    # The loop may keep the iterator it began with; it must not use a dead one.
    assert seen[:2] == [1, 2]
    assert seen[-1] in (12, 19)


def test_the_container_that_c_code_goes_through() -> None:
    box: list[Any] = [[*range(5)]]

    def replace(item: int) -> int:
        if item == 2 and len(box[0]) == 5:
            gcremap.remap([(box[0], [9] * 20)], weakrefs=False)
            churn()
        return item

    for use in (map, filter):
        box[0] = [*range(5)]
        seen = list(use(replace, box[0]))
        assert seen[:2] in ([0, 1], [1, 2])
        assert set(seen) <= {0, 1, 2, 3, 4, 9}
    for attempt in (sum, max, tuple, set):
        box[0] = [*range(5)]
        attempt(map(replace, box[0]))


def test_operands_of_operators() -> None:
    class Old:
        def __init__(self) -> None:
            self.payload = [1, 2, 3]

        def replace(self, *_: Any) -> Any:
            gcremap.remap([(self, 5)], weakrefs=False)
            churn()
            return NotImplemented

        __add__ = __radd__ = __eq__ = __lt__ = __contains__ = replace
        __getattr__ = __getitem__ = replace
        __hash__ = object.__hash__

    for use in (
        lambda box: box[0] + 1,
        lambda box: 1 + box[0],
        lambda box: box[0] == 1,
        lambda box: box[0] in [1, 2, box[0]],
        lambda box: [1, 2, 3].index(box[0]),
        lambda box: [1, box[0], 3].count(2),
        lambda box: (1, box[0]) == (1, 2),
        lambda box: box[0].attribute,
    ):
        box = [Old()]
        with contextlib.suppress(TypeError, ValueError):
            use(box)
        assert type(box[0]) is int


def test_a_generator_that_c_code_is_running() -> None:
    def generate() -> Iterator[int]:
        yield 1
        with pytest.raises(gcremap.RemapError):
            gcremap.remap([(box[0], iter([]))])
        churn()
        yield 2

    box: list[Any] = []
    box.append(generate())
    assert list(map(int, box[0])) == [1, 2]


class Mortal:
    died = 0

    def __del__(self) -> None:
        Mortal.died += 1


def test_pins_are_released_once_nothing_uses_them() -> None:
    Mortal.died = 0
    pinned = []

    def work() -> None:
        box: list[Any] = [Mortal()]

        def key(item: int) -> int:
            if item == 2:
                report = gcremap.remap([(box[0], None)], weakrefs=False)
                pinned.append(report.pinned)
            return item

        sorted([1, 2, 3], key=key)
        assert box == [None]

    run_apart(work)
    assert len(pinned) == 1
    assert not any(isinstance(each, Mortal) for each in _native._pinned())
    assert Mortal.died == 1


def test_pins_do_not_pile_up() -> None:
    """A few may stay for what the stack has left over, but not each."""
    Mortal.died = 0
    before = len(_native._pinned())
    for _ in range(50):
        box: list[Any] = [Mortal()]
        sorted([1], key=lambda _: gcremap.remap([(box[0], None)], weakrefs=False) and 1)
    gc.collect()
    gc.collect()
    assert len(_native._pinned()) - before <= 5
    assert Mortal.died >= 45


def test_pins_of_several_threads() -> None:
    Mortal.died = 0
    barrier = threading.Barrier(4)

    def work() -> None:
        for _ in range(3):
            box: list[Any] = []
            box.append(Running(box))
            barrier.wait(30)
            list(map(box[0], range(3)))
            assert type(box[0]) is Replacement
            box[0] = Mortal()
            gcremap.remap([(box[0], None)], weakrefs=False)

    failures: list[Any] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=guarded) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []
    gc.collect()
    gc.collect()
    assert Mortal.died >= 11


def test_pins_when_the_interpreter_ends() -> None:
    """The last words of a process may still use what is pinned."""
    out = child.run(
        """
        import atexit, gcremap, sys
        class Old:
            def __call__(self):
                gcremap.remap([(self, print)])
                return [Old() for _ in range(1000)]
            def __del__(self): pass
        box = [Old()]
        atexit.register(box[0])
        class Late:
            def __del__(self):
                gcremap.remap([(box[0], box[1])])
        keep = Late()
        box.append(Old())
        print("end")
        """
    )
    assert out.startswith("end")


def test_the_function_that_a_thread_runs() -> None:
    """It is named by C memory of the thread that only its end frees."""
    ready, go_on, seen = threading.Event(), threading.Event(), []

    class Target:
        def __init__(self, name: str) -> None:
            self.name = name

        def __call__(self, argument: Any) -> None:
            ready.set()
            go_on.wait(30)
            seen.append((self.name, argument.name))

    box = [Target("old"), Target("new")]
    thread = threading.Thread(target=box[0], args=(box[0],))
    thread.start()
    ready.wait(30)
    gcremap.remap([tuple(box)], exclude=[box])
    box.clear()
    gc.collect()
    go_on.set()
    thread.join()
    assert seen == [("new", "new")]


def test_the_first_call_keeps_nothing_of_its_caller() -> None:
    """What it learns layouts from has run below the caller's frame."""
    said = child.run(
        """
        import gc, gcremap, weakref
        gc.disable()

        class Local: pass

        def caller():
            local = Local()
            gcremap.remap([(Local(), Local())], frames=False)
            return weakref.ref(local)

        print(caller()())
        """
    )
    assert said == "None\n"


def test_what_was_made_after_the_frames_that_seem_to_use_it() -> None:
    """Of objects whose addresses are on the C stack, in a frame above the call within which they
    are said to have been made. A few addresses may be left over in the frames below it, too."""
    said = child.run(
        """
        import ctypes, gcremap
        from gcremap import _native

        class Value: pass

        def pinned(told):
            values = [Value() for _ in range(20)]
            pairs = [(each, Value()) for each in values]
            addresses = set(map(id, values))
            count = 0

            def within():
                nonlocal count
                if told:
                    _native._made_within(values)
                gcremap.remap(pairs)
                count = len(addresses & set(map(id, _native._pinned())))

            @ctypes.CFUNCTYPE(None, *[ctypes.c_size_t] * len(values))
            def caller(*_):
                _native._enclosed(within)

            caller(*addresses)
            _native._release_pins()
            return count

        print(pinned(told=False), pinned(told=True))
        """
    )
    before, after = map(int, said.split())
    assert before == 20
    assert after < 5


def test_enclosed_calls() -> None:
    assert _native._enclosed(lambda: _native._enclosed(lambda: "inner") + "most") == "innermost"
    with pytest.raises(ZeroDivisionError):
        _native._enclosed(lambda: 1 / 0)

"""Promise 2, frames: every place where running or suspended code keeps a reference."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import threading
import types
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import gcremap
from apart import run_apart


class Thing:
    def __init__(self, name: str = "thing") -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Thing({self.name!r})"


class Pair:
    """An old and a new, out of reach of remaps that exclude it."""

    def __init__(self) -> None:
        self.old: Any = Thing("old")
        self.new: Any = Thing("new")

    def remap(self, **options: Any) -> gcremap.RemapReport:
        return gcremap.remap([(self.old, self.new)], exclude=[self], **options)


def churn() -> None:
    """Uses the memory of whatever has just died for something else."""
    gc.collect()
    for _ in range(50):
        [Thing(str(number)) for number in range(50)]


def test_locals_parameters_and_cells() -> None:
    pair = Pair()

    def outer(by_position: Any, *star: Any, keyword: Any, **named: Any) -> list[Any]:
        local, in_cell, deleted = by_position, by_position, by_position
        del deleted

        def inner(default: Any = local) -> list[Any]:
            pair.remap()
            return [in_cell, default]

        return [by_position, *star, keyword, named["named"], local, in_cell, *inner()]

    seen = outer(pair.old, pair.old, keyword=pair.old, named=pair.old)
    assert seen == [pair.new] * 8


def test_locals_up_a_deep_stack() -> None:
    pair = Pair()

    def descend(depth: int, mine: Any) -> list[Any]:
        if depth == 0:
            report = pair.remap()
            assert report.frames == 201
            return [mine]
        return [mine, *descend(depth - 1, mine)]

    seen = descend(200, pair.old)
    assert seen == [pair.new] * 201


def test_the_evaluation_stack() -> None:
    """What waits on the stack for a call that is not made yet."""
    pair = Pair()

    def now(value: Any = None) -> Any:
        pair.remap()
        churn()
        return value

    def listed() -> Any:
        return [pair.old, pair.old, now(), pair.old]

    def called() -> Any:
        return tuple.__new__(tuple, (pair.old, now(), pair.old))

    def built() -> Any:
        return {"a": pair.old, "b": now(), "c": {"d": pair.old, "e": pair.old}}

    def compared() -> Any:
        return pair.old is (now() or pair.new)

    for use in (listed, called, built, compared):
        result = use()
        if use is listed:
            assert result == [pair.new, pair.new, None, pair.old]
        elif use is called:
            assert result[0] is pair.new
        elif use is built:
            assert result["a"] is pair.new
        else:
            assert result is True


def test_operands_of_calls_in_progress_stay_usable() -> None:
    """They may stay old or become new; either way they are alive."""
    for _ in range(20):
        pair = Pair()
        died: list[int] = []

        class Mortal(Thing):
            def __del__(self) -> None:
                died.append(1)  # noqa: B023

        def remap(*args: Any, **kwargs: Any) -> list[Any]:
            pair.remap(weakrefs=False)  # noqa: B023
            pair.old = None  # noqa: B023
            churn()
            return [*args, *kwargs.values()]

        def call(function: Any) -> list[Any]:
            mine = pair.old  # noqa: B023
            return [*function(mine, mine, key=mine), mine]

        pair.old = Mortal("old")
        seen = call(remap)
        assert len(seen) == 4
        assert all(isinstance(thing, Thing) and thing.name in ("old", "new") for thing in seen)
        assert seen[-1] is pair.new


def test_borrowed_references_of_callees() -> None:
    """From 3.14 a callee's local may count on its caller's: neither may be left behind."""
    pair = Pair()
    pair.old, died = None, []

    class Mortal(Thing):
        def __del__(self) -> None:
            died.append(1)

    def innermost(one: Any, two: Any) -> list[str]:
        report = gcremap.remap([(one, pair.new)], weakrefs=False)
        del report
        churn()
        return [one.name, two.name, one.name]

    def middle(one: Any, two: Any) -> list[str]:
        return [*innermost(one, two), one.name, two.name]

    def outermost() -> list[str]:
        mine = Mortal("old")
        return [*middle(mine, mine), mine.name]

    names: list[str] = []
    run_apart(lambda: names.extend(outermost()))
    assert names == ["new"] * 6
    assert died == [1]


def suspended_generator(x: Any) -> tuple[Any, Callable[[Any], Any]]:
    def generate(value: Any) -> Iterator[Any]:
        held = [value]
        yield 0
        yield value
        yield held[0]

    generator = generate(x)
    next(generator)
    return generator, list


def unstarted_generator(x: Any) -> tuple[Any, Callable[[Any], Any]]:
    def generate(value: Any) -> Iterator[Any]:
        yield value

    return generate(x), list


def generator_with_a_full_stack(x: Any) -> tuple[Any, Callable[[Any], Any]]:
    def generate(value: Any) -> Any:
        return [value, (value, (yield)), {"k": value, "m": (yield)}]

    def finish(generator: Any) -> Any:
        generator.send(1)
        with pytest.raises(StopIteration) as stopped:
            generator.send(2)
        first, (second, _), third = stopped.value.value
        return [first, second, third["k"]]

    generator = generate(x)
    next(generator)
    return generator, finish


def delegating_generator(x: Any) -> tuple[Any, Callable[[Any], Any]]:
    def inner(value: Any) -> Iterator[Any]:
        yield 0
        yield value

    def outer(value: Any) -> Iterator[Any]:
        for _ in [value]:
            yield from inner(value)
        yield value

    generator = outer(x)
    next(generator)
    return generator, list


def generator_in_a_for_loop(x: Any) -> tuple[Any, Callable[[Any], Any]]:
    def generate(values: list[Any]) -> Iterator[Any]:
        for value in values:
            yield 0
            yield value

    generator = generate([x, x])
    next(generator)
    return generator, lambda generator: list(generator)[::2]


def generator_in_a_with_block(x: Any) -> tuple[Any, Callable[[Any], Any]]:
    class Manager:
        def __init__(self, value: Any) -> None:
            self.value = value

        def __enter__(self) -> Any:
            return self.value

        def __exit__(self, *exc: object) -> None:
            pass

    def generate(value: Any) -> Iterator[Any]:
        with Manager(value) as entered:
            try:
                raise ValueError(value)
            except ValueError as error:
                yield 0
                yield entered
                yield error.args[0]

    generator = generate(x)
    next(generator)
    return generator, list


def coroutine(x: Any) -> tuple[Any, Callable[[Any], Any]]:
    @types.coroutine
    def pause() -> Iterator[None]:
        yield

    async def work(value: Any) -> Any:
        await pause()
        return value

    def finish(waiting: Any) -> Any:
        with pytest.raises(StopIteration) as stopped:
            waiting.send(None)
        return [stopped.value.value]

    waiting = work(x)
    waiting.send(None)
    return waiting, finish


def asynchronous_generator(x: Any) -> tuple[Any, Callable[[Any], Any]]:
    async def generate(value: Any) -> AsyncIterator[Any]:
        yield 0
        yield value

    def step(iterator: Any) -> Any:
        with pytest.raises(StopIteration) as stopped:
            iterator.__anext__().send(None)
        return stopped.value.value

    iterator = generate(x)
    step(iterator)
    return iterator, lambda iterator: [step(iterator)]


def generator_expression(x: Any) -> tuple[Any, Callable[[Any], Any]]:
    return ((value, x)[1] for value in [x, 1]), list


def frame_of_a_traceback(x: Any) -> tuple[Any, Callable[[Any], Any]]:
    def fail(value: Any) -> None:
        raise ValueError

    try:
        fail(x)
    except ValueError as error:
        frame = error.__traceback__.tb_next.tb_frame  # type: ignore[union-attr]
    return frame, lambda frame: [frame.f_locals["value"]]


SUSPENDED = [
    suspended_generator,
    unstarted_generator,
    generator_with_a_full_stack,
    delegating_generator,
    generator_in_a_for_loop,
    generator_in_a_with_block,
    coroutine,
    asynchronous_generator,
    generator_expression,
    frame_of_a_traceback,
]


@pytest.mark.parametrize("frames", [True, False])
@pytest.mark.parametrize("make", SUSPENDED, ids=lambda make: make.__name__)
def test_suspended_code(make: Callable[[Any], Any], frames: bool) -> None:
    """It is an object like any other, also for `frames=False`."""
    pair = Pair()
    holder, read = make(pair.old)
    pair.remap(frames=frames)
    churn()
    values = read(holder)
    assert values
    assert all(value is pair.new for value in values)


@pytest.mark.parametrize("make", SUSPENDED, ids=lambda make: make.__name__)
def test_suspended_code_is_put_back(make: Callable[[Any], Any]) -> None:
    pair = Pair()
    holder, read = make(pair.old)
    pair.remap().undo()
    assert all(value is pair.old for value in read(holder))


def test_threads_in_python_and_in_c() -> None:
    pair = Pair()
    go_on, seen = threading.Event(), []
    ready = threading.Barrier(9)

    def wait_in_c(value: Any) -> None:
        ready.wait(30)
        go_on.wait(30)
        seen.append(value)

    def wait_in_a_sort(value: Any) -> None:
        def key(item: Any) -> int:
            if item == 2:
                wait_in_c(value)
            return int(item)

        sorted([1, 2, 3], key=key)
        seen.append(value)

    def wait_in_a_generator(value: Any) -> None:
        def generate(inner: Any) -> Iterator[Any]:
            wait_in_c(inner)
            yield inner

        seen.extend(generate(value))

    def spin(value: Any) -> None:
        ready.wait(30)
        while not go_on.is_set():
            value.name  # noqa: B018
        seen.append(value)

    work = [wait_in_c, wait_in_a_sort, wait_in_a_generator, spin] * 2
    threads = [threading.Thread(target=target, args=(pair.old,)) for target in work]
    for thread in threads:
        thread.start()
    ready.wait(30)
    report = pair.remap()
    churn()
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert report.frames >= 8
    assert len(seen) == 12
    assert all(value is pair.new for value in seen)


def test_tasks_of_asyncio() -> None:
    pair = Pair()

    async def work(value: Any, event: asyncio.Event) -> Any:
        async with contextlib.AsyncExitStack():
            await event.wait()
            return value

    async def main() -> list[Any]:
        event = asyncio.Event()
        tasks = [asyncio.create_task(work(pair.old, event)) for _ in range(10)]
        await asyncio.sleep(0)
        pair.remap()
        churn()
        event.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == [pair.new] * 10


def test_frames_can_be_left_alone_but_not_what_they_hold() -> None:
    pair = Pair()

    def call(mine: Any, in_cell: Any) -> tuple[Any, Any]:
        report = pair.remap(frames=False)
        assert report.frames == 0
        return mine, (lambda: in_cell)()

    # A cell is an object, whoever uses it.
    assert call(pair.old, pair.old) == (pair.old, pair.new)


def test_the_namespace_of_a_running_class_body() -> None:
    pair = Pair()

    class Class:
        thing = pair.old
        pair.remap()
        after = thing

    assert Class.thing is Class.after is pair.new


def test_exceptions_being_handled() -> None:
    pair, replacement = Pair(), KeyError(1)
    seen: list[Any] = []
    try:
        raise ValueError(pair.old)
    except ValueError as error:
        pair.remap()
        seen += [*error.args, sys.exception() is error]
        gcremap.remap([(error, replacement)], exclude=[pair])
        seen += [error]
    assert seen == [pair.new, True, replacement]


def test_code_that_runs_is_refused() -> None:
    def other() -> None:
        pass

    def running() -> None:
        gcremap.remap([(running.__code__, other.__code__)])

    holder = [running.__code__]
    with pytest.raises(gcremap.RemapError, match=r"runn|suspended|frame"):
        running()
    assert holder[0] is running.__code__ is not other.__code__


def test_code_that_is_suspended_is_refused() -> None:
    def generate() -> Iterator[int]:
        yield 1

    def other() -> Iterator[int]:
        yield 2

    generator, code = generate(), generate.__code__
    next(generator)
    with pytest.raises(gcremap.RemapError):
        gcremap.remap([(code, other.__code__)], frames=False)
    assert generate.__code__ is code
    assert list(generator) == []
    del generator
    gcremap.remap([(code, other.__code__)], frames=False)
    assert list(generate()) == [2]


def test_what_runs_is_refused() -> None:
    def generate() -> Iterator[Any]:
        with pytest.raises(gcremap.RemapError):
            gcremap.remap([(me[0], iter([]))], frames=False)
        yield 1

    me: list[Any] = []
    me.append(generate())
    assert list(me[0]) == [1]
    frame = sys._getframe()
    holder = [frame]
    with pytest.raises(gcremap.RemapError):
        gcremap.remap([(frame, Thing())], frames=False)
    assert holder[0] is frame


def test_a_suspended_generator_is_an_old_like_any_other() -> None:
    def generate(value: int) -> Iterator[int]:
        yield 0
        yield value

    old, new = generate(1), generate(2)
    next(old)
    next(new)
    holder = [old]
    gcremap.remap([(old, new)], frames=False)
    assert list(holder[0]) == [2]
    assert list(old) == [1]


def test_globals_of_running_code() -> None:
    """A frame reads its names from a dict that it does not own."""
    old: dict[str, Any] = {"gcremap": gcremap, "value": "old"}
    exec("def call(new):\n    gcremap.remap([(globals(), new)])\n    return value", old)
    new = old | {"value": "new"}
    with pytest.raises(gcremap.RemapError):
        old["call"](new)
    assert old["call"].__globals__ is old


def test_the_function_of_a_suspended_generator() -> None:
    """Its frame borrows globals and builtins from it: another with the same may stand there."""

    def old() -> Iterator[int]:
        yield 1
        yield 2

    def new() -> Iterator[int]:
        yield 3

    elsewhere = types.FunctionType(old.__code__, {"__builtins__": {}})
    generator = old()
    assert next(generator) == 1
    with pytest.raises(gcremap.RemapError, match="borrows its globals"):
        gcremap.remap([(old, elsewhere)], frames=False)
    gcremap.remap([(old, new)])
    assert old is new
    assert list(generator) == [2]


def test_globals_that_a_suspended_generator_reads() -> None:
    """Its frame does not own them: the function did."""
    names: dict[str, Any] = {"value": 1}
    exec("def each():\n    while True: yield value", names)
    generator = names["each"]()
    assert next(generator) == 1
    with pytest.raises(gcremap.RemapError, match="reads its names from it"):
        gcremap.remap([(names, dict(names))], frames=False)
    assert next(generator) == 1
    generator.close()
    others = {**names, "value": 2}
    holder = [names]
    gcremap.remap([(names, others)], frames=False)
    assert holder == [others]
    assert next(others["each"]()) == 2


def test_globals_that_a_generator_reads_since_are_not_undone() -> None:
    names: dict[str, Any] = {"value": 1}
    exec("def each():\n    while True: yield value", names)
    others = {**names, "value": 2}
    report = gcremap.remap([(names, others)], frames=False)
    generator = names["each"]()
    assert next(generator) == 2
    with pytest.raises(gcremap.RemapError, match="reads its names from it"):
        report.undo()
    assert next(generator) == 2
    generator.close()
    assert report.undo() > 0


@pytest.mark.parametrize("frames", [True, False])
def test_globals_that_a_running_frame_reads(frames: bool) -> None:
    names: dict[str, Any] = {"value": 1, "gcremap": gcremap}
    exec("def read(new, frames):\n    gcremap.remap([(globals(), new)], frames=frames)", names)
    with pytest.raises(gcremap.RemapError, match="reads its names from it"):
        names["read"](dict(names), frames)


def test_a_generator_is_one_holder_while_a_profiler_is_told_that_it_yields() -> None:
    pairs = [(["old"], ["new"])]

    def generator(local: list[str]) -> Iterator[str]:
        yield "first"
        yield local[0]

    def profile(frame: types.FrameType, event: str, _: object) -> None:
        if event == "return" and frame.f_code is generator.__code__:
            sys.setprofile(None)
            report = gcremap.remap(pairs)
            done.append((report.replaced, report.pinned))

    done: list[tuple[int, int]] = []
    running = generator(pairs[0][0])
    counts = [sys.getrefcount(side) for side in pairs[0]]
    sys.setprofile(profile)
    try:
        next(running)
    finally:
        sys.setprofile(None)
    # A word that C code has left on the stack may pin what it points to.
    [(replaced, pinned)] = done
    assert replaced == 1
    after = [sys.getrefcount(side) for side in pairs[0]]
    assert after == [counts[0] - 1 + pinned, counts[1] + 1]
    assert next(running) == "new"

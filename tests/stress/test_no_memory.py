"""Without memory a remap does all or nothing, whichever allocation it is that fails."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import child

CHILD = r'''
import _testcapi, collections, contextlib, functools, gc, sys, weakref
sys.path.insert(0, {here!r})
import gcremap, integrity


class Key:
    pass


def function_of(number):
    def function(default=number):
        return number

    return function


class Heap:
    """What needs each kind of repair but those that Python code plans, the hashes: there
    CPython itself crashes without memory."""

    def __init__(self):
        old, new = Key(), Key()
        self.pairs = [(old, new), (function_of(1), function_of(2)), (make("Old"), make("New"))]
        (key, _), (function, _), (class_, _) = self.pairs
        self.instance = class_()
        self.instance.attribute = key
        self.below = type("Below", (class_,), {{}})
        self.table = {{"value": key, "class": class_}}
        self.more = collections.deque([key, (key, function), [class_]])
        self.partial = functools.partial(function, key)
        self.reference = weakref.ref(key)
        self.generator = (each for each in [key, key])
        next(self.generator)

    def sides(self):
        "0 for each place where the old is, and 1 for each with the new."
        sides = [id(side) for pair in self.pairs for side in pair]

        def side(each):
            return sides.index(id(each)) % 2

        yield side(type(self.instance))
        yield side(self.instance.attribute)
        yield side(self.below.__bases__[0])
        yield ["Old", "New"].index(self.below.name)
        yield from map(side, self.table.values())
        yield from map(side, [self.more[0], *self.more[1], *self.more[2]])
        yield side(self.partial.func)
        yield side(self.partial.args[0])
        yield side(self.reference())
        yield self.partial.func() - 1


# Ready to hand: to look for them takes memory.
ERRORS = (MemoryError, gcremap.RemapError)
FAIL, WORK_AGAIN, REMAP = _testcapi.set_nomemory, _testcapi.remove_mem_hooks, gcremap.remap


def make(name):
    return type(name, (), {{"name": name, "method": lambda self: name}})


def attempt(first, last):
    "Whether it was done."
    heap = Heap()
    pairs = heap.pairs
    done = True
    FAIL(first, last)
    try:
        REMAP(pairs)
    except ERRORS:
        done = False
    WORK_AGAIN()
    assert set(heap.sides()) == {{int(done)}}, (first, last, done, list(heap.sides()))
    return done


gcremap.remap(Heap().pairs)
with contextlib.suppress(gcremap.RemapError):
    gcremap.remap([(None, 1)])  # the first refusal imports what it is told with
failed = 0
for first in range({limit}):
    for last in (first + 1, 0):
        failed += not attempt(first, last)
    if first % 16 == 0:
        assert not integrity.faults(), (first, integrity.faults())
        gc.collect()
        blocks = sys.getallocatedblocks()
        for _ in range(4):
            attempt(first, first + 1)
        gc.collect()
        gc.collect()
        grown = sys.getallocatedblocks() - blocks
        if grown > 40:
            print("grown", first, grown)
    if attempt(first, 0):
        break
else:
    raise AssertionError("there is no end to its allocations")
assert not integrity.all_faults(), integrity.all_faults()
print(first, failed)
'''


@pytest.mark.skipif(importlib.util.find_spec("_testcapi") is None, reason="no _testcapi")
def test_each_allocation_fails() -> None:
    here = str(Path(__file__).parent)
    *grown, last = child.run(CHILD.format(here=here, limit=4000), timeout=280).splitlines()
    allocations, failed = map(int, last.split())
    assert failed > allocations > 20
    assert grown == []

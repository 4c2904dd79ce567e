"""Whichever call of user code it is that fails, a remap does all or nothing."""

from __future__ import annotations

from pathlib import Path

import child

CHILD = r"""
import collections, gc, sys, types, weakref
sys.path.insert(0, {here!r})
import gcremap, integrity

fails_at = asked = 0


def ask():
    global asked
    asked += 1
    if asked == fails_at:
        raise LookupError(asked)


class Key:
    def __init__(self, number):
        self.number = number

    def __hash__(self):
        ask()
        return hash(self.number) % 2  # so that they are compared

    def __eq__(self, other):
        ask()
        return self.number == other.number

    def __del__(self):
        ask()


class Heap:
    def __init__(self):
        old, new, other = Key(1), Key(2), Key(3)
        self.pairs = [(old, new)]
        self.tables = [
            {{other: 0, old: 1}},
            collections.OrderedDict([(old, 1), (other, 2)]),
            {{(1, old): 1, (1, other): 2}},
            {{frozenset([old]): 1, frozenset([other]): 2}},
            {{types.MethodType(max, old): 1}},
            weakref.WeakKeyDictionary({{old: 1, other: 2}}),
        ]
        self.members = {{old, other}}
        self.value = [old]

    def sides(self):
        (old, new), = self.pairs
        refers = [self.members, self.value, *(list(table) for table in self.tables)]
        flat = [each for refer in refers for each in refer]
        flat += [part for each in flat for part in gc.get_referents(each)]
        flat += [each() for each in gc.get_referents(self.tables[-1].data)
                 if type(each) is weakref.ref]
        return {{each is new for each in flat if each is old or each is new}}


sys.unraisablehook = lambda _: None  # of __del__
gcremap.remap(Heap().pairs)
for number in range(1, 10_000):
    fails_at = 0
    heap = Heap()
    asked, fails_at = 0, number
    try:
        gcremap.remap(heap.pairs)
    except gcremap.RemapError as error:
        done = False
        assert type(error.__cause__) is LookupError, error
    else:
        done = True
    calls, fails_at = asked, 0
    assert heap.sides() == {{done}}, (number, done, heap.sides())
    if number % 8 == 0:
        assert not integrity.faults(), integrity.faults()
    if calls < number:
        break
for table in heap.tables:
    for key in table:
        assert key in table
assert not integrity.all_faults(), integrity.all_faults()
print(number)
"""


def test_each_call_of_user_code_fails() -> None:
    said = child.run(CHILD.format(here=str(Path(__file__).parent)), timeout=280)
    assert int(said) > 5

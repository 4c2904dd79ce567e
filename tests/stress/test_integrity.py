"""The check of a heap finds what is wrong with it: a child damages its own."""

from __future__ import annotations

from pathlib import Path

import pytest

import child

CHILD = """
import ctypes, gc, os, sys, weakref
sys.path.insert(0, {here!r})
import integrity
from gcremap import _native


def word(address):
    return ctypes.c_ssize_t.from_address(address)


def slot_of(holder, value):
    "The address of the slot of the holder that refers to the value."
    return next(slot[0] for slot in _native._walk(holder) if slot[7] is value)


class Thing:
    def method(self):
        pass


class Below(Thing):
    pass


thing, other = Thing(), Thing()
kept = [thing, other]
assert integrity.all_faults() == []
gc.disable()  # it would stumble over the damage
{damage}
found = integrity.all_faults(first=[Thing, Below])
print(len(found), *found, sep="\\n", flush=True)
os._exit(0)  # what was damaged does not like to be taken down
"""

DAMAGES = {
    "too few counts": (
        "held = [thing] * 100; ctypes.c_int32.from_address(id(thing)).value -= 50",
        "owned by",
    ),
    "a referent that is gone": (
        "room = (ctypes.c_ssize_t * 8)()\n"
        "word(slot_of(kept, thing)).value = ctypes.addressof(room)",
        "is not alive",
    ),
    "a referent that is no address": (
        "word(slot_of(kept, thing)).value = 0x10",
        "is not alive",
    ),
    "a key under another hash": (
        "table = {b'key': 1, 2: 3}; word(slot_of(table, b'key') - 8).value += 2",
        "hash",
    ),
    "a str under another hash": (
        "table = {'key': 1, 2: 3}; word(slot_of(table, 'key') - 8).value += 8",
        "a str stands under a hash that is not its own",
    ),
    "a hash that is right, and not found": (
        "table = {x: 'value' for x in range(5)}\n"
        "for key, at in zip((1, 0), [slot_of(table, key) for key in (0, 1)]):\n"
        "    word(at).value = id(key); word(at - 8).value = key",
        "an entry is not found by the hash that it stands under",
    ),
    "a member under another hash": (
        "table = {b'key', 2}; word(slot_of(table, b'key') + 8).value += 1",
        "hash",
    ),
    "a number of entries": (
        "table = {1: 2, 'x': 3}; word(id(table) + object.__basicsize__).value += 1",
        "another number of entries than it says",
    ),
    "a hash that was kept": (
        "members = frozenset({b'one', 2}); wrong = hash(members)\n"
        "end = id(members) + frozenset.__basicsize__\n"
        "at = next(at for at in range(id(members), end, 8) if word(at).value == wrong)\n"
        "word(at).value += 1",
        "keeps a hash that is not its own",
    ),
    "a cache of methods": (
        "kept.append(Thing.method); thing.method(); Below().method()\n"
        "(space,) = gc.get_referents(vars(Thing))\n"
        "space['method'] = print",
        "method: a cache says otherwise",
    ),
    "a list of subclasses": (
        "class Else: pass\nbases = Below.__bases__\nword(slot_of(bases, Thing)).value = id(Else)",
        "is no subclass of its base",
    ),
    "an order of bases": (
        "class Else: pass\nword(slot_of(Below.__mro__, Thing)).value = id(Else)",
        "__mro__ is not what its bases say",
    ),
    "a weak reference": (
        "reference = weakref.ref(thing); word(slot_of(reference, thing)).value = id(other)",
        "is not among its referent's",
    ),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_damage_is_found(case: str) -> None:
    damage, sentence = DAMAGES[case]
    here = str(Path(__file__).parent)
    said = child.run(CHILD.replace("{here!r}", repr(here)).replace("{damage}", damage))
    assert sentence in said, said


def test_a_heap_of_much_has_no_faults() -> None:
    modules = "asyncio, ctypes, decimal, email.message, enum, json, sqlite3, typing, unittest"
    assert _said_of(f"import {modules}") == ["0"]


def test_to_look_frees_nothing_that_a_module_keeps_to_use_again() -> None:
    """What awaits a future is such. A second look finds what the first has done."""
    waits = """
import asyncio

async def main():
    loop = asyncio.get_running_loop()
    futures = [loop.create_future() for _ in range(5)]
    for each in futures:
        loop.call_soon(each.set_result, None)
    await asyncio.gather(*[wait(each) for each in futures])

async def wait(future):
    await future

asyncio.run(main())
integrity.all_faults()
"""
    assert _said_of(waits) == ["0"]


def _said_of(program: str) -> list[str]:
    here = repr(str(Path(__file__).parent))
    return child.run(CHILD.replace("{here!r}", here).replace("{damage}", program)).splitlines()

"""The traversal, walkers and the probe name the same slots, in an interpreter of patches/.

A child process imports the standard library and asks all three about every object on the
collector's lists: what a traversal tells is what the walker shows, and where there is no
walker what the probe finds. `gc.remap`, where it is there too, does what `gcremap.remap` does.
"""

from __future__ import annotations

import collections
import gc
import json
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import child
import gcremap
import library
from gcremap import _native

HIDDEN = 1
needs_patched = pytest.mark.skipif(
    gcremap.backend != "patched",
    reason="the traversals of this interpreter tell no slots: see patches/README.md",
)

CHILD = (
    library.PRELUDE
    + r"""
def compare(holders, mine):
    shown = told = walked = probed = 0
    untold, twice, unlike_walker, unlike_probe = (collections.Counter() for _ in range(4))
    mine |= {id(holders), id(untold), id(twice), id(unlike_walker), id(unlike_probe)}
    for holder in holders:
        if id(holder) in mine:
            continue
        name = type(holder).__qualname__
        references = len(_native._traverse(holder))
        slots = _native._told(holder)
        shown += references
        told += len(slots)
        untold[name] += references - len(slots)
        twice[name] += len(slots) - len(set(slots))
        known = _native._walk(holder)
        certain = {slot[0] for slot in known if not slot[4] & HIDDEN}
        perhaps = {slot[0] for slot in known if slot[4] & PERHAPS_SHOWN}
        if _native._coverage(holder) == FULL:
            walked += references
            unlike_walker[name] += certain - perhaps != set(slots) - perhaps
        elif references == len(slots) and probed_of[name] < PROBED_OF_A_TYPE:
            probed_of[name] += 1
            probed += references
            # Those in front of the object are the walker's.
            found = set(_native._probe(holder)) | certain
            unlike_probe[name] += found != set(slots)
    return {
        "objects": len(holders), "shown": shown, "told": told, "walked": walked,
        "probed": probed, "untold": +untold, "twice": +twice,
        "unlike_walker": +unlike_walker, "unlike_probe": +unlike_probe,
    }


probed_of = collections.Counter()
load()
_native._walk([])  # the first use imports modules, whose names are entries of a dict as well
gc.collect()
gc.disable()
print(json.dumps(compare(gc.get_objects(), {id(globals()), id(probed_of)})))
sys.stdout.flush()
os._exit(0)
"""
)


@pytest.fixture(scope="module")
def verdict() -> dict[str, Any]:
    return dict(json.loads(child.run(CHILD, timeout=280).splitlines()[-1]))


def test_the_backend_is_what_traversals_tell() -> None:
    told = _native._told([None])
    assert (gcremap.backend, len(told)) in {("patched", 1), ("stock", 0)}


@needs_patched
def test_much_is_compared(verdict: dict[str, Any]) -> None:
    assert verdict["objects"] > 20_000
    assert verdict["walked"] > 100_000
    assert verdict["probed"] > 300


@needs_patched
def test_traversals_tell_all_but_what_is_no_field(verdict: dict[str, Any]) -> None:
    assert verdict["untold"] == {}


@needs_patched
def test_no_slot_is_told_twice(verdict: dict[str, Any]) -> None:
    assert verdict["twice"] == {}


@needs_patched
def test_walkers_show_the_slots_that_are_told(verdict: dict[str, Any]) -> None:
    assert verdict["unlike_walker"] == {}


@needs_patched
def test_the_probe_finds_the_slots_that_are_told(verdict: dict[str, Any]) -> None:
    assert verdict["unlike_probe"] == {}


@needs_patched
def test_what_a_suspended_generator_holds_is_told() -> None:
    def items(local: list[object]) -> Iterator[object]:
        yield local

    generator = items([])
    next(generator)
    shown = {slot[0] for slot in _native._walk(generator) if not slot[4] & HIDDEN}
    assert set(_native._told(generator)) == shown
    assert len(shown) == len(_native._traverse(generator))


class Thing:
    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


HOLDERS: dict[str, Callable[[Thing, Thing], Any]] = {
    "dict": lambda old, new: {"a": 0, old: 1, "m": 5, new: 2, "z": 9},
    "new first": lambda old, new: {new: 1, "m": 5, old: 2},
    "tuples": lambda old, new: {(old, 1): 1, "m": 5, (new, 1): 2},
    "frozensets": lambda old, new: {frozenset({old}): 1, frozenset({new}): 2},
    "ordered": lambda old, new: collections.OrderedDict({old: 1, "m": 5, new: old}),
    "set": lambda old, new: {(old, 1), (new, 1)},
    "values": lambda old, new: {"a": old, "b": [old, new]},
    "references": lambda old, new: [weakref.ref(old), weakref.ref(new)],
    "proxies": lambda old, new: [weakref.proxy(old), weakref.proxy(new)],
    "reference keys": lambda old, new: {weakref.ref(old): 1, weakref.ref(new): 2},
    "in a key": lambda old, new: {(weakref.ref(old), 1): 1, (weakref.ref(new), 1): 2},
    "weak keys": lambda old, new: weakref.WeakKeyDictionary({old: 1, new: 2}),
    "weak values": lambda old, new: weakref.WeakValueDictionary({1: old, 2: new}),
    "weak set": lambda old, new: weakref.WeakSet([old, new]),
    "method": lambda old, new: weakref.WeakMethod(old.__repr__),
}


def shown(holder: Any) -> Any:
    if isinstance(holder, weakref.ref):
        return ["refers to", repr(holder())]
    if isinstance(holder, (dict, weakref.WeakKeyDictionary, weakref.WeakValueDictionary)):
        found = [shown(holder[key]) for key in holder]
        return [[shown(key), shown(value)] for key, value in holder.items()], found
    if isinstance(holder, (list, tuple, set, frozenset, weakref.WeakSet)):
        return sorted(map(repr, map(shown, holder)))
    return str(holder)


def outcome(remap: Callable[[Any], Any], make: Callable[[Thing, Thing], Any]) -> Any:
    old, new = Thing("old"), Thing("new")
    holder = make(old, new)
    collisions = remap([(old, new)])
    return shown(holder), [(shown(key), shown(lost)) for _, key, lost in collisions]


@pytest.mark.skipif(not hasattr(gc, "remap"), reason="gc.remap is in the patches only")
@pytest.mark.parametrize("make", HOLDERS.values(), ids=HOLDERS)
def test_gc_remap_does_the_same(make: Callable[[Thing, Thing], Any]) -> None:
    native: Any = getattr(gc, "remap", None)
    expected = outcome(lambda pairs: gcremap.remap(pairs).collisions, make)
    assert outcome(lambda pairs: native(pairs)["collisions"], make) == expected


@needs_patched
def test_wheels_for_the_stock_interpreter() -> None:
    """In C, Rust and Cython: they visit without slots, and are traversed and remapped."""
    said = child.run("""
import gc
import gcremap
import lxml.etree
import msgpack
import numpy
from pydantic_core import SchemaValidator, core_schema

def old(*arguments): return b"old"
def new(*arguments): return b"new"

array = numpy.array([old, None], dtype=object)
packer = msgpack.Packer(default=old)
names = lxml.etree.FunctionNamespace("urn:x")
names["f"] = old
schema = core_schema.no_info_after_validator_function(old, core_schema.any_schema())
validator = SchemaValidator(schema)
for _ in range(3):
    gc.collect()
gcremap.remap({old: new})
gc.collect()
print(array[0](), packer.pack(1j)[-3:], names["f"](), validator.validate_python(1))
""")
    assert said.split() == ["b'new'"] * 4

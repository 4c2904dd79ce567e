"""The traversal, walkers and the probe name the same slots, in an interpreter of patches/.

A child process imports the standard library and asks all three about every object on the
collector's lists: what a traversal tells is what the walker shows, and where there is no
walker what the probe finds.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

import child
import gcremap
import library
from gcremap import _native

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
    assert verdict["probed"] > 500


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

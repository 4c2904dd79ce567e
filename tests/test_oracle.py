"""The oracle: traversal, walker and probe agree about every object of a large heap.

A child process imports the standard library and asks each object on the collector's lists
what `tp_traverse` shows; the slots that its walker loads must be the same, none twice, and
where there is no walker the probe must find them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

CHILD = r"""
import collections, gc, importlib, json, sys, warnings

warnings.simplefilter("ignore")
from gcremap import _native

SKIPPED = {"antigravity", "this", "idlelib", "test", "turtledemo", "lib2to3", "tkinter", "turtle"}
FULL, HIDDEN, PERHAPS_SHOWN = 2, 1, 4
PROBED_OF_A_TYPE = 20


def load():
    for name in sorted(sys.stdlib_module_names):
        if name not in SKIPPED and not name.startswith(("_test", "_x", "__")):
            try:
                importlib.import_module(name)
            except BaseException:
                pass


def counts(objects):
    return collections.Counter(map(id, objects))


def compare():
    wrong, twice, missed = collections.Counter(), collections.Counter(), collections.Counter()
    probed = collections.Counter()
    walked_references = references = located = 0
    mine = {id(globals()), id(wrong), id(twice), id(missed), id(probed)}
    objects = gc.get_objects()
    mine.add(id(objects))
    for holder in objects:
        if id(holder) in mine:
            continue
        name = type(holder).__qualname__
        slots = _native._walk(holder)
        addresses = [slot[0] for slot in slots]
        twice[name] += len(addresses) - len(set(addresses))
        shown = counts(_native._traverse(holder))
        total = shown.total()
        if _native._coverage(holder) == FULL:
            walked_references += total
            certain = counts(slot[7] for slot in slots if not slot[4] & HIDDEN)
            perhaps = counts(slot[7] for slot in slots if slot[4] & PERHAPS_SHOWN)
            wrong[name] += bool((shown - certain - perhaps) or (certain - shown))
        elif total and probed[name] < PROBED_OF_A_TYPE:
            probed[name] += 1
            found = len(set(_native._probe(holder)))
            references += total
            located += found
            missed[name] += total - found
    return {
        "objects": len(objects),
        "walked": walked_references,
        "references": walked_references + references,
        "located": walked_references + located,
        "wrong": +wrong,
        "twice": +twice,
        "missed": +missed,
    }


load()
gc.collect()
gc.disable()
print(json.dumps(compare()))
"""


@pytest.fixture(scope="module")
def verdict() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", CHILD],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_the_heap_is_large(verdict: dict[str, Any]) -> None:
    assert verdict["objects"] > 20_000
    assert verdict["walked"] > 100_000


def test_walkers_show_what_traversal_shows(verdict: dict[str, Any]) -> None:
    assert verdict["wrong"] == {}


def test_no_slot_is_shown_twice(verdict: dict[str, Any]) -> None:
    assert verdict["twice"] == {}


def test_nearly_every_reference_is_located(verdict: dict[str, Any]) -> None:
    print("references not located, by type:", verdict["missed"])
    assert verdict["located"] / verdict["references"] >= 0.999

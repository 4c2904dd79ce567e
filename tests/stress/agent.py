"""What strikes inside a process while its program runs: at random points live objects are
remapped to equal clones, and some back again.

All is drawn from one seed, so that the same program with the same seed is struck alike. A
strike that finds that C code may be using an old is taken back: that code would go on with
an object that nobody else has any more.
"""

from __future__ import annotations

import collections
import gc
import os
import random
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any, TextIO

import gcremap
from clones import IMMUTABLES, SELDOM_CHANGED, UnfitError, clone
from integrity import referents

MONITOR = 4
"""A tool number of sys.monitoring that no tool is expected to take."""
FIRST_PAUSE, LONGER = 300, 1.02
"""Calls between two strikes on average, and how much more it is after each: short
tests are struck often, and those of a million calls come to an end."""
AT_A_COLLECTION = 0.02
"""How probable a strike is when the collector begins and ends."""
TRIES = 400
CHECKED = 8
"""One in so many strikes is followed by a check of the heap, which takes longer than it."""

Pairs = list[tuple[Any, Any]]


class Agent:
    """With it, chaos; the strikes whose number is not in `wanted` are drawn and not done."""

    def __init__(self, seed: int, log: TextIO, wanted: range, check: Callable[[], Any]) -> None:
        self.dice = random.Random(seed)
        self.log, self.wanted, self.check = log, wanted, check
        self.pause = float(FIRST_PAUSE)
        self.left = FIRST_PAUSE
        self.strikes = 0
        self.counts: collections.Counter[str] = collections.Counter()
        self.busy = False
        self.process = os.getpid()
        self.reports: list[gcremap.RemapReport] = []

    # ---- when ----

    def __enter__(self) -> None:
        gc.callbacks.append(self.at_collection)
        if sys.version_info >= (3, 12):
            events = sys.monitoring.events
            sys.monitoring.use_tool_id(MONITOR, "chaos")
            for event in (events.PY_START, events.PY_RESUME):
                sys.monitoring.register_callback(MONITOR, event, self.at_call)
            sys.monitoring.set_events(MONITOR, events.PY_START | events.PY_RESUME)
        else:
            sys.setprofile(self.at_event)

    def __exit__(self, *_: object) -> None:
        self.busy = True
        if self.at_collection in gc.callbacks:
            gc.callbacks.remove(self.at_collection)
        if sys.version_info >= (3, 12):
            sys.monitoring.set_events(MONITOR, 0)
            sys.monitoring.free_tool_id(MONITOR)
        else:
            sys.setprofile(None)
        self.reports.clear()

    def at_call(self, code: object, offset: int) -> None:
        self.left -= 1
        if self.left <= 0:
            self.strike()

    def at_event(self, frame: object, event: str, argument: object) -> None:
        self.left -= 1
        if self.left <= 0:
            self.strike()

    def at_collection(self, phase: str, facts: object) -> None:
        if not self.busy and self.dice.random() < AT_A_COLLECTION:
            self.strike()

    def strike(self) -> None:
        if self.busy or os.getpid() != self.process:
            return
        self.busy = True
        try:
            self.pause *= LONGER
            self.left = int(self.dice.expovariate(1 / self.pause)) + 1
            self.strikes += 1
            dice = random.Random(self.dice.getrandbits(64))
            if self.strikes in self.wanted:
                self.hit(dice)
        except (RecursionError, MemoryError):
            self.counts["without room"] += 1
        except BaseException:
            # Ours is a failure; a signal's is the program's.
            self.counts["raised"] += 1
            traceback.print_exc(file=self.log)
            raise
        finally:
            self.busy = False

    def facts(self) -> dict[str, int]:
        return {"strikes": self.strikes, **self.counts}

    # ---- what ----

    def hit(self, dice: random.Random) -> None:
        pairs = self.pairs(dice)
        if not pairs:
            return
        way = dice.choice(["stay", "stay", "undo", "back", "later", "dry"])
        kinds = collections.Counter(type(old).__name__ for old, _ in pairs)
        print(f"{self.strikes} {way} {dict(kinds)}", file=self.log)
        for old, _ in pairs[:3]:
            if isinstance(old, type | types.FunctionType):
                print(f"    {old.__qualname__}", file=self.log)
        self.log.flush()
        self.counts[way] += 1
        self.remap(pairs, way, dice)
        if self.strikes % CHECKED == 0:
            self.check()
        print("    done", file=self.log, flush=True)

    def remap(self, pairs: Pairs, way: str, dice: random.Random) -> None:
        if way == "dry":
            self.accepted(pairs, dry_run=True)
            return
        report = self.accepted(pairs)
        if report is None:
            return
        self.counts["slots"] += report.replaced
        may_stay = all(type(old) in SELDOM_CHANGED for old, _ in pairs)
        if not may_stay and (report.leftovers or report.pinned):
            self.counts["in use"] += 1
            report.undo()
        elif way == "undo":
            report.undo()
        elif way == "back":
            self.accepted([(new, old) for old, new in pairs])
        elif way == "later" and all(type(old) in IMMUTABLES for old, _ in pairs):
            if report.leftovers:  # C code may count on being the only one to hold it
                report.undo()
                return
            self.reports.append(report)
            if len(self.reports) > 5:
                self.reports.pop(dice.randrange(5)).undo()

    def accepted(self, pairs: Pairs, *, dry_run: bool = False) -> gcremap.RemapReport | None:
        """Without the pairs that are refused, for good reasons: no matter which."""
        while pairs:
            try:
                return gcremap.remap(pairs, dry_run=dry_run)
            except gcremap.RemapError as error:
                self.counts["refused"] += 1
                print(f"    {error.refusals[0].reason if error.refusals else error}", file=self.log)
                refused = {id(refusal.pair[0]) for refusal in error.refusals}
                if not refused:
                    return None
            pairs = [pair for pair in pairs if id(pair[0]) not in refused]
        return None

    def pairs(self, dice: random.Random) -> Pairs:
        objects = dice.choice(SOURCES)(dice)
        wanted = dice.choice([types.FunctionType, type, list, dict, set, tuple, None, None, None])
        count = dice.choice([1, 1, 1, 3, 10, 50])
        alone = len(sys._current_frames()) == 1
        mine = {id(each) for each in (self, vars(self), objects, self.reports, globals())}
        pairs: Pairs = []
        mine.add(id(pairs))
        for _ in range(TRIES if objects else 0):
            old = dice.choice(objects)
            if id(old) in mine or type(old) in (Agent, random.Random):
                continue
            if (wanted is None or type(old) is wanted) and (alone or type(old) in SELDOM_CHANGED):
                mine.add(id(old))
                try:
                    pairs.append((old, clone(old)))
                except UnfitError:
                    continue
                if len(pairs) == count:
                    break
        return pairs


# ---- where ----


def young(dice: random.Random) -> list[Any]:
    return gc.get_objects(0)


def listed(dice: random.Random) -> list[Any]:
    return gc.get_objects()


def held(dice: random.Random) -> list[Any]:
    """What a few objects refer to: also what the collector does not list."""
    return referents(*dice.choices(gc.get_objects(), k=50))


def at_hand(dice: random.Random) -> list[Any]:
    """What the running frames hold, and what that holds."""
    frames: list[Any] = []
    for frame in sys._current_frames().values():
        each: types.FrameType | None = frame
        while each is not None:
            if each.f_globals is not globals():
                frames.append(each)
            each = each.f_back
    del frame  # among them is this one, which would keep itself and all that it holds
    near = referents(*frames)
    return near + referents(*near)


SOURCES = [young, listed, listed, held, at_hand, at_hand]

"""All promises at once: random graphs, random remaps, and a model that knows what must come out.

GCREMAP_STEPS is how many steps hypothesis takes in all; `make stress` takes 100,000.
Twice as many are taken at random.
"""

from __future__ import annotations

import copy
import gc
import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import gcremap
from gcremap import _native
from graph import ATOMS, DICTS, SEQUENCES, SETS, CycleError, Graph, Node, RefusedError

# A weak table that became something else is still told of keys that end.
pytestmark = [pytest.mark.filterwarnings("ignore:Exception ignored.*WeakKeyDictionary")]

STEPS = int(os.environ.get("GCREMAP_STEPS", "300"))
STEPS_OF_A_RUN = 50
STEPS_OF_A_PART = 5_000
"""Hypothesis remembers each step: with more of them, that is most of the heap."""
RUNS = max(1, STEPS // STEPS_OF_A_RUN)
PARTS = max(1, STEPS // STEPS_OF_A_PART)
IS_LONG = "GCREMAP_STEPS" in os.environ
NUMBERS = st.integers(0, 255)
ALL_KINDS = [*SEQUENCES, *SETS, *DICTS, "class", "instance"]
KINDS = st.sampled_from(ALL_KINDS)


def group_of(node: Node) -> str:
    """A class becomes a class; what a tuple has of iterators must stay iterators, as it may
    be a tuple that C code iterates over."""
    iterators = {"generator": "iterator", "iterator": "iterator"}
    return iterators.get(node.kind, "class" if node.kind == "class" else "")


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.graph = Graph()
        self.undoable: list[tuple[gcremap.RemapReport, dict[int, Node]]] = []

    def pick(self, number: int) -> int:
        labels = list(self.graph.nodes)
        return labels[number % len(labels)]

    def pick_old(self, number: int) -> int:
        """One of those that were made here: the atoms are the interpreter's own."""
        labels = list(self.graph.nodes)[len(ATOMS) :]
        return labels[number % len(labels)]

    def has_olds(self) -> bool:
        return len(self.graph.nodes) > len(ATOMS)

    @initialize(kinds=st.lists(KINDS, max_size=20))
    def begin(self, kinds: list[str]) -> None:
        for kind in ("class", "class", "instance", "instance", *kinds):
            labels = list(self.graph.nodes)
            self.graph.add(kind, [] if kind == "class" else labels[:-6:-1])

    @rule(kind=KINDS, numbers=st.lists(NUMBERS, max_size=6))
    def add(self, kind: str, numbers: list[int]) -> None:
        self.graph.add(kind, [self.pick(number) for number in numbers])
        self.undoable.clear()

    @rule(number=NUMBERS, position=NUMBERS, value=NUMBERS)
    def change(self, number: int, position: int, value: int) -> None:
        try:
            self.graph.change(self.pick(number), position, self.pick(value))
        except RefusedError:
            return
        self.undoable.clear()

    @precondition(has_olds)
    @rule(
        numbers=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=4),
        frames=st.booleans(),
        dry_run=st.sampled_from([False, False, False, True]),
    )
    def remap(self, numbers: list[tuple[int, int]], frames: bool, dry_run: bool) -> None:
        graph = self.graph
        mapping = {}
        for old_number, new_number in numbers:
            old = self.pick_old(old_number)
            group = group_of(graph.nodes[old])
            news = [
                label
                for label, node in graph.nodes.items()
                if label != old and (group_of(node) == group or not (group or node.kind == "class"))
            ]
            if news:
                mapping[old] = news[new_number % len(news)]
        before = copy.deepcopy(graph.nodes)
        try:
            after, slots = graph.remapped(mapping)
        except CycleError:
            return
        except RefusedError:
            with pytest.raises(gcremap.RemapError):
                self.call(mapping, frames=frames, dry_run=dry_run)
            return
        try:
            report = self.call(mapping, frames=frames, dry_run=dry_run)
        except gcremap.RemapError:
            of_stale = graph.has_stale_classes() and bool(set(mapping) & self.classes())
            if not of_stale and not self.has_forgotten():
                raise
            return
        assert report.leftovers == ()
        if not set(mapping) & self.classes():
            assert report.replaced == slots
        if not dry_run:
            graph.nodes = after
            self.undoable.append((report, before))

    def has_forgotten(self) -> bool:
        """Whether a word on the stack keeps what is in the graph no more: a table, perhaps, whose
        key would become unhashable."""
        known = {id(each) for each in self.graph.real.values()}
        return any(id(each) not in known for each in _native._pinned())

    def classes(self) -> set[int]:
        return {label for label, node in self.graph.nodes.items() if node.kind == "class"}

    def call(self, mapping: dict[int, int], **options: Any) -> gcremap.RemapReport:
        real = self.graph.real
        pairs = ((real[old], real[new]) for old, new in mapping.items())
        return gcremap.remap(pairs, exclude=[real], **options)

    @precondition(lambda self: self.undoable)
    @rule()
    def undo(self) -> None:
        report, before = self.undoable.pop()
        report.undo()
        assert report.undo() == 0
        self.graph.nodes = before

    @rule(generation=st.sampled_from([0, 2]))
    def collect(self, generation: int) -> None:
        gc.collect(generation)

    @precondition(has_olds)
    @rule(number=NUMBERS)
    def forget(self, number: int) -> None:
        label = self.pick_old(number)
        self.undoable.clear()
        ended = self.graph.forget(label)
        if ended is not None:
            gc.collect()
            gc.collect()
            # A word left over on the stack may keep it, or what it hangs on.
            assert ended() is None or 0 < len(_native._pinned()) < 20

    @invariant()
    def reality_is_as_the_model_says(self) -> None:
        self.graph.check()

    def teardown(self) -> None:
        self.undoable.clear()
        self.graph.real.clear()


def walk(seed: int) -> None:
    """A run that its seed tells. Hypothesis prefers what is small and what it chose before:
    here all is as likely, and remaps and undos are half of the steps."""
    choose = random.Random(seed)
    machine = Machine()

    def number() -> int:
        return choose.randrange(256)

    steps: list[Callable[[], object]] = [
        lambda: machine.add(choose.choice(ALL_KINDS), [number() for _ in range(number() % 7)]),
        lambda: machine.change(number(), number(), number()),
        *[
            lambda: (
                machine.remap(
                    [(number(), number()) for _ in range(1 + number() % 4)],
                    choose.random() < 0.5,
                    choose.random() < 0.25,
                )
                if machine.has_olds()
                else None
            )
        ]
        * 2,
        *[lambda: machine.undo() if machine.undoable else None] * 2,
        lambda: machine.collect(choose.choice([0, 2])),
        lambda: machine.forget(number()) if machine.has_olds() else None,
    ]
    machine.begin(choose.choices(ALL_KINDS, k=number() % 20))
    for _ in range(STEPS_OF_A_RUN):
        choose.choice(steps)()
        machine.reality_is_as_the_model_says()
    machine.teardown()


@pytest.mark.parametrize("part", range(PARTS))
def test_random_walks(part: int) -> None:
    first = random.randrange(1 << 32) if IS_LONG else 0
    for seed in range(first, first + 2 * RUNS // PARTS):
        try:
            walk(seed)
        except Exception as error:
            raise AssertionError(f"walk({seed}) fails") from error


@pytest.mark.parametrize("part", range(PARTS))
def test_model(part: int) -> None:
    chosen = settings(
        max_examples=RUNS // PARTS,
        stateful_step_count=STEPS_OF_A_RUN,
        deadline=None,
        database=None,
        derandomize=not IS_LONG,
        # To shrink what fails takes minutes.
        phases=[Phase.generate, *([Phase.shrink] if IS_LONG else [])],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Machine, settings=chosen)


if IS_LONG:
    pytestmark.append(pytest.mark.timeout(0))

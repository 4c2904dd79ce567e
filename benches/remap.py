"""What a remap costs, as ratios within one run, for heaps of several sizes.

    python benches/remap.py [--objects 1000000 5000000] [--plot DIRECTORY]

Each heap is made in a process of its own, once in the order of its addresses and once
shuffled. A figure is the best of a few runs over that of what it is compared with.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gcremap


@dataclass(frozen=True)
class Figure:
    work: str
    against: str
    seconds: float
    ratio: float
    goal: float


class Point:
    def __init__(self, number: int) -> None:
        self.number = number
        self.parts = [number]


def make_heap(objects: int, shuffled: bool) -> list[Any]:
    """Instances, lists, dicts and tuples in equal parts; shuffled, the collector's lists
    lead through memory at random."""
    heap: list[Any] = []
    for number in range(objects // 6):
        heap += Point(number), {"number": [number]}, (number, [number])
    if shuffled:
        # A collection puts what it reaches from a younger object behind that, in the
        # order in which it is reached.
        heap = random.Random(0).sample(heap, len(heap))
        gc.collect()
    return heap


def best(work: Callable[[], object], runs: int = 5) -> float:
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def best_in_turns(
    turns: int, work: Callable[[int], Callable[[], object]], against: Callable[[], object]
) -> tuple[float, float]:
    """The best times of what `work` prepares and of `against`, taken by turns, since a
    machine that is shared has slower and faster minutes."""
    times = []
    for turn in range(turns):
        prepared = work(turn)
        times.append((best(prepared, 1), best(against, 2)))
    return min(first for first, _ in times), min(second for _, second in times)


def swaps(count: int) -> Callable[[int], Callable[[], object]]:
    """Remaps of `count` objects that a list holds."""
    held: list[Any] = [Point(number) for number in range(count)]

    def prepare(_: int) -> Callable[[], object]:
        pairs = list(zip(list(held), [Point(number) for number in range(count)], strict=True))
        return lambda: gcremap.remap(pairs, frames=False)

    return prepare


def old_function() -> None: ...
def new_function() -> None: ...


def definitions(turn: int) -> Callable[[], object]:
    sides = (old_function, new_function)
    pair = sides if turn % 2 == 0 else sides[::-1]
    return lambda: gcremap.remap([pair])


def measure_search(objects: int, shuffled: bool) -> Iterator[Figure]:
    heap = make_heap(objects, shuffled)
    probe = heap[0]

    def figure(
        name: str, turns: int, work: Callable[[int], Callable[[], object]], goal: float
    ) -> Figure:
        seconds, referrers = best_in_turns(turns, work, lambda: gc.get_referrers(probe))
        return Figure(name, "gc.get_referrers(x)", seconds, seconds / referrers, goal)

    yield figure("1 pair", 7, swaps(1), 0.5 if shuffled else 0.7)
    yield figure("1,000 pairs", 7, swaps(1_000), 0.8)
    yield figure("100,000 pairs", 5, swaps(100_000), 1.5)
    yield figure("a function of a module", 8, definitions, 0.01)


def measure_instances(count: int) -> Iterator[Figure]:
    def prepared() -> tuple[type, type, list[Any]]:
        class Old(Point): ...

        class New(Point): ...

        return Old, New, [Old(number) for number in range(count)]

    old, new, instances = prepared()
    started = time.perf_counter()
    for instance in instances:
        instance.__class__ = new
    loop = time.perf_counter() - started
    del instances
    old, new, instances = prepared()
    seconds = best(lambda: gcremap.remap([(old, new)]), 1)
    assert type(instances[0]) is new
    work = f"a class with {count:,} instances"
    yield Figure(work, "o.__class__ = New for each", seconds, seconds / loop, 0.8)


def measure_list(count: int) -> Iterator[Figure]:
    old, new = Point(0), Point(1)
    held = [old] * count
    against = best(lambda: held.__setitem__(slice(None), [old] * count))
    seconds = best(lambda: gcremap.remap([(old, new)], frames=False), 1)
    yield Figure(f"{count:,} slots of a list", "lst[:] = [new] * n", seconds, seconds / against, 3)


def measure_import() -> Iterator[Figure]:
    def in_a_process(statement: str) -> float:
        code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
        runs = [subprocess.check_output([sys.executable, "-c", code]) for _ in range(5)]
        return min(map(float, runs))

    seconds, against = in_a_process("import gcremap"), in_a_process("import json")
    yield Figure("import gcremap", "import json", seconds, seconds / against, 1)


def figures(name: str, objects: int) -> list[Figure]:
    measures: dict[str, Callable[[], Iterable[Figure]]] = {
        "in order": lambda: measure_search(objects, False),
        "shuffled": lambda: measure_search(objects, True),
        "instances": lambda: measure_instances(1_000_000),
        "list": lambda: measure_list(1_000_000),
        "import": measure_import,
    }
    return list(measures[name]())


def in_a_process(name: str, objects: int) -> list[Figure]:
    command = [sys.executable, __file__, "--only", name, "--objects", str(objects)]
    return [Figure(**figure) for figure in json.loads(subprocess.check_output(command))]


def show(heading: str, found: Iterable[Figure]) -> None:
    print(f"\n{heading}")
    for figure in found:
        mark = "reached" if figure.ratio <= figure.goal else "missed"
        print(
            f"  {figure.work:30} {figure.seconds * 1e3:10.2f} ms   {figure.ratio:8.3f} of "
            f"{figure.against:28} goal {figure.goal:<5g} {mark}"
        )


def plot(directory: Path, by_size: dict[int, list[Figure]]) -> None:
    from matplotlib import pyplot

    directory.mkdir(parents=True, exist_ok=True)
    figure, axes = pyplot.subplots()
    for index, first in enumerate(next(iter(by_size.values()))):
        times = [found[index].seconds * 1e3 for found in by_size.values()]
        axes.plot(list(by_size), times, marker="o", label=first.work)
    axes.set(xlabel="objects in the heap", ylabel="ms", xscale="log", yscale="log")
    axes.legend()
    figure.savefig(directory / "cost.svg")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--objects", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--plot", type=Path, metavar="DIRECTORY")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        gc.disable()
        print(json.dumps([asdict(each) for each in figures(options.only, options.objects[0])]))
        return
    by_size = {}
    for objects in options.objects:
        by_size[objects] = in_a_process("in order", objects)
        show(f"{objects:,} objects, in order", by_size[objects])
        show(f"{objects:,} objects, shuffled", in_a_process("shuffled", objects))
    for name in ("instances", "list", "import"):
        show(name, in_a_process(name, 0))
    if options.plot:
        plot(options.plot, by_size)


if __name__ == "__main__":
    main()

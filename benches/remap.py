"""What a remap costs, as ratios within one run, for heaps of several sizes.

    python benches/remap.py [--objects 1000000 5000000] [--plot DIRECTORY]

Each heap is made in a process of its own, once in the order of its addresses and once
shuffled. A figure is the best of a few runs over that of what it is compared with.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gcremap

COLOURS = ("#3b8fd1", "#e0504d", "#35a853", "#a27ad0", "#c08040")
"""To be seen on a white page and on a dark one."""


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
        news = [Point(number) for number in range(count)]
        mapping = dict(zip(held, news, strict=True))
        return lambda: gcremap.remap(mapping, frames=False)

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
    # It takes as long in any heap, and the goal is one of 5 M objects.
    yield figure("a function of a module", 8, definitions, 0.01 * max(1, 5_000_000 / objects))


def measure_pairs(objects: int) -> Iterator[Figure]:
    heap = make_heap(objects, False)
    probe = heap[0]
    for pairs in (1, 10, 100, 1_000, 10_000, 100_000):
        seconds, referrers = best_in_turns(5, swaps(pairs), lambda: gc.get_referrers(probe))
        yield Figure(f"{pairs:,}", "gc.get_referrers(x)", seconds, seconds / referrers, 1.5)


def prepared_instances(count: int) -> tuple[type, type, list[Any]]:
    class Old(Point): ...

    class New(Point): ...

    return Old, New, [Old(number) for number in range(count)]


def loop_over_instances(count: int) -> float:
    _, new, instances = prepared_instances(count)
    started = time.perf_counter()
    for instance in instances:
        instance.__class__ = new
    return time.perf_counter() - started


def remap_of_instances(count: int) -> float:
    old, new, instances = prepared_instances(count)
    started = time.perf_counter()
    gcremap.remap([(old, new)])
    seconds = time.perf_counter() - started
    assert type(instances[0]) is new
    return seconds


def measure_instances(count: int) -> Iterator[Figure]:
    loop_over_instances(count)  # all that follow get memory that was used before
    times = [(loop_over_instances(count), remap_of_instances(count)) for _ in range(3)]
    loop, seconds = min(first for first, _ in times), min(second for _, second in times)
    work = f"a class with {count:,} instances"
    yield Figure(work, "o.__class__ = New for each", seconds, seconds / loop, 0.8)


def measure_list(count: int) -> Iterator[Figure]:
    sides = [Point(0), Point(1)]
    held = [sides[0]] * count

    def remap(turn: int) -> Callable[[], object]:
        pair = sides[turn % 2], sides[1 - turn % 2]
        return lambda: gcremap.remap([pair], frames=False, exclude=[sides])

    def assign() -> None:
        held[:] = [held[0]] * count

    seconds, against = best_in_turns(5, remap, assign)
    yield Figure(f"{count:,} slots of a list", "lst[:] = [new] * n", seconds, seconds / against, 3)


def memory(field: str) -> int:
    """A line of this process's status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


def measure_memory(objects: int) -> Iterator[Figure]:
    """What a remap of one slot takes at its peak, as the kernel sees it; after a first one,
    which imports most of the package."""
    swaps(1)(0)()
    heap = make_heap(objects, False)
    work = swaps(1)(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    seconds = best(work, 1)
    extra = memory("VmHWM") - before
    assert heap
    yield Figure(f"one hit: {extra / 2**10:,.0f} KiB", "a MiB", seconds, extra / 2**20, 1)


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
        "memory": lambda: measure_memory(objects),
        "pairs": lambda: measure_pairs(objects),
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


def draw(path: Path, across: str, lines: Mapping[str, Mapping[int, float]]) -> None:
    """An SVG of milliseconds, with logarithmic axes."""
    width, height, left, bottom = 640, 360, 60, 50
    points = [point for line in lines.values() for point in line.items()]
    least = [math.floor(math.log10(min(side))) for side in zip(*points, strict=True)]
    most = [math.ceil(math.log10(max(side))) for side in zip(*points, strict=True)]

    def at(x: float, y: float) -> str:
        right = (math.log10(x) - least[0]) / (most[0] - least[0])
        up = (math.log10(y) - least[1]) / (most[1] - least[1])
        x, y = left + right * (width - left - 200), 20 + (1 - up) * (height - bottom - 20)
        return f"{x:.1f},{y:.1f}"

    def text(position: str, words: str, anchor: str = "start") -> str:
        x, y = position.split(",")
        return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12" fill="#7a8590">'
    ]
    for power in range(least[1], most[1] + 1):
        start, end = at(10 ** least[0], 10**power), at(10 ** most[0], 10**power)
        drawn.append(f'<polyline points="{start} {end}" stroke="#8884"/>')
        drawn.append(text(f"{left - 8},{float(start.split(',')[1]) + 4}", f"{10**power:g}", "end"))
    for power in range(least[0], most[0] + 1):
        x = at(10**power, 10 ** least[1]).split(",")[0]
        drawn.append(text(f"{x},{height - bottom + 18}", f"{10**power:,}", "middle"))
    drawn.append(text(f"{(left + width - 200) / 2},{height - 10}", across, "middle"))
    drawn.append(text(f"{left - 8},12", "ms", "end"))
    for row, ((name, line), colour) in enumerate(zip(lines.items(), COLOURS, strict=False)):
        route = " ".join(at(x, y) for x, y in line.items())
        drawn.append(f'<polyline points="{route}" fill="none" stroke="{colour}" stroke-width="2"/>')
        place = f'x="{width - 180}" y="{40 + 20 * row}"'
        drawn.append(f'<text {place} fill="{colour}">{name}</text>')
    path.write_text("\n".join([*drawn, "</svg>", ""]))


def plot(directory: Path, by_size: dict[int, list[Figure]], pairs: list[Figure]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    by_work: dict[str, dict[int, float]] = {}
    for objects, found in by_size.items():
        for figure in found:
            by_work.setdefault(figure.work, {})[objects] = figure.seconds * 1e3
            referrers = figure.seconds / figure.ratio * 1e3
            by_work.setdefault(figure.against, {}).setdefault(objects, referrers)
    draw(directory / "cost-by-heap.svg", "objects in the heap", by_work)
    counts = [int(figure.work.replace(",", "")) for figure in pairs]
    by_pairs = {
        "remap": {count: figure.seconds * 1e3 for count, figure in zip(counts, pairs, strict=True)},
        pairs[0].against: {
            count: figure.seconds / figure.ratio * 1e3
            for count, figure in zip(counts, pairs, strict=True)
        },
    }
    draw(directory / "cost-by-pairs.svg", "pairs", by_pairs)


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
    largest = max(options.objects)
    for name in ("memory", "instances", "list", "import"):
        show(name, in_a_process(name, largest))
    if options.plot:
        plot(options.plot, by_size, in_a_process("pairs", largest))


if __name__ == "__main__":
    main()

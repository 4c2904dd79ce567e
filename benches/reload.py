"""What a reload of a 1,000-line module costs beside importlib.reload, in heaps of several sizes.

    python benches/reload.py [--objects 1000000 5000000]

One function is edited between two reloads. Each way has a module of its own, of the same
text; they take turns, and the best time of each counts.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import gcremap

TURNS = 9
FUNCTION = """
def function_{0}(values, limit=LIMIT, *, factor=1.5):
    total = {1}
    for value in values:
        if value > limit:
            total += value * factor
        else:
            total -= math.floor(value)
    return total

"""
CLASS = """
class Class{0}:
    kind = {0}

    def __init__(self, first, second):
        self.first = first
        self.second = second

    def total(self, other):
        result = self.first + other.first
        for step in range(self.second):
            result += step * {0}
        return result

    @property
    def ratio(self):
        return self.first / (self.second or 1)

    def __repr__(self):
        return f"<{{self.first}} {{self.second}}>"

"""


def source(version: int) -> str:
    functions = [FUNCTION.format(i, version if i == 3 else 0) for i in range(50)]
    classes = [CLASS.format(i) for i in range(25)]
    return "import math\n\nLIMIT = 10\nSTATE = {}\n" + "".join(functions + classes)


def measure(folder: Path, objects: int) -> tuple[dict[str, float], float]:
    """The best seconds of each way, and of a search through the whole heap."""
    clock = 1_000_000_000

    def write(name: str) -> None:
        path = folder / f"{name}.py"
        path.write_text(source(clock))
        os.utime(path, (clock, clock))

    def keep(module: ModuleType) -> None:
        gcremap.reload(module)

    def replace(module: ModuleType) -> None:
        gcremap.reload(module, identity="replace")

    ways: dict[str, Callable[[ModuleType], object]] = {
        "importlib.reload": importlib.reload,
        "gcremap.reload": keep,
        "…, identity='replace'": replace,
    }
    names = {way: f"module_{index}" for index, way in enumerate(ways)}
    for name in names.values():
        write(name)
    modules = {way: importlib.import_module(name) for way, name in names.items()}
    heap: list[Any] = [({"number": [number]}, (number, [number])) for number in range(objects // 5)]
    gc.collect()
    times: dict[str, list[float]] = {way: [] for way in ways}
    searches = []
    for _ in range(TURNS):
        clock += 10
        for way, reload in ways.items():
            write(names[way])
            started = time.perf_counter()
            reload(modules[way])
            times[way].append(time.perf_counter() - started)
        started = time.perf_counter()
        gc.get_referrers(heap)
        searches.append(time.perf_counter() - started)
    return {way: min(found) for way, found in times.items()}, min(searches)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--objects", type=int, nargs="+", default=[1_000_000])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, folder)
        for objects in arguments.objects:
            seconds, search = measure(Path(folder), objects)
            unit = seconds["importlib.reload"]
            print(f"{source(0).count(chr(10)):,} lines, {objects:,} objects")
            for way, best in seconds.items():
                print(f"  {way:24} {best * 1000:8.1f} ms   ratio {best / unit:5.2f}")
            print(f"  {'gc.get_referrers':24} {search * 1000:8.1f} ms   ratio {search / unit:5.2f}")


if __name__ == "__main__":
    main()

"""What gc.collect() costs in one interpreter as a ratio to another, in turns within one run.

    python benches/collect.py STOCK PATCHED [--objects 2000000] [--pairs 5] [--rounds 30]

Each pair is a process of either interpreter with the same heap; they collect in turns, one at
a time, so that what else the machine does meets both. Processor time counts.
"""

from __future__ import annotations

import argparse
import math
import statistics
import subprocess
from contextlib import ExitStack

HEAP = """
import gc, sys, time

class Node:
    def __init__(self, number):
        self.items = [number, str(number)]
        self.table = {"number": number, "items": self.items}
        self.key = (self.items, number)

gc.disable()
nodes = []
while len(nodes) * 4 < int(sys.argv[1]):
    nodes.append(Node(len(nodes)))
gc.collect()
print(len(gc.get_objects()), flush=True)
for _ in sys.stdin:
    start = time.process_time()
    gc.collect()
    print(time.process_time() - start, flush=True)
"""


class Collector:
    """A process with a heap, which collects when it is asked to."""

    def __init__(self, interpreter: str, objects: int, stack: ExitStack) -> None:
        command = [interpreter, "-c", HEAP, str(objects)]
        pipe = subprocess.PIPE
        self._process = stack.enter_context(
            subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        )
        self.objects = int(self._answer())

    def collect(self) -> float:
        """Seconds of processor time."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._process.args!r} ended")
        return line


def ratio_of_pair(stock: str, patched: str, objects: int, rounds: int, *, is_even: bool) -> float:
    """How many times the processor time of `stock` a collection in `patched` takes."""
    with ExitStack() as stack:
        both = [Collector(each, objects, stack) for each in (stock, patched)]
        order = both if is_even else both[::-1]
        times: dict[Collector, list[float]] = {each: [] for each in both}
        for _ in range(rounds):
            for each in order:
                times[each].append(each.collect())
        of_stock, of_patched = (statistics.median(times[each]) for each in both)
        print(
            f"{both[0].objects / 1e6:.1f} M objects: {of_stock * 1e3:6.1f} ms, "
            f"{of_patched * 1e3:6.1f} ms, {of_patched / of_stock:.3f}",
            flush=True,
        )
        return of_patched / of_stock


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("stock")
    parser.add_argument("patched")
    parser.add_argument("--objects", type=int, default=2_000_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    ratios = [
        ratio_of_pair(
            options.stock, options.patched, options.objects, options.rounds, is_even=pair % 2 == 0
        )
        for pair in range(options.pairs)
    ]
    mean = math.exp(statistics.mean(map(math.log, ratios)))
    print(f"patched takes {mean:.3f} times what stock takes ({min(ratios):.3f}, {max(ratios):.3f})")


if __name__ == "__main__":
    main()

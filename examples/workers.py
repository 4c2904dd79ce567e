#!/usr/bin/env python
"""A pool of worker processes that is reloaded without losing what the workers know.

`reload_on_all(pool, "module")` reloads a module in each worker of a running
ProcessPoolExecutor: the caches that its workers have filled stay, and so do the
functions that they hold. A `multiprocessing.Barrier` sees to it that each
worker takes the job once.

On a dask.distributed cluster no pool is needed: `client.run(reload_here, "module")`
runs the same function on every worker.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import gcremap

WORKERS = 3

MODEL = """\
CACHE = {}

def load(key):
    # Takes minutes, in life.
    if key not in CACHE:
        CACHE[key] = f"weights of {key}"
    return CACHE[key]

def predict(key):
    return f"{load(key)}: RESULT"
"""

_barrier: Any = None


def join(barrier: Any) -> None:
    """What each worker runs when it starts."""
    global _barrier
    _barrier = barrier


def reload_here(name: str) -> tuple[int, list[str], list[str]]:
    """Reload a module in this process: its id, what changed, and what stayed."""
    [report] = gcremap.reload_all([importlib.import_module(name)])
    return os.getpid(), report.updated, report.kept


def reload_once(name: str) -> tuple[int, list[str], list[str]]:
    """As `reload_here`; then wait until every other worker has done it, too."""
    try:
        return reload_here(name)
    finally:
        _barrier.wait(60)


def reload_on_all(
    pool: ProcessPoolExecutor, workers: int, name: str
) -> list[tuple[int, list[str], list[str]]]:
    return list(pool.map(reload_once, [name] * workers))


def predict(key: str) -> tuple[int, str, int]:
    """A job as the program gives it; it takes one to each worker, for all to be seen."""
    model = importlib.import_module("model")
    answer = model.predict(key)
    _barrier.wait(60)
    return os.getpid(), answer, id(model.CACHE[key])


def check(fact: str, holds: bool) -> bool:
    print(f"   {'✓' if holds else '✗'} {fact}")
    return holds


def main() -> int:
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.py")
        path.write_text(MODEL)
        sys.path.insert(0, folder)
        barrier = context.Barrier(WORKERS)
        with ProcessPoolExecutor(WORKERS, context, join, (barrier,)) as pool:
            before = sorted(pool.map(predict, ["cats"] * WORKERS))
            path.write_text(MODEL.replace("RESULT", "a better result"))
            reports = sorted(reload_on_all(pool, WORKERS, "model"))
            after = sorted(pool.map(predict, ["cats"] * WORKERS))
    pids = [pid for pid, _, _ in before]
    same = len(set(pids)) == WORKERS and pids == [pid for pid, _, _ in after]
    good = check(f"{WORKERS} workers, the same before and after", same)
    good &= check("each has reloaded", [pid for pid, _, _ in reports] == pids)
    good &= check(
        f"changed {', '.join(reports[0][1])}; kept {', '.join(reports[0][2])}",
        all((updated, kept) == (["predict"], ["CACHE"]) for _, updated, kept in reports),
    )
    good &= check(f"answers: {after[0][1]}", all("better" in answer for _, answer, _ in after))
    kept = [loaded for _, _, loaded in before] == [loaded for _, _, loaded in after]
    good &= check("what they had loaded is still there", kept)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

"""A deliberate fault: what a tool of memory.py must catch, or its silence says nothing.

python tests/stress/faults.py NAME
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Callable

from gcremap import _native

SIZE = 64


def allocate() -> int:
    take = ctypes.pythonapi.PyMem_Malloc
    take.argtypes, take.restype = [ctypes.c_size_t], ctypes.c_void_p
    return int(take(SIZE))


def release(address: int) -> None:
    give_back = ctypes.pythonapi.PyMem_Free
    give_back.argtypes, give_back.restype = [ctypes.c_void_p], None
    give_back(address)


def none() -> None:
    release(allocate())


def overflow() -> None:
    address = allocate()
    ctypes.memset(address + SIZE, 1, 8)
    release(address)


def freed_twice() -> None:
    address = allocate()
    release(address)
    release(address)


def used_after_it_was_freed() -> None:
    address = allocate()
    ctypes.memset(address, 1, SIZE)
    release(address)
    ctypes.string_at(address, SIZE)


def used_by_the_engine_after_it_was_freed() -> None:
    gc.disable()  # it would be the first to look
    _native._walk([])  # which prepares the engine
    items = [None] * SIZE
    kept_at = id(items) + list.__basicsize__ - 2 * ctypes.sizeof(ctypes.c_void_p)
    release(ctypes.c_void_p.from_address(kept_at).value or 0)
    _native._walk(items)


FAULTS: dict[str, Callable[[], None]] = {
    fault.__name__: fault
    for fault in (
        none,
        overflow,
        freed_twice,
        used_after_it_was_freed,
        used_by_the_engine_after_it_was_freed,
    )
}

if __name__ == "__main__":
    FAULTS[sys.argv[1]]()
    os._exit(0)  # what was damaged does not like to be taken down

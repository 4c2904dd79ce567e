"""Leaks: what is replaced is freed. For `make stress`: hundreds of reloads take minutes."""

from __future__ import annotations

import gc
import sys
import textwrap
import weakref
from typing import Any

import gcremap

SOURCE = """
    import enum, dataclasses, functools, typing
    class Base:
        def m(self): return {0}
    class C(Base):
        def m(self): return super().m()
    class S:
        __slots__ = {1}
    class E(enum.Enum):
        A = 1
        B = {0}
    @dataclasses.dataclass
    class D:
        x: int = {0}
    @functools.lru_cache
    def cached(x): return ({0}, x)
    def deco(fn):
        def w(*a): return (fn(*a), {0})
        return w
    @deco
    def f(): return {0}
    L = [lambda: {0}]
    LIMIT = {0}
"""


def counts() -> tuple[int, int]:
    for _ in range(3):
        gc.collect()
    return len(gc.get_objects()), sys.getallocatedblocks()


def test_many_reloads_are_flat(project: Any) -> None:
    source = "class C:\n    def m(self): return {0}\ndef f(): return {0}\nLIMIT = 5000 + {0}\n"
    mod = project.load(mod=source.format(0))
    c, f = mod.C(), mod.f
    reloads = 1000
    for version in range(1, reloads + 1):
        project.reload(mod=source.format(version))
        if version == reloads // 2:
            objects, blocks = counts()
    assert c.m() == f() == mod.f() == reloads
    objects_after, blocks_after = counts()
    assert objects_after - objects < 20
    assert blocks_after - blocks < 500


def test_each_kind_of_definition_is_freed(project: Any) -> None:
    source = textwrap.dedent(SOURCE)
    mod = project.load(
        mod=source.format(0, "('a',)"), other="from mod import *\nclass X(C): pass\n"
    )
    import other  # type: ignore[import-not-found]

    held = [mod.C(), other.X(), mod.E.A, mod.D(), mod.f, {mod.C: 1}, mod.S()]
    for version in range(1, 31):
        slots = "('a',)" if version % 10 else "('a', 'b')"
        project.reload(mod=source.format(version, slots))
        if version == 10:
            objects, blocks = counts()
    assert held[0].m() == held[1].m() == 30
    objects_after, blocks_after = counts()
    assert objects_after - objects < 40
    assert blocks_after - blocks < 1000


def test_old_values_are_freed(project: Any) -> None:
    mod = project.load(mod="class V: pass\nVALUE = V()\nTABLE = {1: V()}\n")
    gone = [weakref.ref(mod.VALUE), weakref.ref(mod.TABLE[1])]
    project.reload(mod="class V: pass\nVALUE = None\nTABLE = {}\n")
    gc.collect()
    assert [each() for each in gone] == [None, None]


def test_names_gone_are_freed(project: Any) -> None:
    mod = project.load(mod="class C: pass\ndef f(): pass\n")
    gone = [weakref.ref(mod.C), weakref.ref(mod.f)]
    project.reload(mod="X = 1\n")
    gc.collect()
    gcremap.remap({})  # looks again at what it keeps for C code up the stack
    assert [each() for each in gone] == [None, None]

"""What a reload of a few lines does not cost: a look at the whole heap, objects that stay."""

from __future__ import annotations

import gc
from types import FunctionType
from typing import Any

import pytest

import gcremap
from gcremap import _native

SOURCE = """
    from dataclasses import dataclass
    from enum import Enum
    from functools import lru_cache, wraps
    STATE = {{}}
    ROWS = []
    def __before_reload__():
        import gc
        gc.collect()  # so that what the reload works with is old by the end of it
    def function(): return {0}
    @lru_cache
    def cached(): return {0}
    class Class:
        def method(self): return {0}
        @property
        def value(self): return {0}
    @dataclass
    class Data:
        field: int = {0}
    class Kind(Enum):
        ONE = 1
    def wrapped(f):
        @wraps(f)
        def wrapper(): return (f(), {0})
        return wrapper
    @wrapped
    def decorated(): return {0}
"""


pytestmark = pytest.mark.parametrize("identity", ["keep"])


@pytest.fixture
def whole_heap(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was looked for in the whole heap."""
    asked: list[Any] = []
    referrers = gc.get_referrers

    def spy(*objects: Any) -> list[Any]:
        asked.extend(map(repr, objects))
        return referrers(*objects)

    holders_of = _native._holders_of

    def look(*wanted: Any) -> list[Any]:
        asked.extend(map(repr, wanted))
        return holders_of(*wanted)

    monkeypatch.setattr(gc, "get_referrers", spy)
    monkeypatch.setattr(_native, "_holders_of", look)
    return asked


def test_definitions_that_stay_take_no_look_at_the_heap(
    project: Any, whole_heap: list[Any]
) -> None:
    mod = project.load(mod=SOURCE.format(1))
    instance, function = mod.Class(), mod.function
    for version in (2, 3):
        [report] = project.reload(mod=SOURCE.format(version))
        assert (instance.method(), instance.value, function()) == (version,) * 3
        assert report.remap is None
        assert sorted(report.kept) == ["ROWS", "STATE"]
    assert whole_heap == []


def test_a_function_that_is_replaced_takes_no_look_at_the_heap(
    project: Any, whole_heap: list[Any]
) -> None:
    mod = project.load(mod=SOURCE.format(1))
    project.write(
        mod=SOURCE.format(1).replace("def function(): return 1", "def function(): return 2")
    )
    before = id(mod.function)
    [report] = gcremap.Reloader(identity="replace").reload("mod")
    assert (mod.function(), mod.cached()) == (2, 1)
    assert id(mod.function) != before
    assert report.remap is not None
    assert report.remap.scanned < len(gc.get_objects()) // 10
    assert whole_heap == []


def test_a_class_that_is_replaced_has_no_tables_indexed_anew(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.load(
        elsewhere="""
            class Key:
                def __eq__(self, other): return self.__dict__ == other.__dict__
                def __hash__(self): return len(self.__dict__)
        """
    )
    source = "class Class:\n    def to_be_edited(self): return {0}\n    def stays(self): return 1\n"
    mod = project.load(mod=source.format(1))
    instance = mod.Class()
    indexed: list[Any] = []
    monkeypatch.setattr(_native, "_rehash", indexed.append)
    project.write(mod=source.format(2))
    [report] = gcremap.Reloader(identity="replace").reload("mod")
    assert (instance.to_be_edited(), type(instance)) == (2, mod.Class)
    assert report.remap is not None
    assert indexed == []


def test_what_a_reload_has_made_is_gone_with_it(project: Any) -> None:
    mod = project.load(mod=SOURCE.format(1))

    def functions() -> int:
        return sum(
            type(each) is FunctionType and each.__globals__ is vars(mod)
            for each in gc.get_objects()
        )

    before = functions()
    for version in (2, 3, 4):
        project.reload(mod=SOURCE.format(version))
        # Without a collection of all generations, which may be long in coming.
        assert functions() == before

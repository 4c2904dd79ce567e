"""What classes are asked by `isinstance`, and what `typing` makes of them."""

from __future__ import annotations

import gc
import sys
import typing
from typing import Any

import pytest


def test_subclass_hook_that_answers_otherwise(project: Any) -> None:
    source = """
        import abc
        class Base(abc.ABC): pass
        class Sized(Base):
            @classmethod
            def __subclasshook__(cls, other): return {0}
    """
    mod = project.load(mod=source.format(False), user="class Thing: pass\n")
    thing = sys.modules["user"].Thing()
    assert not isinstance(thing, (mod.Sized, mod.Base))
    project.reload(mod=source.format(True))
    assert isinstance(thing, mod.Sized)
    assert isinstance(thing, mod.Base)


def test_subclass_hook_that_goes_or_asks_another_function(project: Any) -> None:
    source = """
        import abc
        def says(): return {0}
        class Sized(abc.ABC):
            @classmethod
            def {1}(cls, other): return says()
    """
    mod = project.load(mod=source.format(False, "__subclasshook__"), user="class Thing: pass\n")
    thing = sys.modules["user"].Thing()
    assert not isinstance(thing, mod.Sized)
    project.reload(mod=source.format(True, "__subclasshook__"))
    assert isinstance(thing, mod.Sized)
    project.reload(mod=source.format(True, "other"))
    assert not isinstance(thing, mod.Sized)


def test_protocol_that_asks_for_something_else(project: Any) -> None:
    source = """
        from typing import Protocol, runtime_checkable
        @runtime_checkable
        class Closes(Protocol):
            def {0}(self) -> None: ...
    """
    mod = project.load(mod=source.format("close"), user="class Thing:\n    def close(self): pass\n")
    thing = sys.modules["user"].Thing()
    assert isinstance(thing, mod.Closes)
    project.reload(mod=source.format("end"))
    assert not isinstance(thing, mod.Closes)
    project.reload(mod=source.format("close"))
    assert isinstance(thing, mod.Closes)


def test_typed_dict_by_call(project: Any) -> None:
    source = "from typing import TypedDict\nT = TypedDict('T', {{'a': {0}}})\n"
    mod = project.load(mod=source.format("int"), user="from mod import T\n")
    project.reload(mod=source.format("str"))
    assert sys.modules["user"].T is mod.T
    assert mod.T.__annotations__ == {"a": str}


def test_annotations_that_name_a_class_of_the_module_stay(project: Any) -> None:
    """Of a source that did not change: they are those of the class that stays."""
    source = "class A: pass\nclass B:\n    many: list[A]\n    one: A\n"
    mod = project.load(mod=source)
    kept = mod.B.__annotations__
    project.reload(mod=source)
    assert mod.B.__annotations__ == kept == {"many": list[mod.A], "one": mod.A}
    assert sys.version_info >= (3, 14) or mod.B.__annotations__ is kept


@pytest.mark.skipif(sys.version_info < (3, 12), reason="PEP 695")
def test_what_is_evaluated_late_looks_into_the_class_that_stays(project: Any) -> None:
    source = """
        T = {1}
        type Outer = list[T]
        type Generic[T] = list[T]
        class C:
            T = {1}
            type Inner = list[T]
            at: T
            def m(self, {2}: T): return {0}
            def same[U](self, u: U, at: T): return 1
            @property
            def p(self) -> T: return {0}
        class Bare:
            T = {1}
            def m(self{3}): return 1
    """
    mod = project.load(mod=source.format(0, "int", "at", ""))
    generic = mod.Generic
    for n, kind, name in ((1, int, "at"), (2, str, "then"), (3, str, "at"), (4, bytes, "at")):
        bare = f", {name}: T"
        project.reload(mod=source.format(n, kind.__name__, name, bare))
        gc.collect()  # on 3.15 the namespace of a class that is freed is emptied
        assert mod.C.__annotations__ == {"at": kind}
        assert mod.C.m.__annotations__ == mod.Bare.m.__annotations__ == {name: kind}
        assert mod.C.same.__annotations__["at"] is kind
        assert mod.C.p.fget.__annotations__ == {"return": kind}
        assert mod.C.Inner.__value__ == mod.Outer.__value__ == list[kind]  # type: ignore[valid-type]
        assert mod.Generic is generic


def test_generic_bases_are_those_that_are_imported_now(project: Any) -> None:
    source = """
        from typing import Generic, TypeVar
        from {} import Iterator
        T = TypeVar("T")
        class Item: pass
        class Items(Iterator[Item]):
            def __next__(self): raise StopIteration
        class Box(Generic[T]): pass
        class Full(Box[Item]): pass
    """
    mod = project.load(mod=source.format("collections.abc"))
    bases = mod.Box.__orig_bases__, mod.Full.__orig_bases__
    [report] = project.reload(mod=source.format("typing"))
    assert mod.Items.__orig_bases__ == (typing.Iterator[mod.Item],)
    assert (mod.Box.__orig_bases__, mod.Full.__orig_bases__) == bases
    assert report.updated == ["Items"]
    [report] = project.reload("mod")
    assert report.updated == []


def test_annotations_of_a_class_that_are_text(project: Any) -> None:
    source = """
        from __future__ import annotations
        class C:
            first{1} = 0
            def m(self): return {0}
    """
    mod = project.load(mod=source.format(0, ""))
    for n, said in enumerate([": int", ": int", "", ": str", ": str"], 1):
        project.reload(mod=source.format(n, said))
        assert mod.C.__annotations__ == ({"first": said[2:]} if said else {})
        assert mod.C().m() == n
    project.reload(mod=source.format(5, ": str") + "    def f(): pass\n")
    assert mod.C.__annotations__ == {"first": "str"}


def test_annotations_of_a_class_that_are_text_no_longer(project: Any) -> None:
    source = """
        class C:
            class Inner: pass
            first: Inner = 0
            def m(self, it: Inner): return it
    """
    mod = project.load(mod=source)
    for text in (True, False, True, False):
        future = "from __future__ import annotations" if text else ""
        project.reload(mod=f"        {future}{source}")
        said = "Inner" if text else mod.C.Inner
        assert mod.C.__annotations__ == {"first": said}
        assert mod.C.m.__annotations__ == {"it": said}

"""What classes are asked by `isinstance`, and what `typing` makes of them."""

from __future__ import annotations

import sys
from typing import Any


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

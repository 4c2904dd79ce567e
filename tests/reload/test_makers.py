"""What decorators, metaclasses and `__init_subclass__` make of definitions that say what they
said follows these, and what they call."""

from __future__ import annotations

import sys
from textwrap import dedent
from typing import Any

import pytest

_HELPERS = """
    BASE = {0}
    def scaled(n): return n * BASE
    class Options:
        def __init__(self, cls): self.names = [cls.__name__] * BASE
"""
_MAKERS = {
    "decorator": """
        def make(cls):
            cls.level, cls.options, cls.table = scaled(10), Options(cls), {"level": scaled(1)}
            cls.seen = []
            return cls
    """,
    "hook": """
        class Base:
            def __init_subclass__(cls):
                cls.level, cls.options, cls.table = scaled(10), Options(cls), {"level": scaled(1)}
                cls.seen = []
    """,
    "metaclass": """
        class Meta(type):
            def __init__(cls, *said):
                cls.level, cls.options, cls.table = scaled(10), Options(cls), {"level": scaled(1)}
                cls.seen = []
    """,
}
_USES = {
    "decorator": "@make\nclass C: pass",
    "hook": "class C(Base): pass",
    "metaclass": "class C(metaclass=Meta): pass",
}


@pytest.mark.parametrize("kind", list(_MAKERS))
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("order", [("mod", "makers"), ("makers", "mod")])
def test_attributes_of_classes(
    project: Any, kind: str, apart: bool, order: tuple[str, str]
) -> None:
    makers = dedent(_HELPERS) + dedent(_MAKERS[kind])
    if apart:
        uses = "from makers import *\n" + _USES[kind]
        mod = project.load(mod=uses, makers=makers.replace("{0}", "1"))
        edit = {"makers": makers.replace("{0}", "2")}
    else:
        makers += _USES[kind]
        mod = project.load(mod=makers.replace("{0}", "1"), makers="")
        edit = {"mod": makers.replace("{0}", "2")}
    held, seen = mod.C(), mod.C.seen
    seen.append("by the program")
    project.write(**edit)
    project.reload(*order)
    assert held.level == mod.C.level == 20
    assert held.options.names == ["C", "C"]
    assert held.table == {"level": 2}
    assert held.seen is seen
    assert seen == ["by the program"]


@pytest.mark.parametrize("apart", [False, True])
def test_attributes_of_functions(project: Any, apart: bool) -> None:
    makers = """
def tagged(name):
    def decorate(f):
        f.tag = "{0}" + name
        f.calls = 0
        said = ["{0}", name]
        def wrapper():
            wrapper.calls += 1
            return f.tag, said, f()
        wrapper.calls, wrapper.options = 0, ["{0}"]
        return wrapper
    return decorate
"""
    uses = """
@tagged("f")
def f(): return 0
class C:
    @staticmethod
    @tagged("m")
    def m(): return 0
"""
    if apart:
        mod = project.load(mod="from makers import *" + uses, makers=makers.replace("{0}", "1"))
        edit = {"makers": makers.format(2)}
    else:
        mod = project.load(mod=makers.format(1) + uses, makers="")
        edit = {"mod": makers.format(2) + uses}
    f, m = mod.f, mod.C().m
    f()
    project.write(**edit)
    project.reload("mod", "makers")
    assert f() == mod.f() == ("2f", ["2", "f"], 0)
    assert m() == ("2m", ["2", "m"], 0)
    assert f.options == ["2"]
    assert f.calls == 3


def test_dataclasses_over_those_of_other_modules(project: Any) -> None:
    head = "from dataclasses import dataclass\n"
    first = head + "@dataclass\nclass A:\n    x: int = 1\n    {}"
    mod = project.load(
        mod=head + "from middle import B\n@dataclass\nclass C(B):\n    z: int = 3",
        middle=head + "import first\n@dataclass\nclass B(first.A):\n    y: int = 2",
        first=first.format(""),
    )
    held = mod.C(7)
    project.write(first=first.format("w: str = 'w'"))
    project.reload("mod", "middle", "first")
    assert repr(held) == "C(x=7, w='w', y=2, z=3)"
    assert mod.C(1, "v", 5).y == 5


def test_what_did_not_change_leaves_state_alone(project: Any) -> None:
    """Other code of the module is none that has made the class."""
    source = """
        def make(cls):
            cls.count, cls.table = 0, {{"a": 1}}
            return cls
        @make
        class C:
            pass
        def other(): return {0}
    """
    mod = project.load(mod=source.format(1))
    mod.C.count, table = 5, mod.C.table
    table["b"] = 2
    project.reload(mod=source.format(2))
    assert mod.other() == 2
    assert mod.C.count == 5
    assert mod.C.table is table
    assert table == {"a": 1, "b": 2}


def test_what_is_told_by_name(project: Any) -> None:
    """Decorators and class statements that say what they said, of a constant that is another."""
    source = """
        SIZE = {0}
        def sized(size):
            def decorate(function):
                function.size = size
                return function
            return decorate
        class Base:
            def __init_subclass__(cls, size): cls.size = size
        @sized(SIZE)
        def f(): pass
        class C(Base, size=SIZE):
            @sized(SIZE)
            def m(self): pass
    """
    mod = project.load(mod=source.format(1))
    f, c = mod.f, mod.C()
    f.by_hand = 1
    project.reload(mod=source.format(2))
    assert (f.size, mod.f.size, c.size, c.m.size, f.by_hand) == (2, 2, 2, 2, 1)


def test_bodies_that_are_computed(project: Any) -> None:
    source = """
        import enum
        from dataclasses import dataclass
        from typing import NamedTuple
        ONE = {0}
        class E(enum.Enum):
            A = ONE
        class P(NamedTuple):
            x: int = ONE
        @dataclass
        class D:
            x: int = ONE
    """
    mod = project.load(mod=source.format(1))
    member, text = mod.E.A, mod.D.__doc__
    project.reload(mod=source.format(2))
    assert mod.E(2) is mod.E.A
    assert (member.value, mod.E.A.value) == (2, 2)
    with pytest.raises(ValueError, match="1 is not a valid E"):
        mod.E(1)
    assert mod.P._field_defaults == {"x": 2}
    assert mod.P().x == mod.D().x == 2
    assert mod.D.__doc__ == text.replace("1", "2")


def test_what_a_decorator_says_of_definitions_in_a_registry(project: Any) -> None:
    source = """
        KINDS, NAMES, LISTED = {{}}, {{}}, []
        OTHERS = {{}}
        def noted(value):
            KINDS[value] = {{"level": {0}}}
            NAMES[value.__name__ + {1}] = ({0}, value)
            LISTED.append(({0}, value))
            return value
        @noted
        class C: pass
        @noted
        def f(): return 0
        def other(value):
            OTHERS[value] = {{"level": 1}}
            return value
        @other
        def g(): return 0
    """
    mod = project.load(mod=source.format(1, "''"), user="import mod\nmod.noted(print)")
    kinds, names, listed = mod.KINDS, mod.NAMES, mod.LISTED
    mod.OTHERS[mod.g]["level"] = 5
    project.reload(mod=source.format(2, "'!'"))
    assert mod.KINDS is kinds
    assert mod.NAMES is names
    assert mod.LISTED is listed
    assert kinds == {mod.C: {"level": 2}, mod.f: {"level": 2}, print: {"level": 1}}
    assert names == {"C!": (2, mod.C), "f!": (2, mod.f), "print": (1, print)}
    assert listed == [(2, mod.C), (2, mod.f), (1, print)]
    assert {mod.g: {"level": 5}} == mod.OTHERS


@pytest.mark.parametrize("where", ["mod", "givers"])
def test_methods_that_the_maker_or_the_decorator_of_a_class_gives_no_more(
    project: Any, where: str
) -> None:
    tools = """
        def make(name):
            methods = {{"m": lambda self: {0}}}
            if {1}:
                methods["gone"] = lambda self: 0
            return type(name, (), methods)
        def given(cls):
            def m(self): return {0}
            def gone(self): return 0
            cls.m = m
            if {1}:
                cls.gone = gone
            return cls
    """
    user = """
        A = make("A")
        @given
        class B: pass
    """
    sources = {"mod": tools + user} if where == "mod" else {"givers": tools}
    head = {} if where == "mod" else {"mod": "from givers import make, given\n" + dedent(user)}
    project.load(**{name: text.format(1, True) for name, text in sources.items()})
    mod = project.load(**head) if head else sys.modules["mod"]
    mod.A.set_by_hand = mod.B.set_by_hand = lambda self: "hand"
    made = [mod.A(), mod.B()]
    project.reload(**{name: text.format(2, False) for name, text in sources.items()}, **head)
    for one, cls in zip(made, (mod.A, mod.B), strict=True):
        assert type(one) is cls
        assert (one.m(), cls().m(), one.set_by_hand()) == (2, 2, "hand")
        assert not hasattr(cls, "gone")

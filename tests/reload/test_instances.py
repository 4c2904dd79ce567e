"""Instances: they take the new class, and are rebuilt where its layout is another."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

import gcremap
from gcremap import _native


def test_slot_added(project: Any) -> None:
    source = """
        class S:
            __slots__ = {0}
            def __init__(self): self.b = "b"
            def show(self): return {1}
    """
    mod = project.load(
        mod=source.format("('b',)", 1),
        other="import mod\nclass T(mod.S):\n    __slots__ = ('z',)\n",
    )
    import other  # type: ignore[import-not-found]

    s, t = mod.S(), other.T()
    t.z = 5
    held = {"s": s, "t": [t], s: "key"}
    [report] = project.reload(mod=source.format("('a', 'b')", 2))
    s, [t] = held["s"], held["t"]
    assert type(s) is mod.S
    assert type(t) is other.T
    assert other.T.__bases__ == (mod.S,)
    assert (s.b, s.show(), t.b, t.z, t.show()) == ("b", 2, "b", 5, 2)
    assert held[s] == "key"
    s.a = t.a = 1
    assert report.migrated == 2


def test_slot_removed_and_slots_to_dict_and_back(project: Any) -> None:
    source = """
        class S:
            {0}
            def __init__(self): self.x, self.y = 1, 2
    """
    mod = project.load(mod=source.format("__slots__ = ('x', 'y')"))
    held = [mod.S()]
    project.reload(mod=source.format("pass"))
    assert vars(held[0]) == {"x": 1, "y": 2}
    held[0].z = 3
    project.reload(mod=source.format("__slots__ = ('y', 'z')"))
    assert type(held[0]) is mod.S
    assert (held[0].y, held[0].z) == (2, 3)
    assert not hasattr(held[0], "x")


def test_other_c_base(project: Any) -> None:
    source = "class S({0}):\n    def m(self): return {1}\n"
    mod = project.load(mod=source.format("", 1))
    held = [mod.S()]
    held[0].attribute = "a"
    project.reload(mod=source.format("dict", 2))
    assert type(held[0]) is mod.S
    held[0]["k"] = "v"
    assert (held[0].attribute, held[0].m()) == ("a", 2)
    project.reload(mod=source.format("list", 3))
    assert held[0].m() == 3
    assert held[0] == []


def test_instances_refer_to_each_other(project: Any) -> None:
    source = "class Node:\n    __slots__ = {0}\n    def __init__(self): self.other = None\n"
    mod = project.load(mod=source.format("('other',)"))
    a, b = mod.Node(), mod.Node()
    a.other, b.other = b, a
    held = [a, b]
    del a, b
    project.reload(mod=source.format("('other', 'more', '__weakref__')"))
    a, b = held
    assert a.other is b
    assert b.other is a
    assert type(a) is type(b) is mod.Node


def test_slots_of_a_superclass_in_the_same_module(project: Any) -> None:
    source = """
        class A:
            __slots__ = {0}
        class B(A):
            __slots__ = ("b",)
            def m(self): return (super().__repr__() and __class__, {1})
    """
    mod = project.load(mod=source.format("('a',)", 1))
    held = [mod.B()]
    held[0].a, held[0].b = 1, 2
    project.reload(mod=source.format("('a', 'c')", 2))
    assert (held[0].a, held[0].b) == (1, 2)
    assert held[0].m() == (mod.B, 2)
    assert isinstance(held[0], mod.A)


def test_reloaded_is_called_for_each_living_instance(project: Any) -> None:
    mod = project.load(
        mod="class P:\n    version = 1\n    def __init__(self): self.name = 'x'\n"
        "    def who(self): return 'old'\n",
        other="import mod\nclass Q(mod.P): pass\n",
    )
    import other

    p, q = mod.P(), other.Q()
    project.reload(
        mod="class P:\n    version = 2\n    def __init__(self): self.first = 'x'\n"
        "    def who(self): return 'new'\n"
        "    def __reloaded__(self, old_class):\n"
        "        self.first = self.__dict__.pop('name')\n"
        "        self.was = old_class.version, old_class.who(self), old_class.__name__\n"
    )
    for each in (p, q):
        assert each.first == "x"
        assert each.was == (1, "old", "P")
        assert each.who() == "new"
        assert not hasattr(each, "name")


def test_reloaded_is_called_where_only_a_method_changed(project: Any) -> None:
    source = """
        class P:
            def who(self): return {0}
            def __reloaded__(self, old_class): self.was = old_class.who(self)
        class Outer:
            class Inner:
                def m(self): return {0}
            def __reloaded__(self, old_class): self.was = old_class.Inner().m()
        class Same:
            def __reloaded__(self, old_class): 1 / 0
    """
    mod = project.load(mod=source.format(1))
    p, outer, same = mod.P(), mod.Outer(), mod.Same()
    project.reload(mod=source.format(2))
    assert (p.who(), p.was) == (2, 1)
    assert (outer.Inner().m(), outer.was) == (2, 1)
    assert type(same) is mod.Same


def test_reloaded_that_raises_takes_everything_back(project: Any) -> None:
    mod = project.load(mod="class P:\n    def who(self): return 'old'\n")
    p = mod.P()
    with pytest.raises(ZeroDivisionError):
        project.reload(
            mod="class P:\n    def who(self): return 'new'\n"
            "    def __reloaded__(self, old_class): 1/0\n"
        )
    assert type(p) is mod.P
    assert p.who() == mod.P().who() == "old"
    project.reload(mod="class P:\n    def who(self): return 'newer'\n")
    assert p.who() == "newer"


def test_exceptions_and_tuples_are_rebuilt_with_their_content(project: Any) -> None:
    source = "class E(Exception):\n    {0}\nclass T(tuple):\n    {0}\n"
    mod = project.load(mod=source.format("pass"))
    error, items = mod.E("x", 1), mod.T((1, 2))
    error.note = "n"
    held = [error, items]
    project.reload(mod=source.format("def m(self): return 2"))
    assert [each.m() for each in held] == [2, 2]
    assert held[0].args == ("x", 1)
    assert held[0].note == "n"
    assert held[1] == (1, 2)


def test_init_changed_is_not_run_on_old_instances(project: Any) -> None:
    mod = project.load(mod="class C:\n    def __init__(self): self.a = 1\n")
    c = mod.C()
    project.reload(mod="class C:\n    def __init__(self): self.b = 2\n")
    assert vars(c) == {"a": 1}
    assert vars(mod.C()) == {"b": 2}


CTYPES = """
    import ctypes
    class Point(ctypes.Structure):
        _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_int){fields}]
        def total(self): return self.x + self.y + {more}
    class Text(ctypes.c_char_p): pass
    POINT = Point(1, 2)
    PAIR = (Point * 2)()
    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Point))
    def callback(point): return point.contents.total()
"""


def test_structures_of_ctypes(project: Any) -> None:
    """Their metaclass has a `__setattr__` of its own, in C."""
    mod = project.load(mod=CTYPES.format(fields="", more=0))
    held = [mod.POINT]
    project.reload(mod=CTYPES.format(fields="", more=10))
    assert held[0] is mod.POINT
    assert type(held[0]) is mod.Point
    assert (held[0].total(), mod.PAIR[1].total(), mod.callback(held[0])) == (13, 10, 13)


def test_structures_of_ctypes_with_another_field(project: Any) -> None:
    import ctypes

    mod = project.load(mod=CTYPES.format(fields="", more=0))
    held = [mod.POINT]
    project.reload(mod=CTYPES.format(fields=", ('z', ctypes.c_double)", more=10))
    assert type(held[0]) is mod.Point
    assert ctypes.sizeof(held[0]) == 16
    held[0].z = 0.5
    assert (held[0].x, held[0].z, held[0].total()) == (1, 0.5, 13)


def test_a_field_of_ctypes_gets_another_type_of_its_size(project: Any) -> None:
    source = """
        import ctypes
        class P(ctypes.Structure):
            _fields_ = [("x", ctypes.{0})]
        X = P(-1)
    """
    mod = project.load(mod=source.format("c_int"))
    held = [mod.X]
    project.reload(mod=source.format("c_uint"))
    assert type(held[0]) is mod.P
    assert held[0].x == 2**32 - 1 == mod.P(-1).x


def test_descriptors_with_an_offset_are_no_fields_of_ctypes(project: Any) -> None:
    source = """
        class Column:
            offset = 0
            def __get__(self, instance, owner): return {0}
        class Table:
            column = Column()
    """
    mod = project.load(mod=source.format(1))
    table = mod.Table()
    project.reload(mod=source.format(2))
    assert table.column == 2


def test_instances_of_a_class_that_becomes_abstract(project: Any) -> None:
    source = """
        from abc import ABC, abstractmethod
        class Base(ABC):
            __slots__ = {}
            @abstractmethod
            def f(self): ...
            {}
    """
    sub = "import mod\nclass Sub(mod.Base):\n    def f(self): return {}\n"
    project.load(mod=source.format("()", ""), user=sub.format(1))
    import user

    instance = user.Sub()
    more = "@abstractmethod\n            def g(self): ..."
    project.reload("mod", "user", mod=source.format("('x',)", more), user=sub.format(2))
    assert type(instance) is user.Sub
    assert instance.f() == 2
    with pytest.raises(TypeError, match="abstract"):
        user.Sub()


@pytest.mark.parametrize(
    "source",
    [
        "P = collections.namedtuple('P', {0!r}, defaults=({1!r},))",
        "class P(collections.namedtuple('P', {0!r}, defaults=({1!r},))):\n    __slots__ = ()",
        "class P(collections.namedtuple('P', {0!r}, defaults=({1!r},))):\n    pass",
    ],
)
def test_items_of_a_namedtuple_follow_their_fields(project: Any, source: str) -> None:
    source = "import collections\n" + source + "\n"
    user = "from mod import P\nclass Q(P): pass\n"
    mod = project.load(mod=source.format("x y", 0), user=user)
    held = {mod.P(1, 2): "p", sys.modules["user"].Q(3, 4): "q"}
    project.reload(mod=source.format("y x z", 9))
    p, q = held
    assert (p.x, p.y, p.z) == (1, 2, 9)
    assert (q.x, q.y, q.z) == (3, 4, 9)
    assert held[mod.P(x=1, y=2)] == "p"
    assert mod.P(5, 6) == (5, 6, 9)
    project.reload(mod=source.format("y w z", 9))
    p, q = held
    assert (p.y, p.w, p.z) == (2, 1, 9)  # another name of the field at that place
    assert (q.y, q.w, q.z) == (4, 3, 9)
    assert isinstance(p, mod.P)
    assert isinstance(q, sys.modules["user"].Q)


def test_subclasses_elsewhere_get_the_metaclass_of_their_base(project: Any) -> None:
    user = """
        from mod import A
        class B(A):
            def f(self): return super().f()
        class C(B): pass
        held = C()
    """
    head, body = (
        "class M(type):\n    def __len__(cls): return {0}\n",
        "    def f(self): return {0}\n",
    )
    mod = project.load(mod="class A:\n" + body.format(1), user=user)
    user_module = sys.modules["user"]
    for version in (2, 3):
        project.reload(mod=(head + "class A(metaclass=M):\n" + body).format(version))
        assert [len(each) for each in (mod.A, user_module.B, user_module.C)] == [version] * 3
        assert type(user_module.held) is user_module.C
        assert user_module.held.f() == version
        assert user_module.C.__mro__[1:3] == (user_module.B, mod.A)
    project.reload(mod="class A:\n" + body.format(4))
    assert {type(each) for each in (mod.A, user_module.B, user_module.C)} == {type}
    assert user_module.held.f() == 4


def test_subclass_that_is_rebuilt_is_registered_once(project: Any) -> None:
    source = """
        import abc
        made = []
        class M(abc.ABCMeta):
            def __new__(cls, *rest):
                found = super().__new__(cls, *rest)
                made.append(found)
                return found
        class Named:
            def __set_name__(self, owner, name): made.append(self)
        class A(metaclass=M):
            __slots__ = {0}
            subs = []
            def __init_subclass__(cls): A.subs.append(cls)
    """
    mod = project.load(
        mod=source.format("('x',)"),
        user="from mod import A, Named\nclass B(A):\n    name = Named()\nB.register(int)\n",
    )
    user = sys.modules["user"]
    project.reload(mod=source.format("('x', 'y')"))
    assert mod.A.subs == [user.B]
    assert mod.made == [mod.A, user.B.name, user.B]
    assert type(user.B) is mod.M is type(mod.A)
    assert issubclass(int, user.B)
    assert user.B().__class__.__mro__[1] is mod.A


def test_object_that_goes_when_its_class_is_laid_out_otherwise(project: Any) -> None:
    """Its own statement changed as well: it is replaced, and not rebuilt."""
    source = "class V:\n    {0}\n    def __init__(self, n): self.n = n\nv = V({1})"
    mod = project.load(mod=source.format("pass", 1), user="from mod import v\nkept = [v]")
    user = sys.modules["user"]
    project.reload(mod=source.format("__slots__ = ('n',)", 2))
    assert mod.v is user.v is user.kept[0]
    assert type(mod.v) is mod.V
    assert mod.v.n == 2


def test_instances_that_are_rebuilt_are_not_finalized(project: Any) -> None:
    """They live on; what another object takes the place of is gone."""
    source = """
        import log
        class File:
            {0}
            def __init__(self, name): self.name = name
            def __del__(self): log.CLOSED.append(self.name)
        mine = File("{1}")
    """
    mod = project.load(mod=source.format("pass", "first", ""), log="CLOSED = []\n")
    project.load(user="import mod\nclass Sub(mod.File): pass\nsub = Sub('sub')\n")
    closed, held = sys.modules["log"].CLOSED, [mod.File("held")]

    def ended() -> list[str]:
        gc.collect()
        # A word that was left over on the stack may keep one for a while.
        kept = [each.name for each in _native._pinned() if type(each).__name__ == "File"]
        return sorted(closed + kept)

    fails = "def __reloaded__(self, old): 1 / 0"
    with pytest.raises(ZeroDivisionError):
        project.reload(mod=source.format(fails + "; __slots__ = ('name', 'x')", "first"))
    assert ended() == ["first"]  # the one that the new source has made
    closed.clear()
    project.reload(mod=source.format("__slots__ = ('name', 'x')", "second"))
    assert ended() == ["first"]
    sys.modules["user"].sub = None
    held.clear()
    assert ended() == ["first", "held", "sub"]


def test_other_name_for_a_slot_in_a_class_elsewhere(project: Any) -> None:
    source = "class S:\n    __slots__ = {0}\n    def __init__(self): self.x = 1\n"
    user = "from mod import S\nclass T(S):\n    __slots__ = ()\n    other = S.x\n"
    mod = project.load(mod=source.format("('x',)"), user=user)
    t = sys.modules["user"].T()
    project.reload(mod=source.format("('w', 'x')"))
    assert t.other == t.x == 1
    t.other = 2
    assert t.x == 2
    assert sys.modules["user"].T.other is mod.S.x


def test_values_that_stay_when_their_class_is_replaced(project: Any) -> None:
    """Also those of which the new source has made another one, and taken it somewhere."""
    source = """
        from abc import ABC
        class A(ABC):
            def __init__(self, n): self.n = n
            def __hash__(self): return {0}
            def __eq__(self, other): return self.n == other.n
        class B(A):
            def named(self): return self
        VALUE = B(1).named()
        TABLE = {{B(2): VALUE}}
        def take(v=VALUE): return v
    """
    mod = project.load(mod=source.format(1), user="from mod import VALUE\n")
    mod.VALUE.state = "kept"
    [key] = mod.TABLE
    project.reload(mod=source.format("2 * self.n"))
    assert type(mod.VALUE) is type(key) is mod.B
    assert mod.VALUE.state == "kept"
    assert mod.take() is mod.VALUE is sys.modules["user"].VALUE
    assert mod.TABLE[mod.B(2)] is mod.VALUE


def test_decorated_objects_that_stay_when_their_class_is_replaced(project: Any) -> None:
    source = """
        KNOWN = []
        class Route:
            __slots__ = ("function", "calls"{0})
            def __init__(self, function):
                self.function, self.calls = function, 0
                KNOWN.append(self)
            def __call__(self):
                self.calls += 1
                return self.function()
        @Route
        def view(): return 1
    """
    mod = project.load(mod=source.format(""), user="from mod import view\n")
    assert mod.view() == 1
    project.reload(mod=source.format(', "more"'))
    assert type(mod.view) is mod.Route
    assert mod.view is sys.modules["user"].view
    assert list(mod.KNOWN) == [mod.view]
    assert (mod.view(), mod.view.calls) == (1, 2)
    mod.view.more = 1


def test_failure_after_values_have_moved_to_the_new_class(project: Any) -> None:
    source = """
        class A:
            __slots__ = ("n"{0})
            def __init__(self, n): self.n = n
        VALUE = A(1)
        def take(v=VALUE): return v
        {1}
    """
    mod = project.load(mod=source.format(",", ""))
    before, cls = mod.VALUE, mod.A
    with pytest.raises(ZeroDivisionError):
        project.reload(mod=source.format(", 'm'", "def __after_reload__(p): 1 / 0"))
    assert mod.VALUE is before is mod.take()
    assert type(before) is cls is mod.A
    assert before.n == 1


@pytest.mark.parametrize("slots", ["()", "[]", "'own'", "('own',)", "{'own': 'its doc'}"])
def test_class_that_is_laid_out_anew_says_its_slots_as_it_did(project: Any, slots: str) -> None:
    source = "class C:\n    __slots__ = {}\n"
    project.load(
        mod=source.format("('a',)"), user=f"import mod\nclass D(mod.C):\n    __slots__ = {slots}\n"
    )
    import user

    said = user.D.__slots__
    project.reload(mod=source.format("('a', 'b')"))
    assert user.D.__slots__ == said
    assert type(user.D.__slots__) is type(said)
    assert not hasattr(user.D(), "__dict__")


@pytest.mark.parametrize("state", ["keep-unchanged", "replace"])
def test_structure_of_ctypes_that_is_a_field_of_another(project: Any, state: Any) -> None:
    source = """
        import ctypes
        class Inner(ctypes.Structure):
            _fields_ = [("x", ctypes.c_short), ("{0}", ctypes.c_short)]
        class Outer(ctypes.Structure):
            _fields_ = [("inner", Inner)]
        OUTER = Outer(Inner(1, 2))
    """
    mod = project.load(mod=source.format("y"))
    held = mod.OUTER
    project.write(mod=source.format("z"))
    gcremap.Reloader(identity=project.identity, state=state).reload(mod)
    assert type(held) is mod.Outer
    for outer in (held, mod.Outer(mod.Inner(1, 2))):
        assert type(outer.inner) is mod.Inner
        assert (outer.inner.x, outer.inner.z) == (1, 2)

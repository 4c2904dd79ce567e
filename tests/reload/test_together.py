"""Several modules in one reload: each finds those that ran before it reloaded, as if one were
reloaded after the other; and all of it is taken back if the last one fails."""

from __future__ import annotations

import gc
from typing import Any

import pytest

SETTINGS = """
    class Settings:
        VERSION = {}
        def __init__(self): self.names = []
        def check(self): return isinstance(self, Settings)
    SETTINGS = Settings()
"""


def test_what_stays_is_of_the_class_that_is_imported(project: Any) -> None:
    user = """
        from settings import SETTINGS, Settings
        IS_ONE = isinstance(SETTINGS, Settings) and SETTINGS.check() and {}
    """
    settings = project.load(settings=SETTINGS.format(1), user=user.format(1))
    kept = settings.SETTINGS
    project.reload(user=user.format(2), settings=SETTINGS.format(2))
    import user as module  # type: ignore[import-not-found]

    assert settings.SETTINGS is kept is module.SETTINGS
    assert module.IS_ONE == kept.VERSION == 2
    assert type(kept) is settings.Settings is module.Settings


def test_new_code_is_found_by_what_runs_after_it(project: Any) -> None:
    """A decorator that notes more, and a method that is new, of an object that stays."""
    registry = """
        class Registry:
            def __init__(self): self.found = {}
            def add(self, f):
                self.found[f.__name__] = (f, "early")
                return f
        REGISTRY = Registry()
    """
    edited = """
        class Registry:
            def __init__(self): self.found = {}
            def add(self, f):
                self.found[f.__name__] = (f, "late")
                return f
            def later(self, f): return self.add(f)
        REGISTRY = Registry()
    """
    user = "from registry import REGISTRY\n@REGISTRY.{}\ndef f(): return {}\n"
    module = project.load(registry=registry, user=user.format("add", 1))
    found = module.REGISTRY.found
    project.reload(registry=edited, user=user.format("later", 2))
    import user as importer

    assert found is module.REGISTRY.found
    assert found == {"f": (importer.f, "late")}
    assert importer.f() == 2


def test_failure_of_the_last_takes_back_the_first(project: Any) -> None:
    first = """
        import other
        LIMIT = {0}
        class Slotted:
            __slots__ = {1}
            def m(self): return LIMIT
        class Base:
            def m(self): return {0}
        @other.register
        def f(): return {0}
    """
    second = "from first import LIMIT, Base, Slotted, f\nclass Sub(Base): pass\nX = LIMIT * {}\n"
    third = "from first import LIMIT\n"
    other = "FOUND = []\ndef register(f): FOUND.append(f); return f\n"
    project.load(
        other=other,
        first=first.format(1, '("a",)'),
        second=second.format(1),
        third=third,
    )
    import first as one  # type: ignore[import-not-found]
    import other as registry  # type: ignore[import-not-found]
    import second as two  # type: ignore[import-not-found]
    import third as three  # type: ignore[import-not-found]

    slotted, sub, f = one.Slotted(), two.Sub(), one.f
    slotted.a = 5
    before = [dict(vars(module)) for module in (one, two, three)]
    edited = first.format(2, '("a", "b")') + "    @other.register\n        def g(): pass\n"
    with pytest.raises(ZeroDivisionError):
        project.reload(first=edited, second=second.format(2) + "1/0\n")
    assert [dict(vars(module)) for module in (one, two, three)] == before
    assert (slotted.m(), slotted.a, sub.m(), f(), two.X, three.LIMIT) == (1, 5, 1, 1, 1, 1)
    assert type(slotted) is one.Slotted
    assert not hasattr(slotted, "b")
    assert [f] == registry.FOUND
    project.reload(first=edited, second=second.format(2))
    assert (slotted.m(), slotted.a, sub.m(), one.f(), two.X, three.LIMIT) == (2, 5, 2, 2, 4, 2)
    assert [one.f, one.g] == registry.FOUND
    slotted.b = 1


def test_failure_of_a_hook_takes_back_all(project: Any) -> None:
    one = "def f(): return {}\n"
    two = "import one\ndef g(): return one.f() * 10\ndef __after_reload__(old): {}\n"
    first = project.load(one=one.format(1), two=two.format("pass"))
    f = first.f
    with pytest.raises(ZeroDivisionError):
        project.reload(one=one.format(2), two=two.format("1/0"))
    assert first.f is f
    assert f() == 1
    project.reload(one=one.format(3), two=two.format("old['g']()"))
    assert first.f() == 3


def test_classes_that_are_dropped_are_not_listed(project: Any) -> None:
    """Of a class only the one that stays, or takes its place, is a subclass of its base, for what
    runs after it too."""
    two = """
        from base import Base
        def names(cls): return [name for sub in cls.__subclasses__() for name in [sub, *names(sub)]]
        SEEN = [*names(Base), {}]
    """
    one = "from base import Base\nclass A(Base): pass\nclass B(A): pass\n"
    one += "class Edited(Base):\n    def m(self): return {0}\n"
    # Its instances are made anew, so that references are remapped.
    one += "class Slotted:\n    __slots__ = ('a' * {0},)\nKEPT = [Slotted()]\n"
    project.load(base="class Base: pass\n", one=one.format(1), two=two.format(1))
    import one as first
    import two as second

    for n in (2, 3):
        gc.collect()  # what an earlier reload has left
        project.reload(one=one.format(n), two=two.format(n))
        assert [first.A, first.B, first.Edited, n] == second.SEEN
        with pytest.raises(ZeroDivisionError):
            project.reload(one=one.format(n + 1), two=two.format(n + 1) + "    1/0\n")
        assert [first.A, first.B, first.Edited, n] == second.SEEN
        assert first.B.__mro__[:3] == (first.B, first.A, first.Base)


def test_instances_that_are_dropped_are_told_nothing(project: Any) -> None:
    """What the new source made for a value that stays goes before instances are told."""
    one = """
        class C:
            TOLD = []
            def __reloaded__(self, old): self.TOLD.append(self)
            def m(self): return {}
        KEPT = C()
    """
    first = project.load(one=one.format(1), two="import one\nN = 1\n")
    kept = first.KEPT
    project.reload(one=one.format(2), two="import one\nN = 2\n")
    gc.collect()
    assert kept is first.KEPT
    assert [kept] == kept.TOLD


def test_modules_that_import_each_other_agree_on_a_class(project: Any) -> None:
    """An object that is its own kind of class, whose metaclass a module defines below which it
    imports those that use it."""
    kind = """
        class Kind:
            def __init__(self, name, bases=(), namespace=None):
                assert all(isinstance(base, Kind) for base in bases), "not a kind"
                self.name, self.bases, self.text = name, bases, {}
        Root = Kind("Root")
        from users import Leaf
    """
    users = "from kind import Root\nclass Leaf(Root): pass\nN = {}\n"
    module = project.load(kind=kind.format(1), users=users.format(1))
    import users as importer  # type: ignore[import-not-found]

    root = module.Root
    project.reload(kind=kind.format(1), users=users.format(2))
    assert module.Root is root
    assert importer.N == 2
    assert isinstance(importer.Leaf, module.Kind)
    assert importer.Leaf.bases == (root,)
    assert module.Leaf is importer.Leaf


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("{1: 2}", "{1: 2, 3: 4}"),
        ("[1]", "[2]"),
        ("(1, 2)", "(1, 2, 3)"),
        ("frozenset({1})", "frozenset({2})"),
        ("C(1)", "C(2)"),
    ],
)
def test_what_is_computed_from_data_that_is_imported(project: Any, before: str, now: str) -> None:
    """It is made anew if the data is another, be it that others hold that one already."""
    one = """
        class C:
            def __init__(self, n): self.n = n
            def __repr__(self): return f"C({{self.n}})"
        DATA = {}
    """
    two = "from one import DATA\nSAID = repr(DATA)\nvisits = []\n"
    three = "import one\nfrom two import DATA, SAID\nSAME = [SAID, repr(one.DATA), repr(DATA)]\n"
    project.load(one=one.format(before), two=two, three=three)
    import one as first
    import three as last
    import two as second

    second.visits.append("ann")
    project.reload("one", "two", "three", one=one.format(now))
    assert repr(first.DATA) == second.SAID == now
    assert [now] * 3 == last.SAME
    assert second.visits == ["ann"]
    said, same = second.SAID, last.SAME
    project.reload("one", "two", "three")
    assert (said, same) == (second.SAID, last.SAME)
    assert last.SAME is same

"""What random edits of real modules have found (`tests/stress/edits.py`): definitions change their
kind, lose and get back their names."""

from __future__ import annotations

from typing import Any

import pytest

HELPERS = """
    import functools
    class Box:
        def __init__(self, f): functools.update_wrapper(self, f); self.f = f
        def __call__(self, *rest): return self.f(*rest)
        def __get__(self, holder, kind=None): return self.f.__get__(holder, kind)
    def counted(f):
        def inner(*rest): inner.calls += 1; return f(*rest)
        inner.__qualname__ = "C.area"
        inner.calls = 0
        return inner
"""
KEY = """
    class Key:
        def __init__(self, n): self.n = n
        def __eq__(self, other): return self.n == other.n
        def __hash__(self): return 7
"""


def test_what_a_call_sets_on_a_function_goes_with_the_call(project: Any) -> None:
    plain = "def f(): return 1\n"
    mod = project.load(mod=plain)
    made = """
        def make(free=1):
            def f(): return 1
            f.free = free
            return f
        f = make()
    """
    held = [mod.f]
    project.reload(mod=made)
    assert mod.f is held[0]
    assert vars(mod.f) == {"free": 1}
    project.reload(mod=plain)
    assert mod.f is held[0]
    assert vars(mod.f) == {}


@pytest.mark.parametrize("name", ["f", "__lt__"])
def test_what_a_call_sets_on_a_method_goes_with_the_call(project: Any, name: str) -> None:
    plain = f"class C:\n    def {name}(self): return 1\n"
    made = f"""
        class C:
            def make(given=1):
                def {name}(self): return 1
                {name}.given = given
                return {name}
            {name} = make()
    """
    mod = project.load(mod=made)
    for text, attributes in ((plain, {}), (made, {"given": 1}), (plain, {})):
        project.reload(mod=text)
        assert vars(vars(mod.C)[name]) == attributes


def test_base_that_was_renamed_is_known_by_its_own_name(project: Any) -> None:
    """Its class is told apart from a base that no name leads to."""
    source = """
        class {0}:
            "{1}"
        class Other({0}): pass
        Base = {0}
    """
    mod = project.load(mod=source.format("Base", 1))
    project.reload(mod=source.format("Named", 1))
    project.reload(mod=source.format("Named", 2))
    assert mod.Base is mod.Named is mod.Other.__base__
    assert mod.Base.__doc__ == "2"


@pytest.mark.parametrize("other", ["def C(): pass\n", "C = 1\n", "class C: pass\n"])
def test_class_comes_back_as_something_else(project: Any, other: str) -> None:
    """Nor has it what its old body defined."""
    source = "class C:\n    x = 1\n    class Inner: pass\n"
    mod = project.load(mod=source)
    held = mod.C
    project.reload(mod="")
    project.reload(mod=other)
    assert not hasattr(mod.C, "x")
    assert not hasattr(mod.C, "Inner")
    if other.startswith("class"):
        assert held is mod.C or type(held()) is mod.C
    project.reload(mod=source)
    assert mod.C.x == 1
    assert mod.C.Inner.__qualname__ == "C.Inner"


def test_code_says_the_name_of_a_class_that_comes_back(project: Any) -> None:
    source = "class {}:\n    def f({}): return 1\n"
    mod = project.load(mod=source.format("A", "self"))
    held = [mod.A]
    for name, parameters in (("B", "self"), ("B", "self, x=1"), ("B", "self"), ("A", "self")):
        project.reload(mod=source.format(name, parameters))
    assert held == [mod.A]
    assert mod.A.f.__qualname__ == mod.A.f.__code__.co_qualname == "A.f"


def test_name_without_a_statement_that_is_bound_to_the_same(project: Any) -> None:
    source = """
        def given(): return {0}
        for name in ("one", "two"):
            globals()[name] = given()
        after = {1}
    """
    mod = project.load(mod=source.format("len", 1))
    project.reload(mod=source.format("9", 1))
    [report] = project.reload(mod=source.format("9", 2))
    assert not report.removed
    assert hasattr(mod, "two")


@pytest.mark.parametrize(
    "use",
    [
        "class C:\n    def f(self, port=PORT): pass\n",
        "def start(): return PORT\nstarted = start()\n",
        "found = [PORT for _ in range(1)]\n",
        "class C:\n    class D:\n        port = PORT\n",
    ],
)
def test_name_that_is_gone_is_not_found_by_what_runs(project: Any, use: str) -> None:
    mod = project.load(mod=f"PORT = 1\n{use}")
    with pytest.raises(NameError, match="PORT"):
        project.reload(mod=use)
    assert mod.PORT == 1
    project.reload(mod=f"PORT = 2\n{use}")
    assert mod.PORT == 2


def test_builtin_is_found_where_the_own_one_is_gone(project: Any) -> None:
    use = "class C:\n    kinds = [open]\nfound = [each for each in [open]]\n"
    mod = project.load(mod=f"def open(): pass\n{use}")
    project.reload(mod=use)
    assert mod.C.kinds == [open]
    assert mod.found == [open]


def test_property_over_what_a_decorator_elsewhere_had_made(project: Any) -> None:
    source = "import helpers\nclass C:\n    {0}@property\n    def area(self): return {1}\n"
    project.load(helpers=HELPERS)
    mod = project.load(mod=source.format("@helpers.counted\n    ", 1))
    project.reload(mod=source.format("", 2))
    assert mod.C().area == 2
    assert mod.C.area.fget.__module__ == "mod"


@pytest.mark.parametrize(
    ("method", "other"),
    [
        ("def __eq__", "@helpers.Box\n        def __eq__"),
        (
            "def __hash__(self): return 7",
            "class __hash__:\n            def __new__(cls, *_): return 7",
        ),
        ("def __hash__(self): return 7", "__hash__ = lambda self: 8"),
    ],
)
def test_method_that_keys_compare_by_takes_another_form(
    project: Any, method: str, other: str
) -> None:
    project.load(helpers=HELPERS)
    source = "    import helpers\n" + KEY
    mod = project.load(mod=source)
    key = mod.Key(1)
    table = {key: 1}
    for text in (source.replace(method, other), source):
        project.reload(mod=text)
        assert table[key] == 1
        assert table == {key: 1}


def test_metaclass_that_answers_for_the_namespace(project: Any) -> None:
    """It is not asked while it is half of one version and half of the other."""
    source = """
        from __future__ import {0}
        class Meta(type):
            def __getattribute__(cls, name):
                if name not in ("__dict__", "__module__") and name in cls.__dict__:
                    asked.append(name)
                return super().__getattribute__(name)
        asked = []
        class C(metaclass=Meta): pass
    """
    mod = project.load(mod=source.format("generator_stop"))
    held = mod.C()
    project.reload(mod=source.format("annotations"))
    assert type(held) is mod.C
    assert type(mod.C) is mod.Meta


def test_docstring_of_what_a_call_makes(project: Any) -> None:
    source = """
        def pair(f):
            def forward(): return f()
            forward.__doc__ = f.__doc__
            return forward
        def base(): {0}
        named = pair(base)
    """
    mod = project.load(mod=source.format("'one'"))
    project.reload(mod=source.format("return 1"))
    assert mod.named.__doc__ is None
    assert mod.named() == 1


@pytest.mark.parametrize("decorator", ["", "@staticmethod", "@classmethod", "@property"])
def test_method_whose_old_name_is_another_word_for_it(project: Any, decorator: str) -> None:
    """Bound methods and callbacks that were handed out run the new code."""
    mod = project.load(mod=f"class C:\n    {decorator}\n    def old(*_): return 1\n")
    instance = mod.C()
    held = vars(mod.C)["old"]
    bound = held if decorator == "@property" else instance.old
    source = f"class C:\n    {decorator}\n    def new(*_): return 2\n    old = new\n"
    project.reload(mod=source)
    assert (bound.fget() if decorator == "@property" else bound()) == 2
    assert held is vars(mod.C)["old"] is vars(mod.C)["new"]
    project.reload(mod=source.replace("2", "3"))
    assert (bound.fget() if decorator == "@property" else bound()) == 3
    project.reload(mod=f"class C:\n    {decorator}\n    def old(*_): return 4\n")
    assert (bound.fget() if decorator == "@property" else bound()) == 4
    assert not hasattr(mod.C, "new")


def test_class_within_whose_old_name_is_another_word_for_it(project: Any) -> None:
    mod = project.load(mod="class C:\n    class Old:\n        def f(self): return 1\n")
    held = [mod.C.Old]
    instance = mod.C.Old()
    project.reload(mod="class C:\n    class New:\n        def f(self): return 2\n    Old = New\n")
    assert held == [mod.C.New]
    assert mod.C.Old is mod.C.New is type(instance)
    assert mod.C.New.__qualname__ == "C.New"
    assert instance.f() == 2
    project.reload(mod="class C:\n    class Old:\n        def f(self): return 3\n")
    assert held == [mod.C.Old]
    assert type(instance) is mod.C.Old
    assert mod.C.Old.__qualname__ == "C.Old"
    assert instance.f() == 3


def test_function_gets_its_old_name_back(project: Any) -> None:
    users = """
        def user(f=old): return f()
        class C:
            run = old
    """
    mod = project.load(mod="        def old(*_): return 1\n" + users)
    held = [mod.old]
    project.reload(mod="        def new(*_): return 2\n        old = new\n" + users)
    assert mod.user() == mod.C().run() == held[0]() == 2
    project.reload(mod="        def old(*_): return 3\n" + users)
    assert mod.user() == mod.C().run() == held[0]() == 3
    assert held == [mod.old]
    assert mod.user.__defaults__ == (mod.old,)


def test_function_that_a_maker_made_whose_name_is_another_word(project: Any) -> None:
    made = """
        def {0}():
            def f(): return {1}
            f.made = True
            return f
        make = {0}
        f = make()
    """
    mod = project.load(mod=made.format("first", 1))
    held = [mod.f]
    for text, value in ((made.format("other", 2), 2), ("def f(): return 3\n", 3)):
        project.reload(mod=text)
        assert held == [mod.f]
        assert held[0]() == value


def test_method_in_a_closure_becomes_a_property_and_back(project: Any) -> None:
    source = """
        def keeping(given):
            return lambda self: given
        class C:
            {}
            def value(self): return 1
            kept = keeping(value)
    """
    mod = project.load(mod=source.format(""))
    held = mod.C.kept
    for decorator in ("@property", "@classmethod", ""):
        project.reload(mod=source.format(decorator))
        assert mod.C.kept is held
        assert mod.C().kept() is vars(mod.C)["value"]


def test_attributes_go_with_a_class_whose_name_has_another_statement_before_it(
    project: Any,
) -> None:
    source = """
        C = None
        def asks(it): return getattr(it, "method", None)
        class C:
            {}
    """
    method = "@classmethod\n            def method(cls): return 1\n            data = 1"
    mod = project.load(mod=source.format(method))
    held = mod.C
    project.reload(mod=source.format("other = 2"))
    assert mod.C is held
    assert mod.asks(held) is None
    assert held.other == 2
    assert not hasattr(held, "data")


def test_class_in_whose_place_one_of_another_module_is_taken(project: Any) -> None:
    # As xml.etree.ElementTree does with what _elementtree has.
    source = """
        class Failure(ValueError):
            "{}"
        from fast import *
    """
    fast = "Failure = type(ValueError)('Failure', (ValueError,), {'__module__': 'mod'})\n"
    mod = project.load(mod=source.format("first"), fast=fast)
    held = mod.Failure
    project.reload(mod=source.format("second"))
    assert mod.Failure is held
    assert held.__doc__ is None


def test_class_that_a_package_shows_as_its_own_comes_back(project: Any) -> None:
    source = "class {}:\n    def f(self): return {}\n"
    shown = "from inner import URL\nURL.__module__ = __name__\n"
    mod = project.load(mod=shown, inner=source.format("URL", 1))
    held = mod.URL()
    project.reload(inner=source.format("Other", 2))
    project.reload(inner=source.format("URL", 3))
    assert type(held) is mod.URL is __import__("inner").URL
    assert held.f() == 3


@pytest.mark.parametrize(
    "elsewhere",
    [
        "class A(mod.Read): pass\nclass B(mod.Both): pass\nclass Sub(B, A): pass",
        "class B(mod.Both): pass\nclass Sub(B, mod.Write): pass",
        "class Sub(mod.Both, mod.Read): pass",
        "class B(mod.Both): pass\nclass C(B): pass\nclass D(B): pass\nclass Sub(C, D): pass",
        "class A(mod.Read): pass\nclass Sub(mod.Both, A, mod.Write): pass",
    ],
)
def test_class_elsewhere_over_slotted_classes_of_which_one_changes(
    project: Any, elsewhere: str
) -> None:
    # As asyncio's transports over those of asyncio.transports.
    source = """
        class Base:
            __slots__ = ("extra",)
        class Read(Base):
            __slots__ = ()
        class Write(Base):
            __slots__ = {}
            def f(self): return {}
        class Both(Read, Write):
            __slots__ = ("loop",)
    """
    mod = project.load(mod=source.format("()", 1), user=f"import mod\n{elsewhere}\nheld = Sub()")
    user = __import__("user")
    user.held.extra = "kept"
    for slots, value in (("()", 2), ("('more',)", 3), ("()", 4)):
        project.reload(mod=source.format(slots, value))
        assert (user.held.f(), user.held.extra) == (value, "kept")
        assert type(user.held) is user.Sub
        assert mod.Base in user.Sub.__mro__
        assert mod.Write in user.Sub.__mro__


def test_docstring_that_a_decorator_of_the_class_takes_from_a_base(project: Any) -> None:
    # As email._policybase does.
    source = """
        def extended(cls):
            for name in ("f", "g"):
                vars(cls)[name].__doc__ = getattr(cls.__base__, name).__doc__ + "+"
            return cls
        class Base:
            def f(self): "{}"
            def g(self): "{}"
        @extended
        class Sub(Base):
            def f(self): "more"
            def g(self): pass
    """
    mod = project.load(mod=source.format("one", 1))
    for docstring in ("two", "three"):
        project.reload(mod=source.format(docstring, 1))
        assert mod.Sub.f.__doc__ == docstring + "+"
    mod.Sub.g.__doc__ = "state"
    project.reload(mod=source.format("four", 1).replace('+ "+"', '+ "-"'))
    assert (mod.Sub.f.__doc__, mod.Sub.g.__doc__) == ("four-", "1-")

"""Code that looks at the names of its own module, as a whole: it finds those of a fresh start."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

FIND = """
    def find(names): return sorted(name for name in names if name.startswith("C"))
    class C1: pass
    {}
    FOUND = find({}), {}
"""


@pytest.mark.parametrize("names", ["globals()", "vars()", "locals()", "dir()"])
def test_what_is_gone_is_not_found(project: Any, names: str) -> None:
    mod = project.load(mod=FIND.format("class C2: pass", names, 1))
    assert mod.FOUND == (["C1", "C2"], 1)
    project.reload(mod=FIND.format("", names, 2))
    assert mod.FOUND == (["C1"], 2)
    project.reload(mod=FIND.format("C3 = 1", names, 3))
    assert mod.FOUND == (["C1", "C3"], 3)


@pytest.mark.parametrize("had", ["class C: pass", "from core import *"])
def test_names_that_may_be_bound_once(project: Any, had: str) -> None:
    """websockets 14 imports names when they are asked for, which version 13 had."""
    lazy = """
        def lazily(namespace, names):
            assert not namespace.keys() & names
            namespace["__getattr__"] = lambda name: names[name]
    """
    mod = project.load(mod=f"{had}\nVERSION = 1\n", lazy=lazy, core="class C: pass\n")
    project.reload(mod="from lazy import lazily\nVERSION = 2\nlazily(globals(), {'C': 2})\n")
    assert mod.C == mod.VERSION == 2
    project.reload(mod="class C: pass\nVERSION = 3\n")
    assert isinstance(mod.C, type)
    assert not hasattr(mod, "lazily")


def test_what_is_hidden_stays_where_it_should(project: Any) -> None:
    """A name that is to be kept, a submodule, and everything after a failure."""
    source = (
        "import pkg.sub\nfrom pkg import sub\n{}KEPT = 1\nGONE = 2\n__reload_keep__ = 'KEPT',\n"
    )
    pkg = project.load(pkg_=source.format(""), pkg_sub="")
    before = dict(vars(pkg))
    edited = "FOUND = sorted(globals().keys() & {'KEPT', 'GONE'})\n"
    with pytest.raises(ZeroDivisionError):
        project.reload(pkg_=edited + "1/0\n")
    assert vars(pkg) == before
    project.reload(pkg_=edited)
    assert (pkg.FOUND, pkg.KEPT) == ([], 1)
    assert pkg.sub is before["sub"]
    assert not hasattr(pkg, "GONE")


def test_module_attributes_that_code_elsewhere_has_made(project: Any) -> None:
    """They go with the call that made them; those that the program has set stay."""
    lazy = "def lazily(namespace): namespace['__getattr__'] = lambda name: name\n"
    mod = project.load(mod="from lazy import lazily\nlazily(globals())\n", lazy=lazy)
    assert mod.anything == "anything"
    project.reload(mod="X = 1\n")
    assert not hasattr(mod, "anything")
    mod.__getattr__ = len
    project.reload(mod="X = 2\n")
    assert mod.four == 4


def test_class_of_a_module_goes_with_its_statement(project: Any) -> None:
    source = """
        import sys, types
        class Module(types.ModuleType):
            @property
            def answer(self): return {0}
        sys.modules[__name__].__class__ = Module
    """
    mod = project.load(mod=source.format(1))
    project.reload(mod=source.format(2))
    assert mod.answer == 2
    assert type(mod) is mod.Module
    with pytest.raises(ZeroDivisionError):
        project.reload(mod="def __after_reload__(previous): 1 / 0")
    assert mod.answer == 2
    project.reload(mod="def f(): return 3")
    assert type(mod) is types.ModuleType
    assert mod.f() == 3
    assert not hasattr(mod, "answer")


@pytest.mark.parametrize("name", ["public", "other", "json"])
@pytest.mark.parametrize("where", ["{0}{1}", "{1}{0}"])
def test_module_that_gives_itself_another_name(project: Any, name: str, where: str) -> None:
    """The statements above it run under the name that the import system gave, as at first."""
    body = """
LIMIT = {0}
seen = []
class C:
    def m(self): return {0}
def f(): return {0}
made = C()
"""
    source = where.format(f"__name__ = {name!r}\n", body)
    project.load(
        other="class C: pass\ndef f(): return 0\n",
        mod=source.format(1),
        user="from mod import LIMIT, C, f\nclass D(C): pass\nmade = D()\n",
    )
    import other
    import user

    mod = sys.modules["mod"]
    held, module = mod.C(), mod.C.__module__
    mod.seen.append("x")

    def values() -> list[int]:
        return [user.LIMIT, user.f(), user.C().m(), user.made.m(), held.m(), mod.made.m()]

    project.reload("mod", mod=source.format(2))
    assert values() == [2] * 6
    assert (mod.seen, mod.__name__, mod.C.__module__) == (["x"], name, module)
    assert (user.C, other.f()) == (mod.C, 0)
    assert sys.modules["mod"] is mod
    for edit, error in ((body.format(3), False), (source.format(4) + "1 / 0\n", True)):
        if error:
            with pytest.raises(ZeroDivisionError):
                project.reload("mod", mod=edit)
        else:
            project.reload("mod", mod=edit)
        assert values() == [3] * 6
        assert (mod.seen, mod.__name__, mod.C.__module__) == (["x"], "mod", "mod")


LOOKS = ["vars().items()", "list(locals().items())", "[(n, eval(n)) for n in dir()]"]


@pytest.mark.parametrize("looks", LOOKS)
def test_what_is_not_there_yet_is_not_found(project: Any, looks: str) -> None:
    """pyparsing's lists of what it has made so far grew at each reload."""
    source = """
        from other import a1
        from pkg.a2 import f
        a3 = [1]
        FOUND = {1}, sorted(n for n, v in {0} if n.startswith("a"))
        if "a4" not in vars():
            a4 = []
        a5 = {1}
        from pkg import a2
    """
    project.load(pkg_="", pkg_a2="def f(): pass\n", other="a1 = 1\n")
    mod = project.load(mod=source.format(looks, 1))
    assert mod.FOUND == (1, ["a1", "a3"])
    mod.a4.append("x")
    project.reload(mod=source.format(looks, 2))
    assert mod.FOUND == (2, ["a1", "a3"])
    mod.a6 = "set by the program"
    project.reload(mod=source.format(looks, 3))
    assert mod.FOUND == (3, ["a1", "a3", "a6"])
    assert (mod.a4, mod.a5) == (["x"], 3)


def test_names_that_only_type_checkers_are_told(project: Any) -> None:
    """trio.socket fills its namespace, and has the names a second time for them."""
    source = """
        import typing
        from typing import TYPE_CHECKING
        globals().update({{"A": 1, "B": [{0}]}})
        if TYPE_CHECKING:
            A = 5
            from nowhere import B
        if typing.TYPE_CHECKING:
            from nowhere import C
        else:
            C = {0}
    """
    mod = project.load(mod=source.format(1), user="from mod import A, B, C\n")
    import user

    user.B.append("x")
    for edit in (2, 3):
        reports = project.reload(mod=source.format(edit))
        assert (mod.A, mod.B, mod.C) == (user.A, user.B, user.C) == (1, [edit], edit)
        assert not reports[0].removed

"""Imports: values imported by name follow, and modules are reloaded in dependency order."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import itertools
import os
import subprocess
import sys
import types
import typing
import zipfile
from typing import Any

import pytest

import gcremap


def test_constants_follow_the_import_statement(project: Any) -> None:
    project.load(
        config="TIMEOUT = 10\nNAME = 'old'\nITEMS = (1,)\n",
        a="from config import TIMEOUT\ndef f(): return TIMEOUT\n",
        b="from config import NAME as n, ITEMS\nten = 10\n",
        c="from config import *\nTIMEOUT_TOO = TIMEOUT\n",
        d="from a import TIMEOUT\n",
        e="class K:\n    from config import TIMEOUT\n",
        g="import config\nTIMEOUT = 10\n",
    )
    project.reload(config="TIMEOUT = 20\nNAME = 'new'\nITEMS = (2,)\nEXTRA = 5\n")
    get = sys.modules.__getitem__
    assert get("a").f() == 20
    assert (get("b").n, get("b").ITEMS, get("b").ten) == ("new", (2,), 10)
    assert (get("c").TIMEOUT, get("c").EXTRA) == (20, 5)
    assert get("d").TIMEOUT == 20
    assert get("e").K.TIMEOUT == 20
    assert get("g").TIMEOUT == 10


def test_name_that_the_importer_has_bound_anew_stays(project: Any) -> None:
    project.load(config="X = 10\n", a="from config import X\n")
    import a  # type: ignore[import-not-found]

    a.X = 99
    project.reload(config="X = 20\n")
    assert a.X == 99


def test_failed_reload_takes_followed_names_back(project: Any) -> None:
    project.load(config="X = 10\n", a="from config import X\n")
    import a

    with pytest.raises(ZeroDivisionError):
        project.reload(config="X = 20\ndef __after_reload__(previous): 1/0\n")
    assert a.X == 10


def test_order_given_does_not_matter(project: Any) -> None:
    def source(v: int) -> dict[str, str]:
        return {
            "base": f"LIMIT = {v}\nclass Base:\n    def who(self): return [{v}]\n",
            "mid": f"from base import Base, LIMIT\nTWICE = LIMIT * 2\n"
            f"class Mid(Base):\n    def who(self): return [{v}] + super().who()\n",
            "top": f"import mid\nfrom mid import Mid, TWICE\nTHRICE = TWICE + mid.LIMIT\n"
            f"class Top(Mid):\n    def who(self): return [{v}] + super().who()\n",
        }

    project.load(**source(0))
    import base  # type: ignore[import-not-found]
    import top  # type: ignore[import-not-found]

    instance = top.Top()
    for v, order in enumerate(itertools.permutations(["base", "mid", "top"]), 1):
        project.reload(*order, **source(v))
        assert instance.who() == [v, v, v]
        assert 3 * v == top.THRICE
        assert isinstance(instance, base.Base)
        assert type(instance) is top.Top


def test_circular_imports(project: Any) -> None:
    source = {
        "one": "import two\ndef f(): return ({0}, two.g())\n",
        "two": "import one\ndef g(): return {0}\nclass C:\n    def m(self): return one.f()\n",
    }
    project.load(**{name: text.format(1) for name, text in source.items()})
    import one  # type: ignore[import-not-found]
    import two  # type: ignore[import-not-found]

    c = two.C()
    project.reload(**{name: text.format(2) for name, text in source.items()})
    assert one.f() == c.m() == (2, 2)


def test_package_with_relative_imports(project: Any) -> None:
    project.load(
        pkg_="from .core import C, f, LIMIT\nfrom . import core as alias\n",
        pkg_core="LIMIT = 1\nclass C:\n    def m(self): return 1\ndef f(): return 1\n",
        pkg_sub_="from ..core import f as g\n",
        pkg_sub_leaf="from ..core import C\nclass D(C): pass\n",
    )
    import pkg.core  # type: ignore[import-not-found]
    import pkg.sub.leaf  # type: ignore[import-not-found]

    d = pkg.sub.leaf.D()
    project.reload(pkg_core="LIMIT = 2\nclass C:\n    def m(self): return 2\ndef f(): return 2\n")
    assert pkg.C is pkg.core.C is pkg.sub.leaf.C
    assert pkg.f is pkg.core.f is pkg.sub.g
    assert (pkg.f(), d.m(), pkg.LIMIT) == (2, 2, 2)
    project.reload("pkg")
    assert pkg.sub.leaf.D.__bases__ == (pkg.C,)
    assert pkg.alias is pkg.core is sys.modules["pkg.core"]


def test_namespace_package(project: Any) -> None:
    project.write(space_inner="def f(): return 1\n")
    import space.inner  # type: ignore[import-not-found]

    f = space.inner.f
    project.reload(space_inner="def f(): return 2\n")
    assert f() == 2
    assert gcremap.reload(space) is space
    assert space.inner.f() == 2


def test_zip_file(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = project.root / "lib.zip"

    def write(version: int) -> None:
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("zipped.py", f"CACHE = {{}}\nLIMIT = {version}\ndef f(): return LIMIT\n")

    write(1)
    monkeypatch.syspath_prepend(archive)
    import zipped  # type: ignore[import-not-found]

    f = zipped.f
    zipped.CACHE["k"] = 1
    write(2000)
    gcremap.reload(zipped)
    assert f() == 2000
    assert zipped.CACHE == {"k": 1}
    assert gcremap.reload_all() == []
    write(3)
    assert len(gcremap.reload_all()) == 1
    assert f() == 3


def test_custom_finder_and_loader(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.machinery

    class Finder:
        source = "CACHE = {}\ndef f(): return 1\n"

        def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
            if name == "made_up":
                return importlib.machinery.ModuleSpec(name, self)  # type: ignore[arg-type]
            return None

        def create_module(self, spec: Any) -> None:
            return None

        def exec_module(self, module: types.ModuleType) -> None:
            exec(self.source, vars(module))

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    import made_up  # type: ignore[import-not-found]

    f = made_up.f
    made_up.CACHE["k"] = 1
    Finder.source = "CACHE = {}\ndef f(): return 2\n"
    gcremap.reload(made_up)
    assert f() == 2
    assert made_up.f is f
    assert made_up.CACHE == {"k": 1}


def test_source_changed_on_disk_is_what_reload_all_takes(project: Any) -> None:
    project.load(one="X = 1\n", two="X = 1\n")
    assert gcremap.reload_all([]) == []
    project.write(two="X = 2\n")
    reports = gcremap.reload_all()
    assert [report.module.__name__ for report in reports] == ["two"]
    assert gcremap.reload_all() == []


def test_edit_of_the_same_size_in_the_same_second(project: Any) -> None:
    """Neither modification time nor size tells; the source is read all the same."""
    import os

    mod = project.load(mod="X = 1\n")
    path = project.root / "mod.py"
    status = path.stat()
    path.write_text("X = 2\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    gcremap.reload(mod)
    assert mod.X == 2


def test_main_does_not_start_again(project: Any) -> None:
    import subprocess

    script = project.root / "script.py"
    source = """
import gcremap, pathlib, sys
RUNS = []
def f(): return {0}
if __name__ == "__main__":
    RUNS.append(1)
    held = f
    if len(RUNS) == 1:
        path = pathlib.Path(__file__)
        path.write_text(path.read_text().replace("return 1", "return 2"))
        gcremap.reload(sys.modules["__main__"])
        assert held() == f() == 2
        assert RUNS == [1]
        print("fine")
"""
    script.write_text(source.format(1))
    result = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert result.stdout == "fine\n", result.stderr


def test_names_that_a_star_brought_go_at_the_first_reload(project: Any) -> None:
    project.load(lib="A = 1\ndef B(): pass\n_C = 2\n")
    mod = project.load(mod="from lib import *\nX = 1\n")
    mod.SET_BY_HAND = 5
    project.reload(mod="X = 1\n")
    assert not hasattr(mod, "A")
    assert not hasattr(mod, "B")
    assert (mod.X, mod.SET_BY_HAND) == (1, 5)


def test_import_for_type_checkers_makes_no_cycle(project: Any) -> None:
    source = """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from later import TWICE
        LIMIT = {0}
    """
    project.load(early=source.format(1), later="from early import LIMIT\nTWICE = LIMIT * 2\n")
    import later  # type: ignore[import-not-found]

    project.write(early=source.format(2))
    project.reload("early", "later")
    assert later.TWICE == 4


def test_import_below_the_definitions_that_the_imported_needs(project: Any) -> None:
    """sympy's modules do so: Expr is there when Add is run, and both are when Expr is used."""
    slots = "    __slots__ = ()\n    def f(self): return {0}\n"
    sources = {
        "basic": "class Basic:\n    __slots__ = ('a',)\n",
        "operation": "from basic import Basic\nclass Operation(Basic):\n" + slots,
        "expr": "from basic import Basic\nclass Expr(Basic):\n" + slots + "from add import Add\n",
        "add": "from operation import Operation\nfrom expr import Expr\n"
        "class Add(Expr, Operation):\n" + slots,
    }
    project.write(**{name: source.replace("{0}", "1") for name, source in sources.items()})
    expr = __import__("expr")
    add = expr.Add()
    project.reload(**{name: source.replace("{0}", "2") for name, source in sources.items()})
    assert add.f() == 2
    assert type(add) is expr.Add is sys.modules["add"].Add
    assert isinstance(add, expr.Expr)


def test_names_of_a_star_are_imported_where_both_modules_are_reloaded(project: Any) -> None:
    source = "a = {0}\nrows = [{0}]\ndef f(): return a\n"
    user = (
        "from mod import *\ntwice = a * 2\nseen = []\nclass C:\n    a = a\ndef g(): return f(), a\n"
    )
    mod = project.load(mod=source.format(1), user=user, last="from user import *\nthrice = a * 3\n")
    import last
    import user as importer

    importer.seen.append("x")
    project.reload("mod", "user", "last", mod=source.format(2))
    assert importer.a == last.a == mod.a == 2
    assert importer.rows is last.rows is mod.rows == [2]
    assert (importer.twice, last.twice, last.thrice, importer.C.a) == (4, 4, 6, 2)
    assert importer.g() == (2, 2)
    assert importer.seen is last.seen == ["x"]


def test_names_that_a_star_does_not_bring_any_more(project: Any) -> None:
    mod = project.load(mod="a = 1\nb = 1\ndef f(): pass\n", user="from mod import *\nown = 3\n")
    import user

    user.added = 5
    project.reload("mod", "user", mod="a = 2\n")
    assert vars(user).keys() & {"a", "b", "f", "own", "added"} == {"a", "own", "added"}
    project.reload("mod", "user", mod="a = 2\nb = 3\n")
    assert (mod.b, user.b, user.a) == (3, 3, 2)


def test_module_that_becomes_a_package(project: Any) -> None:
    source = "class C:\n    v = {0}\ndef f(): return {0}\n"
    project.load(thing=source.format(1), user="from thing import C, f\n")
    import thing  # type: ignore[import-not-found]
    import user  # type: ignore[import-not-found]

    held = thing.C()
    (project.root / "thing.py").unlink()
    project.write(thing_impl=source.format(2), thing_="from .impl import C, f\n")
    [report] = gcremap.Reloader(identity=project.identity).reload()
    assert report.module is thing
    assert (thing.__package__, thing.__name__) == ("thing", "thing")
    assert thing.C is user.C is thing.impl.C
    assert (held.v, user.f()) == (2, 2)


@pytest.mark.parametrize("said", ["__all__ = ['f']\n", ""])
def test_submodule_stays_an_attribute_of_its_package(project: Any, said: str) -> None:
    """The import system has put it there, whatever else brings the same name."""
    project.load(
        pkg_="from . import two\nfrom .one import *\n",
        pkg_one=said + "from . import two\ndef f(): return 1\n",
        pkg_two="def g(): return 1\n",
    )
    import pkg.two

    project.reload(pkg_="from .one import *\n", pkg_one=said + "def f(): return 2\n")
    assert pkg.two.g() == 1
    assert pkg.f() == 2


def test_star_loses_what_went(project: Any) -> None:
    core = "def f(): return 1\ndef g(): return {0}\n"
    project.load(
        pkg_="from .core import *\n",
        pkg_core="__all__ = ['f', 'g']\n" + core.format(1),
        user="from pkg import *\n",
    )
    import pkg
    import user

    project.reload("pkg", "pkg.core", pkg_core="__all__ = ['f']\n" + core.format(2))
    assert not hasattr(pkg, "g")
    assert not hasattr(user, "g")


def test_value_made_of_a_definition_that_is_imported_from_elsewhere(project: Any) -> None:
    source = "class C: pass\n"
    project.load(mod="from one import C\nTABLE = {C: 1}\n", one=source, two=source)
    import mod
    import one  # type: ignore[import-not-found]
    import two  # type: ignore[import-not-found]

    assert one.C in mod.TABLE
    project.reload(mod="from two import C\nTABLE = {C: 1}\n")
    assert mod.TABLE == {two.C: 1}


@pytest.mark.parametrize("told", [False, True])
def test_a_loader_that_runs_the_code_itself(project: Any, told: bool, monkeypatch: Any) -> None:
    """What it binds to the same value again, a number, stays; as it may, or may not, tell its
    source."""

    class Loader:
        def __init__(self, name: str) -> None:
            self.path = project.root / f"{name}.py"

        def create_module(self, spec: Any) -> None: ...
        def exec_module(self, module: Any) -> None:
            code = compile(self.path.read_text(), self.path, "exec")
            vars(module).update(FROM_OUTSIDE=True)
            exec(code, vars(module))

    if told:
        Loader.get_source = lambda self, name: self.path.read_text()  # type: ignore[attr-defined]

    class Finder:
        @staticmethod
        def find_spec(name: str, path: Any, target: Any = None) -> Any:
            if name == "mod":
                return importlib.machinery.ModuleSpec(name, Loader(name))  # type: ignore[arg-type]
            return None

    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    mod = project.load(mod="A, B = 1, None\nclass C:\n    def m(self): return A\n")
    instance = mod.C()
    for value in (2, 2, 3):
        project.reload(mod=f"A, B = {value}, None\nclass C:\n    def m(self): return A\n")
        assert (mod.A, mod.B, mod.FROM_OUTSIDE, instance.m()) == (value, None, True, value)
        assert isinstance(instance, mod.C)


@pytest.mark.skipif(importlib.util.find_spec("_testcapi") is None, reason="no _testcapi")
def test_types_of_c_code_that_have_no_module(project: Any) -> None:
    """A static type that was never made ready, a heap type (3.15); in a process of their own."""
    project.write(mod="X = 1\nclass C: pass\n", user="from _testcapi import *\nfrom mod import X\n")
    code = """if True:
        import _testcapi, gcremap, mod, user
        vars(user).update(one for one in vars(_testcapi).items() if one[0][:2] != "__")
        with open("mod.py", "w") as file: file.write("X = 2\\nclass C: x = 1\\n")
        gcremap.Reloader(identity="{}").reload(mod)
        assert (user.X, mod.C.x) == (2, 1)
    """
    command = [sys.executable, "-c", code.format(project.identity)]
    subprocess.run(command, cwd=project.root, check=True, timeout=60)


def test_package_that_takes_away_the_names_of_its_submodules(project: Any) -> None:
    """The import system binds them, once: what the source does with them, it does again."""
    source = "from .sub import f\nSEEN = sub.__name__, {}\ndel sub\n"
    pkg = project.load(pkg_=source.format(1), pkg_sub="def f(): return 1\n")
    [report] = project.reload(pkg_=source.format(2))
    assert pkg.SEEN == ("pkg.sub", 2)
    assert not hasattr(pkg, "sub")
    assert report.added == report.removed == []
    project.reload(pkg_="from .sub import f\n", pkg_sub="def f(): return 2\n")
    assert pkg.sub.f is pkg.f
    assert pkg.f() == 2


def test_a_file_that_is_touched_is_not_changed(project: Any) -> None:
    mod = project.load(mod="COUNT = []\n")
    project.write(mod="COUNT = []\n")
    assert gcremap.reload_all() == []
    project.reload(mod="COUNT = []\nOTHER = 1\n")
    project.write(mod="COUNT = []\nOTHER = 1\n")
    assert gcremap.reload_all() == []
    assert mod.OTHER == 1


@pytest.mark.parametrize("again", [False, True])
def test_an_edit_whose_time_is_put_back_is_found(project: Any, again: bool) -> None:
    mod = project.load(mod="X = 0\n")
    if again:
        project.reload(mod="X = 1\n")
    path = project.root / "mod.py"
    before = path.stat().st_mtime_ns
    path.write_text("X = 2\n")
    os.utime(path, ns=(before, before))
    (report,) = gcremap.reload_all()
    assert (mod.X, report.updated) == (2, ["X"])


def test_submodule_that_is_called_like_a_module_that_the_package_imports(project: Any) -> None:
    """In a fresh start it takes the name as soon as something imports it."""
    pkg = project.load(pkg_="import typing\nX = 1\n", pkg_typing="", pkg_io="def io(): return 1\n")
    sub = importlib.import_module("pkg.typing")
    assert pkg.typing is sub
    project.reload(pkg_="import typing\nX = 2\nfrom pkg.io import io\n")
    assert pkg.typing is sub
    assert pkg.io() == 1
    project.reload(pkg_="from pkg.io import io\n")
    assert pkg.typing is sub
    project.reload(pkg_="import typing as io\n")
    assert pkg.io is typing


def test_value_made_of_an_alias_that_is_imported(project: Any) -> None:
    one = "from typing import Union\nfrom {} import Mapping\nA = Union[Mapping[str, str], int]\n"
    two = "from typing import Union\nfrom one import A\nB = Union[A, str]\nseen = []\n"
    project.load(one=one.format("collections.abc"), two=two)
    import two as module

    seen = module.seen
    project.reload("one", "two", one=one.format("typing"))
    assert typing.Union[typing.Mapping[str, str], int, str] == module.B  # noqa: UP007
    assert module.seen is seen
    before = module.B
    project.reload("one", "two")
    assert module.B is before


@pytest.mark.parametrize("look", ["vars()", "locals()", "globals()", "dir()"])
def test_a_look_at_all_names_beside_a_star(project: Any, look: str) -> None:
    """What the old source had is not there for the new one, and goes."""
    source = f"{{0}}\nfrom other import *\nA = 1\nSEEN = sorted([*{look}], key={{1}})\n"
    project.load(other="GIVEN = 1\n")
    mod = project.load(mod=source.format("from math import floor\nB = 2\n", "str"))
    assert {"A", "B", "GIVEN", "floor"} < set(mod.SEEN)
    project.reload(mod=source.format("", "repr"))
    assert {"A", "GIVEN"} < set(mod.SEEN)
    assert not {"B", "floor"} & set(mod.SEEN)
    assert not hasattr(mod, "B")
    assert not hasattr(mod, "floor")

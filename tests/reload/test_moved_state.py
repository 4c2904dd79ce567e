"""State whose defining statement stands in another module now stays, wherever it is used from."""

from __future__ import annotations

import importlib
import textwrap
from typing import Any

import pytest

STATE = textwrap.dedent("""
    LIMIT = {0}
    count = 0
    seen = []
    table = {{"a": seen}}
    class C:
        total = 0
        names = []
        def m(self): return {0}
    def f(): return {0}
    one = C()
    def bump():
        global count
        count += 1
        seen.append(count)
        C.total += 1
        C.names.append(count)
        one.hits = count
""")
IMPORTS = [
    "from pkg.{0} import C, f, LIMIT, count, seen, table, one, bump",
    "from pkg.{0} import *",
    "from pkg import C, f, LIMIT, count, seen, table, one, bump",
    "from pkg import *",
]
INITS = ["from .{0} import *\n", "from .{0} import C, f, LIMIT, count, seen, table, one, bump\n"]


@pytest.mark.parametrize("is_loaded", [True, False])
@pytest.mark.parametrize("stays", [True, False])
@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("imports", IMPORTS)
def test_everything_moves(
    project: Any, imports: str, init: str, stays: bool, is_loaded: bool
) -> None:
    """Into a module that was there before or is new, with or without a way to it at the old
    place."""
    user = "\ndef g(): return f(), LIMIT, seen\nclass S(C): pass\nmade = S()\n"
    project.load(pkg_=init.format("a"), pkg_a=STATE.format(1), user=imports.format("a") + user)
    import pkg.a
    import user as importer

    if is_loaded:
        project.load(pkg_b="X = 1\n")
    pkg.a.bump()
    pkg.a.bump()
    pkg.a.LIMIT = 9
    seen, one = pkg.a.seen, pkg.a.one
    edit = {"pkg_b": "X = 1\n" + STATE.format(2).replace("LIMIT = 2", "LIMIT = 1")}
    project.write(**edit)
    place = "a" if stays else "b"
    edit |= {
        "pkg_": init.format(place),
        "pkg_a": "from .b import C, f, LIMIT, count, seen, table, one, bump\n" if stays else "\n",
        "user": imports.format(place) + user,
    }
    if not is_loaded:
        del edit["pkg_b"]
    project.reload(**edit)
    b = importlib.import_module("pkg.b")
    for each in (b, pkg, importer):
        assert (each.count, each.LIMIT) == (2, 9)
        assert each.seen is seen
        assert each.table["a"] is seen
        assert (each.f(), each.C().m(), each.one.m()) == (2, 2, 2)
        assert (each.C.total, each.C.names) == (2, [1, 2])
        assert each.C is b.C
    assert b.one.hits == 2
    if project.identity == "keep":
        assert b.one is one
    assert importer.g() == (2, 9, seen)
    assert (importer.made.m(), type(importer.made)) == (2, importer.S)
    b.bump()
    assert (b.count, seen, b.C.total, b.one.hits) == (3, [1, 2, 3], 3, 3)
    project.reload(pkg_b="X = 1\n" + STATE.format(3).replace("LIMIT = 3", "LIMIT = 1"))
    assert (b.count, b.seen is seen, b.C.total) == (3, True, 3)


def test_value_that_another_statement_makes_is_taken_anew(project: Any) -> None:
    project.load(a="seen = []\nrows = [1]\nN = 2\nmade = [N]\n", b="X = 1\n")
    import a
    import b

    for each in (a.seen, a.rows, a.made):
        each.append("x")
    project.reload(
        a="from b import seen, rows, made\n", b="seen = []\nrows = [2]\nN = 3\nmade = [N]\n"
    )
    assert (a.seen, a.rows, a.made) == (["x"], [2], [3])
    assert (b.seen, b.rows, b.made) == (["x"], [2], [3])


def test_statement_that_says_something_else_in_another_module(project: Any) -> None:
    source = "import logging\nlog = logging.getLogger(__name__)\nwhere = [__file__]\n"
    project.load(a=source, b="X = 1\n")
    import a
    import b

    project.reload(a="from b import log, where\n", b=source)
    assert (a.log.name, b.log.name) == ("b", "b")
    assert a.where == b.where == [b.__file__]


def test_names_that_two_modules_have_by_chance(project: Any) -> None:
    project.load(a="cache = {}\nX = 1\n", b="Y = 1\n")
    import a
    import b

    a.cache["k"] = 1
    project.reload(a="X = 1\n", b="cache = {}\nY = 1\n")
    assert b.cache == {}
    assert not hasattr(a, "cache")


def test_policy_and_failure(project: Any) -> None:
    project.load(a="seen = []\ncount = 0\nfresh = []\n", b="X = 1\n")
    import a
    import b

    a.count = 5
    seen = a.seen
    a.seen.append("x")
    a.fresh.append("x")
    moved = "from b import seen, count, fresh\n__reload_replace__ = ('fresh',)\n"
    source = "seen = []\ncount = 0\nfresh = []\n"
    with pytest.raises(ZeroDivisionError):
        project.reload(a=moved + "def __after_reload__(previous): 1/0\n", b=source)
    assert (a.seen is seen, a.count, vars(b).keys() & {"seen", "count"}) == (True, 5, set())
    project.reload(a=moved, b=source)
    assert (a.seen is seen, b.seen is seen, a.count, b.count) == (True, True, 5, 5)
    assert a.fresh == b.fresh == []

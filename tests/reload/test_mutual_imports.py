"""A package and its submodules, or two modules, that import each other: in a fresh start one finds
of the other what stands above the import that leads to it."""

from __future__ import annotations

import sys
from typing import Any

import pytest

PACKAGE = "from pkg.core import {0}\n{1}from pkg.sub import X\n"


@pytest.mark.parametrize("use", ["from pkg import {0}\nX = [{0}]\n", "import pkg\nX = [pkg.{0}]\n"])
def test_constants_above_the_import(project: Any, use: str) -> None:
    core = "LIMIT = {0}\ndef f(): return {0}\n"
    pkg = project.load(
        pkg_=PACKAGE.format("f, LIMIT", "VERSION = 1\n"),
        pkg_core=core.format(1),
        pkg_sub=use.format("VERSION") + use.format("LIMIT").replace("X", "Y") + "seen = []\n",
    )
    sub = sys.modules["pkg.sub"]
    seen = sub.seen
    project.reload("pkg", "pkg.core", "pkg.sub", pkg_=PACKAGE.format("f, LIMIT", "VERSION = 2\n"))
    assert pkg.X == sub.X == [2]
    project.reload("pkg", "pkg.core", "pkg.sub", pkg_core=core.format(3))
    assert (pkg.LIMIT, sub.Y, pkg.X) == (3, [3], [2])
    assert sub.seen is seen


@pytest.mark.parametrize("use", ["from pkg import {0}\nX = {0}()\n", "import pkg\nX = pkg.{0}()\n"])
@pytest.mark.parametrize("how", ["g", "g as h", "*"])
def test_names_that_are_imported_above_the_import(project: Any, use: str, how: str) -> None:
    """networkx 3.3 gets a decorator so."""
    core = "def {0}(): return {1}\n"
    pkg = project.load(
        pkg_=PACKAGE.format("f", ""), pkg_core=core.format("f", 1), pkg_sub=use.format("f")
    )
    sub = sys.modules["pkg.sub"]
    project.reload(
        pkg_=PACKAGE.format(how, ""),
        pkg_core=core.format("g", 2),
        pkg_sub=use.format("h" if "h" in how else "g"),
    )
    assert pkg.X == sub.X == 2
    assert not hasattr(pkg, "f")


def test_new_names_that_a_package_defines(project: Any) -> None:
    package = "from pkg.core import f\n{}from pkg.sub import m\n"
    defined = "class Error(Exception): pass\nHELD = [Error]\n"
    sub = "from . import f\n{}def m(): return Error\n"
    pkg = project.load(
        pkg_=package.format(""), pkg_core="def f(): pass\n", pkg_sub=sub.format("Error = 1\n")
    )
    m = pkg.m
    imported = "from . import Error\nclass Own(Error): pass\n"
    project.reload(pkg_=package.format(defined), pkg_sub=sub.format(imported))
    assert m() is pkg.Error is pkg.HELD[0]
    assert sys.modules["pkg.sub"].Own.__mro__[1] is pkg.Error


def test_two_modules(project: Any) -> None:
    one = "from core import {0}\nLIMIT = {1}\nimport two\nX = two.Y + 1\n"
    two = "import one\nY = one.{0}() + one.LIMIT\n"
    core = "def {0}(): return {1}\n"
    first = project.load(one=one.format("f", 1), core=core.format("f", 1), two=two.format("f"))
    assert first.X == 3
    project.reload(one=one.format("g", 5), core=core.format("g", 2), two=two.format("g"))
    assert (first.X, first.two.Y) == (8, 7)


def test_a_constant_below_the_import(project: Any) -> None:
    """What has run before it follows."""
    two = "from one import f\nLIMIT = {}\n"
    one = project.load(one="def f(): return LIMIT\nfrom two import LIMIT\n", two=two.format(1))
    project.reload("one", "two", two=two.format(2))
    assert one.f() == one.LIMIT == 2
    with pytest.raises(ZeroDivisionError):
        project.reload("one", "two", two=two.format(3) + "1/0\n")
    assert one.f() == one.LIMIT == 2


def test_failure_takes_back_what_was_there_ahead(project: Any) -> None:
    pkg = project.load(
        pkg_=PACKAGE.format("f", "VERSION = 1\n"),
        pkg_core="def f(): pass\ndef g(): pass\n",
        pkg_sub="import pkg\nX = pkg.VERSION\n",
    )
    before = dict(vars(pkg))
    edited = PACKAGE.format("f, g", "VERSION = 2\nNEW = 3\n")
    with pytest.raises(ZeroDivisionError):
        project.reload(pkg_=edited, pkg_sub="from pkg import NEW, g\nX = NEW / 0\n")
    assert vars(pkg) == before
    with pytest.raises(ZeroDivisionError):
        project.reload(pkg_=edited + "1/0\n", pkg_sub="from pkg import NEW, g\nX = NEW\n")
    assert vars(pkg) == before
    project.reload(pkg_=edited, pkg_sub="from pkg import NEW, g\nX = NEW\n")
    assert pkg.X == pkg.NEW == 3


def test_what_is_deleted_again_and_what_stays_is_not_there_ahead(project: Any) -> None:
    pkg = project.load(
        pkg_=PACKAGE.format("f", "LIMIT = 1\n"),
        pkg_core="def f(): pass\ndef g(): pass\n",
        pkg_sub="import pkg\nX = [pkg.LIMIT]\n",
    )
    pkg.LIMIT = 99  # set by the program
    project.reload(
        pkg_=PACKAGE.format("f, g", "LIMIT = 1\n") + "del g\n",
        pkg_sub="import pkg\nX = [pkg.LIMIT, pkg.g]\n",
    )
    assert pkg.LIMIT == 99 == pkg.X[0]
    assert not hasattr(pkg, "g")

"""Scripts: files that run in a namespace, several in one, and again after each edit."""

from __future__ import annotations

import types
from typing import Any

import pytest

import gcremap


def test_run_again_after_an_edit(project: Any) -> None:
    source = "CACHE = {{}}\nX = {0}\nclass C:\n    def m(self): return {0}\ndef f(): return X\n"
    space: dict[str, Any] = {}
    project.write(script=source.format(1))
    path = project.root / "script.py"
    gcremap.exec_file(path, space)
    c, f = space["C"](), space["f"]
    space["CACHE"]["k"] = 1
    project.write(script=source.format(2))
    gcremap.exec_file(path, space)
    assert type(c) is space["C"]
    assert (c.m(), f(), space["X"], space["CACHE"]) == (2, 2, 2, {"k": 1})
    project.write(script="class C: pass\n")
    gcremap.exec_file(path, space)
    assert not {"X", "f", "CACHE"} & space.keys()
    assert type(c) is space["C"]


def test_several_files_in_one_namespace(project: Any) -> None:
    space: dict[str, Any] = {"__name__": "game"}
    project.write(
        one="class Base:\n    def who(self): return 'one'\ndef f(): return 1\n",
        two="class Sub(Base):\n    def who(self): return ('two', super().who())\n",
    )
    for name in ("one", "two"):
        gcremap.exec_file(project.root / f"{name}.py", space)
    sub, f = space["Sub"](), space["f"]
    project.write(one="class Base:\n    def who(self): return 'one2'\n")
    gcremap.exec_file(project.root / "one.py", space)
    assert sub.who() == ("two", "one2")
    assert "f" not in space
    assert isinstance(sub, space["Base"])
    project.write(two="class Sub(Base):\n    def who(self): return 2\ndef f(): return 2\n")
    gcremap.exec_file(project.root / "two.py", space)
    assert sub.who() == 2
    assert f() == 1
    assert space["f"]() == 2


def test_definition_moves_to_another_file(project: Any) -> None:
    space: dict[str, Any] = {"__name__": "game"}
    project.write(one="class A:\n    v = 1\ndef f(): return 1\n", two="pass\n")
    for name in ("one", "two"):
        gcremap.exec_file(project.root / f"{name}.py", space)
    a, f = space["A"](), space["f"]
    project.write(two="class A:\n    v = 2\ndef f(): return 2\n")
    gcremap.exec_file(project.root / "two.py", space)
    assert a.v == 2
    assert f() == 2


def test_into_a_module_that_others_import_from(project: Any, monkeypatch: Any) -> None:
    import sys

    game = types.ModuleType("game")
    monkeypatch.setitem(sys.modules, "game", game)
    project.write(script="LIMIT = 1\nclass C:\n    v = 1\n", user="from game import LIMIT, C\n")
    gcremap.exec_file(project.root / "script.py", game)
    user = project.load(user="from game import LIMIT, C\n")
    project.write(script="LIMIT = 2\nclass C:\n    v = 2\n")
    gcremap.exec_file(project.root / "script.py", game)
    assert user.LIMIT == 2
    assert user.C is game.C  # type: ignore[attr-defined]
    assert user.C.v == 2


def test_failure_changes_nothing(project: Any) -> None:
    space: dict[str, Any] = {}
    path = project.root / "script.py"
    project.write(script="X = 1\n1/0\n")
    with pytest.raises(ZeroDivisionError):
        gcremap.exec_file(path, space)
    assert "X" not in space
    project.write(script="X = 1\n")
    gcremap.exec_file(path, space)
    project.write(script="X = 2\n1/0\n")
    with pytest.raises(ZeroDivisionError):
        gcremap.exec_file(path, space)
    assert space["X"] == 1
    path.unlink()
    with pytest.raises(ModuleNotFoundError, match="cannot be found"):
        gcremap.exec_file(path, space)

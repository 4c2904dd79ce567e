"""`from module import *` in modules that are not reloaded themselves: they get what an import
would bring them now."""

from __future__ import annotations

import sys
from typing import Any

import pytest


def test_names_come_and_go_along_a_chain(project: Any) -> None:
    project.load(
        mod="a = 1\nb = 2\ndef f(): return 1\nclass C: pass\n",
        user="from mod import *\nown = 1\n",
        last="from user import *\n",
    )
    import last
    import user

    mod = sys.modules["mod"]
    project.reload(mod="a = 1\nc = 3\nclass C: pass\ndef g(): return 2\n")
    for each in (user, last):
        assert not {"b", "f"} & vars(each).keys()
        assert (each.a, each.c, each.g(), each.own) == (1, 3, 2, 1)
        assert each.C is mod.C


ONE, TWO = "X = 1\ndef f(): return 1\n", "X = 2\ndef f(): return 2\n"


@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        ({"two": "Y = 3\n"}, 1),
        ({"one": "Y = 3\n"}, 2),
        ({"one": ONE.replace("1", "5")}, 2),
        ({"two": TWO.replace("2", "5")}, 5),
        ({"one": "Y = 3\n", "two": "Z = 3\n"}, None),
    ],
)
def test_the_last_of_two_that_bring_a_name(
    project: Any, edit: dict[str, str], wanted: int | None
) -> None:
    project.load(one=ONE, two=TWO, user="from one import *\nfrom two import *\n")
    import user

    project.reload(**edit)
    assert getattr(user, "X", None) == wanted
    assert (user.f() if hasattr(user, "f") else None) == wanted


@pytest.mark.parametrize(("first", "wanted"), [("one", 9), ("two", 2)])
def test_name_that_another_brings_too(project: Any, first: str, wanted: int) -> None:
    second = {"one": "two", "two": "one"}[first]
    project.load(
        one="X = 2\n", two="B = 2\n", user=f"from {first} import *\nfrom {second} import *\n"
    )
    import user

    project.reload(two="B = 2\nX = 9\n")
    assert user.B == 2
    assert vars(user)["X"] == wanted


def test_own_names_stay(project: Any) -> None:
    project.load(one="X = 1\n", user="from one import *\nY = 5\ndef g(): return 7\n")
    import user

    project.reload(one="X = 1\nY = 2\ndef g(): return 1\nZ = 1\n")
    assert (user.Y, user.g(), user.Z) == (5, 7, 1)


def test_builtin_is_seen_again(project: Any) -> None:
    project.load(
        one="def len(x): return -1\ndef f(): pass\n",
        user="from one import *\ndef g(): return len([])\n",
    )
    import user

    assert user.g() == -1
    project.reload(one="def f(): pass\n")
    assert user.g() == 0


def test_names_that_all_says(project: Any) -> None:
    source = "__all__ = {0}\nA = 1\nB = 2\n"
    project.load(one=source.format(["A"]), user="from one import *\n")
    import user

    project.reload(one=source.format(["A", "B"]))
    assert (user.A, user.B) == (1, 2)
    project.reload(one=source.format(["B"]))
    assert vars(user).keys() & {"A", "B"} == {"B"}
    project.reload(one=source.format([]))
    assert vars(user).keys().isdisjoint({"A", "B"})


def test_first_name_of_a_module(project: Any) -> None:
    project.load(one="_x = 1\n", user="from one import *\n")
    import user

    project.reload(one="def f(): return 1\n")
    assert user.f() == 1


def test_failure_takes_it_back(project: Any) -> None:
    project.load(one="A = 1\nB = 1\n", user="from one import *\n")
    import user

    with pytest.raises(ZeroDivisionError):
        project.reload(one="A = 2\nC = 1\ndef __after_reload__(previous): 1/0\n")
    assert (user.A, user.B, hasattr(user, "C")) == (1, 1, False)

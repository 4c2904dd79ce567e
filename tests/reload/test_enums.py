"""Members of an Enum that no name of the module leads to, and those that go."""

from __future__ import annotations

import sys
from typing import Any

import pytest


def test_combinations_of_flags_are_members_made_once(project: Any) -> None:
    source = "import enum\nclass P(enum.Flag):\n    R = 1\n    W = 2\n    {}\n"
    mod = project.load(mod=source.format(""), user="from mod import P\nRW = P.R | P.W\n")
    import user

    both = user.RW
    table = {both: "rw"}
    project.reload("mod", "user", mod=source.format("X = 4"))
    assert mod.P.R | mod.P.W is user.RW
    assert table[mod.P.R | mod.P.W] == "rw"
    assert type(user.RW) is mod.P


def test_enum_made_by_a_call_loses_a_member(project: Any) -> None:
    source = "from enum import Enum\nE = Enum('E', {!r})\n"
    mod = project.load(mod=source.format("A B"))
    first = mod.E.A
    project.reload(mod=source.format("A"))
    assert list(mod.E) == [first]
    assert not hasattr(mod.E, "B")


def test_enum_made_of_constants_by_a_call_stays_where_nothing_is_different(project: Any) -> None:
    """As in signal, socket and ssl: no statement binds the name of the class."""
    source = """
        import enum
        from constants import *
        enum.IntEnum._convert_("Color", __name__, str.isupper)
        def paint(color=RED): return color
    """
    mod = project.load(mod=source, constants="RED, GREEN = 1, 2")
    color, red, paint = mod.Color, mod.RED, mod.paint
    [report] = project.reload("mod")
    assert (mod.Color, mod.RED, mod.paint) == (color, red, paint)
    assert mod.Color is color
    assert mod.RED is red is color.RED is paint.__defaults__[0]
    assert report.updated == []
    project.reload("constants", "mod", constants="RED, GREEN = 3, 2")
    assert type(mod.RED) is mod.Color
    assert mod.RED == mod.paint() == mod.Color.RED == 3


def test_member_that_is_called_otherwise(project: Any) -> None:
    source = "from enum import Enum\nclass E(Enum):\n    {0} = 1\n    {1} = 2\n    ALIAS = 1\n"
    mod = project.load(mod=source.format("A", "B"))
    first, second = held = [mod.E.A, mod.E.B]
    table = {first: "a", second: "b"}
    project.reload(mod=source.format("FIRST", "B"))
    assert list(mod.E) == held
    assert mod.E.FIRST is mod.E(1) is mod.E.ALIAS is held[0]
    assert (held[0].name, table[mod.E.FIRST], table[mod.E.B]) == ("FIRST", "a", "b")
    assert not hasattr(mod.E, "A")


def test_class_with_instances_becomes_an_enum(project: Any) -> None:
    plain = "class C:\n    RED = 1\n    def f(self): return {0}\n"
    user = "from mod import C\nclass S(C): pass\nheld = [C(), S(), C]\n"
    mod = project.load(mod=plain.format(1), user=user)
    first, second, _ = held = sys.modules["user"].held
    for version, base in ((2, "Enum"), (3, "IntEnum"), (4, "")):
        source = "from enum import *\n" + plain.replace("C:", f"C({base}):")
        project.reload(mod=source.format(version))
        assert held[2] is mod.C is sys.modules["user"].C
        assert (mod.C.RED if base else mod.C()).f() == version
        assert first.f() == second.f()  # they are of the class that is gone


KINDS = ("enum.Flag", "enum.IntEnum", "typing.NamedTuple", "typing.Protocol", "object")


@pytest.mark.parametrize("after", KINDS)
@pytest.mark.parametrize("before", KINDS)
def test_what_was_made_for_another_kind_of_class_goes(
    project: Any, before: str, after: str
) -> None:
    source = "import enum, typing\nclass C({0}):\n    A: int = 1\n    B: int = 2\n"
    mod = project.load(mod=source.format(before), user="from mod import C\n")
    mod.C.extra = 7
    project.reload(mod=source.format(after))
    fresh: dict[str, Any] = {"__name__": "mod"}
    exec(source.format(after), fresh)
    names, wanted = ({n for n in vars(cls) if n[:2] != "__"} for cls in (mod.C, fresh["C"]))
    assert names == wanted | {"extra"}
    assert mod.C.extra == 7
    assert sys.modules["user"].C is mod.C


def test_member_that_is_gone_is_held_while_its_enum_becomes_another(project: Any) -> None:
    source = "import enum\nclass E({0}enum.Enum):\n    A = {1}\n"
    mod = project.load(mod=source.format("int, ", 1) + "    B = 2\n", user="from mod import E\n")
    first, gone = mod.E.A, mod.E.B
    project.reload(mod=source.format("int, ", 1))
    held = [first, gone]
    for base, value in (("", 1), ("str, ", "'x'"), ("int, ", 1)):
        project.reload(mod=source.format(base, value))
        assert sys.modules["user"].E is mod.E
        assert held[0] is mod.E.A
        assert (held[1].name, list(mod.E)) == ("B", [mod.E.A])

"""Instances on bases of C code: the base, or what is around it, becomes another."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

import gcremap

SOURCE = "{0}\nclass C({1}):\n{2}    def f(self): return {3}\n"
USER = "from mod import C\nclass S(C): pass\n"

WITHOUT_FIELDS = {
    "abc.ABC": "import abc",
    "collections.abc.Sized, collections.abc.Hashable": "import collections.abc",
    "typing.Generic[T]": "import typing\nT = typing.TypeVar('T')",
    "typing.Protocol": "import typing",
    "Mixin": "class Mixin:\n    __slots__ = ()",
}


@pytest.mark.parametrize("base", WITHOUT_FIELDS)
def test_bases_without_fields_come_and_go(project: Any, base: str) -> None:
    head = WITHOUT_FIELDS[base]
    rest = "    def __len__(self): return 0\n    __hash__ = object.__hash__\n"
    mod = project.load(mod=SOURCE.format(head, "", rest, 1), user=USER)
    instances = mod.C(), sys.modules["user"].S()
    for version, bases in ((2, base), (3, ""), (4, base)):
        project.reload(mod=SOURCE.format(head, bases, rest, version))
        assert [each.f() for each in instances] == [version] * 2
        assert [mod.C in type(each).__mro__ for each in instances] == [True] * 2


BECOMES_ANOTHER: dict[tuple[str, str], tuple[Any, Callable[[Any], Any], Any]] = {
    ("set", "frozenset"): ([1, 2], set, {1, 2}),
    ("frozenset", "set"): ([1, 2], set, {1, 2}),
    ("dict", "OrderedDict"): ({1: 2}, dict, {1: 2}),
    ("OrderedDict", "dict"): ({1: 2}, dict, {1: 2}),
    ("dict", "defaultdict"): ({1: 2}, dict, {1: 2}),
    ("tuple", "list"): ([1, 2], list, [1, 2]),
    ("list", "tuple"): ([1, 2], list, [1, 2]),
    ("list", "deque"): ([1, 2], list, [1, 2]),
    ("int", "float"): (2, float, 2.0),
    ("float", "int"): (2.5, int, 2),
    ("list", "dict"): ([1, 2], dict, {}),
    ("KeyError", "ValueError"): ("a", lambda it: it.args, ("a",)),
    ("UnicodeDecodeError", "UnicodeTranslateError"): (None, str, ""),
}


@pytest.mark.parametrize(("old", "new"), BECOMES_ANOTHER)
def test_base_becomes_another(project: Any, old: str, new: str) -> None:
    value, seen, wanted = BECOMES_ANOTHER[old, new]
    arguments = ("a", b"b", 0, 1, "c") if value is None else (value,)
    head = "from collections import *"
    mod = project.load(mod=SOURCE.format(head, old, "", 1), user=USER)
    instances = mod.C(*arguments), sys.modules["user"].S(*arguments)
    holder = [*instances, instances[0].f]
    del instances
    project.reload(mod=SOURCE.format(head, new, "", 2))
    assert isinstance(holder[0], mod.C)
    assert isinstance(holder[1], sys.modules["user"].S)
    assert holder[2]() == holder[1].f() == 2
    assert [seen(each) for each in holder[:2]] == [wanted] * 2


def test_base_of_which_none_can_be_made(project: Any) -> None:
    head = "from datetime import *"
    mod = project.load(mod=SOURCE.format(head, "date", "", 1))
    day = mod.C(2020, 1, 2)
    with pytest.raises(gcremap.RemapError, match="derives from datetime now, and there are inst"):
        project.reload(mod=SOURCE.format(head, "datetime", "", 2))
    assert type(day) is mod.C
    assert day.f() == 1


HOLDING: dict[str, tuple[str, str, Callable[[Any], Any], Any]] = {
    "deque": ("collections", "[1, 2], 5", lambda it: (list(it), it.maxlen), ([1, 2], 5)),
    "defaultdict": ("collections", "list, a=1", lambda it: it | {"b": it["c"]}, None),
    "OrderedDict": ("collections", "b=1, a=2", lambda it: [*it, *reversed(it)], list("baab")),
    "datetime": ("datetime", "2020, 1, 2, tzinfo=timezone.utc", lambda it: it.ctime(), None),
    "array": ("array", "'i', [1, 2]", list, [1, 2]),
    "Decimal": ("decimal", "'1.5'", str, "1.5"),
    "partial": ("functools", "int, '5'", lambda it: it(), 5),
    "bytearray": ("builtins", "b'abc'", bytes, b"abc"),
    "frozenset": ("builtins", "'abc'", sorted, ["a", "b", "c"]),
    "ImportError": ("builtins", "'text', name='x'", lambda it: (it.name, str(it)), ("x", "text")),
    "SystemExit": ("builtins", "3", lambda it: it.code, 3),
}


@pytest.mark.parametrize("base", HOLDING)
def test_instances_keep_what_a_base_of_c_code_holds(project: Any, base: str) -> None:
    module, arguments, seen, wanted = HOLDING[base]
    head = f"from {module} import *"
    slots = "    __slots__ = {0}\n"
    mod = project.load(mod=SOURCE.format(head, base, slots.format("()"), 1), user=USER)
    user = sys.modules["user"]
    holder = [eval(f"C({arguments})", {**vars(mod), "C": cls}) for cls in (mod.C, user.S)]
    holder[1].more = 7
    wanted = wanted if wanted is not None else seen(holder[0])
    for version, rest in ((2, ""), (3, slots.format("('more',)")), (4, slots.format("()"))):
        project.reload(mod=SOURCE.format(head, base, rest, version))
        assert [each.f() for each in holder] == [version] * 2
        assert [seen(each) for each in holder] == [wanted] * 2
        assert isinstance(holder[0], mod.C)
        assert holder[1].more == 7

"""Keys of dicts and sets whose classes hash and compare by what an edit changes."""

from __future__ import annotations

import sys
import textwrap
from typing import Any

import pytest

import gcremap

INIT = "    def __init__(self, x, y): self.x, self.y = x, y"
EQ = "    def __eq__(self, other): return isinstance(other, P) and self.x == other.x"

# By what it hashes: a source, and what stands in it before and after the edit.
SOURCES = {
    "itself": (
        f"class P:\n{INIT}\n    def __hash__(self): return hash({{0}})\n{EQ}",
        "self.x", "(self.x, 3)",
    ),
    "a method": (
        f"class P:\n{INIT}\n    def key(self): return {{0}}\n"
        "    def __hash__(self): return hash(self.key())\n"
        "    def __eq__(self, other): return self.key() == other.key()",
        "(self.x,)", "(self.x, self.y, 9)",
    ),
    "a property": (
        f"class P:\n{INIT}\n    @property\n    def key(self): return {{0}}\n"
        "    def __hash__(self): return hash(self.key)\n"
        "    def __eq__(self, other): return self.key == other.key",
        "(self.x,)", "(self.x, self.y, 9)",
    ),
    "a function": (
        f"def key(p): return {{0}}\nclass P:\n{INIT}\n"
        "    def __hash__(self): return hash(key(self))\n"
        "    def __eq__(self, other): return key(self) == key(other)",
        "(p.x,)", "(p.x, p.y, 9)",
    ),
    "a function of a function": (
        f"def inner(p): return {{0}}\ndef key(p): return inner(p)\nclass P:\n{INIT}\n"
        f"    def __hash__(self): return hash(key(self))\n{EQ}",
        "p.x", "(p.x, 9)",
    ),
    "a function of what a subclass overrides": (
        "def inner(p): return {0}\n"
        "class Base:\n    def key(self): return 0\n"
        "    def __hash__(self): return hash(self.key())\n"
        "    def __eq__(self, other): return self.key() == other.key()\n"
        f"class P(Base):\n{INIT}\n    def key(self): return inner(self)",
        "(p.x,)", "(p.x, p.y, 9)",
    ),
    "a constant": (
        f"SALT = {{0}}\nclass P:\n{INIT}\n"
        f"    def __hash__(self): return hash((SALT, self.x))\n{EQ}",
        "1", "2",
    ),
    "an attribute of the class": (
        f"class P:\n    SALT = {{0}}\n{INIT}\n"
        f"    def __hash__(self): return hash((self.SALT, self.x))\n{EQ}",
        "1", "2",
    ),
    "a method of its base": (
        "class Base:\n    def key(self): return {0}\n"
        "    def __hash__(self): return hash(self.key())\n"
        f"class P(Base):\n{INIT}\n    def __eq__(self, other): return self.x == other.x\n"
        "    __hash__ = Base.__hash__",
        "self.x", "(self.x, 3)",
    ),
    "what another makes it of": (
        "class Part:\n    def __init__(self, x): self.x = x\n"
        "    def __hash__(self): return hash({0})\n"
        "    def __eq__(self, other): return isinstance(other, Part) and self.x == other.x\n"
        "class P:\n    def __init__(self, x, y): self.part = Part(x)\n"
        "    def __hash__(self): return hash((P, self.part))\n"
        "    def __eq__(self, other): return self.part == other.part",
        "self.x", "(self.x, 1)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("by", SOURCES)
def test_keys_are_found_by_what_they_hash_by_now(project: Any, by: str) -> None:
    source, before, after = SOURCES[by]
    mod = project.load(mod=source.format(before))
    keys = [mod.P(number, number) for number in range(5)]
    table = {key: number for number, key in enumerate(keys)}
    nested = {(key, "nested"): number for number, key in enumerate(keys)}
    members, frozen = set(keys), frozenset(keys)
    project.reload(mod=source.format(after))
    for number, key in enumerate(keys):
        assert table[key] == table[mod.P(number, number)] == number
        assert nested[key, "nested"] == nested[mod.P(number, number), "nested"] == number
        assert key in members
        assert mod.P(number, number) in members
        assert key in frozen
    assert list(table) == keys


def test_a_constant_of_another_module(project: Any) -> None:
    project.load(config="SALT = 1\n")
    mod = project.load(
        mod=f"""
from config import SALT
class P:
{INIT}
    def __hash__(self): return hash((SALT, self.x))
{EQ}
"""
    )
    table = {mod.P(1, 1): "one"}
    project.reload(config="SALT = 2\n")
    assert table[mod.P(1, 1)] == "one"


def test_a_hash_that_says_it_wraps_itself(project: Any) -> None:
    source = """
def key(p): return {0}
class P:
    def __init__(self, x): self.x = x
    def __hash__(self): return hash(key(self))
    def __eq__(self, other): return key(self) == key(other)
    __hash__.__wrapped__ = __hash__
"""
    mod = project.load(mod=source.format("(p.x,)"))
    table = {mod.P(1): "one"}
    project.reload(mod=source.format("(p.x, 9)"))
    assert table[mod.P(1)] == "one"


MERGED = """
class P:
    def __init__(self, x): self.x = x
    def _key(self): return self.x {0}
    def __hash__(self): return hash(self._key())
    def __eq__(self, other): return type(other) is P and self._key() == other._key()
"""


def test_keys_that_become_equal_by_a_helper(project: Any) -> None:
    mod = project.load(mod=MERGED.format(""))
    table = {mod.P(10): "a", mod.P(11): "b", mod.P(20): "c"}
    [report] = project.reload(mod=MERGED.format("// 10"))
    assert [(key.x, value) for key, value in table.items()] == [(10, "b"), (20, "c")]
    assert table[mod.P(19)] == "b"
    assert any("became equal" in warning for warning in report.warnings) or report.remap.collisions


@pytest.mark.parametrize("merges", [False, True])
def test_a_failure_afterwards_puts_the_tables_back(project: Any, merges: bool) -> None:
    mod = project.load(mod=MERGED.format(""))
    keys = [mod.P(10), mod.P(11), mod.P(20)]
    table = {key: key.x for key in keys}
    edit = MERGED.format("// 10" if merges else "* -7")
    with pytest.raises(ZeroDivisionError):
        project.reload(mod=edit + "def __after_reload__(module): 1 / 0\n")
    assert list(table.items()) == [(key, key.x) for key in keys]
    assert [table[key] for key in keys] == [table[mod.P(x)] for x in (10, 11, 20)] == [10, 11, 20]
    project.reload(mod=edit)
    assert table[mod.P(20)] == 20


def test_an_exception_of_a_helper_cancels_the_reload(project: Any) -> None:
    mod = project.load(mod=MERGED.format(""))
    table = {mod.P(1): "one"}
    with pytest.raises(gcremap.RemapError) as caught:
        project.reload(mod=MERGED.format("/ 0"))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert table[mod.P(1)] == "one"


def test_a_patch_of_a_helper(project: Any) -> None:
    mod = project.load(mod=MERGED.format(""))
    keys = [mod.P(1), mod.P(2)]
    table = {key: key.x for key in keys}
    with gcremap.patch("mod:P._key", lambda self: ("patched", self.x)):
        assert [table[mod.P(x)] for x in (1, 2)] == [1, 2]
    assert [table[mod.P(x)] for x in (1, 2)] == [1, 2]


def test_equality_that_names_its_own_class(project: Any) -> None:
    source = textwrap.dedent("""
        class P:
            def __init__(self, x): self.x = x
            def __hash__(self): return hash(self.x {0})
            def __eq__(self, other): return isinstance(other, P) and self.x {0} == other.x {0}
    """)
    mod = project.load(mod=source.format(""))
    keys = [mod.P(10), mod.P(11), mod.P(20)]
    table = dict.fromkeys(keys)
    project.reload(mod=source.format("// 10"))
    assert [key.x for key in table] == [10, 20]


def test_classes_elsewhere_that_cannot_be_asked(project: Any) -> None:
    mod = project.load(
        mod="def key(p): return p\nclass P:\n    def __hash__(self): return 1\n",
        other="""
            class Meta(type):
                def __getattribute__(cls, name): raise RuntimeError(name)
            Shy = Meta("Shy", (), {"__hash__": lambda self: 1})
        """,
    )
    project.reload(mod="def key(p): return 2\nclass P:\n    def __hash__(self): return key(1)\n")
    assert hash(mod.P()) == 2


@pytest.mark.parametrize("head", ["@dataclass(frozen=True)", "@total_ordering"])
def test_instances_of_a_subclass_elsewhere_hash_by_what_is_new(project: Any, head: str) -> None:
    source = """
        from dataclasses import dataclass
        from functools import total_ordering
        {0}
        class P:
            {1}
            def __hash__(self): return hash(self.{2}) + self.f()
            def f(self): return {3}
            def __eq__(self, other): return self is other
            def __lt__(self, other): return self is other
    """
    user = "from mod import P\nclass S(P): pass\nfirst, second = P(), S()\n"
    user += "table = {first: 1, second: 2}\n"
    mod = project.load(mod=source.format(head, "", "f()", 1), user=user)
    user_module = sys.modules["user"]
    table, first, second = user_module.table, user_module.first, user_module.second
    project.reload(mod=source.format(head, "size: int = 7", "size", 2))
    assert [table[first], table[second], len(table)] == [1, 2, 2]
    assert hash(second) == hash(first) == 9
    assert type.__subclasses__(mod.P) == [user_module.S]


def test_classes_whose_metaclass_says_how_they_hash(project: Any) -> None:
    source = """
        class Meta(type):
            def tag(cls): return {0}
            {1}
        class C(metaclass=Meta):
            def m(self): return {0}
    """
    hashes = "def __hash__(cls): return hash((cls.__name__, {0}))"
    equal = "; __eq__ = lambda cls, other: cls is other"
    mod = project.load(
        mod=source.format(1, "pass"),
        user="from mod import C\nclass D(C): pass\nTABLE = {C: 1, (D, 1): 2}\nSET = {C, D}",
    )
    user = sys.modules["user"]
    for version, said in enumerate([hashes.format(1), hashes.format(1), hashes.format(2), "pass"]):
        said = said if said == "pass" else f"{equal[2:]}\n            {said}"
        project.reload(mod=source.format(version, said))
        assert user.TABLE == {mod.C: 1, (user.D, 1): 2}
        assert user.TABLE[mod.C] == 1
        assert user.TABLE[user.D, 1] == 2
        assert {mod.C, user.D} == user.SET
        assert mod.C.tag() == user.D().m() == version

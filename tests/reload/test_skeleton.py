"""A source of which the code is known is read without the insides of its functions: what anybody
sees of the tree is what the whole parses to."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from types import CodeType

import pytest

from gcremap._reload.sources.definitions import index_of
from gcremap._reload.sources.outline import Outline
from gcremap._reload.sources.skeleton import tree_of, type_of

SOURCE = '''
import functools
@functools.wraps(
    print)
def f(a, *,
      b=1) -> int:  # why
    """Doc
of two lines"""
    return a

class C(
    Base):
    x: int = 1
    def m(self): return 2; 
    if x:
        async def n(self):
            """
only"""
    else:
        @property
        def n(self): pass
    def __p(self): "ü"; return lambda: 1

try:
    def g(): return """
def h(): pass
"""
except ValueError:
    def g(): pass
finally:
    match x:
        case 1:
            def k():
                def inner(): pass
                return inner
def last(): return 1; '''  # noqa: W291


def shown(tree: ast.AST | None) -> str:
    assert tree is not None
    return ast.dump(tree, include_attributes=True)


def code_of(text: str) -> CodeType:
    return compile(text, "<mod>", "exec", dont_inherit=True)


def is_unread(node: ast.AST) -> bool:
    return type_of(node) is not type(node)


def test_functions_are_read_when_somebody_asks() -> None:
    tree = tree_of(SOURCE.split("\n"), code_of(SOURCE))
    assert tree is not None
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert [function.name for function in functions] == ["f", "last"]
    assert all(map(is_unread, functions))
    assert [arg.arg for arg in functions[0].args.kwonlyargs] == ["b"]
    assert not is_unread(functions[0])
    assert type(functions[0]) is ast.FunctionDef
    assert is_unread(functions[1])


@pytest.mark.parametrize(
    "text",
    [SOURCE, "class ü:\n    def ü(self): pass\n", "if 1:\n\tdef f():\n\t\tpass\n"],
    ids=["all kinds", "other letters", "tabs"],
)
def test_the_tree_is_that_of_the_whole(text: str) -> None:
    assert shown(tree_of(text.split("\n"), code_of(text))) == shown(ast.parse(text))


@pytest.mark.parametrize("name", ["ast", "dataclasses", "enum", "functools", "typing", "tempfile"])
def test_what_a_source_is_found_to_do_is_the_same(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.loader is not None
    text = spec.loader.get_source(name)  # type: ignore[attr-defined]
    whole, quick = Outline(text), Outline(text, None, code_of(text))
    assert [each.lines for each in quick.statements] == [each.lines for each in whole.statements]
    one, other = (
        index_of(effect for each in outline.statements for effect in each.effects)
        for outline in (whole, quick)
    )
    assert one.keys() == other.keys()
    for key, definition in one.items():
        assert [way.lines for way in definition.ways] == [way.lines for way in other[key].ways]
        assert [said.text for said in definition.prints] == [
            said.text for said in other[key].prints
        ]
        assert definition.same(other[key])
    tree = tree_of(text.split("\n"), code_of(text))
    assert shown(tree) == shown(ast.parse(text))


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("x = 1\n", "x = 1\n"),
        ("def f(): pass\n", "\ndef f(): pass\n"),
        ("def f(): pass\n", "def g(): pass\n"),
        ("def f():\n    pass\n", "def f(): pass"),
        ("def f():\n    pass\n", "def f():\n    return\n"),
    ],
    ids=["no functions", "elsewhere", "of another name", "shorter", "another body"],
)
def test_code_that_does_not_fit_is_not_used(text: str, other: str) -> None:
    tree = tree_of(other.split("\n"), code_of(text))
    assert tree is None


def test_without_positions_all_is_read() -> None:
    program = (
        "from gcremap._reload.sources.skeleton import tree_of\n"
        "text = 'def f(): pass'\n"
        "assert tree_of([text], compile(text, '<mod>', 'exec')) is None\n"
    )
    subprocess.run([sys.executable, "-X", "no_debug_ranges", "-c", program], check=True)

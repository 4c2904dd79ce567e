"""A source is read after an edit as it would be by itself, whatever it has of the one before."""

from __future__ import annotations

import ast
import random
import textwrap
from pathlib import Path
from typing import Any

import pytest

from gcremap._reload.matching import alternatives
from gcremap._reload.sources import definitions, effects
from gcremap._reload.sources.definitions import Definition, Print, Way
from gcremap._reload.sources.outline import Outline

CASES = [
    ("a line is put in above", "x = 1\ndef f(): pass\n", "x = 1\ny = 2\ndef f(): pass\n"),
    ("two statements on a line", "x = 1; y = 2\nz = 3\n", "x = 1; y = 4\nz = 3\n"),
    ("one ends where another starts", "x = '''\n'''; y = 2\n", "x = '''\n'''; y = 3\n"),
    ("a backslash", "x = 1 \\\n\ny = 2\n", "x = 1 \\\n+ 3\ny = 2\n"),
    ("a backslash by itself", "x = 1\n\\\ny = 2\n", "x = 5\n\\\ny = 2\n"),
    ("more of a body", "if x:\n    a = 1\nb = 2\n", "if x:\n    a = 1\n    c = 1\nb = 2\n"),
    ("another branch", "if x:\n    a = 1\nb = 2\n", "if x:\n    a = 1\nelse:\n    c = 1\nb = 2\n"),
    ("a decorator", "x = 1\ndef f(): pass\n", "x = 1\n@x\ndef f(): pass\n"),
    ("a string that goes on", "x = 1\ny = 2\nz = 3  # '''\n", "x = '''\ny = 2\nz = 3  # '''\n"),
    ("a parenthesis", "x = 1\ny = 2\n", "x = (\ny == 2\n)\n"),
    ("indented after a backslash", "x = 1\n\\\n  \ny = 2\n", "if 1:\n  x = 1\n\\\n  \ny = 2\n"),
    ("nothing is left", "x = 1\n", ""),
    ("all is new", "", "x = 1\n"),
    ("other line ends", "x = 1\ny = 2\n", "x = 1\r\ny = 2\r\n"),
]


@pytest.mark.parametrize(("old", "new"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_an_edit_is_read_as_the_whole_is(old: str, new: str) -> None:
    assert told(Outline(new, Outline(old))) == told(Outline(new))


def test_what_an_edit_does_not_reach_is_not_read_again() -> None:
    text = Path(effects.__file__).read_text()
    before = Outline(text)
    middle = before.statements[len(before.statements) // 2]
    lines = text.split("\n")
    lines.insert(middle.lines[0] - 1, "INSERTED = 1")
    after = Outline("\n".join(lines), before)
    nodes = {id(each.node) for each in before.statements}
    assert [id(each.node) in nodes for each in after.statements].count(False) == 1
    assert told(after) == told(Outline("\n".join(lines)))


@pytest.mark.parametrize("module", [alternatives, definitions, effects, ast, textwrap])
def test_any_edits_are_read_as_the_whole_is(module: Any) -> None:
    chance = random.Random(module.__name__)
    outline = Outline(text := Path(module.__file__).read_text())
    for _ in range(40):
        lines = text.split("\n")
        at = chance.randrange(len(lines))
        kind = chance.choice(["drop", "double", "put in", "move"])
        if kind == "drop":
            del lines[at : at + chance.randrange(1, 4)]
        elif kind == "double":
            lines[at:at] = lines[at : at + chance.randrange(1, 30)]
        elif kind == "put in":
            lines.insert(at, chance.choice(["x = 1", "", "    pass", "@x", "'''", "else:", "y\\"]))
        else:
            lines[at:at] = [lines.pop(chance.randrange(len(lines)))]
        edited = "\n".join(lines)
        try:
            whole = Outline(edited)
        except SyntaxError:
            continue
        text, outline = edited, Outline(edited, outline)
        assert told(outline) == told(whole)


def told(outline: Outline) -> Any:
    index = definitions.index_of(effect for each in outline.statements for effect in each.effects)
    return [
        (said(each.node), each.lines, each.moved + each.node.lineno) for each in outline.statements
    ], {name: of_definition(each) for name, each in index.items()}


def said(node: ast.AST) -> str:
    return ast.dump(node)


def of_definition(each: Definition) -> Any:
    members = {name: of_definition(one) for name, one in (each.members or {}).items()}
    prints = list(map(of_print, each.prints))
    ways = list(map(of_way, each.ways))
    sets = (each.kinds, each.reads)
    return prints, sets, each.decorators, each.fresh, each.touched, members, ways


def of_print(each: Print) -> Any:
    return each.context, each.said, each.text


def of_way(way: Way) -> Any:
    members = {name: of_definition(one) for name, one in (way.members or {}).items()}
    return way.kind, of_print(way.said), way.lines, way.branch, way.decorators, members

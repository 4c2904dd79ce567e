"""Who holds what, and reports, for people who look rather than read."""

from __future__ import annotations

import gc
import re
import weakref
from html.parser import HTMLParser
from typing import Any

import pytest

import gcremap


class Thing:
    """What the trees are of."""


def labels(tree: gcremap.ReferrerTree) -> list[str]:
    return [re.sub(r"0x[0-9a-f]+", "0x", line) for line in str(tree).splitlines()]


def chains(tree: gcremap.ReferrerTree) -> set[tuple[str, ...]]:
    """Each way from what holds the object, but for the lines of frames, to where it ends."""
    path: list[str] = []
    found = set()
    for line in labels(tree)[1:]:
        indent = len(line) - len(line.lstrip("│├└─ "))
        path[indent // 3 - 1 :] = [re.sub(r" at .*:\d+>$", ">", line[indent:])]
        found.add(tuple(path))
    return found


def test_tree_of_all_kinds_of_holders() -> None:
    class Owner:
        pass

    thing = Thing()
    owner = Owner()
    owner.thing = thing  # type: ignore[attr-defined]
    outer = {"inner": [0, thing]}

    def function(given: Any = thing) -> None:
        pass

    tree = gcremap.referrer_tree(thing)
    assert labels(tree)[0] == f"{__name__}.Thing at 0x"
    assert labels(tree)[1].startswith("├─ <local 'thing' of test_tree_of_")  # named ones first
    frame, here = (
        "test_tree_of_all_kinds_of_holders",
        f"{__name__}.test_tree_of_all_kinds_of_holders",
    )
    assert chains(tree) >= {
        (f"<local 'thing' of {frame}>",),
        (f".thing of {here}.<locals>.Owner at 0x", f"<local 'owner' of {frame}>"),
        ("[0] of tuple of 1", f"{here}.<locals>.function.__defaults__"),
        ("[1] of list of 2", "['inner'] of dict of 1", f"<local 'outer' of {frame}>"),
    }
    del outer, function


def test_cycle_is_shown_once_and_ends() -> None:
    thing = [Thing()]
    thing.append(thing)  # type: ignore[arg-type]
    lines = labels(gcremap.referrer_tree(thing, depth=9))
    assert [line for line in lines if "shown above" in line] == [
        "└─ [1] of list of 2 (shown above)"
    ]


def test_depth_and_width_are_limits() -> None:
    thing = Thing()
    many = [[[thing]] for _ in range(20)]
    lines = labels(gcremap.referrer_tree(thing, depth=1, width=3))
    assert len(lines) == 5
    assert lines[-1] == "└─ and 18 more"
    assert any("list of 20" in line for line in labels(gcremap.referrer_tree(thing, depth=3)))
    assert not any("list of 20" in line for line in labels(gcremap.referrer_tree(thing, depth=2)))
    assert many
    for wrong in ({"depth": 0}, {"width": 0}):
        with pytest.raises(ValueError, match="must be at least 1"):
            gcremap.referrer_tree(thing, **wrong)


def test_tree_keeps_nothing_alive() -> None:
    thing = Thing()
    holder = {"thing": thing}
    tree = gcremap.referrer_tree(thing)
    watched = weakref.ref(thing)
    del thing, holder
    gc.collect()
    assert watched() is None
    assert "dict of 1" in str(tree)
    assert repr(tree) == str(tree)


def test_no_code_of_the_objects_runs() -> None:
    class Loud(list):  # type: ignore[type-arg]
        def __repr__(self) -> str:
            raise AssertionError("asked")

        __len__ = __iter__ = __eq__ = __hash__ = __getattr__ = __repr__  # type: ignore[assignment]

    thing = Loud()
    holder = {"loud": [thing]}
    assert "Loud at 0x" in labels(gcremap.referrer_tree(thing))[0]
    assert holder


def test_graph_for_graphviz() -> None:
    thing = Thing()
    key = 'quote " and \\'
    holder = {key: thing}
    graph = gcremap.referrer_tree(thing).dot()
    assert graph.startswith("digraph referrers {\n")
    assert graph.endswith("}\n")
    arrow = re.escape(r"""[label="['quote \" and \\\\']"];""")
    assert re.search(rf"^  object{id(holder)} -> object{id(thing)} {arrow}$", graph, re.M)
    assert f'  object{id(holder)} [label="dict of 1"];\n' in graph
    assert len(set(graph.splitlines())) == len(graph.splitlines())


class Balanced(HTMLParser):
    """Checks that what is opened is closed, and collects the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_tree_in_a_notebook() -> None:
    thing = Thing()
    holder = {"<b>": [thing]}
    tree = gcremap.referrer_tree(thing)
    texts = Balanced(tree._repr_html_()).texts
    assert texts[0] == str(tree).splitlines()[0]
    assert "['<b>'] of dict of 1" in texts
    assert holder


def test_remap_report_in_a_notebook() -> None:
    old, new = Thing(), Thing()
    holder = [old, old]
    report = gcremap.remap([(old, new)])
    texts = Balanced(report._repr_html_()).texts
    assert texts[0].startswith("remap in ")
    assert f"{report.replaced:,} in {report.holders:,} holders" in texts
    assert "2 list" in texts[texts.index("by type of holder") + 1]
    assert "tables rehashed" not in texts
    assert holder == [new, new]


def test_reload_report_in_a_notebook(folder: Any) -> None:
    mod = folder.load(shop="CACHE = []\ndef price():\n    return 1\n")
    folder.write(shop="CACHE = []\ndef price():\n    return 22\ndef new():\n    pass\n")
    [report] = gcremap.reload_all([mod])
    texts = Balanced(report._repr_html_()).texts
    assert texts[0].startswith("shop reloaded in ")
    assert texts[1:] == ["changed", "price", "added", "new", "kept", "CACHE"]

"""Names that a module binds in other ways than by a statement at its top."""

from __future__ import annotations

import importlib.machinery
import sys
from typing import Any

import pytest

WAYS = {
    "global": "def init():\n    global X, Y\n    X = {0}\n    Y = []\ninit()\n",
    "globals": "globals()['X'] = {0}\nglobals()['Y'] = []\n",
    "update": "globals().update(X={0}, Y=[])\n",
    "vars": "vars()['X'] = {0}\nvars()['Y'] = []\n",
    "setattr": "import sys\nme = sys.modules[__name__]\nsetattr(me, 'X', {0})\nme.Y = []\n",
    "exec": "exec('X = {0}; Y = []')\n",
    "exec in globals": "exec('X = {0}; Y = []', globals())\n",
    "loop": "for n, v in (('X', {0}), ('Y', [])): globals()[n] = v\n",
    "helper": "import helper\nhelper.bind(__name__, X={0}, Y=[])\n",
    "frame": "import helper\nhelper.bind_in_caller(X={0}, Y=[])\n",
}
HELPER = """
    import sys
    def bind(name, **names): vars(sys.modules[name]).update(names)
    def bind_in_caller(**names): sys._getframe(1).f_globals.update(names)
"""


@pytest.mark.parametrize("edits", [0, 1])
@pytest.mark.parametrize("way", WAYS)
def test_they_go(project: Any, way: str, edits: int) -> None:
    mod = project.load(mod=WAYS[way].format(1) + "A = 0\n", helper=HELPER)
    mod.set_by_hand = 1
    for edit in range(edits):
        project.reload(mod=WAYS[way].format(1) + f"A = {edit}\n")
    assert (mod.X, mod.Y) == (1, [])
    with pytest.raises(ZeroDivisionError):
        project.reload(mod="A = 9\n1 / 0\n")
    assert (mod.X, mod.Y) == (1, [])
    [report] = project.reload(mod="A = 9\nFOUND = sorted(globals())\n")
    assert not {"X", "Y"} & (vars(mod).keys() | set(mod.FOUND))
    assert {"X", "Y"} <= set(report.removed)
    assert mod.set_by_hand == 1


@pytest.mark.parametrize("way", WAYS)
def test_they_are_what_the_new_source_makes_them(project: Any, way: str) -> None:
    mod = project.load(mod=WAYS[way].format(1), helper=HELPER, user="from mod import X, Y\n")
    import user

    for edit in (2, 3):
        project.reload(mod=WAYS[way].format(edit))
        assert mod.X == user.X == edit
        assert mod.Y is user.Y


@pytest.mark.parametrize("way", ["global", "globals", "update", "vars"])
def test_values_of_statements_that_did_not_change_are_state(project: Any, way: str) -> None:
    source = WAYS[way] + "A = {1}\n"
    mod = project.load(mod=source.format(1, 1))
    mod.X, y = 5, mod.Y
    y.append("x")
    project.reload(mod=source.format(1, 2))
    assert (mod.X, mod.Y is y, mod.A) == (5, True, 2)
    project.reload(mod=source.format(3, 2))
    assert (mod.X, mod.Y is y) == (3, True)


def test_what_a_function_binds_at_import_follows_it_and_those_that_call_it(project: Any) -> None:
    source = """
        LEVEL = {level}
        class App:
            def start(self, level):
                start(level)
        def start(level):
            'words'
            {body}
        {names}
        app = App()
        app.start({call})
        def other():
            return {other}
    """
    body = "global STARTED; STARTED = [level]"
    names = "STARTED = None"
    now = {"level": 1, "body": body, "names": "", "call": "LEVEL", "other": 1}
    mod = project.load(mod=source.format(**now))

    def edited(**edit: Any) -> Any:
        mod.STARTED.append("since")
        now.update(edit)
        project.reload(mod=source.format(**now))
        return mod.STARTED

    assert edited(other=2) == [1, "since"]
    assert edited(body=body + "; x = 1") == [1, "since", "since"]
    assert edited(level=2) == [2]
    assert edited(call="LEVEL + 1") == [3]
    assert edited(other=3) == [3, "since"]
    assert edited(body=body.replace("[level]", "[level, 0]")) == [3, 0]
    assert edited(names=names) == [3, 0]


def test_what_a_call_gives_a_name_that_a_statement_binds(project: Any) -> None:
    source = """
        SEEN = None
        count = 0
        def start(value):
            global SEEN
            SEEN = {body}
        def tick():
            global count
            count += {step}
        def main():
            tick()
        start({call})
        main()
    """
    mod = project.load(mod=source.format(body="[value]", call=1, step=1))
    mod.SEEN.append("since")
    mod.count = 7
    project.reload(mod=source.format(body="list((value,))", call=1, step=2))
    assert (mod.SEEN, mod.count) == ([1, "since"], 7)
    project.reload(mod=source.format(body="list((value,))", call=2, step=2))
    assert (mod.SEEN, mod.count) == ([2], 7)


def test_names_that_longer_ones_hold(project: Any) -> None:
    mod = project.load(mod="globals().update([('B', 1), ('BIG', 2)])\n")
    project.reload(mod="globals().update([('BIG', 2)])\n")
    assert (hasattr(mod, "B"), mod.BIG) == (False, 2)


def test_names_that_another_module_has(project: Any) -> None:
    """They are nowhere in the source, which binds them again, though nothing about them changed."""
    source = "import constants\nglobals().update(constants.ALL)\nA = {}\n"
    constants = "ALL = {{'X': 1, 'Y': [], {}}}\n"
    mod = project.load(mod=source.format(1), constants=constants.format("'Z': 2"))
    y = mod.Y
    project.reload(mod=source.format(2))
    assert (mod.X, mod.Y is y, mod.Z) == (1, True, 2)
    project.reload(mod=source.format(3), constants=constants.format(""))
    assert (mod.X, mod.Y, hasattr(mod, "Z")) == (1, [], False)


def test_what_the_program_binds_later_is_state(project: Any) -> None:
    source = "def start():\n    global X\n    X = 1\nA = {}\n"
    mod = project.load(mod=source.format(1))
    mod.start()
    project.reload(mod=source.format(2))
    assert mod.X == 1
    project.reload(mod="A = 3\n")
    assert mod.X == 1


def test_members_that_an_enum_puts_into_its_module(project: Any) -> None:
    source = """
        import enum
        @enum.global_enum
        class Color(enum.Enum):
            RED = 1
            {0}
    """
    mod = project.load(mod=source.format("BLUE = 2"))
    assert mod.BLUE is mod.Color.BLUE
    project.reload(mod=source.format(""))
    assert mod.RED is mod.Color.RED
    assert not hasattr(mod, "BLUE")


def test_the_spec_of_a_module_is_what_it_was(project: Any) -> None:
    """It is by this that the end of an import shows."""
    project.write(
        mod="kind = type(__spec__).__name__\nsaid = repr(__spec__)\n",
        broken="X = 1\n1 / 0\n",
        five="import sys\nsys.modules[__name__] = 5\n",
    )
    import five
    import mod

    assert mod.kind == "ModuleSpec"
    assert mod.said == repr(mod.__spec__)
    assert type(mod.__spec__) is importlib.machinery.ModuleSpec
    assert mod.__spec__._initializing is False
    assert five == 5
    del sys.modules["five"]
    with pytest.raises(ZeroDivisionError) as caught:
        import broken  # noqa: F401
    assert not any(str(each.path).endswith("record.py") for each in caught.traceback)
    assert "broken" not in sys.modules

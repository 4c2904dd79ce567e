"""A few of CPython's own test files under chaos; `make stress` runs all of them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import child

HERE = Path(__file__).parent
FILES = ("test_context", "test_copy", "test_generators", "test_super", "test_weakset")
PROGRAM = """
import sys
sys.path.insert(0, {here!r})
import agent, clones
agent.FIRST_PAUSE = 5
agent.SOURCES = [lambda dice: [steps, step]]
{damage}

def step(number):
    steps.append(number)

def idle():
    "Where a strike finds that nobody is using the others."

steps = []
chaos = agent.Agent(1, sys.stderr, range(1000), lambda: None)
with chaos:
    for number in range(1000):
        step(number)
        idle()
print(steps == list(range(1000)))
print(chaos.counts["stay"], chaos.counts["slots"])
"""


@pytest.mark.skipif(
    importlib.util.find_spec("test.test_copy") is None, reason="CPython's tests are not installed"
)
@pytest.mark.parametrize("file", FILES)
def test_a_file_under_chaos(file: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(HERE / "chaos.py"), file, "--logs", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " 0 strikes" not in done.stdout


@pytest.mark.parametrize(
    ("damage", "right"),
    [
        ("", "True"),
        ("clones.CLONES[type(clones.clone)] = lambda old: lambda number: None", "False"),
    ],
)
def test_a_program_sees_clones_that_differ_and_no_others(damage: str, right: str) -> None:
    said = child.run(PROGRAM.format(here=str(HERE), damage=damage)).split()
    assert said[0] == right
    assert int(said[1]) > 5
    assert int(said[2]) > 50


HELD_BY_NONE = """
import gc, random, sys, weakref
sys.path.insert(0, {here!r})
import agent

class Item:
    pass

gc.disable()
chaos = agent.Agent(1, sys.stderr, range(1000), lambda: None)
for source in agent.SOURCES:
    for count in range(20):
        item = Item()
        died = weakref.ref(item)
        source(chaos.dice)
        del item
        if died() is not None:
            print(source.__name__)
            break
"""


def test_a_strike_holds_nothing_that_it_looked_at() -> None:
    assert child.run(HELD_BY_NONE.format(here=str(HERE))) == ""

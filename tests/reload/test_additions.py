"""Statements that add to a container of another module: once, however often they run."""

from __future__ import annotations

import sys
from typing import Any

import pytest

BASE = """
    import collections
    APPS = ["{0}"]
    SEEN = {{"{0}"}}
    CONF = {{"{0}": 1}}
    LAST = collections.deque(["{0}"])
    SIZE = 1
    NAMES = ("{0}",)
"""
IMPORTS = ["from base import APPS, SEEN, CONF, LAST, SIZE, NAMES", "from base import *"]
DEV = """
    {0}
    MINE = ["mine"]
    APPS += ["dev"] + MINE
    APPS.append("more")
    SEEN |= {{"dev"}}
    CONF |= {{"dev": 2}}
    LAST += ["dev"]
    SIZE += 1
    NAMES += ("dev",)
    def f(): return {1}
"""


def said(module: Any) -> tuple[Any, ...]:
    rest = (sorted(module.SEEN), module.CONF, list(module.LAST), module.SIZE, module.NAMES)
    return (module.APPS, *rest)


def wanted(name: str) -> tuple[Any, ...]:
    added = [name, "dev"]
    apps = [name, "dev", "mine", "more"]
    return (apps, sorted(added), {name: 1, "dev": 2}, added, 2, (name, "dev"))


@pytest.mark.parametrize("imports", IMPORTS)
def test_additions_that_did_not_change(project: Any, imports: str) -> None:
    project.load(base=BASE.format("a"))
    dev = project.load(dev=DEV.format(imports, 1))
    assert said(dev) == wanted("a")
    project.reload(dev=DEV.format(imports, 2))
    assert said(dev) == wanted("a")
    assert dev.APPS is sys.modules["base"].APPS
    assert dev.f() == 2


@pytest.mark.parametrize("imports", IMPORTS)
def test_additions_to_a_container_that_is_made_anew(project: Any, imports: str) -> None:
    project.load(base=BASE.format("a"))
    dev = project.load(dev=DEV.format(imports, 1))
    project.reload(base=BASE.format("b"), dev=DEV.format(imports, 1))
    assert said(dev) == wanted("b")
    assert dev.APPS is sys.modules["base"].APPS


@pytest.mark.parametrize("imports", IMPORTS)
def test_additions_of_what_is_another_now(project: Any, imports: str) -> None:
    project.load(base=BASE.format("a"))
    dev = project.load(dev=DEV.format(imports, 1))
    project.reload(dev=DEV.format(imports, 1).replace('["mine"]', '["other"]'))
    assert dev.APPS[-2:] != ["mine", "more"]
    assert "other" in dev.APPS

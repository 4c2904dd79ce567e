"""The tools that are compared, each asked as its documentation says.

`TOOLS[name](root)` prepares the tool for modules under `root` and returns two functions: one
to call when modules were loaded, one to call with the names of modules whose files were saved.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Loaded = Callable[[], object]
Reload = Callable[[list[str]], object]
Tool = Callable[[Path], tuple[Loaded, Reload]]

TOOLS: dict[str, Tool] = {}
DISTRIBUTIONS: dict[str, str] = {}


def tool(name: str, distribution: str = "") -> Callable[[Tool], Tool]:
    def register(prepare: Tool) -> Tool:
        TOOLS[name] = prepare
        DISTRIBUTIONS[name] = distribution
        return prepare

    return register


def version(name: str) -> str | None:
    """The installed version of a tool, "" of one that is no package, None if it is missing."""
    if not DISTRIBUTIONS[name]:
        return ""
    try:
        if name == "gcremap":  # a checkout has no distribution
            return str(importlib.import_module(name).__version__)
        return importlib.metadata.version(DISTRIBUTIONS[name])
    except ImportError:
        return None


def nothing() -> None:
    return None


def each(reload: Callable[[Any], object]) -> Reload:
    def reload_all(names: list[str]) -> None:
        for name in names:
            reload(sys.modules[name])

    return reload_all


@tool("nothing")
def do_nothing(root: Path) -> tuple[Loaded, Reload]:
    """No tool at all: what passes with it says nothing about the others."""
    return nothing, lambda names: None


@tool("gcremap", "gcremap")
def gcremap(root: Path) -> tuple[Loaded, Reload]:
    import gcremap

    return nothing, lambda names: gcremap.reload_all(sys.modules[name] for name in names)


@tool("jurigged", "jurigged")
def jurigged(root: Path) -> tuple[Loaded, Reload]:
    from jurigged.register import registry

    # What its watcher does, without the wait for the file system to report the change.
    registry.auto_register(filter=lambda path: path.startswith(str(root)))
    return nothing, each(lambda module: registry.get(module.__file__).refresh())


@tool("IPython %autoreload 2", "ipython")
def autoreload(root: Path) -> tuple[Loaded, Reload]:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    shell.run_line_magic("load_ext", "autoreload")
    shell.run_line_magic("autoreload", "2")
    # It looks for changes before a cell, and for new modules after one.
    return lambda: shell.run_cell("pass"), lambda names: shell.run_cell("pass")


@tool("xreload", "xreload")
def xreload(root: Path) -> tuple[Loaded, Reload]:
    from xreload import xreload

    return nothing, each(xreload)


@tool("limeade", "limeade")
def limeade(root: Path) -> tuple[Loaded, Reload]:
    import limeade

    return nothing, lambda names: limeade.refresh([sys.modules[name] for name in names])


@tool("plone.reload", "plone.reload")
def plone(root: Path) -> tuple[Loaded, Reload]:
    from plone.reload import code

    return code.get_mod_times, lambda names: code.reload_code()


@tool("importlib.reload")
def plain(root: Path) -> tuple[Loaded, Reload]:
    return nothing, each(importlib.reload)

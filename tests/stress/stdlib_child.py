"""Load the tests of a part of the standard library, reload that part, run the tests.

Run in a process of its own by stdlib_reload.py, which compares what it writes with what a
run without a reload does: python stdlib_child.py MODE RESULT TEST MODULE...
"""

from __future__ import annotations

import importlib
import importlib.machinery
import json
import os
import sys
import traceback
import unittest
from types import ModuleType
from typing import Any


def main(mode: str, result: str, test: str, *subjects: str) -> None:
    from test import support

    support.use_resources = ()  # none: no network, no sound
    if mode == "imported" or mode.startswith("gcremap"):
        import gcremap  # noqa: F401 - it takes note of what is imported from here on
    if mode == "autoreload":
        pass  # type: ignore[import-not-found]
    suite = unittest.defaultTestLoader.loadTestsFromName(f"test.{test}")
    # What it is for is used before it is reloaded: the tests have made their classes of it.
    modules = loaded(subjects)
    found: dict[str, Any] = {"modules": [module.__name__ for module in modules]}
    try:
        reload(mode, modules)
    except BaseException:
        found["refused"] = traceback.format_exc()
        write(result, found)
        os._exit(0)
    outcome = unittest.TestResult()
    suite.run(outcome)
    bad = [*outcome.failures, *outcome.errors]
    found["ran"] = outcome.testsRun
    found["failing"] = {str(case): text for case, text in bad}
    found["failing"] |= {str(case): "unexpected success" for case in outcome.unexpectedSuccesses}
    write(result, found)
    os._exit(0)  # threads that a test left behind are not waited for


def write(result: str, found: dict[str, Any]) -> None:
    with open(result, "w") as file:
        json.dump(found, file)


def loaded(subjects: tuple[str, ...]) -> list[ModuleType]:
    """What is imported of the subjects, if it is written in Python."""
    within = tuple(f"{subject}." for subject in subjects)
    for subject in subjects:
        importlib.import_module(subject)
    return [
        module
        for name, module in list(sys.modules.items())
        if (name in subjects or name.startswith(within))
        and isinstance(module, ModuleType)
        and str(getattr(module, "__file__", "")).endswith(".py")
    ]


def reload(mode: str, modules: list[ModuleType]) -> None:
    if mode == "importlib":
        for module in modules:
            importlib.reload(module)
    elif mode == "autoreload":
        from IPython.extensions.autoreload import superreload

        olds: dict[Any, Any] = {}
        for module in modules:
            superreload(module, importlib.reload, olds)
    elif mode.startswith("gcremap"):
        import gcremap

        gcremap.Reloader(identity=mode.partition("-")[2]).reload(*modules)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.path.pop(0)  # the folder of this file
    arguments, sys.argv[1:] = sys.argv[1:], []  # some tests look at them
    main(*arguments)

"""Collect tests with pytest, reload what they are about, run them.

Run in a process of its own by third_party_tests.py, which compares what it writes with what a
run without a reload does: python pytest_child.py MODE RESULT PACKAGE,PACKAGE ARGUMENT...
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from stdlib_child import loaded, reload


class Between:
    """A plugin that reloads between the collection and the first test, and notes outcomes."""

    def __init__(self, mode: str, packages: tuple[str, ...]) -> None:
        self.mode, self.packages = mode, packages
        self.outcomes: dict[str, str] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        modules = [
            module
            for module in loaded(self.packages)
            if not {"test", "tests", "conftest"}.intersection(module.__name__.split("."))
        ]
        reload(self.mode, modules)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.outcomes[report.nodeid] = report.longreprtext
        elif report.when == "call" or report.skipped:
            self.outcomes.setdefault(report.nodeid, report.outcome)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.outcomes[f"collecting {report.nodeid}"] = report.longreprtext

    def pytest_internalerror(self, excrepr: object) -> None:
        self.outcomes["run"] = str(excrepr)


def outcomes_of(
    arguments: list[str], mode: str = "imported", packages: tuple[str, ...] = ()
) -> dict[str, str]:
    """What came of each test, by its id."""
    between = Between(mode, packages)
    options = ["-q", "-p", "no:cacheprovider", "--continue-on-collection-errors", "-W", "default"]
    pytest.main([*options, *arguments], plugins=[between])
    return between.outcomes


def main(mode: str, result: str, packages: str, *arguments: str) -> None:
    import gcremap  # noqa: F401 - it takes note of what is imported from here on

    outcomes = outcomes_of([*arguments], mode, tuple(packages.split(",")))
    Path(result).write_text(json.dumps(outcomes))
    os._exit(0)  # threads that a test left behind are not waited for


if __name__ == "__main__":
    sys.path[0] = ""  # not the folder of this file
    arguments, sys.argv[1:] = sys.argv[1:], []
    main(*arguments)

"""Reloading source that did not change changes nothing that can be observed."""

from __future__ import annotations

import importlib

import pytest

import gcremap
from facts import differences, facts_of

MODULES = (
    "argparse", "base64", "bdb", "calendar", "cmd", "codecs", "collections",
    "configparser", "contextlib", "csv", "dataclasses", "datetime", "difflib", "dis",
    "email.message", "fractions", "functools", "graphlib", "heapq", "ipaddress",
    "json.decoder", "logging", "mimetypes", "ntpath", "numbers", "optparse", "os", "pprint",
    "queue", "random", "re", "sched", "shelve", "signal", "socket", "ssl", "statistics", "string",
    "tarfile", "textwrap", "tokenize", "tomllib._parser", "uuid", "zipfile",
)  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_a_module_of_the_library(name: str) -> None:
    module = importlib.import_module(name)
    before = facts_of(module)
    [report] = gcremap.Reloader().reload(module)
    assert differences(before, facts_of(module)) == []
    assert (report.added, report.removed, report.updated) == ([], [], [])

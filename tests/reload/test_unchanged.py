"""Reloading source that did not change changes nothing that can be observed."""

from __future__ import annotations

import importlib
import types
from typing import Any

import pytest

import gcremap

MODULES = (
    "argparse", "base64", "bdb", "calendar", "cmd", "codecs", "collections",
    "configparser", "contextlib", "csv", "dataclasses", "difflib", "dis", "email.message",
    "fractions", "functools", "graphlib", "heapq", "ipaddress", "json.decoder", "logging",
    "mimetypes", "ntpath", "numbers", "optparse", "os", "pprint", "queue", "random",
    "sched", "shelve", "signal", "statistics", "string", "tarfile", "textwrap", "tokenize",
    "tomllib._parser", "uuid", "zipfile",
)  # fmt: skip

_OF_THE_IMPORT = frozenset(
    {"__spec__", "__loader__", "__cached__", "__path__", "__file__", "__conditional_annotations__"}
)
"""What the import system and the compiler say of a module anew each time."""

Facts = dict[str, tuple[Any, Any]]


def facts_of(module: types.ModuleType) -> Facts:
    """What can be seen of a module and of its classes and functions: (value, what it holds)."""
    found: Facts = {}
    for name in list(vars(module)):
        if name in _OF_THE_IMPORT:
            continue
        value = getattr(module, name)  # what is imported lazily is imported by this
        found[name] = (value, content(value))
        if isinstance(value, type) and value.__module__ == module.__name__:
            for inner, member in vars(value).items():
                found[f"{name}.{inner}"] = (member, content(member))
    return found


def content(value: Any) -> Any:
    if isinstance(value, types.FunctionType):
        return (value.__code__, value.__defaults__, dict(vars(value)), value.__doc__)
    if type(value) in (list, dict, set):
        return len(value)
    return None


def is_same(before: tuple[Any, Any], after: tuple[Any, Any]) -> bool:
    if before[1] != after[1]:
        return False
    if isinstance(after[0], float):
        return repr(before[0]) == repr(after[0])  # a NaN is not equal to itself
    if isinstance(after[0], str | bytes | int | tuple | frozenset):
        return type(before[0]) is type(after[0]) and bool(before[0] == after[0])
    return before[0] is after[0]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_of_the_library(name: str) -> None:
    module = importlib.import_module(name)
    before = facts_of(module)
    [report] = gcremap.Reloader().reload(module)
    after = facts_of(module)
    assert before.keys() == after.keys()
    assert [key for key in before if not is_same(before[key], after[key])] == []
    assert (report.added, report.removed, report.updated) == ([], [], [])

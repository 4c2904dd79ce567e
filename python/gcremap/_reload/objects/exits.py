"""What runs when the program ends: the callbacks of atexit, as entries of a registry."""

from __future__ import annotations

import atexit
from collections.abc import Iterable
from typing import Any

from gcremap import _native


def registered() -> list[Any]:
    """The function, arguments and keywords of each; nothing where these are in a list, which is
    found as others are (3.14)."""
    found: list[list[Any]] = []
    for each in _native._exit_callbacks():
        if type(each) is list:
            break
        if type(each) in (tuple, dict):
            found[-1].append(each)
        else:
            found.append([each])
    return [tuple(each) for each in found]


def register(callbacks: Iterable[Any]) -> None:
    """These, and no others."""
    atexit._clear()
    for function, arguments, *keywords in callbacks:
        atexit.register(function, *arguments, **(keywords[0] if keywords else {}))

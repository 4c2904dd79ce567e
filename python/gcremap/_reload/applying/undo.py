"""The way back: steps, each of which undoes one change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Undo = list[Callable[[], Any]]
"""The steps, in the order of the changes."""


def problems_of(steps: Iterable[Callable[[], Any]]) -> list[Exception]:
    """Take all of these, and tell what went wrong."""
    problems = []
    for step in steps:
        try:
            step()
        except Exception as problem:
            problems.append(problem)
    return problems

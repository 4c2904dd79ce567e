"""Trees of source that is compiled besides: what there is to warn of is said there."""

from __future__ import annotations

import ast
import re
import warnings
from contextlib import suppress
from typing import Any

_FILE = "<gcremap>"
_SILENCE = ("ignore", None, Warning, re.compile(re.escape(_FILE)), 0)


def tree_of(text: str) -> ast.Module:
    """The tree of `text`; SyntaxError or ValueError if it is not Python's."""
    # `warnings.catch_warnings` would make the whole program forget what it has warned of.
    filters: Any = warnings.filters
    filters.insert(0, _SILENCE)
    try:
        return ast.parse(text, _FILE)
    finally:
        with suppress(ValueError):  # another thread has emptied the list
            filters.remove(_SILENCE)


def first_line(node: ast.stmt | ast.expr) -> int:
    """The line that a statement starts on, decorators counted."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min(node.lineno, decorators[0].lineno) if decorators else node.lineno

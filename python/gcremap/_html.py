"""Reports as notebooks show them."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


def table(title: str, rows: Iterable[tuple[str, object]]) -> str:
    """A table of facts; those that are empty or zero are left out."""
    lines = [
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(str(fact))}</td></tr>"
        for name, fact in rows
        if fact
    ]
    return f"<table><caption>{escape(title)}</caption>{''.join(lines)}</table>"

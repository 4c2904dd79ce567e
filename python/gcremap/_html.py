"""Reports as notebooks show them."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gcremap._reload.report import ReloadReport


def table(title: str, rows: Iterable[tuple[str, object]]) -> str:
    """A table of facts; those that are empty or zero are left out."""
    lines = [
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(str(fact))}</td></tr>"
        for name, fact in rows
        if fact
    ]
    return f"<table><caption>{escape(title)}</caption>{''.join(lines)}</table>"


def of_reload(report: ReloadReport) -> str:
    """What one reload did to one module."""
    return table(
        f"{report.module.__name__} reloaded in {report.seconds:.3f} s",
        [
            ("changed", ", ".join(report.updated)),
            ("added", ", ".join(report.added)),
            ("removed", ", ".join(report.removed)),
            ("kept", ", ".join(report.kept)),
            ("instances rebuilt", report.migrated),
            *(("note", warning) for warning in report.warnings),
        ],
    )

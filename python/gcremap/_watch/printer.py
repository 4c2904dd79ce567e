"""What a reload did, in a few coloured lines."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from gcremap._reload.report import ReloadReport
from gcremap._watch.outcome import Outcome

_SHOWN = 8
"""How many names a line has."""


class Printer:
    """Prints outcomes; called with each."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)

    def __call__(self, outcome: Outcome) -> None:
        names = ", ".join(module.__name__ for module in outcome.modules)
        if outcome.error is not None:
            *trace, last = outcome.traceback().rstrip("\n").split("\n")
            self._print("\n".join(trace), "red")
            self._print(last, "bold red")
            self._print(f"✗ {names}: not reloaded, nothing has changed", "bold red")
        for report in outcome.reports:
            self._report(report)
        for module in outcome.waiting:
            self._line("waiting", "yellow", f"{module.__name__} still fails as it did before")
        for module in outcome.gone:
            self._print(f"? {module.__name__}: {module.__file__} is gone; it goes on", "yellow")

    def _report(self, report: ReloadReport) -> None:
        if not report.changed:
            self._print(f"↻ {report.module.__name__}: nothing to change", "green")
        else:
            milliseconds = f"{report.seconds * 1000:,.0f} ms"
            self._print(f"↻ {report.module.__name__} ({milliseconds})", "bold green")
        self._line("changed", "cyan", _names(report.updated))
        self._line("added", "cyan", _names(report.added))
        self._line("removed", "cyan", _names(report.removed))
        self._line("kept", "dim", _names(report.kept))
        if report.migrated:
            self._line("rebuilt", "cyan", f"{report.migrated:,} instances")
        for warning in report.warnings:
            self._line("note", "yellow", warning)

    def _line(self, label: str, style: str, text: str) -> None:
        if text:
            self._console.print(Text.assemble((f"  {label:<8} ", style), text), soft_wrap=True)

    def _print(self, text: str, style: str) -> None:
        if text:
            self._console.print(Text(text, style), soft_wrap=True)


def _names(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")

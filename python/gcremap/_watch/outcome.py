"""What one save led to."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass, field
from types import ModuleType, TracebackType

from gcremap._reload.report import ReloadReport

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


@dataclass(slots=True)
class Outcome:
    """What one save led to: `reports` of what was reloaded, or the `error` that prevented it.

    After an error nothing has changed and the program goes on with what it had.
    """

    modules: list[ModuleType] = field(default_factory=list)
    """Those that were reloaded, or were to be."""
    reports: list[ReloadReport] = field(default_factory=list)
    error: BaseException | None = None
    waiting: list[ModuleType] = field(default_factory=list)
    """Modules that failed before, have not been saved since, and were left out this time."""
    gone: list[ModuleType] = field(default_factory=list)
    """Modules whose file was deleted or renamed; they go on as they were loaded."""

    def traceback(self) -> str:
        """The error as Python prints it, from the first line of the user's own code on."""
        error = self.error
        if error is None:
            return ""
        lines = traceback.format_exception(type(error), error, without_us(error.__traceback__))
        return "".join(lines)


def without_us(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of this package, and of what runs it, at its head."""
    ours = (_HERE, "<frozen importlib", "<frozen runpy")
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(ours):
        trace = trace.tb_next
    return trace

"""Warnings of new code are shown when all is in place: to write them lets other threads run."""

from __future__ import annotations

import sys
import warnings
from typing import Any


class WithheldWarnings(list[tuple[Any, ...]]):
    """Those of a `with` statement, shown at its end; what is taken out of the list is not."""

    def __enter__(self) -> WithheldWarnings:
        # With a context, whoever catches warnings has a place in that, which showwarning() comes
        # before: Lib/_py_warnings.py, _showwarnmsg.
        self._is_over = bool(getattr(sys.flags, "context_aware_warnings", False))
        self._show = warnings.showwarning
        if not self._is_over:
            warnings.showwarning = self._withhold  # type: ignore[assignment]
        return self

    def _withhold(self, *warning: Any) -> None:
        if self._is_over:  # who has found this function meanwhile may put it back later
            self._show(*warning)
        else:
            self.append(warning)

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        if warnings.showwarning == self._withhold:
            warnings.showwarning = self._show
        for warning in self:
            self._show(*warning)

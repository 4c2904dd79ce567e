"""Classes whose instances hash or compare by something that changed: a helper, a constant.

`__hash__` and `__eq__` often leave the work to others, `hash(self.key())`. Tables that have
instances as keys must be indexed anew when one of these changes, though the methods
themselves did not.
"""

from __future__ import annotations

import functools

from gcremap import _native
from gcremap._reload.objects.kinds import LRU_CACHE
from gcremap._report import RemapReport


class Reindexing:
    """Tables whose keys hash or compare by what one of the names `changed` leads to. They are
    indexed anew when everything says what it is to say: the new, or after a failure or an
    undo, the old."""

    def __init__(self, changed: set[str]) -> None:
        self.classes = _native._compared_by(changed, LRU_CACHE, functools.cached_property)
        """Those of the keys; a remap in between is to leave this list alone."""
        self._report: RemapReport | None = None

    def carry_out(self) -> RemapReport | None:
        if self.classes:
            self._report = _native._rehash(self.classes)
        return self._report

    def undo(self) -> None:
        """To be called last, once all else is as it was."""
        if self._report is not None:
            self._report.undo()
        elif self.classes:
            _native._rehash(self.classes)

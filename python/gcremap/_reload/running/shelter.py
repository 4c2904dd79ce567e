"""Classes that have gone, and are kept for the case that all is taken back, are not shown to
the program: `__subclasses__()` of a base would list them beside those that stay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gcremap import _native
from gcremap._reload.objects.kinds import bases_of

_BASES: Any = type.__dict__["__bases__"]


class Shelter:
    """Keeps classes out of what their bases list, until it is left."""

    def __init__(self) -> None:
        self._hidden: list[type] = []

    def hide(self, classes: Iterable[type]) -> None:
        """All but those whose MRO only code of the program can compute anew."""
        for cls in classes:
            if type(cls).mro is type.mro:
                _native._leave_bases(cls)
                self._hidden.append(cls)

    def leave(self) -> None:
        while self._hidden:
            cls = self._hidden.pop()
            _BASES.__set__(cls, bases_of(cls))

"""The reload of one module, from its sources to its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from gcremap._reload.matching.state import Policy
from gcremap._reload.objects.snapshot import Snapshot
from gcremap._reload.report import ReloadReport
from gcremap._reload.sources.definitions import Index
from gcremap._reload.sources.source import Source

Target = Any
"""A module, or a Script."""


@dataclass(slots=True, eq=False)
class Job:
    """The reload of one module."""

    module: Target
    name: str
    snapshot: Snapshot
    was: Source
    now: Source
    policy: Policy
    report: ReloadReport
    old_index: Index | None = None
    new_index: Index | None = None
    has_run: bool = False
    stored: frozenset[str] = frozenset()
    ran: CodeType | None = None
    """The code that was run: that of `now`, or less."""
    ahead: set[str] = field(default_factory=set)
    """Names that it has for modules that run before it."""
    later: frozenset[str] = frozenset()
    """The modules that run after it."""
    dropped: list[tuple[Any, Any]] = field(default_factory=list)
    """Values that stay, each with the one that the new source made for it."""

    @property
    def namespace(self) -> dict[str, Any]:
        return self.module.__dict__  # type: ignore[no-any-return]

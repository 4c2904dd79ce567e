"""What a reload did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gcremap._report import RemapReport


@dataclass(slots=True)
class ReloadReport:
    """What one reload did to one module. Names are qualified: `Player.fire`."""

    module: Any
    added: list[str] = field(default_factory=list)
    """Names that the new source defines and the old one did not."""
    removed: list[str] = field(default_factory=list)
    """Names that the source does not define any more."""
    updated: list[str] = field(default_factory=list)
    """Definitions that changed."""
    kept: list[str] = field(default_factory=list)
    """Values that stayed because what defines them did not change."""
    remap: RemapReport | None = field(default=None, repr=False)
    """What the reload of the module moved; None if no reference had to. There is no undo of it."""
    migrated: int = 0
    """Instances rebuilt because the layout of their class changed."""
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def _repr_html_(self) -> str:
        from gcremap import _html

        return _html.table(
            f"{self.module.__name__} reloaded in {self.seconds:.3f} s",
            [
                ("changed", ", ".join(self.updated)),
                ("added", ", ".join(self.added)),
                ("removed", ", ".join(self.removed)),
                ("kept", ", ".join(self.kept)),
                ("instances rebuilt", self.migrated),
                *(("note", warning) for warning in self.warnings),
            ],
        )

    @property
    def changed(self) -> bool:
        return bool(self.added or self.removed or self.updated)

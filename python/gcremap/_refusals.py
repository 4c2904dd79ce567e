"""Why a mapping is refused."""

from __future__ import annotations

from dataclasses import dataclass

from gcremap._errors import RemapError
from gcremap._names import _label
from gcremap._slots import RawSlot, Slot

_SHOWN = 20
"""How many refusals the message lists; all are in `RemapError.refusals`."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason why a mapping was refused."""

    pair: tuple[object, object]
    """The old and the new."""
    slot: Slot | None
    """The slot that cannot take the new; `None` when it is the old itself that is refused."""
    reason: str

    def __str__(self) -> str:
        old, new = (_label(side) for side in self.pair)
        where = ""
        if self.slot is not None and self.slot.holder is None:
            where = f" in {self.slot.path}"
        elif self.slot is not None:
            path = f"{self.slot.path} of " if self.slot.path else ""
            where = f" in {path}{_label(self.slot.holder)}"
        return f"{old} -> {new}{where}: {self.reason}"


def _refused(raw: list[tuple[tuple[object, object], RawSlot | None, str]]) -> RemapError:
    """The error for what the engine refused; called by the extension module."""
    refusals = tuple(
        Refusal(pair, None if slot is None else Slot._from_raw(slot), reason)
        for pair, slot, reason in raw
    )
    lines = [str(refusal) for refusal in refusals[:_SHOWN]]
    if len(refusals) > _SHOWN:
        lines.append(f"... and {len(refusals) - _SHOWN} more, in .refusals")
    if len(refusals) == 1:
        return RemapError(f"cannot remap {lines[0]}", refusals)
    return RemapError("cannot remap\n  " + "\n  ".join(lines), refusals)

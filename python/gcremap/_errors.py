"""What a refused mapping raises."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gcremap._refusals import Refusal
    from gcremap._slots import Slot


class RemapError(Exception):
    """A mapping was refused, or user code made it fail. Nothing was changed.

    `refusals` lists every reason of the call; `pair` and `slot` are those of the first.
    """

    refusals: tuple[Refusal, ...]

    def __init__(self, message: str, refusals: tuple[Refusal, ...] = ()) -> None:
        super().__init__(message)
        self.refusals = refusals

    @property
    def pair(self) -> tuple[object, object] | None:
        return self.refusals[0].pair if self.refusals else None

    @property
    def slot(self) -> Slot | None:
        return self.refusals[0].slot if self.refusals else None

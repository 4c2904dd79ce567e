"""A remap for the length of a `with` block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType

from gcremap._native import remap
from gcremap._report import RemapReport


class remapped:  # noqa: N801 - reads as a function, like contextlib.suppress
    """Context manager: `remap` at entry, `undo` at exit.

    Takes what `remap` takes, but `dry_run`; the `as` target is the `RemapReport`. The report
    is made at `__enter__`, so one `remapped(...)` can be used again.
    """

    def __init__(
        self,
        mapping: Mapping[object, object] | Iterable[tuple[object, object]],
        /,
        *,
        exclude: Iterable[object] = (),
        weakrefs: bool = True,
        frames: bool = True,
        unsafe: bool = False,
    ) -> None:
        self._arguments = (mapping, tuple(exclude), weakrefs, frames, unsafe)
        self._reports: list[RemapReport] = []

    def __enter__(self) -> RemapReport:
        mapping, exclude, weakrefs, frames, unsafe = self._arguments
        report = remap(
            mapping,
            exclude=(*exclude, self, self._arguments, self._reports),
            weakrefs=weakrefs,
            frames=frames,
            unsafe=unsafe,
        )
        self._reports.append(report)
        return report

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._reports.pop().undo()

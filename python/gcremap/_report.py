"""What a remap did."""

from __future__ import annotations

import gc
from types import MappingProxyType

from gcremap import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    class _Log(Protocol):
        """The engine's record of what it rewrote."""

        def undo(self) -> int: ...
        def commit(self) -> None: ...
        def collisions(self) -> list[tuple[object, object, object]]: ...
        def leftovers(self) -> list[tuple[object, int]]: ...
        def facts(self) -> dict[str, object]: ...


class RemapReport:
    """What one `remap` did, or with `dry_run` would do. Immutable.

    A report keeps its olds alive while it lives, for `undo`.
    """

    __slots__ = (
        "_log",
        "by_type",
        "frames",
        "holders",
        "pinned",
        "rehashed",
        "replaced",
        "scanned",
        "seconds",
        "weakrefs",
        "weakrefs_left",
    )

    _log: _Log
    replaced: int
    """Strong slots rewritten."""
    holders: int
    """Objects that those slots belong to."""
    by_type: Mapping[str, int]
    """Slots rewritten, by the name of the holder's type."""
    rehashed: int
    """Dicts and sets reindexed."""
    weakrefs: int
    """Weak references retargeted."""
    weakrefs_left: int
    """Weak references that stay with an old, since its new cannot be weakly referenced."""
    frames: int
    """Running frames with a slot rewritten."""
    pinned: int
    """Olds kept alive because C code up the stack may still use them."""
    scanned: int
    """Objects visited."""
    seconds: float

    def __init__(self, log: _Log) -> None:
        object.__setattr__(self, "_log", log)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            """The first question for a fact: a report is made before the remap, since to
            make one may fail."""
            if name not in RemapReport.__slots__:
                raise AttributeError(f"a RemapReport has no {name!r}", name=name, obj=self)
            for fact, value in self._log.facts().items():
                value = MappingProxyType(value) if fact == "by_type" else value
                object.__setattr__(self, fact, value)
            return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a RemapReport is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a RemapReport is immutable: cannot delete {name!r}")

    # Asked of the log each time, so that a report is no holder of what it names.
    @property
    def collisions(self) -> tuple[tuple[object, object, object], ...]:
        """`(container, key, lost value)` for keys that became equal."""
        return tuple(self._log.collisions())

    @property
    def leftovers(self) -> tuple[tuple[object, int], ...]:
        """`(old, count)`: references counted but not found, so held where no one shows them."""
        return tuple(self._log.leftovers())

    def undo(self) -> int:
        """Put every rewritten slot back that still holds new; returns how many.

        What has moved or changed since is left alone. A second call does nothing.
        """
        return self._log.undo()

    def _commit(self) -> None:
        """From now on it is part of something larger, which `undo` would take apart; the olds
        may be freed."""
        self._log.commit()

    def __repr__(self) -> str:
        lines = [f"replaced {_count(self.replaced, 'slot')} in {_count(self.holders, 'holder')}"]
        lines += [
            f"  {count:>9,}  {name}"
            for name, count in sorted(self.by_type.items(), key=lambda item: (-item[1], item[0]))
        ]
        if self.rehashed:
            lines.append(f"rehashed {_count(self.rehashed, 'table')}")
        if self.collisions:
            lines.append(f"lost {_count(len(self.collisions), 'entry', 'entries')} to equal keys")
        if self.weakrefs:
            lines.append(f"retargeted {_count(self.weakrefs, 'weak reference')}")
        if self.weakrefs_left:
            left = _count(self.weakrefs_left, "weak reference")
            lines.append(f"left {left} with olds whose new cannot have any")
        if self.frames:
            lines.append(f"rewrote locals of {_count(self.frames, 'running frame')}")
        for old, count in self.leftovers:
            what = f"a {type(old).__name__} at {id(old):#x}"
            lines.append(f"left over: {_count(count, 'reference')} to {what}")
        if self.pinned:
            lines.append(f"pinned {_count(self.pinned, 'object')}")
        lines.append(f"scanned {_count(self.scanned, 'object')} in {self.seconds:.3f} s")
        return "<RemapReport\n  " + "\n  ".join(lines) + ">"

    def _repr_html_(self) -> str:
        by_type = sorted(self.by_type.items(), key=lambda item: (-item[1], item[0]))
        left = [f"{count:,} to a {type(old).__name__}" for old, count in self.leftovers]
        from gcremap import _html

        return _html.table(
            f"remap in {self.seconds:.3f} s",
            [
                ("slots replaced", f"{self.replaced:,} in {_count(self.holders, 'holder')}"),
                ("by type of holder", ", ".join(f"{count:,} {name}" for name, count in by_type)),
                ("tables rehashed", self.rehashed),
                ("entries lost to equal keys", len(self.collisions)),
                ("weak references retargeted", self.weakrefs),
                ("weak references left with olds", self.weakrefs_left),
                ("running frames", self.frames),
                ("left over", ", ".join(left)),
                ("pinned", self.pinned),
                ("objects scanned", f"{self.scanned:,}"),
            ],
        )


def _report(log: _Log) -> RemapReport:
    """The report of a call that begins; called by the extension module."""
    if _release_pins not in gc.callbacks:
        gc.callbacks.append(_release_pins)
    return RemapReport(log)


def _release_pins(phase: str, info: dict[str, int]) -> None:
    """Look again at what is pinned after each full collection; a `gc.callbacks` entry."""
    if phase == "stop" and info["generation"] == 2:
        _native._release_pins()


def _count(number: int, singular: str, plural: str | None = None) -> str:
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"

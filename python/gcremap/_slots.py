"""Slots as people see them: where a reference is."""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Final, TypeGuard

from gcremap import _native
from gcremap._names import _holder_name

RawSlot = tuple[object, str | None, int, object, int, object]
"""(holder, name, index, key, kind, value), as the extension module gives it."""

_KINDS: Final = {
    -1: "unlocated",
    0: "strong",
    1: "borrowed",
    2: "weak",
    3: "stack",
    4: "tagged",
}


@dataclass(frozen=True, slots=True)
class Slot:
    """A `PyObject *` field that refers to an object.

    `kind` is "strong", "weak", "borrowed", "stack" (a frame's, CPython 3.14 and later),
    "tagged" (its low bit is the holder's own), or "unlocated" (shown by the collector, but
    where it is could not be found).
    """

    holder: object
    """The object it belongs to; for a slot of a running frame, the frame's code."""
    path: str
    """Where it is, for people; an expression that can be evaluated where one exists."""
    kind: str
    value: object

    @classmethod
    def _from_raw(cls, raw: RawSlot) -> Slot:
        holder, name, index, key, kind, value = raw
        if _is_of_frame(holder) and name is not None and name[0] == "<":
            code, line = holder
            which = repr(key) if isinstance(key, str) else f"[{index}]"
            where = f"{code.co_qualname} at {code.co_filename}:{line}"
            return cls(code, f"<{name[1:-1]} {which} of {where}>", _KINDS[kind], value)
        if holder is None:  # The interpreter's own: the name says which.
            return cls(holder, name or "", _KINDS[kind], value)
        step = _step(name, index, key) if kind >= 0 else ""
        return cls(holder, _holder_name(holder) + step, _KINDS[kind], value)


def referrers(*objects: object) -> list[Slot]:
    """Every slot in the live heap that refers to one of `objects`.

    Unlike `gc.get_referrers` it says where in the holder the reference is, and it looks
    into holders that the collector does not track.
    """
    return [Slot._from_raw(raw) for raw in _native._referrers(*objects)]


def _is_of_frame(holder: object) -> TypeGuard[tuple[types.CodeType, int]]:
    """Not a pattern: that would ask a holder that is a sequence for its length."""
    return type(holder) is tuple and [type(item) for item in holder] == [types.CodeType, int]


def _step(name: str | None, index: int, key: object) -> str:
    """From a holder to one of its slots."""
    if name is None:  # A field of an extension's, which nobody has named.
        return f"<field at byte {index}>" if index >= 0 else "<field in memory of its own>"
    if name == "[]":
        return f"[{index}]"
    if name == "[key]":
        return f"[{key!r}]" if type(key) in (str, int, bytes) else f"[<{type(key).__name__} key>]"
    if name == ".key":
        return f".{key}"
    return name if name[0] in ".[<(" else f".{name}"

"""Whether two values say the same."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any

from gcremap._reload.matching.state import is_alias
from gcremap._reload.objects.kinds import is_a


def is_equal_in_the_end(old: Any, new: Any, final: Callable[[Any], Any]) -> bool:
    """Whether `new` says what `old` does, once what is new in it is what it became, `final`."""
    if old is new or final(new) is old:
        return True
    if type(old) is not final(type(new)):
        return False

    def equal(one: Any, other: Any) -> bool:
        return is_equal_in_the_end(one, other, final)

    if is_a(old, (staticmethod, classmethod)):
        return equal(old.__func__, new.__func__)
    if is_a(old, MethodType):
        return equal(old.__func__, new.__func__) and equal(old.__self__, new.__self__)
    if is_a(old, (tuple, list)):
        return len(old) == len(new) and all(map(equal, old, new))
    if is_alias(old):
        names = ("__origin__", "__args__", "__metadata__")
        return all(equal(getattr(old, n, ()), getattr(new, n, ())) for n in names)
    if is_a(old, dict):
        return list(old) == list(new) and all(equal(old[key], new[key]) for key in old)
    try:
        return bool(old == new)
    except Exception:
        return False

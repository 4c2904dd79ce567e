"""Definitions that were taken out of the source and come back: an edit that is undone."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

_SOURCE = """
    class C:
        def m(self): return {0}
    def f(): return {0}
    def kept(): return {0}
"""


def test_users_of_what_was_gone_follow(project: Any) -> None:
    mod = project.load(mod=_SOURCE.format(1), user="from mod import C, f\nclass D(C): pass")
    import user  # type: ignore[import-not-found]

    c, d, table = mod.C(), user.D(), {mod.C: "C", mod.f: "f"}
    for version in (2, 4):
        before = c.m()
        project.reload(mod="def kept(): return 0")
        assert not hasattr(mod, "C")
        assert not hasattr(mod, "f")
        assert user.f() == c.m() == before
        [report] = project.reload(mod=_SOURCE.format(version))
        assert set(report.added) == {"C", "f"}
        assert user.C is mod.C is type(c)
        assert user.f is mod.f
        assert user.f() == c.m() == d.m() == version
        assert table == {mod.C: "C", mod.f: "f"}


def test_what_nothing_uses_is_freed(project: Any) -> None:
    mod = project.load(mod=_SOURCE.format(1))
    references = [weakref.ref(mod.C), weakref.ref(mod.f)]
    project.reload(mod="def kept(): return 0")
    gc.collect()
    assert [each() for each in references] == [None, None]
    project.reload(mod=_SOURCE.format(2))
    assert mod.C().m() == mod.f() == 2


def test_what_moved_has_gone_on_elsewhere(project: Any) -> None:
    """Its name may be given to something else then."""
    mod = project.load(mod=_SOURCE.format(1), new="", user="from mod import f")
    import user

    project.reload(mod="from new import f, C\ndef kept(): pass", new=_SOURCE.format(2))
    project.reload(mod="def kept(): pass")
    project.reload(mod=_SOURCE.format(3))
    assert user.f() == 2
    assert mod.f() == 3


def test_a_reload_that_fails_knows_them_still(project: Any) -> None:
    mod = project.load(mod=_SOURCE.format(1), user="from mod import f, C")
    import user

    c = mod.C()
    project.reload(mod="def kept(): pass")
    with pytest.raises(ZeroDivisionError):
        project.reload(mod=_SOURCE.format(2) + "    1 / 0")
    assert user.f() == c.m() == 1
    assert not hasattr(mod, "f")
    project.reload(mod=_SOURCE.format(3))
    assert user.f() == c.m() == 3
    assert user.f is mod.f

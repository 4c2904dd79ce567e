"""Transactions: a reload that fails leaves the old program running, and the next one works."""

from __future__ import annotations

import sys
import textwrap
import traceback
from typing import Any

import pytest

import gcremap


def test_syntax_error_changes_nothing(project: Any) -> None:
    mod = project.load(mod="X = 1\n")
    before = dict(vars(mod))
    with pytest.raises(SyntaxError):
        project.reload(mod="X = = 2\n")
    assert vars(mod) == before
    project.reload(mod="X = 3\n")
    assert mod.X == 3


def test_exception_half_way(project: Any) -> None:
    good = """
        X = {0}
        LIST = [{0}]
        class C:
            def m(self): return {0}
        def f(): return X
        COUNT = 0
    """
    bad = textwrap.dedent(good) + "raise RuntimeError('half way')\ndef g(): pass\n"
    mod = project.load(mod=good.format(1), other="from mod import C, LIST\nclass D(C): pass")
    import other  # type: ignore[import-not-found]

    mod.COUNT = 5
    c, before, order = mod.C(), dict(vars(mod)), list(vars(mod))
    with pytest.raises(RuntimeError, match="half way"):
        project.reload(mod=bad.format(2))
    assert sys.modules["mod"] is mod
    assert list(vars(mod)) == order
    assert all(vars(mod)[name] is value for name, value in before.items())
    assert c.m() == other.D().m() == 1
    project.reload(mod=good.format(3))
    assert c.m() == other.D().m() == mod.f() == 3
    assert mod.COUNT == 5


def test_what_failing_code_did_to_old_objects_is_undone(project: Any) -> None:
    mod = project.load(
        mod="CACHE = {'k': 1}\nITEMS = [1]\nSEEN = {1}\nclass C: pass\ndef f(): pass\n"
    )
    with pytest.raises(ZeroDivisionError):
        project.reload(
            mod="CACHE.clear(); ITEMS.append(2); SEEN.add(2)\nC.x = 1; f.x = 1\n"
            "1/0\nCACHE = {}; ITEMS = []; SEEN = set()\nclass C: pass\ndef f(): pass\n"
        )
    assert ({"k": 1}, [1], {1}) == (mod.CACHE, mod.ITEMS, mod.SEEN)
    assert not hasattr(mod.C, "x")
    assert not hasattr(mod.f, "x")


def test_all_or_nothing_over_several_modules(project: Any) -> None:
    project.load(
        one="def f(): return 1\nclass C: v = 1\n",
        two="import one\nfrom one import f\nclass D(one.C): v2 = 1\n",
        three="import two\nX = 1\n",
    )
    import one  # type: ignore[import-not-found]
    import two  # type: ignore[import-not-found]

    d, f = two.D(), one.f
    with pytest.raises(ValueError, match="third"):
        project.reload(
            one="def f(): return 2\nclass C: v = 2\n",
            two="import one\nfrom one import f\nclass D(one.C): v2 = 2\n",
            three="import two\nraise ValueError('third')\n",
        )
    assert (one.f(), two.f(), d.v, d.v2) == (1, 1, 1, 1)
    assert one.f is two.f is f
    assert two.D.__bases__ == (one.C,)
    project.reload("one", "two", "three", three="import two\nX = 2\n")
    assert (one.f(), two.f(), d.v, d.v2) == (2, 2, 2, 2)


def test_original_exception_with_the_users_traceback_first(project: Any) -> None:
    mod = project.load(mod="X = 1\n")
    project.write(mod="X = 2\ndef boom():\n    raise KeyError('k')\nboom()\n")
    with pytest.raises(KeyError) as caught:
        gcremap.reload(mod)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [frame.name for frame in frames] == [
        "test_original_exception_with_the_users_traceback_first", "<module>", "boom",
    ]  # fmt: skip
    assert frames[-1].line == "raise KeyError('k')"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_import_that_fails_shows_nothing_of_the_observer(project: Any) -> None:
    project.write(mod="1/0\n")
    with pytest.raises(ZeroDivisionError) as caught:
        import mod  # type: ignore[import-not-found]  # noqa: F401
    names = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert not [name for name in names if "gcremap" in name]


@pytest.mark.parametrize("error", ["SystemExit", "KeyboardInterrupt", "GeneratorExit"])
def test_any_exception_rolls_back(project: Any, error: str) -> None:
    mod = project.load(mod="X = 1\n")
    with pytest.raises(getattr(__import__("builtins"), error)):
        project.reload(mod=f"X = 2\nraise {error}\n")
    assert mod.X == 1


def test_module_that_replaces_itself_in_sys_modules_and_fails(project: Any) -> None:
    mod = project.load(mod="X = 1\n")
    with pytest.raises(ZeroDivisionError):
        project.reload(mod="import sys\nsys.modules[__name__] = 5\n1/0\n")
    assert sys.modules["mod"] is mod


def test_refused_remap_rolls_everything_back(project: Any, monkeypatch: Any) -> None:
    """Whatever the engine refuses, what was updated in place before is put back."""
    from gcremap._reload.running import stage

    source = (
        "def f(): return {0}\nclass C:\n    x = {0}\n    @property\n    def p(self): return {0}\n"
    )
    mod = project.load(mod=source.format(1))
    f, c = mod.f, mod.C()

    def refuse(*arguments: object, **options: object) -> None:
        raise gcremap.RemapError("refused")

    with monkeypatch.context() as patched:
        patched.setattr(stage.Redirection, "run", lambda self, undo: False)
        patched.setattr(stage, "remap", refuse)
        with pytest.raises(gcremap.RemapError):
            project.reload(mod=source.format(2))
    assert mod.f is f
    assert (f(), c.x, c.p) == (1, 1, 1)
    project.reload("mod")
    assert (mod.f(), c.x, c.p) == (2, 2, 2)


def test_source_gone(project: Any) -> None:
    mod = project.load(mod="X = 1\n")
    (project.root / "mod.py").unlink()
    with pytest.raises(ModuleNotFoundError, match="cannot reload mod: its source"):
        gcremap.reload(mod)
    assert mod.X == 1
    project.reload(mod="X = 2\n")
    assert mod.X == 2


def test_what_is_no_module(project: Any) -> None:
    with pytest.raises(TypeError, match="only a module"):
        gcremap.reload("mod")  # type: ignore[arg-type]
    mod = project.load(mod="X = 1\n")
    with pytest.raises(ValueError, match="identity"):
        gcremap.reload(mod, identity="other")  # type: ignore[arg-type]


def test_a_remap_that_fails_after_its_last_write(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is the first one, not that a class's own descriptors cannot be put back."""
    mod = project.load(
        mod="class C:\n    def m(self): return 1\n    def __hash__(self): return 1\n"
    )
    held = mod.C()

    def refresh() -> None:
        raise KeyboardInterrupt("late")

    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["gcremap._dispatch"], "_refresh", refresh)
        source = "class C:\n    def m(self): return 2\n    def __hash__(self): return 2\n"
        with pytest.raises(KeyboardInterrupt, match="late"):
            project.reload(mod=source)
    project.reload(mod=source.replace("2", "3"))
    assert held.m() == mod.C().m() == 3


@pytest.mark.parametrize("slots", ["", "__slots__ = ('x', 'y')"])
def test_class_that_a_later_module_shows_as_its_own(project: Any, slots: str) -> None:
    """What trio.abc, say, had is noted before trio._abc runs, whose classes it shows."""
    core = """
        class C:
            {1}
            rows = []
            def m(self): return {0}
    """
    sources = {
        "shown": "from core import C\nC.__module__ = 'shown'\n",
        "last": "from shown import C\nN = {0}\nclass D(C): pass\n",
    }
    shown = project.load(core=core.format(1, "__slots__ = ('x',)"), **sources)
    import core as home
    import last

    c, made = shown.C, shown.C()
    made.x = 1
    c.rows.append("x")
    before = [dict(vars(each)) for each in (c, last.D, shown, home)]
    edit = {**sources, "last": "from shown import C\n1 / 0\n"}
    with pytest.raises(ZeroDivisionError) as caught:
        project.reload(core=core.format(2, slots), **edit)
    assert not getattr(caught.value, "__notes__", [])
    assert [dict(vars(each)) for each in (c, last.D, shown, home)] == before
    assert (made.m(), made.x, type(made)) == (1, 1, c)

"""Hooks: the old code is asked before, the new code is told after."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

import gcremap


def test_before_and_after(project: Any) -> None:
    source = """
        LOG = []
        def f(): return {0}
        class C: pass
        VALUE = {0}
        def __before_reload__(): LOG.append(("before", {0}, f()))
        def __after_reload__(previous):
            LOG.append(("after", {0}, previous["VALUE"], previous["f"](), f()))
    """
    mod = project.load(mod=source.format(1))
    log = mod.LOG
    project.reload(mod=source.format(2))
    assert log == [("before", 1, 1), ("after", 2, 1, 1, 2)]


def test_after_is_given_classes_as_they_were(project: Any) -> None:
    source = """
        class Base:
            v = {0}
        class C(Base):
            def m(self): return {0}
        class Same: pass
        def __after_reload__(previous): SEEN.update(previous)
        SEEN = {{}}
    """
    mod = project.load(mod=source.format(1), other="import mod\nclass Sub(mod.C): pass\n")
    c, sub = mod.C(), sys.modules["other"].Sub()
    project.reload(mod=source.format(2))
    seen = mod.SEEN
    assert (seen["C"]().m(), seen["C"].m(c), seen["Base"].v) == (1, 1, 1)
    assert (c.m(), sub.m(), mod.C.v, sub.v) == (2, 2, 2, 2)
    assert seen["Same"] is mod.Same
    assert type(c) is mod.C is not seen["C"]
    project.reload(mod=source.format(3))
    assert (c.m(), sub.m(), seen["C"]().m(), seen["Base"].v) == (3, 3, 2, 2)


def test_exception_in_before_cancels(project: Any) -> None:
    mod = project.load(mod="X = 1\ndef __before_reload__(): raise PermissionError('busy')\n")
    with pytest.raises(PermissionError, match="busy"):
        project.reload(mod="X = 2\n")
    assert mod.X == 1


def test_exception_in_after_takes_everything_back(project: Any) -> None:
    mod = project.load(mod="X = 1\ndef f(): return 1\nclass C:\n    v = 1\n")
    f, c = mod.f, mod.C()
    with pytest.raises(ZeroDivisionError):
        project.reload(
            mod="X = 2\ndef f(): return 2\nclass C:\n    v = 2\n"
            "def __after_reload__(previous): 1/0\n"
        )
    assert (mod.X, f(), c.v) == (1, 1, 1)
    assert mod.f is f
    assert not hasattr(mod, "__after_reload__")
    project.reload(mod="X = 3\ndef f(): return 3\nclass C:\n    v = 3\n")
    assert (mod.X, mod.f(), c.v) == (3, 3, 3)


def test_hooks_and_reports_of_a_reloader(project: Any) -> None:
    project.load(mod="X = 1\n", other="Y = 1\n")
    seen: list[Any] = []
    reloader = gcremap.Reloader(
        ["mod"],
        before=lambda modules: seen.append([module.__name__ for module in modules]),
        after=lambda reports: seen.append([report.updated for report in reports]),
        failed=lambda error: seen.append(type(error)),
    )
    project.write(mod="X = 2\n", other="Y = 2\n")
    assert not reloader.controls("other")
    [report] = reloader.reload()
    assert report.module.__name__ == "mod"
    assert reloader.reports == [report]
    project.write(mod="X = 1/0\n")
    with pytest.raises(ZeroDivisionError):
        reloader.reload()
    assert seen == [["mod"], [["X"]], ["mod"], ZeroDivisionError]
    with pytest.raises(ImportError, match="module nowhere is not in sys"):
        reloader.reload("nowhere")
    with pytest.raises(ValueError, match="other is not under the control"):
        reloader.reload("other")


def test_reloader_controls_packages_and_excludes() -> None:
    reloader = gcremap.Reloader(["pkg"], exclude=["pkg.vendored"])
    assert reloader.controls("pkg")
    assert reloader.controls("pkg.sub.leaf")
    assert not reloader.controls("pkg.vendored.x")
    assert not reloader.controls("pkgs")


def test_policy_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="'drop'"):
        gcremap.Reloader(policies={"mod:X": "drop"})


def test_report(project: Any) -> None:
    project.load(mod="A = 1\nB = []\ndef f(): return 1\ndef g(): return 1\nclass C:\n    v = 1\n")
    [report] = project.reload(
        mod="B = []\nD = 4\ndef f(): return 2\ndef g(): return 1\nclass C:\n    v = 2\n"
    )
    assert report.added == ["D"]
    assert report.removed == ["A"]
    assert sorted(report.updated) == ["C", "f"]
    assert report.kept == ["B"]
    assert report.seconds > 0
    # What stays takes over the new content: no reference has to move but near ones.
    assert (report.remap is None) == (project.identity == "keep")
    assert report.warnings == []


def test_other_threads_wait_longer_where_there_is_much_to_go_through(project: Any) -> None:
    source = "import sys\nINTERVAL = max(sys.getswitchinterval(), {} / 1e9)\n"
    mod = project.load(mod=source.format(1))
    end = threading.Event()
    other = threading.Thread(target=end.wait)
    other.start()
    try:
        project.reload(mod=source.format(2))
        few = mod.INTERVAL
        much = [[] for _ in range(500_000)]
        project.reload(mod=source.format(3))
    finally:
        end.set()
        other.join()
    assert few < mod.INTERVAL <= 0.5
    assert much


@pytest.mark.parametrize("fails", [False, True])
def test_other_threads_wait_while_a_source_runs(project: Any, fails: bool) -> None:
    source = "import sys\nINTERVAL = sys.getswitchinterval()\nVERSION = {}\n"
    mod = project.load(mod=source.format(1))
    usual = sys.getswitchinterval()
    assert usual == mod.INTERVAL
    if fails:
        with pytest.raises(ZeroDivisionError):
            project.reload(mod=source.format("1 / 0"))
    else:
        project.reload(mod=source.format("2 if sys.getswitchinterval() > 0.01 else 0"))
        assert mod.VERSION == 2
    assert sys.getswitchinterval() == usual

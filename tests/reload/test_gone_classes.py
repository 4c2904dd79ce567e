"""Classes that have gone are freed at once: nothing lists them beside those that took their place,
without that somebody has to call the collector."""

from __future__ import annotations

import gc
from typing import Any

import pytest

BASE = """
    import weakref
    REGISTRY = weakref.WeakSet()
    class Base:
        def __init_subclass__(cls, **options):
            super().__init_subclass__(**options)
            REGISTRY.add(cls)
"""
PLUGINS = """
    from base import Base
    from dataclasses import dataclass
    class A(Base):
        __slots__ = {1}
        class Inner(Base):
            def __init__(self): super().__init__()
        def say(self): return {0}
        @property
        def own(self): return __class__
    @dataclass
    class B(Base):
        x: int = {0}
"""


def listed(project: Any, base: Any) -> list[str]:
    classes = [*base.Base.__subclasses__()]
    classes += [each for cls in classes for each in cls.__subclasses__()]
    names = sorted(each.__qualname__ for each in project.listed(classes))
    assert names == sorted(each.__qualname__ for each in project.listed(base.REGISTRY))
    del classes
    gc.collect()  # what a word on the stack has kept until now is not to be met again
    return names


def test_classes_that_changed(project: Any) -> None:
    project.load(base=BASE, mod=PLUGINS.format(1, "()"))
    import base  # type: ignore[import-not-found]

    for number in (2, 3):
        project.reload(mod=PLUGINS.format(number, "()"))
        assert listed(project, base) == ["A", "A.Inner", "B"]
    project.reload(mod=PLUGINS.format(3, "('x',)"))
    assert listed(project, base) == ["A", "A.Inner", "B"]


def test_a_report_is_no_reason_to_stay(project: Any) -> None:
    project.load(base=BASE, mod=PLUGINS.format(1, "()"))
    import base

    reports = [project.reload(mod=PLUGINS.format(2, layout)) for layout in ("()", "('x',)", "()")]
    assert listed(project, base) == ["A", "A.Inner", "B"]
    ((report,), *_) = reports
    if report.remap is not None:
        assert report.remap.undo() == 0
        assert "replaced" in repr(report.remap)


@pytest.mark.parametrize("part", ["class Inner", "@dataclass"])
def test_a_class_whose_name_has_gone(project: Any, part: str) -> None:
    text = PLUGINS.format(1, "()")
    project.load(base=BASE, mod=text)
    import base

    gc.collect()
    start = text.index(part)
    end = text.index("def say") if part == "class Inner" else len(text)
    project.reload(mod=text[:start] + text[end:])
    assert listed(project, base) == (["A", "B"] if part == "class Inner" else ["A", "A.Inner"])


def test_a_class_that_is_in_use_stays(project: Any) -> None:
    project.load(base=BASE, mod=PLUGINS.format(1, "()"))
    import base
    import mod

    b = mod.B()
    project.reload(mod=PLUGINS.format(1, "()").split("    @dataclass")[0])
    assert listed(project, base) == ["A", "A.Inner", "B"]
    assert type(b) in base.Base.__subclasses__()


def test_several_modules(project: Any) -> None:
    project.load(base=BASE, mod=PLUGINS.format(1, "()"), user="import mod\nclass C(mod.A): x = 1")
    import base

    for number in (2, 3):
        edited = {
            "mod": PLUGINS.format(number, "()"),
            "user": f"import mod\nclass C(mod.A): x = {number}",
        }
        project.reload(base=BASE + f"    x = {number}\n", **edited)
        assert listed(project, base) == ["A", "A.Inner", "B", "C"]


USER = "import mod\nclass C(mod.A): x = {}"


@pytest.mark.parametrize(
    "edit",
    [
        {"mod": PLUGINS.format(2, "()") + "    1 / 0"},
        {"mod": PLUGINS.format(2, "()"), "last": "import mod\n1 / 0"},
        {"mod": PLUGINS.format(2, "()"), "user": USER.format(2), "last": "import mod\n1 / 0"},
    ],
    ids=len,
)
def test_what_fails(project: Any, edit: dict[str, str]) -> None:
    project.load(base=BASE, mod=PLUGINS.format(1, "()"), user=USER.format(1), last="import mod")
    import base

    before = listed(project, base)
    with pytest.raises(ZeroDivisionError) as error:
        project.reload(**edit)
    assert listed(project, base) == before
    assert error.traceback[-1].frame.f_globals["__name__"] == [*edit][-1]

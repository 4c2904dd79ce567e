"""Warnings that new code gives: all is in place when they are shown."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Any

import pytest

SOURCE = "import warnings\nVERSION = {}\nwarnings.warn('version {}')\n"

pytestmark = pytest.mark.skipif(
    getattr(sys.flags, "context_aware_warnings", False), reason="each context has its own"
)


def load(project: Any, source: str, **others: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return project.load(mod=source, **others)


def texts(seen: list[warnings.WarningMessage]) -> list[str]:
    """Without those of what the collector finds of other tests."""
    return [str(each.message) for each in seen if each.category is UserWarning]


def test_they_are_shown_when_all_is_in_place(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def show(message: Warning, *_: object) -> None:
        shown.append((str(message), mod.VERSION, sys.getswitchinterval(), held.m()))

    shown: list[tuple[Any, ...]] = []
    source = SOURCE + "class C:\n    def m(self): return {}\n"
    mod = load(project, source.format(1, 1, 1))
    held = mod.C()
    warnings.simplefilter("always")
    monkeypatch.setattr(warnings, "showwarning", show)
    project.reload(mod=source.format(2, 2, 2))
    assert shown == [("version 2", 2, sys.getswitchinterval(), 2)]
    assert warnings.showwarning is show
    with pytest.raises(ZeroDivisionError):
        project.reload(mod=source.format(3, 3, 3) + "1/0\n")
    assert shown[1:] == [("version 3", 2, sys.getswitchinterval(), 2)]
    warnings.warn("now", stacklevel=1)
    assert shown[2][0] == "now"


def test_who_catches_them_has_them(project: Any) -> None:
    source = """
        import warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.warn("caught {0}")
            SAID = [str(each.message) for each in caught], {0}
        warnings.warn("seen {0}")
    """
    mod = load(project, source.format(1))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        project.reload(mod=source.format(2))
    assert mod.SAID == (["caught 2"], 2)
    assert texts(seen) == ["seen 2"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="version 4"):
            project.reload(mod=SOURCE.format(3, 4))


def test_who_takes_them_over_meanwhile(project: Any, caplog: pytest.LogCaptureFixture) -> None:
    mod = load(project, SOURCE.format(1, 1))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            project.reload(
                mod="import logging\nlogging.captureWarnings(True)\n" + SOURCE.format(2, 2)
            )
            assert "version 2" in caplog.text
            logging.captureWarnings(False)
            with warnings.catch_warnings(record=True) as seen:
                warnings.warn("afterwards", stacklevel=1)
        assert texts(seen) == ["afterwards"]
    finally:
        logging.captureWarnings(False)
    assert mod.VERSION == 2


def test_code_that_runs_once_more_has_warned_once(project: Any) -> None:
    registry = """
        import warnings
        known, names = {}, set()
        def register(f):
            if f.__name__ in names: warnings.warn(f.__name__)
            names.add(f.__name__)
            if f.__name__ in known: raise ValueError(f.__name__)
            known[f.__name__] = f
            return f
    """
    # Whose attribute is a type of the interpreter's has not made all that are of this type.
    source = "import registry\n@registry.register\ndef f(): return {}\nclass C: kind = str\n"
    mod = load(project, source.format(1), registry=registry)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        project.reload(mod=source.format(2))
    assert texts(seen) == ["f"]
    assert mod.f() == 2

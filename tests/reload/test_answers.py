"""Names that a module or a package answers for by `__getattr__` (PEP 562), imported by others."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import pytest

ANSWERS = """
    _values = {{"LIMIT": {0}}}
    def __getattr__(name):
        if name in _values:
            return _values[name]
        raise AttributeError(name)
"""
USER = """
    from conf import LIMIT, LIMIT as too
    class K:
        from conf import LIMIT
    def f(): return LIMIT
"""


@pytest.mark.parametrize("value", ["{0}", "'v%d' % {0}", "({0}, 'v%d' % {0})", "{0} + 0.5"])
def test_values_follow_the_import_statement(project: Any, value: str) -> None:
    source = ANSWERS.replace("{0}", value)
    project.load(conf=source.format(1), user=USER)
    import conf
    import user

    project.reload(conf=source.format(2))
    assert user.LIMIT == user.too == user.K.LIMIT == user.f() == conf.LIMIT
    assert "2" in str(user.LIMIT)


def test_values_that_are_made_at_each_question(project: Any) -> None:
    source = """
        def __getattr__(name):
            if name == "VERSION": return "v%d" % {0}
            if name == "ROWS": return [{0}]
            raise AttributeError(name)
    """
    project.load(conf=source.format(1), user="from conf import VERSION, ROWS\n")
    import user

    user.ROWS.append("own")
    project.reload(conf=source.format(2))
    assert user.VERSION == "v2"
    assert user.ROWS == [1, "own"]


def test_lists_and_functions(project: Any) -> None:
    source = "def _f(): return {0}\n_rows = [{0}]\n"
    source += "def __getattr__(name): return {{'f': _f, 'ROWS': _rows}}.get(name)\n"
    project.load(conf=source.format(1), user="from conf import f, ROWS\n")
    import conf
    import user

    project.reload(conf=source.format(2))
    assert user.ROWS is conf._rows
    assert user.f is conf._f
    assert (user.ROWS, user.f()) == ([2], 2)


def test_value_that_the_importer_has_bound_anew_stays(project: Any) -> None:
    project.load(conf=ANSWERS.format(1), user=USER)
    import user

    user.LIMIT = 99
    project.reload(conf=ANSWERS.format(2))
    assert (user.LIMIT, user.too) == (99, 2)


def test_name_that_is_bound_now_and_then_is_not(project: Any) -> None:
    project.load(conf=ANSWERS.format(1), user=USER)
    import user

    project.reload(conf="LIMIT = 2\n")
    assert user.LIMIT == 2
    project.reload(conf=ANSWERS.format(3))
    assert user.LIMIT == 3


@pytest.mark.parametrize("source", ["X = 1\n", ANSWERS.format("1 // 1").replace("LIMIT", "OTHER")])
def test_name_without_an_answer_stays_with_its_importers(project: Any, source: str) -> None:
    project.load(conf=ANSWERS.format(1), user=USER)
    import user

    project.reload(conf=source)
    assert user.LIMIT == user.f() == 1


def test_questions_disturb_nobody(project: Any) -> None:
    """Only names are asked for that somebody has imported; what goes wrong is no one's concern."""
    source = """
        import log, warnings
        def __getattr__(name):
            warnings.warn(name, DeprecationWarning)
            log.ASKED.add(name)
            return {0}
    """
    project.write(log="ASKED = set()\n", conf=source.format(1), user=USER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import user
    asked = sys.modules["log"].ASKED
    known = set(asked)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        project.reload(conf=source.format("1 / 0"))
        project.reload(conf=source.format(2))
    assert not said
    assert asked == known
    assert user.LIMIT in (1, 2)


LAZY = """
    import importlib
    _where = {{"f": ".impl", "LIMIT": ".impl", "rest": ".impl"}}
    def __getattr__(name):
        if name not in _where:
            raise AttributeError(name)
        value = getattr(importlib.import_module(_where[name], __name__), name)
        {0}
        return value
"""


@pytest.mark.parametrize("then", ["pass", "globals()[name] = value"])
def test_package_that_loads_its_parts_when_asked(project: Any, then: str) -> None:
    source = "LIMIT = {0}\ndef f(): return {0}\n"
    project.load(
        pkg_=LAZY.format(then),
        pkg_impl=source.format(1),
        user="from pkg import f, LIMIT\n",
        last="from user import LIMIT as n\n",
    )
    import last
    import pkg
    import user

    project.reload(pkg_impl=source.format(2))
    assert (user.f(), user.LIMIT, last.n) == (2, 2, 2)
    assert (pkg.f(), pkg.LIMIT) == (2, 2)
    project.reload(pkg_impl=source.format(2) + "rest = 1\n")
    assert "rest" not in vars(pkg)  # which would give it
    with pytest.raises(ZeroDivisionError):
        project.reload(
            pkg_impl=source.format(3) + "rest = 1\ndef __after_reload__(previous): 1/0\n"
        )
    assert (user.f(), user.LIMIT, last.n, pkg.LIMIT) == (2, 2, 2, 2)

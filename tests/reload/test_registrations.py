"""Registries: one entry for each definition, and it is the current one."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

REGISTRY = """
    ALL, EVENTS, TABLE, SEEN = [], {}, {}, set()
    def register(f):
        ALL.append(f)
        SEEN.add(f)
        TABLE[f.__name__] = f
        return f
    def on(event):
        def deco(f):
            EVENTS.setdefault(event, []).append((event, f))
            return f
        return deco
    INSTANCES = []
"""


def test_decorators_register_once(project: Any) -> None:
    source = """
        import registry
        @registry.register
        def a(): return {0}
        @registry.on("x")
        def b(): return {0}
        @registry.register
        class C:
            v = {0}
    """
    mod = project.load(mod=source.format(1), registry=REGISTRY)
    import registry  # type: ignore[import-not-found]

    for version in (2, 3):
        project.reload(mod=source.format(version))
        assert [mod.a, mod.C] == registry.ALL
        assert {mod.a, mod.C} == registry.SEEN
        assert {"a": mod.a, "C": mod.C} == registry.TABLE
        assert {"x": [("x", mod.b)]} == registry.EVENTS
        assert (registry.ALL[0](), registry.EVENTS["x"][0][1](), mod.C.v) == (version,) * 3


def test_registered_twice_on_purpose_stays_twice(project: Any) -> None:
    source = "import registry\n@registry.register\n@registry.register\ndef a(): return {0}\n"
    mod = project.load(mod=source.format(1), registry=REGISTRY)
    import registry

    project.reload(mod=source.format(2))
    assert [mod.a, mod.a] == registry.ALL


def test_statement_that_was_done_is_not_done_again(project: Any) -> None:
    source = """
        import registry, atexit
        class C: pass
        def handler(): return {0}
        registry.INSTANCES.append(C())
        registry.INSTANCES.append({0})
    """
    mod = project.load(mod=source.format(1), registry=REGISTRY)
    import registry

    project.reload(mod=source.format(2))
    instance, one, two = registry.INSTANCES
    assert type(instance) is mod.C
    assert (one, two) == (1, 2)


def test_signal_and_atexit_handlers_run_new_code_once(project: Any) -> None:
    import atexit
    import signal

    source = """
        import atexit, signal
        OUT = []
        def bye(): OUT.append({0})
        def on_signal(number, frame): OUT.append(("signal", {0}))
        atexit.register(bye)
        signal.signal(signal.SIGUSR1, on_signal)
    """
    before, old = atexit._ncallbacks(), signal.getsignal(signal.SIGUSR1)
    mod = project.load(mod=source.format(1))
    try:
        project.reload(mod=source.format(2))
        assert atexit._ncallbacks() == before + 1
        signal.raise_signal(signal.SIGUSR1)
        assert mod.OUT == [("signal", 2)]
        assert signal.getsignal(signal.SIGUSR1) is mod.on_signal
    finally:
        signal.signal(signal.SIGUSR1, old)
        atexit.unregister(mod.bye)


def test_new_definitions_are_registered(project: Any) -> None:
    source = "import registry\n@registry.register\ndef a(): return 1\n"
    mod = project.load(mod=source, registry=REGISTRY)
    import registry

    project.reload(mod=source + "@registry.register\ndef b(): return 2\n")
    assert [mod.a, mod.b] == registry.ALL


def test_call_that_binds_names_of_the_module_is_made_again(project: Any) -> None:
    """So the library makes enums of constants that C code tells: socket.AF_INET."""
    source = """
        import enum
        from constants import *
        enum.IntEnum._convert_("Color", __name__, str.isupper)
        def f(color=RED): return (color, {0})
    """
    mod = project.load(mod=source.format(1), constants="RED, GREEN = 1, 2")
    red, color = mod.RED, mod.Color
    project.reload(mod=source.format(2))
    assert mod.RED is red is color.RED
    assert mod.Color is color
    assert mod.f() == (red, 2)
    assert type(mod.f()[0]) is color


def test_base_that_is_added_to_a_class_elsewhere_is_added_once(project: Any) -> None:
    """As tkinter.tix does with the widgets of tkinter."""
    source = """
        import other
        class Form:
            def f(self): return {0}
        other.Widget.__bases__ = other.Widget.__bases__ + (Form,)
    """
    mod = project.load(mod=source.format(1), other="class Base: pass\nclass Widget(Base): pass\n")
    import other  # type: ignore[import-not-found]

    widget = other.Widget()
    project.reload(mod=source.format(2))
    assert other.Widget.__bases__ == (other.Base, mod.Form)
    assert widget.f() == 2


def test_registry_of_a_class_that_stays_gets_what_is_new(project: Any) -> None:
    base = """
        class Plugin:
            known = {{}}
            def __init_subclass__(cls, name): Plugin.known[name] = cls
            def f(self): return {}
    """
    sub = "from base import Plugin\nclass A(Plugin, name='a'):\n    n = {}\n"
    project.load(base=base.format(1), user=sub.format(1))
    import base as module
    import user

    known = module.Plugin.known
    more = "class B(Plugin, name='b'):\n    pass\n"
    project.reload(base=base.format(2), user=sub.format(2) + more)
    assert module.Plugin.known is known == {"a": user.A, "b": user.B}
    assert known["a"].n == 2


def test_functions_that_a_loop_registers(project: Any) -> None:
    source = """
        known = []
        for i in range(3):
            def f(i=i): return ({0}, i)
            known.append(f)
        def make(n):
            def g(): return ({0}, n)
            known.append(g)
        make("x"), make("y")
    """
    mod = project.load(mod=source.format(1))
    held = list(mod.known)
    project.reload(mod=source.format(2))
    assert [f() for f in mod.known] == [(2, 0), (2, 1), (2, 2), (2, "x"), (2, "y")]
    assert held == mod.known


STORES = {
    "dict": ("{}", "ROUTES[path] = f", "sorted((k, f()) for k, f in ROUTES.items())"),
    "pairs": ("[]", "ROUTES.append((path, f))", "[(k, f()) for k, f in ROUTES]"),
    "set": ("set()", "ROUTES.add((path, f))", "sorted((k, f()) for k, f in ROUTES)"),
    "objects": ("[]", "ROUTES.append(Route(path, f))", "[(x.path, x.f()) for x in ROUTES]"),
    "records": ("{}", "ROUTES[path] = Route(path, f)", "[(k, ROUTES[k].f()) for k in ROUTES]"),
    "in a class": ("[]", "Routes.put(path, f)", "[(k, f()) for k, f in ROUTES]"),
}


@pytest.mark.parametrize("store", STORES)
def test_decorators_of_a_definition_that_register_change(project: Any, store: str) -> None:
    empty, put, shown = STORES[store]
    head = f"""
        ROUTES = {empty}
        class Route:
            def __init__(self, path, f): self.path, self.f = path, f
        class Routes:
            @staticmethod
            def put(path, f): ROUTES.append((path, f))
        def route(path):
            def register(f):
                {put}
                return f
            return register
    """

    def source(version: int, *paths: str) -> str:
        decorators = "".join(f"@route({path!r})\n" for path in reversed(paths))
        last = f"@route('/z')\ndef z(): return {version}\n"
        return textwrap.dedent(head) + f"{decorators}def a(): return {version}\n{last}"

    mod = project.load(mod=source(1, "/a"))
    container = mod.ROUTES
    edits: list[tuple[str, ...]] = [("/b",), ("/b", "/c"), ("/c",), (), ("/d",), ("/d",)]
    for version, paths in enumerate(edits, 2):
        project.reload(mod=source(version, *paths))
        assert container is mod.ROUTES
        found = eval(shown, dict(vars(mod)))
        assert sorted(found) == [*((path, version) for path in paths), ("/z", version)]
    with pytest.raises(ZeroDivisionError):
        project.reload(mod=source(0, "/e") + "1 / 0\n")
    assert eval(shown, dict(vars(mod))) == found


def test_what_the_program_has_put_into_a_container_is_no_registration(project: Any) -> None:
    source = """
        pending = []
        known = []
        def register(f):
            known.append(f)
            return f
        def timed(f): return f
        {0}
        def a(): return {1}
        {0}
        def b(): return {1}
    """
    mod = project.load(mod=source.format("", 1))
    mod.pending += [mod.a, mod.b]
    for version, decorator in ((2, "@timed"), (3, "@register"), (4, "")):
        project.reload(mod=source.format(decorator, version))
        assert [each() for each in mod.pending] == [version] * 2
        assert [each() for each in mod.known] == [3, 3] * (version == 3)

"""What the new source registers again is there once, whatever the entry is made of."""

from __future__ import annotations

import atexit
import gc
import subprocess
import sys
import textwrap
from typing import Any

import pytest


def at_exit() -> list[Any]:
    """What is registered, as far as `atexit` compares it with something that equals nothing."""
    found: list[Any] = []

    class Nothing:
        def __eq__(self, other: object) -> bool:
            found.append(other)
            return False

        __hash__ = None  # type: ignore[assignment]

    atexit.unregister(Nothing())  # type: ignore[arg-type]
    return found


def test_function_registered_at_exit(project: Any) -> None:
    source = """
        import atexit
        @atexit.register
        def bye(): return {0}
        def told(*args): return {0}
        class C:
            def close(self): return {0}
        made = C()
        def init():
            atexit.register(told, {1})
            atexit.register(made.close)
        init()
    """
    before = at_exit()
    mod = project.load(mod=source.format(1, 1))
    wanted = {mod.bye, mod.told, mod.made.close}
    try:
        for version, argument in ((2, 1), (3, 1), (4, 4)):
            project.reload(mod=source.format(version, argument))
            wanted = {mod.bye, mod.told, mod.made.close}
            found = at_exit()
            assert len(found) == len(before) + 3
            assert {each for each in found if each not in before} == wanted
            with pytest.raises(ZeroDivisionError):
                project.reload(mod=source.format(9, 9) + "    1/0\n")
            assert sorted(map(id, at_exit())) == sorted(map(id, found))
    finally:
        for each in wanted:
            atexit.unregister(each)
    assert at_exit() == before


def test_order_and_arguments_of_what_runs_at_exit(project: Any) -> None:
    source = """
        import atexit
        atexit.register(print, "first")
        @atexit.register
        def second(): print("second", {0})
        def third(*args, **kwargs): print("third", args, kwargs)
        def init(): atexit.register(third, {0}, a={0})
        init()
    """
    old, new = (textwrap.dedent(source.format(version)) for version in (1, 2))
    project.write(mod=old)
    program = f"""if True:
        import atexit, pathlib, gcremap, mod
        atexit.register(print, "fourth")
        pathlib.Path(mod.__file__).write_text({new!r})
        gcremap.Reloader(identity={project.identity!r}).reload(mod)
    """
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=project.root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    expected = ["fourth", "third (2,) {'a': 2}", "second 2", "first"]
    assert done.stdout.splitlines() == expected


REGISTRY = """
    import functools, itertools, weakref
    from collections import deque
    class Route:
        def __init__(self, path, view, **options):
            self.path, self.view, self.options = path, view, options
    class Slotted:
        __slots__ = ("view",)
        def __init__(self, view): self.view = view
    ROUTES, RECORDS, PARTIALS, SLOTTED, QUEUE, WRAPPED = [], [], [], {}, deque(), []
    NUMBERED, numbers = [], itertools.count()
    def register(path, **options):
        def deco(f):
            ROUTES.append(Route(path, f, **options))
            RECORDS.append({"view": f, "once": False})
            PARTIALS.append(functools.partial(f, 1))
            SLOTTED[Slotted(f)] = path
            QUEUE.appendleft((path, [f]))
            @functools.wraps(f)
            def wrapper(*args): return f(*args)
            WRAPPED.append(wrapper)
            NUMBERED.append((next(numbers), f))
            return f
        return deco
"""


def views(registry: Any) -> list[list[Any]]:
    return [
        [each.view for each in registry.ROUTES],
        [each["view"] for each in registry.RECORDS],
        [each.func for each in registry.PARTIALS],
        [each.view for each in registry.SLOTTED],
        [f for _, (f,) in registry.QUEUE][::-1],
        [each.__wrapped__ for each in registry.WRAPPED],
        [f for _, f in registry.NUMBERED],
    ]


def test_entries_of_any_make(project: Any) -> None:
    source = """
        from registry import register
        @register("/a")
        def a(x=1): return {0}
        @register("/b", methods=["GET"])
        @register("/c")
        def b(x=1): return {0}
    """
    more = "    @register('/d')\n        def d(): return {0}\n"
    mod = project.load(mod=source.format(1), registry=REGISTRY)
    import registry  # type: ignore[import-not-found]

    for version in (2, 3):
        project.reload(mod=source.format(version))
        assert views(registry) == [[mod.a, mod.b, mod.b]] * 7
        assert [f(1) for f in registry.WRAPPED] == [f() for f in registry.PARTIALS] == [version] * 3
    project.reload(mod=(source + more).format(4))
    assert views(registry) == [[mod.a, mod.b, mod.b, mod.d]] * 7
    assert [each.path for each in registry.ROUTES] == ["/a", "/c", "/b", "/d"]
    with pytest.raises(ZeroDivisionError):
        project.reload(mod=(source + more).format(5) + "        1/0\n")
    assert views(registry) == [[mod.a, mod.b, mod.b, mod.d]] * 7
    assert mod.a() == 4


def test_registered_with_other_arguments(project: Any) -> None:
    source = "from registry import register\n@register({0})\ndef f(x=1): return {1}\n"
    mod = project.load(mod=source.format("'/a'", 1), registry=REGISTRY)
    import registry

    project.reload(mod=source.format("'/b', methods=['GET']", 2))
    [route] = registry.ROUTES
    assert (route.path, route.view, route.options) == ("/b", mod.f, {"methods": ["GET"]})
    assert views(registry) == [[mod.f]] * 7


def test_what_the_program_has_registered_stays(project: Any) -> None:
    source = "from registry import register\n@register('/a')\ndef f(x=1): return {0}\n"
    mod = project.load(mod=source.format(1), registry=REGISTRY)
    import registry

    registry.register("/mine")(mod.f)
    registry.register("/too")(mod.f)
    project.reload(mod=source.format(2))
    assert [each.path for each in registry.ROUTES] == ["/a", "/mine", "/too"]
    project.reload(mod=source.format(3).replace("/a", "/z"))
    assert {each.path for each in registry.ROUTES} >= {"/mine", "/too", "/z"}
    assert {each.view for each in registry.ROUTES} == {mod.f}


def test_objects_that_register_themselves(project: Any) -> None:
    """As the handlers of a logger that a function of the module adds."""
    source = """
        import logging
        OUT = []
        class Handler(logging.Handler):
            def emit(self, record): OUT.append({0})
        def configure(): log.addHandler(Handler())
        log = logging.getLogger("gcremap.test")
        configure()
    """
    mod = project.load(mod=source.format(1))
    try:
        first = mod.log.handlers[0]
        first.setFormatter(None)
        project.reload(mod=source.format(2))
        mod.log.warning("said")
        assert mod.OUT == [2]
        [handler] = mod.log.handlers
        assert type(handler) is mod.Handler
    finally:
        mod.log.handlers.clear()


def test_weak_references_and_addresses(project: Any) -> None:
    """As the signals of Django have them."""
    bus = """
        import weakref
        RECEIVERS, BY_ID = [], {}
        def connect(f):
            BY_ID[id(f)] = f
            kind = weakref.WeakMethod if hasattr(f, "__self__") else weakref.ref
            key = getattr(f, "__func__", f)
            if all(each[0] != id(key) for each in RECEIVERS):
                RECEIVERS.append((id(key), kind(f)))
            return f
        def disconnect(f):
            RECEIVERS[:] = [each for each in RECEIVERS if each[0] != id(f)]
        def send(): return [f() for _, ref in RECEIVERS if (f := ref()) is not None]
    """
    source = """
        from bus import connect
        @connect
        def f(): return {0}
        class C:
            def m(self): return {0}
        made = C()
        connect(made.m)
    """
    mod = project.load(mod=source.format(1), bus=bus)
    import bus as module  # type: ignore[import-not-found]

    for version in (2, 3):
        project.reload(mod=source.format(version))
        assert module.send() == [version, version]
        assert [f() for f in module.BY_ID.values() if f is mod.f] == [version]
        assert module.BY_ID[id(mod.f)] is mod.f
    module.disconnect(mod.f)
    assert module.send() == [3]


def test_hooks_of_the_interpreter(project: Any) -> None:
    source = """
        import gc, sys
        class Finder:
            @classmethod
            def find_spec(cls, name, path=None, target=None): return None
        def hook(path): raise ImportError({0})
        def called(phase, info): pass
        def setup():
            sys.meta_path.append(Finder)
            sys.path_hooks.append(hook)
            gc.callbacks.append(called)
        setup()
    """
    mod = project.load(mod=source.format(1))
    try:
        for version in (2, 3):
            project.reload(mod=source.format(version))
            for found, one in (
                (sys.meta_path, mod.Finder),
                (sys.path_hooks, mod.hook),
                (gc.callbacks, mod.called),
            ):
                assert [each for each in found if getattr(each, "__module__", 0) == "mod"] == [one]
    finally:
        sys.meta_path.remove(mod.Finder)
        sys.path_hooks.remove(mod.hook)
        gc.callbacks.remove(mod.called)

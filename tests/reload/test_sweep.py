"""Code that failed leaves nothing of its own in containers elsewhere."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import Any

import pytest

from gcremap._reload.running import attempts

REGISTRY = """
    import functools, weakref
    from collections import OrderedDict, deque
    TABLE, LIST, SET, QUEUE, KEYS = OrderedDict(), [], set(), deque(), {}
    ROUTES, BY_PATH, METHODS, WEAK, HOOK = [], {}, {}, weakref.WeakSet(), None
    CALLS = []
    class Route:
        __slots__ = ("path", "view")
        def __init__(self, path, view): self.path, self.view = path, view
    class App: pass
    app = App()
    def register(f):
        TABLE[f.__name__] = f
        LIST.append(f); SET.add(f); QUEUE.appendleft((f, 1)); KEYS[f] = 1; WEAK.add(f)
        BY_PATH["/" + f.__name__] = (f, "GET")
        METHODS.setdefault(len(f.__name__), []).append(f)
        ROUTES.append(Route(f.__name__, f))
        @functools.wraps(f)
        def wrapper(*args): return f(*args)
        CALLS.append(wrapper)
        if f.__name__ == "f":
            global HOOK
            HOOK = app.hook = f
        return f
"""
SOURCE = """
    from registry import register
    @register
    def first(): return {0}
    @register
    def f(): return {0}
    @register
    class C:
        n = {0}
"""


def content(module: Any) -> list[Any]:
    """All of it, with the routes by what they lead to."""
    return [
        list(module.TABLE.items()), list(module.LIST), set(module.SET), list(module.QUEUE),
        list(module.KEYS), [(r.path, r.view) for r in module.ROUTES], dict(module.BY_PATH),
        {key: list(value) for key, value in module.METHODS.items()}, list(module.CALLS),
        set(module.WEAK), module.HOOK, module.app.hook,
    ]  # fmt: skip


OTHER = """
    from registry import register
    @register
    class D: pass
"""


@pytest.mark.parametrize("collector", [True, False])
def test_nothing_is_left(project: Any, collector: bool) -> None:
    project.load(mod=SOURCE.format(1), registry=REGISTRY, other=OTHER)
    import mod  # type: ignore[import-not-found]
    import registry  # type: ignore[import-not-found]

    before = content(registry)
    added = "    @register\n    def added(): return 2\n"
    if not collector:
        gc.disable()
    try:
        with pytest.raises(ZeroDivisionError):
            project.reload(mod=SOURCE.format(2) + added + "    1/0\n")
    finally:
        gc.enable()
    after = content(registry)
    if not collector:  # which objects are new can then not be told, but for the definitions
        for part in (before, after):
            del part[8], part[7], part[5]
    assert after == before
    assert list(registry.TABLE) == ["first", "f", "C", "D"]
    project.reload(mod=SOURCE.format(4))
    assert mod.f() == registry.TABLE["C"].n == 4


def test_an_error_at_the_end(project: Any) -> None:
    mod = project.load(mod=SOURCE.format(1), registry=REGISTRY)
    import registry

    known = [mod.first, mod.f, mod.C]
    hook = "    @register\n    def added(): pass\n    def __after_reload__(previous): 1/0\n"
    with pytest.raises(ZeroDivisionError):
        project.reload(mod=SOURCE.format(2) + hook)
    assert known == list(registry.TABLE.values()) == registry.LIST == list(registry.KEYS)
    assert set(known) == registry.SET
    assert [mod.first, mod.f, mod.C] == known
    assert known[0]() == mod.C.n == 1


def test_what_threads_and_modules_have_made_stays(project: Any) -> None:
    """A module that was imported for the first time on the way is imported."""
    registry = "TABLE = {}\ndef register(f): TABLE[f.__name__] = f; return f\n"
    project.load(mod="X = 1\n", registry=registry)
    import registry as module

    project.write(late="import registry\n@registry.register\ndef late(): pass\n")
    with pytest.raises(ZeroDivisionError):
        project.reload(mod="import late, registry\n@registry.register\ndef f(): pass\n1/0\n")
    assert list(module.TABLE) == ["late"]


def test_exit_handlers(project: Any) -> None:
    """They run once, when a program ends."""
    source = "import atexit\n@atexit.register\ndef bye(): print({!r})\n"
    project.write(mod=source.format("old"))
    program = f"""if True:
        import gcremap, mod, pathlib, sys
        pathlib.Path(mod.__file__).write_text({(source.format("changed") + "1/0")!r})
        try:
            gcremap.Reloader(identity={project.identity!r}).reload(mod)
        except ZeroDivisionError:
            print("failed")
    """
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=project.root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["failed", "old"]


def test_old_definitions_that_the_new_code_asks_for_stay(project: Any) -> None:
    registry = "TABLE = {}\ndef register(f): TABLE[f.__name__] = f; return f\n"
    source = "import registry\n@registry.register\ndef f(): return 1\n"
    mod = project.load(mod=source, registry=registry)
    import registry as module

    with pytest.raises(ZeroDivisionError):
        project.reload(mod="import registry\ng = registry.TABLE['f']\ndef f(): return 1\n1/0\n")
    assert {"f": mod.f} == module.TABLE


def test_several_modules(project: Any) -> None:
    registry = "TABLE = {}\ndef register(f): TABLE[f.__name__] = f; return f\n"
    source = "import registry\n@registry.register\ndef {0}(): return {1}\n"
    project.load(one=source.format("one", 1), two=source.format("two", 1), registry=registry)
    import one  # type: ignore[import-not-found]
    import registry as module
    import two  # type: ignore[import-not-found]

    with pytest.raises(ZeroDivisionError):
        project.reload(one=source.format("one", 2), two=source.format("two", 2) + "1/0\n")
    assert {"one": one.one, "two": two.two} == module.TABLE
    assert one.one() == two.two() == 1


def test_definition_that_moved_and_an_error_at_the_end(project: Any) -> None:
    """Where it is now it was before, and others have it."""
    registry = "TABLE = {}\ndef register(f): TABLE[f.__module__] = f; return f\n"
    source = "from registry import register\n@register\ndef f(): return {}\n"
    mod = project.load(mod=source.format(1), core=source.format(2), registry=registry)
    import core  # type: ignore[import-not-found]
    import registry as module

    with pytest.raises(ZeroDivisionError):
        project.reload(mod="from core import f\ndef __after_reload__(previous): 1/0\n")
    assert {"mod": mod.f, "core": core.f} == module.TABLE
    assert (mod.f(), core.f()) == (1, 2)


def test_a_key_that_cannot_be_hashed_is_not_lost(project: Any) -> None:
    registry = """
        FAILS = False
        class Key:
            def __hash__(self):
                if FAILS: raise ValueError("no hash")
                return 1
        SET = {Key()}
    """
    source = "import registry\ndef f(): return 1\n"
    project.load(registry=registry, mod=source)
    held = sys.modules["registry"]
    before = list(held.SET)
    failing = source + "registry.SET.add(f)\nregistry.FAILS = True\nraise RuntimeError('mine')\n"
    with pytest.raises(RuntimeError, match="mine") as caught:
        project.reload(mod=failing)
    assert "ValueError: no hash" in caught.value.__notes__[0]
    assert all(any(each is key for each in held.SET) for key in before)


def test_an_interrupt_while_it_is_sought_leaves_the_module_as_it_was(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mod = project.load(mod="X = 1\ndef f(): return X\n")
    f, before = mod.f, dict(vars(mod))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(attempts, "made_by", interrupted)
        with pytest.raises(KeyboardInterrupt):
            project.reload(mod="X = 2\ndef f(): return -X\nraise RuntimeError\n")
    assert (f(), vars(mod)) == (1, before)
    project.reload(mod="X = 3\ndef f(): return X\n")
    assert f() == 3

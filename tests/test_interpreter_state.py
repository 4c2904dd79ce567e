"""Promise 2, interpreter state: references that no object holds, but the interpreter does."""

from __future__ import annotations

import codecs
import contextlib
import copyreg
import csv
import gc
import importlib
import os
import re
import signal
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import child
import gcremap


class Hook:
    """A callable of a name; what it was called with is in `calls`."""

    def __init__(self, name: str, calls: list[str], result: Any = None) -> None:
        self.name = name
        self.calls = calls
        self.result = result

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls.append(self.name)
        return self.result


class Hooks:
    """An old and a new hook, and who of the two was called."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.old = Hook("old", self.calls)
        self.new = Hook("new", self.calls)

    def results(self, result: Any) -> None:
        self.old.result = self.new.result = result

    def remap(self) -> gcremap.RemapReport:
        self.calls.clear()
        report = gcremap.remap([(self.old, self.new)], frames=False, exclude=[self])
        assert report.leftovers == ()
        assert report.replaced >= 1
        self.calls.clear()
        return report


@pytest.fixture
def hooks() -> Hooks:
    return Hooks()


@pytest.fixture
def restored() -> Iterator[Callable[..., None]]:
    """Registers what puts the interpreter back."""
    actions: list[tuple[Any, ...]] = []
    yield lambda *action: actions.append(action)
    for function, *args in reversed(actions):
        function(*args)


@pytest.mark.parametrize("name", ["excepthook", "displayhook", "breakpointhook", "unraisablehook"])
def test_hooks_of_sys(hooks: Hooks, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(sys, name, hooks.old)
    hooks.remap()
    assert getattr(sys, name) is hooks.new
    if name == "displayhook":
        exec(compile("1", "", "single"), {})
    elif name == "breakpointhook":
        breakpoint()
    elif name == "unraisablehook":

        class Raises:
            def __del__(self) -> None:
                raise ValueError

        Raises()
    else:
        sys.excepthook(ValueError, ValueError(), None)
    assert hooks.calls == ["new"]


def test_the_trace_function(hooks: Hooks, restored: Any) -> None:
    restored(sys.settrace, sys.gettrace())
    traced: list[Any] = []

    def called() -> None:
        pass

    sys.settrace(hooks.old)
    try:
        hooks.remap()
        traced.append(sys.gettrace())
        called()
    finally:
        sys.settrace(None)
    assert traced == [hooks.new]
    assert "new" in hooks.calls
    assert "old" not in hooks.calls


def test_the_profile_function(hooks: Hooks, restored: Any) -> None:
    restored(sys.setprofile, sys.getprofile())
    sys.setprofile(hooks.old)
    try:
        hooks.remap()
        profiler = sys.getprofile()
    finally:
        sys.setprofile(None)
    assert profiler is hooks.new
    assert "old" not in hooks.calls
    assert "new" in hooks.calls


def test_the_trace_function_of_another_thread(hooks: Hooks) -> None:
    ready, go_on, seen = threading.Event(), threading.Event(), []

    def work() -> None:
        sys.settrace(hooks.old)
        ready.set()
        go_on.wait(30)
        seen.append(sys.gettrace())

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait(30)
    hooks.remap()
    go_on.set()
    thread.join()
    assert seen == [hooks.new]


def test_local_trace_functions_of_frames(hooks: Hooks) -> None:
    def suspended() -> Iterator[int]:
        yield 1

    generator = suspended()
    next(generator)
    generator.gi_frame.f_trace = hooks.old
    hooks.remap()
    assert generator.gi_frame.f_trace is hooks.new


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in 3.12")
def test_callbacks_of_monitoring(hooks: Hooks, restored: Any) -> None:
    monitoring = sys.monitoring
    tool, event = 4, monitoring.events.PY_START
    monitoring.use_tool_id(tool, "gcremap tests")
    restored(monitoring.free_tool_id, tool)
    restored(monitoring.set_events, tool, 0)
    restored(monitoring.register_callback, tool, event, None)
    monitoring.register_callback(tool, event, hooks.old)
    monitoring.set_events(tool, event)

    def called() -> None:
        pass

    hooks.remap()
    called()
    monitoring.set_events(tool, 0)
    assert "new" in hooks.calls
    assert "old" not in hooks.calls
    assert monitoring.register_callback(tool, event, None) is hooks.new


def test_audit_hooks() -> None:
    """They can never be removed, so an interpreter of their own."""
    child.run(
        """
        import sys, gcremap
        calls = []
        def old(event, args): calls.append("old")
        def new(event, args): calls.append("new")
        def kept(): return old
        sys.addaudithook(old)
        box = [new]
        report = gcremap.remap([(old, new)])
        calls.clear()
        sys.audit("test")
        assert calls == ["new"], calls
        assert report.leftovers == (), report
        """
    )


def test_codec_search_functions(hooks: Hooks) -> None:
    name = "gcremap_search"
    info = codecs.lookup("utf-8")
    hooks.old.result, hooks.new.result = None, info
    codecs.register(hooks.old)
    hooks.remap()
    try:
        assert codecs.lookup(name) is info
        assert hooks.calls == ["new"]
    finally:
        codecs.unregister(hooks.new)


def test_codecs_that_were_found(hooks: Hooks, restored: Any) -> None:
    """The registry remembers what a search function gave."""
    encode = codecs.lookup("utf-8").encode
    old = codecs.CodecInfo(encode, lambda data, _=None: ("old", len(data)), name="found")
    new = codecs.CodecInfo(encode, lambda data, _=None: ("new", len(data)), name="found")
    search = {"gcremap_found": old}.get
    codecs.register(search)
    restored(codecs.unregister, search)
    assert codecs.decode(b"", "gcremap_found") == "old"
    gcremap.remap([(old, new)], frames=False)
    assert codecs.decode(b"", "gcremap_found") == "new"


def test_codec_error_handlers(hooks: Hooks) -> None:
    hooks.results(("?", 1))
    codecs.register_error("gcremap_errors", hooks.old)
    hooks.remap()
    assert codecs.lookup_error("gcremap_errors") is hooks.new
    assert b"\xff".decode("ascii", "gcremap_errors") == "?"
    assert hooks.calls == ["new"]


def test_atexit_callbacks() -> None:
    out = child.run(
        """
        import atexit, gcremap
        def old(*args, **kwargs): print("old", args, kwargs)
        def new(*args, **kwargs): print("new", args, kwargs)
        class Argument:
            def __init__(self, name): self.name = name
            def __repr__(self): return self.name
        a, b = Argument("a"), Argument("b")
        atexit.register(old, a, key=a)
        report = gcremap.remap([(old, new), (a, b)])
        assert report.leftovers == (), report
        del report, a, b
        """
    )
    assert out == "new (b,) {'key': b}\n"


def test_signal_handlers(hooks: Hooks, restored: Any) -> None:
    restored(signal.signal, signal.SIGUSR1, signal.getsignal(signal.SIGUSR1))
    signal.signal(signal.SIGUSR1, hooks.old)
    hooks.remap()
    assert signal.getsignal(signal.SIGUSR1) is hooks.new
    os.kill(os.getpid(), signal.SIGUSR1)
    for _ in range(1000):
        pass
    assert hooks.calls == ["new"]


def test_fork_handlers() -> None:
    child.run(
        """
        import os, sys, warnings, gcremap
        warnings.simplefilter("ignore")
        calls = []
        def old(): calls.append("old")
        def new(): calls.append("new")
        os.register_at_fork(before=old, after_in_parent=old, after_in_child=old)
        report = gcremap.remap([(old, new)])
        assert report.leftovers == (), report
        pid = os.fork()
        if pid == 0:
            os._exit(calls != ["new", "new"])
        assert os.waitpid(pid, 0)[1] == 0
        assert calls == ["new", "new"], calls
        """
    )


class Finder:
    """A meta path finder and path hook that finds one module."""

    def __init__(self, text: str) -> None:
        self.text = text

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name == "gcremap_found_module":
            return importlib.machinery.ModuleSpec(name, self)  # type: ignore[arg-type]
        return None

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        module.text = self.text

    def __call__(self, path: str) -> Any:
        if path != "gcremap://":
            raise ImportError
        return self

    def invalidate_caches(self) -> None:
        pass


@pytest.mark.parametrize("where", ["meta_path", "path_hooks", "path_importer_cache"])
def test_import_state(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    old, new = Finder("old"), Finder("new")
    if where == "meta_path":
        monkeypatch.setattr(sys, "meta_path", [old, *sys.meta_path])
    else:
        monkeypatch.setattr(sys, "path", ["gcremap://", *sys.path])
        monkeypatch.setattr(sys, "path_hooks", [old, *sys.path_hooks])
        if where == "path_importer_cache":
            monkeypatch.setitem(sys.path_importer_cache, "gcremap://", old)
    gcremap.remap([(old, new)], frames=False)
    try:
        assert importlib.import_module("gcremap_found_module").text == "new"
    finally:
        sys.modules.pop("gcremap_found_module", None)
        sys.path_importer_cache.pop("gcremap://", None)


def test_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = types.ModuleType("gcremap_module"), types.ModuleType("gcremap_module")
    new.value = 5  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gcremap_module", old)
    gcremap.remap([(old, new)], frames=False)
    assert importlib.import_module("gcremap_module") is new
    namespace: dict[str, Any] = {}
    exec("from gcremap_module import value", namespace)
    assert namespace["value"] == 5


def test_the_import_function() -> None:
    """The interpreter keeps its own pointer to the default one, and runs others in full."""
    out = child.run(
        """
        import builtins, gcremap
        calls, real, box = [], builtins.__import__, []
        def old(*args, **named):
            calls.append("old")
            return real(*args, **named)
        def new(*args, **named):
            calls.append("new")
            return real(*args, **named)
        builtins.__import__ = old
        import json
        gcremap.remap([(old, new)])
        calls.clear()
        import json
        from os import path
        print(set(calls), builtins.__import__ is new)
        gcremap.remap([(new, real)])
        calls.clear()
        from os import path
        print(calls)
        """
    )
    assert out == "{'new'} True\n[]\n"


def test_thread_hooks(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", hooks.old)
    hooks.remap()

    def fail() -> None:
        raise ValueError

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert hooks.calls == ["new"]


def test_hooks_for_all_threads(hooks: Hooks) -> None:
    threading.settrace(hooks.old)  # type: ignore[arg-type]
    try:
        hooks.remap()
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
    finally:
        threading.settrace(None)  # type: ignore[arg-type]
    assert set(hooks.calls) == {"new"}


def test_thread_locals(hooks: Hooks) -> None:
    local = threading.local()
    ready, go_on, seen = threading.Event(), threading.Event(), []

    def work() -> None:
        local.hook = hooks.old
        ready.set()
        go_on.wait(30)
        seen.append(local.hook)

    local.hook = hooks.old
    thread = threading.Thread(target=work)
    thread.start()
    ready.wait(30)
    hooks.remap()
    go_on.set()
    thread.join()
    assert seen == [local.hook] == [hooks.new]


def test_hooks_of_asynchronous_generators(hooks: Hooks, restored: Any) -> None:
    restored(sys.set_asyncgen_hooks, *sys.get_asyncgen_hooks())
    sys.set_asyncgen_hooks(firstiter=hooks.old, finalizer=hooks.old)
    hooks.remap()
    assert sys.get_asyncgen_hooks() == (hooks.new, hooks.new)

    async def generate() -> Any:
        yield 1

    generator = generate()
    with pytest.raises(StopIteration):
        generator.__anext__().send(None)
    assert hooks.calls == ["new"]
    del generator
    assert hooks.calls == ["new", "new"]


def test_hooks_are_not_told_of_generators_that_are_none_of_the_program() -> None:
    """The engine makes one of each kind of object once, to learn how they are laid out."""
    out = child.run(
        """
        import gc, sys
        sys.set_asyncgen_hooks(print, print)
        hooks = sys.get_asyncgen_hooks()
        import gcremap
        class Old: pass
        class New: pass
        holder = [Old]
        gcremap.remap({Old: New})
        gcremap.referrers(holder)
        gc.collect()
        assert sys.get_asyncgen_hooks() == hooks
        """
    )
    assert out == ""


_kept_for_caches: list[object] = []


@contextlib.contextmanager
def static_attribute(static: type, value: object, name: str = "") -> Iterator[str]:
    """As C code may add one, which no public way lets Python do.

    Nothing tells the caches when it goes: names are used once, and values stay alive."""
    _kept_for_caches.append(value)
    name = name or f"gcremap_test_{len(_kept_for_caches)}"
    namespace = namespace_of(static)
    namespace[name] = value
    try:
        yield name
    finally:
        _kept_for_caches.append(namespace.pop(name))


def namespace_of(static: type) -> dict[str, Any]:
    [namespace] = [d for d in gc.get_referents(vars(static)) if isinstance(d, dict)]
    return namespace


STATIC_TYPES = [int, dict, type, BaseException, types.FunctionType]


@pytest.mark.parametrize("static", STATIC_TYPES)
@pytest.mark.parametrize("wrap", [lambda f: f, property, staticmethod, classmethod])
@pytest.mark.parametrize("warm", [1, 3000])
def test_namespaces_of_static_types(static: type, wrap: Any, warm: int) -> None:
    def old(*_: object) -> str:
        return "old"

    def new(*_: object) -> str:
        return "new"

    of_it: Any = lambda: None  # noqa: E731
    if static is not types.FunctionType:
        heir = types.new_class("Heir", (static,))
        of_it = heir("Made", (), {}) if static is type else heir()
    with static_attribute(static, wrap(old)) as name:
        call = "" if wrap is property else "()"
        ask = eval(f"lambda: of_it.{name}{call}", {"of_it": of_it})
        assert {ask() for _ in range(warm)} == {"old"}
        report = gcremap.remap({old: new}, frames=False)
        assert {ask() for _ in range(warm)} == {"new"}
        report.undo()
        assert {ask() for _ in range(warm)} == {"old"}


@pytest.mark.parametrize("static", STATIC_TYPES)
def test_values_in_namespaces_of_static_types(static: type) -> None:
    old, new = types.SimpleNamespace(), types.SimpleNamespace()
    with static_attribute(static, old) as name:
        assert vars(static)[name] is getattr(static, name) is old
        gcremap.remap([(old, new)], frames=False)
        assert vars(static)[name] is getattr(static, name) is new


def test_special_methods_of_static_types() -> None:
    """Their C slots are what C code calls."""
    old, new = property(lambda self: "old"), property(lambda self: "new")
    with static_attribute(int, old, "__gcremap_test__"):
        with pytest.raises(gcremap.RemapError, match="special method of a static type"):
            gcremap.remap([(old, new)], frames=False)
        assert vars(int)["__gcremap_test__"] is old


def test_warning_filters() -> None:
    class Old(Warning):
        pass

    class New(Warning):
        pass

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", category=Old)
        filters = [(New, Old)]
        gcremap.remap([(Old, New)], frames=False, exclude=filters)
        with pytest.raises(New):
            warnings.warn("new", New, stacklevel=1)
        warnings.warn("other", UserWarning, stacklevel=1)


def test_collector_callbacks(hooks: Hooks) -> None:
    gc.callbacks.append(hooks.old)
    try:
        hooks.remap()
        gc.collect()
        assert hooks.calls == ["new", "new"]
    finally:
        gc.callbacks.remove(hooks.new)


def test_registries_in_the_state_of_modules(hooks: Hooks) -> None:
    class OldDialect(csv.excel):
        delimiter = ";"

    class Reduced:
        pass

    csv.register_dialect("gcremap_test", OldDialect)
    old = csv.get_dialect("gcremap_test")
    new = csv.get_dialect("excel-tab")
    copyreg.pickle(Reduced, hooks.old)  # type: ignore[arg-type]
    try:
        hooks.remap()
        assert copyreg.dispatch_table[Reduced] is hooks.new  # type: ignore[comparison-overlap]
        gcremap.remap([(old, new)], frames=False)
        assert csv.get_dialect("gcremap_test") is new
        assert list(csv.reader(["a\tb"], "gcremap_test")) == [["a", "b"]]
    finally:
        csv.unregister_dialect("gcremap_test")
        del copyreg.dispatch_table[Reduced]


def test_the_cache_of_regular_expressions() -> None:
    old, new = re.compile("gcremap old"), re.compile("gcremap new")
    assert re.compile("gcremap old") is old
    gcremap.remap([(old, new)], frames=False)
    assert re.compile("gcremap old") is new
    assert re.match("gcremap old", "gcremap new")

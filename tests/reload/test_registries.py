"""Registries elsewhere that refuse what they have already: a reload registers it anew."""

from __future__ import annotations

import typing
from typing import Any

import pytest

REGISTRIES = {
    "dict": """
        KNOWN = {}
        def register(f):
            if f.__name__ in KNOWN: raise ValueError(f.__name__)
            KNOWN[f.__name__] = f
            return f
        def content(): return list(KNOWN.items())
        """,
    "list": """
        KNOWN = []
        def register(f):
            assert f.__name__ not in [known.__name__ for known in KNOWN]
            KNOWN.append(f)
            return f
        def content(): return [(f.__name__, f) for f in KNOWN]
        """,
    "set": """
        KNOWN = set()
        def register(f):
            if f.__name__ in {known.__name__ for known in KNOWN}: raise ValueError(f.__name__)
            KNOWN.add(f)
            return f
        def content():
            order = "a", "B", "c", "other", "new"
            return sorted(((f.__name__, f) for f in KNOWN), key=lambda one: order.index(one[0]))
        """,
    "routes": """
        class Route:
            def __init__(self, path, view): self.path, self.view = path, view
        class App:
            def __init__(self): self.routes = []
            def route(self, path):
                def deco(view):
                    assert all(route.path != path for route in self.routes), path
                    self.routes.append(Route(path, view))
                    return view
                return deco
        app = App()
        def register(f): return app.route(f.__name__)(f)
        def content(): return [(route.path, route.view) for route in app.routes]
        """,
    "records": """
        def make():
            known = {}
            def register(f):
                if f.__name__ in known: raise KeyError(f.__name__)
                known[f.__name__] = {"view": f, "methods": ["GET"]}
                return f
            return register, lambda: [(name, one["view"]) for name, one in known.items()]
        register, content = make()
        """,
    "groups": """
        GROUPS = {"main": {"first": len}}
        def register(f):
            if f.__name__ in GROUPS["main"]: raise KeyError(f.__name__)
            GROUPS["main"][f.__name__] = (f, 1)
            return f
        def content(): return [(n, f[0]) for n, f in GROUPS["main"].items() if n != "first"]
        """,
    "weak": """
        from weakref import WeakValueDictionary
        class Registry:
            def __init__(self): self.known = WeakValueDictionary()
            def register(self, f):
                if f.__name__ in self.known: raise KeyError(f.__name__)
                self.known[f.__name__] = f
                return f
        registry = Registry()
        register = registry.register
        def content(): return list(registry.known.items())
        """,
}
SOURCE = """
    from registry import register
    @register
    def a(): return {0}
    @register
    class B:
        def m(self): return {0}
    @register
    def c(): return {0}
"""
OTHER = """
    import registry
    @registry.register
    def other(): pass
"""


@pytest.fixture(params=list(REGISTRIES))
def registry(request: pytest.FixtureRequest) -> str:
    return REGISTRIES[request.param]


def load(project: Any, registry: str) -> tuple[Any, Any]:
    mod = project.load(mod=SOURCE.format(1), registry=registry, other=OTHER)
    import registry as module  # type: ignore[import-not-found]

    return mod, module


def test_each_is_registered_anew_in_its_place(project: Any, registry: str) -> None:
    mod, module = load(project, registry)
    for version in (2, 3, 3):
        project.reload(mod=SOURCE.format(version))
        content = module.content()
        assert [name for name, _ in content] == ["a", "B", "c", "other"]
        assert [value for _, value in content[:3]] == [mod.a, mod.B, mod.c]
        assert [content[0][1](), content[1][1]().m(), content[2][1]()] == [version] * 3


def test_handlers_that_come_and_go(project: Any, registry: str) -> None:
    mod, module = load(project, registry)
    a = mod.a
    source = SOURCE.format(2).replace("def a", "def new")
    project.reload(mod=source)
    content = dict(module.content())
    weak = "a" not in content
    assert list(content) == ["a", "B", "c", "other", "new"][weak:]
    assert content["new"] is mod.new
    # As in any registry: only the module's own names go with the source.
    assert weak or content["a"] is a
    assert not hasattr(mod, "a")
    del a, content
    project.reload(mod=SOURCE.format(3))
    content = dict(module.content())
    assert len(content) == len(module.content())
    assert content["a"] is mod.a
    assert (mod.a(), content["B"]().m()) == (3, 3)


def test_nothing_has_changed_if_it_fails_again(project: Any, registry: str) -> None:
    mod, module = load(project, registry)
    before, content = dict(vars(mod)), module.content()
    twice = SOURCE.format(2) + "    @register\n    def a(): return 3\n"
    with pytest.raises((ValueError, KeyError, AssertionError)) as caught:
        project.reload(mod=twice)
    assert module.content() == content
    assert vars(mod) == before
    lines = []
    traceback = caught.value.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_globals is vars(mod):
            lines.append(traceback.tb_lineno)
        traceback = traceback.tb_next
    assert lines[-1] in (2, 3)  # the first that was refused, not the second `a`
    assert caught.value.__context__ is None
    with pytest.raises(ZeroDivisionError):
        project.reload(mod="1/0")
    assert module.content() == content
    project.reload(mod=SOURCE.format(4))
    assert [name for name, _ in module.content()] == [name for name, _ in content]
    assert mod.a() == mod.B().m() == 4


@pytest.mark.parametrize("how", ["__init_subclass__", "metaclass"])
def test_classes_that_register_themselves(project: Any, how: str) -> None:
    base = """
        class Meta(type):
            def __init__(cls, name, bases, space):
                if bases: add(cls)
        known = {}
        def add(cls):
            if cls.__name__ in known: raise TypeError(cls.__name__)
            known[cls.__name__] = cls
    """
    base += (
        {
            "metaclass": "class Base(metaclass=Meta): pass\n",
            "__init_subclass__": "class Base:\n    def __init_subclass__(cls): add(cls)\n",
        }[how]
        .replace("\n", "\n        ")
        .join(["\n        ", "\n"])
    )
    source = """
        from base import Base
        class A(Base): n = {0}
        class B(A):
            def m(self): return {0}
    """
    mod = project.load(mod=source.format(1), base=base)
    import base as module  # type: ignore[import-not-found]

    held = mod.B()
    for version in (2, 3):
        project.reload(mod=source.format(version))
        assert module.known == {"A": mod.A, "B": mod.B}
        assert type(held) is mod.B
        assert held.m() == module.known["B"]().m() == held.n == version


WEAK = """
    import weakref
    names = weakref.WeakValueDictionary()
    several = set()
    class Several:
        def __init__(self, classes):
            self.classes = {weakref.ref(each) for each in classes}
            several.add(self)
    tables = {}
    class Table: pass
    class Base:
        def __init_subclass__(cls):
            name = cls.__name__
            names[name] = Several([cls, names[name]]) if name in names else cls
            if name in tables: raise ValueError(name)
            cls.table = tables[name] = Table()
"""
REGISTERED = """
    from base import Base
    class A(Base):
        def m(self): return {0}
    class B(Base):
        def m(self): return {0}
"""


def test_another_registry_does_not_keep_what_it_has(project: Any) -> None:
    """One that knows weakly has taken what the other one has refused."""
    mod = project.load(mod=REGISTERED.format(1), base=WEAK)
    import base

    for version in (2, 3):
        project.reload(mod=REGISTERED.format(version))
        assert dict(base.names) == {"A": mod.A, "B": mod.B}
        assert base.tables == {"A": mod.A.table, "B": mod.B.table}
        assert mod.A().m() == base.names["B"]().m() == version


def test_a_failure_leaves_what_is_known_weakly(project: Any) -> None:
    mod = project.load(mod=REGISTERED.format(1), base=WEAK)
    import base

    for change in ("", "base.names.clear()", "del base.names['A']"):
        with pytest.raises(ValueError, match=r"^A"):
            project.reload(mod=REGISTERED.format(2) + f"    import base; {change}\n    1/0\n")
        assert dict(base.names) == {"A": mod.A, "B": mod.B}
    assert mod.A().m() == 1


def test_instances_and_keys(project: Any) -> None:
    """As the admin site of Django has an instance for each model."""
    site = """
        class Site:
            def __init__(self): self.registry, self.seen = {}, set()
            def register(self, model, admin):
                if model in self.registry or any(m.__name__ == model.__name__ for m in self.seen):
                    raise ValueError(model)
                self.registry[model] = admin(model)
                self.seen.add(model)
        site = Site()
    """
    source = """
        from site1 import site
        class Model: n = {0}
        class Admin:
            def __init__(self, model): self.model = model
            def m(self): return {0}, self.model.n
        def go(): site.register(Model, Admin)
        go()
    """
    mod = project.load(mod=source.format(1), site1=site)
    import site1 as module  # type: ignore[import-not-found]

    for version in (2, 3):
        project.reload(mod=source.format(version))
        assert list(module.site.registry) == [mod.Model]
        assert module.site.registry[mod.Model].m() == (version, version)
        assert module.site.seen == {mod.Model}


def test_a_path_that_goes_to_another_function(project: Any) -> None:
    app = """
        class Route:
            def __init__(self, path, view): self.path, self.view = path, view
        ROUTES = []
        def route(path):
            def deco(view):
                if any(each.path == path for each in ROUTES): raise ValueError(path)
                ROUTES.append(Route(path, view))
                return view
            return deco
    """
    source = (
        "from app import route\n@route('/x')\ndef x(): return 1\n@route('/y')\ndef y(): return 1\n"
    )
    mod = project.load(mod=source, app=app)
    import app as module  # type: ignore[import-not-found]

    project.reload(mod=source.replace("def x", "def z").replace("1", "2"))
    assert [(each.path, each.view) for each in module.ROUTES] == [("/x", mod.z), ("/y", mod.y)]
    project.reload(mod="from app import route\n@route('/y')\ndef y(): return 3\n")
    assert [each.path for each in module.ROUTES] == ["/x", "/y"]
    assert module.ROUTES[1].view is mod.y


def test_library_that_refuses(project: Any) -> None:
    import shutil

    source = """
        import shutil
        def unpack(path, into): return {0}
        shutil.register_unpack_format("gcremap", [".gcremap"], unpack, [], "version {0}")
    """
    mod = project.load(mod=source.format(1))
    before = [name for name, *_ in shutil.get_unpack_formats()]
    try:
        project.reload(mod=source.format(2))
        assert mod.unpack(1, 2) == 2
        assert ("gcremap", [".gcremap"], "version 2") in shutil.get_unpack_formats()
        assert [name for name, *_ in shutil.get_unpack_formats()] == before
    finally:
        shutil.unregister_unpack_format("gcremap")


def test_an_error_of_the_module_itself_is_no_reason_to_run_it_again(project: Any) -> None:
    mod = project.load(
        mod="import other\n@other.keep\ndef f(): pass\n",
        other="""
        RUNS, KEPT = [], []
        def keep(f): KEPT.append(f); return f
    """,
    )
    import other  # type: ignore[import-not-found]

    with pytest.raises(ZeroDivisionError):
        project.reload(mod="import other\nother.RUNS.append(1)\n@other.keep\ndef f(): pass\n1/0\n")
    assert other.RUNS == [1]
    assert [mod.f] == other.KEPT


def test_several_modules(project: Any) -> None:
    registry = REGISTRIES["dict"]
    one = "from registry import register\n@register\ndef {0}(): return {1}\n"
    project.load(
        one=one.format("one", 1), two="import one\n" + one.format("two", 1), registry=registry
    )
    import one as first  # type: ignore[import-not-found]
    import registry as module
    import two as second  # type: ignore[import-not-found]

    project.reload(one=one.format("one", 2), two="import one\n" + one.format("two", 2))
    assert {"one": first.one, "two": second.two} == module.KNOWN
    assert first.one() == second.two() == 2
    with pytest.raises(ValueError, match="two") as caught:
        project.reload(
            one=one.format("one", 3), two="import one\n" + one.format("two", 3) + "1/0\n"
        )
    [note] = caught.value.__notes__
    assert "ZeroDivisionError: division by zero" in note
    assert {"one": first.one, "two": second.two} == module.KNOWN
    assert module.KNOWN["one"]() == module.KNOWN["two"]() == 2


def test_classes_that_no_name_leads_to_of_a_module_before(project: Any) -> None:
    """Which classes are new is told apart for all modules, though one of them was run twice."""
    kept = "KEPT = {}\ndef keep(cls): KEPT[cls.__name__] = cls\n"
    # Of a name of its own: one of the same that another run has left makes it uncertain.
    name = f"Hidden_{project.identity}"
    one = f"from kept import keep\n@keep\nclass {name}:\n    def m(self): return {{}}\n"
    two = "import one\nfrom registry import register\n@register\ndef two(): return {}\n"
    project.load(kept=kept, registry=REGISTRIES["dict"], one=one.format(1), two=two.format(1))
    import kept as module  # type: ignore[import-not-found]

    held = module.KEPT[name]()
    project.reload(one=one.format(2), two=two.format(2))
    assert held.m() == 2
    assert type(held) is module.KEPT[name]


def test_namespaces_keep_what_they_have_imported(project: Any) -> None:
    """Code that is told of one may have refused for what it found there."""
    registry = """
        KNOWN = {}
        def register(f, space):
            if f.__name__ in KNOWN: raise ValueError(f.__name__)
            assert "kept" in space
            KNOWN[f.__name__] = f
    """
    source = "import registry, user\ndef kept(): return {0}\nregistry.register(kept, vars(user))\n"
    project.write(registry=registry, mod=source.format(1))
    user = project.load(user="kept = 1\n")
    import mod  # type: ignore[import-not-found]
    import registry as module

    user.kept = mod.kept
    project.reload(mod=source.format(2).replace("vars(user)", "user.__dict__"))
    assert {"kept": mod.kept} == module.KNOWN
    assert user.kept is mod.kept
    assert user.kept() == 2


def test_what_a_metaclass_registers_for_a_class(project: Any) -> None:
    """As the tables of SQLAlchemy, which the metadata knows by name."""
    registry = """
        TABLES = {}
        class Table:
            def __init__(self, name):
                if name in TABLES: raise ValueError(name)
                TABLES[name] = self
        class Meta(type):
            def __init__(cls, name, bases, space):
                cls.__table__ = Table(name)
                for each in space.values():
                    if isinstance(each, Column): each.owner, each.table = cls, cls.__table__
        class Column: pass
    """
    source = """
        from registry import Column, Meta
        class A(metaclass=Meta):
            key = Column()
            known = []
            def m(self): return {0}
        class B(metaclass=Meta):
            key = Column()
            def m(self): return 1
    """
    mod = project.load(mod=source.format(1), registry=registry)
    import registry as module  # type: ignore[import-not-found]

    held, known = mod.A(), mod.A.known
    for version in (2, 3):
        project.reload(mod=source.format(version))
        assert {"A": mod.A.__table__, "B": mod.B.__table__} == module.TABLES
        for each in (mod.A, mod.B):
            assert (each.key.owner, each.key.table) == (each, each.__table__)
        assert mod.A.known is known
        assert type(held) is mod.A
        assert held.m() == version
    tables = dict(module.TABLES)
    with pytest.raises(ValueError, match="A"):
        project.reload(mod=source.format(4) + "    1/0\n")
    assert tables == module.TABLES


def test_overloads_are_those_of_the_source(project: Any) -> None:
    source = """
        import typing
        {0}
        class C:
            @typing.overload
            def f(self, x: int) -> int: ...
            @typing.overload
            def f(self, x: str) -> str: ...
            def f(self, x): return x
        {1}
    """
    mod = project.load(mod=source.format("", ""))
    assert len(typing.get_overloads(mod.C.f)) == 2
    project.reload(mod=source.format("N = 1\n        M = 2", ""))
    found = typing.get_overloads(mod.C.f)
    assert [each.__annotations__["x"] for each in found] == [int, str]
    assert [each.__code__.co_firstlineno for each in found] == [5, 7]
    with pytest.raises(ZeroDivisionError):
        project.reload(mod=source.format("", "1 / 0"))
    assert typing.get_overloads(mod.C.f) == found
    project.reload(mod="class C:\n    def f(self, x): return x\n")
    assert typing.get_overloads(mod.C.f) == []


@pytest.mark.parametrize("register", ["REG.register", "REG.inner.register", "register"])
def test_registry_in_an_object_that_stays_gets_what_is_new(project: Any, register: str) -> None:
    """By whatever name, or through what other object, its method is called."""
    source = """
        class Inner:
            __slots__ = ("functions",)
            def __init__(self): self.functions = {{}}
            def register(self, f):
                self.functions[f.__name__] = f
                return f
        class Registry:
            def __init__(self): self.inner, self.listed = Inner(), []
            def register(self, f):
                self.listed.append(f)
                return self.inner.register(f)
        REG = Registry()
        register = REG.register
        add = {0}
        @add
        def one(): return {1}
    """
    more = "    @add\n        def two(): return 2\n"
    mod = project.load(
        mod=source.format(register, 1),
        user="from mod import add\n@add\ndef mine(): return 0\n",
    )
    registry, listed = mod.REG, mod.REG.listed
    project.reload(mod=source.format(register, 2) + more)
    assert mod.REG is registry
    assert mod.add.__self__ in (registry, registry.inner)
    found = registry.inner.functions
    assert {name: f() for name, f in found.items()} == {"one": 2, "mine": 0, "two": 2}
    assert mod.REG.listed is listed
    if "inner" not in register:
        assert listed == list(found.values())


def test_registry_with_two_names_gets_what_is_new_once(project: Any) -> None:
    source = """
        LISTED = []
        ALIAS = LISTED
        def add(f): ALIAS.append(f)
        def one(): return {0}
        add(one)
    """
    mod = project.load(mod=source.format(1))
    listed = mod.LISTED
    project.reload(mod=source.format(2) + "    def two(): return 2\n        add(two)\n")
    assert mod.LISTED is mod.ALIAS is listed
    assert listed == [mod.one, mod.two]

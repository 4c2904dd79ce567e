"""What programs do with what they import: registered in C, handed to frameworks, running."""

from __future__ import annotations

import logging
import sqlite3
import threading
from typing import Any

import pytest


def test_handlers_of_a_named_logger_are_added_once(project: Any) -> None:
    source = """
        import logging
        log = logging.getLogger("gcremap.test.users")
        log.propagate = False
        class Handler(logging.Handler):
            def emit(self, record): SEEN.append({0})
        SEEN = []
        log.addHandler(Handler())
    """
    logger = logging.getLogger("gcremap.test.users")
    try:
        mod = project.load(mod=source.format(1))
        logger.warning("one")
        project.reload(mod=source.format(2))
        logger.warning("two")
        assert mod.SEEN == [1, 2]
    finally:
        logger.handlers.clear()


def test_a_thread_that_a_module_started_is_not_started_twice(project: Any) -> None:
    source = """
        import threading
        STOP, LOG = threading.Event(), []
        def tick(): LOG.append({0})
        def run():
            while not STOP.wait(0.001): tick()
        THREAD = threading.Thread(target=run)
        THREAD.start()
    """
    mod = project.load(mod=source.format(1))
    running = threading.active_count()
    try:
        project.reload(mod=source.format(2))
        assert threading.active_count() == running
        while 2 not in mod.LOG:
            mod.STOP.wait(0.001)
    finally:
        mod.STOP.set()
        mod.THREAD.join()


def test_what_c_code_holds_and_does_not_show_is_updated(project: Any) -> None:
    mod = project.load(mod="def f(x): return x + 1\ndef g(x): return x")
    connection = sqlite3.connect(":memory:")
    connection.create_function("f", 1, mod.f)
    [report] = project.reload(mod="def f(x, y=10): return x + y\ndef g(x): return x")
    assert connection.execute("select f(1)").fetchone() == (11,)
    if project.identity == "replace":
        assert [each for each in report.warnings if "could not be found" in each]
    connection.close()


def test_implementations_that_singledispatch_no_longer_has(project: Any) -> None:
    source = """
        import functools
        class A: pass
        @functools.singledispatch
        def f(x): return "any"
        @f.register
        def _(x: A): return "A {0}"
        @f.register({1})
        def _(x): return "{1}"
    """
    mod = project.load(mod=source.format(1, "int"))
    f, a = mod.f, mod.A()
    assert (f(a), f(1), f("")) == ("A 1", "int", "any")
    project.reload(mod=source.format(2, "str"))
    assert (f(a), f(1), f("")) == ("A 2", "any", "str")


@pytest.mark.parametrize("options", ["", "(slots=True)"])
def test_fields_that_a_dataclass_got(project: Any, options: str) -> None:
    source = """
        from dataclasses import dataclass, field
        @dataclass{0}
        class P:
            x: int
            {1}
    """
    mod = project.load(mod=source.format(options, ""), other="import mod\nclass Q(mod.P): pass")
    import other  # type: ignore[import-not-found]

    held = [mod.P(1), other.Q(2)]
    project.reload(mod=source.format(options, "y: int = 7; z: list = field(default_factory=list)"))
    assert [(each.x, each.y, each.z) for each in held] == [(1, 7, []), (2, 7, [])]
    assert held[0].z is not held[1].z
    assert repr(held[0]) == "P(x=1, y=7, z=[])"


def test_a_generator_goes_on_while_its_function_is_replaced(project: Any) -> None:
    source = "def one(): return {0}\ndef each():\n    while True: yield one(){1}\n"
    mod = project.load(mod=source.format(1, ""))
    running = mod.each()
    assert next(running) == 1
    project.reload(mod=source.format(2, ", 'new'"))
    assert next(running) == 2
    assert next(mod.each()) == (2, "new")


def test_values_made_of_attributes_of_a_reloaded_module(project: Any) -> None:
    project.load(
        config="LIMIT = 1\nNAMES = ['a']\n",
        mod="import config\nTWICE = config.LIMIT * 2\nNAMES = list(config.NAMES)\nSEEN = []\n",
    )
    import config  # type: ignore[import-not-found]
    import mod  # type: ignore[import-not-found]

    mod.SEEN.append(1)
    mod.NAMES.append("mine")
    project.write(config="LIMIT = 10\nNAMES = ['a']\n")
    project.reload("mod", "config")
    assert config.LIMIT == 10
    assert mod.TWICE == 20
    assert mod.SEEN == [1]
    assert mod.NAMES == ["a", "mine"]


def test_an_enum_gets_another_kind_of_member(project: Any) -> None:
    source = "import enum\nclass C(enum.{0}):\n    A = 1\n    B = 2\n"
    mod = project.load(mod=source.format("Enum"))
    held, table = [mod.C.B], {mod.C.A: 1}
    project.reload(mod=source.format("IntEnum"))
    assert held[0] is mod.C.B
    assert held[0] + 1 == 3
    assert table[mod.C.A] == 1


def test_annotations_of_what_did_not_change(project: Any) -> None:
    source = "import typing\nKind = typing.Literal[{0}]\ndef f(x: Kind) -> Kind: ...\n"
    mod = project.load(mod=source.format("'a'"))
    assert mod.f.__annotations__["x"] == mod.Kind
    project.reload(mod=source.format("'a', 'b'"))
    assert mod.f.__annotations__ == {"x": mod.Kind, "return": mod.Kind}
    assert mod.Kind.__args__ == ("a", "b")


def test_what_an_instance_registers_when_it_is_made_is_there_once(project: Any) -> None:
    """The module's own instance stays, and running the source again made another."""
    source = """
        import registry
        class View:
            def __init__(self, name):
                self.name = name
                registry.ALL.append(self)
                registry.CALLBACKS.append(self.show)
            def show(self): return {0}
        view = View("main")
    """
    mod = project.load(mod=source.format(1), registry="ALL, CALLBACKS = [], []\n")
    import registry  # type: ignore[import-not-found]

    other = mod.View("other")
    project.reload(mod=source.format(2))
    assert [mod.view, other] == registry.ALL
    assert [callback() for callback in registry.CALLBACKS] == [2, 2]
    assert [callback.__self__ for callback in registry.CALLBACKS] == [mod.view, other]


def test_keys_with_a_field_that_a_dataclass_got(project: Any) -> None:
    source = """
        from dataclasses import dataclass
        @dataclass(frozen=True, slots=True)
        class P:
            x: int
            {0}
    """
    mod = project.load(mod=source.format(""))
    held = mod.P(1)
    table = {held: "value"}
    project.reload(mod=source.format("y: int = 7"))
    assert table == {mod.P(1, 7): "value"}
    assert type(held) is mod.P


def test_an_application_in_its_module(project: Any) -> None:
    """As with Flask: it is called, and what was added to it is in all references to it."""
    source = """
        from framework import App
        app = App()
        @app.route("/a")
        def a(): return {0}
    """
    framework = """
        class App:
            def __init__(self): self.routes = {}
            def route(self, path):
                def deco(f):
                    self.routes[path] = f
                    return f
                return deco
            def __call__(self, path): return self.routes[path]()
    """
    mod = project.load(
        mod=source.format(1),
        framework=framework,
        server="import mod\nfrom mod import app\nclass Server: app = mod.app\nserver = Server()\n",
    )
    import server  # type: ignore[import-not-found]

    held = [mod.app]
    more = "    @app.route('/b')\n        def b(): return {0}\n"
    project.reload(mod=source.format(2) + more.format(2))
    for app in (mod.app, server.app, server.server.app, *held):
        assert app is mod.app
        assert (app("/a"), app("/b")) == (2, 2)


def test_records_in_a_registry_that_stays(project: Any) -> None:
    source = """
        ROUTES = []
        BY_PATH = {{}}
        class Route:
            def __init__(self, path, view): self.path, self.view = path, view
        def route(path):
            def deco(f):
                ROUTES.append(Route(path, f))
                BY_PATH[path] = {{"view": f}}
                return f
            return deco
        @route("/a")
        def a(): return {0}
    """
    mod = project.load(mod=source.format(1))
    routes, by_path = mod.ROUTES, mod.BY_PATH
    more = "    @route('/b')\n        def b(): return {0}\n"
    for version in (2, 3):
        project.reload(mod=(source + more).format(version))
        assert mod.ROUTES is routes
        assert mod.BY_PATH is by_path
        assert [(each.path, each.view()) for each in routes] == [("/a", version), ("/b", version)]
        assert [each["view"] for each in by_path.values()] == [mod.a, mod.b]
        assert {type(each) for each in routes} == {mod.Route}


def test_a_group_of_commands_made_by_a_decorator(project: Any) -> None:
    """As with click: what is added to it is in all references to it."""
    source = """
        from framework import group
        @group
        def cli(): return 1
        @cli.command
        def a(): return {0}
    """
    framework = """
        class Command:
            def __init__(self, f): self.f = f
            def __call__(self): return self.f()
        class Group(Command):
            def __init__(self, f):
                super().__init__(f)
                self.commands = {}
            def command(self, f):
                self.commands[f.__name__] = Command(f)
                return self.commands[f.__name__]
        group = Group
    """
    mod = project.load(mod=source.format(1), framework=framework, user="from mod import cli, a\n")
    import user  # type: ignore[import-not-found]

    held, first = [mod.cli, mod.a], mod.cli
    project.reload(mod=source.format(2))
    assert mod.cli is user.cli is held[0] is first
    assert user.a() == held[1]() == mod.cli.commands["a"]() == 2
    more = "    @cli.command\n        def b(): return {0}\n"
    for version in (3, 4):
        project.reload(mod=(source + more).format(version))
        assert mod.cli is user.cli is held[0]
        assert mod.a is user.a is held[1] is mod.cli.commands["a"]
        assert [each() for each in mod.cli.commands.values()] == [version, version]
    project.reload(mod=source.format(5))
    assert list(held[0].commands) == ["a"]


@pytest.mark.parametrize("said", ["M", "'M'", "list[M]"])
def test_what_a_metaclass_computes_of_classes_that_changed(project: Any, said: str) -> None:
    """As the validators of pydantic: made of the fields of a class and of those within them."""
    models = """
        class Schema:
            def __init__(self, names): self.names = names
        class Meta(type):
            known = {}
            def __init__(cls, name, bases, space):
                cls.known[name] = cls
                said = " ".join(map(str, getattr(cls, "__annotations__", {}).values()))
                inner = [each for n, each in cls.known.items() if f"{n}" in said and n != name]
                names = {n for n in vars(cls) if n.startswith("field")}
                cls.schema = Schema(names.union(*(each.schema.names for each in inner)))
                cls.made = []
    """
    source = """
        from models import Meta
        class M(metaclass=Meta):
            {0}
        class N(metaclass=Meta):
            m: {1}
        class Outer(metaclass=Meta):
            n: N
        class Apart(metaclass=Meta):
            field_of_mine: int = 1
    """
    mod = project.load(mod=source.format("field_a = 1", said), models=models)
    mod.N.made.append(1)
    apart = mod.Apart.schema
    project.reload(mod=source.format("field_a = field_b = 1", said))
    for each in (mod.M, mod.N, mod.Outer):
        assert each.schema.names == {"field_a", "field_b"}
    assert mod.N.made == [1]
    assert mod.Apart.schema is apart


def test_tables_that_a_metaclass_makes_of_inherited_fields(project: Any) -> None:
    models = """
        class Field: pass
        class Meta(type):
            def __new__(cls, name, bases, space):
                made = super().__new__(cls, name, bases, space)
                own = [k for k, v in space.items() if isinstance(v, Field)]
                made.fields = [*getattr(made, "fields", ()), *own]
                made.seen = []
                return made
    """
    source = """
        from models import Meta, Field
        class User(metaclass=Meta):
            {0}
        class Admin(User):
            level = Field()
    """
    mod = project.load(mod=source.format("name = Field()"), models=models)
    admin = mod.Admin()
    mod.Admin.seen.append(1)
    project.reload(mod=source.format("name = mail = Field()"))
    assert admin.fields == ["name", "mail", "level"]
    project.reload(mod=source.format("mail = Field()"))
    assert admin.fields == ["mail", "level"]
    assert admin.seen == [1]

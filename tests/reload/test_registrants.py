"""What other modules have registered in an object that is made anew stays registered."""

from __future__ import annotations

from typing import Any

import pytest

APP = """
    from collections import deque
    class Route:
        def __init__(self, app, path, call):
            self.app, self.path, self.call = app, path, call
    class App:
        def __init__(self):
            self.routes, self.hooks, self.events, self.last = {{}}, [], {{}}, deque()
            self.seen = set()
        def route(self, path):
            def decorate(function):
                def call():
                    return function()
                self.routes[path] = Route(self, path, call)
                return function
            return decorate
        def hook(self, function):
            self.hooks.append(function)
            self.last.append((function.__name__, function))
            self.seen.add(function)
            return function
        def on(self, event):
            return self.events.setdefault(event, []).append
    app = App()
    @app.route("/")
    def index():
        return {index}
    @app.hook
    def first():
        return "first"
    app.on("start")(first)
    {more}
"""
MORE = """
    @app.route("/new")
    def new():
        return "new"
    @app.hook
    def second():
        return "second"
    app.on("stop")(second)
"""
VIEWS = """
    from app import app
    @app.route("/view")
    def view():
        return {view}
    @app.hook
    def first():
        return "late"
    app.on("start")(view)
    app.on("view")(view)
    class Plugin:
        def handle(self):
            return "handled"
    app.hook(Plugin().handle)
"""


def _shown(app: Any) -> Any:
    assert all(route.app is app for route in app.routes.values())
    assert {each for _, each in app.last} == set(app.hooks) == app.seen
    return (
        {path: route.call() for path, route in app.routes.items()},
        [hook() for hook in app.hooks],
        {event: [each() for each in calls] for event, calls in app.events.items()},
    )


def test_they_stay_where_the_source_registers_more_and_less(project: Any) -> None:
    mod = project.load(app=APP.format(index=1, more=""), views=VIEWS.format(view=1))
    import views

    mod.app.old = True
    project.reload(app=APP.format(index=2, more=MORE.strip()))
    assert views.app is mod.app
    assert not hasattr(mod.app, "old")
    assert _shown(mod.app) == (
        {"/": 2, "/new": "new", "/view": 1},
        ["first", "second", "late", "handled"],
        {"start": ["first", 1], "stop": ["second"], "view": [1]},
    )
    project.reload(views=VIEWS.format(view=2))
    project.reload(app=APP.format(index=3, more=""))
    assert _shown(mod.app) == (
        {"/": 3, "/view": 2},
        ["first", "late", "handled"],
        {"start": ["first", 2], "view": [2]},
    )
    with pytest.raises(ZeroDivisionError):
        project.reload(app=APP.format(index=4, more=MORE.strip()) + "    1 / 0\n")
    assert sorted(_shown(mod.app)[0]) == ["/", "/view"]


def test_modules_that_run_again_register_what_they_have_now(project: Any) -> None:
    mod = project.load(app=APP.format(index=1, more=""), views=VIEWS.format(view=1))
    now = VIEWS.format(view=2).replace('@app.route("/view")', '@app.route("/now")')
    project.reload(app=APP.format(index=2, more=MORE.strip()), views=now.replace("late", "last"))
    assert _shown(mod.app) == (
        {"/": 2, "/new": "new", "/now": 2},
        ["first", "second", "last", "handled"],
        {"start": ["first", 2], "stop": ["second"], "view": [2]},
    )


def test_they_stay_in_what_a_decorator_makes(project: Any) -> None:
    group = """
        class Group:
            def __init__(self, function):
                self.function, self.commands = function, {}
            def command(self, function):
                self.commands[function.__name__] = Group(function)
                return self.commands[function.__name__]
            def __call__(self, name):
                return self.commands[name].function()
    """
    source = """
        from group import Group
        @Group
        def cli(): pass
        @cli.command
        def one():
            return {}
    """
    more = "    @cli.command\n        def two(): return 2\n"
    views = "from app import cli\n@cli.command\ndef three(): return 3\n"
    mod = project.load(app=source.format(1), group=group, views=views)
    import views as others

    project.reload(app=source.format(2))
    for code, names in (more, ["one", "three", "two"]), ("", ["one", "three"]):
        project.reload(app=source.format(4) + code)
        assert others.cli is mod.cli
        assert sorted(mod.cli.commands) == names
        assert (mod.cli("one"), mod.cli("three")) == (4, 3)


def test_what_the_source_itself_took_from_others_goes_with_its_statement(project: Any) -> None:
    """Be it that those import it, too."""
    source = """
        import views
        from helpers import help
        HANDLERS = {{"own": len{more}}}
    """
    mod = project.load(
        mod=source.format(more=", 'view': views.view, 'help': help"),
        views="import mod\ndef view(): pass\ndef other(): pass\n",
        helpers="def help(): pass\ndef unknown(): pass\n",
    )
    import helpers
    import views

    mod.HANDLERS |= {"other": views.other, "unknown": helpers.unknown, "number": 5, "type": int}
    project.reload(mod=source.format(more=""))
    assert {"own": len, "other": views.other} == mod.HANDLERS


def test_they_go_where_the_module_wants_new_values(project: Any) -> None:
    source = "__reload_replace__ = ['H']\nH = {{'a': {}}}\n"
    mod = project.load(mod=source.format(1), views="import mod\n@mod.H.setdefault\ndef v(): pass\n")
    assert len(mod.H) == 2
    project.reload(mod=source.format(2))
    assert mod.H == {"a": 2}

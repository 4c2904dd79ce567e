"""State: what the source defines anew is new, all else stays as the program has made it."""

from __future__ import annotations

import sys
import textwrap
from typing import Any

import pytest

import gcremap


def test_values_whose_definition_is_the_same_stay(project: Any) -> None:
    source = """
        CACHE = {{}}
        count = 0
        LIMIT = {0}
        connection = object()
        def hit():
            global count
            count += 1
    """
    mod = project.load(mod=source.format(10))
    mod.hit()
    mod.CACHE["k"] = "v"
    cache, connection = mod.CACHE, mod.connection
    [report] = project.reload(mod=source.format(20))
    assert mod.CACHE is cache
    assert cache == {"k": "v"}
    assert mod.connection is connection
    assert mod.count == 1
    assert mod.LIMIT == 20
    assert report.updated == ["LIMIT"]
    assert {"CACHE", "connection", "count"} <= {*report.kept}


def test_what_is_computed_from_changed_data_is_computed_anew(project: Any) -> None:
    source = "A = {}\nB = A * 2\nC = [B]\nD = []\n"
    mod = project.load(mod=source.format(1))
    mod.D.append("state")
    project.reload(mod=source.format(2))
    assert (mod.B, mod.C, mod.D) == (4, [4], ["state"])


def test_condition_around_a_value_is_part_of_its_definition(project: Any) -> None:
    source = "FAST = {}\nif FAST:\n    SPEED = 9\nelse:\n    SPEED = 1\n"
    mod = project.load(mod=source.format(False))
    project.reload(mod=source.format(True))
    assert mod.SPEED == 9


def test_statements_that_build_a_value_up_belong_to_its_definition(project: Any) -> None:
    source = "TABLE = {{}}\nTABLE['a'] = {}\nTABLE.update(b=2)\n"
    mod = project.load(mod=source.format(1))
    mod.TABLE["runtime"] = True
    project.reload(mod=source.format(1) + "X = 1\n")
    assert mod.TABLE == {"a": 1, "b": 2, "runtime": True}
    project.reload(mod=source.format(5))
    assert mod.TABLE == {"a": 5, "b": 2}


def test_class_level_state(project: Any) -> None:
    source = "class C:\n    made = 0\n    limit = {0}\n    seen = []\n    def m(self): return {0}\n"
    mod = project.load(mod=source.format(1))
    mod.C.made = 3
    mod.C.seen.append("x")
    project.reload(mod=source.format(2))
    assert (mod.C.made, mod.C.limit, mod.C.seen) == (3, 2, ["x"])


def test_class_becomes_another_object_and_keeps_its_state(project: Any) -> None:
    source = "class C:\n    made = 0\n    __slots__ = {0}\n"
    mod = project.load(mod=source.format("('a',)"))
    mod.C.made = 3
    project.reload(mod=source.format("('a', 'b')"))
    assert mod.C.made == 3


def test_state_replace(project: Any) -> None:
    mod = project.load(mod="CACHE = {}\nclass C:\n    made = 0\n")
    mod.CACHE["k"] = 1
    mod.C.made = 3
    held = mod.C
    gcremap.reload(mod, state="replace")
    assert mod.CACHE == {}
    assert mod.C is held
    assert mod.C.made == 0


def test_class_data_follows_the_constant_it_is_computed_from(project: Any) -> None:
    source = "LIMIT = {}\nclass C:\n    limit = LIMIT * 2\n    seen = []\n"
    mod = project.load(mod=source.format(1))
    mod.C.seen.append(1)
    project.reload(mod=source.format(2))
    assert (mod.C.limit, mod.C.seen) == (4, [1])


def test_module_says_what_to_keep_and_replace(project: Any) -> None:
    source = (
        "__reload_keep__ = ('LEVEL',)\n__reload_replace__ = ('CACHE',)\nLEVEL = {0}\nCACHE = []\n"
    )
    mod = project.load(mod=source.format(1))
    mod.CACHE.append(1)
    mod.LEVEL = 7
    project.reload(mod=source.format(2))
    assert (mod.LEVEL, mod.CACHE) == (7, [])


def test_reload_keep_must_be_names(project: Any) -> None:
    mod = project.load(mod="X = 1\n")
    with pytest.raises(TypeError, match="__reload_keep__"):
        project.reload(mod="__reload_keep__ = 'X'\nX = 2\n")
    assert mod.X == 1


def test_policy_of_a_reloader_by_module_and_name(project: Any) -> None:
    source = "A = {0}\nB = []\nC = []\n"
    mod = project.load(mod=source.format(1))
    mod.B.append(1)
    mod.C.append(1)
    project.write(mod=source.format(2))
    gcremap.Reloader(policies={"mod:A": "keep", "mod:B": "replace"}).reload("mod")
    assert (mod.A, mod.B, mod.C) == (1, [], [1])


def test_names_gone_from_the_source_go_others_stay(project: Any) -> None:
    mod = project.load(mod="import json\nA = 1\ndef f(): pass\nclass C: pass\ndef g(): pass\n")
    mod.patched_in = 1
    [report] = project.reload(mod="def g(): pass\n")
    assert sorted(report.removed) == ["A", "C", "f", "json"]
    assert not {"json", "A", "f", "C"} & vars(mod).keys()
    assert mod.patched_in == 1


def test_name_gone_is_not_seen_by_the_new_source(project: Any) -> None:
    """Code that would fail in a fresh start fails in a reload, and changes nothing."""
    mod = project.load(mod="A = 1\nB = 2\n")
    with pytest.raises(NameError, match="A"):
        project.reload(mod="B = A + 1\n")
    assert (mod.A, mod.B) == (1, 2)


def test_a_builtin_that_the_module_hides_is_seen_until_it_does(project: Any) -> None:
    """As in a fresh start: the old version's own would call itself."""
    source = """
        {0} = {1}
        def print(*values): plain({2}, *values)
        class A:
            text = repr(print)
    """
    said: list[Any] = []
    mod = project.load(mod=source.format("plain", "print", 1))
    for number, names in enumerate(["plain", "other = plain", "plain = third"], 2):
        project.reload(mod=source.format(names, "print", number))
        assert mod.plain is print
    mod.plain = lambda *values: said.append(values)
    mod.print("it")
    assert said == [(4, "it")]
    project.reload(mod="said = print\n__doc__ = 'new'\n")
    assert mod.said is print
    project.reload(mod="said = __doc__, __name__\n")
    assert mod.said == (None, "mod")


def test_a_name_that_hid_a_builtin_in_another_way(project: Any) -> None:
    source = """
        try: license
        except NameError:
            def license(): pass
        else: license = license
    """
    mod = project.load(mod="class license: pass")
    project.reload(mod=source)
    assert mod.license is license


def test_idiom_that_asks_for_the_old_value(project: Any) -> None:
    source = "try:\n    CACHE\nexcept NameError:\n    CACHE = {{}}\nX = {}\n"
    mod = project.load(mod=source.format(1))
    mod.CACHE["k"] = 1
    cache = mod.CACHE
    project.reload(mod=source.format(2))
    assert mod.CACHE is cache
    assert cache == {"k": 1}


def test_registry_that_stays_gets_what_is_new(project: Any) -> None:
    source = """
        HANDLERS = []
        ROUTES = {{}}
        def handler(f):
            HANDLERS.append(f)
            return f
        def route(path):
            def deco(f):
                ROUTES[path] = f
                return f
            return deco
        @handler
        @route("/a")
        def a(): return {0}
    """
    mod = project.load(mod=source.format(1))
    mod.HANDLERS.append("runtime")
    handlers = mod.HANDLERS
    project.reload(
        mod=textwrap.dedent(source).format(2) + "@handler\n@route('/b')\ndef b(): return 2\n"
    )
    assert mod.HANDLERS is handlers
    assert handlers == [mod.a, "runtime", mod.b]
    assert {"/a": mod.a, "/b": mod.b} == mod.ROUTES
    assert mod.a() == 2


def test_changed_data_is_replaced_wherever_it_is_held(project: Any) -> None:
    mod = project.load(mod="TABLE = [1]\nOTHER = TABLE\n")
    held = {"table": mod.TABLE}
    project.reload(mod="TABLE = [2]\nOTHER = TABLE\n")
    assert held["table"] is mod.TABLE
    assert mod.TABLE == [2]
    assert mod.OTHER is mod.TABLE


def test_lookups_are_not_values_of_the_module(project: Any) -> None:
    """`x = get("a")` edited to `x = get("b")` must not turn a into b."""
    mod = project.load(mod="import logging\nlog = logging.getLogger('a')\n")
    import logging

    a = logging.getLogger("a")
    project.reload(mod="import logging\nlog = logging.getLogger('b')\n")
    assert mod.log is logging.getLogger("b")
    assert logging.getLogger("a") is a


def test_kept_value_is_the_one_that_new_code_sees(project: Any) -> None:
    source = """
        CACHE = {{}}
        def f(cache=CACHE): return cache
        class C:
            cache = CACHE
            v = {0}
    """
    mod = project.load(mod=source.format(1))
    cache = mod.CACHE
    cache["k"] = 1
    project.reload(mod=textwrap.dedent(source).format(2) + "def g(cache=CACHE): return cache\n")
    assert mod.f() is cache
    assert mod.g() is cache
    assert mod.C.cache is cache


def test_unchanged_source_changes_nothing(project: Any) -> None:
    source = """
        import enum, dataclasses, functools, typing
        class C:
            x = []
            def m(self): return super().__repr__()
        @dataclasses.dataclass
        class D: x: int = 0
        class E(enum.Enum): A = 1
        class Point(typing.NamedTuple): x: int
        class P(Point, enum.Enum): A = 1
        class F(enum.Flag): B, A = 2, 1
        class Wide:
            @property
            def size(self): return 1
            @size.setter
            def size(self, value): super(Wide, Wide).size.__set__(self, value)
        @functools.lru_cache
        def f(x=C): return x
        g = lambda: 1
        L = [1]
        inst = C()
        class Shy: pass
        late = {"shy": globals().pop("Shy")}
        def __getattr__(name):
            globals()[name] = late[name.lower()]
            return globals()[name]
    """
    mod = project.load(mod=source)
    mod.f()
    assert mod.Shy.__name__ == "Shy"
    before = dict(vars(mod))
    members = {name: dict(vars(mod.__dict__[name])) for name in "CDE"}
    [report] = project.reload("mod")
    for name, value in before.items():
        if not name.startswith("__"):
            assert vars(mod)[name] is value, name
    assert report.updated == []
    assert mod.f.cache_info().currsize == 1
    for name in "CE":
        now = vars(vars(mod)[name])
        assert all(now[key] is value for key, value in members[name].items() if key[0] != "_")


def test_list_of_a_class_that_changed_is_new_wherever_it_is_held(project: Any) -> None:
    source = """
        class C:
            kinds = ["plain"{0}]
            same = ["stays"]
            __slots__ = ["a"]
            class Inner:
                table = {{"a": 1{1}}}
    """
    mod = project.load(
        mod=source.format("", ""),
        user="from mod import C\nkinds, same, table = C.kinds, C.same, C.Inner.table\n",
    )
    user = sys.modules["user"]
    user.same.append("and grows")
    same = user.same
    project.reload(mod=source.format(", 'gift'", ", 'b': 2"))
    assert user.kinds is mod.C.kinds
    assert user.kinds == ["plain", "gift"]
    assert user.table is mod.C.Inner.table
    assert user.table == {"a": 1, "b": 2}
    assert user.same is mod.C.same is same
    assert same == ["stays", "and grows"]


def test_list_of_a_class_is_the_old_one_again_if_the_reload_fails(project: Any) -> None:
    source = "class C:\n    kinds = {}\ndef __after_reload__(previous): {}\n"
    mod = project.load(mod=source.format("[1]", "pass"))
    held = [mod.C.kinds]
    with pytest.raises(ZeroDivisionError):
        project.reload(mod=source.format("[2]", "1 / 0"))
    assert held[0] is mod.C.kinds
    assert held == [[1]]


def test_values_that_cannot_be_asked_what_they_are(project: Any) -> None:
    """Django's settings before they are configured, Werkzeug's request outside of one."""
    shy = """
        class Shy:
            def __getattribute__(self, name): raise RuntimeError(name)
        lists = [(1, Shy())]
    """
    source = """
        from shy import Shy, lists
        class C:
            here = Shy()
            def f(self, x=Shy()): return {0}
        def register(f):
            lists.append((f, Shy()))
            return f
        @register
        def f(x=Shy()): return {0}
        here = Shy()
        table = {{1: Shy(), f: Shy()}}
    """
    mod = project.load(mod=source.format(1), shy=shy)
    project.reload(mod=source.format(2))
    assert mod.f() == mod.C().f() == 2
    project.reload("mod", "shy")


def test_private_names_of_a_class_are_state_too(project: Any) -> None:
    source = """
        class C:
            __cache = {{}}
            __size = __limit = 10
            def add(self, key): self.__cache[key] = {0}; return self.__cache
    """
    mod = project.load(mod=source.format(1))
    cache = mod.C().add("a")
    mod.C._C__limit = 20
    project.reload(mod=source.format(2))
    assert mod.C().add("b") is cache
    assert cache == {"a": 1, "b": 2}
    assert mod.C._C__limit == 20


def test_class_that_says_what_class_its_instances_are_of(project: Any) -> None:
    source = """
        class Proxy:
            def __init__(self, of): self.of = of
            __class__ = property(lambda self: type(self.of){1})
            def f(self): return {0}
    """
    mod = project.load(mod=source.format(1, ""))
    proxy = mod.Proxy([])
    project.reload(mod=source.format(2, ""))
    assert isinstance(proxy, list)
    assert proxy.f() == 2
    project.reload(mod=source.format(3, ".__base__"))
    assert proxy.__class__ is object
    assert proxy.f() == 3


def test_list_made_by_an_expression_is_new_wherever_it_is_held(project: Any) -> None:
    source = "N = {0}\none = [1] if N == 1 else [2]\nmore = [N] * 2\nlast = sorted({{N, 0}})\n"
    mod = project.load(mod=source.format(1))
    held = (mod.one, mod.more, mod.last)
    holder = [held]
    project.reload(mod=source.format(2))
    assert holder[0] == ([2], [2, 2], [0, 2])
    assert holder[0][0] is mod.one


def test_a_dict_that_refuses_changes_stays_as_it_is(project: Any) -> None:
    source = """
        from frozen import Frozen
        def f(): pass
        TABLE = Frozen({name: value for name, value in list(globals().items()) if name in "fg"})
    """
    frozen = """
        class Frozen(dict):
            def __setitem__(self, key, value): raise TypeError("it is frozen")
    """
    mod = project.load(mod=source, frozen=frozen)
    project.reload(mod=source.replace("TABLE", "def g(): pass\n        TABLE", 1))
    assert mod.TABLE["f"] is mod.f
    assert callable(mod.g)


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("class C(enum.Enum):", "class C:", 1),
        ("@stripped\nclass C:", "class C:", 1),
        ("class C:", "@stripped\nclass C:", "1"),
    ],
)
def test_value_that_another_decorator_or_metaclass_has_made(
    project: Any, before: str, after: str, wanted: object
) -> None:
    head = "import enum\ndef stripped(cls):\n    cls.x = str(cls.x)\n    return cls\n"
    mod = project.load(mod=f"{head}{before}\n    x = 1\n")
    project.reload(mod=f"{head}{after}\n    x = 1\n")
    assert mod.C.x == wanted


def test_values_computed_from_containers_and_objects_that_changed(project: Any) -> None:
    source = """
        import helper
        class Box:
            def __init__(self, n): self.n = n
        numbers = [{0}, 2]
        box = Box({0})
        total = sum(numbers) + box.n
        same = sorted([3, 4])
        count = len(same)
        seen = helper.note(same)
        class C:
            inner = [n * {0} for n in range(3)]
            total = sum(inner)
    """
    helper = "notes = []\ndef note(x):\n    notes.append(x)\n    return object()\n"
    mod = project.load(mod=source.format(1), helper=helper)
    seen, held = mod.seen, [mod.numbers]
    project.reload(mod=source.format(10))
    assert (mod.total, mod.C.total, mod.count) == (22, 30, 2)
    assert held == [[10, 2]]
    assert mod.seen is seen


def test_values_computed_from_names_that_are_taken_away(project: Any) -> None:
    source = """
        base = {0}
        step = base + 1
        limits = [step * 2]
        other = [base for _ in "ab"]
        same = list("ab")
        del base, step
    """
    mod = project.load(mod=source.format(1), user="from mod import limits, other\n")
    same = mod.same
    project.reload(mod=source.format(2))
    user = sys.modules["user"]
    assert mod.limits is user.limits
    assert mod.limits == [6]
    assert mod.other == user.other == [2, 2]
    assert mod.same is same
    mod.limits.append(7)
    project.reload(mod=source.format(2) + "\n        more = 1\n")
    assert mod.limits == [6, 7]


def test_what_a_decorator_registered_goes_with_its_definition(project: Any) -> None:
    source = """
        import functools
        LIST, ROUTES, NAMES, SET, APPS = [], {{}}, {{}}, set(), []
        class App:
            def __init__(self): self.handlers = []
        app = App()
        APPS.append(app)
        class Command:
            def __init__(self, f): self.f = f
        def register(f):
            LIST.append(f)
            SET.add(f)
            ROUTES[f.__name__] = (f, "GET")
            app.handlers.append(f)
            return f
        def named(f):
            @functools.wraps(f)
            def wrapper(): return f()
            NAMES[f.__name__] = wrapper
            LIST.append(Command(f))
            return wrapper
        {0}
        def plain(): return {1}
        @register
        def last(): return {1}
    """
    both = """
        @register
        def first(): return 1
        @register
        class Second: pass
        @named
        def third(): return 1
    """
    mod = project.load(mod=textwrap.dedent(source).format(textwrap.dedent(both), 1))
    mod.LIST += ["runtime", mod.plain]
    containers = [mod.LIST, mod.ROUTES, mod.NAMES, mod.SET, mod.APPS]
    project.reload(mod=textwrap.dedent(source).format("", 2))
    assert containers == [mod.LIST, mod.ROUTES, mod.NAMES, mod.SET, mod.APPS]
    assert [mod.last, "runtime", mod.plain] == mod.LIST
    assert {"last": (mod.last, "GET")} == mod.ROUTES
    assert mod.NAMES == {}
    assert {mod.last} == mod.SET
    assert [mod.app] == mod.APPS
    broken = textwrap.dedent(source).format("", 3).replace("@register", "")
    with pytest.raises(ZeroDivisionError):
        project.reload(mod=broken + "1 / 0\n")
    assert containers[0] == [mod.last, "runtime", mod.plain]
    project.reload(mod=broken.replace("def plain(): return 3", ""))
    assert containers[0][0] == "runtime"
    assert containers[0][1]() == 2  # the program has put it there


@pytest.mark.parametrize("kind", ["class X: pass", "def X(): pass", "class X: __slots__ = ()"])
@pytest.mark.parametrize("how", ["X.{0} = {1}", "setattr(X, '{0}', {1})"])
def test_attributes_that_statements_set(project: Any, kind: str, how: str) -> None:
    def source(*numbers: int, again: str = "") -> str:
        lines = [how.format(name, value) for name, value in zip("abc", numbers, strict=False)]
        return "\n".join([kind, *lines, again])

    mod = project.load(mod=source(1, 1, 1), user="from mod import X\n")
    mod.X.a, mod.X.other = 10, 11
    project.reload(mod=source(1, 2))
    held = sys.modules["user"].X
    assert held is mod.X
    assert (held.a, held.b, held.other) == (10, 2, 11)
    assert not hasattr(held, "c")
    project.reload(mod=source(1, 2, 3, again="more = 1"))
    assert (held.a, held.b, held.c) == (10, 2, 3)
    with pytest.raises(ZeroDivisionError):
        project.reload(mod=source(5, 6, again="1 / 0"))
    assert (held.a, held.b, held.c) == (10, 2, 3)
    project.reload(mod=source(5, 6))
    assert (mod.X.a, mod.X.b, mod.X.other) == (5, 6, 11)
    assert not hasattr(mod.X, "c")


def test_value_computed_from_one_that_becomes_a_function(project: Any) -> None:
    source = (
        "def make(): return lambda: 1\nf = {0}\npair = (1, f)\nhandler = None\nkept = [handler]\n"
    )
    mod = project.load(mod=source.format("2"))
    mod.handler, kept = len, mod.kept
    project.reload(mod=source.format("make()"))
    assert mod.pair[1] is mod.f
    assert mod.kept is kept
    project.reload(mod=source.format("3"))
    assert mod.pair == (1, 3)
    assert mod.handler is len


def test_attributes_that_are_computed_of_what_changed(project: Any) -> None:
    source = """
        DOC = "{0} %s"
        OTHER = "other"
        def f(): return 1
        f.__doc__ = DOC % "f"
        f.note = DOC % "note"
        f.calls = 0
        class C: pass
        C.__doc__ = DOC % "C"
        C.label = DOC % "label"
        C.count = len(OTHER)
    """
    mod = project.load(mod=source.format(1))
    mod.f.calls = mod.C.count = 7
    for n in (2, 3):
        project.reload(mod=source.format(n))
        assert (mod.f.__doc__, mod.f.note, mod.f.calls) == (f"{n} f", f"{n} note", 7)
        assert (mod.C.__doc__, mod.C.label, mod.C.count) == (f"{n} C", f"{n} label", 7)


@pytest.mark.parametrize("more", ["", '__all__ += ["g"]', 'if {0}: __all__.append("h")'])
def test_names_for_a_star_that_are_added_to(project: Any, more: str) -> None:
    source = """
        import math
        def names_of(module): return [name for name in dir(module) if name[0] != "_"]
        __all__ = ["f"]
        __all__.extend(names_of(math))
        {1}
        def f(): return {0}
        def g(): pass
        def h(): pass
    """
    mod = project.load(mod=source.format(1, more.format(1)))
    names = list(mod.__all__)
    assert "floor" in names
    project.reload(mod=source.format(2, more.format(2)))
    assert mod.__all__ == names
    project.reload(mod=source.format(0, more.format(0)))
    assert mod.__all__ == (names[:-1] if "if" in more else names)


def test_object_of_another_class_takes_the_place_wherever_it_is_held(project: Any) -> None:
    source = """
        class Plain:
            def say(self): return "plain"
        class Loud:
            def say(self): return "loud"
        handler = {0}()
        handlers = {{"first": handler}}
        chain = [handler]
    """
    mod = project.load(
        mod=source.format("Plain"), user="from mod import handler\nrows = [handler]\n"
    )
    import user

    bound, keys = mod.handler.say, {mod.handler: 1}
    for edit in ("Loud", "Plain"):
        project.reload(mod=source.format(edit))
        held = [user.handler, *user.rows, *mod.chain, mod.handlers["first"], *keys, bound.__self__]
        assert all(each is mod.handler for each in held)
        assert type(mod.handler) is getattr(mod, edit)
    project.reload(mod=source.format("int"))
    assert (mod.handler, user.handler) == (0, 0)

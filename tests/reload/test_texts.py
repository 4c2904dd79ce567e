"""What five texts about reloading promise, and what they could not do: each is a case here.

The texts are Peter Ingebretson's proposal of gc.remap() (python-dev, October 2010); the blog
series "A custom namespacing system for Python", parts on code reloading (2009); the article
on the reload mechanism of PocketPy (2025); "Python Talk 2 - Python 3.12 Hot Update"
(Disenone's wiki); and "Easy, Automated Reloading in Python" (Luke Campagnola).
"""

from __future__ import annotations

import collections
import gc
import math
import sys
import threading
import types
from typing import Any

import pytest

import gcremap

# Peter Ingebretson, "Adding a gc.remap() function".


def test_gc_remap_replaces_all_references_in_place() -> None:
    """Ingebretson: gc.remap() "find[s] all references to any keys in a provided mapping, and
    remaps these references in-place"; where traversals show "aliased pointers" rather than
    members, as those of deques and instances did, the members are found all the same."""

    class Holder:
        pass

    old, new, other = Holder(), Holder(), Holder()
    other.attribute = old  # type: ignore[attr-defined]
    holders: list[Any] = [
        [old], (old,), {"key": old}, {old: 1}, {old}, frozenset([old]), collections.deque([old]),
        types.MethodType(print, old), types.SimpleNamespace(old=old), other,
    ]  # fmt: skip
    identities = list(map(id, holders))
    gcremap.remap({old: new}, frames=False)
    assert list(map(id, holders)) == identities
    assert [slot.path[:6] for slot in gcremap.referrers(old)] == ["<local"]  # `old` here
    holders[-2:] = [list(vars(each).values()) for each in holders[-2:]]
    shown = [gc.get_referents(each) for each in holders]
    assert all(any(part is new for part in parts) for parts in shown)


def test_gc_remap_instances_and_from_imports_are_not_stale(project: Any) -> None:
    """Ingebretson: "instances ... will continue to reference the old versions of the classes,
    and other modules that imported elements ... using from ... import ... will continue to
    refer to the stale version"."""
    source = "class C:\n    def m(self): return {0}\ndef f(): return {0}\n"
    mod = project.load(mod=source.format(1), other="from mod import C, f\n")
    import other  # type: ignore[import-not-found]

    c = other.C()
    project.reload(mod=source.format(2))
    assert type(c) is mod.C is other.C
    assert c.m() == other.f() == 2


def test_gc_remap_dictionaries_are_rehashed(project: Any) -> None:
    """Ingebretson: "it does not rehash dictionaries that have been invalidated"."""
    source = "class C: v = {0}\ndef f(): return {0}\n"
    mod = project.load(mod=source.format(1))
    table = {mod.C: "C", mod.f: "f", (mod.C, mod.f): "both", frozenset([mod.C]): "set"}
    project.reload(mod=source.format(2))
    assert table[mod.C] == "C"
    assert table[mod.f] == "f"
    assert table[mod.C, mod.f] == "both"
    assert table[frozenset([mod.C])] == "set"


def test_gc_remap_custom_hooks(project: Any) -> None:
    """Ingebretson: "it does not support custom reload hooks"."""
    source = "LOG = []\ndef __after_reload__(previous): LOG.append(previous['V'])\nV = {}\n"
    mod = project.load(mod=source.format(1))
    project.reload(mod=source.format(2))
    assert mod.LOG == [1]


def test_gc_remap_new_init_can_reach_old_instances(project: Any) -> None:
    """Ingebretson: "if an init function has been changed the new init will not be run on old
    instances": it is not, and `__reloaded__` is where to say what should be."""
    mod = project.load(mod="class C:\n    def __init__(self): self.x = 1\n")
    plain = mod.C()
    project.reload(
        mod="class C:\n    def __init__(self): self.x, self.y = 1, 2\n"
        "    def __reloaded__(self, old_class): self.y = 2\n"
    )
    assert vars(plain) == {"x": 1, "y": 2}


# "A custom namespacing system for Python": code reloading.


def test_namespaces_existing_instance_runs_new_code(project: Any) -> None:
    """Namespacing series: after overwriting, `baseObjectBeforeReload.PrintClassName()` still
    gives "(original)", and the two instances have different classes."""
    source = "class BaseObject:\n    def name(self): return '{}'\n"
    game: dict[str, Any] = {"__name__": "game"}
    project.write(example=source.format("original"))
    path = project.root / "example.py"
    gcremap.exec_file(path, game)
    before = game["BaseObject"]()
    project.write(example=source.format("reloaded"))
    gcremap.exec_file(path, game)
    after = game["BaseObject"]()
    assert type(before) is type(after)
    assert before.name() == after.name() == "reloaded"


def test_namespaces_subclass_calls_its_base_by_namespace(project: Any) -> None:
    """Namespacing series: `TypeError: unbound method TokenFunction() must be called with
    BaseObject instance`, since the base by name is not the base of the subclass any more."""
    base = "class BaseObject:\n    def token(self): return {0}\n"
    mod = project.load(
        game=base.format(1),
        example2="import game\nclass Object(game.BaseObject):\n"
        "    def token(self): return (game.BaseObject.token(self), super().token())\n",
    )
    import example2  # type: ignore[import-not-found]

    instance = example2.Object()
    project.reload(game=base.format(2))
    assert instance.token() == (2, 2)
    assert example2.Object.__bases__ == (mod.BaseObject,)


def test_namespaces_reference_stored_before_the_reload(project: Any) -> None:
    """Namespacing series: "If existing references to the old version of the class are stored
    directly before the reload and used after it, the error can still occur"."""
    base = "class BaseObject:\n    def token(self): return {0}\n"
    game = project.load(
        game=base.format(1),
        example2="import game\nBaseObject = game.BaseObject\nTABLE = {'b': BaseObject}\n"
        "class Object(BaseObject):\n    def token(self): return BaseObject.token(self)\n",
    )
    import example2

    instance, stored = example2.Object(), game.BaseObject
    project.reload(game=base.format(2))
    assert instance.token() == 2
    assert stored is game.BaseObject is example2.BaseObject is example2.TABLE["b"]
    assert issubclass(example2.Object, stored)


def test_namespaces_own_reference_is_no_way_to_keep_the_old_version(project: Any) -> None:
    """Namespacing series: whoever wants the same version "needs to keep their own reference".
    Every reference follows; the namespace given to `__after_reload__` has the old version."""
    source = "KEPT = []\ndef __after_reload__(old): KEPT.append(old['f'])\ndef f(): return {}\n"
    mod = project.load(mod=source.format(1))
    own = mod.f
    project.reload(mod=source.format(2))
    assert own() == 2
    assert mod.KEPT[0]() == 1


def test_namespaces_own_reference_to_a_class_is_none_either(project: Any) -> None:
    """Namespacing series: whoever wants "to create instances from older versions of the class"
    takes a reference to it before. `__after_reload__` is given the older version."""
    source = "KEPT = []\ndef __after_reload__(old): KEPT.append(old['C'])\nclass C:\n    v = {}\n"
    mod = project.load(mod=source.format(1))
    own = mod.C
    project.reload(mod=source.format(2))
    assert own().v == 2
    assert mod.KEPT[0]().v == 1


def test_namespaces_function_accessed_by_the_namespace(project: Any) -> None:
    """Namespacing series: "If each time a function is called it is accessed via the namespace,
    the newest version of the function will be the one which is called"."""
    game: dict[str, Any] = {"__name__": "game"}
    path = project.root / "example.py"
    for version in range(3):
        project.write(example=f"def f(): return {version}\n")
        gcremap.exec_file(path, game)
        assert game["f"]() == version


def test_namespaces_reload_on_file_change(project: Any) -> None:
    """Namespacing series: "This can easily be hooked up to file change events"."""
    mod = project.load(mod="def f(): return 1\n")
    reloaded = threading.Event()
    reloader = gcremap.Reloader(identity=project.identity)

    def report(outcome: gcremap.Outcome) -> None:
        if outcome.modules == [mod]:
            reloaded.set()

    with gcremap.watch(project.root, reloader=reloader, report=report):
        project.write(mod="def f(): return 2\n")
        assert reloaded.wait(60)
    assert mod.f() == 2


def test_namespaces_references_which_cannot_be_replaced(project: Any) -> None:
    """Namespacing series: replacing references by gc.get_referrers() works for `__bases__` and
    global dictionaries, "but there are references which cannot be replaced"."""
    source = "class C:\n    v = {}\n"
    mod = project.load(
        mod=source.format(1),
        other="""
            from mod import C
            PAIR, FROZEN = (C, 1), frozenset([C])
            def make(cls): return lambda: cls
            def default(cls=C): return cls
            def generate(cls):
                while True: yield cls
            closure, generator, bound = make(C), generate(C), C().__init__
            next(generator)
        """,
    )
    import other

    project.reload(mod=source.format(2))
    held = [
        other.PAIR[0], *other.FROZEN, other.closure(), other.default(), next(other.generator),
        type(other.bound.__self__),
    ]  # fmt: skip
    assert [each.v for each in held] == [2] * 6
    assert all(each is mod.C for each in held)


# "The reload mechanism of PocketPy".


def test_pocketpy_module_object_and_its_dict_stay(project: Any) -> None:
    """PocketPy: the module object stays valid, its `__dict__` is cleared and filled anew."""
    mod = project.load(mod="A = 1\nB = 2\n")
    namespace = vars(mod)
    project.reload(mod="A = 3\n")
    assert sys.modules["mod"] is mod
    assert vars(mod) is namespace
    assert mod.A == 3
    assert not hasattr(mod, "B")


def test_pocketpy_imported_type_follows_whichever_module_is_reloaded(project: Any) -> None:
    """PocketPy: "reloading only the using module does not update the type it imported; the
    module it depends on has to be reloaded first", and old instances keep their type."""
    util = "class A:\n    v = {}\n"
    project.load(util=util.format(1), script="from util import A\ndef get_a_id(): return id(A)\n")
    import script  # type: ignore[import-not-found]
    import util as util_module  # type: ignore[import-not-found]

    a = util_module.A()
    project.reload("script")
    assert script.get_a_id() == id(util_module.A)
    project.reload(util=util.format(2))
    assert script.get_a_id() == id(util_module.A)
    assert type(a) is util_module.A
    project.reload("script", "util", util=util.format(3))
    assert script.get_a_id() == id(util_module.A)
    assert a.v == 3


def test_pocketpy_old_classes_are_freed(project: Any) -> None:
    """PocketPy: "every reload leaves the old class behind, until the type slots are used up"."""
    gc.collect()  # the classes of other tests
    source = "class A:\n    v = {0}\nclass B(A): pass\n"
    mod = project.load(mod=source.format(0))
    for version in range(1, 10):
        project.reload(mod=source.format(version))
    assert project.subclasses(object) == [mod.A]
    assert project.subclasses(mod.A) == [mod.B]


def test_pocketpy_old_and_new_instances_are_of_one_type(project: Any) -> None:
    """PocketPy: "redefining a class makes instances of the old one incompatible with it"; "be
    aware that instances of the old and the new type may exist side by side"."""
    source = "class A:\n    v = {0}\n    def __eq__(self, o): return isinstance(o, A)\n"
    mod = project.load(util=source.format(1))
    old = mod.A()
    project.reload(util=source.format(2))
    new = mod.A()
    assert type(old) is type(new)
    assert old == new
    assert new == old


def test_pocketpy_source_runs_into_the_old_module(project: Any) -> None:
    """PocketPy: "run the code with py_exec in a new context, with the old module as output"."""
    mod = project.load(mod="def f(): return 1\n")
    f = mod.f
    path = project.root / "more.py"
    path.write_text("class A: pass\ndef f(): return 2\n")
    gcremap.exec_file(path, mod)
    a = mod.A()
    path.write_text("class A: v = 3\ndef f(): return 3\n")
    gcremap.exec_file(path, mod)
    assert sys.modules["mod"] is mod
    assert (mod.f(), a.v) == (3, 3)
    assert f() in (1, 3)  # whether a first file replaces or adds is its business


# "Python Talk 2 - Python 3.12 Hot Update".


def test_hot_update_hotfix_of_data(project: Any) -> None:
    """Hot Update: `weapon_data.gun.damage = 100`, and "if other code refers to the data"?"""
    weapons = project.load(
        weapondata="class Gun: damage = 1\ngun = Gun()\nLIMIT = 5\n",
        attack="from weapondata import gun, LIMIT\ndef hit(): return gun.damage, LIMIT\n",
    )
    import attack  # type: ignore[import-not-found]

    with gcremap.patch("weapondata:gun.damage", 100), gcremap.patch("weapondata:LIMIT", 9):
        assert attack.hit() == (weapons.gun.damage, weapons.LIMIT) == (100, 9)
    assert attack.hit() == (1, 5)


def test_hot_update_new_content_by_the_old_module(project: Any) -> None:
    """Hot Update: "keep references to the old module, and let the new content be accessed by
    the old module"; after importlib.reload "what is accessed is still the old one"."""
    source = "LEVEL = {0}\ndef f(): return {0}\nclass C:\n    v = {0}\n"
    player = project.load(player=source.format(1), attack="import player as p\nheld = [p]\n")
    import attack

    project.reload(player=source.format(2))
    assert attack.p is attack.held[0] is player is sys.modules["player"]
    assert (attack.p.LEVEL, attack.p.f(), attack.p.C.v) == (2, 2, 2)


def test_hot_update_what_has_no_shell_is_the_new(project: Any) -> None:
    """Hot Update: of builtins, modules and method descriptors the new reference is kept."""
    source = "import {0} as module\nfrom math import {1} as builtin\nmethod = str.{2}\n"
    mod = project.load(mod=source.format("json", "sin", "upper"))
    project.reload(mod=source.format("math", "cos", "lower"))
    assert mod.module is math
    assert mod.builtin is math.cos
    assert mod.method is str.lower


def test_hot_update_all_of_a_function(project: Any) -> None:
    """Hot Update: "for a function, `__code__`, `__dict__` and such are to be updated"."""
    source = "def f(a={0}, *, b={0}) -> 'r{0}':\n    'd{0}'\n    return a, b, {0}\nf.mark = {0}\n"
    mod = project.load(mod=source.format(1))
    held = {"f": mod.f}
    project.reload(mod=source.format(2))
    f = held["f"]
    assert f() == (2, 2, 2)
    assert (f.mark, f.__doc__, f.__annotations__) == (2, "d2", {"return": "r2"})


def test_hot_update_an_exception_is_not_swallowed(project: Any) -> None:
    """Hot Update: an exception while objects are replaced goes to sys.excepthook, with what was
    done so far left as it is."""
    source = "def f(): return {0}\nclass C:\n    v = {0}\n    def __reloaded__(self, old): {1}\n"
    mod = project.load(mod=source.format(1, "pass"))
    c = mod.C()
    with pytest.raises(ZeroDivisionError):
        project.reload(mod=source.format(2, "1 / 0"))
    assert (mod.f(), c.v, type(c) is mod.C) == (1, 1, True)


def test_hot_update_copies_of_functions(project: Any) -> None:
    """Hot Update: "fire_func was copied to another module; what is called there is the copy,
    which a hotfix of the original does not reach"."""
    player = project.load(
        player="class Player:\n    hp = 100\n    def fire_func(self, t): t.hp -= 1\n",
        attack="import player\nplayer_fire = player.Player.fire_func\n"
        "def attack(p, t): player_fire(p, t)\n",
    )
    import attack

    target = player.Player()
    gcremap.patch("player:Player.fire_func", lambda self, t: setattr(t, "hp", t.hp - 50))
    attack.attack(player.Player(), target)
    assert target.hp == 50
    project.reload(player="class Player:\n    hp = 100\n    def fire_func(self, t): t.hp -= 7\n")
    attack.attack(player.Player(), target)
    assert target.hp == 43


def test_hot_update_data_is_replaced_or_kept_on_demand(project: Any) -> None:
    """Hot Update: "replace data automatically, and control which is": base values of weapons
    are to change, the level of a player is not."""
    source = """
        __reload_keep__ = ("PLAYER_LEVEL",)
        GUN = {{"damage": {0}}}
        PLAYER_LEVEL = {0}
    """
    mod = project.load(mod=source.format(1))
    mod.PLAYER_LEVEL = 30
    gun = [mod.GUN]
    project.reload(mod=source.format(100))
    assert mod.PLAYER_LEVEL == 30
    assert mod.GUN == {"damage": 100}
    assert gun[0] is mod.GUN


def test_hot_update_which_modules_are_reloaded_is_under_control(project: Any) -> None:
    """Hot Update: "the modules to be reloaded can be controlled"."""
    project.load(game="X = 1\n", engine="X = 1\n")
    project.write(game="X = 2\n", engine="X = 2\n")
    reloader = gcremap.Reloader(["game"])
    assert [report.module.__name__ for report in reloader.reload()] == ["game"]
    assert (sys.modules["game"].X, sys.modules["engine"].X) == (2, 1)


def test_hot_update_functions_gone_are_deleted(project: Any) -> None:
    """Hot Update: ReloadDict deletes what is not in the new module only when it is told to."""
    mod = project.load(mod="def a(): pass\ndef b(): pass\nclass C:\n    def m(self): pass\n")
    project.reload(mod="def a(): pass\nclass C: pass\n")
    assert not hasattr(mod, "b")
    assert not hasattr(mod.C, "m")


@pytest.mark.parametrize(
    "decorator", ["", "@classmethod", "@staticmethod", "@property"], ids=str.strip
)
def test_hot_update_each_kind_of_member(project: Any, decorator: str) -> None:
    """Hot Update: functions, methods, class and static methods keep their shells; a property
    is the new one, so one that is held elsewhere is stale."""
    source = "class C:\n    {0}\n    def m(*args): return {1}\n"
    mod = project.load(mod=source.format(decorator, 1))
    held = vars(mod.C)["m"]
    table = [held]
    project.reload(mod=source.format(decorator, 2))
    assert table[0] is vars(mod.C)["m"]
    assert (mod.C().m if decorator == "@property" else mod.C().m()) == 2


def test_hot_update_closure_of_a_wrapper_changes_shape(project: Any) -> None:
    """Hot Update's test: a wrapped function returns (0, 0), and (1, 1, 1) after the reload."""
    source = "def deco(f):\n    {0}\n    def w(): return ({1}, f())\n    return w\n@deco\n"
    mod = project.load(mod=source.format("x = 0", "x") + "def func(): return 0\n")
    func = mod.func
    project.reload(mod=source.format("y = z = 1", "y, z") + "def func(): return 1\n")
    assert func() == mod.func() == (1, 1, 1)


# Luke Campagnola, "Easy, Automated Reloading in Python".


def test_easy_reloading_everything_that_changed_in_any_order(project: Any) -> None:
    """Campagnola: reloadAll reloads "anything that has a new .py file available", and "it is
    not required to reload any modules in the correct order, nor to re-import anything"."""
    project.load(
        auser="from blib import f, C\ndef g(): return (f(), C().m())\n",
        blib="def f(): return 1\nclass C:\n    def m(self): return 1\n",
    )
    import auser  # type: ignore[import-not-found]

    g, c = auser.g, auser.C()
    project.write(
        auser="from blib import f, C\ndef g(): return ('new', f(), C().m())\n",
        blib="def f(): return 2\nclass C:\n    def m(self): return 2\n",
    )
    reports = gcremap.reload_all()
    assert [report.module.__name__ for report in reports] == ["blib", "auser"]
    assert g() == ("new", 2, 2)
    assert c.m() == 2


def test_easy_reloading_references_to_data(project: Any) -> None:
    """Campagnola: "explicit references to objects in the module other than classes and
    functions (references to lists, for example) will still point to the old objects"; "avoid
    using from ... import ... at all costs"."""
    project.load(
        lib="LIST = [1]\nN = 1\n",
        user="from lib import LIST, N\nimport lib\nclass K:\n    items = lib.LIST\n",
    )
    import lib  # type: ignore[import-not-found]
    import user  # type: ignore[import-not-found]

    held = {"list": lib.LIST}
    project.reload(lib="LIST = [2]\nN = 2\n")
    assert user.LIST is lib.LIST is held["list"] is user.K.items
    assert user.LIST == [2]
    assert user.N == 2


def test_easy_reloading_old_instances_use_new_methods(project: Any) -> None:
    """Campagnola: "find all instances of the class and set __class__ to the new version"."""
    source = "class C:\n    def m(self): return {0}\nclass D(C): pass\n"
    mod = project.load(mod=source.format(1))
    instances = [mod.C(), mod.D()]
    methods = [each.m for each in instances]
    project.reload(mod=source.format(2))
    assert [each.m() for each in instances] == [method() for method in methods] == [2, 2]


def test_easy_reloading_init_is_run_where_the_class_asks_for_it(project: Any) -> None:
    """Campagnola: "If I make changes to the __init__ function of any class ... I will have to
    re-create the instances manually"; "there is no general way"."""
    source = "class C:\n    def __init__(self, n=0): self.{0} = n\n    {1}\n"
    mod = project.load(mod=source.format("old", "pass"))
    kept = {"c": mod.C(7)}
    c = kept["c"]
    again = "def __reloaded__(self, old_class): self.__init__(self.__dict__.pop('old'))"
    project.reload(mod=source.format("new", again))
    assert kept["c"] is c
    assert vars(c) == {"new": 7}


def test_easy_reloading_what_did_not_change_is_left_alone(project: Any) -> None:
    """Campagnola: only what "has a new .py file available" is reloaded."""
    project.load(a="RUNS = []\nRUNS.append(1)\n", b="RUNS = []\nRUNS.append(1)\nN = 1\n")
    project.write(b="RUNS = []\nRUNS.append(1)\nN = 2\n")
    assert [report.module.__name__ for report in gcremap.reload_all()] == ["b"]
    assert gcremap.reload_all() == []

"""What five texts about reloading promise, and what they could not do: each is a case here.

The texts are Peter Ingebretson's proposal of gc.remap() (python-dev, October 2010); the blog
series "A custom namespacing system for Python", parts on code reloading (2009); the article
on the reload mechanism of PocketPy (2025); "Python Talk 2 - Python 3.12 Hot Update"
(Disenone's wiki); and "Easy, Automated Reloading in Python" (Luke Campagnola).
"""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

import gcremap

# Peter Ingebretson, "Adding a gc.remap() function".


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


# "Python Talk 2 - Python 3.12 Hot Update".


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

"""Values computed from the data of classes: it is a part of what they are computed from."""

from __future__ import annotations

import types
from typing import Any

import pytest

BASE = """
    RATE = {0}
    class Base:
        spec = ({1},)
        made = 1
        prices = (RATE,)
        class Meta:
            fields = [{1}]
"""
USES = ["import base", "from base import Base", "from base import Base as B"]


@pytest.mark.parametrize("said", USES)
def test_of_another_module(project: Any, said: str) -> None:
    user = f"""
        {said}
        class Sub(Base):
            spec = Base.spec + (9,)
            prices = Base.prices
            made = 0
            class Meta(Base.Meta):
                fields = [*Base.Meta.fields, 9]
        SPEC = [Base.spec]
    """.replace("Base", "base.Base" if said == USES[0] else "B" if said == USES[2] else "Base")
    user = user.replace(user.strip().partition("\n")[0], said)
    project.load(base=BASE.format(1, 1), user=user)
    import base  # type: ignore[import-not-found]
    import user as module

    module.Sub.made, base.Base.made = 5, 6
    project.reload("base", "user", base=BASE.format(1, 2))
    sub = module.Sub
    assert (sub.spec, sub.Meta.fields, module.SPEC) == ((2, 9), [2, 9], [(2,)])
    assert (sub.made, base.Base.made, sub.prices) == (5, 6, (1,))
    project.reload("base", "user", base=BASE.format(3, 2))
    assert sub.prices == base.Base.prices == (3,)
    before = (sub.spec, sub.Meta.fields, module.SPEC)
    project.reload("base", "user")
    assert all(map(lambda a, b: a is b, before, (sub.spec, sub.Meta.fields, module.SPEC)))


def test_of_its_module(project: Any) -> None:
    source = BASE + "    class Sub:\n        spec = Base.spec + (9,)\n        made = Base.made\n"
    mod = project.load(mod=source.format(1, 1))
    mod.Base.made = 5
    project.reload(mod=source.format(1, 2))
    assert mod.Sub.spec == (2, 9)
    assert (mod.Base.made, mod.Sub.made) == (5, 1)


def test_class_that_is_imported_instead(project: Any) -> None:
    """docutils 0.22 has a SimpleNamespace in the place of a class of its own."""
    source = "{}\nclass User:\n    kept = Struct()\nHELD = [Struct()]\n"
    own = "class Struct:\n    def __init__(self): self.x = 1\n"
    mod = project.load(mod=source.format(own), other="")
    project.reload(mod=source.format("from types import SimpleNamespace as Struct"))
    assert type(mod.User.kept) is type(mod.HELD[0]) is types.SimpleNamespace
    project.reload(mod=source.format(own))
    assert type(mod.User.kept) is type(mod.HELD[0]) is mod.Struct
    held = project.load(last=source.format(own), other="").HELD
    project.reload("other", "last", other=own, last=source.format("from other import Struct"))
    import last
    import other

    assert last.HELD is held
    assert type(held[0]) is other.Struct


def test_by_the_path_of_a_submodule(project: Any) -> None:
    sub = "class Base:\n    spec = ({},)\nLIMIT = {}\n"
    user = "import pkg.sub\nX = [pkg.sub.Base.spec]\nY = [pkg.sub.LIMIT]\nZ = [pkg]\n"
    module = project.load(user=user, pkg_="", pkg_sub=sub.format(1, 1))
    z = module.Z
    project.reload("pkg.sub", "user", pkg_sub=sub.format(2, 3))
    assert (module.X, module.Y) == ([(2,)], [3])
    assert module.Z is z


def test_slots_that_a_decorator_makes_of_values_are_those_of_the_class(project: Any) -> None:
    # As attrs does: `rest: list = Factory(list)`.
    source = """
        class Factory: pass
        def slotted(cls):
            names = tuple(cls.__annotations__)
            body = {{k: v for k, v in vars(cls).items() if k not in (*names, "__dict__")}}
            body.pop("__weakref__")
            return type(cls)(cls.__name__, cls.__bases__, body | {{"__slots__": names}})
        @slotted
        class C:
            rest: list = Factory()
            def f(self): return {}
    """
    mod = project.load(mod=source.format(1))
    instance = mod.C()
    instance.rest = [1]
    project.reload(mod=source.format(2))
    assert (instance.rest, instance.f()) == ([1], 2)
    assert mod.C.rest.__objclass__ is mod.C
    other = mod.C()
    other.rest = [2]
    assert other.rest == [2]

"""Classes for which code elsewhere makes something, as an object-relational mapper does: an edit
of what functions do leaves that as it was, for what there is already refers to it."""

from __future__ import annotations

from typing import Any

import pytest

MAPPER = """
    KNOWN = {}
    class Attribute:
        def __init__(self, name, mapper): self.name, self.mapper = name, mapper
        def __get__(self, instance, cls):
            if instance is None: return self
            assert self.mapper.is_ready
            return instance.state[self.name]
    class Mapper:
        is_ready = False
        def __init__(self, cls): self.cls = cls
    class Base:
        def __init_subclass__(cls):
            if cls.__name__ in KNOWN: raise ValueError(cls.__name__ + " is there already")
            cls.mapper = KNOWN[cls.__name__] = Mapper(cls)
            for name, column in list(cls.__annotations__.items()):
                setattr(cls, name, Attribute(name, cls.mapper))
            cls.columns = list(cls.__annotations__)
        def __init__(self, **state):
            self.mapper.is_ready = True
            self.mapper, self.state = self.mapper, state
    """
MODELS = """
    {0}
    class User(Base):
        name: str
        def greet(self): return "{1} " + self.name
    class Group(Base):
        name: str
        def greet(self): return "group " + self.name
    """
IMPORT = "from mapper import Base"


@pytest.mark.parametrize("more", ["", "; import os\n    def f(): pass"], ids=["", "and more"])
def test_what_was_made_for_a_class_stays(project: Any, more: str) -> None:
    mapper = project.load(mapper=MAPPER)
    mod = project.load(mod=MODELS.format(IMPORT, "hello"))
    known, user, group = dict(mapper.KNOWN), mod.User(name="me"), mod.Group(name="us")
    attributes = vars(mod.User)["name"], vars(mod.Group)["name"]
    project.reload(mod=MODELS.format(IMPORT + more, "good morning"))
    assert (user.greet(), group.greet()) == ("good morning me", "group us")
    registered = dict(mapper.KNOWN)
    assert registered == known
    assert list(mapper.KNOWN) == ["User", "Group"]
    assert mod.User.mapper is user.mapper is known["User"]
    assert mod.User.mapper.cls is mod.User is type(user)
    assert (vars(mod.User)["name"], vars(mod.Group)["name"]) == attributes
    assert mod.User(name="you").greet() == "good morning you"
    project.reload(mod=MODELS.format(IMPORT, "good night"))
    assert user.greet() == "good night me"


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("name: str; age: int", ["name", "age"]),
        ("name: int", ["name"]),
    ],
    ids=["one more", "of another kind"],
)
def test_what_is_made_of_another_statement_is_new(
    project: Any, line: str, names: list[str]
) -> None:
    mapper = project.load(mapper=MAPPER)
    text = MODELS.format(IMPORT, "hello")
    mod = project.load(mod=text)
    before = mapper.KNOWN["User"]
    project.reload(mod=text.replace("name: str", line, 1))
    assert mapper.KNOWN["User"] is mod.User.mapper is not before
    assert mod.User.mapper.cls is mod.User
    assert mod.User.columns == names
    assert list(mapper.KNOWN) == ["User", "Group"]

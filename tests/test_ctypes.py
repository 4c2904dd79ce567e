"""Promise 6, ctypes: what C code reads in memory that only the class knows of."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

import gcremap


def struct(name: str, *types: Any, kind: Any = ctypes.Structure, **namespace: Any) -> Any:
    fields = [(f"{name}_{at}", type_) for at, type_ in enumerate(types)]
    return type(kind)(name, (kind,), {**namespace, "_fields_": fields})


META: Any = type(ctypes.Structure)


class Number(ctypes.c_int):
    pass


class OtherNumber(ctypes.c_int):
    pass


class Real(ctypes.c_double):
    pass


POINT = struct("Point", ctypes.c_int, ctypes.c_int)
SAME = struct("Same", ctypes.c_int, ctypes.c_int)
LONGER = struct("Longer", ctypes.c_int, ctypes.c_int, ctypes.c_double)


def linked(name: str, payload: Any) -> Any:
    """Of a list whose nodes point to their like."""
    node: Any = META(name, (ctypes.Structure,), {})
    node._fields_ = [("payload", payload), ("next", ctypes.POINTER(node))]
    return node


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (struct("A", ctypes.c_int), struct("B", ctypes.c_int, ctypes.c_double)),
        (struct("A", ctypes.c_int), struct("B", ctypes.c_float)),
        (struct("A", ctypes.c_void_p), struct("B", ctypes.py_object)),
        (struct("A", ctypes.py_object), struct("B", ctypes.c_void_p)),
        (struct("A", ctypes.POINTER(POINT)), struct("B", ctypes.POINTER(LONGER))),
        (struct("A", POINT), struct("B", LONGER)),
        (
            struct("A", ctypes.c_int, ctypes.c_char),
            struct("B", ctypes.c_int, ctypes.c_char, _pack_=1, _layout_="ms"),
        ),
        (
            struct("A", ctypes.c_int, kind=ctypes.Union),
            struct("B", ctypes.c_double, kind=ctypes.Union),
        ),
        (struct("A", ctypes.c_int), struct("B", ctypes.c_int, kind=ctypes.Union)),
        (ctypes.c_int * 3, ctypes.c_int * 9),
        (POINT * 2, LONGER * 2),
        (Number, Real),
        (linked("A", ctypes.c_int), linked("B", ctypes.c_double)),
    ],
    ids=lambda type_: type_.__name__,
)
def test_other_fields_are_refused(old: Any, new: Any) -> None:
    instance, holder = old(), struct("Holder", old)()
    before = bytes(instance)
    with pytest.raises(gcremap.RemapError) as refused:
        gcremap.remap([(old, new)], frames=False)
    assert refused.value.pair == (old, new)
    assert type(instance) is old
    assert bytes(instance) == before
    assert type(getattr(holder, "Holder_0", None)) is not new


def test_instances_that_c_code_calls() -> None:
    old, new = ctypes.CFUNCTYPE(ctypes.c_int), ctypes.CFUNCTYPE(ctypes.c_int, ctypes.py_object)
    called = old(lambda: 7)
    with pytest.raises(gcremap.RemapError):
        gcremap.remap([(old, new)], frames=False)
    assert called() == 7


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (struct("A", ctypes.c_int, POINT), struct("B", ctypes.c_int, SAME)),
        (struct("A", ctypes.POINTER(POINT)), struct("B", ctypes.POINTER(SAME))),
        (Number, OtherNumber),
        (linked("A", ctypes.c_int), linked("B", ctypes.c_int)),
    ],
    ids=lambda type_: type_.__name__,
)
def test_the_same_fields_by_any_name(old: Any, new: Any) -> None:
    instance = old()
    report = gcremap.remap([(old, new)], frames=False)
    assert type(instance) is new
    assert report.undo() > 0
    assert type(instance) is old


class Thing:
    pass


class WithObject(ctypes.Structure):
    _fields_ = [("number", ctypes.c_int), ("thing", ctypes.py_object)]


class Around(ctypes.Structure):
    _fields_ = [("inner", WithObject), ("others", WithObject * 2)]


def in_an_array(thing: Any) -> Any:
    array = (Around * 3)()
    array[2].others[1].thing = thing
    return array


@pytest.mark.parametrize(
    ("hold", "read"),
    [
        (ctypes.py_object, lambda holder: holder.value),
        (lambda thing: WithObject(1, thing), lambda holder: holder.thing),
        (in_an_array, lambda holder: holder[2].others[1].thing),
        (
            lambda thing: ctypes.pointer(ctypes.py_object(thing)),
            lambda holder: holder.contents.value,
        ),
    ],
    ids=["object", "field", "array", "pointer"],
)
def test_objects_whose_address_is_in_memory(hold: Any, read: Any) -> None:
    old, new = Thing(), Thing()
    holder, table = hold(old), {"a": old}
    with pytest.raises(gcremap.RemapError, match="private state"):
        gcremap.remap([(old, new)], frames=False)
    assert read(holder) is old
    assert table["a"] is old


def test_memory_that_others_point_to() -> None:
    old, new = ctypes.c_int(1), ctypes.c_int(2)
    pointer = ctypes.pointer(old)
    with pytest.raises(gcremap.RemapError, match="private state"):
        gcremap.remap([(old, new)], frames=False)
    assert pointer.contents is not new
    whole, other = Around(), Around()
    part = whole.inner
    with pytest.raises(gcremap.RemapError, match="private state"):
        gcremap.remap([(whole, other)], frames=False)
    del pointer, part
    table = {"a": old, "0": whole}  # a key as those of ctypes
    gcremap.remap([(old, new), (whole, other)], frames=False)
    assert table == {"a": new, "0": other}


class WithArgument:
    def __init__(self, argument: Any) -> None:
        self.argument = argument


HOLDERS: list[Any] = [lambda argument: (argument,), lambda argument: [argument], WithArgument]


@pytest.mark.parametrize("hold", HOLDERS)
@pytest.mark.parametrize("argument_of", [ctypes.byref, lambda old: ctypes.byref(old, 4)])
def test_memory_that_an_argument_points_to(hold: Any, argument_of: Any) -> None:
    old, new = (ctypes.c_int * 4)(1, 2, 3, 4), (ctypes.c_int * 4)(5, 6, 7, 8)
    table = {"a": old}
    holder = hold(argument_of(old))
    with pytest.raises(gcremap.RemapError, match="private state") as refused:
        gcremap.remap([(old, new)], frames=False)
    [refusal] = refused.value.refusals
    assert refusal.pair == (old, new)
    slot: Any = refusal.slot
    assert type(slot.holder).__name__ == "CArgObject"
    assert slot.path.endswith("._obj")
    assert table["a"] is old
    del refused, refusal, slot, holder
    report = gcremap.remap([(old, new)], frames=False)
    assert table["a"] is new
    assert not report.leftovers


@pytest.mark.parametrize("hold", HOLDERS)
def test_what_an_argument_was_made_from(hold: Any) -> None:
    old, new = b"gcremap %d" % id(hold), b"gcremap new"
    holder = hold(ctypes.c_char_p.from_param(old))
    with pytest.raises(gcremap.RemapError, match="private state"):
        gcremap.remap([(old, new)], frames=False)
    thing, other = Thing(), Thing()
    holder = hold(ctypes.py_object.from_param(thing))
    with pytest.raises(gcremap.RemapError, match="private state"):
        gcremap.remap([(thing, other)], frames=False)
    del holder


def test_attributes_of_what_ctypes_makes() -> None:
    class Named(ctypes.c_int):
        name: Any = None

    old, new = Thing(), Thing()
    instance = Named(1)
    instance.name = old
    callback = ctypes.CFUNCTYPE(ctypes.py_object)(old_call := lambda: 1)
    new_call = lambda: 2  # noqa: E731
    gcremap.remap([(old, new), (old_call, new_call)], frames=False)
    assert instance.name is new
    assert callback() == 2


def test_what_a_function_of_a_library_holds_although_it_refers_to_itself() -> None:
    class Check:
        def __init__(self, answer: int) -> None:
            self.answer = answer

        def __call__(self, *_: object) -> int:
            return self.answer

    old, new = Check(1), Check(2)
    function: Any = ctypes.pythonapi["Py_GetVersion"]
    function.errcheck = old
    gcremap.remap([(old, new)], frames=False)
    assert function() == 2

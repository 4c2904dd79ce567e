"""Bad arguments and refused mappings: a clear error, and nothing has changed."""

from __future__ import annotations

import contextlib
import gc
import io
import re
import sys
import threading
import types
from typing import Any, ClassVar
from xml.etree.ElementTree import Element

import pytest

import child
import gcremap


class Thing:
    pass


@pytest.mark.parametrize(
    ("argument", "error", "message"),
    [
        (5, TypeError, "a mapping or an iterable of"),
        ([5], TypeError, "a pair is"),
        (["ab"], TypeError, "a pair is"),
        ([(1, 2, 3)], ValueError, "has 3 items"),
        ([()], ValueError, "has 0 items"),
    ],
)
def test_bad_arguments(argument: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        gcremap.remap(argument)


def test_an_exception_of_the_iterable_is_passed_on() -> None:
    def pairs() -> Any:
        yield Thing(), Thing()
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        gcremap.remap(pairs())


def test_a_key_is_not_replaced_by_what_has_no_hash() -> None:
    old, other, new = Thing(), Thing(), [1]
    table, members = {old: 1}, {old, other}
    with pytest.raises(gcremap.RemapError, match="unhashable") as caught:
        gcremap.remap([(old, new), (other, {})], frames=False)
    named = {
        (id(each.pair[0]), id(each.slot.holder))
        for each in caught.value.refusals
        if each.slot is not None
    }
    assert named == {(id(old), id(table)), (id(old), id(members)), (id(other), id(members))}
    assert table == {old: 1}
    assert members == {old, other}


def test_exclude_must_be_iterable() -> None:
    with pytest.raises(TypeError, match="exclude must be"):
        gcremap.remap({}, exclude=5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "old",
    [
        None,
        True,
        ...,
        NotImplemented,
        5,
        (),
        "x",
        sys.intern("an interned name"),
        int,
        object,
        types.FunctionType,
    ],
    ids=repr,
)
def test_what_the_interpreter_shares_is_refused(old: object) -> None:
    new = Thing()
    holder = [old]
    with pytest.raises(gcremap.RemapError) as caught:
        gcremap.remap([(old, new)])
    assert holder[0] is old
    pair = caught.value.pair
    assert pair is not None
    assert pair[0] is old
    assert pair[1] is new
    assert caught.value.slot is None


def test_all_refusals_of_a_call_come_together() -> None:
    with pytest.raises(gcremap.RemapError) as caught:
        gcremap.remap([(None, 1), (int, str), (Thing(), Thing())])
    assert len(caught.value.refusals) == 2


def test_a_slot_that_must_hold_a_dict_is_refused_and_named() -> None:
    namespace: dict[str, Any] = {"__name__": "m"}
    exec("def f(): pass", namespace)
    function = namespace["f"]
    other = [namespace]
    with pytest.raises(gcremap.RemapError) as caught:
        gcremap.remap([(namespace, Thing())], frames=False)
    places = [refusal.slot for refusal in caught.value.refusals]
    assert any(slot is not None and slot.holder is function for slot in places)
    assert other[0] is namespace
    assert function.__globals__ is namespace


def test_a_cell_in_a_closure_takes_only_cells() -> None:
    value = Thing()

    def function() -> Thing:
        return value

    assert function.__closure__ is not None
    cell = function.__closure__[0]
    with pytest.raises(gcremap.RemapError):
        gcremap.remap([(cell, Thing())], frames=False)
    assert function() is value


def test_none_is_a_new_like_any_other() -> None:
    old = Thing()
    holder = [old]
    gcremap.remap([(old, None)], frames=False)
    assert holder == [None]


class Talkative:
    """Keeps a record of what it is asked, and does not answer."""

    asked: ClassVar[list[str]] = []

    def __repr__(self) -> str:
        self.asked.append("repr")
        raise LookupError

    def __len__(self) -> int:
        self.asked.append("len")
        raise LookupError

    @property
    def __class__(self) -> Any:
        self.asked.append("class")
        raise LookupError


class TalkativeList(Talkative, list[Any]):
    pass


def test_to_name_things_nothing_is_asked_of_them() -> None:
    held, holder = Thing(), TalkativeList()
    list.append(holder, held)
    Talkative.asked.clear()
    with pytest.raises(gcremap.RemapError, match="TalkativeList at"):
        gcremap.remap([(vars(holder), {})])
    with pytest.raises(gcremap.RemapError, match=r"None -> .*Talkative at"):
        gcremap.remap([(None, Talkative())])
    assert any(slot.holder is holder for slot in gcremap.referrers(held))
    assert str(gcremap.referrer_tree(held))
    assert Talkative.asked == []


def test_a_class_without_a_module_has_a_name() -> None:
    class_ = eval("type('Homeless', (), {})", {"type": type})
    with pytest.raises(AttributeError):
        class_.__module__  # noqa: B018
    held = class_.member = Thing()
    paths = [slot.path for slot in gcremap.referrers(held)]
    assert any(path.startswith("Homeless.") for path in paths), paths
    with pytest.raises(gcremap.RemapError, match="Homeless"):
        gcremap.remap([(class_.__mro__, ())])


def test_a_field_that_nobody_has_named_has_a_path() -> None:
    element, text = Element("parent"), "text of the test, not interned"
    element.text = text
    [path] = [slot.path for slot in gcremap.referrers(text) if slot.holder is element]
    assert re.fullmatch(r"<field at byte \d+>", path)


GARBAGE = """
    import gc
    import gcremap

    def bases():
        for _ in range(20):
            class Base:
                pass
            class Garbage(Base):
                pass
            yield Garbage.__bases__

    named = 0
    for later in range(0, 400, 3):
        gc.collect()
        gc.disable()
        olds = [*bases()]
        pairs = [(old, (*list(old),)) for old in olds]
        gc.set_threshold(gc.get_count()[0] + later, 1000, 1000)
        gc.enable()
        try:
            gcremap.remap(pairs)
        except gcremap.RemapError as error:
            named += sum(isinstance(each.slot.holder, type) for each in error.refusals)
        gc.set_threshold(700, 10, 10)
    print(named > 500)
"""


def test_a_holder_that_is_collected_while_the_error_is_made() -> None:
    assert child.run(GARBAGE) == "True\n"


def text(length: int, letter: str) -> str:
    """That nobody has interned."""
    return "".join([letter] * length)


@pytest.mark.parametrize("parts", [1, 2])
def test_what_a_stream_has_yet_to_write(parts: int) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    old, new, table = text(10, "a"), text(3000, "b"), {}
    table["old"] = old
    for _ in range(parts):
        stream.write(old)
    with pytest.raises(gcremap.RemapError, match="private state"):
        gcremap.remap([(old, new)], frames=False)
    stream.flush()
    assert raw.getvalue() == b"a" * 10 * parts
    gcremap.remap([(old, new)], frames=False)
    assert table["old"] is new


def test_what_a_stream_is_made_of() -> None:
    old, new = bytes(bytearray(10_000)), bytes(bytearray(3))
    stream = io.BytesIO(old)
    with contextlib.suppress(gcremap.RemapError):  # left over, where it is not shown
        gcremap.remap([(old, new)], frames=False)
    assert stream.read() == b"\0" * 10_000


def test_a_threads_own_part_of_a_threading_local() -> None:
    """Up to 3.12 an object of the thread borrows it."""

    class Local(threading.local):
        value = 0

    local = Local()
    local.value = 1
    old = vars(local)
    new = {"value": 2}
    refused = sys.version_info < (3, 13)
    private = pytest.raises(gcremap.RemapError, match="C code keeps private state about this very")
    with private if refused else contextlib.nullcontext():
        gcremap.remap([(old, new)], frames=False)
    del old, new, private
    gc.collect()
    others = [{"value": each} for each in range(100)]
    assert local.value == (1 if refused else 2)
    local.value = 3
    assert vars(local) == {"value": 3}
    del others

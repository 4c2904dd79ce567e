"""Instances of classes whose layout changed, and subclasses elsewhere, are made anew."""

from __future__ import annotations

import _abc  # type: ignore[import-not-found]
import abc
import dataclasses
import enum
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from gcremap import _native
from gcremap._errors import RemapError
from gcremap._reload.objects.attributes import nearest, set_attribute
from gcremap._reload.objects.kinds import (
    cells_of,
    is_a,
    is_class,
    is_function,
    is_of_a_statement,
    mro_of,
    namespace_of,
    subclasses,
)
from gcremap._reload.objects.layout import field_names, is_of_the_layout
from gcremap._slots import referrers

if TYPE_CHECKING:
    from gcremap._reload.matching.match import Pair

_HAVE_GC = 1 << 14
_HEAPTYPE = 1 << 9
"""Py_TPFLAGS_* (object.h)."""


def instances(cls: type) -> list[Any]:
    """The living instances of exactly `cls`."""
    if not cls.__flags__ & _HAVE_GC:
        # The collector does not know them: only the slots that hold them lead there.
        held = {id(slot.holder): slot.holder for slot in referrers(cls) if type(slot.holder) is cls}
        return list(held.values())
    return [each for each in _native._holders_of(cls) if type(each) is cls]


def can_have_instances(pair: Pair) -> bool:
    """Whether instances of an old class may be those of what it became; an Enum has none but its
    members."""
    if is_a(pair.new, enum.EnumType):
        return is_a(pair.old, enum.EnumType)
    return is_class(pair.new)


def rebuild_class(cls: type, bases: tuple[type, ...], metaclass: type) -> type:
    """A class like `cls` on other bases, laid out anew.

    It is made without code that would register it: `__init_subclass__`, `__set_name__`, and
    the `__new__` of a metaclass.
    """
    namespace: dict[str, Any] = {"__qualname__": cls.__qualname__}
    late = {}
    for name, value in namespace_of(cls).items():
        if hasattr(type(value), "__set_name__"):
            late[name] = value
        elif name == "__slots__":
            namespace[name] = _slots_over(bases, value)
        elif not is_of_the_layout(name, value) or getattr(value, "__name__", name) != name:
            namespace[name] = value  # that of a slot of another class is an attribute
    if class_cells(cls):
        # Methods with super() share the cell; the class fills it, and the remap would too.
        namespace.pop("__classcell__", None)
    with _without_hook(bases):
        made: type = nearest(metaclass, "__new__")(metaclass, cls.__name__, bases, namespace)
    for name, value in late.items():
        set_attribute(made, name, value)
    if is_a(made, abc.ABCMeta):
        _abc._abc_init(made)
        keep_registered(cls, made)
    return made


def _slots_over(bases: tuple[type, ...], slots: Any) -> Any:
    """Those that a class on `bases` may have: no dict where there is one."""
    names = (slots,) if is_a(slots, str) else slots
    there = {name for base in bases for name, offset in _OFFSETS.items() if offset(base)}
    return slots if there.isdisjoint(names) else tuple(n for n in names if n not in there)


_OFFSETS = {
    "__dict__": attrgetter("__dictoffset__"),
    "__weakref__": attrgetter("__weakrefoffset__"),
}


@contextmanager
def _without_hook(bases: tuple[type, ...]) -> Iterator[None]:
    """Let no `__init_subclass__` be called for a class on these bases."""
    owners = {id(base): base for one in bases for base in mro_of(one) if is_of_a_statement(base)}
    hooks = [
        (each, namespace_of(each)[_HOOK]) for each in owners.values() if _HOOK in namespace_of(each)
    ]
    try:
        for owner, _ in hooks:
            set_attribute(owner, _HOOK, _NO_HOOK)
        yield
    finally:
        for owner, hook in hooks:
            set_attribute(owner, _HOOK, hook)


_HOOK = "__init_subclass__"
_NO_HOOK = classmethod(lambda cls: None)


def keep_registered(old: type, new: type) -> None:
    """What was registered with an ABC is so with the one that takes its place."""
    for reference in _abc._get_dump(old)[0] if is_a(old, abc.ABCMeta) else ():
        registered = reference()
        if registered is not None:
            abc.ABCMeta.register(new, registered)  # type: ignore[arg-type]


def metaclass_over(bases: Iterable[type], *others: type) -> type:
    """The metaclass of a class on these bases, `others` being what it says itself."""
    found: type = type
    for each in (*others, *map(type, bases)):
        found = each if issubclass(each, found) else found
    return found


def class_cells(cls: type) -> list[types.CellType]:
    """What `super()` of its methods looks into."""
    own = [getattr(value, "__func__", value) for value in namespace_of(cls).values()]
    cells = [cells_of(each).get("__class__") for each in own if is_function(each)]
    return [cell for cell in cells if cell is not None]


def rebuild_instance(instance: Any, cls: type) -> Any:
    """A new instance of `cls` with the state of `instance`, made without its __init__."""
    made = _blank(instance, cls)
    old_slots = dict(_slot_values(instance))
    attributes = getattr(instance, "__dict__", None)
    if attributes:
        old_slots.update(attributes)
    slots = {name for base in _statements(cls) for name in _slot_names(base)}
    namespace = getattr(made, "__dict__", None)
    for name, value in old_slots.items():
        if name in slots:
            object.__setattr__(made, name, value)
        elif namespace is not None:
            namespace[name] = value
    for name, *_ in getattr(cls, "_fields_", ()):
        # Of a ctypes structure.
        if is_a(name, str) and hasattr(instance, name):
            setattr(made, name, getattr(instance, name))
    return made


def _blank(instance: Any, cls: type) -> Any:
    """An instance of `cls` with what a C base holds of `instance`, and no attributes."""
    base = _c_base(cls)
    if base is object:
        return _bare(cls)
    try:
        if issubclass(base, BaseException):
            return _exception(instance, base, cls)
        return _with_content(instance, base, cls)
    except (TypeError, ValueError) as error:
        raise RemapError(
            f"{cls.__module__}.{cls.__qualname__} derives from {base.__qualname__} now, and there "
            f"are instances of it of which none can be made: {error}"
        ) from error


def _exception(instance: Any, base: type[BaseException], cls: type) -> Any:
    arguments = instance.args if is_a(instance, BaseException) else ()
    made: Any = base.__new__(cls, *arguments)
    fields = [name for each in base.__mro__ if is_a(instance, each) for name in _slot_names(each)]
    for name in ("args", "__cause__", "__context__", "__traceback__", *fields):
        if hasattr(instance, name):
            setattr(made, name, getattr(instance, name))
    return made


_ALIKE = ((dict,), (list, tuple, set, frozenset, deque), (int, float, complex))
"""Built-in types each of which can hold what another of its group does."""
_VALUES = (int, float, complex, str, bytes, tuple)


def _with_content(instance: Any, base: Any, cls: type) -> Any:
    """An instance of `cls`, on a C `base`, with what that of `instance` holds."""
    make, arguments, state, items, entries = (*_recipe(instance, base, cls), None, None, None)[:5]
    if make is type(instance):
        made = base.__new__(cls, *arguments)
        if base.__init__ is not object.__init__:
            base.__init__(made, *arguments)
    else:
        made = make(*(cls if each is type(instance) else each for each in arguments))
    if state is not None and hasattr(base, "__setstate__"):
        base.__setstate__(made, state)
    if items is not None:
        base.extend(made, items)
    for key, value in entries or ():
        base.__setitem__(made, key, value)
    return made


def _recipe(instance: Any, base: Any, cls: type) -> tuple[Any, ...]:
    """What to make one like `instance` of on `base`, in the form that `__reduce__` has (pickle)."""
    kind = type(instance)
    if is_a(instance, base):
        if base.__reduce_ex__ is not object.__reduce_ex__:
            return base.__reduce_ex__(instance, 2)  # type: ignore[no-any-return]
        if base.__reduce__ is not object.__reduce__:
            return base.__reduce__(instance)  # type: ignore[no-any-return]
        group: tuple[type, ...] = (base,)
    else:
        group = next((each for each in _ALIKE if is_a(instance, each)), ())
    if not issubclass(base, group):
        return kind, ()
    if issubclass(base, dict):
        return kind, (), None, None, dict.items(instance)
    if issubclass(base, list | deque):
        return kind, (), None, iter(instance)
    if issubclass(base, tuple):
        return kind, (_arranged(instance, cls),)
    return kind, (instance,) if issubclass(base, (*_VALUES, set, frozenset)) else ()


def _arranged(instance: Any, cls: type) -> Any:
    """The items of a namedtuple, each at the place that its field has in `cls`.

    A field that is new has its default, or else the item of the one that is gone from its place.
    """
    olds, news = field_names(type(instance)), field_names(cls)
    if olds is None or news is None or len(olds) != len(instance):
        return instance
    values = dict(getattr(cls, "_field_defaults", {}))
    for name, before, value in zip(news, olds, instance, strict=False):
        if before not in news:
            values.setdefault(name, value)
    values |= zip(olds, instance, strict=True)
    return tuple(map(values.get, news))


def _bare(cls: type) -> Any:
    """An instance without anything, be the class an abstract one by now."""
    missing = namespace_of(cls).get("__abstractmethods__")
    if not missing:
        return object.__new__(cls)
    set_attribute(cls, "__abstractmethods__", frozenset())
    try:
        return object.__new__(cls)
    finally:
        set_attribute(cls, "__abstractmethods__", missing)


def _c_base(cls: type) -> type:
    """The nearest base that is not made by a class statement."""
    for base in cls.__mro__:
        own = is_a(namespace_of(base).get("__new__"), types.BuiltinFunctionType)
        if own or not base.__flags__ & _HEAPTYPE:
            return base
    return object


def _statements(cls: type) -> list[type]:
    """The classes of an MRO that are made by class statements."""
    beyond = _c_base(cls).__mro__
    return [base for base in cls.__mro__ if base not in beyond]


def _slot_names(cls: type) -> list[str]:
    found = [(k, v) for k, v in namespace_of(cls).items() if is_a(v, types.MemberDescriptorType)]
    return [name for name, slot in found if slot.__name__ == name]


def _slot_values(instance: Any) -> Iterator[tuple[str, Any]]:
    """What the `__slots__` of all its classes hold, the private names as they are mangled."""
    for base in _statements(type(instance)):
        for name in _slot_names(base):
            try:
                yield name, namespace_of(base)[name].__get__(instance)
            except AttributeError:
                continue


def fill_fields(cls: type, former: Mapping[str, Any], undo: list[Callable[[], Any]]) -> None:
    """Instances of a dataclass get the defaults of the fields that it had not in its `former`
    namespace."""
    added = added_fields(cls, former)
    for owner in [cls, *subclasses(cls)] if added else ():
        for instance in instances(owner):
            fill(instance, added, undo)


def added_fields(cls: type, former: Mapping[str, Any]) -> list[Any]:
    """The fields that a dataclass had not in its `former` namespace, where instances lack them."""
    before = former.get("__dataclass_fields__", {})
    added = [
        field
        for name, field in namespace_of(cls).get("__dataclass_fields__", {}).items()
        if name not in before
    ]
    # A default is an attribute of the class, but where that has a slot.
    slots = _slot_names(cls)
    return [
        each
        for each in added
        if each.default_factory is not dataclasses.MISSING or each.name in slots
    ]


def fill(instance: Any, fields: Iterable[Any], undo: list[Callable[[], Any]]) -> None:
    for field in fields:
        _fill(instance, field, undo)


def _fill(instance: Any, field: Any, undo: list[Callable[[], Any]]) -> None:
    name = field.name
    if hasattr(instance, name):
        return
    if field.default_factory is not dataclasses.MISSING:
        object.__setattr__(instance, name, field.default_factory())
    elif field.default is not dataclasses.MISSING:
        object.__setattr__(instance, name, field.default)
    else:
        return
    undo.append(lambda: object.__delattr__(instance, name))

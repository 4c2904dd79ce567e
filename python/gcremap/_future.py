"""What keys will hash and compare to once a remap is done.

Asked while nothing is changed yet. A key that depends on what changes is replaced by
a *stand-in*: a tuple of the future items, an instance of the future class with the
future attributes. Its hash and its comparisons are what the key's own will be. They
may run code of the user's; an exception in it fails the remap, with nothing changed.
"""

from __future__ import annotations

import functools
import gc
import operator
import types
import weakref

from gcremap import _native
from gcremap._errors import RemapError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

_HASH, _DROP = 0, 1

Entry = tuple[int, object, object]
"""Position, key, and the key that will stand there."""
Edit = tuple[int, int, int, int]
"""What happens to an entry: kind, position, position of the winner, hash."""


def _answer(
    tables: list[tuple[Any, list[Entry]]],
    changed: list[object],
    replaced: list[tuple[object, object, object, object]],
    classes: list[tuple[object, type]],
    references: list[tuple[object, object]],
    methods: list[tuple[type, str, object]],
    bases: list[tuple[type | None, type, type]],
    restored: list[tuple[object, object, object]],
) -> list[list[Edit]]:
    """For each table, the edits of its entries; called by the engine.

    `changed` are the objects whose hash may change; `replaced` says of them
    (holder, old, new, where it stands there), `classes` (instance, class to come),
    `references` (weak reference, referent to come); `methods` are replaced `__hash__`
    and `__eq__`, `bases` (class, or None for any; base; base to come), `restored`
    (table, key, value) of entries that come back.
    """
    future = _Future(changed, replaced, classes, references, methods, bases, restored)
    try:
        return [_edits(table, entries, future) for table, entries in tables]
    except RemapError:
        raise
    except Exception as error:
        raise RemapError(
            f"cannot remap: {type(error).__name__} while a key's hash was computed: {error}"
        ) from error
    finally:
        future.forget()


def _edits(table: Any, entries: list[Entry], future: _Future) -> list[Edit]:
    """The edits of one table: new hashes, and the losers among keys that become equal."""
    keys = {position: future.of(new_key) for position, _, new_key in entries}
    hashes = {position: hash(key) for position, key in keys.items()}
    others = _native._entries_with(table, set(hashes.values()))
    for position, key, stored in others:
        if position not in keys:
            keys[position] = key
            hashes[position] = stored
    by_hash: dict[int, list[int]] = {}
    for position in sorted(hashes):
        by_hash.setdefault(hashes[position], []).append(position)
    winners: dict[int, int] = {}
    for positions in by_hash.values():
        kept: list[int] = []
        for position in positions:
            for winner in kept:
                if keys[winner] is keys[position] or bool(keys[winner] == keys[position]):
                    winners[position] = winner
                    break
            else:
                kept.append(position)
    edits: list[Edit] = []
    for position, _, _ in entries:
        if position not in winners:
            edits.append((_HASH, position, 0, hashes[position]))
    edits += [
        (_DROP, position, winner, hashes[position]) for position, winner in sorted(winners.items())
    ]
    return edits


class _StandIn:
    """Hashes and compares as an object will whose methods or identity do not say it now."""

    __slots__ = ("__weakref__", "_eq", "_hash", "_object")

    def __init__(
        self, object_: object, hash_: Callable[[Any], int], eq: Callable[[Any, Any], Any]
    ) -> None:
        self._object = object_
        self._hash = hash_
        self._eq = eq

    def __hash__(self) -> int:
        return self._hash(self._object)

    def __eq__(self, other: object) -> Any:
        if isinstance(other, _StandIn):
            other = other._object
        return self._object is other or self._eq(self._object, other)


class _Reference(weakref.ref):  # type: ignore[type-arg]
    """One that can be referred to weakly itself, as an instance of a subclass may be."""

    __slots__ = ("__weakref__",)


def _method_of_none(method: object, function: object) -> _StandIn:
    """`types.MethodType` makes none, but a method's slot may come to hold None."""

    def is_same(_: object, other: object) -> bool:
        return (
            isinstance(other, types.MethodType)
            and other.__self__ is None
            and bool(other.__func__ == function)
        )

    return _StandIn(method, lambda _: object.__hash__(None) ^ hash(function), is_same)


_Place = int | str | tuple[int, ...]
_ANYWHERE: _Place = ()
_UNKNOWN: _Place = (0,)
"""Of a slot that was found where no walker knows the layout: wherever the value stands."""


def _place(place: object) -> _Place:
    """Keys by identity: to compare them would run their `__eq__`."""
    return place if type(place) is int or type(place) is str else (id(place),)


class _Future:
    """The objects as they will be."""

    def __init__(
        self,
        changed: Iterable[object],
        replaced: Iterable[tuple[object, object, object, object]],
        classes: Iterable[tuple[object, type]],
        references: Iterable[tuple[object, object]],
        methods: Iterable[tuple[type, str, object]],
        bases: Iterable[tuple[type | None, type, type]],
        restored: Iterable[tuple[object, object, object]],
    ) -> None:
        self._changed = {id(each) for each in changed}
        self._replaced: dict[int, dict[tuple[int, _Place], object]] = {}
        for holder, old, new, place in replaced:
            of_holder = self._replaced.setdefault(id(holder), {})
            of_holder[id(old), _UNKNOWN if place is None else _place(place)] = new
            of_holder[id(old), _ANYWHERE] = new
        self._classes = {id(instance): class_ for instance, class_ in classes}
        self._references = {id(reference): to for reference, to in references}
        self._methods = {(id(class_), name): new for class_, name, new in methods}
        self._bases = {(id(heir), id(old)): new for heir, old, new in bases}
        self._restored: dict[int, list[tuple[object, object]]] = {}
        for table, key, item in restored:
            self._restored.setdefault(id(table), []).append((key, item))
        self._is_here = not (
            self._replaced
            or self._classes
            or self._references
            or self._methods
            or self._bases
            or self._restored
        )
        """Whether nothing is to change but what methods say, which they say by now."""
        self._known: dict[int, object] = {}
        self._copies: list[object] = []
        self._likenesses: dict[int, type] = {}
        self._targets: list[object] = []

    def of(self, value: Any) -> Any:
        """`value`, or what will hash and compare as it does afterwards."""
        if id(value) not in self._changed:
            return value
        if id(value) not in self._known:
            # Of a cycle through itself, an object sees what it is now.
            self._known[id(value)] = value
            self._known[id(value)] = self._build(value)
        return self._known[id(value)]

    def forget(self) -> None:
        """Empties the copies, so that cycles through them do not outlive the answer."""
        for copy in self._copies:
            namespace = getattr(copy, "__dict__", None)
            if type(namespace) is dict:
                namespace.clear()
        self._copies.clear()
        self._likenesses.clear()
        self._targets.clear()
        self._known.clear()

    def _held(self, value: object, *holders: object, at: object = None) -> Any:
        """What will stand where a holder has `value` now: at a position, under a name or
        key. Without one, wherever that is."""
        place = _ANYWHERE if at is None else _place(at)
        for holder in holders:
            replaced = self._replaced.get(id(holder), {})
            for key in ((id(value), place), (id(value), _UNKNOWN)):
                if key in replaced:
                    return self.of(replaced[key])
        return self.of(value)

    def _items(self, value: tuple[Any, ...] | list[Any]) -> list[Any]:
        plain = tuple.__iter__(value) if isinstance(value, tuple) else list.__iter__(value)
        return [self._held(item, value, at=index) for index, item in enumerate(plain)]

    def _identity_held(self, value: object, holder: object) -> Any:
        """The same where only the identity of what is held counts."""
        return self._replaced.get(id(holder), {}).get((id(value), _ANYWHERE), value)

    def _build(self, value: Any) -> Any:
        kind = type(value)
        if kind is tuple:
            return tuple(self._items(value))
        if kind is frozenset:
            return frozenset(self._members(value))
        if kind is types.MethodType:
            function = self._held(value.__func__, value)
            own = self._identity_held(value.__self__, value)
            if own is None:
                return _method_of_none(value, function)
            return types.MethodType(function, own)
        if isinstance(value, weakref.ref):
            return self._reference(value)
        if kind is types.GenericAlias:
            # What the parts are does not matter to a plain alias, only how they hash.
            origin: Any = self._held(value.__origin__, value)
            args = self._held(value.__args__, value)
            return types.GenericAlias(origin, args)
        if kind is types.UnionType:
            return functools.reduce(operator.or_, self._held(value.__args__, value))
        if kind is types.CodeType:
            consts = self._held(value.co_consts, value)
            return value.replace(co_consts=consts)
        if kind is types.MethodWrapperType:
            own = self._identity_held(value.__self__, value)
            return value.__objclass__.__dict__[value.__name__].__get__(own, type(own))
        if kind is types.BuiltinMethodType:
            own = self._identity_held(value.__self__, value)
            return value if own is value.__self__ else getattr(own, value.__name__)
        if kind is types.MappingProxyType:
            (mapping,) = gc.get_referents(value)
            return types.MappingProxyType(self._held(mapping, value))
        if kind is slice:
            parts = (value.start, value.stop, value.step)
            return slice(*[self._held(part, value) for part in parts])
        return self._instance(value)

    def _reference(self, value: weakref.ref[Any]) -> Any:
        """A reference hashes and compares as its referent, while there is one."""
        referent = self._references.get(id(value), self)
        target: Any = self._held(value() if referent is self else referent, value)
        if target is None:
            return value
        self._targets.append(target)
        return _Reference(target)

    def _instance(self, value: Any) -> Any:
        """An instance of a class made by Python code, with its future class and state."""
        class_ = self._classes.get(id(value), type(value))
        hash_ = self._special(class_, "__hash__")
        eq = self._special(class_, "__eq__")
        if hash_ is None and type(value).__hash__ is None:
            return self._part(value)
        if hash_ is None:
            raise TypeError(f"unhashable type: {class_.__name__!r}")
        if hash_ is object.__hash__:
            if eq is object.__eq__ and type(value).__hash__ is object.__hash__:
                return value
            return _StandIn(value, object.__hash__, eq)
        if self._is_here and not self._holds_another(value):
            return value
        if isinstance(value, type):  # there is no copy: it is asked what it is now
            return _StandIn(value, hash_, eq)
        copy = self._copy(value, class_)
        if hash_ is getattr(class_, "__hash__", None) and eq is getattr(class_, "__eq__", None):
            return copy
        return _StandIn(copy, hash_, eq)

    def _holds_another(self, value: Any) -> bool:
        """Whether something that `value` holds has a hash that is not what it will be."""
        namespace = getattr(value, "__dict__", None)
        held = [*namespace.values()] if type(namespace) is dict else []
        held += (field for _, field in _slots(value))
        if isinstance(value, tuple):
            held += tuple.__iter__(value)
        return any(self.of(each) is not each for each in held)

    def _part(self, value: Any) -> Any:
        """What a key's `__hash__` may read, though it is no key itself."""
        if isinstance(value, list):
            return self._items(value)
        if isinstance(value, dict):
            entries = dict.items(value)
            held = {self._held(k, value): self._held(v, value, at=k) for k, v in entries}
            return held | self._returning(value)
        if isinstance(value, types.SimpleNamespace):
            state = vars(value)
            return types.SimpleNamespace(
                **{name: self._held(held, value, state, at=name) for name, held in state.items()}
            )
        if isinstance(value, set):
            return self._members(value)
        return self._copy(value, type(value))

    def _members(self, value: set[Any] | frozenset[Any]) -> set[Any]:
        plain = set.__iter__(value) if isinstance(value, set) else frozenset.__iter__(value)
        held = {self._held(item, value) for item in plain}
        return held | self._returning(value).keys()

    def _returning(self, table: object) -> dict[Any, Any]:
        """The entries that an undo puts back."""
        entries = self._restored.get(id(table), [])
        return {self.of(key): self.of(value) for key, value in entries}

    def _special(self, class_: type, name: str) -> Any:
        """The method that instances of `class_` will look up."""
        for each in self._mro(class_):
            new = self._methods.get((id(each), name), self)
            if new is not self:
                return new
            if name in each.__dict__:
                return each.__dict__[name]
        return None

    def _mro(self, class_: type) -> Sequence[type]:
        """The method resolution order to come."""
        if not self._bases or not any(map(self._is_rebased, class_.__mro__)):
            return class_.__mro__
        bases = self._bases_of(class_)
        return [class_, *_merged([*(list(self._mro(base)) for base in bases), bases])]

    def _bases_of(self, class_: type) -> list[type]:
        """The bases to come."""
        for_any, bases = id(None), self._bases
        return [
            bases.get((id(class_), id(base)), bases.get((for_any, id(base)), base))
            for base in class_.__bases__
        ]

    def _is_rebased(self, class_: type) -> bool:
        return any(map(operator.is_not, self._bases_of(class_), class_.__bases__))

    def _like(self, class_: type, base: type) -> type:
        """A class, on a C `base`, whose instances find attributes where those of `class_` will.

        It derives from none of the classes in its order, which then do not know of it. That
        cannot be where some have slots: these are read as such.
        """
        if not self._bases or not any(map(self._is_rebased, class_.__mro__)):
            return class_
        if id(class_) not in self._likenesses:
            order = [_Quiet, *self._mro(class_)]
            meta: Any = type(class_)
            ordered = type(meta.__name__, (meta,), {"mro": lambda own: [own, *order]})
            names = ("__module__", "__qualname__")
            namespace = {name: class_.__dict__[name] for name in names if name in class_.__dict__}
            try:
                made: Any = type.__new__(ordered, class_.__name__, (base,), namespace)
            except TypeError:  # CPython takes more for a layout of its own than fields
                made = class_
            self._likenesses[id(class_)] = made
        return self._likenesses[id(class_)]

    def _copy(self, value: Any, class_: type) -> Any:
        copy: Any
        base: Any = next(each for each in class_.__mro__ if not _made_by_python(each))
        if not any(True for _ in _slot_fields(class_)):
            class_ = self._like(class_, base)
        if base in (object, BaseException, Exception):
            copy = object.__new__(class_) if base is object else base.__new__(class_)
        elif base is tuple:
            copy = tuple.__new__(class_, self._items(value))
        elif base is frozenset:
            copy = frozenset.__new__(class_, self._members(value))
        elif base in (int, float, complex, str, bytes):
            copy = base.__new__(class_, _plain(base, value))
        elif base in (list, dict, set):
            copy = base.__new__(class_)
            base.__init__(copy, self._part(value))
        else:
            make, arguments = _recipe(value, base)
            if make is not type(value):
                raise RemapError(
                    f"cannot remap: what a {class_.__name__} that is a key will hash to cannot be "
                    f"foretold, since {base.__name__} is not known"
                )
            copy = base.__new__(class_, *self._items(arguments))
        _native._hush(copy)
        self._copies.append(copy)
        namespace = getattr(value, "__dict__", None)
        if type(namespace) is dict:
            for name, held in namespace.items():
                copy.__dict__[name] = self._held(held, value, namespace, at=name)
        read_only = []
        for name, held in _slots(value):
            field = _member(class_, name)
            if field is not None:
                wanted = self._held(held, value, at=name)
                try:
                    field.__set__(copy, wanted)
                except AttributeError:
                    read_only.append((name, field, wanted))
        for name, field, wanted in read_only:
            if not _has(copy, field, wanted):  # two names may lead to one place
                raise RemapError(
                    f"cannot remap: what a {class_.__name__} that is a key will hash to cannot be "
                    f"foretold, since {name!r} is read-only"
                )
        return copy


def _merged(orders: list[list[type]]) -> Iterator[type]:
    """The C3 merge of MROs (Michele Simionato, "The Python 2.3 Method Resolution Order")."""
    orders = [list(order) for order in orders if order]
    while orders:
        first = next(
            order[0] for order in orders if all(order[0] not in other[1:] for other in orders)
        )
        yield first
        orders = [[each for each in order if each is not first] for order in orders]
        orders = [order for order in orders if order]


class _Quiet:
    """Comes before a base that would register what derives from it."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        pass


def _made_by_python(class_: type) -> bool:
    heap_type, immutable_type = 1 << 9, 1 << 8
    return bool(class_.__flags__ & heap_type) and not class_.__flags__ & immutable_type


def _plain(base: Any, value: Any) -> Any:
    """The value of an instance of a subclass as a plain `base`, whatever it overrides."""
    if base is str:
        return str.__str__(value)
    if base is bytes:
        return bytes.__getitem__(value, slice(None))
    return base.__pos__(value)


def _recipe(value: Any, base: Any) -> tuple[Any, ...]:
    """What a C `base` says of how to make one like `value`, in the form of pickle."""
    for name, arguments in (("__reduce_ex__", (2,)), ("__reduce__", ())):
        if getattr(base, name) is not getattr(object, name):
            return tuple(getattr(base, name)(value, *arguments)[:2])
    return None, ()


def _slots(value: Any) -> Iterator[tuple[str, object]]:
    """The fields that `__slots__` of the classes of `value` have made, where they are set."""
    for name, field in _slot_fields(type(value)):
        try:
            yield name, field.__get__(value)
        except AttributeError:
            continue


def _slot_fields(class_: type) -> Iterator[tuple[str, types.MemberDescriptorType]]:
    for each in filter(_made_by_python, class_.__mro__):
        for name, field in list(each.__dict__.items()):
            if isinstance(field, types.MemberDescriptorType):
                yield name, field


def _has(instance: Any, field: types.MemberDescriptorType, wanted: object) -> bool:
    try:
        return field.__get__(instance) is wanted
    except AttributeError:
        return False


def _member(class_: type, name: str) -> types.MemberDescriptorType | None:
    for each in class_.__mro__:
        field = each.__dict__.get(name)
        if isinstance(field, types.MemberDescriptorType):
            return field
    return None

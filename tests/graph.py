"""A graph of live objects beside a model of it, which knows what a remap must make of it.

Every object has a *label*, an int; the model knows objects by their labels only. The real
objects are in `Graph.real`, which is excluded from every remap.
"""

from __future__ import annotations

import collections
import copy
import functools
import types
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any


class RefusedError(Exception):
    """What a remap must refuse: an unhashable key, a class that would be its own base."""


class CycleError(Exception):
    """A value that would be part of itself: its hash has no end."""


class Slotted:
    __slots__ = ("a0", "a1")


class Valued:
    """Hashed and compared by what it holds."""

    def __init__(self, value: Any) -> None:
        self.a0 = value

    def __hash__(self) -> int:
        return hash((Valued, self.a0))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Valued) and bool(self.a0 == other.a0)


class Method:
    def method(self) -> None:
        pass


class Ref(weakref.ref[Any]):
    """Never shared with others, as plain weak references without a callback are."""


def _attributes(make: Callable[[], Any]) -> Callable[[list[Any]], Any]:
    def fill(values: list[Any]) -> Any:
        instance = make()
        for index, value in enumerate(values):
            setattr(instance, f"a{index}", value)
        return instance

    return fill


def _generator(values: list[Any]) -> Iterator[Any]:
    def generate(value: Any) -> Iterator[Any]:
        while True:
            yield value

    generator = generate(values[0])
    next(generator)
    return generator


def _closure(values: list[Any]) -> Any:
    value = values[0]
    return lambda: value


def _function(values: list[Any]) -> Any:
    def function(value: Any = values[0]) -> Any:
        return value

    return function


def _attribute_values(instance: Any) -> list[Any]:
    return [value for name, value in vars(instance).items() if name[0] == "a"]


@dataclass(frozen=True)
class Kind:
    """How objects of a kind are made of values, and what they hold."""

    make: Callable[[list[Any]], Any]
    read: Callable[[Any], list[Any]]
    size: int | None = None
    """How many values it has; None for any number."""
    weakly: bool = False
    """It can be weakly referenced."""
    hashed: str = "no"
    """By "identity", by "value", or "no"t at all."""


SEQUENCES = {
    "list": Kind(list, list),
    "tuple": Kind(tuple, list, hashed="value"),
    "deque": Kind(collections.deque, list, weakly=True),
    "partial": Kind(
        lambda v: functools.partial(print, *v), lambda o: list(o.args), None, True, "identity"
    ),
    "exception": Kind(lambda v: ValueError(*v), lambda o: list(o.args), hashed="identity"),
    "slotted": Kind(_attributes(Slotted), lambda o: [o.a0, o.a1], 2, hashed="identity"),
    "namespace": Kind(_attributes(types.SimpleNamespace), _attribute_values),
    "valued": Kind(lambda v: Valued(v[0]), lambda o: [o.a0], 1, True, "value"),
    "method": Kind(
        lambda v: types.MethodType(Method.method, v[0]), lambda o: [o.__self__], 1, True, "value"
    ),
    "generator": Kind(_generator, lambda o: [next(o)], 1, True, "identity"),
    "closure": Kind(_closure, lambda o: [o()], 1, True, "identity"),
    "function": Kind(_function, lambda o: [o()], 1, True, "identity"),
    "iterator": Kind(iter, lambda o: o.__reduce__()[1][0], hashed="identity"),
    "proxy": Kind(lambda v: types.MappingProxyType(dict(enumerate(v))), lambda o: list(o.values())),
    "ref": Kind(lambda v: Ref(v[0]), lambda o: [o()], 1, True, "value"),
}
SETS = {
    "set": Kind(set, list, weakly=True),
    "frozenset": Kind(frozenset, list, weakly=True, hashed="value"),
}
DICTS: dict[str, Any] = {
    "dict": dict,
    "ordered": collections.OrderedDict,
    "default": lambda pairs: collections.defaultdict(list, pairs),
    "weak keys": weakref.WeakKeyDictionary,
}
WEAKLY = {name for name, kind in (SEQUENCES | SETS).items() if kind.weakly} | {
    *("ordered", "weak keys", "instance", "class")
}
BY_IDENTITY = {name for name, kind in SEQUENCES.items() if kind.hashed == "identity"} | {
    *("atom", "instance", "class")
}
ATOMS = (None, 0, 1.5, "text", b"bytes", ())


@dataclass
class Node:
    kind: str
    items: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    """Of a set its members, of a class its bases."""
    class_: int = -1
    stale: bool = False
    """A class that was an old: its bases stay, and its MRO is not computed again."""


class Graph:
    def __init__(self) -> None:
        self.real: dict[int, Any] = {}
        self.nodes: dict[int, Node] = {}
        self.next_label = 0
        for atom in ATOMS:
            self._add(Node("atom"), atom)

    def _add(self, node: Node, real: Any) -> int:
        label = self.next_label
        if any(real is other for other in self.real.values()):
            return label  # An empty tuple is always the same.
        self.next_label += 1
        self.nodes[label], self.real[label] = node, real
        return label

    # ---- growing and changing ----

    def add(self, kind: str, values: list[int]) -> None:
        """A new object that holds `values`, or as many of them as it can."""
        if kind == "class":
            bases = [label for label in dict.fromkeys(values) if self.nodes[label].kind == kind]
            try:
                made = type(f"Class{self.next_label}", tuple(map(self.real.get, bases)), {})
            except TypeError:
                return
            self._add(Node(kind, [], bases), made)
        elif kind == "instance":
            classes = [label for label in values if self.nodes[label].kind == "class"]
            if classes:
                instance = _attributes(self.real[classes[0]])(self._objects(values))
                self._add(Node(kind, values, [], classes[0]), instance)
        elif kind in SEQUENCES:
            self._add_sequence(kind, values)
        else:
            keys = self._different(self._keys_for(kind, values))
            if kind in SETS:
                self._add(Node(kind, [], keys), SETS[kind].make(self._objects(keys)))
            else:
                items = values[: len(keys)]
                pairs = zip(self._objects(keys), self._objects(items), strict=True)
                self._add(Node(kind, items, keys), DICTS[kind](pairs))

    def _add_sequence(self, kind: str, values: list[int]) -> None:
        size = SEQUENCES[kind].size
        values = values if size is None else values[:size]
        if size is not None and len(values) < size:
            return
        if kind == "ref" and self.nodes[values[0]].kind not in WEAKLY:
            return
        if kind == "method" and self.real[values[0]] is None:
            return
        if kind == "iterator" and not values:
            return
        self._add(Node(kind, list(values)), SEQUENCES[kind].make(self._objects(values)))

    def change(self, label: int, position: int, value: int) -> None:
        """Puts `value` into an object that can be changed, or takes something out."""
        node, real, new = self.nodes[label], self.real[label], self.real[value]
        at = position % (len(node.items) + 1)
        if node.kind in ("list", "deque"):
            if at < len(node.items):
                node.items[at] = value
                real[at] = new
            else:
                node.items.append(value)
                real.append(new)
        elif node.kind in ("instance", "slotted", "class", "namespace"):
            at = min(at, 1) if node.kind == "slotted" else at
            node.items[at : at + 1] = [value]
            setattr(real, f"a{at}", new)
        elif node.kind == "set" or node.kind in DICTS:
            self._change_table(node, real, at, value)

    def _change_table(self, node: Node, real: Any, at: int, value: int) -> None:
        if at < len(node.keys) and at % 3 == 0:
            key = self.real[node.keys.pop(at)]
            if node.kind == "set":
                real.discard(key)
            else:
                del real[key]
                node.items.pop(at)
            return
        for key_label in self._keys_for(node.kind, [value]):
            found = [self.key(each) for each in node.keys]
            if self.key(key_label) not in found:
                node.keys.append(key_label)
                node.items += [value] if node.kind != "set" else []
            elif node.kind != "set":
                node.items[found.index(self.key(key_label))] = value
            if node.kind == "set":
                real.add(self.real[key_label])
            else:
                real[self.real[key_label]] = self.real[value]

    def forget(self, label: int) -> weakref.ref[Any] | None:
        """Drops an object that nothing refers to; a reference to see it end by."""
        node = self.nodes[label]
        held = any(
            label in (*other.items, *other.keys, other.class_) for other in self.nodes.values()
        )
        if held or node.kind == "atom":
            return None
        del self.nodes[label]
        real = self.real.pop(label)
        return weakref.ref(real) if node.kind in WEAKLY else None

    # ---- what is equal to what ----

    def _objects(self, labels: Iterable[int]) -> list[Any]:
        return [self.real[label] for label in labels]

    def _keys_for(self, kind: str, labels: Iterable[int]) -> list[int]:
        keys = []
        for label in labels:
            try:
                self.key(label)
            except RefusedError:
                continue
            if kind != "weak keys" or self.nodes[label].kind in WEAKLY:
                keys.append(label)
        return keys

    def _different(self, labels: list[int]) -> list[int]:
        return list({self.key(label): label for label in reversed(labels)}.values())[::-1]

    def key(self, label: int, inside: tuple[int, ...] = ()) -> Any:
        """Equal for what Python would call equal; raises for what has no hash."""
        node = self.nodes[label]
        if label in inside:
            raise CycleError
        if node.kind in BY_IDENTITY:
            return label
        inside = (*inside, label)
        if node.kind == "tuple":
            if not node.items:
                return ATOMS.index(())
            return (node.kind, *(self.key(item, inside) for item in node.items))
        if node.kind == "frozenset":
            return (node.kind, frozenset(self.key(member, inside) for member in node.keys))
        if node.kind == "method":
            return (node.kind, node.items[0])
        if node.kind in ("valued", "ref"):
            return (node.kind, self.key(node.items[0], inside))
        raise RefusedError

    # ---- remaps ----

    def remapped(self, mapping: dict[int, int]) -> tuple[dict[int, Node], int]:
        """The model after a remap, and how many strong slots it rewrites."""
        after = Graph.__new__(Graph)
        after.nodes = {}
        slots = 0
        for label, node in self.nodes.items():
            weak = {old: new for old, new in mapping.items() if self.nodes[new].kind in WEAKLY}
            of_items = weak if node.kind == "ref" else mapping
            of_keys = weak if node.kind == "weak keys" else mapping
            if node.kind == "class" and label in mapping:
                of_keys = {}
            after.nodes[label] = replace(
                node,
                items=[of_items.get(item, item) for item in node.items],
                keys=[of_keys.get(key, key) for key in node.keys],
                class_=mapping.get(node.class_, node.class_),
                stale=node.stale or (node.kind == "class" and label in mapping),
            )
            strong = [] if node.kind == "ref" else list(node.items)
            strong += [] if node.kind == "weak keys" else node.keys
            # An OrderedDict keeps its order in nodes that have the key as well.
            strong += node.keys if node.kind == "ordered" else []
            slots += sum(value in mapping for value in [*strong, node.class_])
        for label, node in after.nodes.items():
            if node.kind in BY_IDENTITY or node.kind in ("tuple", "frozenset", "valued", "ref"):
                with_hash = copy.copy(node)
                try:
                    after.key(label)
                except RefusedError:
                    assert with_hash == node
        for node in after.nodes.values():
            if node.kind in SETS or node.kind in DICTS:
                after.merge(node)
        after.orders()
        return after.nodes, slots

    def merge(self, node: Node) -> None:
        """Of keys that became equal the later value stays, at the earlier position."""
        keys: dict[Any, int] = {}
        items: dict[Any, int] = {}
        for position, label in enumerate(node.keys):
            key = self.key(label)
            keys.setdefault(key, label)
            if node.items:
                items[key] = node.items[position]
        node.keys = list(keys.values())
        node.items = [items[key] for key in keys] if node.items else []

    def has_stale_classes(self) -> bool:
        return any(node.stale for node in self.nodes.values())

    def orders(self) -> dict[int, list[int]]:
        """The MRO of each class; raises for bases that cannot be."""
        made: dict[int, type] = {}
        labels: dict[type, int] = {object: -1}
        waiting = {label: n.keys for label, n in self.nodes.items() if n.kind == "class"}
        while waiting:
            ready = [label for label, bases in waiting.items() if made.keys() >= set(bases)]
            if not ready:
                raise RefusedError
            for label in ready:
                bases = tuple(made[base] for base in waiting.pop(label))
                try:
                    made[label] = type("Model", bases, {})
                except TypeError:
                    raise RefusedError from None
                labels[made[label]] = label
        return {label: [labels[each] for each in type_.__mro__] for label, type_ in made.items()}

    # ---- the comparison ----

    def check(self) -> None:
        """Every object holds what the model says, and every key is found."""
        labels = {id(real): label for label, real in self.real.items()}
        orders = self.orders()
        for label, node in self.nodes.items():
            real = self.real[label]
            if node.kind in SEQUENCES:
                content = SEQUENCES[node.kind].read(real)
                assert [labels.get(id(x)) for x in content] == node.items, (label, node, content)
            elif node.kind in ("instance", "class"):
                content = _attribute_values(real)
                assert [labels.get(id(x)) for x in content] == node.items, (label, node, content)
                if node.kind == "class":
                    mro = [labels.get(id(each), -1) for each in real.__mro__]
                    stale = any(self.nodes[each].stale for each in orders[label][:-1])
                    assert stale or mro == orders[label], (label, node, real.__mro__)
                    bases = [labels.get(id(each)) for each in real.__bases__]
                    assert bases == (node.keys or [None]), (label, node)
                else:
                    assert labels[id(type(real))] == node.class_, (label, node, type(real))
            elif node.kind in SETS:
                self._check_set(node, real, labels)
            elif node.kind in DICTS:
                keys = [labels.get(id(key)) for key in real]
                values = [labels.get(id(value)) for value in real.values()]
                assert (keys, values) == (node.keys, node.items), (label, node, real)
                assert len(real) == len(keys)
                for key in list(real):
                    assert key in real, (label, node, key)

    def _check_set(self, node: Node, real: Any, labels: dict[int, int]) -> None:
        members = [labels.get(id(member), -2) for member in real]
        assert len(members) == len(real) == len(node.keys), (node, real)
        assert -2 not in members, (node, real)
        assert {*map(self.key, members)} == {*map(self.key, node.keys)}, (node, real)
        assert all(member in real for member in list(real)), (node, real)
        # Which of several equal members stays is the set's business.
        node.keys = members

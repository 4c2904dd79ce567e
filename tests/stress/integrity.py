"""Whether the heap is as CPython wants it: what a remap must leave behind, whatever it did.

`faults()` is quick enough for after every remap. `all_faults()` also asks what takes
Python to ask: whether keys stand under the hash that they have, and whether classes and
the caches of lookups in them agree with their bases.
"""

from __future__ import annotations

import ctypes
import gc
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

from gcremap import _native

ATOMS = (str, bytes, int, float, complex, bool, type(None))
"""What has a hash that is sure to be right."""

faults: Callable[[], list[str]] = _native._faults


class FaultyHeapError(Exception):
    """Says what is wrong."""


def check() -> None:
    found = faults()
    if found:
        raise FaultyHeapError("; ".join(found))


def all_faults(first: Sequence[type] = ()) -> list[str]:
    """`first` are classes to ask before others: each lookup may push another's result out of
    the cache that it is to be compared with."""
    classes = [*first, *all_classes()]
    found = faults()
    # Where a referent is gone, what the collector does not list cannot be looked at.
    tables = gc.get_objects() if found else containers()
    return [
        *found,
        *lookup_faults(classes),
        *(text for class_ in classes for text in class_faults(class_)),
        *(text for each in tables for text in hash_faults(each)),
        *weak_reference_faults(),
    ]


# ---- hashes ----


def referents(*objects: Any) -> list[Any]:
    """What `gc.get_referents` says, of all but modules. That of `_asyncio` shows on 3.12 what it
    keeps to use again, which a reference to it frees once more (Modules/_asynciomodule.c,
    module_traverse)."""
    return gc.get_referents(*(each for each in objects if not _native._is_a(each, ModuleType)))


def containers() -> Iterator[Any]:
    """All tables and tuples, with those that the collector does not list: what holds nothing
    but numbers and text."""
    seen = set()
    for each in gc.get_objects():
        for one in (each, *referents(each)):
            if type(one) in (dict, set, frozenset, tuple) and id(one) not in seen:
                seen.add(id(one))
                yield one


def is_pure(key: Any, depth: int = 3) -> bool:
    """Its hash is a function of its value, and is asked without running Python code."""
    if type(key) in ATOMS:
        return True
    return type(key) in (tuple, frozenset) and depth > 0 and all(is_pure(k, depth - 1) for k in key)


def hash_faults(each: Any) -> Iterator[str]:
    if type(each) in (dict, set, frozenset):
        keys = [key for key in each.copy() if is_pure(key)]
        found = _native._entries_with(each, {hash(key) for key in keys})
        standing = {id(key) for _, key, _ in found}
        for key in keys:
            if id(key) not in standing:
                yield f"{type(each).__name__} at {id(each):#x}: {key!r:.80} under another hash"
    if type(each) in (tuple, frozenset) and is_pure(each):
        again = (*iter(each),) if type(each) is tuple else frozenset([*each])
        if hash(again) != hash(each):
            yield f"{type(each).__name__} at {id(each):#x}: keeps a hash that is not its own"


# ---- classes ----

_lookup = ctypes.pythonapi._PyType_Lookup
_lookup.restype = ctypes.c_void_p
_lookup.argtypes = [ctypes.py_object, ctypes.py_object]


def of_type(name: str) -> Callable[[Any], Any]:
    """What the interpreter says of a class, whatever its metaclass does."""
    return type.__dict__[name].__get__  # type: ignore[no-any-return]


bases_of, mro_of = of_type("__bases__"), of_type("__mro__")
namespace_of = of_type("__dict__")


def is_among(one: object, others: Iterable[object]) -> bool:
    return any(other is one for other in others)


def all_classes() -> list[Any]:
    found: dict[int, Any] = {}
    left: list[Any] = [object]
    while left:
        class_ = left.pop()
        if id(class_) not in found:
            found[id(class_)] = class_
            left += type.__subclasses__(class_)
    return list(found.values())


def class_faults(class_: Any) -> Iterator[str]:
    """Faults of its bases, their order, and of its subclasses, by what it says of itself."""
    bases, order = bases_of(class_), mro_of(class_)
    name = type.__repr__(class_)
    if order is None or not is_among(class_, order):
        return  # being made, or of a metaclass with an order of its own
    for base in bases:
        if not is_among(class_, type.__subclasses__(base)):
            yield f"{name}: is no subclass of its base {type.__repr__(base)}"
    if type(class_) is type and [*map(id, type.mro(class_))] != [*map(id, order)]:
        yield f"{name}: __mro__ is not what its bases say"
    for below in type.__subclasses__(class_):
        if not is_among(class_, bases_of(below)):
            yield f"{name}: {type.__repr__(below)} is no subclass any more"


def lookup_faults(classes: list[Any]) -> Iterator[str]:
    """Names for which the caches say otherwise than the namespaces."""
    for class_ in classes:
        order = mro_of(class_)
        spaces = [namespace_of(each) for each in order or ()]
        for space in spaces[:-1]:
            for name in [name for name in space if type(name) is str]:
                right = next(each[name] for each in spaces if name in each)
                found = _lookup(class_, name)
                if found != id(right):
                    yield f"{type.__repr__(class_)}.{name}: a cache says otherwise than __mro__"


# ---- weak references ----


def weak_reference_faults() -> Iterator[str]:
    """References that their referent does not know."""
    for each in gc.get_objects():
        if type(each) is weakref.ref:
            referent = each()
            if referent is not None and not is_among(each, weakref.getweakrefs(referent)):
                yield f"a weak reference at {id(each):#x} is not among its referent's"

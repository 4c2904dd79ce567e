"""Which values stay as they are, and which are taken from the new source."""

from __future__ import annotations

import functools
import re
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from types import GenericAlias, ModuleType, UnionType
from typing import TYPE_CHECKING, Any, Literal, cast

from gcremap._reload.matching.successors import is_another
from gcremap._reload.objects.contents import inside, parts
from gcremap._reload.objects.kinds import (
    LRU_CACHE,
    is_a,
    is_class,
    is_function,
    module_of,
    namespace_of,
)
from gcremap._reload.sources import codes
from gcremap._reload.sources.definitions import IMPORT, Definition, Index
from gcremap._reload.sources.source import is_in_place

if TYPE_CHECKING:
    from gcremap._reload.matching.changes import Changes

State = Literal["keep-unchanged", "replace", "keep"]

CONTAINERS = (list, dict, set, deque, defaultdict, OrderedDict)
SCALARS = (str, bytes, int, float, complex, bool, tuple, frozenset, type(None))

OF_THE_MODULE = frozenset(
    {
        "__annotate__", "__annotations__", "__builtins__", "__cached__", "__doc__", "__file__",
        "__conditional_annotations__", "__gcremap_scripts__", "__loader__", "__name__",
        "__package__", "__path__", "__spec__",
    }
)  # fmt: skip
"""Names that a module has whether or not the source binds them."""
RESERVED = OF_THE_MODULE | {"__reload_keep__", "__reload_replace__", "__all__"}
"""Names of a module that say what it is: always the new source's."""


class Policy:
    """Decides by name, then by the rule of the reload."""

    def __init__(self, state: State, keep: Iterable[str] = (), replace: Iterable[str] = ()) -> None:
        self.state = state
        self.keep = frozenset(keep)
        self.replace = frozenset(replace)

    @classmethod
    def of(cls, module: Any, state: State, policies: Mapping[str, str]) -> Policy:
        """With what the module itself says of its names, and what a Reloader was told."""
        name = module.__name__
        state = cast(State, policies.get(name, state))
        named = {
            key.rpartition(":")[2]: policy
            for key, policy in policies.items()
            if key.rpartition(":")[0] == name
        }
        keep = [key for key, policy in named.items() if policy == "keep"]
        replace = [key for key, policy in named.items() if policy == "replace"]
        keep += _names(vars(module), "__reload_keep__")
        replace += _names(vars(module), "__reload_replace__")
        return cls(state, keep, replace)


def _names(namespace: dict[str, Any], key: str) -> tuple[str, ...]:
    value = namespace.get(key, ())
    if is_a(value, str) or not all(is_a(name, str) for name in value):
        raise TypeError(f"{key} must be a tuple of names, not {value!r}")
    return tuple(value)


class Values:
    """Decides for each data name of one namespace whether its old value stays."""

    def __init__(
        self,
        olds: dict[str, Any],
        news: dict[str, Any],
        old_index: Index | None,
        new_index: Index | None,
        policy: Policy,
        final: Callable[[Any], Any],
        outer: Values | None = None,
        *,
        unedited: bool = False,
        changes: Changes | None = None,
    ) -> None:
        self._outer = outer
        self.changes = changes
        self._unedited = unedited
        self.olds = olds
        self._news = news
        self._old_index = old_index
        self._new_index = new_index
        self._policy = policy
        self._final = final
        self._decided: dict[str, bool] = {}

    def new(self, name: str) -> Any:
        return self._news.get(name)

    @property
    def state(self) -> State:
        """The rule where no name is given."""
        return self._policy.state

    def keeps(self, name: str) -> bool:
        """Whether the old value of `name`, which both versions bind, stays."""
        if name in self._policy.keep:
            return True
        if name in self._policy.replace or self._policy.state == "replace":
            return False
        if self._policy.state == "keep":
            return True
        return self._is_unchanged(name)

    def _is_unchanged(self, name: str) -> bool:
        known = self._decided.get(name)
        if known is None:
            self._decided[name] = True  # a name that is computed from itself
            known = self._decided[name] = self._compute(name)
        return known

    def _compute(self, name: str) -> bool:
        if self._old_index is None or self._new_index is None:
            return self._looks_unchanged(name)
        old, new = self._old_index.get(name), self._new_index.get(name)
        if old is None and new is None:
            # Bound by a call: to what, only the values say, or that nothing is different.
            return is_equal(self.olds[name], self._news[name]) or self.is_as_before
        if old is None or new is None:
            return False
        if not old.same(new) or is_another(self.olds.get(name), self.new(name), old):
            return False
        if name in new.reads and self._outer is not None and self._outer.changed(name):
            return False  # `rate = rate` in a class
        if IMPORT in new.kinds and is_a(self.new(name), SCALARS):
            # `rate = rate` after an import, or `rate = 1` where that fails.
            return is_equal(self.olds.get(name), self.new(name))
        return not any(self.changed(other) for other in new.reads if other != name)

    @functools.cached_property
    def is_as_before(self) -> bool:
        """Whether the source is the same, and so is all data that it imports."""
        index = self._new_index or {}
        return self._unedited and not any(
            self.changed(name) for name, definition in index.items() if definition.is_import
        )

    def stands(self, name: str) -> bool:
        """Whether the statements that bound `name` once are still there, under the same
        conditions: `if not hasattr(C, "extra")` does not run its body twice."""
        if self.is_as_before:
            return True
        if self._old_index is None or self._new_index is None:
            return False
        old, new = self._old_index.get(name), self._new_index.get(name)
        if old is None or new is None or not old.same(new):
            return False
        return bool(new.reads) and not any(map(self.changed, new.reads))

    def is_registered_anew(self, path: str, container: Any, *, by_others: bool) -> bool:
        """Whether a definition stands under other decorators than before, or their code is another
        (`by_others`), and these can see a container that stays."""
        if self._old_index is None or self._new_index is None:
            return False
        sides = [_find(index, path) for index in (self._old_index, self._new_index)]
        known = [each for each in sides if each is not None and each.is_code]
        old, new = (each.decorators if each in known else [] for each in sides)
        if len(known) + sides.count(None) != 2 or (old == new and not by_others):
            return False
        return self._are_seen(_NAME.findall(" ".join([*old, *new])), container)

    def _are_seen(self, names: list[str], container: Any) -> bool:
        """Whether names, or functions and classes of the module by these, lead to a container."""
        seen: set[str] = set()
        while names:
            name = names.pop()
            value = self.olds.get(name)
            if name in seen:
                continue
            seen.add(name)
            if value is container:
                return True
            owned = list(namespace_of(value).values()) if is_class(value) else [value]
            if any(each is container for each in owned):
                return True
            functions = [getattr(each, "__func__", each) for each in owned]
            for function in filter(is_function, functions):
                names += [name for code in codes.tree(function.__code__) for name in code.co_names]
        return False

    def changed(self, name: str) -> bool:
        """Whether data that a value may be computed from is another than it was."""
        if self._new_index is None:
            return False
        owner, _, attribute = name.partition(".")
        if attribute and is_a(self._news.get(owner), ModuleType):
            return self.changes is not None and self.changes.has_in(self._news[owner], attribute)
        definition = self._new_index.get(name)
        if definition is None and attribute and is_class(self._news.get(owner)):
            return self._is_another(self._news[owner], owner, attribute)
        if definition is None and self._outer is not None:
            return self._outer.changed(name)
        if definition is not None and definition.is_code:
            before = (self._old_index or {}).get(name)
            return before is not None and before.is_import and self._has_another_name(name)
        if definition is None:
            return name in (self._old_index or ())  # it is a builtin now
        if definition.is_lambda:
            return False
        if name not in self._news:
            # It is taken away once it was used.
            return self._old_index is not None and not self._is_unchanged(name)
        if name not in self.olds:
            return True
        old, new = self.olds[name], self._news[name]
        final = self._final(new)
        if final is old or (callable(new) and final is self._final(old)):
            made = self.changes is not None and self.changes.has_made(old)
            return made and definition.is_import
        if callable(new) and not callable(old):
            return not self._is_unchanged(name)
        if callable(new) and not is_alias(new):
            if not definition.is_import:
                return not (self._is_unchanged(name) or is_equal(old, new))
            before = (self._old_index or {}).get(name)
            if before is None or not before.is_import:
                # Perhaps it only stands in another module now.
                return before is not None and before.is_code and self._has_another_name(name)
            return is_in_place(old) or not before.same(definition)
        if definition.is_import or not self._is_unchanged(name):
            return not is_equal(old, new)
        return False

    def _has_another_name(self, name: str) -> bool:
        """Whether a function or class is none that has come from, or gone to, another module."""
        sides = (self.olds.get(name), self._news.get(name))
        old, new = (getattr(each, "__qualname__", None) for each in sides)
        return bool(old != new)

    def _is_another(self, cls: type, owner: str, attribute: str) -> bool:
        """Whether data of a class, of this module or imported, is another than it was."""
        definition = (self._new_index or {}).get(owner)
        if self._old_index is None:
            return False
        if definition is not None and definition.is_code:
            return not self._is_same_attribute(f"{owner}.{attribute}")
        module, path = module_of(cls), f"{cls.__qualname__}.{attribute}"
        return self.changes is not None and self.changes.has(module, path)

    def _is_same_attribute(self, path: str) -> bool:
        known = self._decided.get(path)
        if known is None:
            self._decided[path] = True  # one that is computed from itself
            old, new = (_find(each or {}, path) for each in (self._old_index, self._new_index))
            if new is None or new.is_import:
                known = True
            elif new.is_code:
                known = old is not None and old.is_code
            elif old is None or not old.same(new):
                known = False
            else:
                owner = path.rpartition(".")[0]
                reads = [name for each in new.reads for name in (each, f"{owner}.{each}")]
                known = not any(map(self.changed, reads))
            self._decided[path] = known
        return known

    def all_changed(self) -> frozenset[str]:
        """The names for which `changed` holds, and data of classes."""
        index = self._new_index or {}
        attributes = () if self.is_as_before or self._old_index is None else _attributes(index)
        others = (path for path in attributes if not self._is_same_attribute(path))
        return frozenset([*filter(self.changed, index), *others])

    def _looks_unchanged(self, name: str) -> bool:
        """Without the old source: a container or object stays, a constant is taken anew."""
        old, new = self.olds[name], self._news[name]
        if type(old) is not type(new) or callable(new):
            return False
        return not is_a(new, SCALARS) or is_equal(old, new)


def is_alias(value: Any) -> bool:
    """Whether it is `list[int]`, `Union[int, str]` or the like, which can be called but are what
    they say."""
    if is_a(value, (GenericAlias, UnionType)):
        return True
    return type(value).__module__ == "typing" and hasattr(value, "__args__")


_NAME = re.compile(r"Name\(id='(\w+)'")
"""In the dump of a syntax tree."""


def _find(index: Index, path: str) -> Definition | None:
    """What there is to say of "C.m", a member of the class C."""
    name, _, rest = path.partition(".")
    found = index.get(name)
    if not rest or found is None:
        return found
    return _find(found.members or {}, rest)


def _attributes(index: Index) -> Iterator[str]:
    """The paths of what the bodies of classes define."""
    for name, definition in index.items():
        for path in (*(definition.members or ()), *_attributes(definition.members or {})):
            yield f"{name}.{path}"


def is_constant(value: Any) -> bool:
    """Whether it is a value, and not an object that something else may be compared with."""
    if is_a(value, (tuple, frozenset)):
        return all(map(is_constant, value))
    return is_a(value, SCALARS) or callable(value)


def is_equal(old: Any, new: Any) -> bool:
    """Whether two values are of the same type, and say that they are equal."""
    if type(old) is not type(new):
        return False
    try:
        return bool(old == new)
    except Exception:
        return False


_REFUSALS = (AttributeError, NotImplementedError, TypeError)
"""What dicts raise that do not want to be changed."""


def merge(
    old: Any,
    new: Any,
    is_new: Callable[[Any], bool],
    is_code: Callable[[Any], bool],
    is_registered_anew: Callable[[Any], bool],
    final: Callable[[Any], Any],
    undo: list[Callable[[], Any]],
) -> None:
    """Give a container that stays what the new source registered in it.

    Only entries that lead to code of the new source: a function added to it, or a key
    that leads to another function. Plain data stays what the program made of it. Where a
    definition has other decorators now, its entries are those that these have made.
    """

    def is_anew(entry: Any) -> bool:
        return any(map(is_registered_anew, _definitions(entry)))

    if is_a(old, dict):
        before = dict(old)
        present = {final(key) for key in new}
        with suppress(*_REFUSALS):
            for key, value in before.items():
                if key not in present and (is_anew(key) or is_anew(value)):
                    del old[key]
            for key, value in new.items():
                if not is_code(value) and not _mentions(key, is_new):
                    is_wanted = key not in old and _mentions(value, is_new)
                    if is_anew(value) or is_anew(key) or is_wanted:
                        old[final(key)] = value
                    continue
                key, wanted = final(key), final(value)
                if key not in old or (is_code(value) and old[key] is not wanted):
                    old[key] = wanted
        if before.keys() != old.keys() or any(old[key] is not before[key] for key in before):
            undo.append(functools.partial(_refill, old, before))
        return
    added = [final(item) for item in new if _mentions(item, is_new) or is_anew(item)]
    items = list(old)
    stay = [item for item in items if not is_anew(item)]
    if added or len(stay) < len(items):
        undo.append(functools.partial(_refill, old, items))
        place = next((i for i, item in enumerate(items) if is_anew(item)), len(items))
        _refill(old, [*stay[:place], *added, *stay[place:]])


def _refill(container: Any, content: Any) -> None:
    container.clear()
    if is_a(container, (list, deque)):
        container.extend(content)
    else:
        container.update(content)


def _mentions(item: Any, is_one: Callable[[Any], bool]) -> bool:
    """Whether an entry is, or consists of, a definition of some kind."""
    return any((is_class(part) or is_function(part)) and is_one(part) for part in inside(item))


def is_registry(container: Any, is_code: Callable[[Any], bool]) -> bool:
    """Whether functions or classes of the module are in it, alone or each in a tuple with what
    belongs to it."""
    items = [*container.values()] if is_a(container, dict) else [*container]
    inner = [part for item in items for part in (item if is_a(item, tuple) else (item,))]
    return any((is_class(part) or is_function(part)) and is_code(part) for part in inner)


def _definitions(entry: Any) -> Iterator[Any]:
    """The function or class that an entry is, perhaps under a decorator, or has as its own part,
    as a record does."""
    alone = is_class(entry) or is_function(entry)
    for part in [entry] if alone else [entry, *parts(entry)]:
        if is_class(part):
            yield part
            continue
        while is_function(part) or is_a(part, LRU_CACHE):
            if is_function(part):
                yield part
            part = vars(part).get("__wrapped__")

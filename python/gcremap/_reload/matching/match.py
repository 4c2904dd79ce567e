"""Which old object became which new one."""

from __future__ import annotations

import enum
import functools
import types
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from gcremap._reload.matching.alternatives import is_certain, made_by
from gcremap._reload.matching.defaults import Parts
from gcremap._reload.matching.successors import is_made_by
from gcremap._reload.objects.annotations import are_text
from gcremap._reload.objects.contents import ATOMS
from gcremap._reload.objects.kinds import (
    LRU_CACHE,
    cells_of,
    is_a,
    is_class,
    is_function,
    module_of,
    mro_of,
    namespace_of,
)
from gcremap._reload.sources import codes
from gcremap._reload.sources.definitions import DEF, Definition, Index

if TYPE_CHECKING:
    from gcremap._reload.matching.state import Values

_WRAPPERS = (staticmethod, classmethod)
_ATOMS = (str, bytes, int, float, complex, bool, type(None), type(Ellipsis), types.ModuleType)
_APART = (*_ATOMS, types.GetSetDescriptorType)
"""What a class has that is no part of its definition."""


_NOTHING: frozenset[str] = frozenset()
_NO_MEMBERS: Index = {}
"""One for all, since each that is made is one more to look at in the heap."""


@dataclass(slots=True, eq=False)
class Pair:
    """An old object and what it became, and where their definition says so."""

    old: Any
    new: Any
    path: str
    module: str
    same_definition: bool = False
    """The defining statements did not change at all."""
    same_decorators: bool = False
    old_members: Index = field(default_factory=dict)
    new_members: Index = field(default_factory=dict)
    attributes: frozenset[str] = _NOTHING
    """Those that a statement sets, `f.calls = 0`, which did not change: they are state."""
    reassigned: frozenset[str] = _NOTHING
    """Those that other statements set now, or none."""
    keep: bool = True
    """References to new go to old, which takes over its content; else the other way."""
    changed: bool = False
    data: bool = False
    """A value, not code: nothing of it is taken over."""
    definition: Definition | None = None
    """The new one, where it is known."""
    former: Definition | None = None
    """The old one."""
    is_moved: bool = False
    """The new one is of another module."""
    is_retyped: bool = False
    """Whether annotations of a class become text, or are none any more."""

    @property
    def final(self) -> Any:
        """The side that references go to."""
        return self.old if self.keep else self.new


Wholes = tuple[Definition | None, Definition | None]


@dataclass(slots=True)
class Site:
    """Where a pair was found: the two definitions of one name, as far as there are any."""

    path: str
    module: str
    old: Definition | None = None
    new: Definition | None = None
    made_by_same: bool = False
    """No statement says what it is; what made it says the same."""
    certain: bool = False
    """Of several statements of the name, it is known which ones these two are of."""
    wholes: Wholes = (None, None)
    """All there is of the name, in both versions."""

    @classmethod
    def of(
        cls,
        path: str,
        module: str,
        wholes: Wholes,
        values: tuple[Any, Any],
        made_by_same: bool = False,
        certain: bool = True,
    ) -> Site:
        """Where two values stand, of all definitions of their name those that made them."""
        old, new = wholes
        if not (_is_single(old) and _is_single(new)):
            new = made_by(wholes[1], values[1], module)
            old = made_by(wholes[0], values[0], module, like=new)
            certain = certain and is_certain(wholes, (old, new))
        return cls(path, module, old, new, made_by_same, certain, wholes)

    @property
    def same(self) -> bool:
        if self.old is None and self.new is None:
            return self.made_by_same
        if self.old is None or self.new is None:
            return False
        if self.new.has_alternatives and self.new.is_code:
            return False  # which of them ran is not known
        return self.old.same(self.new)

    @property
    def same_touches(self) -> bool:
        return self.old is None or self.new is None or self.old.touches == self.new.touches

    @property
    def same_decorators(self) -> bool:
        if self.old is None or self.new is None:
            return True
        return self.old.decorators == self.new.decorators

    @property
    def is_code(self) -> bool:
        """Both sides are `def` or `class` statements, or give a lambda its name."""
        sides = (self.old, self.new)
        return all(side is not None and (side.is_code or side.is_lambda) for side in sides)

    def is_definition(self, old: Any, new: Any) -> bool:
        """Whether what the name of the site was and is bound to are versions of one definition."""
        if self.is_code:
            return True
        if self.old is None and is_function(old) and is_function(new):
            # Nothing is known of the old source, or another file of the namespace had it.
            code = self.new is None or self.new.is_code
            return code and old.__qualname__ == new.__qualname__ == self.path
        if is_class(old) and is_class(new):
            # A namedtuple, an Enum by call: it says that it is this name's.
            named = old.__name__ == new.__name__ == self.path and old.__module__ == self.module
            return named or self.makes_classes(old, new)
        return False

    def makes_classes(self, old: type, new: type) -> bool:
        """Whether statements, or the functions that they call, have made the two for the name."""
        sides = ((self.old, old), (self.new, new))
        return not self.is_code and all(
            side is not None and (side.is_code or is_made_by(cls, side)) for side, cls in sides
        )

    @property
    def is_decorated(self) -> bool:
        return any(side is not None and side.decorators for side in (self.old, self.new))

    @property
    def is_data(self) -> bool:
        """Either side is an assignment or an import."""
        old, new = self.old, self.new
        return (old is not None and not old.is_code) or (new is not None and not new.is_code)

    def inside(self, pair: Pair, name: str, values: tuple[Any, Any]) -> Site:
        """Where two values stand that classes, a pair at this site, have by a name."""
        wholes = (pair.old_members.get(name), pair.new_members.get(name))
        path = f"{self.path}.{name}"
        return Site.of(path, self.module, wholes, values, pair.same_definition, self.certain)


def _is_single(whole: Definition | None) -> bool:
    return whole is None or len(whole.prints) == 1


class Orphan(NamedTuple):
    """A function that runs old code and has no new side."""

    function: Any
    code: CodeType
    """What it should run."""
    defaults: Parts | None
    """Those that it should have, where these are others."""
    like: Any
    """One that was made by the new source and has this code, where there is any."""


class Matcher:
    """Finds all pairs of a transaction; each old and each new is in one at most."""

    def __init__(self, modules: Iterable[str]) -> None:
        self._modules = frozenset(modules)
        self.pairs: list[Pair] = []
        self.by_old: dict[int, Pair] = {}
        self.by_new: dict[int, Pair] = {}
        self.code_map: dict[CodeType, CodeType] = {}
        """Old code to new, by equality: what was compiled anew is equal, not identical."""
        self._old_codes: list[CodeType] = []
        self.ambiguous: set[str] = set()
        """Qualified names that several functions have: these match by their code alone."""
        self.registered_anew: set[str] = set()
        """The modules whose definitions were withdrawn from registries, for new ones."""
        self.values: dict[str, Values] = {}
        """What is known of the data of each module."""
        self.orphans: list[Orphan] = []

    def is_new(self, value: Any) -> bool:
        """Whether a function or class came with the new source and has no old side."""
        return (
            (is_class(value) or is_function(value))
            and module_of(value) in self._modules
            and id(value) not in self.by_new
            and id(value) not in self.by_old
        )

    def learn_codes(self, old: CodeType | None, new: CodeType | None) -> None:
        """Note which code of a module became which."""
        if new is not None:
            names = [code.co_qualname for code in codes.tree(new)]
            if len(set(names)) < len(names):
                self.ambiguous |= {name for name, count in Counter(names).items() if count > 1}
        if old is not None:
            self._old_codes.append(old)
        if old is not None and new is not None:
            for was, now in codes.pair_up(old, new):
                self.code_map.setdefault(was, now)

    @functools.cached_property
    def module_codes(self) -> set[CodeType]:
        """The old code of functions that statements of a module, or of its classes, define."""
        trees = map(codes.tree, self._old_codes)
        return {code for tree in trees for code in tree if "<" not in code.co_qualname}

    def has_function_with(self, names: set[str]) -> bool:
        """Whether a function of the old source has one of these names."""
        trees = map(codes.tree, self._old_codes)
        found = (code for tree in trees for code in tree if not names.isdisjoint(code.co_names))
        return any(map(codes.is_of_function, found))

    def match(self, old: Any, new: Any, site: Site) -> Pair | None:
        """Pair `old` with `new`, which stand at one site, and what they are made of."""
        if old is new or is_a(old, _ATOMS) or is_a(new, _ATOMS):
            return None
        if id(old) in self.by_old or id(new) in self.by_new:
            return self.by_old.get(id(old))
        if type(old) is FunctionType is type(new):
            return self._functions(old, new, site)
        if is_class(old) and is_class(new):
            return self._classes(old, new, site)
        if is_a(old, _WRAPPERS) and type(old) is type(new):
            pair = self._add(old, new, site)
            self.match(old.__func__, new.__func__, site)
            return pair
        if type(old) is property is type(new):
            pair = self._add(old, new, site)
            for name in ("fget", "fset", "fdel"):
                self.match(getattr(old, name), getattr(new, name), site)
            return pair
        if type(old) is LRU_CACHE is type(new):
            pair = self._add(old, new, site)
            self.match(old.__wrapped__, new.__wrapped__, site)
            return pair
        inner = self._unwrapped(old, new, site)
        if inner is not None or not site.is_code:
            return inner
        pair = self._add(old, new, site)
        pair.same_definition &= site.same_touches
        if type(old).__qualname__ == type(new).__qualname__:
            self._parts(old, new, site)
        else:
            pair.keep = False
        return pair

    def add_data(self, old: Any, new: Any, site: Site, *, keep: bool) -> Pair | None:
        """Pair two values that nothing is to be taken over between."""
        if old is new or id(old) in self.by_old or id(new) in self.by_new:
            return None
        pair = self._add(old, new, site)
        pair.data, pair.keep = True, keep
        return pair

    def final(self, value: Any) -> Any:
        """What a reference to `value`, old or new, will refer to in the end."""
        pair = self.by_new.get(id(value))
        if pair is not None and pair.keep:
            return pair.old
        pair = self.by_old.get(id(value))
        if pair is not None and not pair.keep:
            return pair.new
        return value

    def _add(self, old: Any, new: Any, site: Site) -> Pair:
        pair = Pair(
            old, new, site.path, site.module, site.same, site.same_decorators,
            _members(site.old), _members(site.new), definition=site.new, former=site.old,
            is_retyped=is_class(old) and is_class(new) and are_text(old) != are_text(new),
        )  # fmt: skip
        self.pairs.append(pair)
        self.by_old[id(old)] = pair
        self.by_new[id(new)] = pair
        return pair

    def forget(self, olds: Iterable[Any]) -> None:
        """Leave these as they are, and what has come in their places too."""
        for old in olds:
            pair = self.by_old.pop(id(old), None)
            if pair is not None:
                del self.by_new[id(pair.new)]
                self.pairs.remove(pair)

    def _functions(self, old: FunctionType, new: FunctionType, site: Site) -> Pair | None:
        became = self.code_map.get(old.__code__)
        same_code = became is new.__code__ or became == new.__code__
        if became is None:
            # Not the module's own code: a namedtuple's __new__ is made by eval().
            same_code = codes.same(old.__code__, new.__code__)
        name = new.__code__.co_qualname
        if not same_code:
            if not site.is_code and not self._is_one_definition(old, new, site):
                return None
            if name in self.ambiguous and old.__code__.co_qualname == name and not site.certain:
                return None
        pair = self._add(old, new, site)
        pair.attributes = _counted(old, new)
        if became is None or not same_code:
            for was, now in codes.pair_up(old.__code__, new.__code__):
                self.code_map.setdefault(was, now)
        if old.__closure__ or vars(old):
            self._parts(old, new, site)
        return pair

    def _is_one_definition(self, old: FunctionType, new: FunctionType, site: Site) -> bool:
        """Whether two functions are versions of one, though not by a `def` of both at the site."""
        if site.old is not None and site.new is not None and site.is_data:
            return site.old.is_lambda and site.new.is_lambda
        return old.__code__.co_qualname == new.__code__.co_qualname

    def _classes(self, old: type, new: type, site: Site) -> Pair | None:
        # Code elsewhere may have shown the old one as its own.
        at_home = site.is_code and new.__module__ == site.module
        said = old.__name__ == new.__name__ and (at_home or old.__module__ == new.__module__)
        stated = site.is_code and not site.is_decorated
        if not (said or stated or site.makes_classes(old, new)):
            return None  # a class statement makes one class, whatever it was told to say since
        pair = self._add(old, new, site)
        self._bases(old, new, site)
        olds, news = namespace_of(old), namespace_of(new)
        if is_a(old, enum.EnumType) and is_a(new, enum.EnumType):
            for before, member in _same_members(old, new):
                inside = site.inside(pair, member.name, (before, member))
                self.add_data(before, member, inside, keep=True)
        for name, value in list(olds.items()):
            if name in news and not is_a(value, _APART) and not self._is_computed(name, value):
                inside = site.inside(pair, name, (value, news[name]))
                if inside.is_data and not _is_own(value, news[name], name):
                    continue
                self.match(value, news[name], inside)
            elif name not in news and is_a(value, (FunctionType, *_WRAPPERS, property)):
                self._pulled_up(name, value, pair)
        return pair

    def _pulled_up(self, name: str, value: Any, pair: Pair) -> None:
        """Match a method that has gone to a base, where there was none of its name."""
        owners = [each for each in mro_of(pair.new)[1:] if name in namespace_of(each)]
        known = {each.__qualname__ for each in mro_of(pair.old)[1:] if name in namespace_of(each)}
        if not owners or module_of(owners[0]) != pair.module or owners[0].__qualname__ in known:
            return
        new = namespace_of(owners[0])[name]
        if type(new) is type(value) and id(new) not in self.by_new:
            sides = (pair.old_members.get(name), Definition(name, {DEF}))
            self.match(value, new, Site(f"{pair.path}.{name}", pair.module, *sides, certain=True))

    def _is_computed(self, name: str, value: Any) -> bool:
        """Whether it gives annotations that code elsewhere has made, as those of a TypedDict by
        call (3.14): they are all that it is made of."""
        return name == "__annotate_func__" and module_of(value) not in self._modules

    def _bases(self, old: type, new: type, site: Site) -> None:
        """Bases that no name leads to: `class P(namedtuple("P", "x y"))`, or an earlier class
        of this name."""
        for before, after in zip(old.__bases__, new.__bases__, strict=False):
            if before is not after and before.__module__ == old.__module__ == after.__module__:
                own = before.__qualname__ == after.__qualname__ == site.path
                wholes = site.wholes if own else (None, None)
                path = f"{site.path}.<base>"
                values = (before, after)
                self.match(before, after, Site.of(path, site.module, wholes, values, site.same))

    def _unwrapped(self, old: Any, new: Any, site: Site) -> Pair | None:
        """A function that became a property of it, or a static method, and the reverse."""
        if is_a(old, FunctionType) and is_a(new, (*_WRAPPERS, property)):
            inner = new.fget if is_a(new, property) else new.__func__
            return self.match(old, inner, site) if is_a(inner, FunctionType) else None
        if is_a(new, FunctionType) and is_a(old, (*_WRAPPERS, property)):
            inner = old.fget if is_a(old, property) else old.__func__
            return self.match(inner, new, site) if is_a(inner, FunctionType) else None
        return None

    def _parts(self, old: Any, new: Any, site: Site) -> None:
        """Match what two wrappers of the same make hold under the same names."""
        news = dict(_held(new))
        for name, value in _held(old):
            inner = news.get(name)
            if is_a(value, FunctionType) and is_a(inner, FunctionType):
                if value.__code__.co_qualname == inner.__code__.co_qualname or (
                    self.code_map.get(value.__code__) == inner.__code__
                ):
                    self.match(value, inner, site)
            elif type(value) is LRU_CACHE is type(inner) or (
                is_a(value, (*_WRAPPERS, property)) and type(value) is type(inner)
            ):
                self.match(value, inner, site)


def _same_members(old: enum.EnumType, new: enum.EnumType) -> Iterator[tuple[Any, Any]]:
    """The members of two versions of an Enum that have one name, or else one value: a member
    that is called otherwise now."""
    gone: list[Any] = []
    before: Any
    member: Any
    for name, before in old.__members__.items():
        member = new.__members__.get(name)
        if before.name == name and member is not None:
            yield before, member
        elif before.name == name:
            gone.append(before)
    for name, member in new.__members__.items():
        for before in gone if name not in old.__members__ else ():
            value = before.value
            if member.name == name and is_a(value, ATOMS) and value == member.value:
                yield before, member


def _members(side: Definition | None) -> Index:
    return (side.members if side is not None else None) or _NO_MEMBERS


def _counted(old: FunctionType, new: FunctionType) -> frozenset[str]:
    """Attributes of a function that it sets itself, in both versions: `wrapper.calls += 1`."""
    if not (vars(old) and vars(new)):
        return _NOTHING
    names = vars(old).keys() & vars(new).keys() - {"__wrapped__"}
    for function in (old, new):
        names &= codes.names_of(function.__code__, "STORE_ATTR")
    return frozenset(names)


def _is_own(old: Any, new: Any, name: str) -> bool:
    """Whether two values that assignments bind are, all the same, made under this name.

    Such are namedtuples, enums by call, and lambdas.
    """
    if is_class(old) and is_class(new):
        return old.__name__ == new.__name__ == name
    if is_a(old, _WRAPPERS) and type(old) is type(new):
        old, new = old.__func__, new.__func__
    return is_a(old, FunctionType) and is_a(new, FunctionType)


def _held(wrapper: Any) -> Iterator[tuple[str, Any]]:
    """What a wrapper holds, by name: closure cells and attributes."""
    if is_a(wrapper, FunctionType):
        for name, cell in cells_of(wrapper).items():
            try:
                yield f"<{name}>", cell.cell_contents
            except ValueError:
                continue
        yield from list(vars(wrapper).items())
        return
    attributes = getattr(wrapper, "__dict__", None)
    if is_a(attributes, dict):
        yield from list(attributes.items())
    if is_a(wrapper, functools.partial):
        yield "func", wrapper.func
    for base in type(wrapper).__mro__:
        for name, slot in namespace_of(base).items():
            if is_a(slot, types.MemberDescriptorType) and name != "__wrapped__":
                try:
                    yield f"{base.__name__}.{name}", slot.__get__(wrapper)
                except (AttributeError, TypeError):
                    continue

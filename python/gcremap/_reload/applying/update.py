"""Old objects take over the content of new ones, in place, with a way back."""

from __future__ import annotations

import enum
import functools
import types
from collections.abc import Mapping
from types import FunctionType
from typing import Any

from gcremap._reload.applying import functions
from gcremap._reload.applying.functions import (
    carry_attributes,
    carry_module,
    copy_of,
    refill,
    set_defaults,
    swap,
)
from gcremap._reload.applying.remains import is_gone, keep_pseudo_members
from gcremap._reload.applying.undo import Undo
from gcremap._reload.matching import defaults, dependents, state
from gcremap._reload.matching.class_values import class_values
from gcremap._reload.matching.equality import is_equal_in_the_end
from gcremap._reload.matching.makers import Makers
from gcremap._reload.matching.match import Matcher, Pair
from gcremap._reload.objects.attributes import UNSETTABLE, discard_attribute, set_attribute
from gcremap._reload.objects.contents import containers_of
from gcremap._reload.objects.kinds import (
    LRU_CACHE,
    cells_of,
    is_a,
    is_class,
    module_of,
    namespace_of,
)
from gcremap._reload.objects.layout import fields_of, is_of_the_layout, same_layout
from gcremap._reload.sources import codes

_MISSING: Any = object()
_METHODS = (types.MethodType, types.BuiltinMethodType)


_ANNOTATIONS = {"__annotations__": "__annotations_cache__"}
"""What code of `from __future__ import annotations` makes for a class, and where they are when
others are set: Objects/typeobject.c, type_set_annotations (3.14)."""


class Updater:
    """Applies the pairs of a transaction whose old side stays."""

    def __init__(self, matcher: Matcher, undo: Undo) -> None:
        self._matcher = matcher
        self._undo = undo
        self.shells: dict[int, Any] = {}
        """For each old object that changed, one with what it had."""
        self.formers: dict[int, dict[str, Any]] = {}
        """The namespaces of old classes before they were updated."""
        self._written: set[int] | None = None
        self._merged: set[tuple[int, int]] = set()
        self.has_merged_cells = False
        """Whether a closure, as those of singledispatch, was given new entries, or lost some."""

    def update(self, pair: Pair) -> None:
        if pair.data:
            if is_a(type(pair.old), enum.EnumType):
                self._member(pair)
        elif is_a(pair.old, FunctionType):
            self._function(pair)
        elif is_class(pair.old):
            self._class(pair)
        elif is_a(pair.old, LRU_CACHE):
            self._reassign(pair)
        elif is_a(pair.old, property):
            self._property(pair)
        elif is_a(pair.old, (staticmethod, classmethod)):
            old, new = pair.old, pair.new
            wanted = self._matcher.final(new.__func__)
            if old.__func__ is not wanted:
                before = old.__func__
                old.__init__(wanted)
                self._undo.append(lambda: old.__init__(before))
                pair.changed = True

    # Functions.

    def _function(self, pair: Pair) -> None:
        old, new = pair.old, pair.new
        equal = old.__code__ == new.__code__
        same = pair.same_decorators and (equal or codes.same(old.__code__, new.__code__))
        if same and self._same_globals(pair, old, new):
            if not equal or codes.place_of(old.__code__) != codes.place_of(new.__code__):
                self._set(old, "__code__", new.__code__)
            if old.__qualname__ != new.__qualname__ == new.__code__.co_qualname:
                self._set(old, "__qualname__", new.__qualname__)
            self._same_function(pair, old, new)
            return
        pair.changed = True
        if old.__closure__ and new.__closure__ and pair.same_decorators:
            self._merge_cells(pair, old, new)
        self.keep_written(old, new)
        for cell in new.__closure__ or ():
            self._withdraw(cell)
        swap(old, new, self._undo)
        carry_module(new, old, pair, self._undo)
        carry_attributes(new, old, pair, self._undo)
        self.shells[id(old)] = new

    def _same_globals(self, pair: Pair, old: FunctionType, new: FunctionType) -> bool:
        """Whether global names of a function lead to the same: what exec() has made has its own."""
        mine, others = old.__globals__, new.__globals__
        if mine is others or pair.same_definition:
            return True
        names = {name for code in codes.tree(new.__code__) for name in code.co_names}
        return all(self._equal(mine.get(name), others.get(name)) for name in names)

    def _same_function(self, pair: Pair, old: FunctionType, new: FunctionType) -> None:
        """Code that did not change: closure, defaults and attributes are state."""
        self._reassign(pair)
        if old.__closure__ and new.__closure__:
            self._merge_cells(pair, old, new)
        if pair.same_definition:
            if old.__defaults__ or old.__kwdefaults__ or new.__defaults__ or new.__kwdefaults__:
                self._same_defaults(pair, old, new)
            self._compute_annotations(pair, old, new)
            told = "__wrapped__" in vars(new) or "__doc__" in pair.reassigned
            told |= pair.definition is not None and not pair.definition.is_code
            stated = (None, *old.__code__.co_consts[:1])
            told |= old.__doc__ in stated or new.__doc__ not in stated  # the source sets another
            if told and old.__doc__ != new.__doc__:
                pair.changed = True
                self._set(old, "__doc__", new.__doc__)
            if self.makers.are_others(pair):
                self._take_attributes(pair, old, new)
            return
        for name in ("__defaults__", "__kwdefaults__", "__annotations__", "__doc__"):
            try:
                before, wanted = getattr(old, name), getattr(new, name)
            except Exception:
                continue  # annotations that cannot be evaluated (3.14)
            if not self._equal(before, wanted):
                pair.changed = True
                self._set(old, name, wanted)
        self._take_attributes(pair, old, new)
        for name in ("__type_params__", "__annotate__"):
            wanted = getattr(new, name, None)
            if wanted:
                self._set(old, name, wanted)

    def _take_attributes(self, pair: Pair, old: FunctionType, new: FunctionType) -> None:
        """Those that decorators have set."""
        fresh = {
            k: v
            for k, v in vars(new).items()
            if k not in pair.attributes and not self._is_of_state(vars(old).get(k), v)
        }
        if any(not self._equal(vars(old).get(k, _MISSING), v) for k, v in fresh.items()):
            pair.changed = True
            before, present = dict(vars(old)), vars(old)
            present.update({k: self._matcher.final(v) for k, v in fresh.items()})
            self._undo.append(functools.partial(refill, present, before))

    def _same_defaults(self, pair: Pair, old: FunctionType, new: FunctionType) -> None:
        values = self._matcher.values.get(pair.module)
        changed = values.changed if values is not None else lambda name: False
        parts = defaults.chosen(old, new, pair.definition, changed, self._equal)
        if parts[0] is not old.__defaults__ or parts[1] is not old.__kwdefaults__:
            pair.changed = True
            set_defaults(old, parts, self._undo)

    def _reassign(self, pair: Pair) -> None:
        """Take over the attributes of a function that other statements set now."""
        if not pair.reassigned:
            return
        before, wanted = dict(vars(pair.old)), vars(pair.new)
        present = {k: v for k, v in before.items() if k not in pair.reassigned}
        present |= {k: self._matcher.final(wanted[k]) for k in pair.reassigned & wanted.keys()}
        if not self._equal(before, present):
            pair.changed = True
            refill(vars(pair.old), present)
            self._undo.append(functools.partial(refill, vars(pair.old), before))

    def _is_of_state(self, before: Any, wanted: Any) -> bool:
        """Whether it is a method of what the closure keeps: `wrapper.clear = cache.clear`."""
        if not (is_a(before, _METHODS) and type(before) is type(wanted)):
            return False
        mine, others = before.__self__, wanted.__self__
        same = before.__name__ == wanted.__name__ and type(mine) is type(others)
        return same and not is_a(mine, (types.ModuleType, type)) and not self._is_code(others)

    def _compute_annotations(self, pair: Pair, old: FunctionType, new: FunctionType) -> None:
        """Those of a function that did not change name what may be another now."""
        definition = pair.definition
        # Others have them from code elsewhere, as NamedTuple's __new__, or that of a decorator.
        by_itself = definition is not None and definition.is_code and not definition.decorators
        annotate = getattr(old if by_itself else new, "__annotate__", None)
        if annotate is not None:
            self._set(old, "__annotate__", annotate)  # since 3.14: what was computed is dropped
        elif not (by_itself and hasattr(old, "__annotate__")):
            before, wanted = old.__annotations__, new.__annotations__
            if (before or wanted) and not self._equal(before, wanted):
                final = {k: self._matcher.final(v) for k, v in wanted.items()}
                self._set(old, "__annotations__", final)

    def _merge_cells(self, pair: Pair, old: FunctionType, new: FunctionType) -> None:
        news = cells_of(new)
        for name, cell in cells_of(old).items():
            if name == "__classdict__":
                continue  # see scopes.py
            try:
                before, wanted = cell.cell_contents, news[name].cell_contents
            except (KeyError, ValueError):
                continue
            pair_inside = self._matcher.by_old.get(id(before))
            goes_over = pair_inside is not None and pair_inside.new is wanted
            if before is wanted or goes_over or self._is_written(cell):
                continue
            done = len(self._undo)
            self.merge(before, wanted)
            if type(before) is dict is type(wanted):
                self._drop_gone(before, wanted)
            self.has_merged_cells |= len(self._undo) > done
            if not codes.same(old.__code__, new.__code__) or self._equal(before, wanted):
                continue
            if is_a(wanted, (list, dict, set)):
                # One that is not empty says something of the definition, unless it is a registry.
                same = pair.same_definition and not self.makers.are_others(pair)
                if wanted and not same and not state.is_registry(wanted, self._is_code):
                    self._fill(cell, wanted)
            elif is_a(wanted, state.SCALARS) or callable(wanted) or hasattr(wanted, "__get__"):
                self._fill(cell, self._matcher.final(wanted))

    def keep_written(self, old: FunctionType, new: FunctionType) -> None:
        """Let a new function go on with the variables that functions write, `nonlocal n`: these
        are what the program has made of them."""
        if not (old.__closure__ and new.__closure__):
            return
        if old.__code__.co_qualname != new.__code__.co_qualname:
            return
        cells = {name: cell for name, cell in cells_of(old).items() if self._is_written(cell)}
        names = new.__code__.co_freevars
        if cells.keys().isdisjoint(names):
            return
        closure = tuple(map(cells.get, names, new.__closure__))
        swap(new, copy_of(new, new.__code__, closure), self._undo)

    def _is_written(self, cell: types.CellType) -> bool:
        """Whether some function that is matched says `nonlocal` of a variable."""
        if self._written is None:
            self._written = set()
            for pair in self._matcher.pairs:
                if is_a(pair.old, FunctionType) and pair.old.__closure__:
                    names = codes.names_of(pair.old.__code__, "STORE_DEREF")
                    free = cells_of(pair.old).items()
                    self._written.update(id(cell) for name, cell in free if name in names)
        return id(cell) in self._written

    def _drop_gone(self, registry: dict[Any, Any], wanted: dict[Any, Any]) -> None:
        """Functions of the old source that the new one does not register, as singledispatch's."""
        final = self._matcher.final
        present = {final(key) for key in wanted}
        gone = [
            key
            for key, value in registry.items()
            if is_a(value, FunctionType)
            and value.__code__ in self._matcher.module_codes
            and key not in present
        ]
        if gone:
            before = dict(registry)
            for key in gone:
                del registry[key]
            self._undo.append(functools.partial(refill, registry, before))

    def _withdraw(self, cell: types.CellType) -> None:
        """Until the remap, `__class__` and its like are the old ones: threads are running."""
        try:
            pair = self._matcher.by_new.get(id(cell.cell_contents))
        except ValueError:
            return
        if pair is not None and cell.cell_contents is pair.new:
            self._fill(cell, pair.old)

    def _fill(self, cell: types.CellType, value: Any) -> None:
        before = cell.cell_contents
        cell.cell_contents = value
        self._undo.append(lambda: setattr(cell, "cell_contents", before))

    def take_after(self, one: Any, other: Any) -> bool:
        """Give a function or class the content of another that stays; whether it could."""
        if is_a(one, FunctionType) and is_a(other, FunctionType):
            twin = copy_of(other)
            swap(one, twin, self._undo)
            return True
        if is_class(one) and is_class(other) and same_layout(one, other):
            before = dict(vars(one))
            for name, value in dict(vars(other)).items():
                was = before.get(name, _MISSING)
                if was is not value and name != "_fields_" and not is_of_the_layout(name, value):
                    self._assign(one, name, was, value)
            return True
        return False

    def merge(self, old: Any, new: Any) -> None:
        """state.merge() for containers, and those that objects have at the same places."""
        matcher = self._matcher

        def is_registered_anew(value: Any) -> bool:
            values = matcher.values.get(module_of(value))
            if values is None:
                return False
            pair = matcher.by_new.get(id(value)) or matcher.by_old.get(id(value))
            others = pair is not None and self.makers.are_others(pair)
            return values.is_registered_anew(value.__qualname__, container, by_others=others)

        final, undo = matcher.final, self._undo
        for container, other in containers_of(old, new, final):
            if (id(container), id(other)) in self._merged:
                continue  # by another name
            self._merged.add((id(container), id(other)))
            state.merge(
                container, other, matcher.is_new, self._is_code, is_registered_anew, final, undo
            )

    def _is_code(self, value: Any) -> bool:
        return id(value) in self._matcher.by_new or self._matcher.is_new(value)

    def _equal(self, old: Any, new: Any) -> bool:
        return is_equal_in_the_end(old, new, self._matcher.final)

    def _set(self, holder: Any, name: str, value: Any) -> None:
        functions.assign(holder, name, value, self._undo)

    # Properties and Enum members.

    def _property(self, pair: Pair) -> None:
        old, new = pair.old, pair.new
        final = self._matcher.final
        before = (old.fget, old.fset, old.fdel, old.__doc__)
        wanted = (final(new.fget), final(new.fset), final(new.fdel), new.__doc__)
        if all(a is b for a, b in zip(before[:3], wanted[:3], strict=True)) and before == wanted:
            return
        pair.changed = True
        _fill_property(old, wanted)
        self._undo.append(lambda: _fill_property(old, before))

    def _member(self, pair: Pair) -> None:
        """A member of an Enum keeps its identity and takes name, value and attributes."""
        attributes = vars(pair.old)
        before, wanted = dict(attributes), dict(vars(pair.new))
        wanted.update({k: v for k, v in before.items() if k not in wanted})
        if self._equal(before, wanted):
            return
        pair.changed = True
        attributes.update(wanted)
        self._undo.append(functools.partial(refill, attributes, before))

    # Classes.

    def _class(self, pair: Pair) -> None:
        old, new = pair.old, pair.new
        olds, news = dict(namespace_of(old)), dict(namespace_of(new))
        kept = class_values(pair, self._matcher)
        gone = {name for name in olds.keys() - news if self._is_gone(pair, name, olds, news)}
        # What computes annotations goes with those that are deleted: Objects/typeobject.c,
        # type_set_annotations (3.14).
        for name in gone & _ANNOTATIONS.keys():
            self._delete(old, name, olds[name])
        for name, value in news.items():
            if name in kept:
                self.merge(olds[name], value)
            if is_of_the_layout(name, value) or name in kept:
                continue
            before = olds.get(name, olds.get(_ANNOTATIONS.get(name, name), _MISSING))
            self._class_attribute(pair, name, before, value)
        for name in gone - _ANNOTATIONS.keys():
            self._delete(old, name, olds[name])
        pair.changed |= bool(gone)
        if is_a(old, enum.EnumType):
            keep_pseudo_members(olds, old)
        self.formers[id(old)] = olds

    @staticmethod
    def _is_gone(pair: Pair, name: str, olds: dict[str, Any], news: dict[str, Any]) -> bool:
        if is_of_the_layout(name, olds[name]):
            return False
        if any(name == place and said in news for said, place in _ANNOTATIONS.items()):
            return False
        return is_gone(pair, name, olds)

    def former_attributes(self, pair: Pair) -> Mapping[str, Any]:
        """The namespace of an old class as it was."""
        return self.formers.get(id(pair.old)) or namespace_of(pair.old)

    def make_shell(self, pair: Pair) -> None:
        """Of the two class objects, the one that goes shows what the class was."""
        if not pair.keep:
            for name, value in dict(namespace_of(pair.old)).items():
                if id(value) in self.shells:
                    self._assign(pair.old, name, value, self.shells[id(value)])
            return
        shell, olds = pair.new, self.formers[id(pair.old)]
        for name in [name for name in namespace_of(shell) if name not in olds]:
            discard_attribute(shell, name)
        for name, value in olds.items():
            if not is_of_the_layout(name, value):
                set_attribute(shell, name, self.shells.get(id(value), value))
        self.shells[id(pair.old)] = shell

    @staticmethod
    def _is_of_a_member(value: object) -> bool:
        """What 3.11 puts into an Enum for each of its members, to look it up by name."""
        return type(value) is enum.property and value.fget is None and value.fset is None

    def _class_attribute(self, pair: Pair, name: str, before: Any, value: Any) -> None:
        if name in UNSETTABLE or (name == "_fields_" and fields_of(pair.old)):
            return  # as it was; else the class would not stay
        if name == "__firstlineno__":  # 3.13; it is by this that `inspect` finds the source
            if before != value:
                self._assign(pair.old, name, before, value)
            return
        wanted = self._matcher.final(value)
        if before is wanted:
            inner = self._matcher.by_old.get(id(before))
            if inner is not None and inner.changed:
                pair.changed = True
            return
        if self._is_of_a_member(before) and self._is_of_a_member(value):
            return
        if is_a(value, types.ClassMethodDescriptorType) and type(before) is type(value):
            return  # a metaclass in C made it for the class
        if name == "__module__" and name not in pair.new_members and before != pair.module:
            return  # if it is another, that was told to the class from elsewhere
        if (
            is_a(value, (staticmethod, classmethod))
            and type(before) is type(value)
            and self._matcher.final(value.__func__) is before.__func__
        ):
            return
        if is_a(value, types.MethodType) and self._equal(before, value):
            return
        if before is not _MISSING and not callable(value):
            made_by_same = pair.same_definition and not dependents.says_itself(pair, name)
            if not made_by_same or id(pair) in self.made_anew:
                made_by_same = dependents.stays_as_made(pair, name, before, value, self.made_anew)
            stays = made_by_same and type(before) is self._matcher.final(type(value))
            if stays or self._equal(before, value):
                return
        if (
            before is not _MISSING
            and type(value).__name__ == type(before).__name__ == "_tuplegetter"
        ):
            return
        if name in ("__annotations_cache__", "__annotate_func__"):
            pair.changed |= not pair.same_definition
            self._assign(pair.old, name, before, value)
            return
        pair.changed = True
        self._assign(pair.old, name, before, wanted)

    @functools.cached_property
    def makers(self) -> Makers:
        return Makers(self._matcher)

    @functools.cached_property
    def made_anew(self) -> set[int]:
        return dependents.made_anew(self._matcher, self.makers)

    def changed_code(self) -> list[Any]:
        """What functions do something else than before, and what classes consist of something
        else."""
        return [
            pair.final
            for pair in self._matcher.pairs
            if (id(pair) in self.made_anew if is_class(pair.new) else pair.changed)
        ]

    def _assign(self, owner: type, name: str, before: Any, value: Any) -> None:
        set_attribute(owner, name, value)
        if before is _MISSING:
            self._undo.append(lambda: discard_attribute(owner, name))
        else:
            self._undo.append(lambda: set_attribute(owner, name, before))

    def _delete(self, owner: type, name: str, before: Any) -> None:
        discard_attribute(owner, name)  # `__annotate_func__` may have gone with its text (3.14)
        self._undo.append(lambda: set_attribute(owner, name, before))

    def rebase(self, owner: type, bases: tuple[type, ...]) -> None:
        """Give a class other bases; TypeError if its layout does not allow that."""
        before = owner.__bases__
        set_attribute(owner, "__bases__", bases)
        self._undo.append(lambda: set_attribute(owner, "__bases__", before))


def _fill_property(one: property, parts: tuple[Any, Any, Any, str | None]) -> None:
    property.__init__(one, *parts)
    one.__doc__ = parts[3]  # and not that of a getter which is still to be updated

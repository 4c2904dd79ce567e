"""Carry out the pairs of a transaction: which side stays, what is taken over, what is remapped."""

from __future__ import annotations

import abc
import enum
import types
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any

from gcremap import _dispatch
from gcremap._reload.applying import functions, migrate, remains
from gcremap._reload.applying.abstract import settle_abstract
from gcremap._reload.applying.migration import Migration
from gcremap._reload.applying.scopes import share_scope
from gcremap._reload.applying.update import Updater
from gcremap._reload.matching import dependents
from gcremap._reload.matching.class_values import class_values
from gcremap._reload.matching.match import Matcher, Pair
from gcremap._reload.matching.unbound import note_replaced
from gcremap._reload.objects import layout
from gcremap._reload.objects.attributes import UNSETTABLE, set_attribute, set_class
from gcremap._reload.objects.contents import attributes_of
from gcremap._reload.objects.kinds import (
    LRU_CACHE,
    bases_of,
    cells_of,
    is_a,
    is_class,
    mro_of,
    namespace_of,
    subclasses,
)
from gcremap._reload.sources import codes
from gcremap._report import RemapReport

if TYPE_CHECKING:
    from gcremap._reload.matching.job import Job


class Applier:
    """Decides, updates, migrates, and says what is left to remap."""

    def __init__(self, matcher: Matcher, undo: list[Callable[[], Any]], identity: str) -> None:
        self._matcher = matcher
        self._undo = undo
        self._replace = identity == "replace"
        self.updater = Updater(matcher, undo)
        self._decided: set[int] = set()
        self._migration = Migration(matcher, undo)
        self._descriptors: list[tuple[Any, Any]] = []
        self._warnings: dict[str, list[str]] = {}
        self.is_redirected = False
        """Whether nothing refers to the new sides that go any more."""
        self._shown: set[int] = set()
        """Pairs of classes whose old side a hook is given as it was."""
        self._leftovers: list[tuple[Pair, int, bool]] = []
        """Pairs with what could not be found of one side, and whether that was updated."""

    # Which side of a pair stays.

    def decide(self) -> None:
        for pair in self._matcher.pairs:
            self._decide(pair)

    def _decide(self, pair: Pair) -> None:
        if id(pair) in self._decided:
            return
        self._decided.add(id(pair))
        old, new = pair.old, pair.new
        if pair.data and is_a(type(old), enum.EnumType):
            pair.keep = self._member_stays(old, new)
        elif pair.data or not pair.keep:
            return
        elif is_class(old):
            pair.keep = self._class_stays(pair)
        elif is_a(old, FunctionType):
            pair.keep = not (self._replace and _is_changed(pair))
        elif is_a(old, LRU_CACHE):
            same = pair.same_decorators and old.cache_parameters() == new.cache_parameters()
            pair.keep = same and not (self._replace and not pair.same_definition)
        elif is_a(old, (property, staticmethod, classmethod)):
            pair.keep = not (self._replace and not pair.same_definition)
        else:
            pair.keep = pair.same_definition
        if not pair.keep:
            pair.changed = True

    def _member_stays(self, old: Any, new: Any) -> bool:
        """A member's attributes can be taken over, what it is by a mixed-in int or str cannot, nor
        the name that it hashes by."""
        if old._name_ != new._name_:
            return False
        owner = self._matcher.by_new.get(id(type(new)))
        if owner is not None:
            self._decide(owner)
            if not owner.keep:
                return False
        return type(old).__base__ is enum.Enum or bool(old.value == new.value)

    def _class_stays(self, pair: Pair) -> bool:
        old, new = pair.old, pair.new
        for needed in (type(new), *new.__bases__):
            above = self._matcher.by_new.get(id(needed))
            if above is not None:
                self._decide(above)
        if self._replace and not pair.same_definition:
            self._hashes_anew(old, new)
            return False
        final = self._matcher.final
        if final(type(new)) is not type(old) or not layout.same_layout(old, new):
            return False
        bases = [self._matcher.by_new.get(id(base)) for base in new.__bases__]
        if any(base is not None and not base.keep for base in bases):
            return False
        if not self._same_unsettable(pair):
            return False
        if self._hashes_anew(old, new):
            return False
        wanted = tuple(map(final, new.__bases__))
        if wanted != old.__bases__:
            try:
                self.updater.rebase(old, wanted)
            except TypeError:
                return False
            pair.changed = True
        return True

    def _same_unsettable(self, pair: Pair) -> bool:
        """Whether all is as it was of what could not be set."""
        olds, news = namespace_of(pair.old), namespace_of(pair.new)
        names = [name for name in UNSETTABLE if name in olds or name in news]
        if not names:
            return True
        kept = class_values(pair, self._matcher)
        return all(name in kept or olds.get(name) is news.get(name) for name in names)

    def _hashes_anew(self, old: type, new: type) -> bool:
        """Whether containers with instances as keys must be indexed anew.

        A remap of the class does that, by what its methods say before and after: so these
        must stay apart as well.
        """
        if getattr(old, "__hash__", None) is None is getattr(new, "__hash__", None):
            return False
        changed = False
        methods = []
        for name in ("__hash__", "__eq__"):
            before, after = namespace_of(old).get(name), namespace_of(new).get(name)
            pair = self._matcher.by_old.get(id(before)) if before is not None else None
            if (
                pair is not None
                and pair.new is after
                and type(before) is type(after) is FunctionType
            ):
                methods.append(pair)
                changed |= _is_changed(pair)
            else:
                changed |= before is not self._matcher.final(after)
        if changed:
            for pair in methods:
                pair.keep, pair.changed = False, True
                self._decided.add(id(pair))
        return changed

    # What is done.

    def apply(self, jobs: Iterable[Job]) -> None:
        for pair in self._matcher.pairs:
            metaclass = self._matcher.final(type(pair.new))
            if is_class(pair.new) and not pair.keep and metaclass is not type(pair.new):
                # What is made over it, and over others of the metaclass, agrees on that.
                set_class(pair.new, metaclass)
        replaced = [
            pair for pair in self._matcher.pairs
            if not pair.keep and is_class(pair.old) and migrate.can_have_instances(pair)
        ]  # fmt: skip
        self._migration.expect(pair.old for pair in replaced if self._is_laid_out_anew(pair))
        for pair in self._matcher.pairs:
            if pair.keep:
                self.updater.update(pair)
            elif is_class(pair.old) and is_class(pair.new):
                self._replace_class(pair)
            elif pair.data:
                pass  # nothing of a value is taken over
            elif is_a(pair.old, FunctionType) and is_a(pair.new, FunctionType):
                self.updater.keep_written(pair.old, pair.new)
                functions.carry_module(pair.old, pair.new, pair, self._undo)
                functions.carry_attributes(pair.old, pair.new, pair, self._undo)
            elif is_a(pair.old, LRU_CACHE) and is_a(pair.new, LRU_CACHE):
                functions.carry_attributes(pair.old, pair.new, pair, self._undo)
            share_scope(pair, self._undo)
        self._show_formers({job.name for job in jobs if "__after_reload__" in vars(job.module)})
        for orphan in self._matcher.orphans:
            if self._orphan(orphan.function, orphan.code):
                if orphan.defaults is not None:
                    functions.set_defaults(orphan.function, orphan.defaults, self._undo)
                if orphan.like is not None:
                    functions.annotate(orphan.function, orphan.like, self._undo)
        for job in jobs:
            for old, new in job.dropped:
                self.updater.merge(old, new)
        if self.updater.has_merged_cells:
            # A generic function remembers what it has chosen before it had these.
            _dispatch._refresh()
            self._undo.append(_dispatch._refresh)

    def _show_formers(self, told: set[str]) -> None:
        """Make what hooks are given, of a class or of the modules `told`: classes as they were,
        and within them the classes that they had."""
        changed = list(self.changed_classes())
        asked = {
            (pair.module, pair.path)
            for pair in changed
            if pair.module in told or _tells_instances(pair)
        }
        for pair in sorted(changed, key=lambda pair: -pair.path.count(".")):
            places = (pair.path, *_outer(pair.path))
            if any((pair.module, place) in asked for place in places):
                self._shown.add(id(pair))
                self.updater.make_shell(pair)

    def refresh_caches(self) -> None:
        """Of answers by class, where no remap has done it."""
        changed = any(pair.changed for pair in self._matcher.pairs)
        classes = [pair for pair in self._matcher.pairs if is_class(pair.old)]
        if any(_may_be_remembered(pair.old) for pair in classes if pair.changed) or (
            changed and any(_asks(pair.old) or self._asked(pair) for pair in classes)
        ):
            _dispatch._refresh()

    def _asked(self, pair: Pair) -> bool:
        return "__subclasshook__" in self.updater.former_attributes(pair)

    def _replace_class(self, pair: Pair) -> None:
        """Give a new class what the program has made of the old one, and its instances."""
        old, new = pair.old, pair.new
        olds, news = dict(namespace_of(old)), namespace_of(new)
        kept = class_values(pair, self._matcher)
        for name, value in olds.items():
            if layout.is_descriptor(value) and layout.is_descriptor(news.get(name)):
                self._descriptors.append((value, news[name]))
            if layout.is_of_the_layout(name, value):
                continue
            dynamic = name not in news and not remains.is_gone(pair, name, olds)
            # A structure of ctypes takes its fields once.
            stays = name in kept and news[name] is not value and name != "_fields_"
            stays = stays and name not in UNSETTABLE
            if stays:
                self.updater.merge(value, news[name])
            if (
                stays
                or dynamic
                or dependents.stays_as_made(
                    pair, name, value, news.get(name), self.updater.made_anew
                )
            ):
                set_attribute(new, name, value)
        told = olds.get("__module__")
        said = "__module__" in pair.new_members or pair.is_moved
        if not said and news["__module__"] == pair.module != told:
            set_attribute(new, "__module__", told)  # code elsewhere shows the class as its own
        if is_a(new, enum.EnumType):
            remains.keep_pseudo_members(olds, new)
        if is_a(new, abc.ABCMeta):
            migrate.keep_registered(old, new)
        if not migrate.can_have_instances(pair):
            return
        if self._is_laid_out_anew(pair):
            self._migration.move(pair.module, old, new)
        elif self._matcher.final(type(old)) is not self._matcher.final(type(new)):
            self._migration.give_metaclass(old, new)

    def _is_laid_out_anew(self, pair: Pair) -> bool:
        slotted = any("__slots__" in namespace_of(cls) for cls in pair.new.__mro__[:-1])
        rebased = any(id(base) in self._matcher.by_old for base in pair.old.__bases__)
        return (slotted and rebased) or not layout.same_layout(pair.old, pair.new)

    def _orphan(self, function: FunctionType, code: types.CodeType) -> bool:
        """A closure handed out before: the new code, over what it captured; whether it can."""
        if codes.same(function.__code__, code):
            functions.assign(function, "__code__", code, self._undo)
            return True
        cells = cells_of(function)
        missing = [name for name in code.co_freevars if name not in cells]
        if missing:
            self._warn(
                function.__module__,
                f"{function.__qualname__}, handed out before, keeps its old code: "
                f"it never captured {', '.join(missing)}",
            )
            return False
        closure = tuple(cells[name] for name in code.co_freevars)
        twin = functions.copy_of(function, code, closure)
        functions.swap(function, twin, self._undo)
        return True

    # What is left to remap, and what there is to say.

    def values_gone(self) -> set[int]:
        """The values that others have taken the place of, by identity."""
        values = (pair for pair in self._matcher.pairs if pair.data)
        return {id(pair.new if pair.keep else pair.old) for pair in values}

    @property
    def is_redirectable(self) -> bool:
        """Whether the pairs whose old side stays can be told apart from the others: nothing was
        rebuilt, and no class is replaced whose instances hash by methods that stay."""
        return not self._migration.pairs and not any(
            is_class(side) and layout.hashes_by_methods(side)
            for pair in self._matcher.pairs
            if not pair.keep
            for side in (pair.old, pair.new)
        )

    def ours(self) -> list[Any]:
        """What keeps references to new sides that are to stay."""
        return [self.updater.shells]

    def remapping(self) -> list[tuple[Any, Any]]:
        moved = {id(twin) for twin, _ in self._migration.twins}
        pairs = [
            (pair.new, pair.old) if pair.keep else (pair.old, pair.new)
            for pair in self._matcher.pairs
            if not (pair.keep and self.is_redirected) and id(pair.new) not in moved
        ]
        return pairs + self._migration.pairs + self._migration.twins + self._descriptors

    def holders(self) -> list[Any]:
        """What the remap leaves alone: our own pairs, and what new classes say of themselves."""
        holders: list[Any] = [*self._matcher.pairs, *self._migration.gone, self.updater.shells]
        for pair in self._matcher.pairs:
            if pair.keep and is_class(pair.new):
                holders += [pair.new, *_own_tuples(pair.new)]
            elif not pair.keep and is_class(pair.new) and id(pair) in self._shown:
                holders += [pair.old, *_own_tuples(pair.old)]
            elif is_class(pair.old) and not (pair.keep or migrate.can_have_instances(pair)):
                # Its instances and subclasses stay what they are.
                for cls in (pair.old, *subclasses(pair.old)):
                    holders += [cls, *_own_tuples(cls), *migrate.instances(cls)]
                    holders += migrate.class_cells(cls)
            if not pair.keep and is_a(pair.old, enum.EnumType):
                holders += remains.members(pair, self._matcher)
        for old, _ in self._migration.pairs:
            holders.append(old)
            if is_class(old):
                holders += _own_tuples(old)
        return holders

    def changed_classes(self) -> Iterator[Pair]:
        """Those of which something is another now, be it a method only."""
        parts = [pair for pair in self._matcher.pairs if pair.changed]
        around = {(part.module, outer) for part in parts for outer in _outer(part.path)}
        for pair in self._matcher.pairs if around else parts:
            if (pair.changed or (pair.module, pair.path) in around) and is_class(pair.old):
                yield pair

    def changed_names(self) -> set[str]:
        """The last names of functions, and the attributes of classes, that are others now."""
        names = {orphan.function.__name__ for orphan in self._matcher.orphans}
        for pair in self._matcher.pairs:
            if pair.changed and not is_class(pair.old):
                names.add(pair.path.rpartition(".")[2])
        for pair in self.changed_classes():
            before, present = self.updater.former_attributes(pair), attributes_of(pair.final)
            names.update(
                name
                for name in {*before, *present}
                if name not in before
                or name not in present
                or not self._is_same(name, before[name], present[name])
            )
        return names

    def _is_same(self, name: str, before: Any, present: Any) -> bool:
        """Whether an attribute is what it was, or takes an instance to the same place."""
        if layout.is_of_the_layout(name, before) and layout.is_of_the_layout(name, present):
            return True
        return before is self._matcher.final(present)

    def former(self, value: Any) -> Any:
        """An object with the old content of `value`: itself, unless it was updated in place."""
        return self.updater.shells.get(id(value), value)

    def describe(self, jobs: Iterable[Job]) -> None:
        by_name = {job.name: job.report for job in jobs}
        for pair in self._matcher.pairs:
            target = by_name.get(pair.module)
            if target is not None and pair.changed and pair.path not in target.updated:
                target.updated.append(pair.path)
        for name, said in self._warnings.items():
            if name in by_name:
                by_name[name].warnings += said
        for name, count in self._migration.counts.items():
            if name in by_name:
                by_name[name].migrated = count
        for pair, count, updated in self._leftovers:
            if pair.module in by_name:
                by_name[pair.module].warnings.append(
                    f"{pair.path}: {count} references could not be found"
                    + (", what they refer to was updated" if updated else "")
                )

    def settle_leftovers(self, report: RemapReport | None) -> None:
        """What C code refers to where no slot shows it gets the new content, where it can."""
        for one, count in report.leftovers if report is not None else ():
            pair = self._matcher.by_old.get(id(one)) or self._matcher.by_new.get(id(one))
            if pair is not None:
                updated = self.updater.take_after(one, pair.final)
                self._leftovers.append((pair, count, updated))

    def fill_fields(self) -> None:
        """See migrate.fill_fields()."""
        for pair in self.changed_classes():
            cls: type = pair.final
            if "__dataclass_fields__" in attributes_of(cls):
                former = self.updater.former_attributes(pair)
                migrate.fill_fields(cls, former, self._undo)

    def settle_abstract(self) -> None:
        """Subclasses elsewhere become abstract, or concrete, with a base that changed."""
        for pair in self.changed_classes():
            cls = pair.final
            if is_a(cls, abc.ABCMeta):
                for sub in subclasses(cls):
                    settle_abstract(sub, self._undo)

    def finish(self, jobs: Iterable[Job]) -> None:
        """What cannot be taken back, once nothing can fail any more."""
        self._migration.finish()
        note_replaced(self._matcher)
        changed = {pair.module for pair in self._matcher.pairs if pair.changed}
        pairs = [pair for pair in self._matcher.pairs if pair.module in changed]
        namespaces: list[Mapping[str, Any]] = [j.namespace for j in jobs if j.name in changed]
        namespaces += [namespace_of(pair.final) for pair in pairs if is_class(pair.final)]
        # What these remember may have come from any of the code that changed.
        found = [pair.old for pair in pairs]
        found += [value for namespace in namespaces for value in namespace.values()]
        if changed and self._matcher.has_function_with({"lru_cache", "cache"}):
            others = migrate.instances(LRU_CACHE)
            found += [each for each in others if vars(each).get("__module__") in changed]
        for each in found:
            if is_a(each, LRU_CACHE):
                each.cache_clear()

    def _warn(self, module: str, text: str) -> None:
        self._warnings.setdefault(module, []).append(text)


def _tells_instances(pair: Pair) -> bool:
    """Whether the new class has something to say to instances of the old one."""
    return "__reloaded__" in attributes_of(pair.new) or (
        pair.keep and "__reloaded__" in attributes_of(pair.old)
    )


def _outer(path: str) -> Iterator[str]:
    """What a definition stands in: of "A.B.m", "A" and "A.B"."""
    names = path.split(".")
    for depth in range(1, len(names)):
        yield ".".join(names[:depth])


def _own_tuples(cls: type) -> tuple[Any, ...]:
    """The tuples in which a class stands itself, and in which it has its bases."""
    return (mro_of(cls), bases_of(cls))


def _is_changed(pair: Pair) -> bool:
    return not (codes.same(pair.old.__code__, pair.new.__code__) and pair.same_decorators)


def _asks(cls: type) -> bool:
    """Whether an ABC remembers what code of its own has answered, `__subclasshook__`."""
    asked = any("__subclasshook__" in namespace_of(base) for base in mro_of(cls)[:-1])
    return asked and is_a(cls, abc.ABCMeta)


def _may_be_remembered(cls: type) -> bool:
    """Whether a cache knows the class, or one below it: by weak references with a callback."""
    return any(
        type(reference) is weakref.ref and reference.__callback__ is not None
        for each in (cls, *subclasses(cls))
        for reference in weakref.getweakrefs(each)
    )

"""A part of a transaction: one module runs, and takes effect for those that run after it."""

from __future__ import annotations

import builtins
import functools
import gc
from collections.abc import Callable, Mapping, Sequence
from enum import EnumType
from types import ModuleType
from typing import Any, Literal

from gcremap._native import _made_within, remap
from gcremap._reload.applying.apply import Applier
from gcremap._reload.applying.hashing import Reindexing
from gcremap._reload.applying.redirect import Redirection
from gcremap._reload.applying.repeats import drop_repeats
from gcremap._reload.applying.undo import problems_of
from gcremap._reload.matching import held, state
from gcremap._reload.matching.changes import Changes
from gcremap._reload.matching.class_values import class_values, defined_anew
from gcremap._reload.matching.job import Job, Target
from gcremap._reload.matching.match import Matcher, Pair, Site
from gcremap._reload.matching.moves import match_methods, match_moved
from gcremap._reload.matching.near import Nursery, far_references
from gcremap._reload.matching.state import Policy, Values
from gcremap._reload.matching.successors import takes_the_place
from gcremap._reload.matching.unbound import (
    match_combinations,
    match_unbound,
    match_unbound_classes,
    said_of,
)
from gcremap._reload.objects.contents import attributes_of
from gcremap._reload.objects.kinds import is_class, is_function, module_of, namespace_of
from gcremap._reload.objects.layout import ctypes_made_of, same_layout
from gcremap._reload.running import ahead, gone, submodules
from gcremap._reload.running.answers import Answers
from gcremap._reload.running.attempts import Attempts
from gcremap._reload.running.execute import execute
from gcremap._reload.running.followers import Followers, without_remapped
from gcremap._reload.running.imports import index_starred, starred
from gcremap._reload.running.registrants import carry_registrations
from gcremap._reload.running.registrations import code_to_run
from gcremap._reload.running.script import Script
from gcremap._reload.running.shelter import Shelter
from gcremap._reload.running.unstated import index_called, unstated
from gcremap._reload.running.withheld import WithheldWarnings
from gcremap._reload.sources import codes
from gcremap._reload.sources.definitions import Definition
from gcremap._reload.sources.source import Source
from gcremap._report import RemapReport

_MISSING: Any = object()


Identity = Literal["keep", "replace"]


class Stage:
    """The reload of one module among `earlier` ones of the same transaction.

    What it makes takes effect before the next module runs, as it would if they were reloaded
    one after the other: there, what an object says that stays and its class agree.
    """

    def __init__(
        self,
        job: Job,
        earlier: Sequence[Stage],
        identity: Identity,
        policy: Callable[[Target], Policy],
        withheld: WithheldWarnings,
        changes: Changes,
        *,
        is_last: bool,
    ) -> None:
        self.job = job
        self._is_last = is_last
        self._jobs = [job]
        self._earlier = earlier
        self._identity = identity
        self._policy = policy
        self._changes = changes
        self.undo: list[Callable[[], Any]] = []
        """The way back from what it has changed."""
        self._matcher = Matcher([job.module.__name__])
        collects = earlier[0]._nursery.collects if earlier else gc.isenabled()
        self._nursery: Nursery = Nursery(collects=collects)
        self._attempts = Attempts(self._nursery, self._matcher, self.undo, withheld)
        self._reindexing = Reindexing(set())
        self._shelter = Shelter()
        self._answers = Answers()
        self._unstated: frozenset[str] = frozenset()
        self.applier: Applier
        self._kept: list[tuple[Definition | None, Any, Any, Site]] = []
        """Values that stay, each with the one that the new source made for it."""

    def run(self, jobs: Sequence[Job]) -> None:
        """Reload the module. `jobs` are all of the transaction."""
        module, sources = self._module, {id(each.module): each.now for each in jobs}
        if module is not None:
            self._answers.ask(module, sources)
        ahead.withdraw(self.job)
        ahead.supply(self.job, jobs, self.undo)
        with self._nursery:
            self._attempts.run(self.job, self._execute)
            self._settle(self.job)
            self._attempts.forget()
            match_moved(self.job, jobs, self._matcher)
            match_methods(self._matcher)
            match_unbound_classes(self._jobs, self._matcher, self._nursery)
            self._pair_kept()
            match_unbound(self._jobs, self._matcher, self._nursery)
            match_combinations(self._matcher)
            self._attempts.settle()
            self._withdraw()
            report = self._commit()
            if not self._is_last:
                self._nursery.keep()
        self._conclude(report, sources)
        if not self._is_last:
            pairs = self._matcher.pairs
            sides = [pair.new if pair.keep else pair.old for pair in pairs if is_class(pair.final)]
            self._shelter.hide(filter(is_class, sides))

    def final(self, value: Any) -> Any:
        """What it became, in this stage or in one before."""
        for stage in self._earlier:
            value = stage._matcher.final(value)
        return self._matcher.final(value)

    def made(self) -> list[Any]:
        """The definitions that the new code has made."""
        return self._attempts.made(self._jobs)

    def close(self) -> None:
        """Nothing runs any more that could look at what only a failure needs, or cause one."""
        self._nursery.close()
        self._shelter.leave()

    def commit(self) -> None:
        """There is no way back."""
        gone.note(self.job, self._matcher.by_old)
        if self.job.report.remap is not None:
            self.job.report.remap._commit()

    def gone(self) -> list[type]:
        """The classes that another took the place of, or whose names are gone. What the last
        stage has made is found as it is, while it is young."""
        are_young = self._is_last and not self._attempts.have_collected
        pairs = [pair for pair in self._matcher.pairs if is_class(pair.old)]
        spaces: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = [
            (self.job.snapshot.namespace, self.job.namespace)
        ]
        spaces += [
            (self.applier.updater.former_attributes(pair), attributes_of(pair.final))
            for pair in pairs
            if is_class(pair.final)
        ]
        named = [
            value
            for before, now in spaces
            for name, value in before.items()
            if is_class(value) and module_of(value) == self.job.name and now.get(name) is not value
        ]
        replaced = [pair.old for pair in pairs if not pair.keep]
        dropped = [pair.new for pair in pairs if pair.keep and not are_young]
        return [*named, *replaced, *dropped]

    def take_back(self) -> list[Exception]:
        """Undo what it changed; what went wrong, without stopping there."""
        self._shelter.leave()
        steps, self.undo = self.undo, []
        return problems_of(reversed(steps))

    def restore(self) -> list[Exception]:
        """Give the module back what it had, once all stages have taken back what they changed:
        what it had may be of a module that ran before."""
        return problems_of((self.job.snapshot.restore, self._reindexing.undo))

    def sweep_after(self, error: BaseException, made: list[Any]) -> None:
        self._attempts.sweep_after(error, self.job, made)

    def _execute(self, job: Job) -> None:
        olds = frozenset(job.old_index or ())
        own = {name for name in vars(builtins) if name.startswith("__")}  # modules have these too
        hidden = olds & vars(builtins).keys()
        if job.old_index is not None and job.new_index is not None:
            hidden |= (olds | self._brought_by_star(job)) - frozenset(job.new_index)
        hidden -= own
        job.ran = code_to_run(job, self._changes)
        self._unstated = at_risk = unstated(job)
        stored = execute(job.module, job.now, hidden, at_risk, job.new_index or (), job.ran)
        before, after = job.snapshot.namespace, job.namespace
        if stored is None:
            # A loader that runs the code itself may have bound a name to what it was before.
            stored = frozenset(after if job.new_index is None else job.new_index)
        # A function may bind names as well.
        others = (n for n, v in after.items() if before.get(n, _MISSING) is not v)
        stored = stored | frozenset(others)
        if job.new_index is not None:
            main = job.name == "__main__"
            asks = job.now.text is None or "globals" in job.now.text
            asked = {
                name
                for name, definition in job.new_index.items()
                if (asks and definition.asks_for_itself) or (main and definition.is_main)
            }
            bound = {key for key in stored if key in job.new_index or key.startswith("__")}
            bound |= (asked & job.namespace.keys()) | (at_risk & stored)
            stored = self._starred(job, stored) | bound
        stored &= job.namespace.keys()  # globals().pop() is not seen
        job.has_run, job.stored = True, stored
        job.now.stored = stored
        job.now.names = (job.was.names - at_risk) | stored | (after.keys() - before.keys())
        held.note(job)
        job.policy = self._policy(job.module)

    def _starred(self, job: Job, stored: frozenset[str]) -> frozenset[str]:
        """What came by `from ... import *`, or by other ways than a statement."""
        before = job.snapshot.namespace
        known = job.new_index or {}
        return frozenset(
            key
            for key in stored
            if key not in known
            and ("*" in known or job.namespace.get(key) is not before.get(key, _MISSING))
        )

    def _settle(self, job: Job) -> None:
        """Pair up definitions, give values that stay back to the module, drop names gone."""
        returned, known = gone.returned(job)
        olds, news = job.snapshot.namespace | returned, dict(job.namespace)
        index_starred(job)
        index_called(job)
        self._matcher.learn_codes(job.was.code, job.ran)
        name = job.name
        old_index, new_index = (job.old_index or {}) | known, job.new_index or {}
        in_order = dict.fromkeys((*new_index, *news))  # a base before what is over it
        bound = [key for key in in_order if key in news and key in olds and key in job.stored]
        sites = {
            key: Site.of(
                key, name, (old_index.get(key), new_index.get(key)), (olds[key], news[key])
            )
            for key in bound
        }
        if job.old_index is not None:
            job.old_index = job.old_index | {
                k: s.old for k, s in sites.items() if s.old is not None
            }
        if job.new_index is not None:
            job.new_index = job.new_index | {
                k: s.new for k, s in sites.items() if s.new is not None
            }
        values = Values(
            olds,
            news,
            job.old_index,
            job.new_index,
            job.policy,
            self._matcher.final,
            unedited=job.now.says_the_same(job.was),
            changes=self._changes,
        )
        data = []
        for key, site in sites.items():
            if site.old is None and site.new is None:
                site.made_by_same = values.is_as_before
            if site.old is None and job.old_index is None:
                site.old = site.new
            sides = (olds[key], news[key])
            if not site.is_definition(*sides):
                data.append(key)
            elif key in job.policy.keep:
                self._keep(job, key, *sides, site)
            elif (pair := self._matcher.match(*sides, site)) and not pair.same_definition:
                carry_registrations(job, key, *sides, self._matcher.final)
        held.settle(self._matcher, olds, (old_index, new_index), values)
        held.settle_unstated(self._matcher, olds, job, values)
        self._matcher.values[name] = values
        for key in data:
            self._settle_value(job, values, sites[key], olds[key], news[key])
        self._settle_class_values(name)
        held.settle_members(self._matcher, name)
        self._drop_names(job, values)
        for key in job.stored - job.snapshot.namespace.keys():
            if not key.startswith("__"):
                job.report.added.append(key)

    def _withdraw(self) -> None:
        """Give the old definitions back to the module, which other threads are using.

        From here on the remap alone makes the change, at one stroke.
        """
        namespace = self.job.namespace
        for key, value in list(namespace.items()):
            pair = self._matcher.by_new.get(id(value))
            if pair is not None and pair.new is value and not pair.data:
                namespace[key] = pair.old

    def _settle_value(self, job: Job, values: Values, site: Site, old: Any, new: Any) -> None:
        key = site.path
        definition = (job.new_index or {}).get(key)
        imported = definition is not None and definition.is_import
        says_names = key in ("__all__", "__annotations__") and type(old) is type(new)
        # Where nothing is different they may be, by what `if name not in globals()` adds.
        if says_names and (old == new or values.is_as_before):
            job.namespace[key] = old
        if key in state.RESERVED or old is new:
            return
        pair = self._matcher.by_new.get(id(new))
        if pair is not None and pair.old is old:
            return  # a member of an Enum, bound by a decorator of that
        if key in job.policy.keep or (not imported and values.keeps(key)):
            self._keep(job, key, old, new, site)
            return
        indexes = (job.old_index or {}, job.new_index or {})
        if imported:
            sides = tuple(index.get(key) for index in indexes)
            if submodules.hides(job.name, key, (old, new), sides):
                job.namespace[key] = old
            return
        job.report.updated.append(key)
        if takes_the_place(key, (values.olds, job.namespace), indexes):
            self._matcher.add_data(old, new, Site(key, job.name), keep=False)
            carry_registrations(job, key, old, new, self._matcher.final)

    def _settle_class_values(self, module: str) -> None:
        """What a class has for a list or an object that its source defines anew is what others
        who hold the old one get, too."""
        for pair in [each for each in self._matcher.pairs if each.module == module]:
            if not (is_class(pair.old) and is_class(pair.new)) or isinstance(pair.new, EnumType):
                continue
            olds, news = namespace_of(pair.old), namespace_of(pair.new)
            indexes = (pair.old_members, pair.new_members)
            found = defined_anew(pair, self._matcher)
            stays = class_values(pair, self._matcher) if found else ()
            for name in found:
                site = Site(f"{pair.path}.{name}", module)
                if name in stays:
                    self._kept.append((pair.new_members[name], olds[name], news[name], site))
                elif takes_the_place(name, (olds, news), indexes):
                    self._matcher.add_data(olds[name], news[name], site, keep=False)

    def _keep(self, job: Job, key: str, old: Any, new: Any, site: Site) -> None:
        job.namespace[key] = old
        job.report.kept.append(key)
        if old is new:
            return
        job.dropped.append((old, new))
        self._kept.append(((job.new_index or {}).get(key), old, new, site))

    def _pair_kept(self) -> None:
        """What the new code has taken of a value that goes, a default say, is to be the old one."""
        for definition, old, new, site in self._kept:
            one, other = type(old), type(new)
            alike = one is other or (said_of(one) == said_of(other) and same_layout(one, other))
            if self._is_made_again(old, new, site):
                self._matcher.match(old, new, site)
            if definition is None or not alike or is_class(new) or is_function(new):
                continue
            if definition.fresh or id(new) in self._young:
                self._matcher.add_data(old, new, site, keep=True)
        self._kept.clear()

    def _is_made_again(self, old: Any, new: Any, site: Site) -> bool:
        """Whether a call has made the same function: it may have copied from what changed."""
        policy = self.job.policy
        if site.path in policy.keep or policy.state == "keep" or id(new) not in self._young:
            return False
        return is_function(old) and is_function(new) and codes.same(old.__code__, new.__code__)

    @functools.cached_property
    def _young(self) -> set[int]:
        """What the new code has made, by identity."""
        return set(map(id, self._nursery.young()))

    def _drop_names(self, job: Job, values: Values) -> None:
        """Names that the old source bound and the new one did not."""
        namespace = job.namespace
        if values.is_as_before:
            # What the source takes away, `globals().pop(name)`, the program had put there since.
            for key, value in job.snapshot.namespace.items():
                if key not in state.RESERVED:
                    namespace.setdefault(key, value)
        brought = self._brought_by_star(job)
        lost = gone.lost(job, brought | self._unstated)
        for key in lost - job.policy.keep:
            before = job.snapshot.namespace.get(key, _MISSING)
            if key not in brought and values.stands(key):
                continue
            if submodules.is_one(job.name, key, before):
                continue  # the import system puts submodules into their package
            if namespace.get(key, namespace) is before:
                del namespace[key]
                job.report.removed.append(key)
                if before is type(job.module):
                    self.undo.append(functools.partial(setattr, job.module, "__class__", before))
                    job.module.__class__ = ModuleType

    def _brought_by_star(self, job: Job) -> frozenset[str]:
        """The names that the old source had by `from ... import *`, as far as they still say so."""
        found: set[str] = set()
        if "*" not in (job.old_index or ()):
            return frozenset()
        befores = {each.job.name: each.job.snapshot.namespace for each in (*self._earlier, self)}
        for key, value in starred(job.was.statements, job.module, befores):
            present = job.snapshot.namespace.get(key, _MISSING)
            if present is value or present is self.final(value):
                found.add(key)
        return frozenset(found)

    def _commit(self) -> RemapReport | None:
        # These go on with the classes that they were made of.
        made = ctypes_made_of((pair.old, pair.new) for pair in self._matcher.pairs)
        self._matcher.forget(made)
        job = self.job
        # Made in the nursery, as all that holds new definitions for a while.
        applier = self.applier = Applier(self._matcher, self.undo, self._identity)
        self._drop_repeats()
        applier.decide()
        applier.apply(self._jobs)
        names = applier.changed_names()
        names.update(job.report.updated, job.report.added, job.report.removed)
        self._reindexing = Reindexing(names)
        job.dropped.clear()
        if not self._is_last:
            changed = self._matcher.values[job.name].all_changed()
            self._changes.note(job, changed, applier.updater.changed_code())
        self._matcher.values.clear()
        if self._redirected():
            applier.refresh_caches()
        pairs = applier.remapping()
        if not pairs:
            return None
        olds = [each for stage in (*self._earlier, self) for each in stage.job.snapshot.holders()]
        kept = [*olds, *made, *applier.holders(), self._reindexing.classes]
        _made_within(self._nursery.young())
        report = remap(pairs, exclude=kept)
        self.undo.append(report.undo)
        return report

    def _drop_repeats(self) -> None:
        # An instance that the module made before stays; the new one goes unless it is held.
        job, pairs = self.job, self._matcher.pairs
        twins = [
            Pair(old, new, "", job.name, data=True)
            for old, new in job.dropped
            if module_of(type(old)) == job.name and id(new) not in self._matcher.by_new
        ]
        # These were made before the nursery.
        near, ours = [job.namespace], [job.dropped]
        repeated = far_references(self._nursery, [*pairs, *twins], near, ours)
        if repeated:
            own = [job.snapshot.namespace, *near, *ours]
            keep = self._identity == "keep"
            young = self._nursery.young()
            drop_repeats(repeated, pairs, twins, young, own, self.undo, keep=keep)

    def _redirected(self) -> bool:
        """Whether the pairs whose old sides stay need no remap any more."""
        if not self.applier.is_redirectable:
            return False
        pairs = [pair for pair in self._matcher.pairs if pair.keep]
        near = [self.job.namespace]
        redirection = Redirection(self._nursery, pairs, near, self.applier.ours())
        self.applier.is_redirected = redirection.run(self.undo)
        return self.applier.is_redirected

    def _conclude(self, report: RemapReport | None, sources: Mapping[int, Source]) -> None:
        job, applier = self.job, self.applier
        applier.settle_abstract()
        applier.settle_leftovers(report)
        applier.fill_fields()
        job.report.remap = report
        module = self._module
        if module is not None:
            olds = without_remapped(job, self._matcher.final)
            news = vars(module) | self._answers.now(module, olds, sources)
            followers = Followers(self.undo, self._matcher.final, sources)
            followers.follow(module, olds | self._answers.before, news)
        reindexed = self._reindexing.carry_out()
        if reindexed is not None and reindexed.collisions:
            job.report.warnings.append(
                f"{len(reindexed.collisions)} keys became equal to others in the same "
                "dict or set: of each, the last value stays at the first place"
            )
        applier.describe(self._jobs)

    @property
    def _module(self) -> ModuleType | None:
        """The module whose namespace it is."""
        module = self.job.module
        return module.module if isinstance(module, Script) else module

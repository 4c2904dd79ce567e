"""One reload of one or several modules: all of it happens, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import EnumType
from types import CodeType, MappingProxyType, ModuleType
from typing import Any, Literal

from gcremap._native import remap
from gcremap._reload import hooks, record, source, state
from gcremap._reload.apply import Applier
from gcremap._reload.attempts import Attempts
from gcremap._reload.definitions import (
    IMPORT,
    Definition,
    Index,
    gives_way,
    same_attributes,
    succeeds,
)
from gcremap._reload.execute import FewSwitches, Snapshot, execute
from gcremap._reload.hashing import Reindexing
from gcremap._reload.imports import Followers, starred
from gcremap._reload.kinds import is_a, is_class, module_of
from gcremap._reload.layout import ctypes_made_of
from gcremap._reload.match import Matcher, Pair, Site
from gcremap._reload.moves import match_moved
from gcremap._reload.near import Nursery, far_references
from gcremap._reload.order import in_order
from gcremap._reload.redirect import Redirection
from gcremap._reload.registrations import without_repeats
from gcremap._reload.repeats import drop_repeats
from gcremap._reload.report import ReloadReport
from gcremap._reload.script import Script
from gcremap._reload.source import Source
from gcremap._reload.state import Policy, Values
from gcremap._reload.unbound import match_combinations, match_unbound, match_unbound_classes
from gcremap._reload.update import class_values
from gcremap._report import RemapReport

Identity = Literal["keep", "replace"]

Target = Any
"""A module, or a Script."""

_MISSING: Any = object()


@dataclass(slots=True, eq=False)
class Job:
    """The reload of one module."""

    module: Target
    name: str
    snapshot: Snapshot
    was: Source
    now: Source
    policy: Policy
    report: ReloadReport
    old_index: Index | None = None
    new_index: Index | None = None
    stored: frozenset[str] = frozenset()
    ran: CodeType | None = None
    """The code that was run: that of `now`, or less."""
    dropped: list[tuple[Any, Any]] = field(default_factory=list)
    """Values that stay, each with the one that the new source made for it."""

    @property
    def namespace(self) -> dict[str, Any]:
        return self.module.__dict__  # type: ignore[no-any-return]


class Transaction:
    """Reloads `modules` together."""

    def __init__(
        self,
        modules: Iterable[Target],
        *,
        identity: Identity = "keep",
        state: state.State = "keep-unchanged",
        policies: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._identity = identity
        self._state = state
        self._policies = policies
        self._modules = list(modules)
        self._matcher = Matcher(module.__name__ for module in self._modules)
        self._undo: list[Callable[[], Any]] = []
        self._nursery = Nursery()
        self._attempts = Attempts(self._nursery, self._matcher, self._undo)
        self._reindexing = Reindexing(set())
        self._befores: dict[str, dict[str, Any]] = {}
        """The namespaces of the modules as they were, by name."""

    def run(self) -> list[ReloadReport]:
        start = time.perf_counter()
        jobs = self._prepare()
        hooks.before(jobs)
        done: list[Job] = []
        remembered: list[Job] = []
        current = [job.was for job in jobs]
        try:
            with FewSwitches(), self._nursery:
                for job in jobs:
                    done.append(job)
                    self._attempts.run(job, self._execute)
                    self._settle(job)
                self._attempts.forget()
                match_moved(jobs, self._matcher)
                match_unbound_classes(jobs, self._matcher, self._nursery)
                match_unbound(jobs, self._matcher, self._nursery)
                match_combinations(self._matcher)
                self._attempts.settle()
                self._withdraw(jobs)
                applier, report = self._commit(jobs)
            reports = self._conclude(jobs, applier, report)
            for job in jobs:
                remembered.append(job)
                _remember(job.module, job.now)
                job.report.seconds = time.perf_counter() - start
            current = [job.now for job in jobs]
            return reports
        except BaseException as error:
            made: list[Any] = []
            try:
                made = self._attempts.made(done)
            finally:
                self._roll_back(done, remembered)
            if done:
                self._attempts.sweep_after(error, done[-1], made)
            raise
        finally:
            source.put_away(current)

    def _roll_back(self, done: list[Job], remembered: list[Job]) -> None:
        while self._undo:
            self._undo.pop()()
        for job in reversed(done):
            job.snapshot.restore()
        self._reindexing.undo()
        for job in remembered:
            _remember(job.module, job.was)

    def _prepare(self) -> list[Job]:
        """Read and compile everything, before anything changes."""
        modules = {record.module_name(module): module for module in self._modules}
        befores = {name: _loaded(module) for name, module in modules.items()}
        sources = {name: _current(module, befores[name]) for name, module in modules.items()}
        jobs = []
        for name in in_order(modules, {k: now.statements or () for k, now in sources.items()}):
            module, was, now = modules[name], befores[name], sources[name]
            job = Job(
                module, module.__name__, Snapshot(module), was, now,
                self._policy(module), ReloadReport(module),
            )  # fmt: skip
            job.new_index = now.index(like=was)
            job.old_index = was.index(like=now)
            if job.old_index is None:
                job.new_index = now.index()
                job.report.warnings.append(
                    f"the source that {name} was loaded from is not known: "
                    "containers and objects stay, constants are taken anew"
                )
            jobs.append(job)
            self._befores[name] = job.snapshot.namespace
        return jobs

    def _policy(self, module: Target) -> Policy:
        return Policy.of(module, self._state, self._policies)

    def _execute(self, job: Job) -> None:
        gone: frozenset[str] = frozenset()
        if job.old_index is not None and job.new_index is not None and "*" not in job.new_index:
            gone = frozenset(job.old_index) - frozenset(job.new_index)
        job.ran = self._code_to_run(job)
        stored = execute(job.module, job.now, gone, job.ran)
        # A function may bind names as well, and a loader that runs the code itself any.
        before, after = job.snapshot.namespace, job.namespace
        others = (n for n, v in after.items() if before.get(n, _MISSING) is not v)
        stored = (stored or frozenset()) | frozenset(others)
        if job.new_index is not None:
            main = job.name == "__main__"
            asks = job.now.text is None or "globals" in job.now.text
            asked = {
                name
                for name, definition in job.new_index.items()
                if (asks and definition.asks_for_itself) or (main and definition.is_main)
            }
            bound = {key for key in stored if key in job.new_index or key.startswith("__")}
            stored = frozenset(bound | (asked & job.namespace.keys()) | self._starred(job, stored))
        stored &= job.namespace.keys()  # globals().pop() is not seen
        job.stored = stored
        job.now.stored = stored
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

    def _code_to_run(self, job: Job) -> CodeType | None:
        """The code of the new source, less what would register something a second time."""
        was, now = job.was.statements, job.now.statements
        plain = now is not None and job.now.is_plain
        if was is None or now is None or not plain or job.policy.state == "replace":
            return job.now.code
        assert job.old_index is not None
        assert job.new_index is not None
        path = job.now.code.co_filename if job.now.code is not None else job.now.name

        def stays(name: str) -> bool:
            value = job.snapshot.namespace.get(name)
            imported = job.new_index is not None and job.new_index[name].is_import
            if imported:
                return is_a(value, ModuleType) or callable(value)
            return name not in job.policy.replace

        indexes, text = (job.old_index, job.new_index), job.now.text or ""
        rest = without_repeats(was, now, text, indexes, stays, path, job.name == "__main__")
        return rest if rest is not None else job.now.code

    def _settle(self, job: Job) -> None:
        """Pair up definitions, give values that stay back to the module, drop names gone."""
        olds, news = job.snapshot.namespace, dict(job.namespace)
        self._index_starred(job)
        self._matcher.learn_codes(job.was.code, job.ran)
        name = job.name
        old_index, new_index = job.old_index or {}, job.new_index or {}
        bound = [key for key in news if key in olds and key in job.stored]
        attributes = same_attributes(old_index, new_index)
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
            others=self._matcher.values,
        )
        data = []
        for key, site in sites.items():
            if site.old is None and site.new is None:
                site.made_by_same = values.is_as_before
            if site.old is None and job.old_index is None:
                site.old = site.new
            if not site.is_definition(olds[key], news[key]):
                data.append(key)
            elif key in job.policy.keep:
                self._keep(job, key, olds[key], news[key], site)
            else:
                pair = self._matcher.match(olds[key], news[key], site)
                if pair is not None and key in attributes:
                    pair.attributes |= attributes[key]
        self._matcher.values[name] = values
        for key in data:
            self._settle_value(job, values, key, olds[key], news[key])
        self._settle_class_values(name)
        self._drop_names(job, values)
        for key in job.stored - olds.keys():
            if not key.startswith("__"):
                job.report.added.append(key)

    @staticmethod
    def _index_starred(job: Job) -> None:
        """Names that came by `*` are imported as others are."""
        if job.old_index is None or job.new_index is None or "*" not in job.new_index:
            return
        found = {
            name: Definition(name, {IMPORT})
            for name, value in starred(job.now.statements, job.module, {})
            if name in job.stored and job.namespace.get(name, _MISSING) is value
        }
        job.new_index = found | job.new_index
        if "*" in job.old_index:
            job.old_index = {
                n: found[n] for n in found.keys() & job.snapshot.namespace.keys()
            } | job.old_index

    def _withdraw(self, jobs: list[Job]) -> None:
        """Give the old definitions back to the modules, which other threads are using.

        From here on the remap alone makes the change, at one stroke.
        """
        for job in jobs:
            namespace = job.namespace
            for key, value in list(namespace.items()):
                pair = self._matcher.by_new.get(id(value))
                if pair is not None and pair.new is value and not pair.data:
                    namespace[key] = pair.old

    def _settle_value(self, job: Job, values: Values, key: str, old: Any, new: Any) -> None:
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
        chosen = key in job.policy.keep or (not imported and values.keeps(key))
        site = Site(key, job.name)
        if chosen:
            self._keep(job, key, old, new, site)
            return
        if imported:
            return
        job.report.updated.append(key)
        before = (job.old_index or {}).get(key)
        if succeeds(old, new, before, definition) or gives_way(old, new, before, definition):
            self._matcher.add_data(old, new, site, keep=False)

    def _settle_class_values(self, module: str) -> None:
        """What a class has for a list or an object that its source defines anew is what others
        who hold the old one get, too."""
        for pair in [each for each in self._matcher.pairs if each.module == module]:
            if not (is_class(pair.old) and is_class(pair.new)) or isinstance(pair.new, EnumType):
                continue
            olds, news = vars(pair.old), vars(pair.new)
            found = [
                name
                for name, definition in pair.new_members.items()
                if name in olds and name in news and not name.startswith("__")
                and succeeds(olds[name], news[name], pair.old_members.get(name), definition)
            ]  # fmt: skip
            stays = class_values(pair, self._matcher) if found else ()
            for name in found:
                if name not in stays:
                    site = Site(f"{pair.path}.{name}", module)
                    self._matcher.add_data(olds[name], news[name], site, keep=False)

    def _keep(self, job: Job, key: str, old: Any, new: Any, site: Site) -> None:
        job.namespace[key] = old
        job.report.kept.append(key)
        if old is new:
            return
        job.dropped.append((old, new))
        definition = (job.new_index or {}).get(key)
        if definition is not None and definition.fresh and type(old) is type(new):
            self._matcher.add_data(old, new, site, keep=True)

    def _drop_names(self, job: Job, values: Values) -> None:
        """Names that the old source bound and the new one did not."""
        namespace = job.namespace
        if values.is_as_before:
            # What the source takes away, `globals().pop(name)`, the program had put there since.
            for key, value in job.snapshot.namespace.items():
                if key not in state.RESERVED:
                    namespace.setdefault(key, value)
        brought = self._brought_by_star(job)
        stored = job.was.stored
        if stored is None:
            stored = frozenset(job.old_index or ())
        for key in (stored | brought) - job.stored - state.RESERVED - job.policy.keep:
            before = job.snapshot.namespace.get(key, _MISSING)
            if key not in brought and values.stands(key):
                continue
            if is_a(before, ModuleType) and sys.modules.get(f"{job.name}.{key}") is before:
                continue  # the import system puts submodules into their package
            if namespace.get(key, namespace) is before:
                del namespace[key]
                job.report.removed.append(key)

    def _brought_by_star(self, job: Job) -> frozenset[str]:
        """The names that the old source had by `from ... import *`, as far as they still say so."""
        found: set[str] = set()
        for key, value in starred(job.was.statements, job.module, self._befores):
            present = job.snapshot.namespace.get(key, _MISSING)
            if present is value or present is self._matcher.final(value):
                found.add(key)
        return frozenset(found)

    def _commit(self, jobs: list[Job]) -> tuple[Applier, RemapReport | None]:
        # These go on with the classes that they were made of.
        made = ctypes_made_of((pair.old, pair.new) for pair in self._matcher.pairs)
        self._matcher.forget(made)
        applier = Applier(self._matcher, self._undo, self._identity)
        near = [job.namespace for job in jobs]
        self._drop_repeats(jobs)
        applier.decide()
        applier.apply(jobs)
        names = applier.changed_names()
        for job in jobs:
            names.update(job.report.updated, job.report.added, job.report.removed)
        self._reindexing = Reindexing(names)
        for job in jobs:
            job.dropped.clear()
        self._matcher.values.clear()
        if self._redirected(near, applier):
            applier.refresh_caches()
        pairs = applier.remapping()
        if not pairs:
            return applier, None
        olds = [holder for job in jobs for holder in job.snapshot.holders()]
        kept = [*olds, *made, *applier.holders(), self._reindexing.classes]
        report = remap(pairs, exclude=kept)
        self._undo.append(report.undo)
        return applier, report

    def _drop_repeats(self, jobs: list[Job]) -> None:
        # An instance that the module made before stays; the new one goes unless it is held.
        twins = [
            Pair(old, new, "", job.name, data=True)
            for job in jobs
            for old, new in job.dropped
            if module_of(type(old)) == job.name and id(new) not in self._matcher.by_new
        ]
        pairs = self._matcher.pairs
        # These were made before the nursery.
        near, ours = [job.namespace for job in jobs], [job.dropped for job in jobs]
        repeated = far_references(self._nursery, [*pairs, *twins], near, ours)
        if repeated:
            own = [*(job.snapshot.namespace for job in jobs), *near, *ours]
            keep = self._identity == "keep"
            young = self._nursery.young()
            drop_repeats(repeated, pairs, twins, young, own, self._undo, keep=keep)

    def _redirected(self, near: list[Any], applier: Applier) -> bool:
        """Whether the pairs whose old sides stay need no remap any more."""
        if not applier.is_redirectable:
            return False
        pairs = [pair for pair in self._matcher.pairs if pair.keep]
        redirection = Redirection(self._nursery, pairs, near, applier.ours())
        applier.is_redirected = redirection.run(self._undo)
        return applier.is_redirected

    def _without_remapped(self, job: Job) -> dict[str, Any]:
        """What a module had, less what was replaced wherever it was referred to."""
        present, final = job.namespace, self._matcher.final
        return {
            name: present[name] if name in present and final(value) is present[name] else value
            for name, value in job.snapshot.namespace.items()
        }

    def _conclude(
        self, jobs: list[Job], applier: Applier, report: RemapReport | None
    ) -> list[ReloadReport]:
        applier.settle_abstract()
        applier.settle_leftovers(report)
        applier.fill_fields()
        followers = Followers(self._undo, [job.module for job in jobs], self._matcher.final)
        for job in jobs:
            job.report.remap = report
            module = job.module.module if isinstance(job.module, Script) else job.module
            if module is not None:
                followers.follow(module, self._without_remapped(job), vars(module))
        reindexed = self._reindexing.carry_out()
        if reindexed is not None and reindexed.collisions:
            jobs[0].report.warnings.append(
                f"{len(reindexed.collisions)} keys became equal to others in the same "
                "dict or set: of each, the last value stays at the first place"
            )
        applier.describe(jobs)
        hooks.after(jobs, applier)
        applier.finish()
        return [job.report for job in jobs]


def _current(module: Target, was: Source) -> Source:
    return module.current(was) if isinstance(module, Script) else source.current(module, was)


def _loaded(module: Target) -> Source:
    return module.loaded() if isinstance(module, Script) else source.loaded(module)


def _remember(module: Target, now: Source) -> None:
    if isinstance(module, Script):
        module.remember(now)
    else:
        source.remember(module, now)

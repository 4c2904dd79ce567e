"""One reload of one or several modules: all of it happens, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from gcremap._reload.matching import state
from gcremap._reload.matching.changes import Changes
from gcremap._reload.matching.job import Job, Target
from gcremap._reload.matching.state import Policy
from gcremap._reload.objects import garbage
from gcremap._reload.objects.kinds import is_class
from gcremap._reload.objects.snapshot import Snapshot
from gcremap._reload.report import ReloadReport
from gcremap._reload.running import hooks
from gcremap._reload.running.execute import FewSwitches
from gcremap._reload.running.moved import carry_over
from gcremap._reload.running.order import in_order
from gcremap._reload.running.script import Script
from gcremap._reload.running.stage import Identity, Stage
from gcremap._reload.running.withheld import WithheldWarnings
from gcremap._reload.sources import record, source
from gcremap._reload.sources.source import Source


class Transaction:
    """Reloads `modules` one after the other, and takes all of it back if one fails."""

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

    def run(self) -> list[ReloadReport]:
        with WithheldWarnings() as withheld:
            return self._run(withheld)

    def _run(self, withheld: WithheldWarnings) -> list[ReloadReport]:
        start = time.perf_counter()
        jobs = self._prepare()
        hooks.before(jobs)
        stages: list[Stage] = []
        remembered: list[Job] = []
        changes = Changes(jobs)
        modules = frozenset(sys.modules)
        current = [job.was for job in jobs]
        try:
            with FewSwitches():
                for job in jobs:
                    stage = Stage(
                        job,
                        tuple(stages),
                        self._identity,
                        self._policy,
                        withheld,
                        changes,
                        is_last=job is jobs[-1],
                    )
                    stages.append(stage)
                    stage.run(jobs)
            for stage in stages:
                stage.close()
            if stages:
                carry_over(jobs, modules, stages[-1].final, stages[-1].undo)
            hooks.after(jobs, [stage.applier for stage in stages])
            for stage in stages:
                stage.applier.finish([stage.job])
            for job in jobs:
                remembered.append(job)
                _remember(job.module, job.now)
                job.report.seconds = time.perf_counter() - start
            for stage in stages:
                garbage.make_young(stage.gone())
                stage.commit()
            current = [job.now for job in jobs]
            return [job.report for job in jobs]
        except BaseException as error:
            made: list[list[Any]] = []
            try:
                made = [stage.made() for stage in stages]
            finally:
                backward = stages[::-1]
                problems = [(each, problem) for each in backward for problem in each.take_back()]
                problems += [(each, problem) for each in backward for problem in each.restore()]
                for stage, problem in problems:
                    error.add_note(
                        f"Not all of {stage.job.name} could be put back: "
                        f"{type(problem).__name__}: {problem}"
                    )
                for job in remembered:
                    _remember(job.module, job.was)
            for stage, definitions in zip(reversed(stages), reversed(made), strict=True):
                stage.sweep_after(error, definitions)
                garbage.make_young(filter(is_class, definitions))
                stage.close()
            raise
        finally:
            source.put_away(current)

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
        for place, job in enumerate(jobs, 1):
            job.later = frozenset(each.name for each in jobs[place:])
        return jobs

    def _policy(self, module: Target) -> Policy:
        return Policy.of(module, self._state, self._policies)


def _current(module: Target, was: Source) -> Source:
    return module.current(was) if isinstance(module, Script) else source.current(module, was)


def _loaded(module: Target) -> Source:
    return module.loaded() if isinstance(module, Script) else source.loaded(module)


def _remember(module: Target, now: Source) -> None:
    if isinstance(module, Script):
        module.remember(now)
    else:
        source.remember(module, now)

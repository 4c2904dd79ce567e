"""What the user's code is told: before and after a module, and each instance of a class."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gcremap._reload.applying import migrate
from gcremap._reload.objects.contents import attributes_of
from gcremap._reload.objects.kinds import subclasses

if TYPE_CHECKING:
    from gcremap._reload.applying.apply import Applier
    from gcremap._reload.matching.job import Job
    from gcremap._reload.matching.match import Pair


def before(jobs: Iterable[Job]) -> None:
    """Ask the old code of each module; an exception cancels the reload."""
    for job in jobs:
        hook = job.snapshot.namespace.get("__before_reload__")
        if hook is not None:
            hook()


def after(jobs: Iterable[Job], appliers: Iterable[Applier]) -> None:
    """Tell living instances of what changed, then the new code of each module."""
    appliers = list(appliers)
    gone = {each for applier in appliers for each in applier.values_gone()}
    for applier in appliers:
        for pair in applier.changed_classes():
            _reloaded(pair, applier, gone)
    for job in jobs:
        hook = vars(job.module).get("__after_reload__")
        if hook is not None:
            hook({name: _former(value, appliers) for name, value in job.snapshot.namespace.items()})


def _former(value: Any, appliers: Iterable[Applier]) -> Any:
    """An object with what it was before any of these."""
    for applier in appliers:
        former = applier.former(value)
        if former is not value:
            return former
    return value


def _reloaded(pair: Pair, applier: Applier, gone: set[int]) -> None:
    cls = pair.final
    if "__reloaded__" not in attributes_of(cls):
        return
    old_class = applier.former(pair.old)
    for each in [cls, *subclasses(cls)]:
        for instance in migrate.instances(each):
            if id(instance) not in gone:
                instance.__reloaded__(old_class)

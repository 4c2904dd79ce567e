"""What the user's code is told: before and after a module, and each instance of a class."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gcremap._reload import migrate
from gcremap._reload.kinds import subclasses

if TYPE_CHECKING:
    from gcremap._reload.apply import Applier
    from gcremap._reload.match import Pair
    from gcremap._reload.transaction import Job


def before(jobs: Iterable[Job]) -> None:
    """Ask the old code of each module; an exception cancels the reload."""
    for job in jobs:
        hook = job.snapshot.namespace.get("__before_reload__")
        if hook is not None:
            hook()


def after(jobs: Iterable[Job], applier: Applier) -> None:
    """Tell living instances of what changed, then the new code of each module."""
    for pair in applier.changed_classes():
        _reloaded(pair, applier)
    for job in jobs:
        hook = vars(job.module).get("__after_reload__")
        if hook is not None:
            hook({name: applier.former(v) for name, v in job.snapshot.namespace.items()})


def _reloaded(pair: Pair, applier: Applier) -> None:
    cls = pair.final
    if "__reloaded__" not in vars(cls):
        return
    old_class = applier.former(pair.old)
    for each in [cls, *subclasses(cls)]:
        for instance in migrate.instances(each):
            instance.__reloaded__(old_class)

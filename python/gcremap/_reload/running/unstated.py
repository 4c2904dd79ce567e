"""Names that no statement at the top of a module binds, nor the import system."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gcremap._reload.matching.state import OF_THE_MODULE
from gcremap._reload.running import submodules
from gcremap._reload.sources.called import bound_by_functions, called_at_the_top
from gcremap._reload.sources.definitions import DATA, Index
from gcremap._reload.sources.outline import Statements

if TYPE_CHECKING:
    from gcremap._reload.matching.job import Job


def told_to_be(job: Job) -> frozenset[str]:
    """What the old source has told other code to bind for it, as far as that can be known:
    `lazily(globals(), ...)`, which makes functions that answer for the module."""
    found = job.snapshot.namespace.keys() & {"__dir__", "__getattr__"}
    return frozenset(found if found and "globals" in (job.was.read() or "") else ())


def unstated(job: Job) -> frozenset[str]:
    """What the old source had bound in other ways than by a statement, `globals()[name] = ...`,
    and the new one does not mention: it may be gone."""
    if job.now.text is None or job.old_index is None or job.new_index is None:
        return frozenset()
    names = job.was.names & job.snapshot.namespace.keys()
    stated = job.old_index.keys() | job.new_index.keys() | OF_THE_MODULE | job.policy.keep
    package, namespace = job.name, job.snapshot.namespace
    stored = names - stated
    words = job.now.words() if stored else frozenset()
    return frozenset(
        name for name in stored - words if not submodules.is_one(package, name, namespace[name])
    )


def index_called(job: Job) -> None:
    """Enter into both indexes what functions of the module bind by `global`: that is state as
    long as the assignments, and the statements at the top that lead to them, say the same. A call
    at the top is part of what defines a name that a statement binds, too."""
    texts = (job.was.text, job.now.text)
    if not any(text and "global " in text for text in texts):
        return
    before, now = job.was.statements, job.now.statements
    if job.old_index is None or job.new_index is None or before is None or now is None:
        return
    spaces = (job.snapshot.namespace, job.namespace)
    names = {
        name
        for name in job.stored & spaces[0].keys() - job.old_index.keys() - job.new_index.keys()
        if not name.startswith("__") and not any(callable(space[name]) for space in spaces)
    }
    olds, news = bound_by_functions(names, before), bound_by_functions(names, now)
    both = olds.keys() & news.keys()
    job.old_index = _called(job.old_index, before) | {name: olds[name] for name in both}
    job.new_index = _called(job.new_index, now) | {name: news[name] for name in both}


def _called(index: Index, statements: Statements) -> Index:
    """With the calls that give data its value."""
    found = {}
    for name, call in called_at_the_top(statements).items():
        own = index.get(name)
        if own is not None and own.kinds == {DATA}:
            found[name] = replace(
                own, prints=own.prints + call.prints, reads=own.reads | call.reads
            )
    return index | found

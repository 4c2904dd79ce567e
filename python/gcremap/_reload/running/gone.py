"""Functions and classes whose names are gone from the source, as long as something uses them: one
that comes back, as after an edit that was undone, is their next version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from gcremap._reload.objects.kinds import is_class, is_function, module_of

if TYPE_CHECKING:
    from gcremap._reload.matching.job import Job

_gone: WeakValueDictionary[tuple[str | None, int, str], Any] = WeakValueDictionary()
"""By file, namespace and name. Of several versions of a name, the last."""


def note(job: Job, successors: Mapping[int, Any]) -> None:
    """A reload that dropped names cannot fail any more; `successors` has what became another
    definition, by identity."""
    for name in job.report.removed:
        value = job.snapshot.namespace[name]
        own = (is_class(value) or is_function(value)) and module_of(value) == job.name
        if own and value.__qualname__ == name and id(value) not in successors:
            _gone[(*_origin(job), name)] = value


def returned(job: Job) -> dict[str, Any]:
    """The earlier versions of what the source has bound and did not have before, by name."""
    names = job.stored - job.snapshot.namespace.keys() if _gone else ()
    found = {name: _gone.get((*_origin(job), name)) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _origin(job: Job) -> tuple[str | None, int]:
    """A module may be imported anew, and have names of several files."""
    return job.now.path, id(job.namespace)

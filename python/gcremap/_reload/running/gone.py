"""Names that are gone from the source. As long as something uses their functions and classes, one
that comes back, as after an edit that was undone, is their next version."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any

from gcremap._reload.matching.state import OF_THE_MODULE
from gcremap._reload.objects.kinds import is_class, is_function, module_of, namespace_of
from gcremap._reload.running.unstated import told_to_be
from gcremap._reload.sources.definitions import Definition, Index

if TYPE_CHECKING:
    from gcremap._reload.matching.job import Job

_gone: dict[tuple[str | None, int, str], tuple[weakref.ref[Any], Definition | None]] = {}
"""By file, namespace and name. Of several versions of a name, the last."""


def lost(job: Job, others: frozenset[str]) -> frozenset[str]:
    """The names that the old source bound, and those `others`, that the new one did not bind."""
    stored = job.was.stored
    if stored is None:
        stored = frozenset(job.old_index or ()) | told_to_be(job)
    elif job.old_index is not None:
        stored &= job.old_index.keys()  # others may have been bound to what they were before
    return (stored | others) - job.stored - OF_THE_MODULE


def note(job: Job, successors: Mapping[int, Any]) -> None:
    """A reload that dropped names cannot fail any more; `successors` has what became another
    definition, by identity."""
    for key, (reference, _) in list(_gone.items()):
        if reference() is None:
            del _gone[key]
    for name in job.report.removed:
        value = job.snapshot.namespace[name]
        if not (is_class(value) or is_function(value)) or value.__qualname__ != name:
            continue
        own = module_of(value) == job.name or _runs_in(value, job.namespace)
        if own and id(value) not in successors:
            definition = (job.old_index or {}).get(name)
            _gone[(*_origin(job), name)] = weakref.ref(value), definition


def _runs_in(value: type | FunctionType, namespace: Mapping[str, Any]) -> bool:
    """Whether a definition is of this namespace although a package shows it as its own:
    `URL.__module__ = __name__`."""
    functions = namespace_of(value).values() if is_class(value) else [value]
    return any(is_function(each) and each.__globals__ is namespace for each in functions)


def returned(job: Job) -> tuple[dict[str, Any], Index]:
    """The earlier versions of what the source has bound and did not have before, by name, and
    how they were defined."""
    values, definitions = {}, {}
    for name in job.stored - job.snapshot.namespace.keys() if _gone else ():
        reference, definition = _gone.get((*_origin(job), name), (None, None))
        value = reference() if reference is not None else None
        if value is not None:
            values[name] = value
            if definition is not None:
                definitions[name] = definition
    return values, definitions


def _origin(job: Job) -> tuple[str | None, int]:
    """A module may be imported anew, and have names of several files."""
    return job.now.path, id(job.namespace)

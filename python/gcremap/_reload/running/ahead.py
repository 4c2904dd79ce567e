"""What modules that import each other find of one that runs after them.

In an import it is what stands above the statement that goes on with them: names that it imports
itself, and constants. These are there ahead of its run, too.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from gcremap._reload.matching.job import Job
from gcremap._reload.running.imports import absolute, starred
from gcremap._reload.running.order import imported_names
from gcremap._reload.sources.outline import Statement

_MISSING: Any = object()


def supply(job: Job, jobs: Sequence[Job], undo: list[Callable[[], Any]]) -> None:
    """Give what `job` imports, and runs after it, the names that it may ask for. `jobs` are all,
    in order."""
    later = {each.name: each for each in jobs[jobs.index(job) + 1 :]}
    if not later:
        return
    for name in dict.fromkeys(imported_names(job.now.statements or (), job.module)):
        if name in later:
            _supply(later[name], later)
            undo.append(lambda job=later[name]: withdraw(job))  # type: ignore[misc]


def withdraw(job: Job) -> None:
    """What was supplied goes: its own code binds it, or does not."""
    for name in job.ahead:
        before = job.snapshot.namespace.get(name, _MISSING)
        if before is not _MISSING:
            job.namespace[name] = before
        else:
            job.namespace.pop(name, None)
    job.ahead.clear()


def _supply(job: Job, later: Mapping[str, Job]) -> None:
    old_index, new_index = job.old_index or {}, job.new_index or {}
    for statement in job.now.statements or ():
        for name, value in _bound(statement, job, later):
            was, now = old_index.get(name), new_index.get(name)
            if name in job.policy.keep or (now is not None and len(now.prints) > 1):
                continue
            is_other = was is not None and now is not None and not was.same(now)
            if is_other or name not in job.namespace:
                job.namespace[name] = value
                job.ahead.add(name)


def _bound(statement: Statement, job: Job, later: Mapping[str, Job]) -> Iterator[tuple[str, Any]]:
    """What a statement that always runs binds, as far as that is known already."""
    node = statement.node
    if isinstance(node, ast.ImportFrom):
        origin = absolute(node, job.module)
        if origin is None or origin not in sys.modules or origin in later:
            return
        if node.names[0].name == "*":
            yield from starred([statement], job.module, {})
            return
        namespace = vars(sys.modules[origin])
        for alias in node.names:
            if alias.name in namespace:
                yield alias.asname or alias.name, namespace[alias.name]
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        with suppress(ValueError, TypeError):  # what may change is no constant
            value = ast.literal_eval(node.value)
            hash(value)
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, value

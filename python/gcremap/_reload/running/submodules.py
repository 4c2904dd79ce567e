"""The names that the import system binds in a package, or code elsewhere in a module."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gcremap._reload.matching.state import OF_THE_MODULE
from gcremap._reload.objects.kinds import is_a
from gcremap._reload.sources.definitions import Definition

if TYPE_CHECKING:
    from gcremap._reload.matching.job import Job


def bind_loaded(package: Any) -> None:
    """The import system has done so when it loaded them, and does not do it again; where one is
    missing, the source has deleted the name, and is about to do so."""
    if "__path__" not in vars(package):
        return
    for name, loaded in list(sys.modules.items()):
        parent, _, own = name.rpartition(".")
        if parent == package.__name__ and is_a(loaded, ModuleType):
            vars(package).setdefault(own, loaded)


def is_one(package: str, name: str, value: Any) -> bool:
    """Whether a value of the package is its submodule of this name."""
    return is_a(value, ModuleType) and sys.modules.get(f"{package}.{name}") is value


def hides(
    package: str, name: str, values: tuple[Any, Any], sides: tuple[Definition | None, ...]
) -> bool:
    """Whether a submodule took a name after the package had imported another module by it:
    `import typing`, before `package.typing` was loaded."""
    old, new = values
    before, now = sides
    is_same = before is None or (now is not None and before.same(now))
    return is_one(package, name, old) and is_a(new, ModuleType) and is_same


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
    return frozenset(name for name in stored - words if not is_one(package, name, namespace[name]))

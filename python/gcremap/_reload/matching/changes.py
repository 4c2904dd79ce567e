"""What has changed in the modules of a reload, for those that run after them."""

from __future__ import annotations

from collections.abc import Iterable, Set
from types import ModuleType
from typing import Any

from gcremap._reload.matching.job import Job
from gcremap._reload.matching.state import SCALARS, is_equal
from gcremap._reload.objects.kinds import is_a


class Changes:
    """The data that the modules of these jobs have otherwise than before."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._to_run = {job.name: job for job in jobs}
        self._names: dict[str, Set[str]] = {}
        self._values: set[int] = set()
        self._code: set[int] = set()

    def note(self, job: Job, names: Set[str], code: Iterable[Any]) -> None:
        """It has run; `names` are those whose data is another, `code` are the functions and the
        classes."""
        self._to_run.pop(job.name, None)
        self._names[job.name] = names
        values = (job.namespace[name] for name in names if name in job.namespace)
        self._values.update(id(v) for v in values if not (callable(v) or is_a(v, SCALARS)))
        self._code.update(map(id, code))

    def has_run(self, module: str) -> bool:
        return module in self._names

    def has(self, module: str, name: str) -> bool:
        job = self._to_run.get(module)
        if job is None:
            return name in self._names.get(module, ())
        # It may have followed another module that it imports, or have it ahead.
        before, now = job.snapshot.namespace.get(name), job.namespace.get(name)
        if before is now:
            return self.has_made(now)
        return not (callable(now) or is_equal(before, now))

    def has_in(self, module: ModuleType, path: str) -> bool:
        """The same of `package.module.NAME`, in the package."""
        name, _, rest = path.partition(".")
        inner = vars(module).get(name)
        if rest and is_a(inner, ModuleType):
            return self.has_in(inner, rest)
        return self.has(module.__name__, path)

    def has_made(self, value: Any) -> bool:
        """Whether a value took the place of another one, wherever that was held: who holds it
        does not see that it changed."""
        return id(value) in self._values

    def has_code(self, value: Any) -> bool:
        """Whether a function does something else than before, or a class consists of something
        else."""
        return id(value) in self._code

"""Run the new code of a module; once more, if code elsewhere refuses what it has already."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gcremap._reload.matching.match import Matcher
from gcremap._reload.matching.near import Nursery
from gcremap._reload.running.refusals import Refusal
from gcremap._reload.running.sweep import Sweep, made_by
from gcremap._reload.running.withheld import WithheldWarnings
from gcremap._reload.sources.outside import register_the_same

if TYPE_CHECKING:
    from gcremap._reload.matching.job import Job


class Attempts:
    """Those of one transaction."""

    def __init__(
        self,
        nursery: Nursery,
        matcher: Matcher,
        undo: list[Callable[[], Any]],
        withheld: WithheldWarnings,
    ) -> None:
        self._nursery = nursery
        self._matcher = matcher
        self._undo = undo
        self._withheld = withheld
        self._refusals: list[Refusal] = []
        self._dropped: set[int] = set()
        self.have_collected = False

    def run(self, job: Job, execute: Callable[[Job], None]) -> None:
        """Let `execute` run the code of a job."""
        warned = len(self._withheld)
        try:
            execute(job)
            return
        except SyntaxError:
            raise
        except Exception as error:
            again = len(self._withheld)
            made = made_by([job], self._nursery.young(), Matcher(()))
            job.snapshot.restore()
            is_withdrawn = False
            with suppress(Exception):  # of a key that is hashed: the first error is told
                self._sweep(job, made)
                refusal = Refusal(error, job)
                is_withdrawn = refusal.withdraw(made, self._undo)
            if not is_withdrawn or not _succeeds(job, execute, error):
                raise
            del self._withheld[warned:again]
            self._dropped.update(map(id, made))
            self._refusals.append(refusal)
            if register_the_same(job.was.statements, job.now.statements):
                refusal.is_unfounded = True
            else:
                self._matcher.registered_anew.add(job.name)

    def forget(self) -> None:
        """Free what attempts that were refused have made, so that nothing takes it for new."""
        if self._refusals:
            new = set(map(id, self._nursery.classes())) - self._dropped
            self._nursery.restart(self._nursery.classes_by_now() - new)
            gc.collect()
            self.have_collected = True

    def settle(self) -> None:
        """Put back what was withdrawn, the last first, once it is known what became what."""
        while self._refusals:
            self._refusals.pop().settle(self._matcher)

    def made(self, jobs: Iterable[Job]) -> list[Any]:
        """The definitions that the new code of these has made."""
        return made_by(jobs, self._nursery.young(), self._matcher)

    def sweep_after(self, error: BaseException, job: Job, made: list[Any]) -> None:
        """Take out of containers elsewhere what was `made` by code that failed with the error,
        that of a job the last. All else is as it was."""
        try:
            self._sweep(job, made)
        except Exception as problem:
            error.add_note(
                "What the new code has put into containers of other modules is still there: to "
                f"take it out raised {type(problem).__name__}: {problem}"
            )

    def _sweep(self, job: Job, made: list[Any]) -> None:
        lost = job.snapshot.lost()
        Sweep(made, self._nursery.young(), lost, self._matcher).run()


def _succeeds(job: Job, execute: Callable[[Job], None], first: Exception) -> bool:
    try:
        execute(job)
    except Exception as error:
        import traceback

        if (type(error), str(error)) != (type(first), str(first)):
            *_, place = traceback.format_tb(error.__traceback__)
            said = "".join(traceback.format_exception_only(error))
            first.add_note(f"Without what was registered before, it was\n{place}{said}".strip())
        return False
    return True

"""Reload what was saved, and remember what failed."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from gcremap._reload.reloader import Reloader
from gcremap._reload.sources import record
from gcremap._watch.outcome import Outcome


class Attempts:
    """Reloads modules that are not what their files say any more, by a reloader's policy.

    What has failed is stale until it is saved again. It is tried along with whatever is
    saved meanwhile, since that may be what it lacked, but does not hold that up.
    """

    def __init__(self, reloader: Reloader) -> None:
        self.reloader = reloader
        self._failed: dict[str, object] = {}
        """The stamp of each module's file with which it last failed."""

    def fresh(self, modules: Sequence[ModuleType]) -> list[ModuleType]:
        """Those of `modules` that have been saved since they failed."""
        return [each for each in modules if self._failed.get(each.__name__) != _stamp(each)]

    def reload(self, modules: list[ModuleType]) -> Outcome:
        """Reload `modules` together, or at least the fresh ones; KeyboardInterrupt passes."""
        stamps = {module.__name__: _stamp(module) for module in modules}
        outcome = Outcome(modules)
        fresh = self.fresh(modules)
        self._attempt(outcome)
        if outcome.error is not None and 0 < len(fresh) < len(modules):
            outcome.waiting = [each for each in modules if each not in fresh]
            outcome.modules, outcome.error = fresh, None
            self._attempt(outcome)
        for module in outcome.modules:
            if outcome.error is not None:
                self._failed[module.__name__] = stamps[module.__name__]
            else:
                self._failed.pop(module.__name__, None)
        return outcome

    def _attempt(self, outcome: Outcome) -> None:
        try:
            outcome.reports = self.reloader.reload(*outcome.modules)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit, too: the program is to go on
            outcome.error = error


def _stamp(module: ModuleType) -> tuple[int, int] | None:
    path = module.__file__
    return record.stamp_of(path) if path is not None else None

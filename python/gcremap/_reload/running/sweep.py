"""What code that failed has left in containers elsewhere is taken out of them again."""

from __future__ import annotations

from collections.abc import Iterable
from types import MethodType
from typing import TYPE_CHECKING, Any

from gcremap._reload.applying.trails import Trail, namespaces
from gcremap._reload.objects import exits
from gcremap._reload.objects.contents import drop, entries, put, refill
from gcremap._reload.objects.kinds import is_a, is_class, is_function, module_of
from gcremap._reload.running.refusals import kept_by_the_interpreter
from gcremap._reload.sources import codes

if TYPE_CHECKING:
    from gcremap._reload.matching.job import Job
    from gcremap._reload.matching.match import Matcher


def made_by(jobs: Iterable[Job], young: list[Any], matcher: Matcher) -> list[Any]:
    """The functions and classes that the new code of some modules has made just now."""
    spaces = {id(job.namespace): set(map(id, codes.tree(job.ran))) for job in jobs if job.ran}
    names = {job.name for job in jobs}
    known = set(map(id, young))
    olds = {id(value) for job in jobs for value in job.snapshot.namespace.values()}
    bound = [
        value
        for job in jobs
        for value in list(job.namespace.values())
        if (id(value) in known if known else id(value) not in olds)
    ]
    found = [
        each
        for each in (*bound, *young)
        if (is_class(each) and module_of(each) in names)
        or (is_function(each) and id(each.__code__) in spaces.get(id(each.__globals__), ()))
    ]
    for pair in matcher.pairs:
        new = pair.new  # of a function that was updated this has the old code now
        if (is_class(new) and module_of(new) in names) or (
            is_function(new) and id(new.__globals__) in spaces
        ):
            found.append(new)
    return found


class Sweep:
    """Takes entries for definitions out of containers that are older than these.

    made      the definitions
    young     what was made together with them
    lost      by name, the old definitions that some entry for a new one has taken the place of
    """

    def __init__(
        self, made: list[Any], young: list[Any], lost: dict[str, Any], matcher: Matcher
    ) -> None:
        self._made = made
        self._lost = lost
        self._matcher = matcher
        left = kept_by_the_interpreter() | set(map(id, vars(matcher).values()))
        self._trail = Trail(made, young, left)

    def run(self) -> None:
        found = self._trail.containers()
        leading = self._trail.leading
        callbacks = exits.registered()
        stays = [each for each in callbacks if leading.isdisjoint(map(id, each))]
        if len(stays) < len(callbacks):
            exits.register(stays)
        dicts = {id(each): each for each in found if type(each) is dict}
        spaces = self._trail.spaces | namespaces(dicts)
        for each in found:
            if not is_a(each, dict):
                before = entries(each)
                stays = [entry for entry in before if id(entry) not in leading]
                if len(stays) < len(before):
                    refill(each, stays)
            elif id(each) not in spaces or spaces[id(each)]:
                self._clean(each, id(each) in spaces)

    def _clean(self, container: Any, is_space: bool) -> None:
        """What was there before is put back; if that is not known, a namespace is left alone."""
        for key, value in entries(container):
            if id(value) in self._trail.leading:
                former = self._formed(value)
                if former is not None and id(key) not in self._trail.leading:
                    put(container, key, former)
                    continue
            if not is_space and (
                id(value) in self._trail.leading or id(key) in self._trail.leading
            ):
                drop(container, key)

    def _former(self, value: Any) -> Any | None:
        """What a definition is a version of."""
        pair = self._matcher.by_new.get(id(value))
        if pair is not None:
            return pair.old
        own = id(value) in self._trail.leading and (is_class(value) or is_function(value))
        return self._lost.get(value.__qualname__) if own else None

    def _formed(self, value: Any) -> Any | None:
        """What leads to a new definition, made to lead to the former one; None if there was
        none, so that nothing can have been there."""
        former = self._former(value)
        if former is not None:
            return former
        if is_a(value, MethodType):
            function = self._former(value.__func__)
            return MethodType(function, value.__self__) if function is not None else None
        if type(value) is tuple:
            parts = [
                self._formed(part) if id(part) in self._trail.leading else part for part in value
            ]
            return tuple(parts) if None not in parts else None
        return None

"""What statements set on functions and classes: `f.calls = 0`, in a class body `m.label = TEXT`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gcremap._reload.matching.class_values import values_of
from gcremap._reload.matching.match import Matcher, Pair
from gcremap._reload.matching.state import Values
from gcremap._reload.matching.successors import is_another
from gcremap._reload.objects.contents import attributes_of
from gcremap._reload.objects.kinds import is_a, is_class, mro_of, namespace_of
from gcremap._reload.sources.definitions import Definition, Index
from gcremap._reload.sources.record import attributes_in

if TYPE_CHECKING:
    from gcremap._reload.matching.job import Job

Sides = tuple[Definition | None, Definition | None]


def settle(
    matcher: Matcher, olds: Mapping[str, Any], indexes: tuple[Index, Index], values: Values
) -> None:
    """Decide which attributes of what a namespace held are state, and which are taken anew."""
    old_index, new_index = indexes
    reassigned = []
    for path in old_index.keys() | new_index.keys():
        holder, _, name = path.rpartition(".")
        pair = _pair_at(matcher, olds, holder) if holder else None
        if pair is None or pair.data:
            continue
        if _stays(pair, name, (old_index.get(path), new_index.get(path)), holder, values):
            pair.attributes |= {name}
        else:
            pair.reassigned |= {name}
            reassigned.append(pair)
    for pair in reassigned:  # perhaps by another path than the one before
        pair.attributes -= pair.reassigned


def note(job: Job) -> None:
    """Note what running the new source has set, before the program's own is added to it."""
    before, after = job.snapshot.namespace, job.namespace
    made = {name: value for name, value in after.items() if before.get(name) is not value}
    now = attributes_in(made, job.name)
    if not _has_run_all(job):
        for path, names in job.was.attributes.items():
            now[path] = names | now.get(path, frozenset())
    job.now.attributes = now


def settle_unstated(matcher: Matcher, olds: Mapping[str, Any], job: Job, values: Values) -> None:
    """Let go what running the old source has set, in whatever way, and running the new one has
    not, if that does not speak of it at all. While it was imported, modules that it imports may
    have set something as well: then it must have spoken of it."""
    if job.now.text is None or not _has_run_all(job) or values.is_as_before:
        return
    gone: list[tuple[Pair, str]] = []
    for path, names in job.was.attributes.items():
        pair = _pair_at(matcher, olds, path)
        if pair is not None and not pair.data:
            absent = names - attributes_of(pair.new).keys()
            gone += [(pair, name) for name in absent if not name.startswith("__")]
    if gone:
        words = job.now.words()
        told = job.was.words() if job.was.stored is None else None
        for pair, name in gone:
            if name not in words and (told is None or name in told):
                pair.reassigned |= {name}


def _has_run_all(job: Job) -> bool:
    """Whether no statement was left out that the old source had run."""
    return job.ran is job.now.code


def settle_members(matcher: Matcher, module: str) -> None:
    """The same in the bodies of the classes of a module."""
    for pair in [each for each in matcher.pairs if each.module == module]:
        indexes = (pair.old_members, pair.new_members)
        if is_class(pair.old) and any("." in path for index in indexes for path in index):
            settle(matcher, namespace_of(pair.old), indexes, values_of(pair, matcher))


def _stays(pair: Pair, name: str, sides: Sides, holder: str, values: Values) -> bool:
    """Whether an attribute that both versions set is state: it is set as before, outside of the
    body of its class and in it, to what is computed from nothing that changed."""
    old, new = sides
    if old is None or new is None or name.startswith("__"):
        return False
    if values.state != "keep-unchanged":
        return values.state == "keep"
    inside, outside = (pair.old_members.get(name), pair.new_members.get(name)), (old, new)
    before, now = (attributes_of(side).get(name) for side in (pair.old, pair.new))
    return (
        all(one is other or (one and other and one.same(other)) for one, other in (inside, outside))
        and not is_another(before, now, old)
        and not any(map(values.changed, new.reads - {holder}))
    )


def _pair_at(matcher: Matcher, olds: Mapping[str, Any], path: str) -> Pair | None:
    name, *inner = path.split(".")
    value = olds.get(name)
    for name in inner:
        owners = map(namespace_of, mro_of(value) if is_class(value) else ())
        value = next((own[name] for own in owners if name in own), None)
        value = value.__func__ if is_a(value, staticmethod) else value
    return matcher.by_old.get(id(value)) if value is not None else None

"""Contexts whose variables are replaced, and the undo of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from contextvars import Context, ContextVar, Token
from typing import Any

import pytest

import gcremap


class Thing:
    pass


class Variables:
    """The same names for the same variables, whatever is remapped: none of them is a slot
    that follows."""

    def __init__(self, names: str) -> None:
        self.of = {name: ContextVar[Any](name) for name in names}

    def remap(self, mapping: str, **options: Any) -> gcremap.RemapReport:
        """`mapping` as in "a>b b>c"."""
        pairs = [(self.of[pair[0]], self.of[pair[2]]) for pair in mapping.split()]
        return gcremap.remap(pairs, frames=False, exclude=[self, self.of], **options)

    def context(self, **values: Any) -> Context:
        context = Context()
        for name, value in values.items():
            context.run(self.of[name].set, value)
        return context

    def read(self, context: Context) -> dict[str, Any]:
        return {variable.name: value for variable, value in sorted_items(context)}


def sorted_items(context: Context) -> Iterable[tuple[ContextVar[Any], Any]]:
    return sorted(context.items(), key=lambda item: item[0].name)


MORE = "defghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    "mapping", ["a>b", "a>b b>a", "a>c b>c", "a>b b>c", "a>b b>c c>a", "c>a b>a"]
)
@pytest.mark.parametrize("more", ["", MORE])
def test_undo_gives_each_context_what_it_had(mapping: str, more: str) -> None:
    variables = Variables("abc" + MORE)
    all_of = [
        dict(zip(chosen, range(1, 4), strict=False)) | dict(zip(more, range(10, 99), strict=False))
        for chosen in ("", "a", "b", "c", "ab", "ba", "bc", "ac", "abc", "cba")
    ]
    contexts = [variables.context(**values) for values in all_of]
    report = variables.remap(mapping)
    assert any(
        variables.read(context) != values for context, values in zip(contexts, all_of, strict=True)
    )
    assert report.undo() == report.replaced
    assert [variables.read(context) for context in contexts] == [
        dict(sorted(values.items())) for values in all_of
    ]
    for context, values in zip(contexts, all_of, strict=True):
        assert {name: context[variables.of[name]] for name in values} == values
        assert len(context) == len(values)


def test_values_are_put_back_with_their_variables() -> None:
    old, new, other = Thing(), Thing(), Thing()
    variables = Variables("abc")
    of = variables.of
    context = variables.context(a=old, b=other, c=old)
    kept = [old]
    report = gcremap.remap([(of["a"], of["b"]), (old, new)], frames=False, exclude=[of, kept])
    assert context[of["c"]] is new
    assert context[of["b"]] in (new, other)
    report.undo()
    assert context[of["a"]] is context[of["c"]] is kept[0]
    assert context[of["b"]] is other


def test_a_variable_that_is_a_value() -> None:
    variables = Variables("abc")
    of = variables.of
    context = variables.context(c=of["a"])
    both = variables.context(a=of["a"], c=of["b"])
    report = variables.remap("a>b")
    assert context[of["c"]] is of["b"]
    assert both[of["b"]] is of["b"]
    report.undo()
    assert context[of["c"]] is of["a"]
    assert dict(both.items()) == {of["a"]: of["a"], of["c"]: of["b"]}


@pytest.mark.parametrize(
    "had", [{"a": 1}, {"a": 1, "b": 2}, {"a": 1, "c": 3}, {"a": 1, "b": 2, "c": 3}]
)
def test_what_is_set_since_stays_with_the_variable_that_it_was_set_to(had: dict[str, int]) -> None:
    variables = Variables("abcd")
    context = variables.context(**had)
    report = variables.remap("a>b c>b")
    context.run(variables.of["b"].set, 9)
    context.run(variables.of["d"].set, 4)
    report.undo()
    assert variables.read(context) == {**had, "b": 9, "d": 4}


def test_the_old_variable_may_be_set_since() -> None:
    variables = Variables("ab")
    context = variables.context(a=1)
    report = variables.remap("a>b")
    context.run(variables.of["a"].set, 9)
    report.undo()
    assert variables.read(context) == {"a": 9}


def test_after_a_swap_each_side_may_be_set_since() -> None:
    variables = Variables("ab")
    context = variables.context(a=1, b=2)
    report = variables.remap("a>b b>a")
    context.run(variables.of["a"].set, 9)
    report.undo()
    assert variables.read(context) == {"a": 9, "b": 2}


def test_what_is_set_for_a_time_is_no_change() -> None:
    variables = Variables("ab")
    context = variables.context(a=1, b=2)
    report = variables.remap("a>b")

    def work() -> None:
        token = variables.of["b"].set(9)
        variables.of["b"].reset(token)

    context.run(work)
    report.undo()
    assert variables.read(context) == {"a": 1, "b": 2}


def test_a_token_from_before_takes_the_value_away_for_good() -> None:
    variables = Variables("ab")
    context = Context()
    tokens: list[Token[Any]] = [context.run(variables.of["a"].set, 1)]
    report = variables.remap("a>b")
    assert tokens[0].var is variables.of["b"]
    context.run(variables.of["b"].reset, tokens[0])
    assert variables.read(context) == {}
    report.undo()
    assert variables.read(context) == {}
    assert tokens[0].var is variables.of["a"]


def test_tokens_serve_after_an_undo() -> None:
    variables = Variables("ab")
    context = variables.context(a=0, b=5)
    tokens = {name: context.run(variables.of[name].set, name) for name in "ab"}
    variables.remap("a>b").undo()
    assert variables.read(context) == {"a": "a", "b": "b"}
    for name in "ab":
        context.run(variables.of[name].reset, tokens[name])
    assert variables.read(context) == {"a": 0, "b": 5}


def test_contexts_that_share_a_mapping() -> None:
    variables = Variables("abc" + MORE)
    first = variables.context(a=1, b=2, **dict.fromkeys(MORE, 0))
    same, further = first.copy(), first.copy()
    further.run(variables.of["b"].set, 3)
    report = variables.remap("a>b")
    later = further.copy()
    first.run(variables.of["c"].set, 4)
    report.undo()
    assert variables.read(first) == {"a": 1, "b": 2, "c": 4, **dict.fromkeys(MORE, 0)}
    assert variables.read(same) == {"a": 1, "b": 2, **dict.fromkeys(MORE, 0)}
    assert variables.read(further) == {"a": 1, "b": 3, **dict.fromkeys(MORE, 0)}
    assert "a" not in variables.read(later)


def test_contexts_that_run() -> None:
    variables = Variables("ab")
    of = variables.of
    outer, inner = variables.context(a=1, b=2), variables.context(a=3)
    entered, go = threading.Event(), threading.Event()
    seen = []

    def elsewhere() -> None:
        entered.set()
        go.wait()
        seen.append([of["a"].get(), of["b"].get()])

    def work() -> None:
        assert [of["a"].get(), of["b"].get(None)] == [3, None]
        report = variables.remap("a>b")
        assert [of["a"].get(None), of["b"].get()] == [None, 3]
        report.undo()
        assert [of["a"].get(), of["b"].get(None)] == [3, None]
        of["b"].set(4)

    other = variables.context(a=5, b=6)
    thread = threading.Thread(target=other.run, args=(elsewhere,))
    thread.start()
    entered.wait()
    outer.run(inner.run, work)
    go.set()
    thread.join()
    assert seen == [[5, 6]]
    assert variables.read(outer) == {"a": 1, "b": 2}
    assert variables.read(inner) == {"a": 3, "b": 4}


def test_contexts_of_tasks() -> None:
    variables = Variables("ab")
    of = variables.of
    reports = []

    async def work(number: int, started: asyncio.Event, go: asyncio.Event) -> tuple[Any, Any]:
        of["a"].set(number)
        if number % 2:
            of["b"].set(-number)
        started.set()
        await go.wait()
        return of["a"].get(), of["b"].get(None)

    async def main() -> list[tuple[Any, Any]]:
        go = asyncio.Event()
        tasks = []
        for number in range(4):
            started = asyncio.Event()
            tasks.append(asyncio.create_task(work(number, started, go)))
            await started.wait()
        reports.append(variables.remap("a>b"))
        await asyncio.sleep(0)
        reports.pop().undo()
        go.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == [(0, None), (1, -1), (2, None), (3, -3)]


def test_excluded_contexts_and_dry_runs() -> None:
    variables = Variables("ab")
    context, kept = variables.context(a=1, b=2), variables.context(a=1)
    of = variables.of
    report = variables.remap("a>b", dry_run=True)
    assert variables.read(context) == {"a": 1, "b": 2}
    assert report.collisions
    report = gcremap.remap([(of["a"], of["b"])], frames=False, exclude=[of, kept])
    assert variables.read(kept) == {"a": 1}
    report.undo()
    assert variables.read(context) == {"a": 1, "b": 2}

"""Code objects of two versions of a source: which are the same, which became which."""

from __future__ import annotations

import dis
from collections import defaultdict
from collections.abc import Iterable, Iterator
from types import CodeType

Shape = tuple[object, ...]


def shape(code: CodeType) -> Shape:
    """What `code` does, line numbers and the file aside; hashable."""
    return (
        code.co_qualname,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags,
        code.co_code,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        _constants(code),
    )


def _constants(code: CodeType) -> Shape:
    constants = [_constant(constant) for constant in code.co_consts]
    line = (int, repr(code.co_firstlineno))
    if "__firstlineno__" in code.co_names and line in constants:
        # A class says on which line it stands (3.13).
        constants[constants.index(line)] = "line"
    return tuple(constants)


def same(old: CodeType, new: CodeType) -> bool:
    """Whether two codes do the same, wherever they stand in the file."""
    if old == new:
        return True
    if old.co_qualname != new.co_qualname:
        return False
    # All that is within a function moves with it, but for what that makes.
    return old.replace(co_firstlineno=new.co_firstlineno) == new or shape(old) == shape(new)


def is_of_function(code: CodeType) -> bool:
    """Whether it is that of a function, and not of a module or the body of a class."""
    return bool(code.co_flags & _NEWLOCALS)


_NEWLOCALS = 0x2
"""CO_NEWLOCALS (code.h)."""


def _constant(constant: object) -> object:
    """Equal only for equal constants of one type: 1 is not True, nor 0.0 -0.0."""
    if isinstance(constant, CodeType):
        return shape(constant)
    if isinstance(constant, tuple):
        return tuple(_constant(item) for item in constant)
    if isinstance(constant, frozenset):
        return frozenset(_constant(item) for item in constant)
    return (type(constant), repr(constant))


def names_of(code: CodeType, operation: str) -> frozenset[str]:
    """The names that `code`, or what it makes, uses by `operation`."""
    number = dis.opmap[operation]
    return frozenset(
        each.argval
        for inner in tree(code)
        if number in inner.co_code[::2]
        for each in dis.get_instructions(inner)
        if each.opcode == number
    )


def place_of(code: CodeType) -> tuple[str, str]:
    """What code says of itself and is not compared by."""
    return code.co_filename, code.co_qualname


def nested(code: CodeType) -> list[CodeType]:
    """The codes of the functions, classes and lambdas that `code` makes."""
    return [constant for constant in code.co_consts if type(constant) is CodeType]


def tree(code: CodeType) -> list[CodeType]:
    """`code` and all that it makes, outermost first."""
    found = [code]
    for outer in found:
        found += [constant for constant in outer.co_consts if type(constant) is CodeType]
    return found


def pair_up(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """Which code inside of `old` became which inside of `new`.

    By name; of several with one name (lambdas, overloads, a branch each) those that stayed
    the same first, and what stands between two of these by order.
    """
    before, now = nested(old), nested(new)
    if not before or not now:
        return
    if old == new:
        yield from zip(tree(old)[1:], tree(new)[1:], strict=True)
        return
    olds, news = _by_name(before), _by_name(now)
    for name, named in olds.items():
        for inner, became in _align(named, news.get(name, [])):
            yield inner, became
            yield from pair_up(inner, became)


def _by_name(codes: Iterable[CodeType]) -> dict[str, list[CodeType]]:
    found: dict[str, list[CodeType]] = defaultdict(list)
    for code in codes:
        found[code.co_name].append(code)
    return found


def _align(olds: list[CodeType], news: list[CodeType]) -> Iterator[tuple[CodeType, CodeType]]:
    if len(olds) == len(news) == 1:
        yield olds[0], news[0]
        return
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(
        None, [shape(code) for code in olds], [shape(code) for code in news], autojunk=False
    )
    for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if tag in ("equal", "replace"):
            yield from zip(olds[old_from:old_to], news[new_from:new_to], strict=False)

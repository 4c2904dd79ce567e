"""The index of definitions read from compiled code, where the source is not known any more.

The `.pyc` that a module was imported from outlives an edit of its source. The
statements of a namespace are told apart in it by where the evaluation stack is empty.
"""

from __future__ import annotations

import dis
from types import CodeType
from typing import Any

from gcremap._reload.sources import codes
from gcremap._reload.sources.definitions import (
    CLASS,
    DATA,
    DEF,
    IMPORT,
    LAMBDA,
    Definition,
    Index,
    Said,
)

_STORES = frozenset({"STORE_NAME", "STORE_GLOBAL"})
_LOADS = frozenset({"LOAD_NAME", "LOAD_GLOBAL"})
_SILENT = frozenset({"RESUME", "NOP", "CACHE", "EXTENDED_ARG", "PRECALL", "PUSH_NULL", "NOT_TAKEN"})
_DISPLAYS = frozenset({"BUILD_LIST", "BUILD_MAP", "BUILD_SET"})


def index_of(code: CodeType) -> Index:
    """The index of the module or class whose body `code` is."""
    index: Index = {}
    statement: list[dis.Instruction] = []
    instructions = list(dis.get_instructions(code))
    depths = _depths(code, instructions)
    for instruction, following in zip(instructions, [*instructions[1:], None], strict=True):
        if instruction.opname in _SILENT and instruction.opname != "PUSH_NULL":
            continue
        statement.append(instruction)
        if instruction.opname in _STORES:
            _bind(index, instruction.argval, statement)
        if following is None or depths.get(following.offset, 0) == 0:
            if instruction.opname not in _STORES:
                _touch(index, statement)
            statement = []
    return index


_IMPLICIT = ("__module__", "__qualname__", "__firstlineno__", "__static_attributes__")
"""What the compiler binds in each class, without a statement."""


def _members_of(code: CodeType) -> Index:
    """The index of what the statements of a class bind."""
    index = index_of(code)
    for name in _IMPLICIT:
        if name in index and len(index[name].prints) == 1:
            del index[name]
    return index


def _depths(code: CodeType, instructions: list[dis.Instruction]) -> dict[int, int]:
    """How many values are on the stack before the instruction at each offset that is reached.

    Inside of an exception handler there are at least those that it was entered with.
    """
    entries: Any = dis.Bytecode(code)
    todo = [(0, 0)]
    for entry in entries.exception_entries:
        todo.append((entry.target, entry.depth + 1 + entry.lasti))
    places = {each.offset: place for place, each in enumerate(instructions)}
    depths: dict[int, int] = {}
    while todo:
        offset, depth = todo.pop()
        place = places.get(offset, len(instructions))
        while place < len(instructions) and instructions[place].offset not in depths:
            this = instructions[place]
            depths[this.offset] = depth
            argument = this.arg if this.opcode >= dis.HAVE_ARGUMENT else None
            if this.opcode in dis.hasjrel or this.opcode in dis.hasjabs:
                todo.append((this.argval, depth + _effect(this.opcode, argument, jump=True)))
            if this.opname.startswith(_ENDS):
                break
            depth += _effect(this.opcode, argument, jump=False)
            place += 1
    return depths


_ENDS = ("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_ABSOLUTE", "RETURN_", "RAISE_", "RERAISE")


def _effect(operation: int, argument: int | None, *, jump: bool) -> int:
    try:
        return dis.stack_effect(operation, argument, jump=jump)
    except ValueError:  # of an instruction that only the running code has
        return 0


def _bind(index: Index, name: str, statement: list[dis.Instruction]) -> None:
    definition = index.setdefault(name, Definition(name))
    made = [item.argval for item in statement if isinstance(item.argval, CodeType)]
    operations = [item.opname for item in statement if item.opname not in _SILENT]
    own = next((code for code in made if code.co_name == name), None)
    if own is not None and "LOAD_BUILD_CLASS" in operations:
        definition.kinds.add(CLASS)
        definition.members = None if definition.prints else _members_of(own)
    elif own is not None:
        definition.kinds.add(DEF)
    elif "IMPORT_NAME" in operations:
        definition.kinds.add(IMPORT)
    elif len(made) == 1 and made[0].co_name == "<lambda>" and _is_bare(operations):
        definition.kinds.add(LAMBDA)
    else:
        definition.kinds.add(DATA)
        definition.reads |= _reads(statement)
        loads = [item.argval for item in statement if item.opname in _LOADS]
        definition.fresh = operations[0] in _DISPLAYS or bool(
            loads and str(loads[0])[:1].isupper() and "CALL" in operations
        )
    if own is not None:
        if CLASS not in definition.kinds or operations[0] != "LOAD_BUILD_CLASS":
            definition.decorators.append(_said(statement, own))
        _touch(index, statement, own)
    definition.prints.append(Said(_said(statement)))


def _is_bare(operations: list[str]) -> bool:
    """Whether a statement with a lambda in it does nothing with it but give it a name."""
    return not any(name.startswith(("CALL", "BUILD_", "LIST_", "MAP_")) for name in operations)


def _touch(index: Index, statement: list[dis.Instruction], own: CodeType | None = None) -> None:
    """`NAME[...] = value`, `NAME.attribute = value`, `NAME.method()` and `@NAME.method`."""
    operations = {item.opname for item in statement}
    if statement[-1].opname == "STORE_ATTR" and statement[-2].opname in _LOADS:
        path = f"{statement[-2].argval}.{statement[-1].argval}"
        index.setdefault(path, Definition(path)).prints.append(Said(_said(statement)))
    if not operations & {"STORE_SUBSCR", "STORE_ATTR", "POP_TOP", "LOAD_ATTR", "LOAD_METHOD"}:
        return
    for name in sorted(_reads(statement)):
        definition = index.get(name)
        if definition is not None and definition.kinds <= {DATA}:
            definition.prints.append(Said(_said(statement, own)))
            definition.touched = True


def _reads(statement: list[dis.Instruction]) -> set[str]:
    return {item.argval for item in statement if item.opname in _LOADS}


def _said(statement: list[dis.Instruction], own: CodeType | None = None) -> str:
    """The statement as text: no positions, no jump targets, `own` code by name only."""
    words = []
    for item in statement:
        if item.opname in _SILENT:
            continue
        if item.argval is own and own is not None:
            words.append("<it>")
        elif isinstance(item.argval, CodeType):
            words.append(repr(codes.shape(item.argval)))
        elif item.opcode in dis.hasjrel or item.opcode in dis.hasjabs:
            words.append(item.opname)
        elif item.argval is None or isinstance(item.argval, str | int | float | tuple | bytes):
            words.append(f"{item.opname} {item.argval!r}")
        else:
            words.append(f"{item.opname} {item.argrepr}")
    return "; ".join(words)

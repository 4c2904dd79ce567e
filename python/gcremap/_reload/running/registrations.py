"""What running a module again would register a second time."""

from __future__ import annotations

import ast
from collections import Counter, deque
from collections.abc import Callable, Mapping
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from gcremap._reload.matching import state
from gcremap._reload.objects.kinds import is_a
from gcremap._reload.running.imports import given
from gcremap._reload.sources import parse
from gcremap._reload.sources.definitions import DATA, Index
from gcremap._reload.sources.effects import names_read, root_name
from gcremap._reload.sources.outline import Statements

if TYPE_CHECKING:
    from gcremap._reload.matching.changes import Changes
    from gcremap._reload.matching.job import Job


def code_to_run(job: Job, changes: Changes) -> CodeType | None:
    """The code of the new source, less what would register something a second time."""
    was, now = job.was.statements, job.now.statements
    plain = now is not None and job.now.is_plain
    if was is None or now is None or not plain or job.policy.state == "replace":
        return job.now.code
    assert job.old_index is not None
    assert job.new_index is not None
    path = job.now.code.co_filename if job.now.code is not None else job.now.name

    def stays(name: str) -> bool:
        value = job.snapshot.namespace.get(name)
        imported = job.new_index is not None and job.new_index[name].is_import
        if imported:
            return is_a(value, ModuleType) or callable(value)
        return name not in job.policy.replace and name not in state.RESERVED

    indexes, text = (job.old_index, job.new_index), job.now.text or ""
    shared = Shared(job.snapshot.namespace, given(now, job.module), changes)
    rest = _without_repeats(was, now, text, indexes, stays, shared, path, job.name == "__main__")
    return rest if rest is not None else job.now.code


def _without_repeats(
    old: Statements,
    new: Statements,
    text: str,
    indexes: tuple[Index, Index],
    stays: Callable[[str], bool],
    shared: Shared,
    path: str,
    main: bool,
) -> CodeType | None:
    """The code of `text`, that of `new`, less what was done already and would be done twice;
    None if nothing.

    That is a statement like `atexit.register(goodbye)`: a call into an imported module which
    the old source has just the same, with no data that is another now, and
    which is not told of this module. Or
    a call of what such a module gave, `log = logging.getLogger()`, which stays as it is, or what
    adds to a container of another module, `APPS += ["mine"]`.
    `stays` tells of an import whether it is no data, which may be another now, and of data
    that it is not to be taken anew. `main` is for the script that runs: what it does
    `if __name__ == "__main__"` it is doing already.
    """
    kinds = (ast.Expr, ast.AugAssign)
    before = Counter(ast.dump(each.node) for each in old if isinstance(each.node, kinds))
    skipped = set()
    for place, node in enumerate(each.node for each in new):
        match node:
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))) if main:
                skipped.add(place)
                continue
            case ast.Expr(value=ast.Call(func=ast.Attribute() as called) as call):
                said = ast.dump(node)
                root = _innermost(called)
                if not before[said] or root is None or _is_told_of_the_module(call):
                    continue
                if not (shared.has(root) or _is_kept(root, indexes, stays)):
                    continue
            case ast.AugAssign(target=ast.Name(id=root)):
                said = ast.dump(node)
                if not before[said] or not shared.has(root):
                    continue
            case _:
                continue
        names = names_read(node) - ({root} if shared.has(root) else set())
        if all(_is_same(each, *indexes) and shared.is_the_same(each) for each in names):
            before[said] -= 1
            skipped.add(place)
    if not skipped:
        return None
    rest = parse.tree_of(text)
    rest.body = [node for place, node in enumerate(rest.body) if place not in skipped]
    return compile(rest, path, "exec", dont_inherit=True)


class Shared(NamedTuple):
    """What a module had, and what its import statements give it now."""

    before: Mapping[str, Any]
    given: Mapping[str, Any]
    changes: Changes

    def has(self, name: str) -> bool:
        """Whether a container of another module goes by a name, with what was added to it."""
        value = self.before.get(name)
        if type(value) not in _CONTAINERS or self.given.get(name) is not value:
            return False
        return not self.changes.has_made(value)

    def is_the_same(self, name: str) -> bool:
        """Whether it is no data that is imported and another now."""
        if name not in self.given:
            return True
        value = self.given[name]
        if is_a(value, ModuleType) or callable(value):
            return True
        return value is self.before.get(name) and not self.changes.has_made(value)


_CONTAINERS = (list, dict, set, bytearray, deque)


def _is_told_of_the_module(call: ast.Call) -> bool:
    """Whether it may bind names here: `IntEnum._convert_("Color", __name__, str.isupper)`."""
    return any(
        isinstance(part, ast.Name) and part.id in ("__name__", "globals", "locals", "vars")
        for argument in (*call.args, *call.keywords)
        for part in ast.walk(argument)
    )


def _is_kept(name: str, indexes: tuple[Index, Index], stays: Callable[[str], bool]) -> bool:
    """Whether a name is an import, or data that is made of imports and code only, as before."""
    old_index, new_index = indexes
    definition = new_index.get(name)
    if definition is None or definition.is_import:
        return definition is not None
    reads = {each for each in definition.reads if "." not in each} - {name}
    parts = [(each, new_index[each]) for each in reads & new_index.keys()]
    return (
        definition.kinds == {DATA}
        and stays(name)
        and any(part.is_import for _, part in parts)
        and all(part.is_code or (part.is_import and stays(each)) for each, part in parts)
        and all(_is_same(each, old_index, new_index) for each in reads | {name})
    )


def _innermost(called: ast.expr) -> str | None:
    """The name that a chain of attributes and calls starts from: logging.getLogger().add()."""
    while isinstance(called, ast.Attribute | ast.Subscript | ast.Call):
        called = called.func if isinstance(called, ast.Call) else called.value
    return root_name(called)


def _is_same(name: str, old_index: Index, new_index: Index) -> bool:
    """Whether a name means what it meant: code always does, since it is updated in place."""
    old, new = old_index.get(name), new_index.get(name)
    if new is None:
        return old is None
    if old is None:
        return False
    if new.is_code and old.is_code:
        return True
    return old.same(new)

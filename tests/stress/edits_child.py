"""Edit one module at random and reload it after each edit; what is not as a fresh import has it.

Run in a process of its own by edits.py: python edits_child.py NAME SEED EDITS IDENTITY
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import random
import re
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import shape
from mutations import HELPERS, Editor
from upgrades_child import User

AT_ONCE = (1, 1, 1, 2, 4)
"""So many edits may come between two reloads."""
DIFFERS = re.compile(r"__all__\[|lazy_import")
"""The order in which names came to the module; an import that waits for its use."""


class Edited:
    """A module that has the text of one of the standard library."""

    def __init__(self, original: str, folder: Path) -> None:
        self.name = f"edited_{original.replace('.', '_')}"
        self._path = folder / f"{self.name}.py"
        self._clock = 1_000_000_000
        sys.path.insert(0, str(folder))
        (folder / "edit_helpers.py").write_text(HELPERS)
        self.text = _source(original)
        self.write(self.text)

    def write(self, text: str) -> None:
        self._clock += 10
        self._path.write_text(text)
        os.utime(self._path, (self._clock, self._clock))

    def load(self) -> ModuleType:
        importlib.invalidate_caches()
        return importlib.import_module(self.name)

    def shape(self, module: ModuleType) -> shape.Facts:
        return shape.shape_of([module], [self.name])

    def imported_alone(self) -> shape.Facts | str:
        """What it is in a process that has not imported it yet, or why it cannot be imported."""
        read, write = os.pipe()
        if os.fork() == 0:
            with os.fdopen(write, "w") as out:
                try:
                    json.dump(self.shape(self.load()), out)
                except BaseException as error:
                    json.dump(f"{type(error).__name__}: {error}", out)
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as answer:
            found = json.loads(answer.read() or '"it crashed"')
        os.wait()
        return found  # type: ignore[no-any-return]


class Fresh:
    """A process that answers for fresh imports: it has been made before the first."""

    def __init__(self, edited: Edited) -> None:
        asked, self._ask = os.pipe()
        self._answer, answers = os.pipe()
        if os.fork() == 0:
            os.close(self._ask)
            with os.fdopen(asked) as questions, os.fdopen(answers, "w") as out:
                for _ in questions:
                    print(json.dumps(edited.imported_alone()), file=out, flush=True)
            os._exit(0)
        os.close(asked)
        os.close(answers)
        self._answers = os.fdopen(self._answer)

    def shape(self) -> shape.Facts | str:
        os.write(self._ask, b"\n")
        return json.loads(self._answers.readline())  # type: ignore[no-any-return]


def _source(name: str) -> str:
    """Of frozen modules as well."""
    path = Path(os.__file__).parent.joinpath(*name.split("."))
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()


def complaints(user: User, module: ModuleType, kinds: dict[str, bool]) -> list[str]:
    """Of what the user keeps, as far as it is of the kind that it was."""
    for alias, (_, name) in list(user.names.items()):
        present = vars(module).get(name)
        named = getattr(present, "__name__", None) == name
        if not named or isinstance(present, type) is not kinds[alias]:
            del user.names[alias]
    return user.complaints()


def go(name: str, seed: str, edits: int, identity: Any, folder: Path) -> Iterator[str]:
    """Each edit after which something differs, with what."""
    edited = Edited(name, folder)
    fresh = Fresh(edited)
    first, again = fresh.shape(), fresh.shape()
    if isinstance(first, str) or isinstance(again, str):
        yield f"{name} cannot be imported as another module: {first}"
        return
    differs = {path for path in first if again.get(path) != first[path]}

    import gcremap

    module = edited.load()
    user = User([module], folder)
    kinds = {alias: isinstance(held, type) for alias, held in user.held.items()}
    # Data is taken anew, as in a fresh import. What stays is for other tests.
    reloader = gcremap.Reloader(identity=identity, state="replace")
    editor = Editor(chance := random.Random(f"{name} {seed}"))
    text, before = edited.text, edited.shape(module)
    for number in range(edits):
        new, done = edited.text, ["back to the original"]
        if number < edits - 1:
            new, done = text, []
            for _ in range(chance.choice(AT_ONCE)):
                new, what = editor.edit(new)
                done.append(what)
        edited.write(new)
        wanted, error = fresh.shape(), None
        try:
            reloader.reload(module)
        except BaseException as raised:
            error = raised
        now = edited.shape(module)
        if isinstance(wanted, str):
            # It may find what was there before the edit.
            found = shape.differences(before, now) if error is not None else []
            edited.write(text)
            reloader.reload(module)
        elif error is not None:
            found = ["".join(traceback.format_exception(error))]
            found += shape.differences(before, now)
            edited.write(text)
        else:
            found = shape.differences(wanted, now) + complaints(user, module, kinds)
            text = new
        before = edited.shape(module)
        found = [
            each for each in found
            if each.partition(": ")[0] not in differs and not DIFFERS.search(each)
        ]  # fmt: skip
        if found:
            yield f"{name}, edit {number} of seed {seed}, {identity}: {'; '.join(done)}"
            yield from (f"    {each[:600]}" for each in found[:4])


def main(name: str, seed: str, edits: str, identity: str) -> None:
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory() as folder:
        for line in go(name, seed, int(edits), identity, Path(folder)):
            print(line, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Edit a module or a package at random and reload it after each edit; what a fresh import has not.

Run in a process of its own by edits.py: python edits_child.py NAME SEED EDITS IDENTITY
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import os
import random
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import shape
from mutations import HELPERS, Editor
from upgrades_child import User

AT_ONCE = (1, 1, 1, 2, 4)
"""So many edits may come between two reloads."""
SKIPPED_FOLDERS = frozenset({"test", "tests", "_tests"})
SKIPPED_FILES = frozenset({"__main__.py", "conftest.py"})
DIFFERS = re.compile(r"__all__\[|lazy_import")
"""The order in which names came to the module; an import that waits for its use."""


class Edited:
    """Modules that have the texts of others: of one, or of all of a package (`email.*`)."""

    def __init__(self, original: str, folder: Path) -> None:
        package = original.removesuffix(".*")
        self._clock = 1_000_000_000
        sys.path.insert(0, str(folder))
        (folder / "edit_helpers.py").write_text(HELPERS)
        if package == original:
            self.name = f"edited_{original.replace('.', '_')}"
            self._paths = {self.name: folder / f"{self.name}.py"}
            self.texts = {self.name: _source(original).read_text()}
        else:
            # What runs here has imported some of the standard library.
            own = package not in sys.stdlib_module_names
            self.name = package if own else f"edited_{package}"
            self._paths, self.texts = {}, {}
            for name, path, text in _package(package):
                to = folder / self.name / path
                to.parent.mkdir(parents=True, exist_ok=True)
                renamed = self.name + name.removeprefix(package)
                self._paths[renamed] = to
                self.texts[renamed] = text if own else _renamed(text, package, self.name)
        self.write(self.texts)

    def write(self, texts: dict[str, str]) -> None:
        self._clock += 10
        for name, text in texts.items():
            self._paths[name].write_text(text)
            os.utime(self._paths[name], (self._clock, self._clock))

    def load(self) -> list[ModuleType]:
        importlib.invalidate_caches()
        return [importlib.import_module(name) for name in self.texts]

    def shape(self) -> shape.Facts:
        return shape.shape_of(self.load(), [self.name])

    def leave_out_what_needs_more(self) -> None:
        """Than is installed, or another system."""
        importable = in_a_fork(lambda: [name for name in self.texts if _can_be_imported(name)])
        self.texts = {name: self.texts[name] for name in importable}

    def imported_alone(self) -> shape.Facts | str:
        """What it is in a process that has not imported it yet, or why it cannot be imported."""
        return in_a_fork(self.shape)  # type: ignore[no-any-return]


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


def in_a_fork(function: Callable[[], Any]) -> Any:
    """What it returns, through JSON, or what it raises, in words."""
    read, write = os.pipe()
    if os.fork() == 0:
        with os.fdopen(write, "w") as out:
            try:
                json.dump(function(), out)
            except BaseException as error:
                json.dump(f"{type(error).__name__}: {error}", out)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        found = json.loads(answer.read() or '"it crashed"')
    os.wait()
    return found


def _can_be_imported(name: str) -> bool:
    try:
        importlib.import_module(name)
    except BaseException:  # one ends the process without what it needs
        return False
    return True


def _source(name: str) -> Path:
    """Of frozen modules as well."""
    path = Path(os.__file__).parent.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _package(name: str) -> Iterator[tuple[str, Path, str]]:
    """The modules of a package: name, path in its folder, text."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0])
    for path in sorted(folder.rglob("*.py")):
        inner = path.relative_to(folder)
        if not SKIPPED_FOLDERS.intersection(inner.parent.parts) and path.name not in SKIPPED_FILES:
            parts = [name, *inner.with_suffix("").parts]
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            yield ".".join(parts), inner, path.read_text()


def _renamed(text: str, was: str, name: str) -> str:
    """The text of a module of a package that has another name."""
    text = re.sub(rf"(?m)^(\s*(?:from|import) ){was}\b", rf"\g<1>{name}", text)
    return re.sub(rf"(?<![\w.]){was}(?=\.\w)", name, text)


def complaints(user: User, kinds: dict[str, bool]) -> list[str]:
    """Of what the user keeps, as far as it is of the kind that it was."""
    for alias, (module, name) in list(user.names.items()):
        present = vars(sys.modules[module]).get(name)
        named = getattr(present, "__name__", None) == name
        if not named or isinstance(present, type) is not kinds[alias]:
            del user.names[alias]
    return user.complaints()


def edit(editor: Editor, texts: dict[str, str], times: int) -> tuple[dict[str, str], list[str]]:
    """Other texts, and what was done."""
    new, done = dict(texts), []
    names = [name for name, text in texts.items() if ast.parse(text).body]
    for _ in range(times):
        name, other = editor.choose(names), editor.choose(names)
        moved = editor.move(new[name], other, new[other]) if name != other else None
        if moved is None:
            new[name], what = editor.edit(new[name])
        else:
            new[name], new[other], what = moved
        done.append(what if len(names) == 1 else f"{name}: {what}")
    return new, done


def go(name: str, seed: str, edits: int, identity: Any, folder: Path) -> Iterator[str]:
    """Each edit after which something differs, with what."""
    edited = Edited(name, folder)
    edited.leave_out_what_needs_more()
    fresh = Fresh(edited)
    first, again = fresh.shape(), fresh.shape()
    if isinstance(first, str) or isinstance(again, str):
        yield f"{name} cannot be imported as another module: {first}"
        return
    differs = {path for path in first if again.get(path) != first[path]}

    import gcremap

    modules = edited.load()
    user = User(modules, folder)
    kinds = {alias: isinstance(held, type) for alias, held in user.held.items()}
    # Data is taken anew, as in a fresh import. What stays is for other tests.
    reloader = gcremap.Reloader(identity=identity, state="replace")
    editor = Editor(chance := random.Random(f"{name} {seed}"))
    # What a module takes from one that is being imported is not what that will have.
    edited.write({name: f"{text}\n# edited" for name, text in edited.texts.items()})
    reloader.reload(*modules)
    texts, before = edited.texts, edited.shape()
    differs |= {path for path in before.keys() | first if first.get(path) != before.get(path)}
    for number in range(edits):
        new, done = edited.texts, ["back to the original"]
        if number < edits - 1:
            new, done = edit(editor, texts, chance.choice(AT_ONCE))
        edited.write(new)
        wanted, error = fresh.shape(), None
        try:
            reloader.reload(*modules)
        except BaseException as raised:
            error = raised
        now = edited.shape()
        if isinstance(wanted, str):
            # It may find what was there before the edit.
            found = shape.differences(before, now) if error is not None else []
            edited.write(texts)
            reloader.reload(*modules)
        elif error is not None:
            found = ["".join(traceback.format_exception(error))[-500:]]
            found += shape.differences(before, now)
            edited.write(texts)
        else:
            found = shape.differences(wanted, now) + complaints(user, kinds)
            texts = new
        before = edited.shape()
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

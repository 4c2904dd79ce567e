"""Import one release of a package, use it, put others over it and reload; what there is then.

Run in a process of its own by upgrades.py: python upgrades_child.py PLAN RESULT
"""

from __future__ import annotations

import functools
import importlib
import json
import keyword
import os
import shutil
import sys
import traceback
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import shape

USER = "user_of_releases"
IGNORED = shutil.ignore_patterns("__pycache__")


class Package:
    """The modules of a package whose files are in the folder `live`."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.live, self.releases = Path(plan["live"]), Path(plan["releases"])
        self.packages: list[str] = plan["packages"]
        self._skip = {*plan["skip"], "__main__", "test", "tests", "conftest"}
        sys.path[:0] = [str(self.live), str(self.live.parent)]

    def put(self, version: str) -> None:
        """Have the files of a release in the folder, and no others."""
        shutil.rmtree(self.live, ignore_errors=True)
        source = self.releases / version
        shutil.copytree(source, self.live, copy_function=shutil.copyfile, ignore=IGNORED)
        importlib.invalidate_caches()

    def load(self) -> list[ModuleType]:
        """Import all that can be."""
        found = []
        for path in sorted(self.live.rglob("*.py")):
            parts = path.relative_to(self.live).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            if not parts or parts[0] not in self.packages or self._skip.intersection(parts):
                continue
            try:
                found.append(importlib.import_module(".".join(parts)))
            except Exception:
                continue  # it needs what is not installed
        return found

    def shape(self) -> shape.Facts:
        return shape.shape_of(self.load(), self.packages)


class User:
    """A module that imports everything by name, and derives from, calls and keeps it."""

    def __init__(self, modules: list[ModuleType], folder: Path) -> None:
        self.names: dict[str, tuple[str, str]] = {}
        lines = []
        for module in modules:
            for name, value in vars(module).items():
                if name.startswith("_") or keyword.iskeyword(name):
                    continue
                if isinstance(value, type | FunctionType) and value.__module__ == module.__name__:
                    alias = f"name{len(self.names)}"
                    self.names[alias] = (module.__name__, name)
                    lines.append(f"from {module.__name__} import {name} as {alias}")
        (folder / f"{USER}.py").write_text("\n".join(lines))
        importlib.invalidate_caches()
        self._module = importlib.import_module(USER)
        self.held = {alias: getattr(self._module, alias) for alias in self.names}
        self._keys = set(self.held.values())
        self._calls = {alias: functools.partial(value) for alias, value in self.held.items()}
        classes = {alias: each for alias, each in self.held.items() if isinstance(each, type)}
        self._subclasses = {alias: _made(_sub, each) for alias, each in classes.items()}
        self._instances = {alias: _made(_bare, each) for alias, each in classes.items()}

    def complaints(self) -> list[str]:
        """What it has that is not what the modules have under the same names."""
        found = []
        for alias, (module, name) in self.names.items():
            present = vars(sys.modules[module]).get(name)
            old = self.held[alias]
            if not isinstance(present, type | FunctionType) or present.__name__ != old.__name__:
                continue
            says = {
                "imported": getattr(self._module, alias, None) is present,
                "held": old is present,
                "as a key": present in self._keys,
                "in a partial": self._calls[alias].func is present,
                "in the bases of a subclass": _is_over(self._subclasses.get(alias), present),
                "as the type of an instance": _is_of(self._instances.get(alias), present),
            }
            found += [
                f"{module}.{name} {where} is stale" for where, well in says.items() if not well
            ]
        return found


def _made(make: Any, *arguments: Any) -> Any:
    try:
        return make(*arguments)
    except Exception:
        return None  # a class that has no subclasses, or no such instances


def _bare(cls: type) -> Any:
    return object.__new__(cls)


def _sub(cls: type) -> type | None:
    sub = type("Sub", (cls,), {})
    return sub if cls in sub.__mro__ else None  # a TypedDict is no base


def _is_over(sub: type | None, cls: Any) -> bool:
    return sub is None or not isinstance(cls, type) or cls in sub.__mro__


def _is_of(instance: Any, cls: Any) -> bool:
    return instance is None or not isinstance(cls, type) or type(instance) is cls


def reload(identity: str) -> None:
    import gcremap

    if identity == "keep":
        gcremap.reload_all()
    else:
        gcremap.Reloader(identity=identity).reload()  # type: ignore[arg-type]


def go(plan: dict[str, Any], found: dict[str, Any]) -> None:
    import gcremap  # noqa: F401 - it takes note of what is imported from here on

    package, (first, *rest) = Package(plan), plan["steps"]
    package.put(first)
    modules = package.load()
    user = User(modules, package.live.parent) if rest else None
    found["modules"] = len(modules)
    found["shapes"] = [] if rest else [package.shape()]
    before = first
    for version in rest:
        was = package.shape() if plan["careful"] else {}
        package.put(version)
        try:
            reload(plan["identity"])
        except Exception as error:
            found["refused"] = f"{before} to {version}: {type(error).__name__}: {error}"
            traceback.print_exc()
            package.put(before)
            found["changed"] = shape.differences(was, package.shape()) if was else []
            return
        before = version
        found["shapes"].append(package.shape())
        found["stale"] = user.complaints() if user is not None else []
    if plan["tests"]:
        from pytest_child import outcomes_of

        os.chdir(plan["source"])
        found["tests"] = outcomes_of(plan["tests"])


def main(plan: str, result: str) -> None:
    sys.argv[1:] = []
    found: dict[str, Any] = {}
    try:
        go(json.loads(Path(plan).read_text()), found)
    except BaseException:
        found["failed"] = traceback.format_exc()
    Path(result).write_text(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)  # threads that a test left behind are not waited for


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A program that runs as `__main__`, as `python` itself would have run it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec
from types import ModuleType

from gcremap._reload.sources import record
from gcremap._watch.outcome import without_us


class Program:
    """What is to run as `__main__`, with the `sys.argv` and the folder of its modules."""

    def __init__(
        self, main: ModuleType, loader: SourceFileLoader, arguments: Sequence[str], folder: str
    ) -> None:
        self.folder = folder
        self._main = main
        self._loader = loader
        self._arguments = arguments

    def run(self) -> int:
        """Run it to its end; an exception that it does not catch is printed as Python does."""
        main, loader = self._main, self._loader
        sys.argv[:] = self._arguments
        _set_first_path(self.folder)
        sys.modules["__main__"] = main
        record.note(main, loader)
        try:
            exec(loader.source_to_code(loader.get_data(loader.path), loader.path), vars(main))
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            error.__traceback__ = without_us(error.__traceback__)
            sys.excepthook(type(error), error, error.__traceback__)
            return 1
        return 0


def script(arguments: Sequence[str]) -> Program:
    """The program in a file; raises FileNotFoundError."""
    path = os.path.abspath(arguments[0])
    if not os.path.isfile(path):
        raise FileNotFoundError(f"there is no script {arguments[0]}")
    loader = SourceFileLoader("__main__", path)
    return Program(_main(loader), loader, arguments, os.path.dirname(os.path.realpath(path)))


def module(arguments: Sequence[str]) -> Program:
    """The program in a module, or in the `__main__` of a package; raises ImportError."""
    folder = os.getcwd()
    _set_first_path(folder)
    name = arguments[0]
    spec = find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = find_spec(f"{name}.__main__")
    if spec is None or not isinstance(spec.loader, SourceFileLoader):
        raise ImportError(f"there is no module {name} with a source that can be run", name=name)
    main = _main(spec.loader)
    main.__spec__ = spec
    main.__package__ = spec.parent
    return Program(main, spec.loader, [spec.loader.path, *arguments[1:]], folder)


def _main(loader: SourceFileLoader) -> ModuleType:
    main = ModuleType("__main__")
    main.__file__ = loader.path
    main.__loader__ = loader
    vars(main)["__builtins__"] = sys.modules["builtins"]
    return main


def _set_first_path(folder: str) -> None:
    """`python` puts the program's folder first, unless told not to by -P."""
    if not sys.flags.safe_path:
        sys.path[0] = folder

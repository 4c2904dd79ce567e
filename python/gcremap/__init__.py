"""Replace Python objects everywhere they are referenced.

`remap({old: new})` finds every reference to `old` in the live heap and makes it refer to
`new`: in lists, dicts, attributes, closures, defaults, from-imports, suspended generators,
and in the fields of extension types that were never told about it.
"""

from __future__ import annotations

try:
    from gcremap import _native
except ImportError as error:
    import platform as _platform

    raise ImportError(
        "gcremap's extension module cannot be loaded in "
        f"{_platform.python_implementation()} {_platform.python_version()}: {error}",
        name="gcremap._native",
    ) from error

from gcremap._errors import RemapError
from gcremap._native import _backend as backend
from gcremap._native import remap
from gcremap._reload.sources.record import install as _record_imports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any as _Any

    from gcremap._context import remapped
    from gcremap._refusals import Refusal
    from gcremap._reload.patch import Patch, patch
    from gcremap._reload.reloader import Reloader, exec_file, reload, reload_all
    from gcremap._reload.report import ReloadReport
    from gcremap._report import RemapReport
    from gcremap._slots import Slot, referrers
    from gcremap._tree import ReferrerTree, referrer_tree
    from gcremap._watch.outcome import Outcome
    from gcremap._watch.watcher import Watcher, watch

__all__ = [
    "Outcome",
    "Patch",
    "ReferrerTree",
    "Refusal",
    "ReloadReport",
    "Reloader",
    "RemapError",
    "RemapReport",
    "Slot",
    "Watcher",
    "__version__",
    "backend",
    "exec_file",
    "patch",
    "referrer_tree",
    "referrers",
    "reload",
    "reload_all",
    "remap",
    "remapped",
    "watch",
]
__version__ = "0.1.0"

_HOMES = {
    "Outcome": "_watch.outcome",
    "Patch": "_reload.patch",
    "ReferrerTree": "_tree",
    "Refusal": "_refusals",
    "ReloadReport": "_reload.report",
    "Reloader": "_reload.reloader",
    "RemapReport": "_report",
    "Slot": "_slots",
    "Watcher": "_watch.watcher",
    "exec_file": "_reload.reloader",
    "patch": "_reload.patch",
    "referrer_tree": "_tree",
    "referrers": "_slots",
    "reload": "_reload.reloader",
    "reload_all": "_reload.reloader",
    "remapped": "_context",
    "watch": "_watch.watcher",
}
"""Where the public names are that are imported when they are first asked for: most
programs that import gcremap need few of them, and none at once."""


def __getattr__(name: str) -> _Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gcremap' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"gcremap.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: _Any) -> None:
    """`%load_ext gcremap`: called by IPython with its shell."""
    from gcremap import _ipython

    _ipython.load(shell)


def unload_ipython_extension(shell: _Any) -> None:
    """`%unload_ext gcremap`: called by IPython with its shell."""
    from gcremap import _ipython

    _ipython.unload(shell)


_record_imports()

del _native

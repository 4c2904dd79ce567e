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

from typing import Any as _Any

from gcremap import _dispatch, _future
from gcremap._context import remapped
from gcremap._errors import Refusal, RemapError
from gcremap._native import _backend as backend
from gcremap._native import remap
from gcremap._reload import Patch, Reloader, ReloadReport, exec_file, patch, reload, reload_all
from gcremap._reload.record import install as _record_imports
from gcremap._report import RemapReport
from gcremap._slots import Slot, referrers
from gcremap._tree import ReferrerTree, referrer_tree
from gcremap._watch import Outcome, Watcher, watch

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


def load_ipython_extension(shell: _Any) -> None:
    """`%load_ext gcremap`: called by IPython with its shell."""
    from gcremap import _ipython

    _ipython.load(shell)


def unload_ipython_extension(shell: _Any) -> None:
    """`%unload_ext gcremap`: called by IPython with its shell."""
    from gcremap import _ipython

    _ipython.unload(shell)


_record_imports()

del _dispatch, _future, _native

"""The doors: reload one module, all that changed, or by a policy."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from gcremap._reload import source
from gcremap._reload.report import ReloadReport
from gcremap._reload.state import State
from gcremap._reload.transaction import Identity, Transaction


def reload(
    module: ModuleType, *, identity: Identity = "keep", state: State = "keep-unchanged"
) -> ModuleType:
    """Run the source of `module` anew and leave nothing of the old one behind.

    A drop-in for importlib.reload: functions, classes and their instances, wherever they are
    referred to, are those of the new source, and the state that the source does not redefine
    stays. On any error everything is as it was, and the error is raised.
    """
    _run([_checked(module)], identity, state)
    return sys.modules.get(module.__name__, module)


def reload_all(modules: Iterable[ModuleType] | None = None) -> list[ReloadReport]:
    """Reload `modules`, or all whose source changed on disk, in one transaction.

    What is imported is reloaded before what imports it. If any fails, all stay as they were.
    """
    chosen = changed_modules() if modules is None else [_checked(each) for each in modules]
    return _run(chosen, "keep", "keep-unchanged") if chosen else []


def changed_modules() -> list[ModuleType]:
    """The modules whose source is not any more what they were loaded from."""
    return [
        module
        for module in list(sys.modules.values())
        if isinstance(module, ModuleType) and source.is_stale(module)
    ]


class Reloader:
    """Reloads under a policy.

    `modules` says which modules are under its control: names, where `package` covers its
    submodules, or None for all. `policies` says by module name, or by `module:name`, what
    happens to values: "keep", "replace", or for a module "keep-unchanged".
    """

    def __init__(
        self,
        modules: Iterable[str] | None = None,
        *,
        identity: Identity = "keep",
        state: State = "keep-unchanged",
        policies: Mapping[str, str] | None = None,
    ) -> None:
        self.modules = None if modules is None else tuple(modules)
        self.identity = identity
        self.state = state
        self.policies = dict(policies or {})
        self.reports: list[ReloadReport] = []

    def controls(self, module: ModuleType | str) -> bool:
        """Whether a module is under the control of this reloader."""
        name = module if isinstance(module, str) else source.module_name(module)
        if self.modules is None:
            return True
        return any(name == each or name.startswith(each + ".") for each in self.modules)

    def reload(self, *modules: ModuleType | str) -> list[ReloadReport]:
        """Reload these modules, or all under control whose source changed."""
        chosen = [sys.modules[each] if isinstance(each, str) else each for each in modules]
        if not modules:
            chosen = [module for module in changed_modules() if self.controls(module)]
        return []


def _checked(module: Any) -> ModuleType:
    if not isinstance(module, ModuleType):
        raise TypeError(f"reload() argument must be a module, not {type(module).__name__}")
    return module


def _run(modules: list[ModuleType], identity: Identity, state: State) -> list[ReloadReport]:
    if identity not in ("keep", "replace"):
        raise ValueError(f"identity must be 'keep' or 'replace', not {identity!r}")
    if state not in ("keep-unchanged", "replace"):
        raise ValueError(f"state must be 'keep-unchanged' or 'replace', not {state!r}")
    return Transaction(modules, identity=identity, state=state).run()


